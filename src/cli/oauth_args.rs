//! The grammar of `rollbook client` and `rollbook issuer`.

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register a client that fetches short-lived tokens at /oauth/token; with a secret, unless a key set or a certificate is named
    Create {
        tenant: String,
        /// What the client is for
        #[arg(long, default_value = "client")]
        name: String,
        /// The source that it belongs to
        #[arg(long, default_value = "default")]
        source: String,
        /// It signs with one of these keys: a file with a JWK set of public keys (private_key_jwt)
        #[arg(long, value_name = "FILE", group = "means")]
        key_set: Option<PathBuf>,
        /// It signs with one of the keys at this https URL (private_key_jwt)
        #[arg(long, value_name = "URL", group = "means")]
        key_set_url: Option<String>,
        /// It presents the certificate of this thumbprint (RFC 8705, base64url of SHA-256)
        #[arg(long, value_name = "X5T", group = "means")]
        certificate: Option<String>,
        /// Most that its tokens allow: scim:read, scim:write or scim:secrets, may be repeated [default: the first two]
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
        /// How long its tokens are good, 60 to 86400
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        token_seconds: i64,
        /// Print the id and the secret alone
        #[arg(long)]
        quiet: bool,
    },
    /// List a tenant's clients, without their secrets
    List {
        tenant: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Revoke a client; every server refuses its tokens within a second
    Revoke {
        tenant: String,
        /// The id, as `rollbook client list` shows it
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum IssuerCommand {
    /// Trust an issuer: its tokens for one audience about one subject open a source
    Add {
        tenant: String,
        /// The source that they open
        #[arg(long, default_value = "default")]
        source: String,
        /// `iss` of its tokens, to the letter
        #[arg(long)]
        issuer: String,
        /// `aud` of its tokens, to the letter
        #[arg(long)]
        audience: String,
        /// `sub` of its tokens, to the letter; behind `appid:` or `oid:`, that claim
        #[arg(long)]
        subject: String,
        /// Where its public keys are: an https URL
        #[arg(long, value_name = "URL")]
        key_set_url: String,
        /// What its tokens allow: scim:read, scim:write or scim:secrets, may be repeated [default: the first two]
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
    },
    /// List the issuers that a tenant trusts
    List {
        tenant: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Trust an issuer no more; every server refuses its tokens within a second
    Remove {
        tenant: String,
        /// The id, as `rollbook issuer list` shows it
        id: String,
    },
}
