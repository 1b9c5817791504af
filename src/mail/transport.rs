//! Where messages go: to a mail server, or into a folder. Whether and when a letter is tried again is not decided here.

use super::compose::compose;
use super::folder::Folder;
use super::letter::Letter;
use super::smtp::Smtp;
use std::path::PathBuf;

/// Where letters are to go. An SMTP URL may hold a password, so a route cannot be shown by `{:?}`.
#[derive(Clone)]
pub enum Route {
    /// A mail server: `smtps://user:password@host:465` with TLS from the first byte, or `smtp://user:password@host:587`
    /// with STARTTLS. `smtp://localhost:25?tls=none` sends in clear, on the same machine only.
    Smtp {
        url: String,
        /// PEM: certificates that are trusted beside the system's own.
        ca_file: Option<PathBuf>,
    },
    /// A folder, where each letter becomes a file `<id>.eml`.
    Folder(PathBuf),
}

/// Why a letter was not sent. The texts name nobody and hold no secret, so they can be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may work later.
    #[error("{0}")]
    Later(String),
    /// It will never work for this letter or this address.
    #[error("{0}")]
    Refused(String),
    /// Our own configuration is at fault, such as certificates or a password.
    #[error("{0}")]
    Broken(String),
}

/// Sends letters. It can be shared by threads.
pub struct Mailer(Way);

enum Way {
    Smtp(Box<Smtp>),
    Folder(Folder),
}

impl Mailer {
    /// Checks a route. A mail server is not asked yet; a folder is made.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the route, without its password.
    pub fn open(route: &Route) -> Result<Self, String> {
        Ok(Self(match route {
            Route::Smtp { url, ca_file } => Way::Smtp(Box::new(Smtp::open(url, ca_file.as_deref())?)),
            Route::Folder(path) => Way::Folder(Folder::open(path)?),
        }))
    }

    /// Sends a letter. It blocks: for at most ten seconds for each step, and a minute for the server to take the text.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn send(&self, letter: &Letter) -> Result<(), Failure> {
        let message = compose(letter)?;
        match &self.0 {
            Way::Smtp(smtp) => smtp.send(&message),
            Way::Folder(folder) => folder.put(&letter.id, &message.formatted()),
        }
    }
}
