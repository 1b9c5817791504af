//! Okta: how its requests are told apart. Its shapes need harmless tolerances only.

use super::{Client, Evidence, Provider};

/// `User-Agent: Okta SCIM Client 1.0.0`.
#[must_use]
pub fn evidence(client: &Client<'_>) -> Option<Evidence> {
    client.user_agent.starts_with("Okta SCIM Client").then_some(Evidence { provider: Provider::Okta, signal: "the User-Agent header" })
}
