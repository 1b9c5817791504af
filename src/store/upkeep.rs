//! The database as a whole: looked at without changing it, checked by its own means, and written into a file.

use super::backend::{self, Conn, Database, Dialect};
use super::error::Error;
use super::sql::Sql;
use super::tables::BOOKKEEPING;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{Nullable, Text};
use diesel::{Connection, SqliteConnection};
use std::fmt::Write;

/// Opens a database that is there, for looking: nothing can be changed through the connection, and no file is made.
///
/// # Errors
/// When there is none, or it cannot be reached.
pub fn look(database: &Database) -> Result<Conn, Error> {
    let mut conn = existing(database)?;
    let sql = match &conn {
        Conn::Sqlite(_) => "PRAGMA query_only = ON",
        Conn::Pg(_) => "SET default_transaction_read_only = on",
    };
    conn.batch_execute(sql)?;
    Ok(conn)
}

fn existing(database: &Database) -> Result<Conn, Error> {
    let Database::Sqlite(path) = database else { return database.connect() };
    let missing = |e| Error::Db(format!("{path} cannot be opened: {e}"));
    let mut conn = SqliteConnection::establish(&format!("file:{}?mode=rw", escaped(path))).map_err(missing)?;
    conn.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000")?;
    Ok(Conn::Sqlite(conn))
}

/// A path as a part of a URI.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '%' | '?' | '#' => {
                let _ = write!(out, "%{:02X}", u32::from(c));
            }
            other => out.push(other),
        }
    }
    out
}

/// Writes a SQLite database, as it is at one moment, into a file that is not there or empty.
///
/// # Errors
/// When the file cannot be written.
pub fn write_into(database: &Database, file: &str) -> Result<(), Error> {
    let mut conn = existing(database)?;
    Sql::new("VACUUM INTO ").text(file).uncached().run(&mut conn).map(drop)
}

/// The tables that there are, in order.
///
/// # Errors
/// When the database fails.
pub fn tables(conn: &mut Conn) -> Result<Vec<String>, Error> {
    let sql = match conn.dialect() {
        Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
        Dialect::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1",
    };
    Sql::new(sql).load::<Text, _>(conn)
}

/// How a database stands to the migrations of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether any has run.
    pub known: bool,
    /// Those that have not run yet.
    pub pending: Vec<String>,
    /// Those that this program does not know.
    pub foreign: Vec<String>,
}

/// Compares the migrations that have run with those that are built in; makes no table for it.
///
/// # Errors
/// When the database fails.
pub fn standing(conn: &mut Conn) -> Result<Standing, Error> {
    let applied: Vec<String> = if tables(conn)?.iter().any(|t| t == BOOKKEEPING) {
        Sql::new("SELECT CAST(version AS TEXT) FROM __diesel_schema_migrations ORDER BY version").load::<Text, _>(conn)?
    } else {
        Vec::new()
    };
    let built_in = backend::migration_names(conn.dialect());
    let version = |name: &String| name.split('_').next().unwrap_or_default().replace('-', "");
    Ok(Standing {
        known: !applied.is_empty(),
        pending: built_in.iter().filter(|name| !applied.contains(&version(name))).cloned().collect(),
        foreign: applied.iter().filter(|v| !built_in.iter().any(|name| version(name) == **v)).cloned().collect(),
    })
}

/// What the database itself finds broken; SQLite only, because PostgreSQL does not keep what breaks its rules.
///
/// # Errors
/// When the database fails.
pub fn integrity(conn: &mut Conn) -> Result<Vec<String>, Error> {
    if conn.dialect() == Dialect::Postgres {
        return Ok(Vec::new());
    }
    let mut lines: Vec<String> = Sql::new("PRAGMA integrity_check").uncached().load::<Text, _>(conn)?;
    lines.retain(|line| line != "ok");
    Ok(lines)
}

/// Rows that refer to rows which are not there: table and what it refers to. SQLite only, for the same reason.
///
/// # Errors
/// When the database fails.
pub fn dangling(conn: &mut Conn) -> Result<Vec<(String, String, String)>, Error> {
    if conn.dialect() == Dialect::Postgres {
        return Ok(Vec::new());
    }
    let sql = "SELECT \"table\", CAST(rowid AS TEXT), parent FROM pragma_foreign_key_check";
    let rows: Vec<(String, Option<String>, String)> = Sql::new(sql).uncached().load::<(Text, Nullable<Text>, Text), _>(conn)?;
    Ok(rows.into_iter().map(|(table, row, parent)| (table, row.unwrap_or_default(), parent)).collect())
}

/// How many tenants there are, and how many members, in a database of any version.
///
/// # Errors
/// When the database fails.
pub fn census(conn: &mut Conn) -> Result<(i64, i64), Error> {
    let mut number = |sql: &'static str| Sql::new(sql).number(conn);
    Ok((number("SELECT COUNT(*) FROM tenants")?, number("SELECT COUNT(*) FROM resources WHERE kind IN (1, 3)")?))
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn paths_stay_what_they_are() {
        assert_eq!(escaped("/a b/c?d#e%f.db"), "/a b/c%3Fd%23e%25f.db");
    }
}
