//! Tokens and what they allow.

use super::TenantId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read every resource of the tenant.
    Read,
    /// Create, change and delete them.
    Write,
    /// Read invitation links and access codes, which open accounts. Never given by default.
    Secrets,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Secrets];

    /// The word for it in tokens and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "scim:read",
            Self::Write => "scim:write",
            Self::Secrets => "scim:secrets",
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes {
    pub read: bool,
    pub write: bool,
    pub secrets: bool,
}

impl Scopes {
    /// What an identity provider needs: everything but secrets.
    pub const ALL: Self = Self { read: true, write: true, secrets: false };

    /// Whether `scope` is in the set.
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        match scope {
            Scope::Read => self.read,
            Scope::Write => self.write,
            Scope::Secrets => self.secrets,
        }
    }

    /// The scopes, each by itself.
    #[must_use]
    pub fn words(self) -> Vec<String> {
        Scope::ALL.into_iter().filter(|s| self.has(*s)).map(|s| s.as_str().to_owned()).collect()
    }

    /// Reads space-separated scopes of SCIM tokens.
    ///
    /// # Errors
    /// A sentence that names the unknown scope, or says that there is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_for("scim", text)
    }

    /// Reads space-separated scopes of keys of the admin API: `admin:read` and its like.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_admin(text: &str) -> Result<Self, String> {
        Self::parse_for("admin", text)
    }

    fn parse_for(what: &str, text: &str) -> Result<Self, String> {
        let mut out = Self { read: false, write: false, secrets: false };
        for word in text.split_whitespace() {
            match word.strip_prefix(what).and_then(|rest| rest.strip_prefix(':')) {
                Some("read") => out.read = true,
                Some("write") => out.write = true,
                Some("secrets") => out.secrets = true,
                _ => return Err(format!("\"{word}\" is no scope; {what}:read, {what}:write and {what}:secrets are")),
            }
        }
        let any = out.read || out.write || out.secrets;
        if any { Ok(out) } else { Err(format!("at least one scope is needed: {what}:read, {what}:write")) }
    }

    /// Reads scopes as an OAuth client asks for them: as [`Self::parse`], and the single word `scim` for reading and writing.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_asked(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().map(|word| if word == "scim" { "scim:read scim:write" } else { word }).collect();
        Self::parse(&words.join(" "))
    }

    /// The scopes that are in both.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self { read: self.read && other.read, write: self.write && other.write, secrets: self.secrets && other.secrets }
    }

    /// The scopes as a key of the admin API has them, each by itself.
    #[must_use]
    pub fn admin_words(self) -> Vec<String> {
        self.words().iter().map(|word| word.replace("scim:", "admin:")).collect()
    }

    /// The scopes as a key of the admin API has them.
    #[must_use]
    pub fn admin(self) -> String {
        self.admin_words().join(" ")
    }

    /// Whether whoever has these may give `other` away.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        Scope::ALL.into_iter().all(|s| self.has(s) || !other.has(s))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

/// How a token proves itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// 256 random bits behind a prefix, known by their SHA-256.
    #[default]
    Opaque,
    /// Signed by this server, revocable by its `jti`.
    Jwt,
}

impl TokenKind {
    /// The word for it in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opaque => "opaque",
            Self::Jwt => "jwt",
        }
    }
}

/// What is kept of a token; never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Also the `jti` of a JWT.
    pub id: String,
    pub tenant: TenantId,
    /// The name of the source that it belongs to.
    pub source: String,
    pub kind: TokenKind,
    pub name: String,
    /// Hexadecimal SHA-256 of the token.
    pub hash: String,
    pub scopes: Scopes,
    /// Times are microseconds since the epoch.
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub revoked_at: Option<i64>,
    /// The id of the token that this one will follow, as long as both are accepted.
    pub replaces: Option<String>,
    /// The certificate that must be presented with it: base64url of the SHA-256 of its DER (RFC 8705 §3.1).
    pub certificate: Option<String>,
    /// The permanent id of the member whose own token it is; it opens `/Me` and nothing else.
    pub member: Option<String>,
}

/// Whether a token is accepted, or a key of the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenState {
    Live,
    Expired,
    Revoked,
}

impl TokenState {
    /// The state at `now` of what ends by itself and can be revoked before.
    #[must_use]
    pub fn at(now: i64, expires_at: Option<i64>, revoked_at: Option<i64>) -> Self {
        match (revoked_at, expires_at) {
            (Some(_), _) => Self::Revoked,
            (None, Some(end)) if end <= now => Self::Expired,
            (None, _) => Self::Live,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Token {
    /// Whether the token is accepted at `now`, and if not, why.
    #[must_use]
    pub fn state(&self, now: i64) -> TokenState {
        TokenState::at(now, self.expires_at, self.revoked_at)
    }

    /// Whether the token is accepted at `now`.
    #[must_use]
    pub fn is_live(&self, now: i64) -> bool {
        self.state(now) == TokenState::Live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_round_trip() {
        assert_eq!(Scopes::parse("scim:write scim:read").unwrap().to_string(), "scim:read scim:write");
        assert!(Scopes::parse("").is_err());
        assert!(Scopes::parse("scim:all").unwrap_err().contains("scim:all"));
        assert_eq!(Scopes::parse_asked("scim").unwrap(), Scopes::ALL);
        assert_eq!(Scopes::parse_asked("scim:secrets scim").unwrap().to_string(), "scim:read scim:write scim:secrets");
        assert!(Scopes::parse_asked("admin:read").is_err());
    }
}
