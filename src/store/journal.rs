//! The provisioning log: a row for every SCIM request.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
use std::collections::BTreeSet;

/// What became of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    /// Microseconds since the epoch.
    pub at: i64,
    /// The name of the source.
    pub source: String,
    pub token_id: String,
    /// What the client calls itself.
    pub client: Option<String>,
    pub provider: Option<String>,
    /// What the provider is known by.
    pub signal: Option<String>,
    pub request_id: String,
    pub method: String,
    /// Path and query, without values.
    pub path: String,
    /// The id of the resource.
    pub target: Option<String>,
    /// What it is kept under: the permanent id of a person, or the id of a group.
    pub subject: Option<String>,
    pub status: i16,
    /// How long it took, in microseconds.
    pub micros: i64,
    pub scim_type: Option<String>,
    pub detail: Option<String>,
    /// A JSON array of `{"quirk", "text"}`.
    pub notes: Option<String>,
    /// A JSON array of what changed; `[]` once the person is anonymised.
    pub changes: Option<String>,
}

const COLUMNS: &str = "id, at, source, token_id, client, provider, signal, request_id, method, path, target, subject, status, micros, scim_type, \
     detail, notes, changes";

/// Rows of one statement.
const AT_ONCE: usize = 50;

fn values<'a>(sql: Sql<'a>, tenant: TenantId, e: &'a Entry) -> Sql<'a> {
    sql.big(tenant.0)
        .sql(", ")
        .text(e.id.as_str())
        .sql(", ")
        .big(e.at)
        .sql(", ")
        .text(e.source.as_str())
        .sql(", ")
        .text(e.token_id.as_str())
        .sql(", ")
        .maybe_text(e.client.as_deref())
        .sql(", ")
        .maybe_text(e.provider.as_deref())
        .sql(", ")
        .maybe_text(e.signal.as_deref())
        .sql(", ")
        .text(e.request_id.as_str())
        .sql(", ")
        .text(e.method.as_str())
        .sql(", ")
        .text(e.path.as_str())
        .sql(", ")
        .maybe_text(e.target.as_deref())
        .sql(", ")
        .maybe_text(e.subject.as_deref())
        .sql(", ")
        .small(e.status)
        .sql(", ")
        .big(e.micros)
        .sql(", ")
        .maybe_text(e.scim_type.as_deref())
        .sql(", ")
        .maybe_text(e.detail.as_deref())
        .sql(", ")
        .maybe_text(e.notes.as_deref())
        .sql(", ")
        .maybe_text(e.changes.as_deref())
        .sql(")")
}

fn into_log<'a>() -> Sql<'a> {
    Sql::new("INSERT INTO provisioning_log (tenant_id, ").sql(COLUMNS).sql(") VALUES (")
}

/// Adds one row.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, tenant: TenantId, e: &Entry) -> Result<(), Error> {
    values(into_log(), tenant, e).run(conn).map(drop)
}

/// Adds rows of any tenants; those of a tenant that is there no more are left out.
///
/// # Errors
/// When the database fails.
pub fn insert_all(conn: &mut Conn, entries: &[(TenantId, Entry)]) -> Result<(), Error> {
    let there = tenants_of(conn, entries)?;
    let kept: Vec<_> = entries.iter().filter(|(tenant, _)| there.contains(&tenant.0)).collect();
    for part in kept.chunks(AT_ONCE) {
        let mut sql = into_log();
        for (i, (tenant, e)) in part.iter().enumerate() {
            sql = values(if i > 0 { sql.sql(", (") } else { sql }, *tenant, e);
        }
        // Only whole parts come again and again.
        if part.len() == AT_ONCE { sql } else { sql.uncached() }.run(conn)?;
    }
    Ok(())
}

fn tenants_of(conn: &mut Conn, entries: &[(TenantId, Entry)]) -> Result<BTreeSet<i64>, Error> {
    let named: BTreeSet<i64> = entries.iter().map(|(tenant, _)| tenant.0).collect();
    let mut sql = Sql::new("SELECT id FROM tenants WHERE id IN (0");
    for id in named {
        sql = sql.sql(", ").big(id);
    }
    let found: Vec<i64> = sql.sql(")").uncached().load::<BigInt, _>(conn)?;
    Ok(found.into_iter().collect())
}

/// Which rows are looked for; what is `None` or `false` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub subject: Option<String>,
    pub source: Option<String>,
    /// The least and the greatest status.
    pub status: Option<(i16, i16)>,
    pub changed: bool,
    /// Only requests that something was tolerated in, and that were done.
    pub tolerated: bool,
    /// Microseconds since the epoch.
    pub since: Option<i64>,
}

type Types = (
    Text,
    BigInt,
    Text,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Text,
    Text,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    SmallInt,
    BigInt,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
);
type Maybe = Option<String>;
type Tuple = (String, i64, String, String, Maybe, Maybe, Maybe, String, String, String, Maybe, Maybe, i16, i64, Maybe, Maybe, Maybe, Maybe);

fn select<'a>(tenant: TenantId) -> Sql<'a> {
    Sql::new("SELECT ").sql(COLUMNS).sql(" FROM provisioning_log WHERE tenant_id = ").big(tenant.0)
}

fn load(conn: &mut Conn, sql: Sql<'_>) -> Result<Vec<Entry>, Error> {
    let rows: Vec<Tuple> = sql.load::<Types, _>(conn)?;
    Ok(rows.into_iter().map(entry).collect())
}

fn entry(row: Tuple) -> Entry {
    let (
        id,
        at,
        source,
        token_id,
        client,
        provider,
        signal,
        request_id,
        method,
        path,
        target,
        subject,
        status,
        micros,
        scim_type,
        detail,
        notes,
        changes,
    ) = row;
    Entry {
        id,
        at,
        source,
        token_id,
        client,
        provider,
        signal,
        request_id,
        method,
        path,
        target,
        subject,
        status,
        micros,
        scim_type,
        detail,
        notes,
        changes,
    }
}

/// A tenant's rows from the newest on, before the one with the id `before`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, query: &Query, before: &str, limit: i64) -> Result<Vec<Entry>, Error> {
    let mut sql = select(tenant);
    if !before.is_empty() {
        sql = sql.sql(" AND id < ").text(before);
    }
    if let Some(subject) = &query.subject {
        sql = sql.sql(" AND subject = ").text(subject.as_str());
    }
    if let Some(source) = &query.source {
        sql = sql.sql(" AND source = ").text(source.as_str());
    }
    if let Some((least, greatest)) = query.status {
        sql = sql.sql(" AND status >= ").small(least).sql(" AND status <= ").small(greatest);
    }
    if query.changed {
        sql = sql.sql(" AND changes IS NOT NULL");
    }
    if query.tolerated {
        sql = sql.sql(" AND notes IS NOT NULL AND status < 400");
    }
    if let Some(since) = query.since {
        sql = sql.sql(" AND at >= ").big(since);
    }
    load(conn, sql.sql(" ORDER BY id DESC").limit(limit))
}

/// The row of that id, or the first of the request of that id.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<Entry>, Error> {
    if let Some(found) = load(conn, select(tenant).sql(" AND id = ").text(id))?.pop() {
        return Ok(Some(found));
    }
    // Ids are in the order of time, and a row is made after the id of its request, while that is under way.
    let last = later(id);
    let sql = select(tenant).sql(" AND id >= ").text(id).sql(" AND id <= ").text(last).sql(" AND request_id = ").text(id);
    Ok(load(conn, sql.sql(" ORDER BY id LIMIT 1"))?.pop())
}

/// An id that is greater than all that are made in the ten minutes after that one.
fn later(id: &str) -> String {
    const TEN_MINUTES: u64 = 600_000;
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    let millis = u64::from_str_radix(&digits, 16).unwrap_or(0) + TEN_MINUTES;
    let hex = format!("{millis:012x}");
    let (front, back) = hex.split_at(8);
    format!("{front}-{back}-ffff-ffff-ffffffffffff")
}

/// How old the oldest row of each tenant is that has any: microseconds since the epoch.
///
/// # Errors
/// When the database fails.
pub fn oldest(conn: &mut Conn) -> Result<Vec<(TenantId, i64)>, Error> {
    let rows: Vec<(i64, Option<i64>)> =
        Sql::new("SELECT t.id, (SELECT p.at FROM provisioning_log p WHERE p.tenant_id = t.id ORDER BY p.id LIMIT 1) FROM tenants t")
            .load::<(BigInt, Nullable<BigInt>), _>(conn)?;
    Ok(rows.into_iter().filter_map(|(id, at)| Some((TenantId(id), at?))).collect())
}

/// Removes at most `limit` rows of a tenant from before a time, the oldest first; how many there were.
///
/// # Errors
/// When the database fails.
pub fn prune(conn: &mut Conn, tenant: TenantId, before: i64, limit: i64) -> Result<usize, Error> {
    let oldest = Sql::new("SELECT id, at FROM provisioning_log WHERE tenant_id = ").big(tenant.0).sql(" ORDER BY id").limit(limit);
    Sql::new("DELETE FROM provisioning_log WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND id IN (SELECT o.id FROM (")
        .and(oldest)
        .sql(") o WHERE o.at < ")
        .big(before)
        .sql(")")
        .run(conn)
}

/// Removes what the rows about one person say of the person. That there were requests stays.
///
/// # Errors
/// When the database fails.
pub fn forget(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<(), Error> {
    Sql::new("UPDATE provisioning_log SET detail = NULL, notes = NULL, changes = CASE WHEN changes IS NULL THEN NULL ELSE '[]' END WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND subject = ")
        .text(person)
        .run(conn)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_next_ten_minutes_are_smaller() {
        let id = "0198f2a4-0000-7000-8000-000000000000";
        assert!(later(id).as_str() > id && later(id).as_str() > "0198f2ad-27bf-7fff-bfff-ffffffffffff");
        assert!(later(id).as_str() < "0198f2ad-27c1-7000-8000-000000000000");
        assert_eq!(later("x").len(), id.len());
    }
}
