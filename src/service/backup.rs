//! A copy of a SQLite database in one file, made while servers run.

use crate::error::{Error, Result};
use crate::store::{Database, upkeep};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub bytes: u64,
    pub tenants: i64,
    pub members: i64,
    /// Migrations that the database lacked, and so does the copy.
    pub pending: Vec<String>,
}

/// Writes the database, as it is at one moment, into a new file that its owner alone can read. The file has its name only when it
/// is whole, on disk and checked.
///
/// # Errors
/// A sentence for the operator.
pub fn write(database: &Database, file: &Path) -> Result<Backup> {
    let Database::Sqlite(source) = database else {
        return Err(Error::Invalid(
            "this makes copies of SQLite databases; of a PostgreSQL database `pg_dump --format=custom --file FILE URL` makes one"
                .to_owned(),
        ));
    };
    if !Path::new(source).exists() {
        return Err(Error::Invalid(format!("there is no database {source}")));
    }
    check_free(file)?;
    let half = half_name(file)?;
    let written = write_checked(database, file, &half);
    if written.is_err() {
        // It may not be there.
        let _ = fs::remove_file(&half);
    }
    written
}

fn check_free(file: &Path) -> Result<()> {
    if file.is_dir() {
        return Err(Error::Invalid(format!("{} is a folder; name a file that is not there yet", file.display())));
    }
    if file.symlink_metadata().is_ok() {
        return Err(Error::Invalid(format!("{} is there already; a backup never takes the place of a file", file.display())));
    }
    Ok(())
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The name under which the file is written, beside it.
fn half_name(file: &Path) -> Result<PathBuf> {
    let name = file.file_name().ok_or_else(|| Error::Invalid(format!("{} names no file", file.display())))?;
    let mut half = std::ffi::OsString::from(".");
    half.push(name);
    half.push(format!(".{}.part", std::process::id()));
    Ok(folder(file).join(half))
}

fn write_checked(database: &Database, file: &Path, half: &Path) -> Result<Backup> {
    let failed = |e: std::io::Error| Error::Invalid(format!("{} cannot be written: {e}", file.display()));
    let path = half.to_str().ok_or_else(|| Error::Invalid(format!("{} is no name in UTF-8", file.display())))?;
    private().open(half).map_err(failed)?;
    upkeep::write_into(database, path)?;
    File::open(half).and_then(|f| f.sync_all()).map_err(failed)?;
    let backup = check(path)?;
    check_free(file)?;
    fs::rename(half, file).map_err(failed)?;
    File::open(folder(file)).and_then(|f| f.sync_all()).map_err(failed)?;
    Ok(backup)
}

/// A file that is new and nobody else's.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens a copy and looks whether it is whole.
fn check(path: &str) -> Result<Backup> {
    let mut conn = upkeep::look(&Database::Sqlite(path.to_owned()))?;
    if let Some(line) = upkeep::integrity(&mut conn)?.first() {
        return Err(Error::Invalid(format!(
            "the copy is broken ({line}), so that it was not kept; `rollbook verify` checks the database itself"
        )));
    }
    let standing = upkeep::standing(&mut conn)?;
    if !standing.known {
        return Err(Error::Invalid("this is no database of Rollbook: its tables are not there".to_owned()));
    }
    let (tenants, members) = upkeep::census(&mut conn)?;
    let bytes = fs::metadata(path).map_or(0, |m| m.len());
    Ok(Backup { bytes, tenants, members, pending: standing.pending })
}
