//! Tenants: the customers of the team that runs Rollbook. Every row of data belongs to one.

use super::Settings;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// The internal key of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(pub i64);

/// The identity provider that a tenant or a source declares, or the profile that it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Idp {
    /// Find out from the requests.
    #[default]
    Auto,
    Okta,
    Entra,
    OneLogin,
    /// No provider: the RFC to the letter.
    Rfc,
    /// The SCIM interoperability profile (draft-zollner-scim-interop-profile).
    Interop,
    /// The account lifecycle profile of IPSIE, which builds on `interop`.
    Ipsie,
}

impl Idp {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Auto, Self::Okta, Self::Entra, Self::OneLogin, Self::Rfc, Self::Interop, Self::Ipsie];

    /// The word for it on the command line and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Okta => "okta",
            Self::Entra => "entra",
            Self::OneLogin => "onelogin",
            Self::Rfc => "rfc",
            Self::Interop => "interop",
            Self::Ipsie => "ipsie",
        }
    }

    /// Whether two groups may not have the same displayName, unless somebody says otherwise: Entra looks groups up by name,
    /// and IPSIE advises against it.
    #[must_use]
    pub fn has_unique_group_names(self) -> bool {
        matches!(self, Self::Entra | Self::Ipsie)
    }
}

impl fmt::Display for Idp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Idp {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let all = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL
            .into_iter()
            .find(|i| i.as_str() == s)
            .ok_or_else(|| format!("\"{s}\" is no identity provider; one of {} is expected", all()))
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    /// Lower-case letters, digits and hyphens.
    pub name: String,
    pub idp: Idp,
    /// Whether two groups may not have the same displayName; see [`Idp::has_unique_group_names`].
    pub unique_group_names: bool,
    /// Microseconds since the epoch.
    pub created_at: i64,
    pub settings: Settings,
    /// Counts changes of what an admin sets.
    pub version: i64,
    /// Why nobody of it is served, if so.
    pub suspended: Option<String>,
    /// Counts changes of the schemas and resource types that it has declared; 0 while there were none.
    pub types: i64,
}

impl Tenant {
    /// The organisation's name, for people.
    #[must_use]
    pub fn organisation(&self) -> &str {
        self.settings.organisation.as_deref().unwrap_or(&self.name)
    }
}

/// Checks a tenant's name: 1 to 63 lower-case letters, digits and hyphens, beginning with a letter or digit.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || name.starts_with('-') || !name.chars().all(legal) {
        return Err(format!(
            "\"{name}\" is no tenant name: 1 to 63 lower-case letters, digits and hyphens are expected, not beginning with a hyphen"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["acme", "a", "a-1", "9lives"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "Acme", "a b", "a_b", "ä", &"x".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
