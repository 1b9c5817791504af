//! What the clock makes due: whom a timer has to look at.

use super::backend::Conn;
use super::error::Error;
use super::resources::{Row, Tuple as RowTuple, Types as RowTypes};
use super::roll::of_tenant;
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::{BigInt, Nullable, Text};

/// What the clock makes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The quarantine is over, or what is left to do after an anonymisation.
    Purge,
    /// The termination date takes effect.
    Termination,
}

/// A member for whom something is due: tenant and person. A legal hold keeps a purge from being due.
///
/// # Errors
/// When the database fails.
pub fn due(conn: &mut Conn, what: Due, now: i64, limit: i64) -> Result<Vec<(TenantId, String)>, Error> {
    let sql = Sql::new("SELECT r.tenant_id, r.person FROM resources r WHERE ");
    let sql = match what {
        Due::Purge => to_purge(sql, now).sql(" ORDER BY r.purge_at"),
        Due::Termination => sql.sql("r.terminates_at <= ").big(now).sql(" AND r.kind IN (1, 3) ORDER BY r.terminates_at"),
    };
    let rows: Vec<(i64, Option<String>)> = sql.limit(limit).load::<(BigInt, Nullable<Text>), _>(conn)?;
    Ok(rows.into_iter().filter_map(|(tenant, person)| Some((TenantId(tenant), person?))).collect())
}

/// Ends a statement with whom the sweep takes: due, neither on legal hold nor frozen.
pub(super) fn to_purge(sql: Sql<'_>, now: i64) -> Sql<'_> {
    sql.sql("r.purge_at <= ")
        .big(now)
        .sql(" AND r.legal_hold IS NULL AND (r.kind = 4 OR NOT EXISTS (SELECT 1 FROM freezes f WHERE f.tenant_id = r.tenant_id ")
        .sql("AND f.confirmed_at IS NULL AND r.quarantined_at >= f.from_at AND r.quarantined_at <= f.to_at))")
}

/// Users who wait for a manager whose address somebody has by now: tenant, person, id of the one with the address.
///
/// # Errors
/// When the database fails.
pub fn resolvable(conn: &mut Conn, limit: i64) -> Result<Vec<(TenantId, String, String)>, Error> {
    let rows: Vec<(i64, Option<String>, String)> = Sql::new(
        "SELECT r.tenant_id, r.person, m.id FROM resources r JOIN resource_emails e ON e.tenant_id = r.tenant_id \
         AND e.value_key = r.manager_ref JOIN resources m ON m.tenant_id = r.tenant_id AND m.kind = 1 AND m.id = e.resource_id \
         WHERE r.manager_ref IS NOT NULL AND r.kind = 1 \
         UNION SELECT r.tenant_id, r.person, m.id FROM resources r JOIN resources m ON m.tenant_id = r.tenant_id AND m.kind = 1 \
         AND m.unique_key = r.manager_ref WHERE r.manager_ref IS NOT NULL AND r.kind = 1",
    )
    .limit(limit)
    .load::<(BigInt, Nullable<Text>, Text), _>(conn)?;
    Ok(rows.into_iter().filter_map(|(tenant, person, id)| Some((TenantId(tenant), person?, id))).collect())
}

/// Members whose quarantine ends before `until` and of whom the admins have not been told.
///
/// # Errors
/// When the database fails.
pub fn to_announce(conn: &mut Conn, until: i64, limit: i64) -> Result<Vec<(TenantId, String)>, Error> {
    let rows: Vec<(i64, Option<String>)> = Sql::new("SELECT r.tenant_id, r.person FROM resources r WHERE r.purge_at <= ")
        .big(until)
        .sql(" AND r.warned_at IS NULL AND r.legal_hold IS NULL AND r.kind IN (1, 3) ORDER BY r.purge_at")
        .limit(limit)
        .load::<(BigInt, Nullable<Text>), _>(conn)?;
    Ok(rows.into_iter().filter_map(|(tenant, person)| Some((TenantId(tenant), person?))).collect())
}

/// Records that the admins were told. It is no change that a client sees.
///
/// # Errors
/// When the database fails.
pub fn announced(conn: &mut Conn, tenant: TenantId, id: &str, now: i64) -> Result<(), Error> {
    Sql::new("UPDATE resources SET warned_at = ")
        .big(now)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND kind IN (1, 3) AND id = ")
        .text(id)
        .run(conn)?;
    Ok(())
}

/// Members whose quarantine ends in a span of time.
///
/// # Errors
/// When the database fails.
pub fn ending(conn: &mut Conn, tenant: TenantId, until: i64, limit: i64) -> Result<Vec<Row>, Error> {
    let sql = of_tenant(tenant).sql(" AND r.purge_at <= ").big(until).sql(" AND r.kind IN (1, 3) ORDER BY r.purge_at").limit(limit);
    let rows: Vec<RowTuple> = sql.load::<RowTypes, _>(conn)?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// How many members of each tenant were quarantined after `from`, how many of them are out of sight or anonymised by now,
/// and when the first one was.
///
/// # Errors
/// When the database fails.
pub fn quarantined_since(conn: &mut Conn, from: i64) -> Result<Vec<(TenantId, i64, i64, i64)>, Error> {
    let rows: Vec<(i64, i64, i64, Option<i64>)> = quarantined(from).load::<(BigInt, BigInt, BigInt, Nullable<BigInt>), _>(conn)?;
    Ok(rows.into_iter().map(|(tenant, n, hidden, first)| (TenantId(tenant), n, hidden, first.unwrap_or(from))).collect())
}

/// The statement. Grouped by the bare column, planners would walk every tenant instead of the index of those in quarantine.
#[must_use]
pub fn quarantined(from: i64) -> Sql<'static> {
    Sql::new(
        "SELECT r.tenant_id + 0, COUNT(*), COUNT(CASE WHEN r.kind <> 1 THEN 1 END), MIN(r.quarantined_at) FROM resources r \
         WHERE r.quarantined_at > ",
    )
    .big(from)
    .sql(" GROUP BY r.tenant_id + 0")
}
