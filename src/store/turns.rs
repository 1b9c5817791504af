//! Whose turn it is to write much at once.

use super::backend::{Conn, Dialect};
use super::error::Error;
use super::sql::Sql;
use crate::domain::TenantId;

/// The first half of the locks' numbers.
const BULK: i64 = 7_236_175 << 32;

/// Waits until no other transaction of the tenant writes much, and keeps its turn until the end of the transaction under way: two of
/// these touch the same rows in different orders, and PostgreSQL needs a second to notice that they wait for each other. SQLite has
/// only one writer.
///
/// # Errors
/// When the database fails.
pub fn take(conn: &mut Conn, tenant: TenantId) -> Result<(), Error> {
    if conn.dialect() == Dialect::Postgres {
        Sql::new("SELECT 1::bigint FROM (SELECT pg_advisory_xact_lock(").big(BULK + tenant.0).sql(")) AS lock").number(conn)?;
    }
    Ok(())
}
