//! Access codes and passwords of members.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::{BigInt, Nullable, Text};

/// An access code, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub id: String,
    pub tenant: TenantId,
    pub person: String,
    /// Keyed hash.
    pub lookup: String,
    /// The code, encrypted; gone when it can no longer be used.
    pub sealed: Option<String>,
    /// `live`, `used`, `superseded`, `revoked` or `expired`.
    pub state: String,
    /// Times are microseconds since the epoch.
    pub created_at: i64,
    pub expires_at: i64,
    pub ended_at: Option<i64>,
}

impl Code {
    /// Whether the code opens anything at `now`.
    #[must_use]
    pub fn is_live(&self, now: i64) -> bool {
        self.state == "live" && now < self.expires_at
    }
}

const SELECT: &str =
    "SELECT c.id, c.tenant_id, c.person, c.lookup, c.sealed, c.state, c.created_at, c.expires_at, c.ended_at FROM access_codes c WHERE ";

type Types = (Text, BigInt, Text, Text, Nullable<Text>, Text, BigInt, BigInt, Nullable<BigInt>);
type Tuple = (String, i64, String, String, Option<String>, String, i64, i64, Option<i64>);

fn load(conn: &mut Conn, sql: Sql<'_>) -> Result<Vec<Code>, Error> {
    let rows: Vec<Tuple> = sql.load::<Types, _>(conn)?;
    let code = |(id, tenant, person, lookup, sealed, state, created_at, expires_at, ended_at)| Code {
        id,
        tenant: TenantId(tenant),
        person,
        lookup,
        sealed,
        state,
        created_at,
        expires_at,
        ended_at,
    };
    Ok(rows.into_iter().map(code).collect())
}

/// Adds a live code. There must be no other.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, c: &Code) -> Result<(), Error> {
    Sql::new("INSERT INTO access_codes (id, tenant_id, person, lookup, sealed, state, created_at, expires_at) VALUES (")
        .text(c.id.as_str())
        .sql(", ")
        .big(c.tenant.0)
        .sql(", ")
        .text(c.person.as_str())
        .sql(", ")
        .text(c.lookup.as_str())
        .sql(", ")
        .maybe_text(c.sealed.as_deref())
        .sql(", 'live', ")
        .big(c.created_at)
        .sql(", ")
        .big(c.expires_at)
        .sql(")")
        .run(conn)?;
    Ok(())
}

/// The code with that keyed hash, whoever's it is: this is how a member is found.
///
/// # Errors
/// When the database fails.
pub fn find_by_lookup(conn: &mut Conn, lookup: &str) -> Result<Option<Code>, Error> {
    Ok(load(conn, Sql::new(SELECT).sql("c.lookup = ").text(lookup))?.pop())
}

/// The live code of a person.
///
/// # Errors
/// When the database fails.
pub fn live(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Option<Code>, Error> {
    let sql = Sql::new(SELECT).sql("c.tenant_id = ").big(tenant.0).sql(" AND c.person = ").text(person).sql(" AND c.state = 'live'");
    Ok(load(conn, sql)?.pop())
}

/// The live codes of a tenant, by person.
///
/// # Errors
/// When the database fails.
pub fn all_live(conn: &mut Conn, tenant: TenantId, now: i64) -> Result<Vec<Code>, Error> {
    let sql = Sql::new(SELECT).sql("c.tenant_id = ").big(tenant.0).sql(" AND c.state = 'live' AND c.expires_at > ").big(now);
    load(conn, sql.sql(" ORDER BY c.person"))
}

/// The live codes of a tenant by the order of the members, after `after`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, after: &str, now: i64, limit: i64) -> Result<Vec<Code>, Error> {
    let sql = Sql::new(SELECT).sql("c.tenant_id = ").big(tenant.0).sql(" AND c.state = 'live' AND c.expires_at > ").big(now);
    load(conn, sql.sql(" AND c.person > ").text(after).sql(" ORDER BY c.person").limit(limit))
}

/// Ends the live code of a person, and what it was encrypted as; whether there was one.
///
/// # Errors
/// When the database fails.
pub fn end(conn: &mut Conn, tenant: TenantId, person: &str, how: &'static str, now: i64) -> Result<bool, Error> {
    let ended = Sql::new("UPDATE access_codes SET sealed = NULL, state = ")
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

/// Codes that have just expired.
///
/// # Errors
/// When the database fails.
pub fn to_expire(conn: &mut Conn, now: i64, limit: i64) -> Result<Vec<Code>, Error> {
    load(conn, Sql::new(SELECT).sql("c.state = 'live' AND c.expires_at <= ").big(now).sql(" ORDER BY c.expires_at").limit(limit))
}

/// Where a password came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The member chose it on the claim page.
    Claim,
    Scim,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Scim => "scim",
        }
    }
}

/// The hash of a member's password.
///
/// # Errors
/// When the database fails.
pub fn password(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Option<String>, Error> {
    let sql = Sql::new("SELECT c.hash FROM credentials c WHERE c.tenant_id = ").big(tenant.0).sql(" AND c.person = ").text(person);
    let rows: Vec<String> = sql.load::<Text, _>(conn)?;
    Ok(rows.into_iter().next())
}

/// Sets the hash of a member's password.
///
/// # Errors
/// When the database fails.
pub fn set_password(conn: &mut Conn, tenant: TenantId, person: &str, hash: &str, origin: Origin, now: i64) -> Result<(), Error> {
    Sql::new("INSERT INTO credentials (tenant_id, person, hash, changed_at, origin) VALUES (")
        .big(tenant.0)
        .sql(", ")
        .text(person)
        .sql(", ")
        .text(hash)
        .sql(", ")
        .big(now)
        .sql(", ")
        .text(origin.as_str())
        .sql(") ON CONFLICT (tenant_id, person) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at, origin = excluded.origin")
        .run(conn)?;
    Ok(())
}

/// Removes a member's password; whether there was one.
///
/// # Errors
/// When the database fails.
pub fn clear_password(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<bool, Error> {
    let gone = Sql::new("DELETE FROM credentials WHERE tenant_id = ").big(tenant.0).sql(" AND person = ").text(person).run(conn)?;
    Ok(gone > 0)
}

/// Removes every code of a person.
///
/// # Errors
/// When the database fails.
pub fn clear(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM access_codes WHERE tenant_id = ").big(tenant.0).sql(" AND person = ").text(person).run(conn)?;
    Ok(())
}
