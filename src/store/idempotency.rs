//! Answers to creations that may be sent twice.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use diesel::sql_types::{SmallInt, Text};

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The hash of the request that it answered.
    pub request: String,
    pub status: i16,
    /// Sealed.
    pub answer: String,
}

/// The answer that was given to somebody's request of that key.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, owner: &str, hash: &str) -> Result<Option<Given>, Error> {
    let rows: Vec<(String, i16, String)> = Sql::new("SELECT request, status, answer FROM idempotency_keys WHERE owner = ")
        .text(owner)
        .sql(" AND hash = ")
        .text(hash)
        .load::<(Text, SmallInt, Text), _>(conn)?;
    Ok(rows.into_iter().next().map(|(request, status, answer)| Given { request, status, answer }))
}

/// Keeps an answer.
///
/// # Errors
/// [`Error::Duplicate`] when the same request is being answered at the same time.
pub fn insert(conn: &mut Conn, owner: &str, hash: &str, given: &Given, now: i64) -> Result<(), Error> {
    Sql::new("INSERT INTO idempotency_keys (owner, hash, request, status, answer, created_at) VALUES (")
        .text(owner)
        .sql(", ")
        .text(hash)
        .sql(", ")
        .text(given.request.as_str())
        .sql(", ")
        .small(given.status)
        .sql(", ")
        .text(given.answer.as_str())
        .sql(", ")
        .big(now)
        .sql(")")
        .run(conn)?;
    Ok(())
}

/// Removes at most `limit` answers from before a time; how many there were.
///
/// # Errors
/// When the database fails.
pub fn prune(conn: &mut Conn, before: i64, limit: i64) -> Result<usize, Error> {
    Sql::new("DELETE FROM idempotency_keys WHERE (owner, hash) IN (SELECT owner, hash FROM idempotency_keys WHERE created_at < ")
        .big(before)
        .limit(limit)
        .sql(")")
        .run(conn)
}
