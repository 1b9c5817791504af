//! Group members in a request. They become changes to rows, never a list in a document.

use super::dialect::{Quirk, Reading};
use super::error::{Error, shown};
use super::filter::{self, Filter, Lit, Node};
use super::message::{Operation, Verb};
use super::parse::{self, Limits, Op};
use super::path::{self, AttrRef, Target};
use super::resource;
use super::schema::{ResourceKind, ResourceType, resource_types};
use serde_json::{Map, Value};

/// A member that a client names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRef {
    pub id: String,
    /// What the client says it is.
    pub kind: Option<ResourceKind>,
}

/// One step of a membership change.
#[derive(Debug, Clone)]
pub enum MemberChange {
    Add(Vec<MemberRef>),
    Remove(Vec<String>),
    /// Those that match a filter on their own sub-attributes.
    RemoveWhere(Filter),
    Replace(Vec<MemberRef>),
}

/// Takes `members` out of a resource that was read by [`resource::read`]; `None` when the client did not send it.
///
/// # Errors
/// 400 `invalidValue` for a member without a usable id.
pub fn take(doc: &mut Map<String, Value>) -> Result<Option<Vec<MemberRef>>, Error> {
    match doc.remove("members") {
        Some(Value::Array(list)) => list.iter().map(member).collect::<Result<_, _>>().map(Some),
        _ => Ok(None),
    }
}

/// Parts the operations on `members` from the others, which keep their order.
///
/// # Errors
/// 400 with the scimType that RFC 7644 §3.5.2 names.
pub fn split(rt: &ResourceType, operations: Vec<Operation>, reading: &mut Reading) -> Result<(Vec<Operation>, Vec<MemberChange>), Error> {
    let (mut rest, mut changes) = (Vec::new(), Vec::new());
    for mut operation in operations {
        if let Some(place) = on_members(rt, &operation, reading)? {
            changes.push(change(rt, operation, &place, reading)?);
            continue;
        }
        if let Some(list) = within_value(&mut operation) {
            changes.push(listed(rt, operation.verb, list, reading)?);
            if operation.value.as_ref().and_then(Value::as_object).is_some_and(Map::is_empty) {
                continue;
            }
        }
        rest.push(operation);
    }
    Ok((rest, changes))
}

struct Place {
    attr: AttrRef,
    filter: Option<Filter>,
    sub: bool,
}

/// Where in `members` an operation's path leads; `None` if elsewhere.
fn on_members(rt: &ResourceType, operation: &Operation, reading: &mut Reading) -> Result<Option<Place>, Error> {
    let Some(text) = operation.path.as_deref().filter(|p| p.to_ascii_lowercase().contains("members")) else { return Ok(None) };
    let parsed = parse::path(text, Limits::default(), reading)?;
    let Some(Target::Attr(found)) = path::resolve(rt, &parsed.name, reading) else { return Ok(None) };
    if !found.is_core("members") {
        return Ok(None);
    }
    let sub = found.sub.is_some() || parsed.sub.is_some();
    let attr = AttrRef { sub: None, ..found };
    let filter = match parsed.filter {
        Some(expr) => Some(filter::resolve_element(rt, &attr, &expr, reading)?),
        None => None,
    };
    Ok(Some(Place { attr, filter, sub }))
}

/// `members` as a key of a value without a path.
fn within_value(operation: &mut Operation) -> Option<Value> {
    if operation.path.is_some() {
        return None;
    }
    let map = operation.value.as_mut()?.as_object_mut()?;
    let key = map.keys().find(|k| k.eq_ignore_ascii_case("members"))?.clone();
    map.remove(&key)
}

fn change(rt: &ResourceType, operation: Operation, place: &Place, reading: &mut Reading) -> Result<MemberChange, Error> {
    if place.sub || (place.filter.is_some() && operation.verb != Verb::Remove) {
        return Err(Error::mutability("members can be added and removed, not changed"));
    }
    match (operation.verb, &place.filter, operation.value) {
        (Verb::Remove, Some(filter), _) => Ok(by_filter(filter)),
        (Verb::Remove, None, None | Some(Value::Null)) => Ok(MemberChange::Replace(Vec::new())),
        (Verb::Remove, None, Some(value)) => {
            reading.shape_turns_on(Quirk::RemoveValueList);
            if !reading.allow(Quirk::RemoveValueList, || format!("{}: only the listed members removed", place.attr)) {
                return Err(Error::value("remove takes no value; to remove some members use members[value eq \"…\"] as the path"));
            }
            Ok(MemberChange::Remove(refs(rt, value, reading)?.into_iter().map(|m| m.id).collect()))
        }
        (verb, _, value) => listed(rt, verb, value.ok_or_else(|| Error::value("value is missing"))?, reading),
    }
}

fn listed(rt: &ResourceType, verb: Verb, value: Value, reading: &mut Reading) -> Result<MemberChange, Error> {
    if value.is_null() && verb == Verb::Add {
        return Err(Error::value("the value of add must not be null"));
    }
    let members = refs(rt, value, reading)?;
    Ok(match verb {
        Verb::Replace => MemberChange::Replace(members),
        Verb::Add | Verb::Remove => MemberChange::Add(members),
    })
}

/// `value eq "a"` and `or`s of it name their members; anything else is a condition.
fn by_filter(filter: &Filter) -> MemberChange {
    let mut ids = Vec::new();
    if named(filter.node(), &mut ids) { MemberChange::Remove(ids) } else { MemberChange::RemoveWhere(filter.clone()) }
}

fn named(node: &Node, ids: &mut Vec<String>) -> bool {
    match node {
        Node::Any(terms) => terms.iter().all(|t| named(t, ids)),
        Node::Compare(attr, Op::Eq, Lit::Exact(id)) if attr.sub_name() == "value" => {
            ids.push(id.clone());
            true
        }
        _ => false,
    }
}

fn refs(rt: &ResourceType, value: Value, reading: &mut Reading) -> Result<Vec<MemberRef>, Error> {
    let list = match value {
        Value::Array(list) => list,
        _ if reading.interop() => return Err(Error::value("members must be an array; the interop profile demands it")),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let attr = rt.attribute("members").ok_or_else(|| Error::path(format!("a {} has no members", rt.name)))?;
    resource::elements(attr, "members", list, reading)?.iter().map(member).collect()
}

fn member(element: &Value) -> Result<MemberRef, Error> {
    let text = |key: &str| element.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
    let mut segments = text("$ref").unwrap_or_default().trim_end_matches('/').rsplit('/');
    let from_ref = segments.next().filter(|s| !s.is_empty());
    let endpoint =
        segments.next().and_then(|e| resource_types().into_iter().find(|rt| rt.endpoint.trim_start_matches('/') == e)).map(|rt| rt.kind);
    let id = match (text("value"), from_ref) {
        (Some(value), Some(other)) if value != other => {
            return Err(Error::value(format!("members: value \"{}\" and $ref \"{}\" disagree", shown(value), shown(other))));
        }
        (Some(value), _) | (None, Some(value)) => value,
        (None, None) => return Err(Error::value("members: a member has no value")),
    };
    let kind = match text("type") {
        None => endpoint,
        Some(t) if t.eq_ignore_ascii_case("User") => Some(ResourceKind::User),
        Some(t) if t.eq_ignore_ascii_case("Group") => Some(ResourceKind::Group),
        Some(t) => return Err(Error::value(format!("members: type is \"{}\"; User or Group is expected", shown(t)))),
    };
    if endpoint.is_some() && endpoint != kind {
        return Err(Error::value("members: type and $ref disagree"));
    }
    Ok(MemberRef { id: id.to_owned(), kind })
}
