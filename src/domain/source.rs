//! Sources: the connections of a tenant's identity providers.

use super::{Idp, TenantId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The source that every tenant begins with.
pub const DEFAULT: &str = "default";

/// Whether a source may push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    #[default]
    Active,
    /// Its requests are answered 503 with Retry-After: it tries again later.
    Paused,
    /// Its requests are answered 403. Nobody is deactivated.
    Detached,
}

impl SourceState {
    /// The word for it in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Detached => "detached",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Detached].into_iter().find(|s| s.as_str() == word)
    }
}

/// What a source may do beside reading and updating. What it may not is refused with 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a source may do")]
pub struct Capabilities {
    /// Whether it may create users.
    pub create: bool,
    /// Whether it may deactivate and delete users.
    pub deactivate: bool,
    /// Whether it may bring users back.
    pub reactivate: bool,
    /// Whether it may create, change and delete groups.
    pub groups: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { create: true, deactivate: true, reactivate: true, groups: true }
    }
}

/// A source: a connection with tokens of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimSource {
    pub tenant: TenantId,
    /// Lower-case letters, digits and hyphens.
    pub name: String,
    /// Its identity provider; without one, the tenant's.
    pub idp: Option<Idp>,
    pub state: SourceState,
    pub capabilities: Capabilities,
    /// Tolerances that are switched on or off, by name, whatever the provider says.
    pub tolerances: BTreeMap<String, bool>,
    /// PEM: its requests must come with a certificate under one of these.
    pub client_ca: Option<String>,
    /// Counts changes.
    pub version: i64,
    /// Microseconds since the epoch.
    pub created_at: i64,
}

impl ScimSource {
    /// A new source with everything as it is by default.
    #[must_use]
    pub fn new(tenant: TenantId, name: &str, now: i64) -> Self {
        Self {
            tenant,
            name: name.to_owned(),
            idp: None,
            state: SourceState::Active,
            capabilities: Capabilities::default(),
            tolerances: BTreeMap::new(),
            client_ca: None,
            version: 1,
            created_at: now,
        }
    }
}
