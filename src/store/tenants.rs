//! Tenants.

use super::backend::Conn;
use super::counts;
use super::error::Error;
use super::schema::tenants;
use super::sql::Sql;
use super::tables::TABLES;
use crate::domain::{Idp, Settings, Tenant, TenantId};
use diesel::prelude::*;

type Tuple = (i64, String, String, bool, i64, String, i64, Option<String>, i64);

fn tenant((id, name, idp, unique_group_names, created_at, settings, version, suspended, types): Tuple) -> Result<Tenant, Error> {
    let idp: Idp = idp.parse().map_err(Error::Db)?;
    let settings = serde_json::from_str(&settings).map_err(|e| Error::Db(format!("the settings of tenant {name} cannot be read: {e}")))?;
    Ok(Tenant { id: TenantId(id), name, idp, unique_group_names, created_at, settings, version, suspended, types })
}

/// Adds a tenant.
///
/// # Errors
/// [`Error::Duplicate`] when the name is taken.
pub fn insert(conn: &mut Conn, name: &str, idp: Idp, unique_group_names: bool, now: i64) -> Result<Tenant, Error> {
    let id: i64 = diesel::insert_into(tenants::table)
        .values((
            tenants::name.eq(name),
            tenants::idp.eq(idp.as_str()),
            tenants::unique_group_names.eq(unique_group_names),
            tenants::created_at.eq(now),
            tenants::settings.eq("{}"),
        ))
        .returning(tenants::id)
        .get_result(conn)?;
    counts::create(conn, TenantId(id))?;
    Ok(Tenant {
        id: TenantId(id),
        name: name.to_owned(),
        idp,
        unique_group_names,
        created_at: now,
        settings: Settings::default(),
        version: 1,
        suspended: None,
        types: 0,
    })
}

/// Stores what an admin has set of a tenant; its version counts up. Whether it was the expected one.
///
/// # Errors
/// When the database fails.
pub fn save(conn: &mut Conn, t: &Tenant) -> Result<bool, Error> {
    let text = serde_json::to_string(&t.settings).map_err(|e| Error::Db(e.to_string()))?;
    let as_expected = tenants::table.filter(tenants::id.eq(t.id.0)).filter(tenants::version.eq(t.version));
    let changed = diesel::update(as_expected)
        .set((
            tenants::idp.eq(t.idp.as_str()),
            tenants::unique_group_names.eq(t.unique_group_names),
            tenants::settings.eq(text),
            tenants::suspended.eq(&t.suspended),
            tenants::version.eq(t.version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Removes a tenant and everything that belongs to it.
///
/// # Errors
/// When the database fails.
pub fn erase(conn: &mut Conn, id: TenantId) -> Result<(), Error> {
    let clients = "DELETE FROM used_assertions WHERE client_id IN (SELECT id FROM oauth_clients WHERE tenant_id = ";
    Sql::new(clients).big(id.0).sql(")").run(conn)?;
    let answers = "DELETE FROM idempotency_keys WHERE owner IN (SELECT id FROM admin_keys WHERE tenant_id = ";
    Sql::new(answers).big(id.0).sql(")").run(conn)?;
    // Those that refer to others come last in the list, and go first.
    for table in TABLES.iter().rev().filter(|t| t.has_tenant()) {
        Sql::new("DELETE FROM ").sql(table.name).sql(" WHERE tenant_id = ").big(id.0).run(conn)?;
    }
    diesel::delete(tenants::table.find(id.0)).execute(conn)?;
    Ok(())
}

/// The tenant of that name.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, name: &str) -> Result<Option<Tenant>, Error> {
    let row: Option<Tuple> = tenants::table.filter(tenants::name.eq(name)).first(conn).optional()?;
    row.map(tenant).transpose()
}

/// All tenants, by name.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn) -> Result<Vec<Tenant>, Error> {
    let rows: Vec<Tuple> = tenants::table.order(tenants::name).load(conn)?;
    rows.into_iter().map(tenant).collect()
}

/// Tenants by name, after `after`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<Tenant>, Error> {
    let rows: Vec<Tuple> = tenants::table.filter(tenants::name.gt(after)).order(tenants::name).limit(limit).load(conn)?;
    rows.into_iter().map(tenant).collect()
}

/// The tenant behind an id.
///
/// # Errors
/// When the database fails.
pub fn get(conn: &mut Conn, id: TenantId) -> Result<Option<Tenant>, Error> {
    let row: Option<Tuple> = tenants::table.find(id.0).first(conn).optional()?;
    row.map(tenant).transpose()
}

/// Counts up the number that tells every server to forget what it knows of tokens and tenants.
///
/// # Errors
/// When the database fails.
pub fn bump_auth_epoch(conn: &mut Conn) -> Result<(), Error> {
    Sql::new("UPDATE auth_epoch SET epoch = epoch + 1 WHERE id = 1").run(conn)?;
    Ok(())
}

/// The present number.
///
/// # Errors
/// When the database fails.
pub fn auth_epoch(conn: &mut Conn) -> Result<i64, Error> {
    let rows: Vec<i64> = Sql::new("SELECT epoch FROM auth_epoch WHERE id = 1").load::<diesel::sql_types::BigInt, _>(conn)?;
    rows.first().copied().ok_or_else(|| Error::Db("auth_epoch has no row".to_owned()))
}
