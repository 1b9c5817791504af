//! The database itself, the deployment's keys and its one counter.

use super::Report;
use crate::error::Result;
use crate::service::tokens;
use crate::service::vault::Vault;
use crate::store::{Conn, keys, tenants, upkeep};

pub(super) fn check(conn: &mut Conn, report: &mut Report) -> Result<()> {
    for line in upkeep::integrity(conn)? {
        report.add("database", None, "file", "SQLite finds the file broken", &line);
    }
    for (table, row, parent) in upkeep::dangling(conn)? {
        report.add("database", None, &format!("{table}/{row}"), "a row refers to one that is not there", &parent);
    }
    if tenants::auth_epoch(conn).is_err() {
        report.add("auth_epoch", None, "1", "the row is missing", "");
    }
    for key in keys::signing_keys(conn)? {
        if let Err(why) = tokens::check_key(&key) {
            report.add("signing_keys", None, &key.kid, "the key cannot be used", why);
        }
    }
    Ok(())
}

/// The keys of the roll, if they are the right ones. A database that was never served has none yet.
pub(super) fn vault(conn: &mut Conn, master_key: Option<&str>, report: &mut Report) -> Result<Option<Vault>> {
    let Some(check) = keys::find_secret(conn, "root_check")? else { return Ok(None) };
    let kept = keys::find_secret(conn, "root")?;
    let vault = master_key.or(kept.as_deref()).map(|root| Vault::new(root.as_bytes()));
    match vault {
        Some(vault) if vault.check() == check => return Ok(Some(vault)),
        Some(_) => report.add("secrets", None, "root_check", "the master key is not the one that the database was first used with", ""),
        None => report.add("secrets", None, "root_check", "master_key is not set, and the database keeps none", ""),
    }
    Ok(None)
}
