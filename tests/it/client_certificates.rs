//! Certificates of clients: what the handshake takes, what is kept of it, and what chains to a CA.

use crate::authority::{Authority, BOTH, Issued, ask, client};
use actix_web::{App, HttpRequest, HttpServer, web};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, date_time_ymd};
use rollbook::http::tls::{self, Identity};
use rollbook::service::certificates::{chains_to, check_ca, expires, thumbprint};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

/// A server that answers with what the client has presented: how many certificates, and the thumbprint.
struct Mirror {
    place: String,
    authority: Authority,
    handle: actix_web::dev::ServerHandle,
    thread: Option<JoinHandle<()>>,
}

async fn reflect(req: HttpRequest) -> String {
    tls::presented(&req).map_or_else(|| "none".to_owned(), |p| format!("{} {}", p.chain.len(), p.thumbprint()))
}

impl Mirror {
    fn start(asks: bool) -> Self {
        let authority = Authority::new("Server");
        let (folder, own) = (tempfile::tempdir().unwrap(), authority.server());
        let [certificate, key] = ["certificate.pem", "key.pem"].map(|f| folder.path().join(f));
        std::fs::write(&certificate, &own.pem).unwrap();
        std::fs::write(&key, own.key.serialize_pem()).unwrap();
        let settings = tls::settings(Arc::new(Identity::open(&certificate, &key).unwrap()), asks).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(|| App::new().route("/", web::get().to(reflect))).workers(1).disable_signals();
                let server = server.on_connect(tls::remember).listen_rustls_0_23(listener, settings).unwrap().run();
                tell.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self { place, authority, handle: told.recv().unwrap(), thread: Some(thread) }
    }

    /// What the server says to clients of TLS 1.3 and of TLS 1.2 that show this.
    fn sees(&self, own: Option<&Arc<dyn ResolvesClientCert>>) -> [Result<String, String>; 2] {
        [&rustls::version::TLS13, &rustls::version::TLS12].map(|version| {
            let answer = ask(&self.place, &client(&self.authority, &[version], own.cloned()), "GET /", &[], "")?;
            Ok(answer.body().to_owned())
        })
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

#[track_caller]
fn both(seen: &[Result<String, String>; 2], wanted: &str) {
    assert_eq!(*seen, [Ok(wanted.to_owned()), Ok(wanted.to_owned())]);
}

/// Every certificate is taken, whoever has issued it, and none is needed.
#[test]
fn what_a_client_presents_is_kept() {
    let mirror = Mirror::start(true);
    both(&mirror.sees(None), "none");
    let partner = Authority::new("Partner");
    let between = partner.below("Partner's office");
    let own = between.client();
    let wanted = |chain: usize, leaf: &CertificateDer| format!("{chain} {}", thumbprint(leaf));
    both(&mirror.sees(Some(&own.shown(vec![own.der.clone()]))), &wanted(1, &own.der));
    both(&mirror.sees(Some(&own.shown(vec![own.der.clone(), between.der()]))), &wanted(2, &own.der));
    let itself = Issued::by_itself();
    both(&mirror.sees(Some(&itself.shown(vec![itself.der.clone()]))), &wanted(1, &itself.der));
    let old = partner.issue(|p| p.not_after = date_time_ymd(2001, 1, 1));
    both(&mirror.sees(Some(&old.shown(vec![old.der.clone()]))), &wanted(1, &old.der));
}

/// Whoever does not hold the key of a certificate, or shows something else, gets no connection.
#[test]
fn a_certificate_without_its_key_is_refused() {
    let mirror = Mirror::start(true);
    let partner = Authority::new("Partner");
    let (own, thief) = (partner.client(), partner.client());
    for chain in [vec![own.der.clone()], vec![CertificateDer::from(vec![48, 3, 2, 1, 1])], vec![CertificateDer::from(b"x".to_vec())]] {
        let seen = mirror.sees(Some(&thief.shown(chain)));
        assert!(seen.iter().all(Result::is_err), "{seen:?}");
    }
    both(&mirror.sees(None), "none");
}

#[test]
fn nobody_is_asked_unless_it_is_configured() {
    let mirror = Mirror::start(false);
    let own = mirror.authority.client();
    both(&mirror.sees(Some(&own.shown(vec![own.der.clone()]))), "none");
}

/// A connection that takes up an earlier session is of the same client.
#[test]
fn a_resumed_session_keeps_the_certificate() {
    let mirror = Mirror::start(true);
    let own = mirror.authority.client();
    for version in BOTH {
        let config = client(&mirror.authority, &[version], Some(own.shown(vec![own.der.clone()])));
        let answers = [(); 2].map(|()| ask(&mirror.place, &config, "GET /", &[], "").unwrap());
        assert_eq!(answers.each_ref().map(|a| a.resumed), [false, true], "{version:?}");
        assert_eq!(answers[0].body(), answers[1].body());
        assert!(answers[0].body().ends_with(&thumbprint(&own.der)));
    }
}

/// The digest of RFC 8705 §3.1 is that of the certificate's DER, as base64url without padding.
#[test]
fn a_thumbprint_is_that_of_the_whole_certificate() {
    assert_eq!(thumbprint(b""), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    assert_eq!(tls::Presented { chain: vec![CertificateDer::from(Vec::new())] }.thumbprint(), thumbprint(b""));
}

/// 2026-07-01.
const NOW: i64 = 1_782_864_000_000_000;
const DAY: i64 = 24 * 3600 * 1_000_000;

fn chain(leaf: &Issued, others: &[&Authority]) -> Vec<Vec<u8>> {
    std::iter::once(leaf.der.to_vec()).chain(others.iter().map(|a| a.der().to_vec())).collect()
}

#[track_caller]
fn refused(done: Result<(), String>, part: &str) {
    let why = done.unwrap_err();
    assert!(why.contains(part), "{why}");
}

#[test]
fn a_chain_leads_to_its_own_ca_only() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let office = ours.below("Office");
    let (direct, below) = (ours.client(), office.client());
    chains_to(&ours.pem(), &chain(&direct, &[]), NOW).unwrap();
    chains_to(&ours.pem(), &chain(&below, &[&office]), NOW).unwrap();
    chains_to(&office.pem(), &chain(&below, &[]), NOW).unwrap();
    let several = theirs.pem() + &ours.pem();
    chains_to(&several, &chain(&direct, &[]), NOW).unwrap();
    refused(chains_to(&theirs.pem(), &chain(&direct, &[]), NOW), "not issued by the CA");
    refused(chains_to(&theirs.pem(), &chain(&direct, &[&ours]), NOW), "not issued by the CA");
    refused(chains_to(&ours.pem(), &chain(&below, &[]), NOW), "not issued by the CA");
    refused(chains_to(&office.pem(), &chain(&direct, &[]), NOW), "not issued by the CA");
    // One of the same name, with another key.
    refused(chains_to(&Authority::new("Ours").pem(), &chain(&direct, &[]), NOW), "not issued by the CA");
    let itself = Issued::by_itself();
    refused(chains_to(&ours.pem(), &chain(&itself, &[]), NOW), "not issued by the CA");
    // A certificate is no authority.
    let fake = ours.below_with("Fake", |p| p.is_ca = IsCa::ExplicitNoCa);
    refused(chains_to(&ours.pem(), &chain(&fake.client(), &[&fake]), NOW), "not accepted: EndEntityUsedAsCa");
    refused(chains_to(&ours.pem(), &[], NOW), "no certificate was presented");
    refused(chains_to(&ours.pem(), &[b"nonsense".to_vec()], NOW), "cannot be read");
    refused(chains_to("", &chain(&direct, &[]), NOW), "no certificate in PEM form");
}

#[test]
fn a_chain_is_good_in_its_time_and_for_clients() {
    let ours = Authority::new("Ours");
    let between = |p: &mut CertificateParams| {
        p.not_before = date_time_ymd(2026, 6, 1);
        p.not_after = date_time_ymd(2026, 8, 1);
    };
    let summer = chain(&ours.issue(between), &[]);
    chains_to(&ours.pem(), &summer, NOW).unwrap();
    refused(chains_to(&ours.pem(), &summer, NOW + 32 * DAY), "has expired");
    refused(chains_to(&ours.pem(), &summer, NOW - 32 * DAY), "not valid yet");
    refused(chains_to(&ours.pem(), &summer, i64::MIN), "no certificate of the CA is valid");
    let usage = |list: &[ExtendedKeyUsagePurpose]| {
        let list = list.to_vec();
        chains_to(&ours.pem(), &chain(&ours.issue(|p| p.extended_key_usages = list), &[]), NOW)
    };
    refused(usage(&[ExtendedKeyUsagePurpose::ServerAuth]), "not meant for clients");
    usage(&[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]).unwrap();
    usage(&[]).unwrap();
    let season = Authority::with("Season", between);
    chains_to(&season.pem(), &chain(&season.client(), &[]), NOW).unwrap();
    refused(chains_to(&season.pem(), &chain(&season.client(), &[]), NOW + 32 * DAY), "no certificate of the CA is valid");
}

#[test]
fn only_certificates_of_cas_are_stored() {
    let (one, two) = (Authority::new("One"), Authority::new("Two"));
    assert_eq!(check_ca(&one.pem()), Ok(1));
    assert_eq!(check_ca(&format!("a text before\n{}{}", one.pem(), two.pem())), Ok(2));
    let leaf = one.client();
    let why = |pem: &str| check_ca(pem).unwrap_err();
    assert!(why("").contains("no certificate"));
    assert!(why("nonsense").contains("no certificate"));
    assert!(why("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").contains("certificate 1"));
    assert!(why("-----BEGIN CERTIFICATE-----\nAAAA\n").contains("no PEM"));
    assert!(why(&(one.pem() + &leaf.pem)).contains("certificate 2 (CN=rcgen self signed cert) is not that of a CA"));
    assert!(why(&(one.pem() + &leaf.key.serialize_pem())).contains("private key"));
    let signs_nothing = Authority::with("Idle", |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    assert!(why(&signs_nothing.pem()).contains("not that of a CA"));
}

#[test]
fn the_end_of_a_certificate_is_read() {
    let ours = Authority::new("Ours");
    let summer = ours.issue(|p| p.not_after = date_time_ymd(2026, 7, 1));
    assert_eq!(expires(&summer.der), Ok(NOW));
    assert!(expires(b"nonsense").unwrap_err().contains("cannot be read"));
    let longer = [&*summer.der, b"x"].concat();
    assert!(expires(&longer).unwrap_err().contains("behind its end"));
}
