//! The interop profile (draft-zollner-scim-interop-profile-01) and IPSIE's account lifecycle profile on top of it: what they
//! show of a connection, and the numbers they demand. What they refuse is refused where it is read, by [`super::Reading`].

use super::{Declared, Dialect, Quirk};
use crate::scim::schema::{Attribute, Returned};
use serde_json::{Value, json};

/// Resources of a page when the client names no number.
pub const PAGE: i64 = 100;
/// Operations of a PATCH that must be accepted.
pub const OPERATIONS: usize = 50;
/// What a `type` may be where neither the RFC nor its registry says so.
const TYPES: [&str; 3] = ["work", "home", "other"];

/// Whether an attribute of ours opens an account: IPSIE lets no schema have one.
#[must_use]
pub fn is_credential(attr: &Attribute) -> bool {
    attr.returned == Returned::Request && names_credential(&attr.name)
}

fn names_credential(name: &str) -> bool {
    ["claimLink", "accessCode", "accessCodeExpirationDate"].contains(&name)
}

/// Whether a connection keeps the profile: it is declared, and no tolerance is switched on by hand.
#[must_use]
pub fn is_kept(dialect: &Dialect) -> bool {
    dialect.declared.is_interop() && dialect.quirks().is_empty()
}

/// A discovery document, or a list of them, as a connection sees it.
#[must_use]
pub fn discovered(dialect: &Dialect, mut document: Value) -> Value {
    match document.get_mut("Resources").and_then(Value::as_array_mut) {
        Some(list) => list.iter_mut().for_each(|one| shape(dialect, one)),
        None => shape(dialect, &mut document),
    }
    document
}

fn shape(dialect: &Dialect, document: &mut Value) {
    let kind = document.pointer("/meta/resourceType").and_then(Value::as_str).unwrap_or_default().to_owned();
    match (kind.as_str(), document) {
        ("ServiceProviderConfig", Value::Object(config)) if is_kept(dialect) => {
            config.insert("interopProfileConformant".to_owned(), Value::Bool(true));
        }
        ("Schema", schema) => shape_schema(dialect, schema),
        _ => {}
    }
}

fn shape_schema(dialect: &Dialect, schema: &mut Value) {
    let config = schema.get("id").and_then(Value::as_str).is_some_and(|id| id.ends_with(":ServiceProviderConfig"));
    let Some(attributes) = schema.get_mut("attributes").and_then(Value::as_array_mut) else { return };
    attributes.retain(|a| !hidden(dialect, a));
    if !dialect.declared.is_interop() {
        return;
    }
    attributes.iter_mut().for_each(name_types);
    if config {
        attributes.push(json!({
            "name": "interopProfileConformant", "type": "boolean", "multiValued": false, "required": false,
            "description": "Whether the server keeps the SCIM interoperability profile", "mutability": "readOnly", "returned": "default"
        }));
    }
}

/// As [`super::Reading::hides`], for an attribute as it is shown.
fn hidden(dialect: &Dialect, attr: &Value) -> bool {
    let text = |key: &str| attr.get(key).and_then(Value::as_str).unwrap_or_default();
    let refused = text("returned") == "never" && text("name") == "password" && !dialect.quirks().has(Quirk::PasswordDropped);
    let opens = dialect.declared == Declared::Ipsie && text("returned") == "request" && names_credential(text("name"));
    refused || opens
}

/// Says of every `type` of a multi-valued attribute which values it takes.
fn name_types(attr: &mut Value) {
    if attr.get("multiValued") != Some(&Value::Bool(true)) {
        return;
    }
    let subs = attr.get_mut("subAttributes").and_then(Value::as_array_mut);
    for sub in subs.into_iter().flatten().filter(|s| s.get("name").is_some_and(|n| n == "type")) {
        let named = sub.get("canonicalValues").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        if let (false, Some(sub)) = (named, sub.as_object_mut()) {
            sub.insert("canonicalValues".to_owned(), json!(TYPES));
        }
    }
}
