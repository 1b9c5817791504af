//! The server behind its own certificate, as the program.

use crate::authority::{Authority, BOTH, Issued, ask, client, connect, get};
use crate::clients::{USER, id};
use crate::harness::{Db, Server};
use crate::program::{Place, Running, failed, succeeded};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, date_time_ymd};
use rustls::ProtocolVersion;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const HSTS: &str = "strict-transport-security: max-age=31536000\r\n";

/// A program that serves TLS from two files in its folder.
struct Secure {
    place: Place,
    authority: Authority,
    running: Running,
}

const FILES: [(&str, &str); 2] = [("ROLLBOOK_TLS_CERTIFICATE", "certificate.pem"), ("ROLLBOOK_TLS_KEY", "key.pem")];

fn write(place: &Place, pair: &Issued) {
    place.write("certificate.pem", &pair.pem);
    place.write("key.pem", &pair.key.serialize_pem());
}

impl Secure {
    fn start(more: &[(&str, &str)]) -> Self {
        let (place, authority) = (Place::new(Db::Sqlite), Authority::new("Server"));
        write(&place, &authority.server());
        let running = place.serve_with(&[&FILES, more].concat(), &[]);
        Self { place, authority, running }
    }

    /// Address and port.
    fn at(&self) -> &str {
        self.running.origin.strip_prefix("https://").unwrap()
    }

    fn client(&self) -> Arc<rustls::ClientConfig> {
        client(&self.authority, BOTH, None)
    }

    /// Fails unless it answers a new connection.
    #[track_caller]
    fn answers(&self) {
        assert!(get(self.at(), &self.client(), "/health").text.ends_with("\r\n\r\nok\n"));
    }

    fn stop(&mut self) {
        self.answers();
        self.running.signal("TERM");
        assert_eq!(self.running.ended().code(), Some(0), "{}", self.running.log());
        assert!(!self.running.log().contains("panicked"), "{}", self.running.log());
    }

    /// Waits until the log says something.
    #[track_caller]
    fn logs(&self, text: &str) {
        let began = Instant::now();
        while !self.running.log().contains(text) {
            assert!(began.elapsed() < Duration::from_secs(30), "no \"{text}\" in {}", self.running.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Plain HTTP on an address that others reach needs somebody who wants it; the message names the three ways.
#[test]
fn plain_http_stays_on_the_machine() {
    let place = Place::new(Db::Sqlite);
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let error = failed(&place.bare(&["serve", "--listen", listen]).output().unwrap());
        for way in ["tls.certificate and tls.key", "127.0.0.1:8080", "tls.plain_http = true", listen] {
            assert!(error.contains(way), "{way}: {error}");
        }
        assert!(!place.dir.path().join("rollbook.db").exists(), "nothing is begun");
        let check = place.bare(&["check"]).env("ROLLBOOK_LISTEN", listen).output().unwrap();
        assert!(failed(&check).contains("tls.plain_http = true"));
    }
    // Commands serve nobody.
    succeeded(&place.command(&["tenant", "create", "acme"]).env("ROLLBOOK_LISTEN", "0.0.0.0:1").output().unwrap());
    let mut open = place.bare(&["serve", "--listen", "0.0.0.0:0"]);
    open.env("ROLLBOOK_TLS_PLAIN_HTTP", "true");
    let open = Running::start(open, place.dir.path().join("log"));
    let port = open.origin.strip_prefix("http://0.0.0.0:").unwrap();
    let reply = open.client("none").get(&format!("http://127.0.0.1:{port}/health"));
    assert_eq!((reply.status, reply.header("strict-transport-security")), (200, ""), "no HSTS over plain HTTP");
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let mut secure = Secure::start(&[]);
    for (version, spoken) in [(BOTH[0], ProtocolVersion::TLSv1_3), (BOTH[1], ProtocolVersion::TLSv1_2)] {
        let answer = get(secure.at(), &client(&secure.authority, &[version], None), "/health");
        assert_eq!(answer.version, spoken);
        assert!(answer.text.starts_with("HTTP/1.1 200 OK\r\n") && answer.text.contains(HSTS), "{}", answer.text);
    }
    let offer = |version: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", secure.at(), version, "-cipher", "ALL:@SECLEVEL=0"]);
        let output = openssl.stdin(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    for old in ["-tls1_1", "-tls1"] {
        let (done, said) = offer(old);
        assert!(!done && said.contains("alert"), "the server refuses it: {said}");
    }
    assert!(offer("-tls1_2").0 && offer("-tls1_3").0);
    secure.stop();
}

/// The SCIM API over TLS, with addresses that say so, and the header on answers of every kind.
#[test]
fn scim_is_served_over_tls() {
    let mut secure = Secure::start(&[]);
    let token = format!("authorization: Bearer {}", secure.place.acme());
    let json_type = "content-type: application/scim+json";
    let body = json!({"schemas": [USER], "userName": "first@example.com"}).to_string();
    let made = ask(secure.at(), &secure.client(), "POST /scim/v2/Users", &[&token, json_type], &body).unwrap();
    assert!(made.text.starts_with("HTTP/1.1 201 ") && made.text.contains(HSTS), "{}", made.text);
    let user: Value = serde_json::from_str(made.body()).unwrap();
    let location = user["meta"]["location"].as_str().unwrap();
    assert_eq!(location, format!("https://{}/scim/v2/Users/{}", secure.at(), id(&user)));
    let path = location.strip_prefix(&secure.running.origin).unwrap();
    let read = ask(secure.at(), &secure.client(), &format!("GET {path}"), &[&token], "").unwrap();
    assert!(read.text.starts_with("HTTP/1.1 200 ") && read.body().contains("first@example.com"), "{}", read.text);
    for (line, status) in
        [("GET /scim/v2/Users", 401), ("GET /nowhere", 404), ("GET /claim/unknown", 404), ("PUT /claim", 405), ("GET /ready", 200)]
    {
        let answer = ask(secure.at(), &secure.client(), line, &[], "").unwrap();
        assert!(answer.text.starts_with(&format!("HTTP/1.1 {status} ")) && answer.text.contains(HSTS), "{}", answer.text);
    }
    let page = ask(secure.at(), &secure.client(), "GET /claim", &[], "").unwrap();
    assert!(page.text.contains("set-cookie: __Secure-rollbook_claim="), "{}", page.text);
    secure.stop();
}

/// A client chooses between HTTP/2 and HTTP/1.1, and shows its certificate on either.
#[test]
fn http_2_and_1_1_are_spoken() {
    let mut secure = Secure::start(&[("ROLLBOOK_TLS_CLIENT_CERTIFICATES", "optional")]);
    let own = Authority::new("Partner").client();
    secure.place.write("ca.pem", &secure.authority.pem());
    secure.place.write("own.pem", &(own.pem.clone() + &own.key.serialize_pem()));
    for (option, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        for more in [&["--cert", "own.pem"][..], &[]] {
            let mut curl = Command::new("curl");
            curl.current_dir(secure.place.dir.path()).args(["--silent", "--show-error", "--include", "--cacert", "ca.pem", option]);
            curl.args(more).args(["--header", "host: evil.example", "--header", "x-forwarded-host: evil.example"]);
            let said =
                succeeded(&curl.args(["--write-out", "%{http_version}"]).arg(format!("{}/claim", secure.running.origin)).output().unwrap());
            assert!(said.starts_with(&format!("HTTP/{version} 200")) && said.ends_with(version), "{said}");
            assert!(said.contains(HSTS) && !said.contains("evil"), "{said}");
        }
    }
    secure.stop();
}

/// R-INV-8: what a request says of the host, the scheme and the address that it came to is in no answer.
#[test]
fn no_answer_repeats_the_host() {
    let server = Server::start(Db::Sqlite);
    let client = server.tenant();
    let origin = server.base.strip_suffix("/scim/v2").unwrap().to_owned();
    let lies = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "gopher"),
        ("x-forwarded-server", "evil.example"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "for=evil;host=evil.example;proto=gopher"),
    ];
    let body = json!({"schemas": [USER], "userName": "first@example.com"}).to_string();
    let made = client.send("POST", "/Users", &lies, Some(&body));
    assert_eq!(made.expect(201)["meta"]["location"], json!(format!("{}/Users/{}", server.base, id(&made.json()))));
    let mut replies = vec![made];
    for path in ["/Users", "/Users/unknown", "/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/Me", "/nowhere", "//Users/"] {
        replies.push(client.send("GET", path, &lies, None));
    }
    for path in ["/", "/health", "/claim", "/claim/", "/claim/unknown", "/scim", "/scim/v9/Users", "/.well-known/jwks.json"] {
        replies.push(client.send("GET", &format!("{origin}{path}"), &lies, None));
        replies.push(client.send("DELETE", &format!("{origin}{path}"), &lies, None));
    }
    for reply in replies {
        assert!(!format!("{reply:?}").contains("evil") && !format!("{reply:?}").contains("gopher"), "{reply:?}");
    }
}

/// What is wrong with the files is said at the start, with the name of the one that it is wrong with.
#[test]
fn files_that_cannot_be_used_are_named() {
    let (place, authority) = (Place::new(Db::Sqlite), Authority::new("Server"));
    let (pair, other) = (authority.server(), authority.server());
    let (certificate, key) = (pair.pem.clone(), pair.key.serialize_pem());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        ("", key.as_str(), ["certificate.pem: ", "no certificate"]),
        (key.as_str(), key.as_str(), ["certificate.pem: ", "no certificate"]),
        (broken, key.as_str(), ["certificate.pem: ", "cannot be read"]),
        (certificate.as_str(), "", ["key.pem: ", "no private key"]),
        (certificate.as_str(), certificate.as_str(), ["key.pem: ", "there is a certificate in it"]),
        (certificate.as_str(), encrypted, ["key.pem: ", "encrypted"]),
        (certificate.as_str(), nonsense, ["key.pem: ", "key of this kind"]),
        (certificate.as_str(), "-----BEGIN PRIVATE KEY-----\nAAAA\n", ["key.pem: ", "no PEM"]),
        (certificate.as_str(), &other.key.serialize_pem(), ["key.pem does not fit", "certificate.pem"]),
        (certificate.as_str(), &KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem(), ["key.pem does not fit", "certificate.pem"]),
    ];
    for (certificate, key, parts) in cases {
        place.write("certificate.pem", certificate);
        place.write("key.pem", key);
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"]] {
            let error = failed(&place.command(command).envs(FILES).output().unwrap());
            assert!(parts.iter().all(|p| error.contains(p)), "{parts:?}: {error}");
        }
    }
    std::fs::remove_file(place.dir.path().join("key.pem")).unwrap();
    let error = failed(&place.command(&["serve"]).envs(FILES).output().unwrap());
    assert!(error.contains("key.pem cannot be read"), "{error}");
    let error = failed(&place.command(&["serve"]).envs([FILES[0]]).output().unwrap());
    assert!(error.contains("tls.key (or ROLLBOOK_TLS_KEY)"), "{error}");
}

/// Keys of several kinds will do, and a chain goes along.
#[test]
fn other_keys_and_chains_are_served() {
    let (place, authority) = (Place::new(Db::Sqlite), Authority::new("Root"));
    let between = authority.below("Between");
    for kind in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(kind).unwrap();
        let mut pair = between.server();
        let certificate = between.sign(&CertificateParams::new(vec!["localhost".to_owned()]).unwrap(), &key);
        (pair.pem, pair.key) = (certificate + &between.pem(), key);
        write(&place, &pair);
        let running = place.serve_with(&FILES, &[]);
        get(running.origin.strip_prefix("https://").unwrap(), &client(&authority, BOTH, None), "/health");
    }
}

/// New files are taken while requests go on; broken ones are not, and the log says why.
#[test]
fn a_renewed_certificate_is_taken_without_a_failed_request() {
    let mut secure = Secure::start(&[]);
    let first = get(secure.at(), &secure.client(), "/health").shown;
    let second = secure.authority.server();
    let (over, at) = (AtomicBool::new(false), secure.at());
    std::thread::scope(|scope| {
        let load = || {
            let (mut seen, mut sum) = (Vec::new(), 0);
            // Without what resumes a session, which would show nothing.
            while !over.load(Ordering::Relaxed) {
                let answer = ask(at, &client(&secure.authority, BOTH, None), "GET /health", &[], "").unwrap();
                assert!(answer.text.starts_with("HTTP/1.1 200 "), "{}", answer.text);
                seen.push(answer.shown);
                seen.dedup();
                sum += 1;
            }
            (seen, sum)
        };
        let threads = [scope.spawn(load), scope.spawn(load)];
        let renewed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            secure.place.write("certificate.pem", &second.pem);
            secure.logs("key.pem does not fit");
            secure.place.write("key.pem", &second.key.serialize_pem());
            secure.logs("a new certificate is in use");
            std::thread::sleep(Duration::from_millis(300));
        }));
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            let (seen, sum) = thread.join().unwrap();
            assert_eq!(seen, [first.clone(), second.der.clone()], "the old one until the new one is whole");
            assert!(sum > 20, "{sum}");
        }
        renewed.unwrap();
    });
    secure.place.write("certificate.pem", "nonsense");
    secure.logs("the certificate stays as it was: certificate.pem: there is no certificate");
    std::fs::remove_file(secure.place.dir.path().join("key.pem")).unwrap();
    secure.logs("key.pem cannot be read");
    assert_eq!(get(secure.at(), &secure.client(), "/health").shown, second.der);
    write(&secure.place, &second);
    let third = secure.authority.server();
    write(&secure.place, &third);
    let began = Instant::now();
    while get(secure.at(), &secure.client(), "/health").shown != third.der {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", secure.running.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(secure.running.log().matches("key.pem does not fit").count(), 1, "it is said once");
    secure.stop();
}

/// The day so many days from now.
fn in_days(days: i64) -> (i32, u8, u8) {
    use chrono::Datelike;
    let day = chrono::DateTime::from_timestamp_micros(rollbook::app::system_clock()()).unwrap() + chrono::TimeDelta::days(days);
    (day.year(), u8::try_from(day.month()).unwrap(), u8::try_from(day.day()).unwrap())
}

#[test]
fn the_end_of_a_certificate_is_announced() {
    let (place, authority) = (Place::new(Db::Sqlite), Authority::new("Server"));
    place.run(&["tenant", "create", "acme"]);
    let check = |days: i64| {
        let (year, month, day) = in_days(days);
        write(&place, &authority.issue(|p| p.not_after = date_time_ymd(year, month, day)));
        (place.command(&["check"]).envs(FILES).output().unwrap(), format!("{year}-{month:02}-{day:02}"))
    };
    let (output, day) = check(100);
    assert!(succeeded(&output).contains(&format!("note: the certificate expires on {day}\n")), "{output:?}");
    let (output, day) = check(20);
    assert!(succeeded(&output).contains(&format!("warning: the certificate expires on {day}; renew it")), "{output:?}");
    let (output, day) = check(-3);
    assert!(failed(&output).contains(&format!("it expired on {day}")), "{output:?}");
    let (output, day) = check(10);
    succeeded(&output);
    let running = place.serve_with(&FILES, &[]);
    let began = Instant::now();
    while !running.log().contains(&format!("the certificate in certificate.pem expires on {day}")) {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", running.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whoever speaks something else to the port, or nothing, is in nobody's way.
#[test]
fn strangers_at_the_port_are_in_nobodys_way() {
    let mut secure = Secure::start(&[("ROLLBOOK_WORKERS", "1")]);
    for said in [&b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"[..], b"\x16\x03\x01\xff\xff", b"\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut socket = TcpStream::connect(secure.at()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.write_all(said).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut got = Vec::new();
        // It may be cut off.
        drop(socket.read_to_end(&mut got));
        assert!(!got.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&got));
    }
    secure.answers();
    // More than a worker has handshakes at a time by default, each with the beginning of one.
    let slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut socket = TcpStream::connect(secure.at()).unwrap();
            socket.write_all(b"\x16\x03\x01").unwrap();
            socket
        })
        .collect();
    let began = Instant::now();
    secure.answers();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    drop(slow);
    secure.stop();
}

/// Connections that are open and unused, of every kind, do not hold up a stop.
#[test]
fn idle_connections_do_not_hold_up_a_stop() {
    let mut secure = Secure::start(&[]);
    let silent = TcpStream::connect(secure.at()).unwrap();
    let mut first = connect(secure.at(), &secure.client()).unwrap();
    first.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut config = (*secure.client()).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut second = connect(secure.at(), &Arc::new(config)).unwrap();
    second.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let (mut answer, mut frame) = ([0; 12], [0; 9]);
    first.read_exact(&mut answer).unwrap();
    second.read_exact(&mut frame).unwrap();
    assert_eq!((&answer, frame[3]), (b"HTTP/1.1 200", 4), "an answer, and the settings of HTTP/2");
    assert_eq!(second.conn.alpn_protocol(), Some(&b"h2"[..]));
    let began = Instant::now();
    secure.stop();
    assert!(began.elapsed() < Duration::from_secs(9), "it took {:?}", began.elapsed());
    drop((silent, first, second));
}

/// A request over HTTP/2 that is under way when the server is told to stop is finished, and answered.
#[test]
fn a_request_under_way_is_finished() {
    let mut secure = Secure::start(&[]);
    let token = format!("authorization: Bearer {}", secure.place.acme());
    secure.place.write("ca.pem", &secure.authority.pem());
    let user = json!({"schemas": [USER], "userName": "first@example.com"}).to_string();
    secure.place.write("body", &(user + &" ".repeat(30_000)));
    let mut curl = Command::new("curl");
    curl.current_dir(secure.place.dir.path()).args(["--silent", "--show-error", "--include", "--cacert", "ca.pem", "--http2"]);
    curl.args(["--limit-rate", "10k", "--data-binary", "@body", "--header", &token, "--header", "content-type: application/scim+json"]);
    let curl = curl.arg(format!("{}/Users", secure.running.base())).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let began = Instant::now();
    secure.running.signal("TERM");
    let said = succeeded(&curl.wait_with_output().unwrap());
    assert!(said.starts_with("HTTP/2 201") && said.contains("first@example.com"), "{said}");
    assert!(began.elapsed() > Duration::from_millis(500), "it was under way: {:?}", began.elapsed());
    assert_eq!(secure.running.ended().code(), Some(0), "{}", secure.running.log());
}

/// Whatever is wrong with the files, no message shows anything of a key.
#[test]
fn the_key_is_in_no_message() {
    let (place, authority) = (Place::new(Db::Sqlite), Authority::new("Server"));
    let pair = authority.server();
    let secret = pair.key.serialize_pem().lines().nth(1).unwrap().to_owned();
    place.write("certificate.pem", &pair.key.serialize_pem());
    place.write("key.pem", &pair.key.serialize_pem().replace("-----END", "----END"));
    let whole: Vec<_> = FILES.map(|(n, f)| (n, place.dir.path().join(f).display().to_string())).into();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"]] {
        let error = failed(&place.command(command).current_dir(Path::new("/")).envs(whole.clone()).output().unwrap());
        assert!(error.contains("certificate.pem") && !error.contains(&secret), "{error}");
    }
    place.write("certificate.pem", &pair.pem);
    let error = failed(&place.command(&["check"]).envs(FILES).output().unwrap());
    assert!(error.contains("key.pem") && !error.contains(&secret), "{error}");
}
