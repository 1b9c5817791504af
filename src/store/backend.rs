//! The two databases: connections, transactions, migrations. What differs between them is here.

use super::error::Error;
use super::sql::Sql;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::migration::MigrationSource;
use diesel::r2d2::{self, ManageConnection, Pool, PooledConnection, R2D2Connection};
use diesel::sql_types::Integer;
use diesel::{Connection, PgConnection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::time::Duration;

/// A connection to either database.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    Pg(PgConnection),
    Sqlite(SqliteConnection),
}

/// Which SQL a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

impl Conn {
    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Pg(_) => Dialect::Postgres,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }
}

const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// How SQLite is opened. `synchronous=FULL` makes an acknowledged commit survive a power cut.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2000; PRAGMA wal_autocheckpoint = 4000;";

/// Where the database is, from a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file path.
    Sqlite(String),
    /// A `postgres://` URL.
    Postgres(String),
}

impl Database {
    /// Reads `sqlite://path`, `sqlite:///absolute/path`, `postgres://…` or `postgresql://…`.
    ///
    /// # Errors
    /// A sentence that names the accepted forms, without repeating a URL that may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() || path.contains(":memory:") {
                return Err("the database URL names no file; sqlite:///var/lib/rollbook/rollbook.db is an example".to_owned());
            }
            return Ok(Self::Sqlite(path.to_owned()));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let scheme = url.split("://").next().unwrap_or_default();
        Err(format!("the database URL begins with \"{scheme}\"; sqlite://PATH or postgres://USER@HOST/NAME is expected"))
    }

    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Opens one connection.
    ///
    /// # Errors
    /// When the file or server cannot be reached.
    pub fn connect(&self) -> Result<Conn, Error> {
        self.manager(false).connect().map_err(|e| Error::Db(e.to_string()))
    }

    /// As [`Self::connect`], with room for the hot pages of a large table. For connections that are few and always at work.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_roomy(&self) -> Result<Conn, Error> {
        self.manager(true).connect().map_err(|e| Error::Db(e.to_string()))
    }

    fn manager(&self, roomy: bool) -> Manager {
        Manager { database: self.clone(), roomy }
    }

    /// A pool of at most `size` connections; a caller waits at most `wait` for one. `roomy` as in
    /// [`Self::connect_roomy`].
    ///
    /// # Errors
    /// When no first connection can be opened.
    pub fn pool(&self, size: u32, wait: Duration, roomy: bool) -> Result<ConnPool, Error> {
        Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .test_on_check_out(false)
            .connection_timeout(wait)
            .build(self.manager(roomy))
            .map_err(Error::from)
    }
}

/// A pool of connections.
pub type ConnPool = Pool<Manager>;
/// A connection on loan from a pool.
pub type Loan = PooledConnection<Manager>;

/// Opens connections for a pool.
#[derive(Debug)]
pub struct Manager {
    database: Database,
    roomy: bool,
}

impl ManageConnection for Manager {
    type Connection = Conn;
    type Error = r2d2::Error;

    fn connect(&self) -> Result<Conn, r2d2::Error> {
        match &self.database {
            Database::Postgres(url) => PgConnection::establish(url).map(Conn::Pg).map_err(r2d2::Error::ConnectionError),
            Database::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(path).map_err(r2d2::Error::ConnectionError)?;
                conn.batch_execute(PRAGMAS).map_err(r2d2::Error::QueryError)?;
                if self.roomy {
                    conn.batch_execute("PRAGMA cache_size = -16000").map_err(r2d2::Error::QueryError)?;
                }
                Ok(Conn::Sqlite(conn))
            }
        }
    }

    fn is_valid(&self, conn: &mut Conn) -> Result<(), r2d2::Error> {
        conn.ping().map_err(r2d2::Error::QueryError)
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        std::thread::panicking() || conn.is_broken()
    }
}

type Manage = <Conn as Connection>::TransactionManager;

/// Begins a transaction that will write: SQLite takes its write lock at once, instead of failing half-way.
///
/// # Errors
/// When the lock cannot be had in time.
pub fn begin(conn: &mut Conn) -> Result<(), Error> {
    match conn {
        Conn::Pg(_) => Manage::begin_transaction(conn)?,
        Conn::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")?,
    }
    Ok(())
}

/// Commits. When this fails nothing was stored.
///
/// # Errors
/// When the database refuses.
pub fn commit(conn: &mut Conn) -> Result<(), Error> {
    if let Err(e) = Manage::commit_transaction(conn) {
        rollback(conn);
        return Err(e.into());
    }
    Ok(())
}

/// Gets what was deleted out of the files of the database, as far as the database can: SQLite's log is emptied (deleted text
/// is overwritten when it is deleted), PostgreSQL's dead rows are given free. Whether it could be done; somebody who is
/// reading may be in the way.
///
/// # Errors
/// When the database refuses.
pub fn scrub(conn: &mut Conn) -> Result<bool, Error> {
    match conn.dialect() {
        Dialect::Sqlite => {
            let rows: Vec<(i32, i32, i32)> =
                Sql::new("PRAGMA wal_checkpoint(TRUNCATE)").uncached().load::<(Integer, Integer, Integer), _>(conn)?;
            Ok(rows.first().is_some_and(|(busy, ..)| *busy == 0))
        }
        Dialect::Postgres => {
            let tables =
                ["resources", "resource_emails", "outbox", "invitations", "access_codes", "credentials", "person_keys", "provisioning_log"];
            // Each by itself: several statements at once would be a transaction, in which this cannot be done.
            for table in tables {
                conn.batch_execute(&format!("VACUUM {table}"))?;
            }
            Ok(true)
        }
    }
}

/// Rolls back. A connection on which this fails is broken, and the pool throws it away.
pub fn rollback(conn: &mut Conn) {
    if let Err(e) = Manage::rollback_transaction(conn) {
        log::warn!("a rollback failed: {e}");
    }
}

/// Runs `f` in one writing transaction.
///
/// # Errors
/// What `f` returns, or the failed commit.
pub fn write<T, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
    begin(conn)?;
    match f(conn) {
        Ok(value) => {
            commit(conn)?;
            Ok(value)
        }
        Err(e) => {
            rollback(conn);
            Err(e)
        }
    }
}

/// Runs `f` inside a savepoint of the transaction under way.
///
/// # Errors
/// What `f` returns.
pub fn savepoint<T, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
    Manage::begin_transaction(conn).map_err(Error::from)?;
    match f(conn) {
        Ok(value) => {
            Manage::commit_transaction(conn).map_err(Error::from)?;
            Ok(value)
        }
        Err(e) => {
            rollback(conn);
            Err(e)
        }
    }
}

/// Runs `f` inside a savepoint of the transaction under way, and undoes whatever it did.
///
/// # Errors
/// What `f` returns; when it cannot be undone, so that the transaction must not be committed.
pub fn undone<T, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
    Manage::begin_transaction(conn).map_err(Error::from)?;
    let result = f(conn);
    Manage::rollback_transaction(conn).map_err(Error::from)?;
    result
}

/// Runs `f` on one snapshot of the data.
///
/// # Errors
/// What `f` returns.
pub fn read<T, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
    match conn {
        Conn::Pg(c) => {
            AnsiTransactionManager::begin_transaction_sql(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").map_err(Error::from)?;
        }
        Conn::Sqlite(_) => Manage::begin_transaction(conn).map_err(Error::from)?,
    }
    let result = f(conn);
    rollback(conn);
    result
}

/// Brings PostgreSQL's knowledge of the tables up to date when a fifth of them is new; whether it did.
///
/// Autovacuum does the same, but at the earliest after a minute. Until then the planner takes every index for equally good,
/// and an initial sync suffers from it. SQLite's statements are written so that they need no statistics.
///
/// # Errors
/// When the database fails.
pub fn analyze_if_grown(conn: &mut Conn) -> Result<bool, Error> {
    let Conn::Pg(_) = conn else { return Ok(false) };
    let grown: Vec<i64> = Sql::new(
        "SELECT count(*) FROM pg_stat_user_tables WHERE relname IN ('resources', 'resource_emails', 'group_members') \
         AND schemaname = current_schema() AND n_mod_since_analyze > 50 + n_live_tup / 5",
    )
    .load::<diesel::sql_types::BigInt, _>(conn)?;
    if grown.first().is_none_or(|n| *n == 0) {
        return Ok(false);
    }
    conn.batch_execute("ANALYZE resources; ANALYZE resource_emails; ANALYZE group_members")?;
    Ok(true)
}

/// The names of the migrations that have not run yet.
///
/// # Errors
/// When the database cannot be asked.
pub fn pending_migrations(conn: &mut Conn) -> Result<Vec<String>, Error> {
    let list = match conn {
        Conn::Pg(c) => c.pending_migrations(POSTGRES_MIGRATIONS).map(|l| l.iter().map(|m| m.name().to_string()).collect()),
        Conn::Sqlite(c) => c.pending_migrations(SQLITE_MIGRATIONS).map(|l| l.iter().map(|m| m.name().to_string()).collect()),
    };
    list.map_err(|e| Error::Db(e.to_string()))
}

/// Brings the tables up to date. Several servers may start at once.
///
/// # Errors
/// When a migration fails; it is rolled back.
pub fn migrate(conn: &mut Conn) -> Result<(), Error> {
    let done = match conn {
        Conn::Pg(c) => {
            c.batch_execute("SELECT pg_advisory_lock(7236174)")?;
            let done = c.run_pending_migrations(POSTGRES_MIGRATIONS).map(|_| ());
            c.batch_execute("SELECT pg_advisory_unlock(7236174)")?;
            done
        }
        Conn::Sqlite(c) => c.run_pending_migrations(SQLITE_MIGRATIONS).map(|_| ()),
    };
    done.map_err(|e| Error::Db(e.to_string()))
}

/// The names of the embedded migrations of one database, in order.
#[must_use]
pub fn migration_names(dialect: Dialect) -> Vec<String> {
    let list = match dialect {
        Dialect::Postgres => {
            MigrationSource::<diesel::pg::Pg>::migrations(&POSTGRES_MIGRATIONS).map(|l| l.iter().map(|m| m.name().to_string()).collect())
        }
        Dialect::Sqlite => MigrationSource::<diesel::sqlite::Sqlite>::migrations(&SQLITE_MIGRATIONS)
            .map(|l| l.iter().map(|m| m.name().to_string()).collect()),
    };
    list.unwrap_or_default()
}
