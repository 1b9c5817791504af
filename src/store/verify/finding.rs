//! Runs checks, and looks up what checks of the service need.

use crate::domain::TenantId;
use crate::store::sql::Sql;
use crate::store::tables::Table;
use crate::store::{Conn, Error};
use diesel::sql_types::{BigInt, Nullable, Text};

/// Most findings of one kind that are told.
pub const MOST: i64 = 20;

/// A check that is one statement.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub table: &'static str,
    /// What is wrong with the rows that it finds.
    pub what: &'static str,
    pub sql: &'static str,
}

/// A row that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub tenant: Option<i64>,
    pub id: String,
    /// More about it; may be empty.
    pub detail: String,
}

/// The first findings of a check, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub first: Vec<Finding>,
    pub total: i64,
}

/// Runs a check.
///
/// # Errors
/// When the database fails.
pub fn run(conn: &mut Conn, check: &Check) -> Result<Found, Error> {
    find(conn, check.sql)
}

/// The rows of a table that belong to no tenant.
///
/// # Errors
/// When the database fails.
pub fn orphans(conn: &mut Conn, table: &Table) -> Result<Found, Error> {
    let key = table.key.iter().filter(|name| **name != "tenant_id").map(|name| format!("CAST(x.{name} AS TEXT)"));
    let key = key.collect::<Vec<_>>().join(" || '/' || ");
    let name = table.name;
    find(
        conn,
        &format!(
            "SELECT x.tenant_id AS t, {key} AS i, '' AS d FROM {name} x LEFT JOIN tenants n ON n.id = x.tenant_id WHERE n.id IS NULL AND x.tenant_id IS NOT NULL"
        ),
    )
}

fn find(conn: &mut Conn, sql: &str) -> Result<Found, Error> {
    let part = |head: &'static str| Sql::new(head).made(sql.to_owned());
    type Row = (Option<i64>, String, String);
    let rows: Vec<Row> = part("SELECT CAST(f.t AS BIGINT), CAST(f.i AS TEXT), CAST(f.d AS TEXT) FROM (")
        .sql(") f ORDER BY 1, 2")
        .limit(MOST)
        .uncached()
        .load::<(Nullable<BigInt>, Text, Text), _>(conn)?;
    let mut total = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if total == MOST {
        let all: Vec<i64> = part("SELECT COUNT(*) FROM (").sql(") f").uncached().load::<BigInt, _>(conn)?;
        total = all.first().copied().unwrap_or(total);
    }
    Ok(Found { first: rows.into_iter().map(|(tenant, id, detail)| Finding { tenant, id, detail }).collect(), total })
}

/// Which of these addresses are listed, and for whom.
///
/// # Errors
/// When the database fails.
pub fn listed(conn: &mut Conn, tenant: TenantId, keys: &[&str]) -> Result<Vec<(String, String)>, Error> {
    pairs(conn, tenant, "SELECT value_key, resource_id FROM resource_emails WHERE tenant_id = ", "value_key", keys)
}

/// The documents of those users that identity providers see.
///
/// # Errors
/// When the database fails.
pub fn documents(conn: &mut Conn, tenant: TenantId, ids: &[&str]) -> Result<Vec<(String, String)>, Error> {
    pairs(conn, tenant, "SELECT id, doc FROM resources WHERE kind = 1 AND tenant_id = ", "id", ids)
}

/// The keys of those people who have one.
///
/// # Errors
/// When the database fails.
pub fn person_keys(conn: &mut Conn, tenant: TenantId, people: &[&str]) -> Result<Vec<(String, String)>, Error> {
    pairs(conn, tenant, "SELECT person, value FROM person_keys WHERE tenant_id = ", "person", people)
}

fn pairs(
    conn: &mut Conn,
    tenant: TenantId,
    head: &'static str,
    column: &'static str,
    keys: &[&str],
) -> Result<Vec<(String, String)>, Error> {
    const CHUNK: usize = 500;
    let mut found = Vec::new();
    for part in keys.chunks(CHUNK) {
        let sql = Sql::new(head).big(tenant.0).sql(" AND ").sql(column).sql(" IN (").texts(part).sql(")");
        found.extend(sql.load::<(Text, Text), (String, String)>(conn)?);
    }
    Ok(found)
}
