//! Tokens: issued, listed and revoked by the operator; checked by [`super::auth`].

use super::roll::Act;
use super::tenants::named;
use super::{audit, me, members, sources};
use crate::domain::{Scopes, Tenant, Token, TokenKind, new_id, source};
use crate::error::{Error, Result};
use crate::store::keys::{self, SigningKey};
use crate::store::{self, Conn, Row, tenants, tokens};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Begins every opaque token, so that scanners for leaked secrets can know it.
pub const PREFIX: &str = "rbk_";
/// `iss` and `aud` of the tokens that this server signs.
pub const ISSUER: &str = "rollbook";
const AUDIENCE: &str = "rollbook-scim";
/// RFC 9068 §2.1.
const TYPE: &str = "at+jwt";
const ED25519: &str = "EdDSA";

/// What a token is to be like.
#[derive(Debug, Clone)]
pub struct Order {
    pub kind: TokenKind,
    pub name: String,
    pub scopes: Scopes,
    /// Microseconds since the epoch.
    pub expires_at: Option<i64>,
    /// The name of the source that it belongs to.
    pub source: String,
    /// The certificate that must be presented with it (RFC 8705 §3.1).
    pub certificate: Option<String>,
    /// The member whose own token it is to be: an id, a userName or an address.
    pub member: Option<String>,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            kind: TokenKind::Opaque,
            name: "token".to_owned(),
            scopes: Scopes::ALL,
            expires_at: None,
            source: source::DEFAULT.to_owned(),
            certificate: None,
            member: None,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The tenant's name; of a member's own token, the permanent id of the member.
    sub: String,
    /// The tenant's name, where it is not the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    jti: String,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    scope: String,
}

/// Issues a token: what is kept of it, and the token itself, which cannot be had again.
///
/// # Errors
/// When there is no such tenant or source, or the order makes no sense.
pub fn issue(conn: &mut Conn, tenant: &str, order: &Order, now: i64) -> Result<(Token, String)> {
    let tenant = named(conn, tenant)?;
    if order.member.is_some() {
        return Err(Error::Invalid("member: a member's own token is issued by an admin".to_owned()));
    }
    place(conn, &tenant, order, None, now)
}

/// As [`issue`]; it is written into the tenant's audit.
///
/// # Errors
/// As [`issue`].
pub fn issue_for(conn: &mut Conn, act: &Act, order: &Order) -> Result<(Token, String)> {
    let order = Order { member: owner(conn, act, order)?, ..order.clone() };
    let (token, secret) = place(conn, &act.tenant, &order, None, act.now)?;
    let whose = token.member.as_ref().map(|person| format!(", of the member {person}")).unwrap_or_default();
    audit::admin(conn, act, "token_issued", &format!("{} ({}, source {}{whose})", token.id, token.scopes, token.source))?;
    Ok((token, secret))
}

/// The permanent id of the member whose own a token is to be.
fn owner(conn: &mut Conn, act: &Act, order: &Order) -> Result<Option<String>> {
    let Some(key) = &order.member else { return Ok(None) };
    if order.scopes.secrets {
        return Err(Error::Invalid("scopes: a member's own token cannot have scim:secrets".to_owned()));
    }
    let row = members::named(conn, act, key)?;
    let member = members::member(&row)?;
    if !me::may_enter(member) {
        return Err(Error::conflict("no_access", format!("{} is {} and has no access", row.label, member.state)));
    }
    Ok(Some(member.person.clone()))
}

/// Checks what every kind of secret has.
///
/// # Errors
/// A sentence that names what is wrong.
pub(super) fn check_order(name: &str, expires_at: Option<i64>, now: i64) -> Result<()> {
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Error::Invalid("name: 1 to 100 characters are expected, none of them a control character".to_owned()));
    }
    if expires_at.is_some_and(|t| t <= now) {
        return Err(Error::Invalid("expires_at: the time is over".to_owned()));
    }
    Ok(())
}

/// Checks the thumbprint of a certificate.
///
/// # Errors
/// A sentence that says what is expected.
pub(super) fn check_thumbprint(text: &str) -> Result<()> {
    if URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32) {
        return Ok(());
    }
    Err(Error::Invalid("certificate: 43 characters are expected, the SHA-256 of the certificate's DER as base64url".to_owned()))
}

fn place(conn: &mut Conn, tenant: &Tenant, order: &Order, replaces: Option<&str>, now: i64) -> Result<(Token, String)> {
    check_order(&order.name, order.expires_at, now)?;
    let source = sources::named(conn, tenant, &order.source)?.name;
    if let Some(thumbprint) = &order.certificate {
        check_thumbprint(thumbprint)?;
    }
    let id = new_id();
    let secret = match order.kind {
        TokenKind::Opaque => format!("{PREFIX}{}", random(32)),
        TokenKind::Jwt => sign(&signing_key(conn, now)?, tenant, &id, order, now)?,
    };
    let token = Token {
        id,
        tenant: tenant.id,
        source,
        kind: order.kind,
        name: order.name.clone(),
        hash: hash(&secret),
        scopes: order.scopes,
        created_at: now,
        expires_at: order.expires_at,
        last_used_at: None,
        revoked_at: None,
        replaces: replaces.map(str::to_owned),
        certificate: order.certificate.clone(),
        member: order.member.clone(),
    };
    tokens::insert(conn, &token)?;
    Ok((token, secret))
}

/// A tenant's tokens, oldest first.
///
/// # Errors
/// When there is no such tenant.
pub fn list(conn: &mut Conn, tenant: &str) -> Result<Vec<Token>> {
    let tenant = named(conn, tenant)?;
    Ok(tokens::list(conn, tenant.id)?)
}

/// Revokes a token; every server notices within a second.
///
/// # Errors
/// When there is no such tenant or no live token of that id.
pub fn revoke(conn: &mut Conn, tenant: &str, id: &str, now: i64) -> Result<()> {
    let tenant = named(conn, tenant)?;
    end(conn, &tenant, id, now)
}

/// As [`revoke`]; it is written into the tenant's audit.
///
/// # Errors
/// As [`revoke`].
pub fn revoke_for(conn: &mut Conn, act: &Act, id: &str) -> Result<()> {
    end(conn, &act.tenant, id, act.now)?;
    audit::admin(conn, act, "token_revoked", id)
}

fn end(conn: &mut Conn, tenant: &Tenant, id: &str, now: i64) -> Result<()> {
    if !tokens::revoke(conn, tenant.id, id, now)? {
        return Err(no_token(tenant, id));
    }
    if let Some(next) = tokens::successor(conn, tenant.id, id)? {
        tokens::stands_alone(conn, tenant.id, &next.id)?;
    }
    Ok(tenants::bump_auth_epoch(conn)?)
}

fn no_token(tenant: &Tenant, id: &str) -> Error {
    Error::missing("token", format!("tenant \"{}\" has no live token {id}", tenant.name))
}

/// One of a tenant's tokens, live or not.
///
/// # Errors
/// When there is none of that id.
pub fn find(conn: &mut Conn, act: &Act, id: &str) -> Result<Token> {
    tokens::find(conn, act.tenant.id, id)?.ok_or_else(|| Error::missing("token", format!("there is no token {id}")))
}

/// The token that will follow one that is being rotated.
///
/// # Errors
/// When that one is not being rotated.
pub fn rotation(conn: &mut Conn, act: &Act, id: &str) -> Result<Token> {
    let next = tokens::successor(conn, act.tenant.id, id)?;
    next.ok_or_else(|| Error::missing("rotation", format!("token {id} is not being rotated")))
}

/// Begins to rotate a token: a second one like it, which is accepted beside it. It lives as long as the first one was meant to,
/// counted from now, unless `expires_at` says otherwise.
///
/// # Errors
/// When there is no live token of that id, or it is being rotated already.
pub fn rotate(conn: &mut Conn, act: &Act, id: &str, expires_at: Option<i64>) -> Result<(Token, String)> {
    let old = find(conn, act, id)?;
    if !old.is_live(act.now) {
        return Err(no_token(&act.tenant, id));
    }
    if let Some(next) = tokens::successor(conn, act.tenant.id, id)? {
        let detail = format!("token {id} is being rotated already: {} will follow it; complete or cancel that first", next.id);
        return Err(Error::conflict("rotation_exists", detail));
    }
    let order = Order {
        kind: old.kind,
        name: old.name.clone(),
        scopes: old.scopes,
        expires_at: expires_at.or_else(|| old.expires_at.map(|t| act.now + (t - old.created_at))),
        source: old.source.clone(),
        certificate: old.certificate.clone(),
        member: old.member.clone(),
    };
    let (token, secret) = place(conn, &act.tenant, &order, Some(id), act.now)?;
    audit::admin(conn, act, "rotation_started", &format!("{id} -> {}", token.id))?;
    Ok((token, secret))
}

/// Completes a rotation: the old token is revoked. The one that follows it.
///
/// # Errors
/// When it is not being rotated.
pub fn complete_rotation(conn: &mut Conn, act: &Act, id: &str) -> Result<Token> {
    let next = rotation(conn, act, id)?;
    tokens::revoke(conn, act.tenant.id, id, act.now)?;
    tokens::stands_alone(conn, act.tenant.id, &next.id)?;
    tenants::bump_auth_epoch(conn)?;
    audit::admin(conn, act, "rotation_completed", &format!("{id} -> {}", next.id))?;
    Ok(Token { replaces: None, ..next })
}

/// Cancels a rotation: the new token is revoked, the old one stays.
///
/// # Errors
/// When it is not being rotated.
pub fn cancel_rotation(conn: &mut Conn, act: &Act, id: &str) -> Result<()> {
    let next = rotation(conn, act, id)?;
    tokens::revoke(conn, act.tenant.id, &next.id, act.now)?;
    tokens::stands_alone(conn, act.tenant.id, &next.id)?;
    tenants::bump_auth_epoch(conn)?;
    audit::admin(conn, act, "rotation_cancelled", &format!("{id} -> {}", next.id))
}

/// Random bytes as base64url.
#[must_use]
pub fn random(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut buffer).unwrap_or_else(|_| unreachable!("the system has no randomness"));
    URL_SAFE_NO_PAD.encode(buffer)
}

/// The hexadecimal SHA-256 under which a token is kept.
#[must_use]
pub fn hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn signing_key(conn: &mut Conn, now: i64) -> Result<SigningKey> {
    if let Some(key) = keys::signing_keys(conn)?.pop() {
        return Ok(key);
    }
    let broken = |_| store::Error::Db("no signing key could be made".to_owned());
    let pair = Ed25519KeyPair::generate().map_err(broken)?;
    let private = pair.to_pkcs8v1().map_err(broken)?;
    let key = SigningKey {
        kid: new_id(),
        algorithm: ED25519.to_owned(),
        private_key: STANDARD.encode(private.as_ref()),
        public_key: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
    };
    keys::add_signing_key(conn, &key, now)?;
    Ok(key)
}

/// Whether a signing key can be used, and its two halves belong together.
///
/// # Errors
/// What is wrong with it.
pub fn check_key(key: &SigningKey) -> std::result::Result<(), &'static str> {
    if key.algorithm != ED25519 {
        return Err("the algorithm is not known");
    }
    let der = STANDARD.decode(&key.private_key).map_err(|_| "the private key is no base64")?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| "the private key cannot be read")?;
    if URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()) == key.public_key { Ok(()) } else { Err("the public key is another's") }
}

fn sign(key: &SigningKey, tenant: &Tenant, id: &str, order: &Order, now: i64) -> Result<String> {
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: order.member.as_ref().unwrap_or(&tenant.name).clone(),
        tenant: order.member.as_ref().map(|_| tenant.name.clone()),
        jti: id.to_owned(),
        iat: now / 1_000_000,
        exp: order.expires_at.map(|t| t / 1_000_000),
        scope: order.scopes.to_string(),
    };
    sign_claims(key, &claims)
}

/// Signs the claims of an access token (RFC 9068).
pub(super) fn sign_claims(key: &SigningKey, claims: &impl Serialize) -> Result<String> {
    let broken = |what: String| store::Error::Db(format!("the signing key {} cannot be used: {what}", key.kid));
    let der = STANDARD.decode(&key.private_key).map_err(|e| broken(e.to_string()))?;
    let header = Header { typ: Some(TYPE.to_owned()), kid: Some(key.kid.clone()), ..Header::new(Algorithm::EdDSA) };
    let token = jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&der));
    Ok(token.map_err(|e| broken(e.to_string()))?)
}

/// Whether a token is a JWT whose signature, type, issuer, audience and times hold. The algorithm comes from the key,
/// never from the token.
#[must_use]
pub fn signature_holds(token: &str, keys: &[SigningKey], now: i64) -> bool {
    let claims = signed_claims::<Claims>(token, keys, ISSUER, AUDIENCE);
    claims.is_some_and(|c| c.exp.is_none_or(|exp| now < exp * 1_000_000))
}

/// The claims of an access token that this server has signed. Its times are not checked.
pub(super) fn signed_claims<T: DeserializeOwned>(token: &str, keys: &[SigningKey], issuer: &str, audience: &str) -> Option<T> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    let key = keys.iter().find(|k| Some(&k.kid) == header.kid.as_ref() && k.algorithm == ED25519)?;
    let typed = header.typ.as_deref().is_some_and(|t| t.eq_ignore_ascii_case(TYPE) || t.eq_ignore_ascii_case("application/at+jwt"));
    if !typed {
        return None;
    }
    let decoding = DecodingKey::from_ed_components(&key.public_key).ok()?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[audience]);
    rules.set_required_spec_claims(&["iss", "aud", "sub"]);
    // Times are checked by the caller, by the server's own clock.
    rules.validate_exp = false;
    Some(jsonwebtoken::decode::<T>(token, &decoding, &rules).ok()?.claims)
}

/// How long the token of a claim is good: as long as a browser needs to follow a redirect.
const CLAIM_SECONDS: i64 = 120;
/// The type of a claim's token; it never opens SCIM.
const CLAIM_TYPE: &str = "rollbook-claim+jwt";

#[derive(Debug, Serialize)]
struct ClaimClaims<'a> {
    iss: &'a str,
    /// The origin of the application.
    aud: &'a str,
    /// The SCIM id.
    sub: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
    tenant: &'a str,
    user_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

/// The token with which an application learns who has claimed an account.
///
/// # Errors
/// When the signing key cannot be used.
pub fn claim_token(
    conn: &mut Conn,
    origin: &str,
    tenant: &Tenant,
    row: &Row,
    audience: &str,
    now: i64,
) -> std::result::Result<String, store::Error> {
    let broken = |what: String| store::Error::Db(format!("the token of a claim cannot be signed: {what}"));
    let key = signing_key(conn, now).map_err(|e| broken(e.to_string()))?;
    let der = STANDARD.decode(&key.private_key).map_err(|e| broken(e.to_string()))?;
    let user_name = super::mapping::parsed(row).get("userName").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let claims = ClaimClaims {
        iss: origin,
        aud: audience,
        sub: &row.id,
        jti: new_id(),
        iat: now / 1_000_000,
        exp: now / 1_000_000 + CLAIM_SECONDS,
        tenant: &tenant.name,
        user_name,
        email: row.member.as_ref().and_then(|m| m.mail.as_deref()),
    };
    let header = Header { typ: Some(CLAIM_TYPE.to_owned()), kid: Some(key.kid.clone()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&der)).map_err(|e| broken(e.to_string()))
}

/// The public keys, as a JWK set (RFC 7517, RFC 8037).
///
/// # Errors
/// When the database fails.
pub fn key_set(conn: &mut Conn) -> std::result::Result<serde_json::Value, store::Error> {
    let keys = keys::signing_keys(conn)?;
    let jwk =
        |k: &SigningKey| serde_json::json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": k.kid, "x": k.public_key});
    Ok(serde_json::json!({"keys": keys.iter().map(jwk).collect::<Vec<_>>()}))
}
