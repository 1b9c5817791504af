//! Who does something to a member.

use super::Source;

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An identity provider, by one of its tokens.
    Token { id: String, provider: String },
    /// An admin, by the name that was given.
    Admin(String),
    /// The member.
    Member,
    /// The server's clock.
    Timer(&'static str),
}

impl Actor {
    /// The kind of it in the audit.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Token { .. } => "token",
            Self::Admin(_) => "admin",
            Self::Member => "member",
            Self::Timer(_) => "timer",
        }
    }

    /// Whose word it is that a member is gone, or back.
    #[must_use]
    pub fn source(&self) -> Source {
        match self {
            Self::Admin(_) => Source::Admin,
            Self::Token { .. } | Self::Member | Self::Timer(_) => Source::Scim,
        }
    }

    /// Which one, in the audit.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Token { id, provider } => format!("{provider} {id}"),
            Self::Admin(name) => name.clone(),
            Self::Member => "member".to_owned(),
            Self::Timer(name) => (*name).to_owned(),
        }
    }
}
