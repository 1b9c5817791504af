//! Certificates for tests, and a client that speaks TLS.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub struct Issued {
    pub der: CertificateDer<'static>,
    pub pem: String,
    pub key: KeyPair,
}

fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    change(&mut params);
    params
}

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    pub fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self(CertifiedIssuer::self_signed(authority(name, change), KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority below this one.
    pub fn below(&self, name: &str) -> Self {
        self.below_with(name, |_| {})
    }

    pub fn below_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self(CertifiedIssuer::signed_by(authority(name, change), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// The PEM of a certificate for a key of the test's own.
    pub fn sign(&self, params: &CertificateParams, key: &KeyPair) -> String {
        params.signed_by(key, &self.0).unwrap().pem()
    }

    /// A certificate for this machine's server.
    pub fn server(&self) -> Issued {
        self.issue(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])
    }

    /// A certificate for a client.
    pub fn client(&self) -> Issued {
        self.issue(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
    }

    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { der: certificate.der().clone(), pem: certificate.pem(), key }
    }
}

impl Issued {
    /// One that has issued itself.
    pub fn by_itself() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { der: certificate.der().clone(), pem: certificate.pem(), key }
    }

    /// What a client shows: these certificates, and the proof that it holds this key.
    pub fn shown(&self, chain: Vec<CertificateDer<'static>>) -> Arc<dyn ResolvesClientCert> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, any_supported_type(&key).unwrap())))
    }
}

pub const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A client that trusts an authority, speaks these versions, and may show a certificate.
pub fn client(
    trusts: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    own: Option<Arc<dyn ResolvesClientCert>>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusts.der()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match own {
        Some(own) => builder.with_client_cert_resolver(own),
        None => builder.with_no_client_auth(),
    })
}

/// An answer over TLS.
pub struct Answer {
    /// Status line, headers and body.
    pub text: String,
    /// The certificate that the server has shown.
    pub shown: CertificateDer<'static>,
    pub version: rustls::ProtocolVersion,
    pub resumed: bool,
}

impl Answer {
    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").unwrap().1
    }
}

/// A connection; its handshake comes with the first byte.
pub fn connect(place: &str, client: &Arc<ClientConfig>) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let connection = ClientConnection::new(client.clone(), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = TcpStream::connect(place)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(StreamOwned::new(connection, socket))
}

/// Sends a request on a connection of its own: the first line, headers and body, without what every request has.
pub fn ask(place: &str, client: &Arc<ClientConfig>, line: &str, headers: &[&str], body: &str) -> Result<Answer, String> {
    let mut stream = connect(place, client).map_err(|e| e.to_string())?;
    let mut text = format!("{line} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    let own_host = headers.iter().any(|h| h.to_ascii_lowercase().starts_with("host:"));
    for header in headers.iter().copied().chain((!own_host).then_some("host: localhost")) {
        text.push_str(header);
        text.push_str("\r\n");
    }
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).map_err(|e| e.to_string())?;
    let mut got = Vec::new();
    match stream.read_to_end(&mut got) {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::UnexpectedEof && !got.is_empty() => {}
        Err(e) => return Err(e.to_string()),
    }
    let shown = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
    let resumed = stream.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
    Ok(Answer { text: String::from_utf8(got).unwrap(), shown, version: stream.conn.protocol_version().unwrap(), resumed })
}

/// Gets a path; the answer must come.
#[track_caller]
pub fn get(place: &str, client: &Arc<ClientConfig>, path: &str) -> Answer {
    ask(place, client, &format!("GET {path}"), &[], "").unwrap()
}
