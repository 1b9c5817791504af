//! What anonymisation needs: the steps that are done, groups that were left, suppressions and freezes.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::{BigInt, Nullable, Text};

/// The steps of a person that are done, with their times.
///
/// # Errors
/// When the database fails.
pub fn steps(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Vec<(String, i64)>, Error> {
    Sql::new("SELECT step, at FROM purge_steps WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND person = ")
        .text(person)
        .sql(" ORDER BY at, step")
        .load::<(Text, BigInt), _>(conn)
}

/// Records a step.
///
/// # Errors
/// When it was recorded before: then this transaction must not do it again.
pub fn record(conn: &mut Conn, tenant: TenantId, person: &str, step: &'static str, now: i64) -> Result<(), Error> {
    Sql::new("INSERT INTO purge_steps (tenant_id, person, step, at) VALUES (")
        .big(tenant.0)
        .sql(", ")
        .text(person)
        .sql(", ")
        .text(step)
        .sql(", ")
        .big(now)
        .sql(")")
        .run(conn)?;
    Ok(())
}

/// Forgets the steps of a person who was restored before the end.
///
/// # Errors
/// When the database fails.
pub fn start_over(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM purge_steps WHERE tenant_id = ").big(tenant.0).sql(" AND person = ").text(person).run(conn)?;
    Ok(())
}

/// Keeps aside which groups a person was in.
///
/// # Errors
/// When the database fails.
pub fn keep_groups(conn: &mut Conn, tenant: TenantId, person: &str, groups: &[String]) -> Result<(), Error> {
    for group in groups {
        Sql::new("INSERT INTO former_groups (tenant_id, person, group_id) VALUES (")
            .big(tenant.0)
            .sql(", ")
            .text(person)
            .sql(", ")
            .text(group.as_str())
            .sql(") ON CONFLICT DO NOTHING")
            .run(conn)?;
    }
    Ok(())
}

/// The groups that were kept aside.
///
/// # Errors
/// When the database fails.
pub fn kept_groups(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Vec<String>, Error> {
    Sql::new("SELECT group_id FROM former_groups WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND person = ")
        .text(person)
        .sql(" ORDER BY group_id")
        .load::<Text, _>(conn)
}

/// Forgets them.
///
/// # Errors
/// When the database fails.
pub fn drop_kept_groups(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM former_groups WHERE tenant_id = ").big(tenant.0).sql(" AND person = ").text(person).run(conn)?;
    Ok(())
}

/// Keeps a keyed hash of somebody who was anonymised.
///
/// # Errors
/// When the database fails.
pub fn suppress(conn: &mut Conn, tenant: TenantId, hash: &str, reason: &str, now: i64, expires_at: i64) -> Result<(), Error> {
    Sql::new("INSERT INTO suppressions (tenant_id, hash, reason, created_at, expires_at) VALUES (")
        .big(tenant.0)
        .sql(", ")
        .text(hash)
        .sql(", ")
        .text(reason)
        .sql(", ")
        .big(now)
        .sql(", ")
        .big(expires_at)
        .sql(") ON CONFLICT (tenant_id, hash) DO UPDATE SET expires_at = excluded.expires_at")
        .run(conn)?;
    Ok(())
}

/// Removes suppressions that have expired.
///
/// # Errors
/// When the database fails.
pub fn prune(conn: &mut Conn, now: i64) -> Result<usize, Error> {
    Sql::new("DELETE FROM suppressions WHERE expires_at <= ").big(now).run(conn)
}

/// A time in which more members were deactivated than is usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    pub id: String,
    /// Times are microseconds since the epoch.
    pub from_at: i64,
    pub to_at: i64,
    /// How many were deactivated, of how many.
    pub members: i64,
    pub base: i64,
    pub opened_at: i64,
    pub confirmed_at: Option<i64>,
    pub confirmed_by: Option<String>,
}

type Tuple = (String, i64, i64, i64, i64, i64, Option<i64>, Option<String>);

/// A tenant's freezes, newest first.
///
/// # Errors
/// When the database fails.
pub fn freezes(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Freeze>, Error> {
    let rows: Vec<Tuple> =
        Sql::new("SELECT id, from_at, to_at, members, base, opened_at, confirmed_at, confirmed_by FROM freezes WHERE tenant_id = ")
            .big(tenant.0)
            .sql(" ORDER BY opened_at DESC, id DESC")
            .limit(100)
            .load::<(Text, BigInt, BigInt, BigInt, BigInt, BigInt, Nullable<BigInt>, Nullable<Text>), _>(conn)?;
    let freeze = |(id, from_at, to_at, members, base, opened_at, confirmed_at, confirmed_by)| Freeze {
        id,
        from_at,
        to_at,
        members,
        base,
        opened_at,
        confirmed_at,
        confirmed_by,
    };
    Ok(rows.into_iter().map(freeze).collect())
}

/// Opens a freeze.
///
/// # Errors
/// When the database fails.
pub fn open_freeze(conn: &mut Conn, tenant: TenantId, f: &Freeze) -> Result<(), Error> {
    Sql::new("INSERT INTO freezes (id, tenant_id, from_at, to_at, members, base, opened_at) VALUES (")
        .text(f.id.as_str())
        .sql(", ")
        .big(tenant.0)
        .sql(", ")
        .big(f.from_at)
        .sql(", ")
        .big(f.to_at)
        .sql(", ")
        .big(f.members)
        .sql(", ")
        .big(f.base)
        .sql(", ")
        .big(f.opened_at)
        .sql(")")
        .run(conn)?;
    Ok(())
}

/// Lets a freeze reach further.
///
/// # Errors
/// When the database fails.
pub fn extend_freeze(conn: &mut Conn, tenant: TenantId, id: &str, to_at: i64, members: i64) -> Result<(), Error> {
    Sql::new("UPDATE freezes SET to_at = ")
        .big(to_at)
        .sql(", members = ")
        .big(members)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND id = ")
        .text(id)
        .run(conn)?;
    Ok(())
}

/// Confirms every open freeze of a tenant; how many there were.
///
/// # Errors
/// When the database fails.
pub fn confirm(conn: &mut Conn, tenant: TenantId, by: &str, now: i64) -> Result<usize, Error> {
    Sql::new("UPDATE freezes SET confirmed_at = ")
        .big(now)
        .sql(", confirmed_by = ")
        .text(by)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND confirmed_at IS NULL")
        .run(conn)
}

/// Whether a member of a tenant is under a legal hold.
///
/// # Errors
/// When the database fails.
pub fn held(conn: &mut Conn, tenant: TenantId) -> Result<bool, Error> {
    let rows: Vec<String> = Sql::new("SELECT id FROM resources WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND legal_hold IS NOT NULL")
        .limit(1)
        .load::<Text, _>(conn)?;
    Ok(!rows.is_empty())
}
