//! Recording what was tolerated: with the change itself, so that neither exists without the other.

use super::Ctx;
use super::roll::Act;
use crate::domain::{Tenant, new_id};
use crate::error::Result;
use crate::scim::dialect::{Quirk, Reading};
use crate::store::notes;
pub use crate::store::notes::Entry;
use crate::store::{self, Conn};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often each tolerance has fired since the start.
#[derive(Debug, Default)]
pub struct Fired([AtomicU64; Quirk::ALL.len()]);

impl Fired {
    fn count(&self, reading: &Reading) {
        for note in &reading.notes {
            if let Some(times) = self.0.get(note.quirk as usize) {
                times.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// All tolerances with their numbers.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Quirk::ALL.iter().zip(&self.0).map(|(quirk, times)| (quirk.name(), times.load(Ordering::Relaxed)))
    }
}

/// What is to be recorded of a request, if anything is. It is counted here: a transaction that is tried again counts again.
#[must_use]
pub fn entry(ctx: &Ctx, reading: &Reading) -> Option<Entry> {
    if reading.notes.is_empty() {
        return None;
    }
    ctx.fired.count(reading);
    let list: Vec<_> = reading.notes.iter().map(|n| json!({"quirk": n.quirk.name(), "text": n.text})).collect();
    Some(Entry {
        id: new_id(),
        token_id: ctx.token_id.to_string(),
        request_id: ctx.request_id.clone(),
        at: ctx.now,
        method: ctx.method.to_owned(),
        target: ctx.target.clone(),
        provider: reading.evidence.as_ref().map(|e| e.provider.to_string()),
        signal: reading.evidence.as_ref().map(|e| e.signal.to_owned()),
        notes: serde_json::Value::Array(list).to_string(),
    })
}

/// Records what fired, in the transaction under way.
///
/// # Errors
/// When the database fails.
pub fn record(conn: &mut Conn, ctx: &Ctx, reading: &Reading) -> Result<()> {
    if let Some(entry) = entry(ctx, reading) {
        notes::insert(conn, ctx.tenant_id(), &entry)?;
    }
    Ok(())
}

/// A tenant's latest entries, newest first.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: &Tenant, limit: i64) -> std::result::Result<Vec<Entry>, store::Error> {
    notes::list(conn, tenant.id, limit)
}

/// A tenant's entries from the newest on, before `before`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, act: &Act, before: &str, limit: i64) -> Result<Vec<Entry>> {
    Ok(notes::page(conn, act.tenant.id, before, limit)?)
}
