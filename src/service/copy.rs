//! Moving a whole deployment from one database to another: every row of every table, or nothing.

use crate::error::{Error, Result};
use crate::service::vault::Vault;
use crate::store::rows::{self, Line};
use crate::store::tables::{TABLES, Table};
use crate::store::{Conn, Database, backend, keys, upkeep};

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub table: &'static str,
    pub rows: i64,
    /// The same on both sides.
    pub checksum: u128,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub tables: Vec<Copied>,
    /// Whether the source was used with a master key of the configuration.
    pub has_master_key: bool,
}

/// Hears how far it is: the table, rows that were read, rows that there are to read.
pub type Watch<'a> = dyn FnMut(&'static str, i64, i64) + 'a;

/// Tables that a server fills by itself at its first start. What they hold in the target is of no use without the rest.
const OF_A_START: [&str; 2] = ["auth_epoch", "secrets"];

/// Copies everything from one database to another, which must hold nothing. In one transaction, from one snapshot.
///
/// # Errors
/// A sentence for the operator: why it cannot be done, or what differs. Then the target is as it was, but for its tables.
pub fn copy(from: &Database, to: &Database, watch: &mut Watch) -> Result<Report> {
    if from == to {
        return Err(Error::Invalid("--from and --to are the same database".to_owned()));
    }
    let mut source = upkeep::look(from)?;
    check_source(&mut source)?;
    let mut target = prepared(to)?;
    let tables = backend::read(&mut source, |source| {
        backend::write(&mut target, |target| {
            let before = rows::pulse(source)?;
            let copied = everything(source, target, watch)?;
            check_stillness(from, &before)?;
            Ok::<_, Error>(copied)
        })
    })?;
    Ok(Report { tables, has_master_key: has_master_key(&mut source)? })
}

fn check_source(conn: &mut Conn) -> Result<()> {
    let standing = upkeep::standing(conn)?;
    if !standing.known {
        return Err(Error::Invalid("--from is no database of Rollbook: its tables are not there".to_owned()));
    }
    if !standing.foreign.is_empty() {
        return Err(Error::Invalid("--from was written by a later version of Rollbook; use that one".to_owned()));
    }
    match standing.pending.as_slice() {
        [] => Ok(()),
        pending => Err(Error::Invalid(format!(
            "--from lacks {} migration(s) ({}); start `rollbook serve` on it once, stop it, and copy then",
            pending.len(),
            pending.join(", ")
        ))),
    }
}

/// The target, with its tables, once it is clear that nothing is in them.
fn prepared(to: &Database) -> Result<Conn> {
    let mut conn = to.connect()?;
    let there = upkeep::tables(&mut conn)?;
    let mut held = Vec::new();
    for table in TABLES.iter().filter(|t| there.iter().any(|name| name == t.name) && !OF_A_START.contains(&t.name)) {
        let n = rows::count(&mut conn, table)?;
        if n > 0 {
            held.push(format!("{n} in {}", table.name));
        }
    }
    if !held.is_empty() {
        return Err(Error::Invalid(format!("--to is not empty, nothing was copied. It holds rows: {}", held.join(", "))));
    }
    backend::migrate(&mut conn)?;
    Ok(conn)
}

fn everything(source: &mut Conn, target: &mut Conn, watch: &mut Watch) -> Result<Vec<Copied>> {
    let mut total = 0;
    for table in TABLES {
        total += rows::count(source, table)?;
    }
    // Each row is read twice: to be copied, and to be compared.
    let (total, mut done) = (total * 2, 0);
    for table in TABLES.iter().filter(|t| OF_A_START.contains(&t.name)) {
        rows::clear(target, table)?;
    }
    let mut read = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let sum = each_page(source, table, |lines| {
            done += i64::try_from(lines.len()).unwrap_or(0);
            watch(table.name, done, total);
            Ok(rows::insert(target, table, lines)?)
        })?;
        read.push(sum);
    }
    rows::set_last_tenant(target, rows::last_tenant(source)?)?;
    let mut copied = Vec::with_capacity(TABLES.len());
    for (table, (n, checksum)) in TABLES.iter().zip(read) {
        let (there, sum) = each_page(target, table, |lines| {
            done += i64::try_from(lines.len()).unwrap_or(0);
            watch(table.name, done, total);
            Ok(())
        })?;
        if (there, sum) != (n, checksum) {
            let what = format!("{n} rows with the checksum {checksum:032x}, then {there} with {sum:032x}");
            return Err(Error::Invalid(format!("{} differs after it was copied: {what}. Nothing was kept", table.name)));
        }
        copied.push(Copied { table: table.name, rows: n, checksum });
    }
    Ok(copied)
}

/// Reads a table page by page; how many rows it has, and their checksum, whatever their order.
fn each_page(conn: &mut Conn, table: &'static Table, mut f: impl FnMut(&[Line]) -> Result<()>) -> Result<(i64, u128)> {
    let (mut n, mut sum, mut last): (i64, u128, Option<Line>) = (0, 0, None);
    loop {
        let mut lines = rows::page(conn, table, last.as_ref(), rows::at_once(table))?;
        f(&lines)?;
        n += i64::try_from(lines.len()).unwrap_or(0);
        sum = lines.iter().fold(sum, |sum, line| sum.wrapping_add(line.checksum()));
        match lines.pop() {
            Some(line) => last = Some(line),
            None => return Ok((n, sum)),
        }
    }
}

/// Whoever wrote into the source meanwhile would miss it in the target.
fn check_stillness(from: &Database, before: &[(&'static str, i64)]) -> Result<()> {
    let now = rows::pulse(&mut upkeep::look(from)?)?;
    let moved = before.iter().zip(&now).filter(|(a, b)| a != b).map(|((what, a), (_, b))| format!("{what}: {a}, then {b}"));
    let moved: Vec<String> = moved.collect();
    if moved.is_empty() {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "somebody wrote into --from while it was copied ({}). Nothing was kept; stop every server on it and copy again",
        moved.join(", ")
    )))
}

/// Whether the keys of the roll come from somewhere else than the database.
fn has_master_key(conn: &mut Conn) -> Result<bool> {
    let Some(check) = keys::find_secret(conn, "root_check")? else { return Ok(false) };
    let own = keys::find_secret(conn, "root")?;
    Ok(own.is_none_or(|root| Vault::new(root.as_bytes()).check() != check))
}
