//! The tolerances that fired, and which provider was seen.

use super::backend::Conn;
use super::error::Error;
use super::schema::{provider_evidence, request_notes};
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::prelude::*;

/// What is recorded of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    pub token_id: String,
    pub request_id: String,
    /// Microseconds since the epoch.
    pub at: i64,
    pub method: String,
    /// The path, without values.
    pub target: String,
    pub provider: Option<String>,
    pub signal: Option<String>,
    /// A JSON array of `{"quirk", "text"}`.
    pub notes: String,
}

/// Records one request.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, tenant: TenantId, e: &Entry) -> Result<(), Error> {
    diesel::insert_into(request_notes::table)
        .values((
            request_notes::id.eq(&e.id),
            request_notes::tenant_id.eq(tenant.0),
            request_notes::token_id.eq(&e.token_id),
            request_notes::request_id.eq(&e.request_id),
            request_notes::at.eq(e.at),
            request_notes::method.eq(&e.method),
            request_notes::target.eq(&e.target),
            request_notes::provider.eq(&e.provider),
            request_notes::signal.eq(&e.signal),
            request_notes::notes.eq(&e.notes),
        ))
        .execute(conn)?;
    Ok(())
}

type Tuple = (String, i64, String, String, i64, String, String, Option<String>, Option<String>, String);

/// A tenant's latest entries, newest first.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: TenantId, limit: i64) -> Result<Vec<Entry>, Error> {
    let rows: Vec<Tuple> =
        request_notes::table.filter(request_notes::tenant_id.eq(tenant.0)).order(request_notes::id.desc()).limit(limit).load(conn)?;
    Ok(rows.into_iter().map(entry).collect())
}

fn entry((id, _, token_id, request_id, at, method, target, provider, signal, notes): Tuple) -> Entry {
    Entry { id, token_id, request_id, at, method, target, provider, signal, notes }
}

/// A tenant's entries from the newest on, before `before`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, before: &str, limit: i64) -> Result<Vec<Entry>, Error> {
    let mut query = request_notes::table.filter(request_notes::tenant_id.eq(tenant.0)).into_boxed();
    if !before.is_empty() {
        query = query.filter(request_notes::id.lt(before));
    }
    let rows: Vec<Tuple> = query.order(request_notes::id.desc()).limit(limit).load(conn)?;
    Ok(rows.into_iter().map(entry).collect())
}

/// Removes at most `limit` entries of all tenants from before a time; how many there were.
///
/// # Errors
/// When the database fails.
pub fn prune(conn: &mut Conn, before: i64, limit: i64) -> Result<usize, Error> {
    Sql::new("DELETE FROM request_notes WHERE id IN (SELECT id FROM request_notes WHERE at < ").big(before).limit(limit).sql(")").run(conn)
}

/// Removes what was recorded of requests about one user.
///
/// # Errors
/// When the database fails.
pub fn forget(conn: &mut Conn, tenant: TenantId, user: &str, person: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM request_notes WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND (target LIKE ")
        .text(format!("%/Users/{user}"))
        .sql(" OR request_id IN (SELECT a.request_id FROM audit_events a WHERE a.tenant_id = ")
        .big(tenant.0)
        .sql(" AND a.person = ")
        .text(person)
        .sql("))")
        .run(conn)?;
    Ok(())
}

/// Records that a provider was seen.
///
/// # Errors
/// When the database fails.
pub fn seen(conn: &mut Conn, tenant: TenantId, provider: &str, signal: &str, at: i64) -> Result<(), Error> {
    Sql::new("INSERT INTO provider_evidence (tenant_id, provider, signal, last_seen_at) VALUES (")
        .big(tenant.0)
        .sql(", ")
        .text(provider)
        .sql(", ")
        .text(signal)
        .sql(", ")
        .big(at)
        .sql(") ON CONFLICT (tenant_id, provider, signal) DO UPDATE SET last_seen_at = excluded.last_seen_at")
        .run(conn)?;
    Ok(())
}

/// The providers that a tenant's requests have shown: provider, signal, when last.
///
/// # Errors
/// When the database fails.
pub fn evidence(conn: &mut Conn, tenant: TenantId) -> Result<Vec<(String, String, i64)>, Error> {
    Ok(provider_evidence::table
        .filter(provider_evidence::tenant_id.eq(tenant.0))
        .order(provider_evidence::last_seen_at.desc())
        .select((provider_evidence::provider, provider_evidence::signal, provider_evidence::last_seen_at))
        .load(conn)?)
}
