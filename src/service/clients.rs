//! OAuth clients: registered, listed and revoked by admins. What they do is in [`super::oauth`].

use super::roll::Act;
use super::tokens::{check_order, check_thumbprint, hash, random};
use super::{audit, jws, sources};
use crate::domain::{ClientAuth, OauthClient, Scopes, new_id, outside};
use crate::error::{Error, Result};
use crate::store::{Conn, clients, tenants};
use serde_json::Value;

/// Begins every secret of a client.
pub const PREFIX: &str = "rbs_";
/// Seconds that tokens of a client are good, when nobody says otherwise.
pub const TOKEN_SECONDS: i64 = 3600;

/// How a new client is to prove who it is.
#[derive(Debug, Clone)]
pub enum Means {
    Secret,
    KeySet(Value),
    KeySetUrl(String),
    /// base64url of the SHA-256 of its DER.
    Certificate(String),
}

/// What a client is to be like.
#[derive(Debug, Clone)]
pub struct Order {
    pub name: String,
    pub source: String,
    pub means: Means,
    pub scopes: Scopes,
    pub token_seconds: i64,
    /// Whether this server is one for trials: see [`outside::check`].
    pub trial: bool,
}

/// Registers a client: what is kept of it, and its secret, if it has one, which cannot be had again.
///
/// # Errors
/// When there is no such source, or the order makes no sense.
pub fn register(conn: &mut Conn, act: &Act, order: &Order) -> Result<(OauthClient, Option<String>)> {
    check_order(&order.name, None, act.now)?;
    if !(60..=86_400).contains(&order.token_seconds) {
        return Err(Error::Invalid("token_seconds: 60 to 86400 are expected".to_owned()));
    }
    let secret = matches!(order.means, Means::Secret).then(|| format!("{PREFIX}{}", random(32)));
    let client = OauthClient {
        id: new_id(),
        tenant: act.tenant.id,
        source: sources::named(conn, &act.tenant, &order.source)?.name,
        name: order.name.clone(),
        auth: auth(&order.means, secret.as_deref(), order.trial)?,
        scopes: order.scopes,
        token_seconds: order.token_seconds,
        created_at: act.now,
        last_used_at: None,
        revoked_at: None,
    };
    clients::insert(conn, &client)?;
    let what = format!("{} ({}, {}, source {})", client.id, client.auth.as_str(), client.scopes, client.source);
    audit::admin(conn, act, "client_registered", &what)?;
    Ok((client, secret))
}

fn auth(means: &Means, secret: Option<&str>, trial: bool) -> Result<ClientAuth> {
    let bad = |member: &'static str| move |why: String| Error::Invalid(format!("{member}: {why}"));
    Ok(match means {
        Means::Secret => ClientAuth::Secret(hash(secret.unwrap_or_default())),
        Means::KeySet(set) => {
            jws::check_key_set(set).map_err(bad("key_set"))?;
            ClientAuth::KeySet(set.to_string())
        }
        Means::KeySetUrl(url) => {
            outside::check(url, trial).map_err(bad("key_set_url"))?;
            ClientAuth::KeySetUrl(url.clone())
        }
        Means::Certificate(thumbprint) => {
            check_thumbprint(thumbprint)?;
            ClientAuth::Certificate(thumbprint.clone())
        }
    })
}

/// A tenant's clients in the order of their ids, after `after`.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, act: &Act, after: &str, limit: i64) -> Result<Vec<OauthClient>> {
    Ok(clients::list(conn, act.tenant.id, after, limit)?)
}

/// One of a tenant's clients, live or not.
///
/// # Errors
/// When there is none of that id.
pub fn find(conn: &mut Conn, act: &Act, id: &str) -> Result<OauthClient> {
    clients::find(conn, act.tenant.id, id)?.ok_or_else(|| Error::missing("client", format!("there is no client {id}")))
}

/// Revokes a client; every server refuses its tokens within a second.
///
/// # Errors
/// When there is no live one of that id.
pub fn revoke(conn: &mut Conn, act: &Act, id: &str) -> Result<()> {
    if !clients::revoke(conn, act.tenant.id, id, act.now)? {
        return Err(Error::missing("client", format!("there is no live client {id}")));
    }
    tenants::bump_auth_epoch(conn)?;
    audit::admin(conn, act, "client_revoked", id)
}
