//! What happens beside the requests: noticing revoked tokens, writing down uses and notes, pruning.

use super::beat::Beat;
use super::journal;
use crate::app::App;
use crate::domain::Credential;
use crate::domain::settings::DAY;
use crate::error::Result;
use crate::store::{Conn, admin_keys, clients, idempotency, issuers, notes, outbox, purge, tokens};
use std::sync::Arc;
use std::time::Duration;

/// How often the database is asked whether tokens have changed.
const BEAT: Duration = Duration::from_millis(250);
/// Beats between two writes of notes and uses.
const WRITE_EVERY: u32 = 4;
/// Beats between two times that senders of requests are forgotten who are quiet.
const TIDY_EVERY: u32 = 4 * 60;
/// Beats between two prunings.
const PRUNE_EVERY: u32 = 4 * 60 * 10;
/// Rows that one pruning removes at most, so that it holds nothing up.
pub(super) const PRUNE_AT_ONCE: i64 = 500;

/// The threads. They do their last writes when this is dropped.
pub struct Housekeeping {
    _thread: Beat,
    /// A thread of its own, so that many rows never keep a revoked token from being noticed.
    _journal: Beat,
}

impl Housekeeping {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(app: Arc<App>) -> std::io::Result<Self> {
        let journal = journal::start(app.clone())?;
        let (working, mut beat) = (app.clone(), 0_u32);
        let work = move |_: &dyn Fn() -> bool| {
            beat = beat.wrapping_add(1);
            run(&working, beat);
        };
        let thread = Beat::start("housekeeping", BEAT, work, move || report("notes", write_down(&app)))?;
        Ok(Self { _thread: thread, _journal: journal })
    }
}

fn run(app: &App, beat: u32) {
    if let Err(e) = app.refresh_auth() {
        log::warn!("the database cannot be asked whether tokens have changed: {e}");
    }
    if beat.is_multiple_of(WRITE_EVERY) {
        app.metrics.sort_in();
        report("notes", write_down(app));
        report("statistics", app.refresh_statistics().map_err(Into::into));
    }
    if beat.is_multiple_of(TIDY_EVERY) {
        app.rates.tidy(app.now());
    }
    if beat % PRUNE_EVERY == 1 {
        report("pruning", prune(app));
    }
}

pub(super) fn report(what: &str, result: Result<()>) {
    if let Err(e) = result {
        log::warn!("{what}: {e}");
    }
}

fn write_down(app: &App) -> Result<()> {
    let uses = app.auth.take_uses();
    let later = app.take_later();
    if uses.is_empty() && later.seen.is_empty() && later.keys.is_empty() {
        return Ok(());
    }
    app.write_blocking(move |conn| {
        for u in &uses {
            match u.credential {
                Credential::Token => tokens::used(conn, u.tenant, &u.token_id, u.at)?,
                Credential::Client => clients::used(conn, u.tenant, &u.token_id, u.at)?,
                Credential::Issuer => issuers::used(conn, u.tenant, &u.token_id, u.at)?,
            }
        }
        for ((tenant, provider, signal), at) in &later.seen {
            notes::seen(conn, *tenant, provider, signal, *at)?;
        }
        for (key, at) in &later.keys {
            admin_keys::used(conn, key, *at)?;
        }
        Ok(())
    })
}

/// Days that letters are kept after they were sent, given up or cancelled.
const KEEP_LETTERS: i64 = 30;

fn prune(app: &App) -> Result<()> {
    let now = app.now();
    journal::prune(app, now)?;
    all(app, move |conn| Ok(outbox::prune(conn, now - KEEP_LETTERS * DAY, PRUNE_AT_ONCE)?))?;
    all(app, move |conn| Ok(idempotency::prune(conn, now - DAY, PRUNE_AT_ONCE)?))?;
    all(app, move |conn| Ok(clients::prune_assertions(conn, now, PRUNE_AT_ONCE)?))?;
    app.write_blocking(move |conn| Ok(purge::prune(conn, now)?)).map(drop)
}

/// Removes a few at a time until there are no more.
pub(super) fn all(app: &App, some: impl Fn(&mut Conn) -> Result<usize> + Copy + Send + 'static) -> Result<()> {
    while i64::try_from(app.write_blocking(some)?).unwrap_or(0) >= PRUNE_AT_ONCE {}
    Ok(())
}
