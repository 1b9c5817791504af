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
    /// No token, or one that is not accepted.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// A token that does not allow this; the scope that would.
    #[error("the token lacks the scope {0}")]
    Forbidden(&'static str),
    /// Too much going on; trying again will work.
    #[error("the server is busy: {0}")]
    Busy(String),
    /// Our doing.
    #[error("{0}")]
    Internal(String),
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
