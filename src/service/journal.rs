//! The provisioning log: what became of each SCIM request, and why.
//!
//! What a write changed is written in the transaction that changes it, so that neither exists without the other. Everything else is
//! collected in memory and written at leisure. Rows about a person can say what was changed; they are emptied when the person is
//! anonymised. All other rows are without values: see [`masking`].

use super::Ctx;
use super::delta::{self, Delta};
use super::masking;
use super::roll::Act;
use crate::domain::new_id;
use crate::error::{Error, Result};
use crate::scim::dialect::{Evidence, Note, Reading};
use crate::scim::error::shown;
pub use crate::store::journal::Entry;
use crate::store::journal::{self, Query};
use crate::store::{Conn, Row};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Characters of what a client calls itself.
const MOST_CLIENT: usize = 120;
/// Characters of the detail of an error.
const MOST_DETAIL: usize = 400;

/// What is found out about one request while it is done. Every copy of its [`Ctx`] shares it.
#[derive(Debug)]
pub struct Trace {
    began: Instant,
    /// What the client calls itself.
    client: String,
    /// The raw query string.
    query: String,
    /// Whether the client has left it to us what the answer shows.
    bare: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// What was tolerated in the parameters.
    parameters: Vec<Note>,
    /// What was tolerated in the body.
    body: Vec<Note>,
    evidence: Option<Evidence>,
    target: Option<String>,
    subject: Option<String>,
    changes: Vec<Delta>,
    /// Whether a row is in the transaction.
    written: bool,
}

impl Default for Trace {
    fn default() -> Self {
        Self::new(Instant::now(), "", "")
    }
}

impl Trace {
    /// A request that began just now.
    #[must_use]
    pub fn new(began: Instant, client: &str, query: &str) -> Self {
        let client = masking::shortened(client, MOST_CLIENT);
        Self { began, client, query: query.to_owned(), bare: AtomicBool::new(false), seen: Mutex::default() }
    }

    /// Of a request that is a part of this one.
    #[must_use]
    pub fn part(&self) -> Self {
        Self::new(Instant::now(), &self.client, "")
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what was tolerated in the parameters.
    pub fn parameters(&self, reading: &Reading) {
        self.seen().parameters.clone_from(&reading.notes);
    }

    /// Remembers what was tolerated in the body, so far.
    pub fn body(&self, reading: &Reading) {
        let mut seen = self.seen();
        seen.body.clone_from(&reading.notes);
        seen.evidence.clone_from(&reading.evidence);
    }

    /// Remembers which resource it is about.
    pub fn about(&self, row: &Row) {
        let mut seen = self.seen();
        seen.target = Some(row.id.clone());
        seen.subject = Some(subject(row).to_owned());
    }

    /// Says whether the client has left it to us what the answer shows.
    pub fn leaves_answer(&self, bare: bool) {
        self.bare.store(bare, Ordering::Relaxed);
    }

    /// Whether it has.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.bare.load(Ordering::Relaxed)
    }

    /// What was tolerated.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let seen = self.seen();
        seen.parameters.iter().chain(&seen.body).cloned().collect()
    }

    /// What gave the provider away in the body.
    #[must_use]
    pub fn evidence(&self) -> Option<Evidence> {
        self.seen().evidence.clone()
    }

    /// What the write has changed.
    #[must_use]
    pub fn changes(&self) -> Vec<Delta> {
        self.seen().changes.clone()
    }
}

/// What rows about a resource are kept under.
fn subject(row: &Row) -> &str {
    row.member.as_deref().map_or(&row.id, |m| &m.person)
}

/// What a write has done.
#[derive(Debug)]
pub struct Done<'a> {
    pub status: u16,
    /// The resource as it is then, or as it was last.
    pub row: &'a Row,
    /// Whether anything was written.
    pub changed: bool,
    pub changes: Vec<Delta>,
}

impl<'a> Done<'a> {
    /// A write that found everything as it should be.
    #[must_use]
    pub fn nothing(row: &'a Row) -> Self {
        Self { status: 200, row, changed: false, changes: Vec::new() }
    }
}

fn is_off(ctx: &Ctx) -> bool {
    ctx.tenant.settings.log_days == Some(0)
}

/// Writes down what a write has changed, in the transaction under way. One that has changed nothing is left to [`finished`].
///
/// # Errors
/// When the database fails.
pub fn wrote(conn: &mut Conn, ctx: &Ctx, reading: &Reading, done: Done<'_>) -> Result<()> {
    ctx.trace.body(reading);
    ctx.trace.about(done.row);
    let write = done.changed && !is_off(ctx);
    if write {
        let personal = done.row.member.is_some();
        let entry = Entry {
            status: i16::try_from(done.status).unwrap_or(200),
            notes: notes(&ctx.trace.notes(), personal),
            changes: Some(delta::text(&done.changes)),
            ..entry(ctx)
        };
        match &ctx.ledger {
            Some(ledger) => ledger.log(entry),
            None => journal::insert(conn, ctx.tenant_id(), &entry)?,
        }
    }
    let mut seen = ctx.trace.seen();
    seen.written = write;
    seen.changes = done.changes;
    Ok(())
}

/// What is still to be written down of a request that has been answered; `None` when nothing is. `fault` is the scimType and the
/// detail of the error, if there was one.
#[must_use]
pub fn finished(ctx: &Ctx, status: u16, fault: Option<(Option<&str>, &str)>) -> Option<Entry> {
    let noted = ctx.trace.notes();
    if status < 400 {
        ctx.fired.count(&noted);
    }
    let written = ctx.trace.seen().written && status < 400;
    // What is read without a token belongs to no tenant.
    if written || is_off(ctx) || ctx.tenant.name.is_empty() {
        return None;
    }
    let (scim_type, detail) = fault.unzip();
    Some(Entry {
        status: i16::try_from(status).unwrap_or(500),
        notes: notes(&noted, false),
        scim_type: scim_type.flatten().map(str::to_owned),
        detail: detail.map(|text| masking::shortened(&masking::sentence(text), MOST_DETAIL)),
        ..entry(ctx)
    })
}

fn entry(ctx: &Ctx) -> Entry {
    let seen = ctx.trace.seen();
    let evidence = ctx.dialect.evidence.as_ref().or(seen.evidence.as_ref());
    // What an admin does has no values in its path.
    let path = if ctx.writer.is_some() { ctx.target.clone() } else { masking::path(&ctx.target, &ctx.trace.query) };
    let in_path = ctx.target.rsplit('/').next().filter(|id| masking::is_id(id)).map(str::to_owned);
    Entry {
        id: new_id(),
        at: ctx.now,
        source: ctx.source.name.clone(),
        token_id: ctx.token_id.to_string(),
        client: Some(ctx.trace.client.clone()).filter(|c| !c.is_empty()),
        provider: evidence.map(|e| e.provider.to_string()),
        signal: evidence.map(|e| e.signal.to_owned()),
        request_id: ctx.request_id.clone(),
        method: ctx.method.to_owned(),
        path,
        target: seen.target.clone().or_else(|| in_path.clone()),
        subject: seen.subject.clone().or(in_path),
        micros: i64::try_from(ctx.trace.began.elapsed().as_micros()).unwrap_or(i64::MAX),
        ..Entry::default()
    }
}

/// The tolerances as they are stored; with their values only where they go with the person.
fn notes(all: &[Note], personal: bool) -> Option<String> {
    if all.is_empty() {
        return None;
    }
    let text = |note: &Note| if personal { note.text.clone() } else { masking::sentence(&note.text) };
    let list: Vec<_> = all.iter().map(|n| json!({"quirk": n.quirk.name(), "text": text(n)})).collect();
    Some(serde_json::Value::Array(list).to_string())
}

/// Which requests somebody wants to see.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The id, the userName or an address of a member, or the id of a group.
    pub member: Option<String>,
    pub source: Option<String>,
    /// The least and the greatest status.
    pub status: Option<(i16, i16)>,
    pub changed: bool,
    /// Microseconds since the epoch.
    pub since: Option<i64>,
}

/// The requests of a tenant from the newest on, before the one with the id `before`.
///
/// # Errors
/// When there is no such member.
pub fn page(conn: &mut Conn, act: &Act, ask: &Ask, before: &str, limit: i64) -> Result<Vec<Entry>> {
    let subject = match &ask.member {
        Some(key) => Some(named(conn, act, key)?),
        None => None,
    };
    let Ask { source, status, changed, since, .. } = ask.clone();
    let query = Query { subject, source, status, changed, tolerated: false, since };
    Ok(journal::page(conn, act.tenant.id, &query, before, limit)?)
}

/// What is kept under the word that somebody has for a member or a group. Of somebody who is gone the id is enough.
fn named(conn: &mut Conn, act: &Act, key: &str) -> Result<String> {
    match super::members::seen(conn, act, key) {
        Ok(row) => Ok(subject(&row).to_owned()),
        Err(Error::Missing { .. } | Error::Roll(_)) if masking::is_id(key) => Ok(key.to_owned()),
        Err(e) => Err(e),
    }
}

/// One request, by its id in the log or by its request id.
///
/// # Errors
/// When there is none.
pub fn find(conn: &mut Conn, act: &Act, id: &str) -> Result<Entry> {
    let missing = || Error::missing("request", format!("the log of tenant {} has no request \"{}\"", act.tenant.name, shown(id)));
    if !masking::is_id(id) {
        return Err(missing());
    }
    journal::find(conn, act.tenant.id, &id.to_ascii_lowercase())?.ok_or_else(missing)
}
