//! Letters that wait to be sent. They are leased, not locked: one that a server took and did not finish is taken again.

use super::backend::{Conn, Dialect};
use super::error::Error;
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};

/// A letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    pub tenant: TenantId,
    /// `None` for a letter to the admins.
    pub person: Option<String>,
    pub kind: String,
    /// The link that it is about.
    pub generation: Option<i64>,
    /// What is needed to write it and is nowhere else, encrypted with the person's key.
    pub detail: Option<String>,
    /// `queued`, `sent`, `dead` or `cancelled`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i16,
    /// Times are microseconds since the epoch.
    pub due_at: i64,
    pub error: Option<String>,
    pub created_at: i64,
    pub ended_at: Option<i64>,
}

const COLUMNS: &str = "id, tenant_id, person, kind, generation, detail, state, attempts, due_at, error, created_at, ended_at";

type Types = (
    Text,
    BigInt,
    Nullable<Text>,
    Text,
    Nullable<BigInt>,
    Nullable<Text>,
    Text,
    SmallInt,
    BigInt,
    Nullable<Text>,
    BigInt,
    Nullable<BigInt>,
);
type Tuple = (String, i64, Option<String>, String, Option<i64>, Option<String>, String, i16, i64, Option<String>, i64, Option<i64>);

fn load(conn: &mut Conn, sql: Sql<'_>) -> Result<Vec<Entry>, Error> {
    let rows: Vec<Tuple> = sql.load::<Types, _>(conn)?;
    let entry = |(id, tenant, person, kind, generation, detail, state, attempts, due_at, error, created_at, ended_at)| Entry {
        id,
        tenant: TenantId(tenant),
        person,
        kind,
        generation,
        detail,
        state,
        attempts,
        due_at,
        error,
        created_at,
        ended_at,
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// Adds a letter that is due at once.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, e: &Entry) -> Result<(), Error> {
    Sql::new("INSERT INTO outbox (id, tenant_id, person, kind, generation, detail, state, attempts, due_at, created_at) VALUES (")
        .text(e.id.as_str())
        .sql(", ")
        .big(e.tenant.0)
        .sql(", ")
        .maybe_text(e.person.as_deref())
        .sql(", ")
        .text(e.kind.as_str())
        .sql(", ")
        .maybe_big(e.generation)
        .sql(", ")
        .maybe_text(e.detail.as_deref())
        .sql(", 'queued', 0, ")
        .big(e.due_at)
        .sql(", ")
        .big(e.created_at)
        .sql(")")
        .run(conn)?;
    Ok(())
}

/// Takes letters that are due, for as long as the lease lasts. Nobody else takes them meanwhile.
///
/// # Errors
/// When the database fails.
pub fn lease(conn: &mut Conn, now: i64, until: i64, limit: i64) -> Result<Vec<Entry>, Error> {
    let skip = if conn.dialect() == Dialect::Postgres { " FOR UPDATE SKIP LOCKED" } else { "" };
    let due = Sql::new("SELECT id FROM outbox WHERE state = 'queued' AND due_at <= ")
        .big(now)
        .sql(" AND (leased_until IS NULL OR leased_until <= ")
        .big(now)
        .sql(") AND tenant_id NOT IN (SELECT id FROM tenants WHERE suspended IS NOT NULL) ORDER BY due_at")
        .limit(limit)
        .sql(skip);
    let sql = Sql::new("UPDATE outbox SET attempts = attempts + 1, leased_until = ")
        .big(until)
        .sql(" WHERE id IN (")
        .and(due)
        .sql(") RETURNING ")
        .sql(COLUMNS);
    load(conn, sql)
}

fn finish(conn: &mut Conn, tenant: TenantId, id: &str, state: &'static str, error: Option<&str>, now: i64) -> Result<(), Error> {
    // What is needed to write it again is kept of one that was given up.
    Sql::new("UPDATE outbox SET detail = CASE WHEN ")
        .text(state)
        .sql(" = 'dead' THEN detail END, leased_until = NULL, state = ")
        .text(state)
        .sql(", error = ")
        .maybe_text(error)
        .sql(", ended_at = ")
        .big(now)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND id = ")
        .text(id)
        .sql(" AND state = 'queued'")
        .run(conn)?;
    Ok(())
}

/// Records that a letter was sent.
///
/// # Errors
/// When the database fails.
pub fn sent(conn: &mut Conn, tenant: TenantId, id: &str, now: i64) -> Result<(), Error> {
    finish(conn, tenant, id, "sent", None, now)
}

/// Gives a letter up.
///
/// # Errors
/// When the database fails.
pub fn dead(conn: &mut Conn, tenant: TenantId, id: &str, why: &str, now: i64) -> Result<(), Error> {
    finish(conn, tenant, id, "dead", Some(why), now)
}

/// A letter that nobody must get any more.
///
/// # Errors
/// When the database fails.
pub fn cancelled(conn: &mut Conn, tenant: TenantId, id: &str, why: &str, now: i64) -> Result<(), Error> {
    finish(conn, tenant, id, "cancelled", Some(why), now)
}

/// Tries a letter again later.
///
/// # Errors
/// When the database fails.
pub fn again(conn: &mut Conn, tenant: TenantId, id: &str, why: &str, due_at: i64) -> Result<(), Error> {
    Sql::new("UPDATE outbox SET leased_until = NULL, error = ")
        .text(why)
        .sql(", due_at = ")
        .big(due_at)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND id = ")
        .text(id)
        .sql(" AND state = 'queued'")
        .run(conn)?;
    Ok(())
}

/// Cancels every letter to a person that was not sent yet.
///
/// # Errors
/// When the database fails.
pub fn cancel_all(conn: &mut Conn, tenant: TenantId, person: &str, now: i64) -> Result<(), Error> {
    Sql::new("UPDATE outbox SET state = 'cancelled', detail = NULL, leased_until = NULL, ended_at = ")
        .big(now)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND person = ")
        .text(person)
        .sql(" AND state = 'queued'")
        .run(conn)?;
    Ok(())
}

/// Removes every letter to a person.
///
/// # Errors
/// When the database fails.
pub fn clear(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM outbox WHERE tenant_id = ").big(tenant.0).sql(" AND person = ").text(person).run(conn)?;
    Ok(())
}

/// A tenant's letters, newest first; only those in one state, if one is named.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: TenantId, state: Option<&str>, limit: i64) -> Result<Vec<Entry>, Error> {
    let mut sql = Sql::new("SELECT ").sql(COLUMNS).sql(" FROM outbox WHERE tenant_id = ").big(tenant.0);
    if let Some(state) = state {
        sql = sql.sql(" AND state = ").text(state);
    }
    load(conn, sql.sql(" ORDER BY created_at DESC, id DESC").limit(limit))
}

/// A tenant's letters from the newest on, before `before`; only those in one state, if one is named.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, state: Option<&str>, before: &str, limit: i64) -> Result<Vec<Entry>, Error> {
    let mut sql = Sql::new("SELECT ").sql(COLUMNS).sql(" FROM outbox WHERE tenant_id = ").big(tenant.0);
    sql = match state {
        // Said in so many words, so that the index of these is used.
        Some("dead") => sql.sql(" AND state = 'dead'"),
        Some(state) => sql.sql(" AND state = ").text(state),
        None => sql,
    };
    if !before.is_empty() {
        sql = sql.sql(" AND id < ").text(before);
    }
    load(conn, sql.sql(" ORDER BY id DESC").limit(limit))
}

/// One of a tenant's letters.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<Entry>, Error> {
    let sql = Sql::new("SELECT ").sql(COLUMNS).sql(" FROM outbox WHERE tenant_id = ").big(tenant.0).sql(" AND id = ").text(id);
    Ok(load(conn, sql)?.pop())
}

/// Queues letters again that were given up: one, or all of a tenant. How many there were.
///
/// # Errors
/// When the database fails.
pub fn retry(conn: &mut Conn, tenant: TenantId, id: Option<&str>, now: i64) -> Result<usize, Error> {
    let mut sql = Sql::new("UPDATE outbox SET state = 'queued', attempts = 0, ended_at = NULL, created_at = ")
        .big(now)
        .sql(", due_at = ")
        .big(now)
        .sql(" WHERE state = 'dead' AND tenant_id = ")
        .big(tenant.0);
    if let Some(id) = id {
        sql = sql.sql(" AND id = ").text(id);
    }
    sql.run(conn)
}

/// Removes letters that ended before a time, at most so many.
///
/// # Errors
/// When the database fails.
pub fn prune(conn: &mut Conn, before: i64, limit: i64) -> Result<usize, Error> {
    Sql::new("DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE ended_at < ").big(before).limit(limit).sql(")").run(conn)
}

/// The last hundred letters to a person, newest first.
///
/// # Errors
/// When the database fails.
pub fn of_person(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Vec<Entry>, Error> {
    let sql = Sql::new("SELECT ").sql(COLUMNS).sql(" FROM outbox WHERE tenant_id = ").big(tenant.0).sql(" AND person = ").text(person);
    load(conn, sql.sql(" ORDER BY created_at DESC, id DESC").limit(100))
}
