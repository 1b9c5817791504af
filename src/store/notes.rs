//! The tolerances that fired, as the provisioning log has them, and which provider was seen.

use super::backend::Conn;
use super::error::Error;
use super::journal::{self, Query};
use super::schema::provider_evidence;
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
    /// Path and query, without values.
    pub target: String,
    pub provider: Option<String>,
    pub signal: Option<String>,
    /// A JSON array of `{"quirk", "text"}`.
    pub notes: String,
}

impl From<journal::Entry> for Entry {
    fn from(e: journal::Entry) -> Self {
        let journal::Entry { id, token_id, request_id, at, method, path, provider, signal, notes, .. } = e;
        Self { id, token_id, request_id, at, method, target: path, provider, signal, notes: notes.unwrap_or_default() }
    }
}

/// A tenant's entries from the newest on, before `before`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, before: &str, limit: i64) -> Result<Vec<Entry>, Error> {
    let tolerated = Query { tolerated: true, ..Query::default() };
    Ok(journal::page(conn, tenant, &tolerated, before, limit)?.into_iter().map(Entry::from).collect())
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
