//! The places that a tenant has configured.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::Text;

/// Adds a place; whether it is new.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, tenant: TenantId, name: &str, now: i64) -> Result<bool, Error> {
    let added = Sql::new("INSERT INTO locations (tenant_id, name, created_at) VALUES (")
        .big(tenant.0)
        .sql(", ")
        .text(name)
        .sql(", ")
        .big(now)
        .sql(") ON CONFLICT DO NOTHING")
        .run(conn)?;
    Ok(added == 1)
}

/// Removes a place; whether it was there.
///
/// # Errors
/// When the database fails.
pub fn delete(conn: &mut Conn, tenant: TenantId, name: &str) -> Result<bool, Error> {
    Ok(Sql::new("DELETE FROM locations WHERE tenant_id = ").big(tenant.0).sql(" AND name = ").text(name).run(conn)? == 1)
}

/// Whether there is such a place.
///
/// # Errors
/// When the database fails.
pub fn exists(conn: &mut Conn, tenant: TenantId, name: &str) -> Result<bool, Error> {
    let rows: Vec<String> =
        Sql::new("SELECT name FROM locations WHERE tenant_id = ").big(tenant.0).sql(" AND name = ").text(name).load::<Text, _>(conn)?;
    Ok(!rows.is_empty())
}

/// The places of a tenant by name, after `after`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, after: &str, limit: i64) -> Result<Vec<String>, Error> {
    Sql::new("SELECT name FROM locations WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND name > ")
        .text(after)
        .sql(" ORDER BY name")
        .limit(limit)
        .load::<Text, _>(conn)
}

/// The places of a tenant, by name.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: TenantId) -> Result<Vec<String>, Error> {
    Sql::new("SELECT name FROM locations WHERE tenant_id = ").big(tenant.0).sql(" ORDER BY name").load::<Text, _>(conn)
}
