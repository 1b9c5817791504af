//! Whoever fetches or brings tokens of its own: OAuth clients, and outside issuers.

use super::{Scopes, TenantId};

/// How a client proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// The hexadecimal SHA-256 of its secret.
    Secret(String),
    /// Its public keys: a JWK set, as JSON.
    KeySet(String),
    /// Where its public keys are.
    KeySetUrl(String),
    /// Its certificate: base64url of the SHA-256 of its DER (RFC 8705 §2.2).
    Certificate(String),
}

impl ClientAuth {
    /// The word for it, as RFC 7591 has it where it has one.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Secret(_) => "secret",
            Self::KeySet(_) | Self::KeySetUrl(_) => "private_key_jwt",
            Self::Certificate(_) => "tls_client_auth",
        }
    }
}

/// A client that fetches tokens which are good for a short time (RFC 6749 §4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    pub id: String,
    pub tenant: TenantId,
    /// The name of the source that it belongs to.
    pub source: String,
    pub name: String,
    pub auth: ClientAuth,
    /// Most that its tokens allow.
    pub scopes: Scopes,
    /// How long its tokens are good.
    pub token_seconds: i64,
    /// Times are microseconds since the epoch.
    pub created_at: i64,
    pub last_used_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

/// An outside issuer whose tokens open a source, when they are for a certain audience and about a certain subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    pub id: String,
    pub tenant: TenantId,
    /// The name of the source that its tokens open.
    pub source: String,
    /// As `iss` has it.
    pub issuer: String,
    /// As `aud` has it.
    pub audience: String,
    /// As `sub` has it; behind `appid:` or `oid:`, as that claim has it.
    pub subject: String,
    pub key_set_url: String,
    pub scopes: Scopes,
    /// Times are microseconds since the epoch.
    pub created_at: i64,
    pub last_used_at: Option<i64>,
}

/// The claims beside `sub` that a subject can name.
pub const SUBJECT_CLAIMS: [&str; 2] = ["appid", "oid"];

/// Whether a subject names a claim beside `sub`: that one, and its value.
#[must_use]
pub fn named_claim(subject: &str) -> Option<(&str, &str)> {
    subject.split_once(':').filter(|(claim, _)| SUBJECT_CLAIMS.contains(claim))
}

/// What a principal has proved itself with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A token that is kept.
    Token,
    /// A token that an OAuth client has fetched.
    Client,
    /// A token of an outside issuer.
    Issuer,
}
