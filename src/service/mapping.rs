//! Between a SCIM document and a stored record. The only file that knows both.

use super::types;
use crate::domain::Tenant;
use crate::error::Result;
use crate::scim::resource::set_schemas;
use crate::scim::schema::{Attribute, Kind, ResourceKind, ResourceType};
use crate::scim::value::{date_time, fold};
use crate::scim::{self, EMPLOYEE_URN, ENTERPRISE_URN};
use crate::store::{Record, Row};
use serde_json::{Map, Value};

/// A document.
pub type Doc = Map<String, Value>;

/// Bytes of the longest value that has an index of its own; PostgreSQL takes no more than some 2,700.
const MOST_INDEXED: usize = 1000;

/// Whether a resource that was given no displayName shows one made of its other names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    Derive,
    /// The client took the displayName away.
    AsGiven,
}

/// Turns a canonical document into what is stored.
///
/// # Errors
/// 400 `invalidValue` for a name that is too long to be indexed.
pub fn record(rt: &ResourceType, tenant: &Tenant, mut doc: Doc, naming: Naming) -> std::result::Result<Record, scim::Error> {
    if rt.is_own() {
        return own_record(rt, doc);
    }
    check_lengths(&doc)?;
    let given = doc.get("displayName").and_then(Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned);
    let label_derived = given.is_none() && naming == Naming::Derive;
    let label = given.unwrap_or_else(|| derived_name(&doc));
    if label_derived {
        doc.insert("displayName".to_owned(), Value::from(label.as_str()));
    }
    set_schemas(rt, &mut doc);
    if rt.kind == ResourceKind::User {
        leave_room(&mut doc);
    }
    let text = |key: &str| doc.get(key).and_then(Value::as_str);
    Ok(Record {
        unique_key: unique_key(rt.kind, tenant, text("userName").unwrap_or_default(), &label),
        display_key: text("displayName").map(|name| fold(name).into_owned()),
        external_id: text("externalId").map(str::to_owned),
        // A longer text is no id.
        manager: manager(&doc).filter(|id| id.len() <= MOST_INDEXED).map(str::to_owned),
        label_derived,
        fdoc: Value::Object(searchable(rt, &doc)).to_string(),
        emails: emails(&doc),
        unique: unique(rt, &doc)?,
        doc: to_text(&doc),
        label,
    })
}

/// A resource of a type that the tenant has declared: no attribute but the common ones has a meaning of its own.
fn own_record(rt: &ResourceType, mut doc: Doc) -> std::result::Result<Record, scim::Error> {
    let external_id = doc.get("externalId").and_then(Value::as_str).map(str::to_owned);
    if external_id.as_ref().is_some_and(|s| s.len() > MOST_INDEXED) {
        return Err(scim::Error::value(format!("externalId is longer than {MOST_INDEXED} bytes")));
    }
    set_schemas(rt, &mut doc);
    Ok(Record {
        external_id,
        fdoc: Value::Object(searchable(rt, &doc)).to_string(),
        unique: unique(rt, &doc)?,
        doc: to_text(&doc),
        ..Record::default()
    })
}

/// The values that no other resource may have.
fn unique(rt: &ResourceType, doc: &Doc) -> std::result::Result<Vec<(String, String)>, scim::Error> {
    let values = rt.traits.unique(doc);
    match values.iter().find(|(_, value)| value.len() > MOST_INDEXED) {
        Some((name, _)) => Err(scim::Error::value(format!("{name} is longer than {MOST_INDEXED} bytes"))),
        None => Ok(values),
    }
}

/// Values that have an index must fit into a page of it.
pub(super) fn check_lengths(doc: &Doc) -> std::result::Result<(), scim::Error> {
    let too_long = |name: &str| Err(scim::Error::value(format!("{name} is longer than {MOST_INDEXED} bytes")));
    for name in ["userName", "displayName", "externalId"] {
        if doc.get(name).and_then(Value::as_str).is_some_and(|s| s.len() > MOST_INDEXED) {
            return too_long(name);
        }
    }
    let own =
        |urn: &str, name: &str| doc.get(urn).and_then(|e| e.get(name)).and_then(Value::as_str).is_some_and(|s| s.len() > MOST_INDEXED);
    for (urn, name) in [(ENTERPRISE_URN, "employeeNumber"), (EMPLOYEE_URN, "location"), (EMPLOYEE_URN, "managerEmail")] {
        if own(urn, name) {
            return too_long(name);
        }
    }
    if emails(doc).iter().any(|e| e.len() > MOST_INDEXED) { too_long("emails.value") } else { Ok(()) }
}

fn to_text(doc: &Doc) -> String {
    serde_json::to_string(doc).unwrap_or_default()
}

fn unique_key(kind: ResourceKind, tenant: &Tenant, user_name: &str, label: &str) -> Option<String> {
    match kind {
        ResourceKind::User => Some(fold(user_name).into_owned()),
        ResourceKind::Group => tenant.unique_group_names.then(|| fold(label).into_owned()),
        ResourceKind::Own(_) => None,
    }
}

/// The name shown for a user who was given none: the formatted name, the two parts of it, or the userName.
fn derived_name(doc: &Doc) -> String {
    let part = |key: &str| doc.get("name").and_then(|n| n.get(key)).and_then(Value::as_str).map(str::trim).filter(|s| !s.is_empty());
    let parts: Vec<&str> = [part("givenName"), part("familyName")].into_iter().flatten().collect();
    let mut name = match part("formatted") {
        Some(formatted) => formatted.to_owned(),
        None if !parts.is_empty() => parts.join(" "),
        None => doc.get("userName").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    name.truncate(name.floor_char_boundary(MOST_INDEXED));
    name
}

/// Makes a user's document end with our own extension, so that the roll's part of it can be added when it is shown; see
/// `render`. What the roll knows by itself is not kept here.
fn leave_room(doc: &mut Doc) {
    let mut own = doc.remove(EMPLOYEE_URN).unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(map) = own.as_object_mut() {
        map.remove("invited");
    }
    if let Some(Value::Array(urns)) = doc.get_mut("schemas")
        && !urns.iter().any(|u| u == EMPLOYEE_URN)
    {
        urns.push(Value::from(EMPLOYEE_URN));
    }
    doc.insert(EMPLOYEE_URN.to_owned(), own);
}

/// Sets or clears `manager.value`.
pub fn set_manager(doc: &mut Doc, id: Option<&str>) {
    let slot = doc.entry(ENTERPRISE_URN).or_insert_with(|| Value::Object(Map::new()));
    let Some(map) = slot.as_object_mut() else { return };
    match id {
        Some(id) => drop(map.insert("manager".to_owned(), serde_json::json!({"value": id}))),
        None => drop(map.remove("manager")),
    }
}

/// `manager.value`.
#[must_use]
pub fn manager(doc: &Doc) -> Option<&str> {
    doc.get(ENTERPRISE_URN)?.get("manager")?.get("value")?.as_str()
}

/// The addresses of a document as they are indexed, each once.
#[must_use]
pub fn emails(doc: &Doc) -> Vec<String> {
    let list = doc.get("emails").and_then(Value::as_array);
    let values = list.into_iter().flatten().filter_map(|e| e.get("value")).filter_map(Value::as_str);
    let mut keys: Vec<String> = values.map(|v| fold(v).into_owned()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The document that a stored row came from, as the client may change it. A derived displayName is left out; what the roll
/// keeps for it, the client's own location and `invited`, is put in.
///
/// # Errors
/// When it has an extension that the type does not, because that was declared a moment ago.
pub fn editable(row: &Row, rt: &ResourceType) -> Result<Doc> {
    let mut doc = parsed(row);
    if doc.keys().any(|key| key.contains(':') && rt.schema_of(key).is_none()) {
        return Err(types::changed());
    }
    if row.label_derived {
        doc.remove("displayName");
    }
    let Some(member) = row.member.as_deref() else { return Ok(doc) };
    if let Some(own) = doc.get_mut(EMPLOYEE_URN).and_then(Value::as_object_mut) {
        if let Some(location) = &member.location {
            own.insert("location".to_owned(), Value::from(location.as_str()));
        }
        if let Some(invited) = member.invited {
            own.insert("invited".to_owned(), Value::Bool(invited));
        }
    }
    set_schemas(rt, &mut doc);
    Ok(doc)
}

/// Takes the location out of a document.
pub fn remove_location(doc: &mut Doc) {
    if let Some(own) = doc.get_mut(EMPLOYEE_URN).and_then(Value::as_object_mut) {
        own.remove("location");
    }
}

/// The stored document.
#[must_use]
pub fn parsed(row: &Row) -> Doc {
    read(&row.doc)
}

/// A document from its text.
#[must_use]
pub fn read(text: &str) -> Doc {
    serde_json::from_str(text).unwrap_or_default()
}

/// The document as filters see it: strings folded where case does not count, dateTimes as numbers, and nothing that has a
/// column of its own.
fn searchable(rt: &ResourceType, doc: &Doc) -> Doc {
    let mut out = Map::new();
    for (key, value) in doc {
        if let Some(attr) = rt.attribute(key) {
            if !has_column(rt, key) {
                out.insert(key.clone(), search_value(attr, value));
            }
        } else if let (Some(schema), Value::Object(map)) = (rt.schema_of(key), value) {
            let inner = map.iter().filter_map(|(k, v)| schema.attribute(k).map(|a| (k.clone(), search_value(a, v)))).collect();
            out.insert(key.clone(), Value::Object(inner));
        }
    }
    out
}

fn has_column(rt: &ResourceType, key: &str) -> bool {
    key == "externalId" || (key == "displayName" && !rt.is_own()) || (key == "userName" && rt.kind == ResourceKind::User)
}

fn search_value(attr: &Attribute, value: &Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.iter().map(|v| search_value(attr, v)).collect()),
        Value::Object(map) => Value::Object(map.iter().filter_map(|(k, v)| attr.sub(k).map(|s| (k.clone(), search_value(s, v)))).collect()),
        Value::String(s) => match attr.kind {
            Kind::DateTime => date_time(s).map_or(Value::Null, |(ticks, _)| Value::from(ticks)),
            Kind::String | Kind::Reference if !attr.case_exact => Value::from(fold(s)),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}
