//! Whether what is stored is sound: every rule that the rest of the program keeps, looked at once more. Only reads.
//!
//! What one statement can find is in `store::verify`; what needs the program's own understanding of a row is here, by subject.

mod addresses;
mod database;
mod documents;
mod letters;
mod report;
mod roll;
mod sealed;
mod tenancy;
mod uniques;

use crate::domain::{Tenant, TenantId};
use crate::error::{Error, Result};
use crate::scim::Types;
use crate::service::vault::Vault;
use crate::store::rows::{self, Line};
use crate::store::tables::{TABLES, Table};
use crate::store::verify::{self, finding};
use crate::store::{Conn, upkeep};
pub use report::{Fault, Report};
use std::collections::HashMap;
use std::sync::Arc;

/// Hears how far it is: the table, rows that were read, rows that there are to read.
pub type Watch<'a> = dyn FnMut(&'static str, i64, i64) + 'a;

/// What a check of rows knows of the rest.
struct Known {
    tenants: HashMap<i64, Tenant>,
    /// Of those tenants that have declared any.
    types: HashMap<i64, Arc<Types>>,
    vault: Option<Vault>,
}

impl Known {
    fn tenant(&self, line: &Line) -> Option<&Tenant> {
        self.tenants.get(&line.number("tenant_id")?)
    }

    fn types(&self, tenant: TenantId) -> Arc<Types> {
        self.types.get(&tenant.0).cloned().unwrap_or_else(Types::standard)
    }
}

/// A check of the rows of a page, which may look at other tables.
type Check = fn(&mut Conn, &Known, &[Line], &mut Report) -> Result<()>;

/// The tables of which every row is read.
const READ: [(&str, Check); 10] = [
    ("resources", documents::check),
    ("resource_emails", addresses::check),
    ("unique_values", uniques::check),
    ("sources", tenancy::sources),
    ("tokens", tenancy::tokens),
    ("admin_keys", tenancy::keys),
    ("invitations", sealed::links),
    ("access_codes", sealed::codes),
    ("outbox", letters::check),
    ("audit_events", sealed::histories),
];

/// Checks everything, on the snapshot that the caller has begun. `master_key` is that of the configuration.
///
/// # Errors
/// When the database is of another version or fails. That it is broken is no error but a report.
pub fn run(conn: &mut Conn, master_key: Option<&str>, watch: &mut Watch) -> Result<Report> {
    check_version(conn)?;
    let mut report = Report::default();
    database::check(conn, &mut report)?;
    let vault = database::vault(conn, master_key, &mut report)?;
    let tenants = tenancy::tenants(conn, &mut report)?;
    report.name_tenants(tenants.values());
    for table in TABLES {
        let n = rows::count(conn, table)?;
        report.counted(table.name, n);
    }
    let types = tenancy::types(conn, tenants.values(), &mut report)?;
    each_row(conn, &Known { tenants, types, vault }, &mut report, watch)?;
    for table in TABLES.iter().filter(|t| t.has_tenant()) {
        let found = finding::orphans(conn, table)?;
        report.add_found(table.name, "its tenant is not there", found);
    }
    for check in verify::checks() {
        let found = finding::run(conn, check)?;
        report.add_found(check.table, check.what, found);
    }
    Ok(report)
}

fn check_version(conn: &mut Conn) -> Result<()> {
    let standing = upkeep::standing(conn)?;
    if !standing.known {
        return Err(Error::Invalid("this is no database of Rollbook: its tables are not there".to_owned()));
    }
    if let [first, ..] = standing.foreign.as_slice() {
        return Err(Error::Invalid(format!("the database was written by a later version of Rollbook (migration {first}); use that one")));
    }
    if standing.pending.is_empty() {
        return Ok(());
    }
    let names = standing.pending.join(", ");
    Err(Error::Invalid(format!("the database lacks {} migration(s) ({names}); `rollbook serve` runs them", standing.pending.len())))
}

fn each_row(conn: &mut Conn, known: &Known, report: &mut Report, watch: &mut Watch) -> Result<()> {
    const AT_ONCE: i64 = 500;
    let found = |name: &str| TABLES.iter().find(|t| t.name == name);
    let tables: Vec<(&'static Table, Check)> = READ.iter().filter_map(|(name, check)| Some((found(name)?, *check))).collect();
    let total: i64 = tables.iter().map(|(table, _)| report.rows_of(table.name)).sum();
    let mut done = 0;
    for (table, check) in tables {
        let mut last: Option<Line> = None;
        loop {
            let mut lines = rows::page(conn, table, last.as_ref(), AT_ONCE)?;
            check(conn, known, &lines, report)?;
            done += i64::try_from(lines.len()).unwrap_or(0);
            watch(table.name, done, total);
            match lines.pop() {
                Some(line) => last = Some(line),
                None => break,
            }
        }
    }
    Ok(())
}

/// The rows of a page by tenant.
fn by_tenant(lines: &[Line]) -> HashMap<TenantId, Vec<&Line>> {
    let mut out: HashMap<TenantId, Vec<&Line>> = HashMap::new();
    for line in lines {
        out.entry(TenantId(line.number("tenant_id").unwrap_or(0))).or_default().push(line);
    }
    out
}
