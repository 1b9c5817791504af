//! Keys of the admin API: issued by an operator, checked with every request.

use super::audit;
use super::roll::Act;
use super::tokens::{hash, random};
use crate::domain::{AdminKey, Scopes, Tenant, new_id};
use crate::error::{Error, Result};
use crate::store::{Conn, admin_keys, tenants};
use subtle::ConstantTimeEq;

/// Begins every operator's key.
pub const OPERATOR: &str = "rbo_";
/// Begins every key of a tenant's admin.
pub const ADMIN: &str = "rba_";

/// What a key is to be like.
#[derive(Debug, Clone)]
pub struct Order {
    pub name: String,
    pub scopes: Scopes,
    /// Microseconds since the epoch.
    pub expires_at: Option<i64>,
}

/// Issues a key for a tenant, or an operator's: what is kept of it, and the key itself, which cannot be had again.
///
/// # Errors
/// When the name is too long or the time is over.
pub fn issue(conn: &mut Conn, tenant: Option<&Tenant>, order: &Order, now: i64) -> Result<(AdminKey, String)> {
    super::tokens::check_order(&order.name, order.expires_at, now)?;
    let secret = format!("{}{}", if tenant.is_some() { ADMIN } else { OPERATOR }, random(32));
    let key = AdminKey {
        id: new_id(),
        tenant: tenant.map(|t| t.id),
        name: order.name.clone(),
        hash: hash(&secret),
        scopes: order.scopes,
        created_at: now,
        expires_at: order.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    admin_keys::insert(conn, &key)?;
    Ok((key, secret))
}

/// As [`issue`], for a tenant; it is written into the tenant's audit.
///
/// # Errors
/// As [`issue`].
pub fn issue_for(conn: &mut Conn, act: &Act, order: &Order) -> Result<(AdminKey, String)> {
    let (key, secret) = issue(conn, Some(&act.tenant), order, act.now)?;
    audit::admin(conn, act, "admin_key_issued", &format!("{} ({})", key.id, key.scopes.admin()))?;
    Ok((key, secret))
}

/// The keys of a tenant, or those of the operators, in the order of their ids, after `after`.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: Option<&Tenant>, after: &str, limit: i64) -> Result<Vec<AdminKey>> {
    Ok(admin_keys::list(conn, tenant.map(|t| t.id), after, limit)?)
}

/// Revokes a key at once.
///
/// # Errors
/// When there is no live one of that id.
pub fn revoke(conn: &mut Conn, tenant: Option<&Tenant>, id: &str, now: i64) -> Result<()> {
    if admin_keys::revoke(conn, tenant.map(|t| t.id), id, now)? {
        return Ok(());
    }
    Err(Error::missing("key", format!("there is no live key {id}")))
}

/// As [`revoke`], for a tenant; it is written into the tenant's audit.
///
/// # Errors
/// As [`revoke`].
pub fn revoke_for(conn: &mut Conn, act: &Act, id: &str) -> Result<()> {
    revoke(conn, Some(&act.tenant), id, act.now)?;
    audit::admin(conn, act, "admin_key_revoked", id)
}

/// Whose a key is: the key, and its tenant.
///
/// # Errors
/// [`Error::Unauthorized`] for one that is not accepted.
pub fn check(conn: &mut Conn, key: &str, now: i64) -> Result<(AdminKey, Option<Tenant>)> {
    const REFUSED: Error = Error::Unauthorized("the key is not valid");
    let hash = hash(key);
    let kept = admin_keys::find_by_hash(conn, &hash)?.ok_or(REFUSED)?;
    let same: bool = kept.hash.as_bytes().ct_eq(hash.as_bytes()).into();
    if !same || !kept.is_live(now) {
        return Err(REFUSED);
    }
    let tenant = match kept.tenant {
        Some(id) => Some(tenants::get(conn, id)?.ok_or(REFUSED)?),
        None => None,
    };
    Ok((kept, tenant))
}
