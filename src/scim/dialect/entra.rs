//! Microsoft Entra ID: how its requests are told apart, and the shapes that only it sends.

use super::{Client, Evidence, Provider};

/// The header `ADSCIMVersion: 6.0`, or the feature flag that an admin appends to the tenant URL (`?aadOptscim062020`).
#[must_use]
pub fn evidence(client: &Client<'_>) -> Option<Evidence> {
    const FLAGS: [&str; 2] = ["aadOptscim062020", "AzureAdScimPatch"];
    if client.adscim_version {
        return Some(Evidence { provider: Provider::Entra, signal: "the ADSCIMVersion header" });
    }
    FLAGS
        .iter()
        .any(|flag| client.query.contains(flag))
        .then_some(Evidence { provider: Provider::Entra, signal: "a feature flag in the query string" })
}

/// `{"op": "Add"}`: no other provider capitalises operation names.
pub const CAPITAL_OPERATION: &str = "a capitalised operation name";
