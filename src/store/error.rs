//! What can go wrong in the database, in the caller's terms.

use diesel::result::{DatabaseErrorKind, Error as Diesel};

/// A value that must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `userName`, or a group's `displayName` where the tenant wants it unique.
    UniqueKey,
    TenantName,
    Other,
}

/// A failed statement or transaction.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the value is taken")]
    Duplicate(Field),
    /// Another transaction was in the way; trying again may work.
    #[error("the database is busy: {0}")]
    Busy(String),
    #[error("the database failed: {0}")]
    Db(String),
}

impl Error {
    /// Whether the whole transaction should be tried again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_))
    }
}

impl From<Diesel> for Error {
    fn from(e: Diesel) -> Self {
        let Diesel::DatabaseError(kind, info) = &e else { return Self::Db(e.to_string()) };
        let text = info.message();
        match kind {
            DatabaseErrorKind::UniqueViolation => Self::Duplicate(field(info.constraint_name().unwrap_or(text))),
            DatabaseErrorKind::SerializationFailure => Self::Busy(text.to_owned()),
            // SQLite names neither of these by a kind, PostgreSQL no deadlock.
            _ if text.contains("database is locked") || text.contains("deadlock detected") => Self::Busy(text.to_owned()),
            _ => Self::Db(text.to_owned()),
        }
    }
}

/// PostgreSQL names the constraint, SQLite the columns in its message.
fn field(text: &str) -> Field {
    if text.contains("unique_key") {
        return Field::UniqueKey;
    }
    if text.contains("tenants_name") || text.contains("tenants.name") {
        return Field::TenantName;
    }
    Field::Other
}

impl From<diesel::r2d2::PoolError> for Error {
    fn from(e: diesel::r2d2::PoolError) -> Self {
        Self::Busy(format!("no connection is free: {e}"))
    }
}
