//! How much waits, in all tenants together: numbers only, for whoever watches the server. Every statement walks an index of what
//! is open, never what is done.

use super::backend::Conn;
use super::due;
use super::error::Error;
use super::sql::Sql;
use diesel::sql_types::{BigInt, Nullable};

/// What waits. Times are microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queues {
    pub mails_queued: i64,
    pub mails_dead: i64,
    pub jobs: i64,
    /// Members that open jobs have not come to yet.
    pub job_items: i64,
    /// Members who are to be anonymised now.
    pub anonymisations: i64,
    /// When the mail was made that has waited longest.
    pub oldest_mail: Option<i64>,
    pub oldest_job: Option<i64>,
    /// When the first of the due anonymisations became due.
    pub oldest_purge: Option<i64>,
}

/// Looks how much waits.
///
/// # Errors
/// When the database fails.
pub fn measure(conn: &mut Conn, now: i64) -> Result<Queues, Error> {
    let (mails_queued, _, oldest_mail) = one(conn, queued())?;
    let (mails_dead, ..) = one(conn, dead())?;
    let (jobs, job_items, oldest_job) = one(conn, self::jobs())?;
    let (anonymisations, _, oldest_purge) = one(conn, anonymisations(now))?;
    Ok(Queues { mails_queued, mails_dead, jobs, job_items, anonymisations, oldest_mail, oldest_job, oldest_purge })
}

fn one(conn: &mut Conn, sql: Sql<'_>) -> Result<(i64, i64, Option<i64>), Error> {
    let rows: Vec<(i64, i64, Option<i64>)> = sql.load::<(BigInt, BigInt, Nullable<BigInt>), _>(conn)?;
    Ok(rows.first().copied().unwrap_or_default())
}

/// Mails that wait.
#[must_use]
pub fn queued() -> Sql<'static> {
    Sql::new("SELECT COUNT(*), CAST(0 AS BIGINT), MIN(created_at) FROM outbox WHERE state = 'queued'")
}

/// Mails that were given up.
#[must_use]
pub fn dead() -> Sql<'static> {
    Sql::new("SELECT COUNT(*), CAST(0 AS BIGINT), CAST(NULL AS BIGINT) FROM outbox WHERE state = 'dead'")
}

/// Open jobs, and their members still to come.
#[must_use]
pub fn jobs() -> Sql<'static> {
    Sql::new(
        "SELECT COUNT(*), CAST(COALESCE(SUM(total - done - failed), 0) AS BIGINT), MIN(created_at) FROM bulk_jobs WHERE ended_at IS NULL",
    )
}

/// Members who are to be anonymised.
#[must_use]
pub fn anonymisations(now: i64) -> Sql<'static> {
    due::to_purge(Sql::new("SELECT COUNT(*), CAST(0 AS BIGINT), MIN(r.purge_at) FROM resources r WHERE "), now)
}
