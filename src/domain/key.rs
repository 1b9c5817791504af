//! Keys of the admin API.

use super::{Scopes, TenantId, TokenState};

/// What is kept of a key; never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminKey {
    pub id: String,
    /// The only tenant that it opens; an operator's key opens all.
    pub tenant: Option<TenantId>,
    pub name: String,
    /// Hexadecimal SHA-256 of the key.
    pub hash: String,
    pub scopes: Scopes,
    /// Times are microseconds since the epoch.
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

impl AdminKey {
    /// Whether the key is accepted at `now`, and if not, why.
    #[must_use]
    pub fn state(&self, now: i64) -> TokenState {
        TokenState::at(now, self.expires_at, self.revoked_at)
    }

    /// Whether the key is accepted at `now`.
    #[must_use]
    pub fn is_live(&self, now: i64) -> bool {
        self.state(now) == TokenState::Live
    }
}
