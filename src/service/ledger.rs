//! What many writes of one transaction write together at its end: lines of the history, rows of the provisioning log, and how many resources came and went. Nothing
//! that a write reads is here.

use super::roll::Act;
use super::{Connection, Kind};
use crate::domain::TenantId;
use crate::error::Result;
use crate::store::audit::{self, Entry};
use crate::store::{counts, journal};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is to be written, all of one tenant.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    lines: Vec<Entry>,
    log: Vec<journal::Entry>,
    counts: BTreeMap<Kind, i64>,
}

impl Ledger {
    fn with(&self, f: impl FnOnce(&mut Book)) {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Keeps a row of the provisioning log.
    pub(super) fn log(&self, row: journal::Entry) {
        self.with(|book| book.log.push(row));
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When the database fails.
    pub fn write(&self, conn: &mut Connection, tenant: TenantId) -> Result<()> {
        let book = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        audit::insert_all(conn, tenant, &book.lines)?;
        let log: Vec<_> = book.log.into_iter().map(|entry| (tenant, entry)).collect();
        journal::insert_all(conn, &log)?;
        for (kind, by) in book.counts {
            if by != 0 {
                counts::change(conn, tenant, kind, "", by)?;
            }
        }
        Ok(())
    }
}

impl Act {
    /// Adds a line to the history, now or at the end of the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) fn note_down(&self, conn: &mut Connection, line: Entry) -> Result<()> {
        match &self.ledger {
            Some(ledger) => ledger.with(|book| book.lines.push(line)),
            None => audit::insert(conn, self.tenant.id, &line)?,
        }
        Ok(())
    }

    /// Counts one resource more, or one less, now or at the end of the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) fn count(&self, conn: &mut Connection, kind: Kind, id: &str, by: i64) -> Result<()> {
        match &self.ledger {
            Some(ledger) => ledger.with(|book| *book.counts.entry(kind).or_default() += by),
            None => counts::change(conn, self.tenant.id, kind, id, by)?,
        }
        Ok(())
    }
}
