//! OneLogin: how its requests are told apart, and the URNs of its templates.

use super::{Client, Evidence, Provider};
use crate::scim::{ENTERPRISE_URN, ResourceType};

/// `User-Agent: OneLogin SCIM`, when the admin has set it.
#[must_use]
pub fn evidence(client: &Client<'_>) -> Option<Evidence> {
    client.user_agent.contains("OneLogin").then_some(Evidence { provider: Provider::OneLogin, signal: "the User-Agent header" })
}

/// The URN that a legacy one stands for: `urn:scim:schemas:core:{1.0,2.0}` and
/// `urn:scim:schemas:extension:enterprise:{1.0,2.0}`, with or without `:User` or `:Group` at the end.
#[must_use]
pub fn modern_urn(rt: &ResourceType, urn: &str) -> Option<String> {
    let lower = urn.to_ascii_lowercase();
    let rest = lower.strip_prefix("urn:scim:schemas:")?;
    let rest = rest.strip_suffix(":user").or_else(|| rest.strip_suffix(":group")).unwrap_or(rest);
    match rest {
        "core:1.0" | "core:2.0" => Some(rt.schema.id.clone()),
        "extension:enterprise:1.0" | "extension:enterprise:2.0" => Some(ENTERPRISE_URN.to_owned()),
        _ => None,
    }
}
