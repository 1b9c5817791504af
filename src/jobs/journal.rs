//! The provisioning log: writing down what waits, and removing what is old.

use super::beat::Beat;
use super::housekeeping::{PRUNE_AT_ONCE, all, report};
use crate::app::App;
use crate::app::journal::Rows;
use crate::domain::TenantId;
use crate::domain::settings::DAY;
use crate::error::Result;
use crate::store::{Conn, Error, journal, tenants};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a row waits at most before it is written.
const BEAT: Duration = Duration::from_secs(1);
/// Rows that are written at once, so that other writes come in between.
const AT_ONCE: usize = 500;

/// Starts the thread that writes. It writes what is left when it is dropped.
///
/// # Errors
/// When the system has no thread left.
pub(super) fn start(app: Arc<App>) -> std::io::Result<Beat> {
    let working = app.clone();
    Beat::start(
        "journal",
        BEAT,
        move |_| report("the provisioning log", write(&working)),
        move || report("the provisioning log", write(&app)),
    )
}

/// Writes down what waits. What cannot be written goes on waiting.
fn write(app: &App) -> Result<()> {
    let mut waiting = app.take_log();
    while !waiting.is_empty() {
        let part: Arc<Vec<_>> = Arc::new(waiting.drain(..waiting.len().min(AT_ONCE)).collect());
        let rows = part.clone();
        if let Err(e) = app.write_blocking(move |conn| Ok(journal::insert_all(conn, &rows)?)) {
            let mut kept: Rows = Arc::unwrap_or_clone(part).into();
            kept.append(&mut waiting);
            app.log_again(kept);
            return Err(e);
        }
    }
    Ok(())
}

/// Removes what the tenants no longer want of it.
///
/// # Errors
/// When the database fails.
pub fn prune(app: &App, now: i64) -> Result<()> {
    let usual = app.config.notes.keep_days;
    let due = app.read_blocking(move |conn| Ok(due(conn, usual, now)?))?;
    for (tenant, before) in due {
        all(app, move |conn| Ok(journal::prune(conn, tenant, before, PRUNE_AT_ONCE)?))?;
    }
    Ok(())
}

/// The tenants that have something to remove, and from before when.
fn due(conn: &mut Conn, usual: u32, now: i64) -> std::result::Result<Vec<(TenantId, i64)>, Error> {
    let oldest = journal::oldest(conn)?;
    if oldest.is_empty() {
        return Ok(Vec::new());
    }
    let days: HashMap<TenantId, u32> = tenants::list(conn)?.iter().map(|t| (t.id, t.settings.log_days.map_or(usual, u32::from))).collect();
    let before = |tenant: &TenantId| now - i64::from(days.get(tenant).copied().unwrap_or(usual)) * DAY;
    Ok(oldest.into_iter().map(|(tenant, at)| (tenant, at, before(&tenant))).filter(|(_, at, b)| at < b).map(|(t, _, b)| (t, b)).collect())
}
