//! Keys of the admin API.

use super::backend::Conn;
use super::error::Error;
use super::schema::admin_keys;
use crate::domain::{AdminKey, Scopes, TenantId};
use diesel::prelude::*;

type Tuple = (String, Option<i64>, String, String, String, i64, Option<i64>, Option<i64>, Option<i64>);

fn key((id, tenant, name, hash, scopes, created_at, expires_at, last_used_at, revoked_at): Tuple) -> Result<AdminKey, Error> {
    Ok(AdminKey {
        id,
        tenant: tenant.map(TenantId),
        name,
        hash,
        scopes: Scopes::parse_admin(&scopes).map_err(Error::Db)?,
        created_at,
        expires_at,
        last_used_at,
        revoked_at,
    })
}

/// Adds a key.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, k: &AdminKey) -> Result<(), Error> {
    diesel::insert_into(admin_keys::table)
        .values((
            admin_keys::id.eq(&k.id),
            admin_keys::tenant_id.eq(k.tenant.map(|t| t.0)),
            admin_keys::name.eq(&k.name),
            admin_keys::hash.eq(&k.hash),
            admin_keys::scopes.eq(k.scopes.admin()),
            admin_keys::created_at.eq(k.created_at),
            admin_keys::expires_at.eq(k.expires_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// The key with that hash, whosever it is: this is how its owner is found.
///
/// # Errors
/// When the database fails.
pub fn find_by_hash(conn: &mut Conn, hash: &str) -> Result<Option<AdminKey>, Error> {
    let row: Option<Tuple> = admin_keys::table.filter(admin_keys::hash.eq(hash)).first(conn).optional()?;
    row.map(key).transpose()
}

/// The keys of a tenant, or those of the operators, in the order of their ids, after `after`.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: Option<TenantId>, after: &str, limit: i64) -> Result<Vec<AdminKey>, Error> {
    let page = admin_keys::table.filter(admin_keys::id.gt(after)).order(admin_keys::id).limit(limit);
    let rows: Vec<Tuple> = match tenant {
        Some(t) => page.filter(admin_keys::tenant_id.eq(t.0)).load(conn)?,
        None => page.filter(admin_keys::tenant_id.is_null()).load(conn)?,
    };
    rows.into_iter().map(key).collect()
}

/// Revokes a key of a tenant, or one of the operators'; whether there was a live one of that id.
///
/// # Errors
/// When the database fails.
pub fn revoke(conn: &mut Conn, tenant: Option<TenantId>, id: &str, now: i64) -> Result<bool, Error> {
    let live = admin_keys::table.filter(admin_keys::id.eq(id)).filter(admin_keys::revoked_at.is_null());
    let done = match tenant {
        Some(t) => diesel::update(live.filter(admin_keys::tenant_id.eq(t.0))).set(admin_keys::revoked_at.eq(now)).execute(conn)?,
        None => diesel::update(live.filter(admin_keys::tenant_id.is_null())).set(admin_keys::revoked_at.eq(now)).execute(conn)?,
    };
    Ok(done == 1)
}

/// Records when a key was last used.
///
/// # Errors
/// When the database fails.
pub fn used(conn: &mut Conn, id: &str, at: i64) -> Result<(), Error> {
    diesel::update(admin_keys::table.find(id)).set(admin_keys::last_used_at.eq(at)).execute(conn)?;
    Ok(())
}
