//! What was tolerated: how often, and in which requests. It is written down in the provisioning log; see [`super::journal`].

use super::roll::Act;
use crate::domain::Tenant;
use crate::error::Result;
use crate::scim::dialect::{Note, Quirk};
use crate::store::notes;
pub use crate::store::notes::Entry;
use crate::store::{self, Conn};
use std::sync::atomic::{AtomicU64, Ordering};

/// How often each tolerance has fired since the start.
#[derive(Debug, Default)]
pub struct Fired([AtomicU64; Quirk::ALL.len()]);

impl Fired {
    /// Counts what was tolerated in one request.
    pub fn count(&self, noted: &[Note]) {
        for note in noted {
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

/// A tenant's latest entries, newest first.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: &Tenant, limit: i64) -> std::result::Result<Vec<Entry>, store::Error> {
    notes::page(conn, tenant.id, "", limit)
}

/// A tenant's entries from the newest on, before `before`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, act: &Act, before: &str, limit: i64) -> Result<Vec<Entry>> {
    Ok(notes::page(conn, act.tenant.id, before, limit)?)
}
