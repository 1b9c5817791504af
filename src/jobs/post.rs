//! Sending letters. One that a crash has left half-way is sent again: its name and Message-ID are the same, so that nobody
//! takes it for another.

use super::beat::{Beat, PAUSE};
use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::mail::{Failure, Letter, Mailer, Route};
use crate::service::letters::{self, Post, Prepared};
use crate::store::outbox::{self, Entry};
use crate::store::{Conn, invitations};
use std::path::PathBuf;
use std::sync::Arc;

const MINUTE: i64 = 60 * 1_000_000;
/// How long a server may take for a letter: longer than the slowest mail server that is waited for.
const LEASE: i64 = 3 * MINUTE;

/// Opens the way that the configuration names: SMTP, or a folder.
///
/// # Errors
/// A sentence for the operator.
pub fn open(app: &App) -> std::result::Result<Mailer, String> {
    let config = &app.config.mail;
    let Some(route) = smtp(&app.config) else {
        log::warn!("mail.url is not set: mails are written as .eml files into the folder \"{}\" and sent to nobody", config.folder);
        return Mailer::open(&Route::Folder(PathBuf::from(&config.folder)));
    };
    Mailer::open(&route)
}

fn smtp(config: &Config) -> Option<Route> {
    let ca_file = config.mail.ca_file.as_ref().map(PathBuf::from);
    config.mail.url.as_ref().map(|url| Route::Smtp { url: url.clone(), ca_file })
}

/// What is wrong with the mail server's URL, if there is one. The server is not asked.
#[must_use]
pub fn check(config: &Config) -> Option<std::result::Result<(), String>> {
    smtp(config).map(|route| Mailer::open(&route).map(drop))
}

/// Starts the thread. It finishes the letter it is at when the value is dropped.
///
/// # Errors
/// When the system has no thread left.
pub fn start(app: Arc<App>, mailer: Mailer) -> std::io::Result<Beat> {
    Beat::start("post", PAUSE, move |stopping| run_due(&app, &mailer, stopping), || {})
}

/// Sends every letter that is due.
pub fn run_due(app: &App, mailer: &Mailer, stopping: &dyn Fn() -> bool) {
    while !stopping() {
        match next(app, mailer) {
            Ok(false) => return,
            Ok(true) => {}
            Err(e) => {
                log::warn!("mail: {e}");
                return;
            }
        }
    }
}

/// Takes one letter, and sends it; whether there was one. A letter that cannot be written does not hold up the others.
fn next(app: &App, mailer: &Mailer) -> Result<bool> {
    let now = app.now();
    let taken = app.write_blocking(move |conn| Ok(outbox::lease(conn, now, now + LEASE, 1)?))?;
    let Some(entry) = taken.into_iter().next() else { return Ok(false) };
    let (post, asked) = (app.post(), entry.clone());
    let outcome = match app.write_blocking(move |conn| prepare(conn, &post, &asked, now)) {
        Ok(None) => return Ok(true),
        // Never in a transaction: another machine may take its time.
        Ok(Some(letter)) => mailer.send(&letter),
        Err(e) => Err(Failure::Broken(format!("it cannot be written: {e}"))),
    };
    let (give_up, now) = (i64::from(app.config.mail.give_up_hours) * 60 * MINUTE, app.now());
    app.write_blocking(move |conn| settle(conn, &entry, outcome.as_ref().err(), give_up, now))?;
    Ok(true)
}

/// The letter, unless nobody must get it any more: then it is cancelled.
fn prepare(conn: &mut Conn, post: &Post, entry: &Entry, now: i64) -> Result<Option<Letter>> {
    match letters::prepare(conn, post, entry, now)? {
        Prepared::Send(letter) => Ok(Some(*letter)),
        Prepared::Drop(why) => {
            outbox::cancelled(conn, entry.tenant, &entry.id, why, now)?;
            Ok(None)
        }
    }
}

fn settle(conn: &mut Conn, entry: &Entry, failure: Option<&Failure>, give_up: i64, now: i64) -> Result<()> {
    let (tenant, id) = (entry.tenant, entry.id.as_str());
    match failure {
        None => outbox::sent(conn, tenant, id, now)?,
        Some(Failure::Refused(why)) => {
            log::warn!("letter {id} ({}) was refused: {why}", entry.kind);
            outbox::dead(conn, tenant, id, why, now)?;
            if let (Some(person), Some(generation)) = (&entry.person, entry.generation) {
                invitations::undeliverable(conn, tenant, person, generation, why)?;
            }
        }
        Some(Failure::Later(why) | Failure::Broken(why)) if now - entry.created_at >= give_up => {
            log::error!("letter {id} ({}) is given up: {why}; `rollbook mail retry` sends it again", entry.kind);
            outbox::dead(conn, tenant, id, why, now)?;
        }
        Some(Failure::Later(why) | Failure::Broken(why)) => {
            log::warn!("letter {id} ({}) could not be sent and is tried again: {why}", entry.kind);
            outbox::again(conn, tenant, id, why, now + pause(entry.attempts))?;
        }
    }
    Ok::<_, Error>(())
}

/// Half a minute, then twice as long each time, up to four hours.
fn pause(attempts: i16) -> i64 {
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(10);
    ((MINUTE / 2) << doublings).min(240 * MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow() {
        let minutes: Vec<i64> = (1..12).map(|n| pause(n) * 2 / MINUTE).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 480, 480]);
    }
}
