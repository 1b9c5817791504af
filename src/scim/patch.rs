//! PATCH (RFC 7644 §3.5.2), pure and all-or-nothing: operations on a canonical resource.
//!
//! Group members never come here; [`super::members`] takes them out first.

use super::dialect::{Quirk, Reading};
use super::error::{Error, shown};
use super::filter::{self, Filter};
use super::hollow;
use super::json::kind_name;
use super::matches;
use super::message::{Operation, Verb};
use super::parse::{self, Limits};
use super::path::{self, AttrRef, Target};
use super::resource::{self, is_primary};
use super::schema::{Attribute, Mutability, ResourceType, Schema};
use serde_json::{Map, Value};
use std::sync::Arc;

type Doc = Map<String, Value>;

/// Applies the operations in order. On an error `doc` is half changed and must be thrown away.
///
/// `id` is the resource's own, which a client may repeat in a value.
///
/// # Errors
/// 400 with the scimType that RFC 7644 §3.5.2 names, and the number of the operation.
pub fn apply(rt: &ResourceType, id: &str, doc: &mut Doc, operations: Vec<Operation>, reading: &mut Reading) -> Result<(), Error> {
    let before = hollow::within(doc);
    let elements = operations.iter().any(Operation::changes_elements);
    let old = rt.traits.fixes_any().then(|| doc.clone());
    let lacking = resource::lacking(rt, doc);
    for (n, operation) in operations.into_iter().enumerate() {
        let verb = operation.verb;
        let mut patch = Patch { rt, id, doc, reading };
        patch.operation(operation).map_err(|e| Error { detail: format!("operation {} ({}): {}", n + 1, verb.name(), e.detail), ..e })?;
    }
    hollow::leave_out(doc, &before, reading);
    if elements {
        resource::drop_repeated(doc);
    }
    resource::set_schemas(rt, doc);
    if let Some(old) = old {
        rt.traits.check_immutable(&old, doc)?;
    }
    resource::check_still(rt, doc, &lacking)
}

struct Patch<'a> {
    rt: &'a ResourceType,
    id: &'a str,
    doc: &'a mut Doc,
    reading: &'a mut Reading,
}

/// Where an operation acts.
struct Place {
    attr: AttrRef,
    filter: Option<Filter>,
}

impl Patch<'_> {
    fn operation(&mut self, op: Operation) -> Result<(), Error> {
        match (op.path, op.verb) {
            (Some(path), verb) => self.at_path(verb, &path, op.value),
            (None, Verb::Remove) => Err(Error::no_target("remove needs a path")),
            (None, verb) => match op.value {
                Some(Value::Object(map)) => self.without_path(verb, map),
                Some(other) => Err(Error::value(format!("without a path the value must be an object; it is {}", kind_name(&other)))),
                None => Err(Error::value("value is missing")),
            },
        }
    }

    fn at_path(&mut self, verb: Verb, text: &str, value: Option<Value>) -> Result<(), Error> {
        match self.target(text)? {
            Ok(schema) => self.extension(verb, &schema, value),
            Err(place) => {
                check_writable(&place.attr)?;
                self.act(verb, &place, value)
            }
        }
    }

    /// A path's meaning: a whole extension, or a place.
    fn target(&mut self, text: &str) -> Result<Result<Arc<Schema>, Place>, Error> {
        let parsed = parse::path(text, Limits::default(), self.reading)?;
        // The interop profile has one answer to every name that no schema has.
        let fault = if self.reading.interop() { Error::syntax } else { Error::path };
        let unknown = || fault(format!("\"{}\" is not an attribute of {}", shown(text), self.rt.name));
        let attr = match path::resolve(self.rt, &parsed.name, self.reading).ok_or_else(unknown)? {
            Target::Extension(schema) if parsed.filter.is_none() => return Ok(Ok(schema)),
            Target::Extension(_) => return Err(unknown()),
            Target::Attr(attr) if self.reading.hides(&attr.attr) => return Err(unknown()),
            Target::Attr(attr) => attr,
        };
        let Some(expr) = parsed.filter else { return Ok(Err(Place { attr, filter: None })) };
        if attr.sub.is_some() || !attr.attr.multi_valued {
            return Err(Error::path(format!("{attr} is not multi-valued, so it cannot be followed by brackets")));
        }
        let filter = Some(filter::resolve_element(self.rt, &attr, &expr, self.reading)?);
        let attr = match &parsed.sub {
            None if self.reading.interop() => {
                return Err(Error::path(format!("{attr}[…] must end in a sub-attribute; the interop profile demands it")));
            }
            None => attr,
            Some(name) => {
                let sub = attr.attr.sub(name).ok_or_else(|| fault(format!("\"{}\" is not a sub-attribute of {attr}", shown(name))))?;
                attr.with_sub(sub)
            }
        };
        Ok(Err(Place { attr, filter }))
    }

    // -- operations without a path ---------------------------------------

    fn without_path(&mut self, verb: Verb, map: Doc) -> Result<(), Error> {
        for (key, value) in map {
            self.key(verb, &key, value)?;
        }
        Ok(())
    }

    fn key(&mut self, verb: Verb, key: &str, value: Value) -> Result<(), Error> {
        if let Some(attr) = self.rt.attribute(key).filter(|a| !self.reading.hides(a)).cloned() {
            if attr.is_read_only() || attr.name == "schemas" {
                return self.read_only_key(&attr, &value);
            }
            let place = Place { attr: AttrRef { extension: None, attr, sub: None }, filter: None };
            return self.assign(verb, &place, value);
        }
        if key.contains(':') {
            let schema = path::schema_named(self.rt, key, self.reading);
            if let Some(schema) = schema.filter(|s| !self.rt.is_base(s)) {
                return self.extension(verb, &schema, Some(value));
            }
        }
        self.path_key(verb, key, value)
    }

    /// `"name.givenName"` or `"urn:…:department"` as a key.
    fn path_key(&mut self, verb: Verb, key: &str, value: Value) -> Result<(), Error> {
        let looks_like_path = key.contains(['.', ':', '[']) || self.rt.extensions.iter().any(|e| e.attribute(key).is_some());
        if looks_like_path && self.reading.has(Quirk::PathKey) {
            match self.target(key) {
                Ok(Ok(schema)) => return self.extension(verb, &schema, Some(value)),
                Ok(Err(place)) => {
                    self.reading.allow(Quirk::PathKey, || format!("{}: the key read as a path", shown(key)));
                    check_writable(&place.attr)?;
                    return self.assign(verb, &place, value);
                }
                Err(e) if e.scim_type != Some(super::ScimType::InvalidPath) => return Err(e),
                Err(_) => {}
            }
        }
        self.reading.unknown(&shown(key), resource::NOWHERE)
    }

    /// `id`, `meta`, `groups`, `schemas` in a value: harmless when they say what is so.
    fn read_only_key(&mut self, attr: &Attribute, value: &Value) -> Result<(), Error> {
        let equal = attr.name == "id" && value.as_str() == Some(self.id);
        if attr.name == "id" && !equal {
            return Err(Error::mutability("id cannot be changed"));
        }
        let noted = self.reading.allow(Quirk::ReadOnlyValue, || format!("{}: ignored, it is read-only", attr.name));
        if noted || equal || attr.name == "schemas" {
            return Ok(());
        }
        Err(Error::mutability(format!("{} cannot be changed by a client", attr.name)))
    }

    fn extension(&mut self, verb: Verb, schema: &Arc<Schema>, value: Option<Value>) -> Result<(), Error> {
        if verb == Verb::Remove {
            self.doc.remove(&schema.id);
            return Ok(());
        }
        if verb == Verb::Replace && self.reading.interop() {
            self.doc.remove(&schema.id);
        }
        let Some(Value::Object(map)) = value else {
            return Err(Error::value(format!("the value for {} must be an object", schema.id)));
        };
        for (key, value) in map {
            let Some(attr) = schema.attribute(&key).filter(|a| !self.reading.hides(a)).cloned() else {
                self.reading.unknown(&format!("{}:{}", schema.id, shown(&key)), resource::NOT_THERE)?;
                continue;
            };
            if attr.is_read_only() {
                continue;
            }
            let place = Place { attr: AttrRef { extension: Some(schema.clone()), attr, sub: None }, filter: None };
            self.assign(verb, &place, value)?;
        }
        Ok(())
    }

    /// A member of a path-less value: as if it stood alone, and null means unassigned.
    fn assign(&mut self, verb: Verb, place: &Place, value: Value) -> Result<(), Error> {
        if value.is_null() && verb == Verb::Add {
            return Ok(());
        }
        self.act(verb, place, Some(value))
    }

    // -- one place ----------------------------------------------------------

    fn act(&mut self, verb: Verb, place: &Place, value: Option<Value>) -> Result<(), Error> {
        let ext = place.attr.extension.as_ref().map(|e| e.id.clone());
        if verb == Verb::Remove {
            self.check_removal(place, value.as_ref())?;
            let Some(holder) = holder(self.doc, ext.as_deref()) else { return Ok(()) };
            return remove(holder, place, value, self.reading);
        }
        let value = value.ok_or_else(|| Error::value("value is missing"))?;
        if value.is_null() && verb == Verb::Add {
            return Err(Error::value("the value of add must not be null"));
        }
        if place.attr.leaf().is_dropped() {
            resource::attribute(&place.attr.attr, &place.attr.to_string(), value, self.reading)?;
            return Ok(());
        }
        let holder = match &ext {
            None => &mut *self.doc,
            Some(urn) => object_at(self.doc, urn),
        };
        write(holder, verb, place, value, self.reading)
    }

    fn check_removal(&self, place: &Place, value: Option<&Value>) -> Result<(), Error> {
        let leaf = place.attr.leaf();
        let whole = place.filter.is_none();
        if leaf.required && (place.attr.sub.is_some() || whole) {
            return Err(Error::mutability(format!("{} is required and cannot be removed", place.attr)));
        }
        if whole
            && place.attr.sub.is_none()
            && place.attr.attr.multi_valued
            && value.is_some_and(|v| !v.is_null())
            && !self.reading.has(Quirk::RemoveValueList)
        {
            return Err(Error::value(format!("remove takes no value; to remove some values of {} use a filter in the path", place.attr)));
        }
        Ok(())
    }
}

fn check_writable(attr: &AttrRef) -> Result<(), Error> {
    if attr.attr.is_read_only() || attr.leaf().is_read_only() || attr.is_core("schemas") {
        return Err(Error::mutability(format!("{attr} cannot be changed by a client")));
    }
    Ok(())
}

fn holder<'a>(doc: &'a mut Doc, ext: Option<&str>) -> Option<&'a mut Doc> {
    match ext {
        None => Some(doc),
        Some(urn) => doc.get_mut(urn).and_then(Value::as_object_mut),
    }
}

fn object_at<'a>(doc: &'a mut Doc, key: &str) -> &'a mut Doc {
    let slot = doc.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("the slot was just made an object"),
    }
}

// -- remove ------------------------------------------------------------------

fn remove(holder: &mut Doc, place: &Place, value: Option<Value>, reading: &mut Reading) -> Result<(), Error> {
    let attr = &place.attr.attr;
    let Some(current) = holder.get_mut(&attr.name) else { return Ok(()) };
    match (current, &place.filter, &place.attr.sub) {
        (Value::Array(list), filter, Some(sub)) => {
            if let Some(filter) = filter {
                check_one(list.iter().filter(|e| matches::element(filter, e)).count(), &place.attr.to_string(), reading)?;
            }
            for element in list.iter_mut().filter(|e| filter.as_ref().is_none_or(|f| matches::element(f, e))) {
                if let Some(map) = element.as_object_mut() {
                    map.remove(&sub.name);
                }
            }
            list.retain(|e| !e.as_object().is_some_and(Map::is_empty));
        }
        (Value::Array(list), Some(filter), None) => list.retain(|e| !matches::element(filter, e)),
        (Value::Array(list), None, None) if value.as_ref().is_some_and(|v| !v.is_null()) => {
            let wanted = listed(attr, &place.attr, value.unwrap_or_default(), reading)?;
            list.retain(|e| !wanted.iter().any(|w| same_element(attr, e, w)));
        }
        (Value::Object(map), _, Some(sub)) => {
            map.remove(&sub.name);
        }
        (current, _, _) => *current = Value::Null,
    }
    holder.retain(|_, v| !is_unassigned(v));
    Ok(())
}

/// The values that a tolerated `remove` lists.
fn listed(attr: &Attribute, name: &AttrRef, value: Value, reading: &mut Reading) -> Result<Vec<Value>, Error> {
    reading.allow(Quirk::RemoveValueList, || format!("{name}: only the listed values removed"));
    let list = if let Value::Array(list) = value { list } else { vec![value] };
    resource::elements(attr, &name.to_string(), list, reading)
}

fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Under the interop profile a filter in a path names one value.
fn check_one(matched: usize, name: &str, reading: &Reading) -> Result<(), Error> {
    if matched > 1 && reading.interop() {
        return Err(Error::filter(format!("{name}: the filter matches {matched} values; the interop profile demands one")));
    }
    Ok(())
}

// -- add and replace -----------------------------------------------------------

fn write(holder: &mut Doc, verb: Verb, place: &Place, value: Value, reading: &mut Reading) -> Result<(), Error> {
    let name = place.attr.to_string();
    let attr = &place.attr.attr;
    check_immutable(holder, place, &value)?;
    match (&place.filter, &place.attr.sub) {
        (Some(filter), _) => write_matches(holder, place, filter, value, reading)?,
        (None, None) if attr.multi_valued => write_list(holder, verb, attr, &name, value, reading)?,
        // The interop profile has the whole value replaced, where the RFC keeps the sub-attributes that are not given.
        (None, None) if attr.is_complex() && !(verb == Verb::Replace && reading.interop()) => {
            write_complex(holder, attr, &name, value, reading)?;
        }
        (None, None) => set(holder, &attr.name, resource::attribute(attr, &name, value, reading)?),
        (None, Some(sub)) if attr.multi_valued => {
            let value = resource::attribute(sub, &name, value, reading)?;
            write_every(holder, attr, sub, value.as_ref());
        }
        (None, Some(sub)) => {
            let value = resource::attribute(sub, &name, value, reading)?;
            if value.as_ref().is_some_and(|v| v == "")
                && (sub.name == "value" && !sub.own)
                && reading.allow(Quirk::EmptyReference, || format!("{name}: \"\" read as none"))
            {
                holder.remove(&attr.name);
            } else {
                set(object_at(holder, &attr.name), &sub.name, value);
            }
        }
    }
    holder.retain(|_, v| !is_unassigned(v));
    Ok(())
}

fn set(holder: &mut Doc, name: &str, value: Option<Value>) {
    match value {
        Some(value) => holder.insert(name.to_owned(), value),
        None => holder.remove(name),
    };
}

/// An immutable attribute may be given once (RFC 7643 §7).
fn check_immutable(holder: &Doc, place: &Place, value: &Value) -> Result<(), Error> {
    let leaf = place.attr.leaf();
    if leaf.mutability != Mutability::Immutable {
        return Ok(());
    }
    let current = holder.get(&place.attr.attr.name).and_then(|v| place.attr.sub.as_ref().map_or(Some(v), |s| v.get(&s.name)));
    match current {
        Some(current) if current != value => Err(Error::mutability(format!("{} is immutable and has a value", place.attr))),
        _ => Ok(()),
    }
}

fn write_list(holder: &mut Doc, verb: Verb, attr: &Attribute, name: &str, value: Value, reading: &mut Reading) -> Result<(), Error> {
    let list = match value {
        Value::Array(list) => list,
        other if reading.interop() => {
            return Err(Error::value(format!("{name} is {}; the interop profile demands an array", kind_name(&other))));
        }
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let fresh = resource::elements(attr, name, list, reading)?;
    if verb == Verb::Replace {
        set(holder, &attr.name, Some(Value::Array(fresh)));
        return Ok(());
    }
    let current = list_at(holder, &attr.name);
    for element in fresh {
        if current.iter().any(|c| same_element(attr, c, &element)) {
            continue;
        }
        if is_primary(&element) {
            demote(current, None);
        }
        current.push(element);
    }
    if current.len() > resource::MOST_VALUES {
        return Err(Error::value(format!("{name} would have {} values; at most {} are accepted", current.len(), resource::MOST_VALUES)));
    }
    Ok(())
}

/// Whether an element has everything that a given one says, as far as clients can set it.
fn same_element(attr: &Attribute, present: &Value, given: &Value) -> bool {
    let Some(given_map) = given.as_object().filter(|_| attr.is_complex()) else { return present == given };
    given_map.iter().all(|(key, value)| {
        let computed = attr.sub(key).is_none_or(|s| s.is_read_only());
        let absent_primary = key == "primary" && *value == Value::Bool(false) && present.get(key).is_none();
        computed || absent_primary || present.get(key) == Some(value)
    })
}

fn list_at<'a>(holder: &'a mut Doc, name: &str) -> &'a mut Vec<Value> {
    let slot = holder.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    match slot {
        Value::Array(list) => list,
        _ => unreachable!("the slot was just made an array"),
    }
}

/// Turns `primary` off in every element but one.
fn demote(list: &mut [Value], keep: Option<usize>) {
    for (i, element) in list.iter_mut().enumerate() {
        if Some(i) == keep || !is_primary(element) {
            continue;
        }
        if let Some(map) = element.as_object_mut() {
            map.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

/// Sub-attributes that are given replace; the others stay (RFC 7644 §3.5.2.3).
fn write_complex(holder: &mut Doc, attr: &Attribute, name: &str, value: Value, reading: &mut Reading) -> Result<(), Error> {
    let cleared = cleared_subs(attr, &value);
    let Some(Value::Object(given)) = resource::attribute(attr, name, value, reading)? else {
        match cleared {
            None => drop(holder.remove(&attr.name)),
            Some(names) => forget(object_at(holder, &attr.name), &names),
        }
        return Ok(());
    };
    let current = object_at(holder, &attr.name);
    forget(current, &cleared.unwrap_or_default());
    current.extend(given);
    Ok(())
}

fn forget(map: &mut Doc, names: &[String]) {
    map.retain(|k, _| !names.contains(k));
}

/// The sub-attributes that an object sets to null; `None` when the value is no object with content to merge.
fn cleared_subs(attr: &Attribute, value: &Value) -> Option<Vec<String>> {
    let map = value.as_object()?;
    let nulls: Vec<String> = map.iter().filter(|(_, v)| v.is_null()).filter_map(|(k, _)| attr.sub(k)).map(|s| s.name.clone()).collect();
    (!nulls.is_empty() || map.is_empty()).then_some(nulls)
}

/// Sets a sub-attribute in every element, or in a new one when there is none.
fn write_every(holder: &mut Doc, attr: &Attribute, sub: &Attribute, value: Option<&Value>) {
    let list = list_at(holder, &attr.name);
    if list.is_empty() {
        list.push(Value::Object(Map::new()));
    }
    for map in list.iter_mut().filter_map(Value::as_object_mut) {
        set(map, &sub.name, value.cloned());
    }
    list.retain(|e| !is_unassigned(e));
}

fn write_matches(holder: &mut Doc, place: &Place, filter: &Filter, value: Value, reading: &mut Reading) -> Result<(), Error> {
    let attr = &place.attr.attr;
    let name = place.attr.to_string();
    let change = Change::read(place, &name, value, reading)?;
    let list = list_at(holder, &attr.name);
    let mut hits: Vec<usize> = list.iter().enumerate().filter(|(_, e)| matches::element(filter, e)).map(|(i, _)| i).collect();
    check_one(hits.len(), &name, reading)?;
    if hits.is_empty() {
        let fresh = matches::made_by(attr, filter)
            .filter(|_| reading.allow(Quirk::CreateFromFilter, || format!("{name}: no value matched, so one was made from the filter")));
        let Some(element) = fresh else {
            return Err(Error::no_target(format!("no value of {} matches the filter", attr.name)));
        };
        hits.push(list.len());
        list.push(element);
    }
    for &i in &hits {
        if let Some(element) = list.get_mut(i) {
            change.check_immutable(place, element)?;
            change.apply(element);
        }
    }
    if change.sets_primary() {
        if hits.len() > 1 {
            return Err(Error::value(format!("{name}: more than one value would be primary")));
        }
        demote(list, hits.first().copied());
    } else if hits.len() == 1 && hits.first().and_then(|i| list.get(*i)).is_some_and(is_primary) {
        demote(list, hits.first().copied());
    }
    list.retain(|e| !is_unassigned(e));
    Ok(())
}

/// What happens to each matched element.
enum Change {
    /// Merge these, forget those.
    Merge(Doc, Vec<String>),
    Sub(String, Option<Value>),
    Whole(Option<Value>),
}

impl Change {
    fn read(place: &Place, name: &str, value: Value, reading: &mut Reading) -> Result<Self, Error> {
        let attr = &place.attr.attr;
        if let Some(sub) = &place.attr.sub {
            return Ok(Self::Sub(sub.name.clone(), resource::attribute(sub, name, value, reading)?));
        }
        let value = match value {
            Value::Array(mut list)
                if list.len() == 1 && reading.allow(Quirk::WrappedValue, || format!("{name}: the one element of the list was taken")) =>
            {
                list.pop().unwrap_or_default()
            }
            other => other,
        };
        if !attr.is_complex() {
            let mut one = resource::elements(attr, name, vec![value], reading)?;
            return Ok(Self::Whole(one.pop()));
        }
        match value {
            Value::Null => Ok(Self::Whole(None)),
            Value::Object(map) => {
                let cleared = map.iter().filter(|(_, v)| v.is_null()).filter_map(|(k, _)| attr.sub(k)).map(|s| s.name.clone()).collect();
                Ok(Self::Merge(resource::sub_attributes(attr, name, map, reading)?, cleared))
            }
            other => Err(Error::value(format!("{name} is {}; an object is expected", kind_name(&other)))),
        }
    }

    /// What an element says for good stays.
    fn check_immutable(&self, place: &Place, element: &Value) -> Result<(), Error> {
        let changes = |sub: &Attribute| match self {
            Self::Merge(given, cleared) => given.get(&sub.name).map_or(cleared.contains(&sub.name), |v| element.get(&sub.name) != Some(v)),
            Self::Sub(name, value) => *name == sub.name && element.get(name) != value.as_ref(),
            Self::Whole(_) => false,
        };
        let fixed = |sub: &Attribute| sub.own && sub.mutability == Mutability::Immutable && element.get(&sub.name).is_some();
        match place.attr.attr.sub_attributes.iter().find(|sub| fixed(sub) && changes(sub)) {
            Some(sub) => Err(Error::mutability(format!("{} is immutable and has a value", place.attr.with_sub(sub)))),
            None => Ok(()),
        }
    }

    fn apply(&self, element: &mut Value) {
        match (self, element) {
            (Self::Merge(given, cleared), Value::Object(map)) => {
                forget(map, cleared);
                map.extend(given.clone());
            }
            (Self::Sub(name, value), Value::Object(map)) => set(map, name, value.clone()),
            (Self::Whole(value), element) => *element = value.clone().unwrap_or_default(),
            (Self::Merge(..) | Self::Sub(..), _) => {}
        }
    }

    fn sets_primary(&self) -> bool {
        match self {
            Self::Merge(map, _) => map.get("primary") == Some(&Value::Bool(true)),
            Self::Sub(name, value) => name == "primary" && *value == Some(Value::Bool(true)),
            Self::Whole(_) => false,
        }
    }
}
