//! E-mail addresses, case-folded, so that a filter on them uses an index.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use crate::domain::TenantId;

/// Adds addresses of one resource; those that are there stay.
///
/// # Errors
/// When the database fails.
pub fn add(conn: &mut Conn, tenant: TenantId, id: &str, values: &[String]) -> Result<(), Error> {
    if values.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new("INSERT INTO resource_emails (tenant_id, value_key, resource_id) VALUES ");
    for (i, value) in values.iter().enumerate() {
        sql = sql.sql(if i == 0 { "(" } else { ", (" }).big(tenant.0).sql(", ").text(value.as_str()).sql(", ").text(id).sql(")");
    }
    let sql = sql.sql(" ON CONFLICT DO NOTHING");
    if values.len() > 2 { sql.uncached() } else { sql }.run(conn)?;
    Ok(())
}

/// Removes addresses of one resource.
///
/// # Errors
/// When the database fails.
pub fn remove(conn: &mut Conn, tenant: TenantId, id: &str, values: &[String]) -> Result<(), Error> {
    if values.is_empty() {
        return Ok(());
    }
    Sql::new("DELETE FROM resource_emails WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND resource_id = ")
        .text(id)
        .sql(" AND value_key IN (")
        .texts(values)
        .sql(")")
        .run(conn)?;
    Ok(())
}
