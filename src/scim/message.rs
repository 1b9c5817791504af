//! The messages of the protocol: search requests and PATCH bodies (RFC 7644 §3.4.2, §3.4.3, §3.5.2).

use super::dialect::{Quirk, Reading, entra};
use super::error::{Error, shown};
use super::json::kind_name;
use super::schema::{ResourceKind, ResourceType};
use super::{PATCH_URN, SEARCH_URN};
use serde_json::{Map, Value, json};

/// What a list or search asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    pub attributes: Vec<String>,
    pub excluded_attributes: Vec<String>,
    pub filter: Option<String>,
    pub sort_by: Option<String>,
    pub descending: bool,
    pub start_index: Option<i64>,
    pub count: Option<i64>,
    /// Present and empty on the first request of a cursor walk (RFC 9865 §2).
    pub cursor: Option<String>,
}

impl ListRequest {
    /// Reads query parameters. Names are matched in any case; unknown ones are ignored.
    ///
    /// # Errors
    /// 400 `invalidValue` for a number that is none, a bad `sortOrder`, or parameters that exclude each other.
    pub fn from_query<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut out = Self::default();
        for (key, value) in pairs {
            match key.to_ascii_lowercase().as_str() {
                "attributes" => out.attributes.extend(names(value)),
                "excludedattributes" => out.excluded_attributes.extend(names(value)),
                "filter" => out.filter = Some(value.to_owned()),
                "sortby" => out.sort_by = Some(value.to_owned()).filter(|v| !v.is_empty()),
                "sortorder" => out.descending = descending(value)?,
                "startindex" => out.start_index = Some(whole("startIndex", value)?),
                "count" => out.count = Some(whole("count", value)?),
                "cursor" => out.cursor = Some(value.to_owned()),
                _ => {}
            }
        }
        out.checked()
    }

    /// Reads the body of a POST to `/.search`.
    ///
    /// # Errors
    /// 400 `invalidSyntax` for a member of the wrong JSON type or a missing schema; else as [`Self::from_query`].
    pub fn from_body(body: Map<String, Value>, reading: &mut Reading) -> Result<Self, Error> {
        require_schema(&body, SEARCH_URN, reading)?;
        let mut out = Self::default();
        for (key, value) in body {
            if value.is_null() {
                continue;
            }
            match key.to_ascii_lowercase().as_str() {
                "attributes" => out.attributes = list(&key, value)?,
                "excludedattributes" => out.excluded_attributes = list(&key, value)?,
                "filter" => out.filter = Some(text(&key, value)?),
                "sortby" => out.sort_by = Some(text(&key, value)?),
                "sortorder" => out.descending = descending(&text(&key, value)?)?,
                "startindex" => out.start_index = Some(number(&key, &value)?),
                "count" => out.count = Some(number(&key, &value)?),
                "cursor" => out.cursor = Some(text(&key, value)?),
                _ => {}
            }
        }
        out.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        if !self.attributes.is_empty() && !self.excluded_attributes.is_empty() {
            return Err(Error::value("attributes and excludedAttributes exclude each other"));
        }
        if self.cursor.is_some() && self.start_index.is_some() {
            return Err(Error::value("cursor and startIndex exclude each other"));
        }
        Ok(self)
    }
}

/// Comma-separated attribute names; a comma inside brackets does not separate.
fn names(value: &str) -> Vec<String> {
    let mut depth = 0usize;
    let parts = value.split(|c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

fn descending(value: &str) -> Result<bool, Error> {
    match value.to_ascii_lowercase().as_str() {
        "ascending" | "" => Ok(false),
        "descending" => Ok(true),
        _ => Err(Error::value(format!("sortOrder is \"{}\"; ascending or descending is expected", shown(value)))),
    }
}

fn whole(name: &str, value: &str) -> Result<i64, Error> {
    value.trim().parse().map_err(|_| Error::value(format!("{name} is \"{}\"; a whole number is expected", shown(value))))
}

fn text(name: &str, value: Value) -> Result<String, Error> {
    match value {
        Value::String(s) => Ok(s),
        other => Err(Error::syntax(format!("{name} is {}; a string is expected", kind_name(&other)))),
    }
}

fn number(name: &str, value: &Value) -> Result<i64, Error> {
    value.as_i64().ok_or_else(|| Error::syntax(format!("{name} is {}; a whole number is expected", kind_name(value))))
}

fn list(name: &str, value: Value) -> Result<Vec<String>, Error> {
    match value {
        Value::String(s) => Ok(names(&s)),
        Value::Array(items) => items.into_iter().map(|v| text(name, v)).collect(),
        other => Err(Error::syntax(format!("{name} is {}; an array of strings is expected", kind_name(&other)))),
    }
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Add,
    Remove,
    Replace,
}

impl Verb {
    /// The word in the body.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }
}

/// One operation of a PATCH.
#[derive(Debug, Clone)]
pub struct Operation {
    pub verb: Verb,
    pub path: Option<String>,
    pub value: Option<Value>,
}

impl Operation {
    /// Whether it may change elements of a list that are there: by a filter, by a sub-attribute, or because another one is the
    /// primary one now. That can make two of them the same.
    #[must_use]
    pub fn changes_elements(&self) -> bool {
        let keys = self.value.as_ref().and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let mut paths = self.path.iter().chain(keys);
        paths.any(|path| path.contains(['[', '.'])) || self.value.as_ref().is_some_and(names_primary)
    }

    /// Whether it says something of a core attribute, whatever that is.
    #[must_use]
    pub fn is_about(&self, attribute: &str) -> bool {
        let named = |name: &str| name.rsplit(':').next().is_some_and(|n| n.eq_ignore_ascii_case(attribute));
        match (&self.path, &self.value) {
            (Some(path), _) => named(path),
            (None, Some(Value::Object(map))) => map.keys().any(|k| named(k)),
            (None, _) => false,
        }
    }
}

fn names_primary(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(names_primary),
        Value::Object(map) => map.iter().any(|(key, value)| key.eq_ignore_ascii_case("primary") || names_primary(value)),
        _ => false,
    }
}

/// Reads a PATCH body; `most` is the largest number of operations that is accepted.
///
/// # Errors
/// 400 `invalidSyntax` for anything that is not a PatchOp message; 413 for too many operations.
pub fn patch_op(rt: &ResourceType, body: Map<String, Value>, most: usize, reading: &mut Reading) -> Result<Vec<Operation>, Error> {
    let key = body.keys().find(|k| k.eq_ignore_ascii_case("Operations")).cloned();
    let Some(key) = key else { return scim1(rt, &body, reading) };
    let mut body = body;
    let operations = body.remove(&key).unwrap_or_default();
    require_schema(&body, PATCH_URN, reading)?;
    envelope(&body, &["schemas"], reading)?;
    let Value::Array(list) = operations else {
        return Err(Error::syntax(format!("Operations is {}; an array is expected", kind_name(&operations))));
    };
    if list.is_empty() && !reading.allow(Quirk::EmptyOperations, || "Operations: empty, nothing to do".to_owned()) {
        return Err(Error::syntax("Operations must hold at least one operation"));
    }
    if list.len() > most {
        return Err(Error::status(413, format!("the PATCH has {} operations; at most {most} are accepted (patch_operations)", list.len())));
    }
    list.into_iter().enumerate().map(|(n, item)| operation(n + 1, item, reading)).collect()
}

fn operation(n: usize, item: Value, reading: &mut Reading) -> Result<Operation, Error> {
    let Value::Object(map) = item else {
        return Err(Error::syntax(format!("operation {n} is {}; an object is expected", kind_name(&item))));
    };
    envelope(&map, &["op", "path", "value"], reading)?;
    let (mut verb, mut path, mut value) = (None, None, None);
    for (key, member) in map {
        match key.to_ascii_lowercase().as_str() {
            "op" => verb = Some(read_verb(n, &member, reading)?),
            "path" if member.is_null() => {}
            "path" => path = Some(text("path", member).map_err(|e| Error::path(e.detail))?),
            "value" => value = Some(member),
            _ => {}
        }
    }
    let verb = verb.ok_or_else(|| Error::syntax(format!("operation {n} has no op")))?;
    if path.is_none() && reading.interop() {
        return Err(Error::syntax(format!("operation {n} ({}) has no path; the interop profile demands one", verb.name())));
    }
    Ok(Operation { verb, path, value })
}

fn read_verb(n: usize, op: &Value, reading: &mut Reading) -> Result<Verb, Error> {
    let word = op.as_str().unwrap_or_default();
    let verb = match word.to_ascii_lowercase().as_str() {
        "add" => Verb::Add,
        "remove" => Verb::Remove,
        "replace" => Verb::Replace,
        _ => return Err(Error::syntax(format!("operation {n}: op is {}; add, remove or replace is expected", shown(&op.to_string())))),
    };
    if word == verb.name() {
        return Ok(verb);
    }
    if word.starts_with(|c: char| c.is_ascii_uppercase()) {
        reading.shows(super::dialect::Provider::Entra, entra::CAPITAL_OPERATION);
    }
    if reading.allow(Quirk::OperationCase, || format!("op: \"{word}\" read as {}", verb.name())) {
        return Ok(verb);
    }
    Err(Error::syntax(format!("operation {n}: op is \"{word}\"; {} is expected", verb.name())))
}

/// Unknown members are tolerated with a note, or refused.
fn envelope(map: &Map<String, Value>, known: &[&str], reading: &mut Reading) -> Result<(), Error> {
    for key in map.keys().filter(|k| !known.contains(&k.to_ascii_lowercase().as_str())) {
        if !reading.allow(Quirk::EnvelopeKey, || format!("{}: ignored, a PATCH has no such member", shown(key))) {
            return Err(Error::syntax(format!("\"{}\" is not a member of a PATCH", shown(key))));
        }
    }
    Ok(())
}

pub(super) fn require_schema(body: &Map<String, Value>, urn: &str, reading: &mut Reading) -> Result<(), Error> {
    let schemas = body.iter().find(|(k, _)| k.eq_ignore_ascii_case("schemas")).and_then(|(_, v)| v.as_array());
    let named = schemas.is_some_and(|list| list.iter().filter_map(Value::as_str).any(|s| s.eq_ignore_ascii_case(urn)));
    let other = schemas
        .filter(|_| reading.interop())
        .and_then(|list| list.iter().find(|s| !s.as_str().is_some_and(|s| s.eq_ignore_ascii_case(urn))));
    if let Some(other) = other {
        return Err(Error::syntax(format!("schemas names {}, which is not {urn}", shown(&other.to_string()))));
    }
    if named || reading.allow(Quirk::MissingSchemas, || format!("schemas: {urn} assumed")) {
        return Ok(());
    }
    Err(Error::syntax(format!("schemas must contain {urn}")))
}

/// SCIM 1.1's group PATCH: members with `"operation": "delete"` among them.
fn scim1(rt: &ResourceType, body: &Map<String, Value>, reading: &mut Reading) -> Result<Vec<Operation>, Error> {
    let members = body.get("members").and_then(Value::as_array).cloned();
    let known = rt.kind == ResourceKind::Group && members.is_some();
    if !known || !reading.allow(Quirk::Scim1GroupPatch, || "body: read as a SCIM 1.1 group PATCH".to_owned()) {
        return Err(Error::syntax("Operations is missing"));
    }
    let mut operations: Vec<Operation> = Vec::new();
    for member in members.unwrap_or_default() {
        let verb = if member.get("operation").and_then(Value::as_str) == Some("delete") { Verb::Remove } else { Verb::Add };
        let Some(id) = member.get("value").and_then(Value::as_str) else {
            return Err(Error::value("a member has no value"));
        };
        operations.push(match verb {
            Verb::Remove => Operation { verb, path: Some(format!("members[value eq {}]", json!(id))), value: None },
            _ => Operation { verb, path: Some("members".to_owned()), value: Some(json!([{ "value": id }])) },
        });
    }
    if let Some(name) = body.get("displayName") {
        operations.push(Operation { verb: Verb::Replace, path: Some("displayName".to_owned()), value: Some(name.clone()) });
    }
    Ok(operations)
}
