//! TLS: the certificate that the server shows and how it is renewed, what connections must be like, and the certificates
//! that clients present. Whether one of those is good for anything is decided elsewhere.

use super::connections::Connections;
use crate::domain::settings::DAY;
use crate::service::certificates::{certificates, expires, thumbprint};
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error as TlsError, InconsistentKeys, ServerConfig, SignatureScheme};
use sha2::{Digest, Sha256};
use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// How long before its certificate expires the server warns in its log, in microseconds.
const SOON: i64 = 14 * DAY;

/// What a listener needs to speak TLS.
pub struct Tls {
    pub identity: Arc<Identity>,
    pub connections: Arc<Connections>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, String> {
        Ok(Self { identity: Arc::new(Identity::open(certificate, key)?), connections: Arc::default() })
    }
}

/// A certificate with its key, as read from two files.
struct Pair {
    key: Arc<CertifiedKey>,
    /// Microseconds since the epoch.
    expires: i64,
}

/// What the server shows to prove who it is. The files are looked at again and again, see [`Identity::look`].
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    shown: RwLock<Pair>,
    seen: Mutex<Seen>,
}

/// What the last look has found.
struct Seen {
    /// The hash of both files, or why they cannot be read.
    files: Result<[u8; 32], String>,
    /// When it was last said in the log that the certificate expires.
    warned: Option<i64>,
}

impl Identity {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, String> {
        let files = Files::read(certificate, key)?;
        let seen = Mutex::new(Seen { files: Ok(files.hash()), warned: None });
        let shown = RwLock::new(files.pair(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), shown, seen })
    }

    /// When the certificate that is shown expires, in microseconds since the epoch.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).expires
    }

    /// Shows what the files hold now, if they have changed: connections from here on get the new certificate. Files that
    /// cannot be used change nothing, and the log says so, once. It warns daily when the certificate is about to expire.
    pub fn look(&self, now: i64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let files = Files::read(&self.certificate, &self.key);
        let found = files.as_ref().map(Files::hash).map_err(Clone::clone);
        if found != seen.files {
            seen.files = found;
            match files.and_then(|f| f.pair(&self.certificate, &self.key)) {
                Ok(pair) => {
                    log::info!("a new certificate is in use; it expires on {}", day(pair.expires));
                    *self.shown.write().unwrap_or_else(PoisonError::into_inner) = pair;
                    seen.warned = None;
                }
                Err(why) => log::warn!("the certificate stays as it was: {why}"),
            }
        }
        let expires = self.expires();
        if seen.has_to_warn(expires, now) {
            let word = if expires < now { "expired" } else { "expires" };
            log::warn!("the certificate in {} {word} on {}", self.certificate.display(), day(expires));
        }
    }
}

impl Seen {
    /// Whether the log has to say that the certificate expires: once a day when it does so soon, or has.
    fn has_to_warn(&mut self, expires: i64, now: i64) -> bool {
        let due = expires - now < SOON && self.warned.is_none_or(|at| now - at >= DAY);
        if due {
            self.warned = Some(now);
        }
        due
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

/// The day of a moment, for people.
#[must_use]
pub fn day(at: i64) -> String {
    chrono::DateTime::from_timestamp_micros(at).map_or_else(|| "an unknown day".to_owned(), |t| t.format("%Y-%m-%d").to_string())
}

/// What two files hold.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let read = |path: &Path| std::fs::read(path).map_err(|e| format!("{} cannot be read: {e}", path.display()));
        Ok(Self { certificate: read(certificate)?, key: read(key)? })
    }

    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [&self.certificate, &self.key] {
            hash.update(Sha256::digest(part));
        }
        hash.finalize().into()
    }

    fn pair(&self, certificate: &Path, key: &Path) -> Result<Pair, String> {
        let at = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let chain = certificates(&self.certificate).map_err(|e| at(certificate, &e))?;
        let expires = chain.iter().take(1).try_fold(0, |_, leaf| expires(leaf)).map_err(|e| at(certificate, &e))?;
        let private = private_key(&self.key).map_err(|e| at(key, &e))?;
        let private = aws_lc_rs::default_provider().key_provider.load_private_key(private);
        let private = private.map_err(|_| {
            at(key, &"TLS cannot use a key of this kind; RSA of 2048 bits or more, ECDSA (P-256, P-384, P-521) and Ed25519 can be used")
        })?;
        let pair = CertifiedKey::new(chain, private);
        match pair.keys_match() {
            Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Pair { key: Arc::new(pair), expires }),
            Err(TlsError::InconsistentKeys(_)) => {
                Err(format!("the key in {} does not fit the first certificate in {}", key.display(), certificate.display()))
            }
            Err(e) => Err(at(certificate, &format!("the certificate cannot be used: {e}"))),
        }
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let why = match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => return Ok(key),
        Err(pem::Error::NoItemsFound) if contains(pem, "ENCRYPTED PRIVATE KEY-----") => {
            "the key is encrypted; it is needed without a passphrase"
        }
        Err(pem::Error::NoItemsFound) if contains(pem, "BEGIN CERTIFICATE-----") => "there is a certificate in it, and no private key",
        Err(pem::Error::NoItemsFound) => "there is no private key in PEM form in it",
        Err(e) => return Err(format!("it is no PEM: {e}")),
    };
    Err(why.to_owned())
}

fn contains(pem: &[u8], mark: &str) -> bool {
    pem.windows(mark.len()).any(|part| part == mark.as_bytes())
}

/// What connections must be like: TLS 1.2 or 1.3. With `asks`, clients are asked for a certificate, and may have none.
///
/// # Errors
/// When the library refuses.
pub fn settings(identity: Arc<Identity>, asks: bool) -> Result<ServerConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12]).map_err(|e| e.to_string())?;
    let builder = if asks { builder.with_client_cert_verifier(Arc::new(Possession { provider })) } else { builder.with_no_client_auth() };
    Ok(builder.with_cert_resolver(identity))
}

/// What a client has presented, the certificate first that is its own. It has proved that it holds its key; nothing is said
/// of who issued it and until when it is valid.
#[derive(Debug, Clone)]
pub struct Presented {
    pub chain: Vec<CertificateDer<'static>>,
}

impl Presented {
    /// What a token that is bound to the certificate names (RFC 8705 §3.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.chain.first().map_or_else(String::new, |leaf| thumbprint(leaf))
    }
}

/// Keeps what the client has presented for all requests of a connection.
pub fn remember(connection: &dyn Any, data: &mut Extensions) {
    let chain = connection.downcast_ref::<TlsStream<TcpStream>>().and_then(|stream| stream.get_ref().1.peer_certificates());
    if let Some(chain) = chain.filter(|c| !c.is_empty()) {
        data.insert(Presented { chain: chain.iter().cloned().map(CertificateDer::into_owned).collect() });
    }
}

/// The certificate that came with the connection of a request.
#[must_use]
pub fn presented(req: &HttpRequest) -> Option<&Presented> {
    req.conn_data()
}

/// The thumbprint of that certificate.
#[must_use]
pub fn presented_thumbprint(req: &HttpRequest) -> Option<String> {
    presented(req).map(Presented::thumbprint)
}

/// Asks for a certificate and accepts every one whose key the client holds: its issuer is a question of the tenant, which is
/// not known during the handshake.
#[derive(Debug)]
struct Possession {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Possession {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(&self, leaf: &CertificateDer<'_>, _: &[CertificateDer<'_>], _: UnixTime) -> Result<ClientCertVerified, TlsError> {
        ParsedCertificate::try_from(leaf).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_warns_once_a_day() {
        let mut seen = Seen { files: Err(String::new()), warned: None };
        let expires = 1_000 * DAY;
        let warned: Vec<i64> = (0..1_010 * 4).filter(|quarter| seen.has_to_warn(expires, quarter * DAY / 4)).collect();
        let wanted: Vec<i64> = (0..24).map(|day| (1_000 - 14 + day) * 4 + 1).filter(|quarter| *quarter < 1_010 * 4).collect();
        assert_eq!(warned, wanted);
    }
}
