//! What the clock brings about, done in the background: reminders, expiry, terminations, jobs on many members, the sweep.

use super::beat::{Beat, PAUSE};
use crate::app::App;
use crate::error::Result;
use crate::service::bulk;
use crate::service::timers::Clockwork;
use crate::store::Conn;
use std::sync::Arc;

/// Starts the thread. It finishes what it is at when the value is dropped.
///
/// # Errors
/// When the system has no thread left.
pub fn start(app: Arc<App>) -> std::io::Result<Beat> {
    Beat::start("timers", PAUSE, move |stopping| run_due(&app, stopping), || {})
}

type Task = fn(&Clockwork, &mut Conn) -> Result<usize>;

const TASKS: [(&str, Task); 6] = [
    ("termination dates", Clockwork::terminate),
    ("expiry", Clockwork::expire),
    ("reminders", Clockwork::remind),
    ("managers", Clockwork::bind_managers),
    ("digests", Clockwork::announce),
    ("expiring tokens", Clockwork::warn_of_tokens),
];

/// Does everything that is due. Stops between two transactions when it is told to.
pub fn run_due(app: &App, stopping: &dyn Fn() -> bool) {
    for (name, task) in TASKS {
        if let Err(e) = repeat(app, task, stopping) {
            log::warn!("{name}: {e}");
        }
    }
    if let Err(e) = work_jobs(app, stopping) {
        log::warn!("jobs: {e}");
    }
    // In this order, and only together: who is frozen must not be swept.
    match freeze(app).and_then(|()| repeat(app, |clock, conn| clock.sweep(conn).map(usize::from), stopping)) {
        Ok(swept) => {
            if let Err(e) = app.scrub(swept > 0) {
                log::warn!("what the sweep removed may still be in files of the database: {e}");
            }
        }
        Err(e) => log::warn!("sweep: {e}"),
    }
}

fn freeze(app: &App) -> Result<()> {
    let clock = Clockwork { vault: app.vault.clone(), now: app.now() };
    let found = app.read_blocking(|conn| clock.unusual(conn))?;
    if found.is_empty() {
        return Ok(());
    }
    app.write_blocking(move |conn| clock.freeze(conn, &found))
}

/// Runs a task until nothing is left for it; how much it did.
fn repeat(app: &App, task: Task, stopping: &dyn Fn() -> bool) -> Result<usize> {
    let mut sum = 0;
    while !stopping() {
        let clock = Clockwork { vault: app.vault.clone(), now: app.now() };
        let done = app.write_blocking(move |conn| task(&clock, conn))?;
        if done == 0 {
            break;
        }
        sum += done;
    }
    Ok(sum)
}

fn work_jobs(app: &App, stopping: &dyn Fn() -> bool) -> Result<()> {
    for job in app.write_blocking(bulk::open)? {
        while !stopping() {
            let (vault, now, job) = (app.vault.clone(), app.now(), job.clone());
            let removes = bulk::removes(&job);
            if app.write_blocking(move |conn| bulk::work(conn, &vault, &job, now))? == 0 {
                break;
            }
            if removes {
                app.removed();
            }
        }
    }
    Ok(())
}
