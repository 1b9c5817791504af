//! Work on many members: the list is made first, then worked off a few at a time.

use super::backend::{Conn, Dialect};
use super::error::Error;
use super::roster::{self, Chosen};
use super::sql::Sql;
use crate::domain::TenantId;
use diesel::sql_types::{BigInt, Nullable, Text};

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: String,
    pub tenant: TenantId,
    /// What is done to each member.
    pub kind: String,
    pub actor: String,
    /// Why it is done.
    pub argument: Option<String>,
    pub total: i64,
    pub done: i64,
    pub failed: i64,
    /// Times are microseconds since the epoch.
    pub created_at: i64,
    pub ended_at: Option<i64>,
}

/// Which members a job is for.
#[derive(Debug, Clone, Copy)]
pub enum Listed<'a> {
    Ids(&'a [String]),
    Chosen(&'a Chosen),
    /// Those who failed in a job before.
    FailedIn(&'a str),
}

const COLUMNS: &str = "SELECT id, tenant_id, kind, actor, argument, total, done, failed, created_at, ended_at FROM bulk_jobs WHERE ";
type Types = (Text, BigInt, Text, Text, Nullable<Text>, BigInt, BigInt, BigInt, BigInt, Nullable<BigInt>);
type Tuple = (String, i64, String, String, Option<String>, i64, i64, i64, i64, Option<i64>);

fn load(conn: &mut Conn, sql: Sql<'_>) -> Result<Vec<Job>, Error> {
    let rows: Vec<Tuple> = sql.load::<Types, _>(conn)?;
    let job = |(id, tenant, kind, actor, argument, total, done, failed, created_at, ended_at)| Job {
        id,
        tenant: TenantId(tenant),
        kind,
        actor,
        argument,
        total,
        done,
        failed,
        created_at,
        ended_at,
    };
    Ok(rows.into_iter().map(job).collect())
}

/// Adds a job and its list; the job with its total.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, tenant: TenantId, job: &Job, listed: Listed<'_>) -> Result<Job, Error> {
    let total = match listed {
        Listed::Ids(ids) => add_ids(conn, tenant, &job.id, ids)?,
        Listed::Chosen(chosen) => roster::list_for_job(conn, tenant, &job.id, chosen)?,
        Listed::FailedIn(before) => add_failed(conn, tenant, &job.id, before)?,
    };
    let total = i64::try_from(total).unwrap_or(i64::MAX);
    let ended_at = (total == 0).then_some(job.created_at);
    Sql::new("INSERT INTO bulk_jobs (id, tenant_id, kind, actor, argument, total, done, failed, created_at, ended_at) VALUES (")
        .text(job.id.as_str())
        .sql(", ")
        .big(tenant.0)
        .sql(", ")
        .text(job.kind.as_str())
        .sql(", ")
        .text(job.actor.as_str())
        .sql(", ")
        .maybe_text(job.argument.as_deref())
        .sql(", ")
        .big(total)
        .sql(", 0, 0, ")
        .big(job.created_at)
        .sql(", ")
        .maybe_big(ended_at)
        .sql(")")
        .run(conn)?;
    Ok(Job { total, ended_at, ..job.clone() })
}

fn add_ids(conn: &mut Conn, tenant: TenantId, job: &str, ids: &[String]) -> Result<usize, Error> {
    let mut added = 0;
    for part in ids.chunks(300) {
        let mut sql = Sql::new("INSERT INTO bulk_items (tenant_id, job_id, member_id) VALUES ");
        for (i, id) in part.iter().enumerate() {
            sql = sql.sql(if i == 0 { "(" } else { ", (" }).big(tenant.0).sql(", ").text(job).sql(", ").text(id.as_str()).sql(")");
        }
        added += sql.sql(" ON CONFLICT DO NOTHING").uncached().run(conn)?;
    }
    Ok(added)
}

fn add_failed(conn: &mut Conn, tenant: TenantId, job: &str, before: &str) -> Result<usize, Error> {
    Sql::new("INSERT INTO bulk_items (tenant_id, job_id, member_id) SELECT i.tenant_id, ")
        .text(job)
        .sql(", i.member_id FROM bulk_items i WHERE i.tenant_id = ")
        .big(tenant.0)
        .sql(" AND i.job_id = ")
        .text(before)
        .sql(" AND i.outcome IS NOT NULL AND i.outcome <> 'ok'")
        .run(conn)
}

/// A job.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<Job>, Error> {
    Ok(load(conn, Sql::new(COLUMNS).sql("tenant_id = ").big(tenant.0).sql(" AND id = ").text(id))?.pop())
}

/// A tenant's jobs, newest first: those that are older than `before`, if that is not empty.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: TenantId, before: &str, limit: i64) -> Result<Vec<Job>, Error> {
    let sql = Sql::new(COLUMNS).sql("tenant_id = ").big(tenant.0);
    let sql = if before.is_empty() { sql } else { sql.sql(" AND id < ").text(before) };
    load(conn, sql.sql(" ORDER BY id DESC").limit(limit))
}

/// The jobs that are not finished, oldest first.
///
/// # Errors
/// When the database fails.
pub fn open(conn: &mut Conn) -> Result<Vec<Job>, Error> {
    load(conn, Sql::new(COLUMNS).sql("ended_at IS NULL ORDER BY created_at, id").limit(100))
}

/// The next members of a job that nobody is working on, held until the end of the transaction.
///
/// # Errors
/// When the database fails.
pub fn take(conn: &mut Conn, tenant: TenantId, job: &str, limit: i64) -> Result<Vec<String>, Error> {
    let sql = Sql::new("SELECT i.member_id FROM bulk_items i WHERE i.tenant_id = ")
        .big(tenant.0)
        .sql(" AND i.job_id = ")
        .text(job)
        .sql(" AND i.outcome IS NULL ORDER BY i.member_id")
        .limit(limit);
    let sql = if conn.dialect() == Dialect::Postgres { sql.sql(" FOR UPDATE SKIP LOCKED") } else { sql };
    sql.load::<Text, _>(conn)
}

/// Records what became of one member.
///
/// # Errors
/// When the database fails.
pub fn settle(conn: &mut Conn, tenant: TenantId, job: &str, member: &str, outcome: &str) -> Result<(), Error> {
    Sql::new("UPDATE bulk_items SET outcome = ")
        .text(outcome)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND job_id = ")
        .text(job)
        .sql(" AND member_id = ")
        .text(member)
        .run(conn)?;
    Ok(())
}

/// Counts what was done, and closes the job when that was all.
///
/// # Errors
/// When the database fails.
pub fn advance(conn: &mut Conn, tenant: TenantId, job: &str, done: i64, failed: i64, now: i64) -> Result<(), Error> {
    Sql::new("UPDATE bulk_jobs SET done = done + ")
        .big(done)
        .sql(", failed = failed + ")
        .big(failed)
        .sql(", ended_at = CASE WHEN done + failed + ")
        .big(done + failed)
        .sql(" >= total THEN ")
        .big(now)
        .sql(" END WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND id = ")
        .text(job)
        .run(conn)?;
    Ok(())
}

/// The members with whom a job failed, and why; by id, after `after`.
///
/// # Errors
/// When the database fails.
pub fn failures(conn: &mut Conn, tenant: TenantId, job: &str, after: &str, limit: i64) -> Result<Vec<(String, String)>, Error> {
    Sql::new("SELECT member_id, outcome FROM bulk_items WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND job_id = ")
        .text(job)
        .sql(" AND member_id > ")
        .text(after)
        .sql(" AND outcome IS NOT NULL AND outcome <> 'ok' ORDER BY member_id")
        .limit(limit)
        .load::<(Text, Text), _>(conn)
}

/// Takes a person out of every list.
///
/// # Errors
/// When the database fails.
pub fn forget(conn: &mut Conn, tenant: TenantId, member: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM bulk_items WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND member_id = ")
        .text(member)
        .sql(" AND outcome IS NOT NULL")
        .run(conn)?;
    Ok(())
}
