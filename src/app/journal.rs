//! Rows of the provisioning log that wait to be written.

use super::App;
use crate::domain::TenantId;
use crate::store::journal::Entry;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The oldest first.
pub type Rows = VecDeque<(TenantId, Entry)>;

pub(super) type Waiting = Mutex<Rows>;

/// A flood must not fill the memory.
const MOST: usize = 10_000;

impl App {
    fn waiting(&self) -> MutexGuard<'_, Rows> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down soon what became of a request. When too much waits, the oldest is given up.
    pub fn log_later(&self, tenant: TenantId, entry: Entry) {
        let mut waiting = self.waiting();
        waiting.push_back((tenant, entry));
        self.give_up(&mut waiting);
    }

    /// Takes back what could not be written.
    pub fn log_again(&self, mut rows: Rows) {
        let mut waiting = self.waiting();
        rows.append(&mut waiting);
        *waiting = rows;
        self.give_up(&mut waiting);
    }

    fn give_up(&self, waiting: &mut Rows) {
        let over = waiting.len().saturating_sub(MOST);
        if over > 0 {
            waiting.drain(..over);
            self.metrics.log_dropped.increment(u64::try_from(over).unwrap_or(u64::MAX));
        }
    }

    /// How many rows wait.
    #[must_use]
    pub fn log_waiting(&self) -> usize {
        self.waiting().len()
    }

    /// What is to be written.
    #[must_use]
    pub fn take_log(&self) -> Rows {
        std::mem::take(&mut *self.waiting())
    }
}
