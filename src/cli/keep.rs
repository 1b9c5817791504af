//! `rollbook backup`, `rollbook verify`, `rollbook copy`: keeping what is stored.

use super::{Outcome, say};
use crate::config::Config;
use crate::service::{backup, copy, verify};
use crate::store::backend::{self, Database};
use crate::store::upkeep;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Tells how far it is: on a terminal a bar, else a line for each table.
struct Progress {
    bar: ProgressBar,
    table: &'static str,
    quiet: bool,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if quiet || !terminal { ProgressBar::hidden() } else { ProgressBar::new(0) };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% {msg}, {eta} left") {
            bar.set_style(style);
        }
        Self { bar, table: "", quiet: quiet || terminal }
    }

    fn at(&mut self, table: &'static str, done: i64, total: i64) {
        self.bar.set_length(u64::try_from(total).unwrap_or(0));
        self.bar.set_position(u64::try_from(done).unwrap_or(0));
        if self.table != table {
            self.table = table;
            self.bar.set_message(table);
            if !self.quiet {
                // Whether anybody reads it changes nothing.
                let _ = writeln!(std::io::stderr(), "{table}: {done} of {total} rows read");
            }
        }
    }
}

/// Writes a copy of the database into a file.
///
/// # Errors
/// A sentence for the operator.
pub fn backup(config: &Config, file: &Path) -> Outcome {
    let database = Database::parse(&config.database.url)?;
    let made = backup::write(&database, file).map_err(|e| e.to_string())?;
    say(&format!("{}: {} bytes, {} tenant(s), {} member(s), checked", file.display(), made.bytes, made.tenants, made.members))?;
    if !made.pending.is_empty() {
        say(&format!("note: the database lacks migrations, and so does the copy: {}", made.pending.join(", ")))?;
    }
    if config.master_key.is_some() {
        say("note: master_key is not in it, and nothing of the roll can be read without: keep it too, elsewhere")?;
    }
    Ok(())
}

/// Checks everything that is stored.
///
/// # Errors
/// How many faults there are, or why it cannot be checked.
pub fn verify(config: &Config, as_json: bool) -> Outcome {
    let database = Database::parse(&config.database.url)?;
    if let Database::Sqlite(path) = &database
        && !Path::new(path).exists()
    {
        return Err(format!("there is no database {path}"));
    }
    let mut conn = upkeep::look(&database).map_err(|e| e.to_string())?;
    let mut progress = Progress::new(as_json);
    let key = config.master_key.as_deref();
    let report = backend::read(&mut conn, |c| verify::run(c, key, &mut |table, done, total| progress.at(table, done, total)));
    progress.bar.finish_and_clear();
    let report = report.map_err(|e| e.to_string())?;
    let (rows, tables) = report.size();
    if as_json {
        let faults = report.faults.iter().map(|f| json!({"table": f.table, "tenant": f.tenant, "id": f.id, "fault": f.what}));
        say(&json!({"rows": rows, "tables": tables, "faults": report.total, "listed": faults.collect::<Vec<Value>>()}).to_string())?;
    } else {
        report.faults.iter().try_for_each(|fault| say(&fault.to_string()))?;
        report.untold().iter().try_for_each(|(table, what, n)| say(&format!("{table}: {what}: {n} more")))?;
    }
    match report.total {
        0 if as_json => Ok(()),
        0 => say(&format!("verified {rows} rows in {tables} tables: no fault")),
        1 => Err("1 fault".to_owned()),
        n => Err(format!("{n} faults")),
    }
}

/// Copies everything from one database to another.
///
/// # Errors
/// A sentence for the operator.
pub fn copy(from: &str, to: &str) -> Outcome {
    let read = |flag: &str, url: &str| Database::parse(url).map_err(|e| format!("{flag}: {e}"));
    let (from, to) = (read("--from", from)?, read("--to", to)?);
    if let Database::Sqlite(path) = &from
        && !Path::new(path).exists()
    {
        return Err(format!("--from: there is no database {path}"));
    }
    say("note: every server on --from must be stopped, and stay so: what it would write from now on is not copied")?;
    let mut progress = Progress::new(false);
    let report = copy::copy(&from, &to, &mut |table, done, total| progress.at(table, done, total));
    progress.bar.finish_and_clear();
    let report = report.map_err(|e| e.to_string())?;
    say(&format!("{:<20} {:>10}  {:<32}", "TABLE", "ROWS", "CHECKSUM"))?;
    for table in &report.tables {
        say(&format!("{:<20} {:>10}  {:032x}  ok", table.table, table.rows, table.checksum))?;
    }
    let rows: i64 = report.tables.iter().map(|t| t.rows).sum();
    say(&format!("copied {rows} rows of {} tables; both sides are the same", report.tables.len()))?;
    if report.has_master_key {
        say("note: --from was used with a master_key; servers and commands on --to need the same one")?;
    }
    Ok(())
}
