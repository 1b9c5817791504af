//! Reading a resource, or a part of one, into canonical form (RFC 7643 §2).
//!
//! Canonical: names as the schema spells them, values of the schema's types, no nulls, nothing read-only, extensions
//! below their URN. Everything after this compares names exactly.

use super::dialect::{Quirk, Reading};
use super::error::{Error, shown};
use super::filter::bool_word;
use super::hollow;
use super::json::kind_name;
use super::path::schema_named;
use super::schema::{Attribute, Kind, ResourceType, Returned, Schema};
use super::value::{DateForm, date_time};
use base64::Engine;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Most values of one multi-valued attribute, group members excepted.
pub const MOST_VALUES: usize = 1000;

/// Why a name at the top is not read.
pub const NOWHERE: &str = "no schema has it";
/// Why a name inside an extension or a complex value is not read.
pub const NOT_THERE: &str = "the schema does not have it";

/// Reads the body of a POST or PUT.
///
/// # Errors
/// 400 `invalidSyntax` or `invalidValue`, naming the attribute.
pub fn read(rt: &ResourceType, body: Map<String, Value>, reading: &mut Reading) -> Result<Map<String, Value>, Error> {
    let mut doc = Map::new();
    doc.insert("schemas".to_owned(), Value::Null);
    let mut declared = None;
    for (key, value) in body {
        if key.eq_ignore_ascii_case("schemas") {
            declared = Some(read_schemas(rt, &value, reading)?);
        } else {
            read_member(rt, &mut doc, &key, value, reading)?;
        }
    }
    check_declared(rt, &doc, declared.as_deref(), reading)?;
    check_required(rt, &doc)?;
    set_schemas(rt, &mut doc);
    Ok(doc)
}

/// Fills `schemas` from the data: the base schema and every extension that has a value.
pub fn set_schemas(rt: &ResourceType, doc: &mut Map<String, Value>) {
    doc.retain(|_, v| !v.as_object().is_some_and(Map::is_empty));
    let mut urns = vec![Value::from(rt.schema.id.as_str())];
    urns.extend(rt.extensions.iter().filter(|e| doc.contains_key(&e.id)).map(|e| Value::from(e.id.as_str())));
    doc.insert("schemas".to_owned(), Value::Array(urns));
}

/// Something that is required and not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    name: String,
    empty: bool,
    /// No client can read it, so that a PUT may leave it out.
    unseen: bool,
}

impl From<Lack> for Error {
    fn from(lack: Lack) -> Self {
        let what = if lack.empty { "must not be empty" } else { "is required" };
        Self::value(format!("{} {what}", lack.name))
    }
}

/// What a resource lacks: required attributes, and required extensions. Those of an extension count only when it is there, or required
/// itself.
#[must_use]
pub fn lacking(rt: &ResourceType, doc: &Map<String, Value>) -> Vec<Lack> {
    let mut out = Vec::new();
    lacking_in(&rt.schema, "", doc, &mut out);
    for ext in &rt.extensions {
        match doc.get(&ext.id).and_then(Value::as_object).filter(|map| !map.is_empty()) {
            Some(map) => lacking_in(ext, &format!("{}:", ext.id), map, &mut out),
            None if rt.required.contains(&ext.id) => out.push(Lack { name: ext.id.clone(), empty: false, unseen: false }),
            None => {}
        }
    }
    out
}

fn lacking_in(schema: &Schema, prefix: &str, holder: &Map<String, Value>, out: &mut Vec<Lack>) {
    for attr in schema.attributes.iter().filter(|a| a.required || a.own) {
        let value = holder.get(&attr.name);
        out.extend(lack(attr, value, &|| format!("{prefix}{}", attr.name)));
        let required = |sub: &&Arc<Attribute>| sub.own && sub.required;
        for sub in attr.sub_attributes.iter().filter(required) {
            let elements = value.into_iter().flat_map(|v| v.as_array().map_or(std::slice::from_ref(v), Vec::as_slice));
            let name = || format!("{prefix}{}.{}", attr.name, sub.name);
            out.extend(elements.filter(|e| e.is_object()).find_map(|e| lack(sub, e.get(&sub.name), &name)));
        }
    }
}

fn lack(attr: &Attribute, value: Option<&Value>, name: &dyn Fn() -> String) -> Option<Lack> {
    if !attr.required || attr.is_read_only() {
        return None;
    }
    let empty = match value {
        None | Some(Value::Null) => false,
        Some(Value::String(s)) if s.trim().is_empty() => true,
        Some(_) => return None,
    };
    Some(Lack { name: name(), empty, unseen: attr.returned == Returned::Never })
}

/// Refuses a resource that lacks a required attribute, or has it empty. What no client can read is not looked for; see
/// [`check_unseen`].
///
/// # Errors
/// 400 `invalidValue`.
pub fn check_required(rt: &ResourceType, doc: &Map<String, Value>) -> Result<(), Error> {
    lacking(rt, doc).into_iter().find(|l| !l.unseen).map_or(Ok(()), |l| Err(l.into()))
}

/// Refuses a resource that lacks a required attribute which no client can read.
///
/// # Errors
/// 400 `invalidValue`.
pub fn check_unseen(rt: &ResourceType, doc: &Map<String, Value>) -> Result<(), Error> {
    if rt.traits.shows_all() {
        return Ok(());
    }
    lacking(rt, doc).into_iter().next().map_or(Ok(()), |l| Err(l.into()))
}

/// Refuses a change after which something required is lacking that was there before. What came to be required later does not stand in
/// the way of other changes.
///
/// # Errors
/// 400 `invalidValue`.
pub fn check_still(rt: &ResourceType, doc: &Map<String, Value>, before: &[Lack]) -> Result<(), Error> {
    lacking(rt, doc).into_iter().find(|l| !before.contains(l)).map_or(Ok(()), |l| Err(l.into()))
}

fn read_schemas(rt: &ResourceType, value: &Value, reading: &mut Reading) -> Result<Vec<String>, Error> {
    let Value::Array(list) = value else {
        if value.is_null() {
            return Ok(Vec::new());
        }
        return Err(Error::syntax(format!("schemas is {}; an array of URNs is expected", kind_name(value))));
    };
    let mut urns: Vec<String> = Vec::new();
    for item in list {
        let Value::String(urn) = item else {
            return Err(Error::syntax(format!("schemas contains {}; URNs are expected", kind_name(item))));
        };
        let Some(schema) = schema_named(rt, urn, reading) else {
            if is_other_base(rt, urn) || !reading.allow(Quirk::UnknownSchema, || format!("schemas: {} ignored", shown(urn))) {
                return Err(Error::syntax(format!("schemas names {}, which a {} cannot have", shown(urn), rt.name)));
            }
            continue;
        };
        if urns.contains(&schema.id) && reading.strict() {
            return Err(Error::syntax(format!("schemas names {} twice", schema.id)));
        }
        urns.push(schema.id.clone());
    }
    Ok(urns)
}

/// A Group sent to `/Users` is a mistake under every dialect.
fn is_other_base(rt: &ResourceType, urn: &str) -> bool {
    super::schema::resource_types().iter().any(|other| other.kind != rt.kind && other.schema.id.eq_ignore_ascii_case(urn))
}

fn check_declared(rt: &ResourceType, doc: &Map<String, Value>, declared: Option<&[String]>, reading: &mut Reading) -> Result<(), Error> {
    let base = &rt.schema.id;
    if !declared.is_some_and(|d| d.contains(base)) && !reading.allow(Quirk::MissingSchemas, || format!("schemas: {base} assumed")) {
        return Err(Error::syntax(format!("schemas must contain {base}")));
    }
    for ext in rt.extensions.iter().filter(|e| doc.contains_key(&e.id)) {
        let named = declared.is_some_and(|d| d.contains(&ext.id));
        if !named && !reading.allow(Quirk::UndeclaredExtension, || format!("schemas: {} added, because there is data for it", ext.id)) {
            return Err(Error::syntax(format!("there is data for {}, which schemas does not name", ext.id)));
        }
    }
    Ok(())
}

fn read_member(rt: &ResourceType, doc: &mut Map<String, Value>, key: &str, value: Value, reading: &mut Reading) -> Result<(), Error> {
    if let Some(attr) = rt.attribute(key).filter(|a| !reading.hides(a)) {
        return read_into(doc, attr, &attr.name, value, reading);
    }
    let ext = if key.contains(':') { schema_named(rt, key, reading).filter(|s| !rt.is_base(s)) } else { None };
    let Some(ext) = ext else {
        return reading.unknown(&shown(key), NOWHERE);
    };
    if doc.contains_key(&ext.id) {
        return Err(Error::syntax(format!("{} is given twice", ext.id)));
    }
    let data = read_extension(&ext, value, reading)?;
    if !data.is_empty() {
        doc.insert(ext.id.clone(), Value::Object(data));
    }
    Ok(())
}

/// Reads the object below an extension's URN.
///
/// # Errors
/// 400 `invalidValue`, naming the attribute.
pub fn read_extension(ext: &Schema, value: Value, reading: &mut Reading) -> Result<Map<String, Value>, Error> {
    let mut out = Map::new();
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                let Some(attr) = ext.attribute(&key).filter(|a| !reading.hides(a)) else {
                    reading.unknown(&format!("{}:{}", ext.id, shown(&key)), NOT_THERE)?;
                    continue;
                };
                read_into(&mut out, attr, &format!("{}:{}", ext.id, attr.name), value, reading)?;
            }
        }
        other => return Err(Error::value(format!("{} is {}; an object is expected", ext.id, kind_name(&other)))),
    }
    Ok(out)
}

fn read_into(out: &mut Map<String, Value>, attr: &Attribute, name: &str, value: Value, reading: &mut Reading) -> Result<(), Error> {
    if attr.is_read_only() {
        return Ok(());
    }
    if out.contains_key(&attr.name) {
        return Err(Error::syntax(format!("{name} is given twice")));
    }
    if let Some(value) = attribute(attr, name, value, reading)? {
        out.insert(attr.name.clone(), value);
    }
    Ok(())
}

/// Reads the value of a whole attribute; `None` means unassigned (RFC 7643 §2.5).
///
/// # Errors
/// 400 `invalidValue`, with `name` in the detail.
pub fn attribute(attr: &Attribute, name: &str, value: Value, reading: &mut Reading) -> Result<Option<Value>, Error> {
    if attr.is_dropped() {
        if !value.is_null() {
            reading.allow(Quirk::PasswordDropped, || format!("{name}: accepted and not kept"));
        }
        return Ok(None);
    }
    if !attr.multi_valued {
        return single(attr, name, value, reading);
    }
    let list = match value {
        Value::Null => return Ok(None),
        Value::Array(list) => list,
        one => {
            if !reading.allow(Quirk::ObjectForArray, || format!("{name}: one value read as a list of one")) {
                return Err(Error::value(format!("{name} is {}; an array is expected", kind_name(&one))));
            }
            vec![one]
        }
    };
    let list = elements(attr, name, list, reading)?;
    Ok((!list.is_empty()).then_some(Value::Array(list)))
}

/// Reads the elements of a multi-valued attribute.
///
/// # Errors
/// 400 `invalidValue` for a bad element, too many of them, or two that are primary.
pub fn elements(attr: &Attribute, name: &str, list: Vec<Value>, reading: &mut Reading) -> Result<Vec<Value>, Error> {
    let members = attr.name == "members" && !attr.own;
    if list.len() > MOST_VALUES && !members {
        return Err(Error::value(format!("{name} has {} values; at most {MOST_VALUES} are accepted", list.len())));
    }
    let mut out = Vec::with_capacity(list.len());
    for item in list {
        let Some(value) = single(attr, name, item, reading)? else { continue };
        if attr.name != "members" && hollow::is_left_out(name, &value, reading) {
            continue;
        }
        // The same value twice is one value (RFC 7643 §2.4).
        if members || !out.contains(&value) {
            out.push(value);
        }
    }
    if out.iter().filter(|e| is_primary(e)).count() > 1 {
        return Err(Error::value(format!("{name} has more than one primary value")));
    }
    Ok(out)
}

/// Leaves each value of a multi-valued attribute once, where a change of elements has made some of them the same.
pub fn drop_repeated(doc: &mut Map<String, Value>) {
    for value in doc.values_mut() {
        match value {
            Value::Array(list) if list.len() > 1 => {
                let mut kept: Vec<Value> = Vec::with_capacity(list.len());
                for element in list.drain(..) {
                    if !kept.contains(&element) {
                        kept.push(element);
                    }
                }
                *list = kept;
            }
            Value::Object(extension) => drop_repeated(extension),
            _ => {}
        }
    }
}

/// Whether an element says `"primary": true`.
#[must_use]
pub fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// Reads one value: of a singular attribute, or one element of a multi-valued one.
fn single(attr: &Attribute, name: &str, value: Value, reading: &mut Reading) -> Result<Option<Value>, Error> {
    match (attr.kind, value) {
        (_, Value::Null) => Ok(None),
        (Kind::Complex, value) => complex(attr, name, value, reading),
        (_, Value::Array(mut list)) if list.len() == 1 && !attr.multi_valued => {
            let inner = list.pop().unwrap_or_default();
            unwrapped(attr, name, inner, reading)
        }
        (_, value @ Value::Object(_)) => unwrapped(attr, name, value, reading),
        (_, value) => simple(attr, name, value, reading),
    }
}

/// `{"value": x}` or the one element of a list, for a simple value.
fn unwrapped(attr: &Attribute, name: &str, value: Value, reading: &mut Reading) -> Result<Option<Value>, Error> {
    let inner = match value {
        Value::Object(mut map) => {
            map.iter().find(|(k, _)| k.eq_ignore_ascii_case("value")).map(|(k, _)| k.clone()).and_then(|k| map.remove(&k))
        }
        Value::Array(_) => None,
        other => Some(other),
    };
    match inner {
        Some(inner) if !inner.is_object() && reading.allow(Quirk::WrappedValue, || format!("{name}: the wrapped value was taken")) => {
            single(attr, name, inner, reading)
        }
        _ => Err(Error::value(format!("{name} must be a {}", type_name(attr.kind)))),
    }
}

fn complex(attr: &Attribute, name: &str, value: Value, reading: &mut Reading) -> Result<Option<Value>, Error> {
    let map = match value {
        Value::Object(map) => map,
        Value::Array(mut list) if list.len() == 1 && !attr.multi_valued => {
            let inner = list.pop().unwrap_or_default();
            if !reading.allow(Quirk::WrappedValue, || format!("{name}: the one element of the list was taken")) {
                return Err(Error::value(format!("{name} is an array; an object is expected")));
            }
            return complex(attr, name, inner, reading);
        }
        Value::String(s) if s.is_empty() && !attr.multi_valued => {
            return if reading.allow(Quirk::EmptyReference, || format!("{name}: \"\" read as none")) {
                Ok(None)
            } else {
                Err(Error::value(format!("{name} is a string; an object is expected")))
            };
        }
        scalar @ (Value::String(_) | Value::Number(_)) if attr.sub("value").is_some() => {
            if !reading.allow(Quirk::ScalarForComplex, || format!("{name}: the bare value read as {name}.value")) {
                return Err(Error::value(format!("{name} is {}; an object is expected", kind_name(&scalar))));
            }
            Map::from_iter([("value".to_owned(), scalar)])
        }
        other => return Err(Error::value(format!("{name} is {}; an object is expected", kind_name(&other)))),
    };
    let mut out = sub_attributes(attr, name, map, reading)?;
    if is_reference(attr) {
        settle_reference(&mut out);
    }
    if is_reference(attr) && out.get("value") == Some(&Value::from("")) {
        if !reading.allow(Quirk::EmptyReference, || format!("{name}: an empty value read as none")) {
            return Err(Error::value(format!("{name}.value must not be empty")));
        }
        return Ok(None);
    }
    Ok((!out.is_empty()).then_some(Value::Object(out)))
}

/// Singular, with a `value` that holds an id: `manager`.
fn is_reference(attr: &Attribute) -> bool {
    !attr.multi_valued && !attr.own && attr.sub("$ref").is_some()
}

/// The id says everything; `$ref` is shown when it leads to a user.
fn settle_reference(out: &mut Map<String, Value>) {
    let Some(Value::String(url)) = out.remove("$ref") else { return };
    let id = url.trim_end_matches('/').rsplit('/').next().unwrap_or(&url).to_owned();
    out.entry("value").or_insert(Value::String(id));
}

/// Reads the members of a complex value, nulls left out.
///
/// # Errors
/// 400 `invalidValue` for a bad sub-attribute, `invalidSyntax` for one given twice.
pub fn sub_attributes(attr: &Attribute, name: &str, map: Map<String, Value>, reading: &mut Reading) -> Result<Map<String, Value>, Error> {
    let mut out = Map::new();
    for (key, value) in map {
        let Some(sub) = sub_named(attr, name, &key, reading) else {
            reading.unknown(&format!("{name}.{}", shown(&key)), NOT_THERE)?;
            continue;
        };
        read_into(&mut out, sub, &format!("{name}.{}", sub.name), value, reading)?;
    }
    Ok(out)
}

fn sub_named<'a>(attr: &'a Attribute, name: &str, key: &str, reading: &mut Reading) -> Option<&'a Attribute> {
    if let Some(sub) = attr.sub(key) {
        return Some(sub);
    }
    let renamed = key.eq_ignore_ascii_case("managerId") && is_reference(attr);
    let sub = attr.sub("value").filter(|_| renamed)?;
    reading.allow(Quirk::ManagerId, || format!("{name}.{key}: read as {name}.value")).then_some(sub)
}

fn simple(attr: &Attribute, name: &str, value: Value, reading: &mut Reading) -> Result<Option<Value>, Error> {
    let wrong = |value: &Value| Error::value(format!("{name} is {}; a {} is expected", kind_name(value), type_name(attr.kind)));
    match (attr.kind, value) {
        (Kind::Boolean, Value::String(s)) => match bool_word(&s) {
            Some(b) if reading.allow(Quirk::StringBoolean, || format!("{name}: the string \"{s}\" read as {b}")) => {
                Ok(Some(Value::Bool(b)))
            }
            _ => Err(Error::value(format!("{name} is the string \"{}\"; true or false is expected", shown(&s)))),
        },
        (Kind::Integer, Value::Number(n)) if n.is_i64() => Ok(Some(Value::Number(n))),
        (Kind::Decimal, Value::Number(n)) if n.as_f64().is_some_and(f64::is_finite) => Ok(Some(Value::Number(n))),
        (Kind::DateTime, Value::String(s)) => dated(name, s, reading),
        (Kind::Binary, Value::String(s)) => {
            let text = s.trim_end_matches('=');
            if base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).is_err() {
                return Err(Error::value(format!("{name} is not base64")));
            }
            Ok(Some(Value::String(s)))
        }
        (Kind::String | Kind::Reference, value @ Value::String(_)) | (Kind::Boolean, value @ Value::Bool(_)) => Ok(Some(value)),
        (Kind::String | Kind::Reference, Value::Number(n)) => {
            if !reading.allow(Quirk::NumberAsString, || format!("{name}: the number {n} read as a string")) {
                return Err(wrong(&Value::Number(n)));
            }
            Ok(Some(Value::String(n.to_string())))
        }
        (_, other) => Err(wrong(&other)),
    }
}

fn dated(name: &str, text: String, reading: &mut Reading) -> Result<Option<Value>, Error> {
    let form = date_time(&text).map(|(_, form)| form);
    if form == Some(DateForm::Exact) {
        return Ok(Some(Value::String(text)));
    }
    let readable = form.is_some() || text.is_empty();
    if !readable || !reading.allow(Quirk::LenientDateTime, || format!("{name}: \"{}\" read as a dateTime", shown(&text))) {
        return Err(Error::value(format!("{name} is \"{}\"; a dateTime such as 2026-01-31T08:00:00Z is expected", shown(&text))));
    }
    Ok((!text.is_empty()).then_some(Value::String(text)))
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Boolean => "boolean",
        Kind::Decimal => "decimal number",
        Kind::Integer => "whole number",
        Kind::DateTime => "dateTime",
        Kind::Binary => "base64 string",
        Kind::Reference => "URI",
        Kind::Complex => "JSON object",
    }
}
