//! The OAuth token endpoint: how clients prove who they are, what they get, and what that opens (RFC 6749 §4.4, RFC 9068).

use super::auth::Accepted;
use super::jws::{self, LEEWAY};
use super::tokens::{hash, sign_claims, signed_claims, signing_key};
use crate::domain::{ClientAuth, Credential, OauthClient, Scopes, SourceState, new_id};
use crate::error::{Error, Result};
use crate::store::{Conn, clients, keys, sources, tenants};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Microseconds that an assertion may be good for.
const LONGEST_ASSERTION: i64 = 600 * 1_000_000;
/// Characters of the id of an assertion.
const LONGEST_JTI: usize = 256;

/// What this server calls itself in the tokens of clients.
#[derive(Debug, Clone)]
pub struct Names {
    /// The origin that people see.
    pub issuer: Arc<str>,
    /// The SCIM base URL.
    pub audience: Arc<str>,
}

impl Default for Names {
    fn default() -> Self {
        Self { issuer: "".into(), audience: "".into() }
    }
}

impl Names {
    /// Where tokens are fetched.
    #[must_use]
    pub fn token_endpoint(&self) -> String {
        format!("{}/oauth/token", self.issuer)
    }
}

/// Why no token is given, in the words of RFC 6749 §5.2.
#[derive(Debug)]
pub enum Refusal {
    Request(String),
    /// The client is not known, or has not proved itself.
    Client(String),
    /// The client is who it says, but is not served for now; the same word as the one before.
    Unserved(String),
    /// The client is who it says, but gets nothing.
    UnauthorizedClient(String),
    GrantType(String),
    Scope(String),
    /// Too many have failed: seconds to wait.
    Wait(u64),
    /// What is needed cannot be had right now.
    Later(String),
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        Self::Failed(e)
    }
}

/// What a client proves itself with.
#[derive(Debug, Clone)]
pub enum Proof {
    Secret(String),
    /// A JWT (RFC 7523).
    Assertion(String),
    /// The thumbprint of the certificate that was presented.
    Certificate(String),
}

/// An assertion, which is good for one use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    jti: String,
    expires_at: i64,
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    pub scope: Option<String>,
    /// The thumbprint of the certificate that was presented.
    pub presented: Option<String>,
    pub once: Option<Once>,
}

/// A token, with what is said of it.
#[derive(Debug, Serialize)]
pub struct Granted {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct AccessClaims {
    iss: String,
    aud: String,
    /// The client, once more.
    sub: String,
    client_id: String,
    jti: String,
    iat: i64,
    exp: i64,
    scope: String,
    tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

/// The live client of that id.
///
/// # Errors
/// When the database fails.
pub fn client(conn: &mut Conn, id: &str) -> Result<Option<OauthClient>> {
    let sound = id.len() <= 100 && id.bytes().all(|b| b.is_ascii_graphic());
    if !sound {
        return Ok(None);
    }
    Ok(clients::find_by_id(conn, id)?.filter(|c| c.revoked_at.is_none()))
}

/// Checks what a client proves itself with. `keys` are its public ones.
///
/// # Errors
/// [`Refusal::Client`], which says what is wrong.
pub fn prove(
    client: &OauthClient,
    proof: &Proof,
    keys: Option<&Value>,
    names: &Names,
    now: i64,
) -> std::result::Result<Option<Once>, Refusal> {
    let wrong = |why: &str| Refusal::Client(why.to_owned());
    match (&client.auth, proof) {
        (ClientAuth::Secret(kept), Proof::Secret(given)) => {
            let same: bool = kept.as_bytes().ct_eq(hash(given).as_bytes()).into();
            if same { Ok(None) } else { Err(wrong("the secret is wrong")) }
        }
        (ClientAuth::Certificate(kept), Proof::Certificate(presented)) => {
            let same: bool = kept.as_bytes().ct_eq(presented.as_bytes()).into();
            if same { Ok(None) } else { Err(wrong("another certificate is registered for this client")) }
        }
        (ClientAuth::KeySet(_) | ClientAuth::KeySetUrl(_), Proof::Assertion(token)) => {
            let set = keys.ok_or_else(|| wrong("the client has no keys"))?;
            once(client, token, set, names, now).map(Some).map_err(|why| Refusal::Client(format!("client_assertion: {why}")))
        }
        (registered, _) => Err(Refusal::Client(format!("this client proves itself by {}", registered.as_str()))),
    }
}

/// Checks an assertion (RFC 7523 §3).
fn once(client: &OauthClient, token: &str, set: &Value, names: &Names, now: i64) -> std::result::Result<Once, &'static str> {
    let claims = jws::verified(token, set)?;
    let of_client = |name: &str| claims.text(name) == Some(client.id.as_str());
    if !of_client("iss") || !of_client("sub") {
        return Err("iss and sub must be the client_id");
    }
    let endpoint = names.token_endpoint();
    if !claims.audiences().iter().any(|aud| *aud == endpoint || *aud == &*names.issuer) {
        return Err("aud must be the token endpoint or the issuer of this server");
    }
    let expires_at = claims.in_force(now)?;
    if expires_at - LEEWAY > now + LONGEST_ASSERTION + LEEWAY {
        return Err("exp is more than 10 minutes ahead");
    }
    let jti = claims.text("jti").filter(|j| !j.is_empty() && j.len() <= LONGEST_JTI && !j.contains(char::is_control));
    let jti = jti.ok_or("jti is missing, or longer than 256 bytes")?;
    Ok(Once { jti: jti.to_owned(), expires_at })
}

/// Gives a token to a client that has proved itself.
///
/// # Errors
/// When the database fails; a refusal is not an error of this kind.
pub fn grant(conn: &mut Conn, names: &Names, id: &str, wish: &Wish, now: i64) -> Result<std::result::Result<Granted, Refusal>> {
    let Some(client) = client(conn, id)? else { return Ok(Err(Refusal::Client("there is no such client".to_owned()))) };
    let Some(tenant) = tenants::get(conn, client.tenant)? else {
        return Ok(Err(Refusal::Client("there is no such client".to_owned())));
    };
    if tenant.suspended.is_some() {
        return Ok(Err(Refusal::Unserved("the tenant of this client is suspended".to_owned())));
    }
    let source = sources::find(conn, tenant.id, &client.source)?;
    if source.is_none_or(|s| s.state == SourceState::Detached) {
        return Ok(Err(Refusal::UnauthorizedClient(format!("the source '{}' of this client is detached", client.source))));
    }
    let scopes = match narrowed(&client, wish.scope.as_deref()) {
        Ok(scopes) => scopes,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(once) = &wish.once
        && !clients::use_assertion(conn, &client.id, &once.jti, once.expires_at)?
    {
        return Ok(Err(Refusal::Client("client_assertion: it was used before".to_owned())));
    }
    let claims = AccessClaims {
        iss: names.issuer.to_string(),
        aud: names.audience.to_string(),
        sub: client.id.clone(),
        client_id: client.id,
        jti: new_id(),
        iat: now / 1_000_000,
        exp: now / 1_000_000 + client.token_seconds,
        scope: scopes.to_string(),
        tenant: tenant.name,
        cnf: wish.presented.clone().map(|thumbprint| Confirmation { thumbprint }),
    };
    let access_token = sign_claims(&signing_key(conn, now)?, &claims)?;
    Ok(Ok(Granted { access_token, token_type: "Bearer", expires_in: client.token_seconds, scope: claims.scope }))
}

/// The scopes that a client asks for, all of its own when it names none.
fn narrowed(client: &OauthClient, asked: Option<&str>) -> std::result::Result<Scopes, Refusal> {
    let Some(asked) = asked else { return Ok(client.scopes) };
    let scopes = Scopes::parse_asked(asked).map_err(Refusal::Scope)?;
    if client.scopes.covers(scopes) { Ok(scopes) } else { Err(Refusal::Scope(format!("this client has the scopes {}", client.scopes))) }
}

/// What an access token opens that this server has given to a client; nothing, when it is none or not good any more. No row is
/// kept of it: it is good as long as it says and the client is.
///
/// # Errors
/// When the database fails.
pub fn accepted(conn: &mut Conn, names: &Names, token: &str, now: i64) -> Result<Option<Accepted>> {
    if jws::read(token).is_none_or(|t| t.claims.text("iss") != Some(&names.issuer)) {
        return Ok(None);
    }
    let keys = keys::signing_keys(conn)?;
    let Some(claims) = signed_claims::<AccessClaims>(token, &keys, &names.issuer, &names.audience) else { return Ok(None) };
    let expires_at = claims.exp.saturating_mul(1_000_000);
    let Some(client) = client(conn, &claims.client_id)?.filter(|c| now < expires_at && claims.sub == c.id) else { return Ok(None) };
    let tenant = tenants::get(conn, client.tenant)?;
    let (Some(_), Ok(scopes)) = (tenant.filter(|t| t.name == claims.tenant), Scopes::parse(&claims.scope)) else { return Ok(None) };
    Ok(Some(Accepted {
        credential: Credential::Client,
        tenant: client.tenant,
        source: client.source,
        id: client.id,
        scopes: scopes.within(client.scopes),
        certificate: claims.cnf.map(|c| c.thumbprint),
        expires_at: Some(expires_at),
        member: None,
    }))
}
