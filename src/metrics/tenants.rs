//! Requests by tenant, for so many tenants and no more.

use super::Maker;
use crate::domain::TenantId;
use ::metrics::Counter;
use std::sync::OnceLock;

pub(super) const REQUESTS: &str = "rollbook_tenant_requests_total";
const OTHER: &str = "other";

/// A table that is only ever filled, so that it needs no lock. Ids are given in sequence: most tenants are found at the first look.
pub struct Tenants {
    maker: Maker,
    slots: Vec<OnceLock<(TenantId, Counter)>>,
    other: Counter,
}

impl Tenants {
    pub(super) fn new(maker: Maker, most: usize) -> Self {
        let other = maker.counter(REQUESTS, &[("tenant", OTHER)]);
        Self { maker, slots: (0..most).map(|_| OnceLock::new()).collect(), other }
    }

    /// Counts a request. The first tenants that are seen have their names, all others share one.
    pub fn count(&self, id: TenantId, name: &str) {
        let start = usize::try_from(id.0).unwrap_or(0) % self.slots.len().max(1);
        let (before, from) = self.slots.split_at(start.min(self.slots.len()));
        for slot in from.iter().chain(before) {
            let (holder, counter) = slot.get_or_init(|| (id, self.maker.counter(REQUESTS, &[("tenant", name)])));
            if *holder == id {
                counter.increment(1);
                return;
            }
        }
        self.other.increment(1);
    }
}
