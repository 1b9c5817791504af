//! What was found.

use crate::domain::Tenant;
use crate::store::verify::{Found, MOST};
use std::collections::BTreeMap;
use std::fmt;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub table: &'static str,
    /// The name of the tenant, if it is one's.
    pub tenant: Option<String>,
    pub id: String,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table)?;
        if let Some(tenant) = &self.tenant {
            write!(f, " tenant={tenant}")?;
        }
        write!(f, " id={}: {}", self.id, self.what)
    }
}

/// What a whole check has found. Of faults of one kind the first ones are kept, and the others counted.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub faults: Vec<Fault>,
    /// How many faults there are.
    pub total: i64,
    kinds: BTreeMap<(&'static str, &'static str), i64>,
    tables: BTreeMap<&'static str, i64>,
    names: BTreeMap<i64, String>,
}

impl Report {
    /// How many rows there are, in how many tables.
    #[must_use]
    pub fn size(&self) -> (i64, usize) {
        (self.tables.values().sum(), self.tables.len())
    }

    /// Of which kinds there are more faults than are told: table, kind, how many more.
    #[must_use]
    pub fn untold(&self) -> Vec<(&'static str, &'static str, i64)> {
        self.kinds.iter().filter(|(_, n)| **n > MOST).map(|((table, what), n)| (*table, *what, n - MOST)).collect()
    }

    pub(super) fn name_tenants<'a>(&mut self, tenants: impl Iterator<Item = &'a Tenant>) {
        self.names = tenants.map(|t| (t.id.0, t.name.clone())).collect();
    }

    pub(super) fn counted(&mut self, table: &'static str, rows: i64) {
        self.tables.insert(table, rows);
    }

    pub(super) fn rows_of(&self, table: &str) -> i64 {
        self.tables.get(table).copied().unwrap_or(0)
    }

    /// Adds a fault; `detail` says more about it and may be empty.
    pub(super) fn add(&mut self, table: &'static str, tenant: Option<i64>, id: &str, what: &'static str, detail: &str) {
        self.total += 1;
        let n = self.kinds.entry((table, what)).or_default();
        *n += 1;
        if *n <= MOST {
            let tenant = tenant.map(|t| self.names.get(&t).cloned().unwrap_or_else(|| t.to_string()));
            let what = if detail.is_empty() { what.to_owned() } else { format!("{what} ({detail})") };
            self.faults.push(Fault { table, tenant, id: id.to_owned(), what });
        }
    }

    pub(super) fn add_found(&mut self, table: &'static str, what: &'static str, found: Found) {
        let told = i64::try_from(found.first.len()).unwrap_or(i64::MAX);
        for finding in found.first {
            self.add(table, finding.tenant, &finding.id, what, &finding.detail);
        }
        if found.total > told {
            self.total += found.total - told;
            *self.kinds.entry((table, what)).or_default() += found.total - told;
        }
    }
}
