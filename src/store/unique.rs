//! Values that only one resource of a kind may have. The primary key keeps them apart, also when two are written at once.

use super::backend::Conn;
use super::error::Error;
use super::resources::Kind;
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::Text;

/// Gives a resource values that nobody else has; the attribute of the first one that somebody does have.
///
/// # Errors
/// When the database fails.
pub fn claim(conn: &mut Conn, tenant: TenantId, kind: Kind, id: &str, values: &[(String, String)]) -> Result<Option<String>, Error> {
    for (attribute, value) in values {
        let added = Sql::new("INSERT INTO unique_values (tenant_id, kind, attribute, value, resource_id) VALUES (")
            .big(tenant.0)
            .sql(", ")
            .small(kind.code())
            .sql(", ")
            .text(attribute.as_str())
            .sql(", ")
            .text(value.as_str())
            .sql(", ")
            .text(id)
            .sql(") ON CONFLICT DO NOTHING")
            .run(conn)?;
        if added == 0 {
            return Ok(Some(attribute.clone()));
        }
    }
    Ok(None)
}

/// Takes some of its values from a resource.
///
/// # Errors
/// When the database fails.
pub fn release(conn: &mut Conn, tenant: TenantId, kind: Kind, id: &str, values: &[(String, String)]) -> Result<(), Error> {
    for (attribute, value) in values {
        of_resource(tenant, kind, id)
            .sql(" AND attribute = ")
            .text(attribute.as_str())
            .sql(" AND value = ")
            .text(value.as_str())
            .run(conn)?;
    }
    Ok(())
}

/// Takes all of its values from a resource.
///
/// # Errors
/// When the database fails.
pub fn clear(conn: &mut Conn, tenant: TenantId, kind: Kind, id: &str) -> Result<(), Error> {
    of_resource(tenant, kind, id).run(conn).map(drop)
}

fn of_resource(tenant: TenantId, kind: Kind, id: &str) -> Sql<'_> {
    let head = Sql::new("DELETE FROM unique_values WHERE tenant_id = ").big(tenant.0).sql(" AND kind = ").small(kind.code());
    head.sql(" AND resource_id = ").text(id)
}

/// Takes the values from every resource of a kind.
///
/// # Errors
/// When the database fails.
pub fn clear_kind(conn: &mut Conn, tenant: TenantId, kind: Kind) -> Result<(), Error> {
    let sql = Sql::new("DELETE FROM unique_values WHERE tenant_id = ").big(tenant.0).sql(" AND kind = ").small(kind.code());
    sql.run(conn).map(drop)
}

/// The values of some resources of a kind: id, attribute, value.
///
/// # Errors
/// When the database fails.
pub fn of(conn: &mut Conn, tenant: TenantId, kind: Kind, ids: &[&str]) -> Result<Vec<(String, String, String)>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Sql::new("SELECT resource_id, attribute, value FROM unique_values WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND kind = ")
        .small(kind.code())
        .sql(" AND resource_id IN (")
        .texts(ids)
        .sql(")")
        .load::<(Text, Text, Text), _>(conn)
}
