//! Invitation links, by their hash.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};

/// A link that was sent, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub tenant: TenantId,
    pub person: String,
    pub generation: i64,
    /// `live`, `used`, `superseded`, `revoked` or `expired`.
    pub state: String,
    pub hash: String,
    /// Times are microseconds since the epoch.
    pub created_at: i64,
    pub expires_at: i64,
    pub ended_at: Option<i64>,
    /// How many reminders were sent.
    pub reminders: i16,
    pub remind_at: Option<i64>,
    /// Why its mail could not be delivered.
    pub undeliverable: Option<String>,
}

impl Invitation {
    /// Whether the link opens anything at `now`.
    #[must_use]
    pub fn is_live(&self, now: i64) -> bool {
        self.state == "live" && now < self.expires_at
    }
}

const SELECT: &str = "SELECT tenant_id, person, generation, state, hash, created_at, expires_at, ended_at, reminders, remind_at, undeliverable \
     FROM invitations WHERE ";

type Types = (BigInt, Text, BigInt, Text, Text, BigInt, BigInt, Nullable<BigInt>, SmallInt, Nullable<BigInt>, Nullable<Text>);
type Tuple = (i64, String, i64, String, String, i64, i64, Option<i64>, i16, Option<i64>, Option<String>);

fn invitation(t: Tuple) -> Invitation {
    let (tenant, person, generation, state, hash, created_at, expires_at, ended_at, reminders, remind_at, undeliverable) = t;
    Invitation {
        tenant: TenantId(tenant),
        person,
        generation,
        state,
        hash,
        created_at,
        expires_at,
        ended_at,
        reminders,
        remind_at,
        undeliverable,
    }
}

fn load(conn: &mut Conn, sql: Sql<'_>) -> Result<Vec<Invitation>, Error> {
    let rows: Vec<Tuple> = sql.load::<Types, _>(conn)?;
    Ok(rows.into_iter().map(invitation).collect())
}

/// Adds a live link. There must be no other.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, i: &Invitation) -> Result<(), Error> {
    Sql::new("INSERT INTO invitations (tenant_id, person, generation, state, hash, created_at, expires_at, reminders, remind_at) VALUES (")
        .big(i.tenant.0)
        .sql(", ")
        .text(i.person.as_str())
        .sql(", ")
        .big(i.generation)
        .sql(", 'live', ")
        .text(i.hash.as_str())
        .sql(", ")
        .big(i.created_at)
        .sql(", ")
        .big(i.expires_at)
        .sql(", 0, ")
        .maybe_big(i.remind_at)
        .sql(")")
        .run(conn)?;
    Ok(())
}

/// The link with that hash, whoever's it is: this is how a member is found.
///
/// # Errors
/// When the database fails.
pub fn find_by_hash(conn: &mut Conn, hash: &str) -> Result<Option<Invitation>, Error> {
    Ok(load(conn, Sql::new(SELECT).sql("hash = ").text(hash))?.pop())
}

/// The latest link of a person.
///
/// # Errors
/// When the database fails.
pub fn latest(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Option<Invitation>, Error> {
    let sql = Sql::new(SELECT).sql("tenant_id = ").big(tenant.0).sql(" AND person = ").text(person);
    Ok(load(conn, sql.sql(" ORDER BY generation DESC").limit(1))?.pop())
}

/// Ends the live link of a person; whether there was one.
///
/// # Errors
/// When the database fails.
pub fn end(conn: &mut Conn, tenant: TenantId, person: &str, how: &'static str, now: i64) -> Result<bool, Error> {
    let ended = Sql::new("UPDATE invitations SET remind_at = NULL, state = ")
        .text(how)
        .sql(", ended_at = ")
        .big(now)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND person = ")
        .text(person)
        .sql(" AND state = 'live'")
        .run(conn)?;
    Ok(ended > 0)
}

/// Counts a reminder and sets when the next one is due.
///
/// # Errors
/// When the database fails.
pub fn reminded(conn: &mut Conn, tenant: TenantId, person: &str, next: Option<i64>) -> Result<(), Error> {
    Sql::new("UPDATE invitations SET reminders = reminders + 1, remind_at = ")
        .maybe_big(next)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND person = ")
        .text(person)
        .sql(" AND state = 'live'")
        .run(conn)?;
    Ok(())
}

/// Records that the mail of a link came back; it is not sent again.
///
/// # Errors
/// When the database fails.
pub fn undeliverable(conn: &mut Conn, tenant: TenantId, person: &str, generation: i64, why: &str) -> Result<(), Error> {
    Sql::new("UPDATE invitations SET remind_at = NULL, undeliverable = ")
        .text(why)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND person = ")
        .text(person)
        .sql(" AND generation = ")
        .big(generation)
        .run(conn)?;
    Ok(())
}

/// Links whose reminder is due: tenant and person.
///
/// # Errors
/// When the database fails.
pub fn to_remind(conn: &mut Conn, now: i64, limit: i64) -> Result<Vec<Invitation>, Error> {
    load(conn, Sql::new(SELECT).sql("remind_at <= ").big(now).sql(" ORDER BY remind_at").limit(limit))
}

/// Links that have just expired.
///
/// # Errors
/// When the database fails.
pub fn to_expire(conn: &mut Conn, now: i64, limit: i64) -> Result<Vec<Invitation>, Error> {
    load(conn, Sql::new(SELECT).sql("state = 'live' AND expires_at <= ").big(now).sql(" ORDER BY expires_at").limit(limit))
}

/// Removes every link of a person.
///
/// # Errors
/// When the database fails.
pub fn clear(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM invitations WHERE tenant_id = ").big(tenant.0).sql(" AND person = ").text(person).run(conn)?;
    Ok(())
}
