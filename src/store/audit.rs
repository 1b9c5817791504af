//! What happened to members. Rows are added and read, never changed.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::{BigInt, Nullable, Text};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    pub person: String,
    /// Microseconds since the epoch.
    pub at: i64,
    /// `token`, `admin`, `member` or `timer`.
    pub actor_kind: String,
    /// The id of a token, what an admin goes by, or the name of a timer.
    pub actor: String,
    pub event: String,
    pub from: String,
    pub to: String,
    pub reason: Option<String>,
    /// What identifies people, encrypted with the person's key.
    pub detail: Option<String>,
    pub request_id: Option<String>,
}

/// Adds an event.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, tenant: TenantId, e: &Entry) -> Result<(), Error> {
    values(Sql::new(INSERT), tenant, e).run(conn)?;
    Ok(())
}

/// Adds events.
///
/// # Errors
/// When the database fails.
pub fn insert_all(conn: &mut Conn, tenant: TenantId, all: &[Entry]) -> Result<(), Error> {
    /// Databases take some tens of thousands of binds.
    const MOST: usize = 200;
    for some in all.chunks(MOST) {
        let mut sql = Sql::new(INSERT).uncached();
        for (i, e) in some.iter().enumerate() {
            sql = values(if i == 0 { sql } else { sql.sql(", ") }, tenant, e);
        }
        sql.run(conn)?;
    }
    Ok(())
}

const INSERT: &str = "INSERT INTO audit_events (id, tenant_id, person, at, actor_kind, actor, event, from_state, to_state, reason, detail, request_id) VALUES ";

fn values<'a>(sql: Sql<'a>, tenant: TenantId, e: &'a Entry) -> Sql<'a> {
    sql.sql("(")
        .text(e.id.as_str())
        .sql(", ")
        .big(tenant.0)
        .sql(", ")
        .text(e.person.as_str())
        .sql(", ")
        .big(e.at)
        .sql(", ")
        .text(e.actor_kind.as_str())
        .sql(", ")
        .text(e.actor.as_str())
        .sql(", ")
        .text(e.event.as_str())
        .sql(", ")
        .text(e.from.as_str())
        .sql(", ")
        .text(e.to.as_str())
        .sql(", ")
        .maybe_text(e.reason.as_deref())
        .sql(", ")
        .maybe_text(e.detail.as_deref())
        .sql(", ")
        .maybe_text(e.request_id.as_deref())
        .sql(")")
}

const SELECT: &str = "SELECT id, person, at, actor_kind, actor, event, from_state, to_state, reason, detail, request_id FROM audit_events WHERE tenant_id = ";
type Types = (Text, Text, BigInt, Text, Text, Text, Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>);
type Tuple = (String, String, i64, String, String, String, String, String, Option<String>, Option<String>, Option<String>);

/// The events of a tenant from the newest on, before `before`; only those that are about no member, if asked for.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, only_admin: bool, before: &str, limit: i64) -> Result<Vec<Entry>, Error> {
    let mut sql = Sql::new(SELECT).big(tenant.0);
    if only_admin {
        sql = sql.sql(" AND person = ''");
    }
    if !before.is_empty() {
        sql = sql.sql(" AND id < ").text(before);
    }
    load(conn, sql.sql(" ORDER BY id DESC").limit(limit))
}

fn load(conn: &mut Conn, sql: Sql<'_>) -> Result<Vec<Entry>, Error> {
    let rows: Vec<Tuple> = sql.load::<Types, _>(conn)?;
    let entry = |(id, person, at, actor_kind, actor, event, from, to, reason, detail, request_id)| Entry {
        id,
        person,
        at,
        actor_kind,
        actor,
        event,
        from,
        to,
        reason,
        detail,
        request_id,
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// The events of one person, oldest first, after the one with the id `after`.
///
/// # Errors
/// When the database fails.
pub fn of_person(conn: &mut Conn, tenant: TenantId, person: &str, after: &str, limit: i64) -> Result<Vec<Entry>, Error> {
    let sql = Sql::new(SELECT).big(tenant.0).sql(" AND person = ").text(person).sql(" AND id > ").text(after);
    load(conn, sql.sql(" ORDER BY id").limit(limit))
}

/// The latest event of a person that has changed anything.
///
/// # Errors
/// When the database fails.
pub fn last_change(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Option<Entry>, Error> {
    let sql =
        Sql::new(SELECT).big(tenant.0).sql(" AND person = ").text(person).sql(
            " AND event NOT IN ('warning', 'link_read', 'code_read', 'login', 'login_refused', 'claim_refused') ORDER BY id DESC LIMIT 1",
        );
    Ok(load(conn, sql)?.pop())
}

/// The key of a person, which is `fresh` if there was none.
///
/// # Errors
/// When the database fails.
pub fn key(conn: &mut Conn, tenant: TenantId, person: &str, fresh: &str) -> Result<String, Error> {
    Sql::new("INSERT INTO person_keys (tenant_id, person, value) VALUES (")
        .big(tenant.0)
        .sql(", ")
        .text(person)
        .sql(", ")
        .text(fresh)
        .sql(") ON CONFLICT DO NOTHING")
        .run(conn)?;
    Ok(find_key(conn, tenant, person)?.unwrap_or_else(|| fresh.to_owned()))
}

/// The key of a person, unless it was thrown away or never needed.
///
/// # Errors
/// When the database fails.
pub fn find_key(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Option<String>, Error> {
    let rows: Vec<String> = Sql::new("SELECT value FROM person_keys WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND person = ")
        .text(person)
        .load::<Text, _>(conn)?;
    Ok(rows.into_iter().next())
}

/// Throws the key of a person away; nothing that it opened can be read again.
///
/// # Errors
/// When the database fails.
pub fn shred_key(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM person_keys WHERE tenant_id = ").big(tenant.0).sql(" AND person = ").text(person).run(conn)?;
    Ok(())
}
