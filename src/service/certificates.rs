//! X.509 certificates: until when one is valid, and whether one that a client presented chains to a CA. Nothing here is
//! stored, and how a certificate was presented is no question of this module.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, RootCertStore};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// Until when a certificate is valid, in microseconds since the epoch.
///
/// # Errors
/// When it is no certificate.
pub fn expires(der: &[u8]) -> Result<i64, String> {
    Ok(read(der)?.validity().not_after.timestamp().saturating_mul(1_000_000))
}

/// The SHA-256 of a certificate, as tokens are bound to it (`x5t#S256`, RFC 8705 §3.1).
#[must_use]
pub fn thumbprint(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(der))
}

/// The certificates of a PEM text, in their order.
///
/// # Errors
/// When it is no PEM, or has no certificate.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|e| format!("it is no PEM: {e}"))?;
    if all.is_empty() { Err("there is no certificate in PEM form in it".to_owned()) } else { Ok(all) }
}

/// Checks the certificates of CAs before they are stored: how many there are.
///
/// # Errors
/// A sentence that says which of them is no CA's, or that there is none, or that there is a private key among them.
pub fn check_ca(pem: &str) -> Result<usize, String> {
    if PrivateKeyDer::pem_slice_iter(pem.as_bytes()).any(|key| key.is_ok()) || pem.contains("PRIVATE KEY-----") {
        return Err("there is a private key among the certificates; leave it out, and keep it where it is".to_owned());
    }
    let all = certificates(pem.as_bytes())?;
    for (n, der) in all.iter().enumerate() {
        let number = n + 1;
        let certificate = read(der).map_err(|e| format!("certificate {number}: {e}"))?;
        let may_sign = certificate.key_usage().is_ok_and(|usage| usage.is_none_or(|u| u.value.key_cert_sign()));
        if !certificate.is_ca() || !may_sign {
            return Err(format!("certificate {number} ({}) is not that of a CA", certificate.subject()));
        }
        RootCertStore::empty().add(der.clone()).map_err(|e| format!("certificate {number} cannot be used: {e}"))?;
    }
    Ok(all.len())
}

/// Whether the first certificate of a chain was issued by one of the CAs, directly or through the others of the chain, and
/// may be used by a client at `now` (microseconds since the epoch). A CA that has expired vouches for nobody.
///
/// # Errors
/// A sentence that says why not.
pub fn chains_to(ca_pem: &str, chain: &[Vec<u8>], now: i64) -> Result<(), String> {
    let (leaf, between) = chain.split_first().ok_or("no certificate was presented")?;
    let roots = roots(ca_pem, now)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = verifier.map_err(|e| format!("the certificates of the CA cannot be used: {e}"))?;
    let between: Vec<CertificateDer> = between.iter().map(|der| CertificateDer::from_slice(der)).collect();
    let time = UnixTime::since_unix_epoch(Duration::from_micros(u64::try_from(now).unwrap_or(0)));
    verifier.verify_client_cert(&CertificateDer::from_slice(leaf), &between, time).map(drop).map_err(|e| why(&e))
}

/// The CAs that are valid at `now`.
fn roots(ca_pem: &str, now: i64) -> Result<RootCertStore, String> {
    let bad = |e: String| format!("the certificates of the CA cannot be used: {e}");
    let mut roots = RootCertStore::empty();
    for der in certificates(ca_pem.as_bytes()).map_err(bad)? {
        if is_valid(&read(&der).map_err(bad)?, now) {
            roots.add(der).map_err(|e| bad(e.to_string()))?;
        }
    }
    if roots.is_empty() { Err("no certificate of the CA is valid at this time".to_owned()) } else { Ok(roots) }
}

fn is_valid(certificate: &X509Certificate, now: i64) -> bool {
    let (seconds, validity) = (now.div_euclid(1_000_000), certificate.validity());
    (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&seconds)
}

fn why(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(fault) = error else { return format!("the certificate cannot be checked: {error}") };
    let text = match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "the certificate is not valid yet",
        CertificateError::UnknownIssuer | CertificateError::BadSignature => "the certificate was not issued by the CA",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not meant for clients (its extended key usage lacks clientAuth)"
        }
        CertificateError::BadEncoding => "the certificate cannot be read",
        CertificateError::Other(other) => return format!("the certificate is not accepted: {other}"),
        other => return format!("the certificate is not accepted: {other}"),
    };
    text.to_owned()
}

fn read(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("the certificate has something behind its end".to_owned()),
        Err(e) => Err(format!("the certificate cannot be read: {e}")),
    }
}
