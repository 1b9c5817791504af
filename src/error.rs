//! The one error of a request. It is rendered in `http::error` only.

use crate::domain::lifecycle::Refused;
use crate::{scim, store};

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's doing.
    #[error(transparent)]
    Scim(#[from] scim::Error),
    /// The roll's rules forbid it.
    #[error(transparent)]
    Roll(#[from] Refused),
    /// What an admin asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// What an admin named is not there; `what` is the word for things of its kind.
    #[error("{detail}")]
    Missing { what: &'static str, detail: String },
    /// What an admin asked for contradicts what is there; `code` is a word that programs can look for.
    #[error("{detail}")]
    Conflict { code: &'static str, detail: String },
    /// What an admin wants to change was changed since it was read.
    #[error("it was changed since it was read: read it again")]
    Stale,
    /// No token, or one that is not accepted.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// A token that does not allow this; the scope that would.
    #[error("the token lacks the scope {0}")]
    Forbidden(&'static str),
    /// Whoever asks is not served.
    #[error("{0}")]
    Denied(String),
    /// Whoever asks is not served for a while.
    #[error("{0}")]
    Paused(String),
    /// Whoever asks has asked too often; after so many seconds trying again will work.
    #[error("{detail}")]
    TooMany { detail: String, seconds: u64 },
    /// Too much going on; trying again will work.
    #[error("the server is busy: {0}")]
    Busy(String),
    /// Our doing.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// What is not there.
    #[must_use]
    pub fn missing(what: &'static str, detail: impl Into<String>) -> Self {
        Self::Missing { what, detail: detail.into() }
    }

    /// What contradicts what is there.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into() }
    }
}

impl From<store::Error> for Error {
    fn from(e: store::Error) -> Self {
        match e {
            store::Error::Duplicate(_) => Self::Scim(scim::Error::taken("a value that must be unique")),
            store::Error::Busy(text) => Self::Busy(text),
            store::Error::Db(text) => Self::Internal(text),
        }
    }
}

/// The result of a request.
pub type Result<T> = std::result::Result<T, Error>;
