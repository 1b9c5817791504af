//! Outside issuers: which of their tokens open which source.
//!
//! A token is taken when its issuer, one of its audiences and its subject are those that an operator has entered, and a key of
//! the issuer has signed it.

use super::auth::Accepted;
use super::jws::{Claims, Unchecked};
use super::roll::Act;
use super::{audit, sources};
use crate::domain::client::{SUBJECT_CLAIMS, named_claim};
use crate::domain::{Credential, Scopes, TrustedIssuer, new_id, outside};
use crate::error::{Error, Result};
use crate::store::{self, Conn, issuers, tenants};

/// Audiences of a token that are looked at.
const MOST_AUDIENCES: usize = 10;
/// Characters of an issuer, audience or subject.
const LONGEST: usize = 500;

/// Whose tokens are to be taken.
#[derive(Debug, Clone)]
pub struct Order {
    pub source: String,
    pub issuer: String,
    pub audience: String,
    pub subject: String,
    pub key_set_url: String,
    pub scopes: Scopes,
    /// Whether this server is one for trials: see [`outside::check`].
    pub trial: bool,
}

/// Trusts an issuer.
///
/// # Errors
/// When there is no such source, the order makes no sense, or its tokens open something already.
pub fn add(conn: &mut Conn, act: &Act, order: &Order) -> Result<TrustedIssuer> {
    check(order)?;
    let issuer = TrustedIssuer {
        id: new_id(),
        tenant: act.tenant.id,
        source: sources::named(conn, &act.tenant, &order.source)?.name,
        issuer: order.issuer.clone(),
        audience: order.audience.clone(),
        subject: order.subject.clone(),
        key_set_url: order.key_set_url.clone(),
        scopes: order.scopes,
        created_at: act.now,
        last_used_at: None,
    };
    issuers::insert(conn, &issuer).map_err(|e| match e {
        store::Error::Duplicate(_) => {
            Error::conflict("issuer_taken", "tokens of this issuer for this audience about this subject open a source already")
        }
        other => other.into(),
    })?;
    // What is remembered of a token may be wrong now: two that take it are too many.
    tenants::bump_auth_epoch(conn)?;
    audit::admin(conn, act, "issuer_added", &format!("{} ({}, {}, source {})", issuer.id, issuer.issuer, issuer.scopes, issuer.source))?;
    Ok(issuer)
}

fn check(order: &Order) -> Result<()> {
    for (member, text) in [("issuer", &order.issuer), ("audience", &order.audience), ("subject", &order.subject)] {
        let odd = text.is_empty() || text.len() > LONGEST || text.chars().any(|c| c.is_control() || c == '*') || text.trim() != text;
        if odd {
            let why = format!("{member}: 1 to {LONGEST} characters are expected, as the tokens have them; * stands for nothing else");
            return Err(Error::Invalid(why));
        }
    }
    if named_claim(&order.subject).is_some_and(|(_, value)| value.is_empty()) {
        return Err(Error::Invalid("subject: a value is expected behind the name of the claim".to_owned()));
    }
    outside::check(&order.key_set_url, order.trial).map_err(|why| Error::Invalid(format!("key_set_url: {why}")))?;
    Ok(())
}

/// A tenant's issuers in the order of their ids, after `after`.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, act: &Act, after: &str, limit: i64) -> Result<Vec<TrustedIssuer>> {
    Ok(issuers::list(conn, act.tenant.id, after, limit)?)
}

/// One of a tenant's issuers.
///
/// # Errors
/// When there is none of that id.
pub fn find(conn: &mut Conn, act: &Act, id: &str) -> Result<TrustedIssuer> {
    issuers::find(conn, act.tenant.id, id)?.ok_or_else(|| missing(id))
}

/// Trusts an issuer no more; every server refuses its tokens within a second.
///
/// # Errors
/// When there is none of that id.
pub fn remove(conn: &mut Conn, act: &Act, id: &str) -> Result<()> {
    if !issuers::delete(conn, act.tenant.id, id)? {
        return Err(missing(id));
    }
    tenants::bump_auth_epoch(conn)?;
    audit::admin(conn, act, "issuer_removed", id)
}

fn missing(id: &str) -> Error {
    Error::missing("issuer", format!("there is no trusted issuer {id}"))
}

const REFUSED: Error = Error::Unauthorized("the token is not valid");

/// The issuer whose token this seems to be.
///
/// # Errors
/// [`Error::Unauthorized`] when nobody takes such tokens, or several do.
pub fn taking(conn: &mut Conn, token: &Unchecked) -> Result<TrustedIssuer> {
    let known = token.typ.as_deref().is_none_or(|t| t == "jwt" || t == "at+jwt");
    let issuer = token.claims.text("iss").filter(|iss| known && plain(iss)).ok_or(REFUSED)?;
    let mut audiences = token.claims.audiences();
    audiences.retain(|aud| plain(aud));
    audiences.truncate(MOST_AUDIENCES);
    let mut found = issuers::find_taking(conn, issuer, &audiences, &subjects(&token.claims))?;
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => {
            log::warn!("a token of {issuer} fits two trusted issuers, {} and {}: it is refused", one.id, other.id);
            Err(REFUSED)
        }
        (None, _) => Err(REFUSED),
    }
}

/// What a token is about, in every way that a subject can be entered. A `sub` that looks like another claim is none.
fn subjects(claims: &Claims) -> Vec<String> {
    let sub = claims.text("sub").filter(|s| named_claim(s).is_none()).map(str::to_owned);
    let others = SUBJECT_CLAIMS.iter().filter_map(|claim| claims.text(claim).map(|value| format!("{claim}:{value}")));
    sub.into_iter().chain(others).filter(|subject| plain(subject)).collect()
}

/// Whether a text can be one that an operator has entered.
fn plain(text: &str) -> bool {
    text.len() <= LONGEST && !text.contains(char::is_control)
}

/// What a token opens whose signature is that of the issuer's key.
///
/// # Errors
/// [`Error::Unauthorized`] when it is not in force, not for us, or the issuer is trusted no more.
pub fn accepted(conn: &mut Conn, trusted: &TrustedIssuer, claims: &Claims, now: i64) -> Result<Accepted> {
    let kept = issuers::find(conn, trusted.tenant, &trusted.id)?.ok_or(REFUSED)?;
    let expires_at = claims.in_force(now).map_err(|_| REFUSED)?;
    let fits = claims.text("iss") == Some(kept.issuer.as_str())
        && claims.audiences().contains(&kept.audience.as_str())
        && subjects(claims).contains(&kept.subject);
    if !fits {
        return Err(REFUSED);
    }
    Ok(Accepted {
        credential: Credential::Issuer,
        tenant: kept.tenant,
        source: kept.source,
        id: kept.id,
        scopes: kept.scopes,
        certificate: claims.certificate().map(str::to_owned),
        expires_at: Some(expires_at),
        member: None,
    })
}
