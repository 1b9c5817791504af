//! Reading what a tenant declares: a schema, a resource type (RFC 7643 §6, §7), in the JSON that `/Schemas` and `/ResourceTypes` serve.
//!
//! A fault is a sentence that begins with the path to it. What is not said is what RFC 7643 §2.2 says.

use super::json::kind_name;
use super::schema::{Attribute, COMMON, ResourceKind, SCHEMAS, Schema};
use super::types::Declared;
use super::{EMPLOYEE_URN, ENTERPRISE_URN};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Most attributes of a schema.
pub const MOST_ATTRIBUTES: usize = 100;
/// Most sub-attributes of an attribute.
pub const MOST_SUB_ATTRIBUTES: usize = 200;
/// Most canonical values, or types of a reference.
const MOST_WORDS: usize = 200;
/// Bytes of the longest name.
const LONGEST_NAME: usize = 64;
/// Bytes of the longest URN.
const LONGEST_URN: usize = 200;
/// Bytes of the longest description.
const LONGEST_TEXT: usize = 2000;

/// What is wrong, after the path to it.
type Result<T> = std::result::Result<T, String>;

/// Reads a schema. `base` says whether it is going to be the base schema of a type, which has the common attributes already.
///
/// # Errors
/// A sentence that names the place and what is wrong there.
pub fn schema(body: &Map<String, Value>) -> Result<Schema> {
    let top = Object { path: String::new(), map: body };
    top.only(&["schemas", "id", "name", "description", "attributes", "meta"])?;
    let id = top.text("id", LONGEST_URN)?.ok_or("id: the URN of the schema is expected")?;
    check_urn(&id).map_err(|why| format!("id: {why}"))?;
    let name = top.text("name", LONGEST_NAME)?.unwrap_or_else(|| id.rsplit(':').next().unwrap_or(&id).to_owned());
    let description = top.text("description", LONGEST_TEXT)?.unwrap_or_default();
    let attributes = attributes(&top, "attributes", MOST_ATTRIBUTES, false)?;
    if attributes.is_empty() {
        return Err("attributes: one at least is expected".to_owned());
    }
    stored(json!({"id": id, "name": name, "description": description, "attributes": attributes}))
}

/// The schema of a document that was read before.
///
/// # Errors
/// When it is none.
pub fn stored(document: Value) -> Result<Schema> {
    let mut schema: Schema = serde_json::from_value(document.clone()).map_err(|e| format!("the schema cannot be read: {e}"))?;
    schema.attributes = schema.attributes.into_iter().map(owned).collect();
    schema.document = document;
    Ok(schema)
}

fn owned(attr: Arc<Attribute>) -> Arc<Attribute> {
    Arc::new(match Arc::try_unwrap(attr) {
        Ok(attr) => Attribute { own: true, sub_attributes: attr.sub_attributes.into_iter().map(owned).collect(), ..attr },
        Err(_) => unreachable!("nobody else has an attribute that was just read"),
    })
}

/// Refuses a base schema with an attribute that every resource has already.
///
/// # Errors
/// A sentence that names it.
pub fn check_base(schema: &Schema) -> Result<()> {
    match schema.attributes.iter().find(|a| COMMON.iter().any(|c| c.name.eq_ignore_ascii_case(&a.name))) {
        Some(attr) => {
            Err(format!("schema: {} has an attribute \"{}\", which every resource has by itself (RFC 7643 §3.1)", schema.id, attr.name))
        }
        None => Ok(()),
    }
}

/// Whether a URN begins another one, so that one's attributes would look like the other.
#[must_use]
pub fn collide(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let begins = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with(':'));
    begins(&one, &other) || begins(&other, &one)
}

fn check_urn(urn: &str) -> Result<()> {
    let (namespace, specific) = urn.strip_prefix("urn:").and_then(|rest| rest.split_once(':')).unwrap_or_default();
    let good = |text: &str, more: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let form = good(namespace, "-") && namespace.len() <= 32 && good(specific, "-._:") && !specific.ends_with([':', '.']);
    if !form {
        return Err("a URN is expected, such as urn:example:params:scim:extension:2.0:User: letters, digits and -._: only".to_owned());
    }
    let lower = urn.to_ascii_lowercase();
    // Another version of a schema that is built in would be taken for it by people.
    let family = |known: &str| known.split(":2.0").next().unwrap_or(known).to_ascii_lowercase();
    let ours = SCHEMAS.iter().any(|s| s.id.eq_ignore_ascii_case(urn));
    let reserved = [ENTERPRISE_URN, EMPLOYEE_URN].iter().any(|known| lower.starts_with(&format!("{}:", family(known))));
    if ours || reserved || lower.starts_with("urn:ietf:params:scim:api:") {
        return Err(format!("{urn} is built in, or reserved"));
    }
    match SCHEMAS.iter().find(|s| collide(&s.id, urn)) {
        Some(s) => Err(format!("{urn} cannot be told from an attribute of {}", s.id)),
        None => Ok(()),
    }
}

/// An object, and where it is.
struct Object<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    fn of(path: String, value: &'a Value) -> Result<Self> {
        match value.as_object() {
            Some(map) => Ok(Self { path, map }),
            None => Err(format!("{path}: an object is expected, not {}", kind_name(value))),
        }
    }

    fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn only(&self, known: &[&str]) -> Result<()> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("{}: there is no such member; these are: {}", self.at(key), known.join(", "))),
            None => Ok(()),
        }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    fn text(&self, key: &str, longest: usize) -> Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(s)) if !s.is_empty() && s.len() <= longest && !s.chars().any(char::is_control) => Ok(Some(s.clone())),
            Some(Value::String(s)) if s.is_empty() && key == "description" => Ok(None),
            Some(Value::String(_)) => Err(format!("{}: 1 to {longest} bytes without control characters are expected", self.at(key))),
            Some(other) => Err(format!("{}: a string is expected, not {}", self.at(key), kind_name(other))),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(other) => Err(format!("{}: true or false is expected, not {}", self.at(key), kind_name(other))),
        }
    }

    fn list(&self, key: &str, most: usize) -> Result<&'a [Value]> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(list)) if list.len() <= most => Ok(list),
            Some(Value::Array(list)) => Err(format!("{}: there are {}; at most {most} are accepted", self.at(key), list.len())),
            Some(other) => Err(format!("{}: a list is expected, not {}", self.at(key), kind_name(other))),
        }
    }

    /// Strings, each once.
    fn words(&self, key: &str) -> Result<Vec<&'a str>> {
        let mut out = Vec::new();
        for (i, value) in self.list(key, MOST_WORDS)?.iter().enumerate() {
            let word = value.as_str().filter(|s| !s.is_empty() && s.len() <= LONGEST_URN);
            let word = word.ok_or_else(|| format!("{}[{i}]: a string of 1 to {LONGEST_URN} bytes is expected", self.at(key)))?;
            if out.contains(&word) {
                return Err(format!("{}[{i}]: \"{word}\" is there twice", self.at(key)));
            }
            out.push(word);
        }
        Ok(out)
    }

    /// One of some words.
    fn choice(&self, key: &str, known: &[&'static str], default: &'static str) -> Result<&'static str> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let found = value.as_str().and_then(|word| known.iter().find(|k| **k == word));
        found.copied().ok_or_else(|| format!("{}: one of {} is expected", self.at(key), known.join(", ")))
    }
}

const MEMBERS: [&str; 12] = [
    "name",
    "type",
    "multiValued",
    "description",
    "required",
    "canonicalValues",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
    "referenceTypes",
    "subAttributes",
];
const TYPES: [&str; 8] = ["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"];

fn attributes(holder: &Object<'_>, key: &str, most: usize, sub: bool) -> Result<Vec<Value>> {
    let mut names: Vec<String> = Vec::new();
    let mut out = Vec::new();
    for (i, value) in holder.list(key, most)?.iter().enumerate() {
        let object = Object::of(format!("{}[{i}]", holder.at(key)), value)?;
        let name = name_of(&object, sub)?;
        if names.contains(&name.to_ascii_lowercase()) {
            return Err(format!("{}: \"{name}\" is there twice; case does not count", object.at("name")));
        }
        names.push(name.to_ascii_lowercase());
        out.push(attribute(&object, &name, sub)?);
    }
    Ok(out)
}

/// A name by the grammar of RFC 7643 §2.1.
fn name_of(object: &Object<'_>, sub: bool) -> Result<String> {
    let name = object.text("name", LONGEST_NAME)?.ok_or_else(|| format!("{}: a name is expected", object.at("name")))?;
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_$".contains(c));
    if good || (sub && name == "$ref") {
        return Ok(name);
    }
    Err(format!("{}: \"{name}\" is none: a letter, then letters, digits, -, _ and $ are expected", object.at("name")))
}

/// Checks one attribute; its definition with everything said.
fn attribute(object: &Object<'_>, name: &str, sub: bool) -> Result<Value> {
    object.only(&MEMBERS)?;
    let kind = object.choice("type", &TYPES, "string")?;
    let complex = kind == "complex";
    if complex && sub {
        return Err(format!("{}: a sub-attribute cannot be complex", object.at("type")));
    }
    let subs = if sub { Vec::new() } else { attributes(object, "subAttributes", MOST_SUB_ATTRIBUTES, true)? };
    if sub && object.get("subAttributes").is_some() {
        return Err(format!("{}: a sub-attribute has none", object.at("subAttributes")));
    }
    if complex == subs.is_empty() {
        let why = if complex { "a complex attribute needs some" } else { "only a complex attribute has some" };
        return Err(format!("{}: {why}", object.at("subAttributes")));
    }
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("name", Value::from(name));
    put("type", Value::from(kind));
    if complex {
        put("subAttributes", Value::Array(subs));
    }
    put("multiValued", Value::Bool(object.flag("multiValued")?.unwrap_or(false)));
    put("description", Value::from(object.text("description", LONGEST_TEXT)?.unwrap_or_default()));
    put("required", Value::Bool(object.flag("required")?.unwrap_or(false)));
    let canonical = object.words("canonicalValues")?;
    if !canonical.is_empty() {
        put("canonicalValues", json!(canonical));
    }
    // URLs and base64 differ by case (RFC 7643 §2.3.6, §2.3.7).
    put("caseExact", Value::Bool(object.flag("caseExact")?.unwrap_or(matches!(kind, "reference" | "binary"))));
    let (mutability, returned) = seen(object)?;
    put("mutability", Value::from(mutability));
    put("returned", Value::from(returned));
    put("uniqueness", Value::from(uniqueness(object, complex)?));
    let references = object.words("referenceTypes")?;
    if !references.is_empty() {
        if kind != "reference" {
            return Err(format!("{}: only an attribute of the type reference has some", object.at("referenceTypes")));
        }
        put("referenceTypes", json!(references));
    }
    Ok(Value::Object(out))
}

/// Mutability and when the attribute is returned, which must go together.
fn seen(object: &Object<'_>) -> Result<(&'static str, &'static str)> {
    let mutability = object.choice("mutability", &["readOnly", "readWrite", "immutable", "writeOnly"], "readWrite")?;
    let write_only = mutability == "writeOnly";
    let returned = object.choice("returned", &["always", "never", "default", "request"], if write_only { "never" } else { "default" })?;
    match (write_only, mutability, returned) {
        (true, _, "never") | (false, _, "always" | "default" | "request") | (false, "readWrite" | "immutable", "never") => {
            Ok((mutability, returned))
        }
        (true, ..) => Err(format!("{}: what is writeOnly is returned never", object.at("returned"))),
        (false, ..) => Err(format!("{}: what is readOnly and never returned is of no use", object.at("returned"))),
    }
}

fn uniqueness(object: &Object<'_>, complex: bool) -> Result<&'static str> {
    let uniqueness = object.choice("uniqueness", &["none", "server", "global"], "none")?;
    if complex && uniqueness != "none" {
        return Err(format!("{}: a complex attribute has none; a sub-attribute may", object.at("uniqueness")));
    }
    Ok(uniqueness)
}

// -- resource types ------------------------------------------------------------

/// What is at the first level below the base URL already, in lower case. Some are beginnings.
const TAKEN: [&str; 5] = ["users", "groups", "bulk", "me", "self"];
const TAKEN_BEGINNINGS: [&str; 3] = ["serviceproviderconfig", "resourcetype", "schema"];

/// Reads a resource type. Of `User` and `Group` everything but the extensions must be what it is, or not be said.
///
/// # Errors
/// A sentence that names the place and what is wrong there.
pub fn resource_type(body: &Map<String, Value>, kind: ResourceKind) -> Result<Declared> {
    let top = Object { path: String::new(), map: body };
    top.only(&["schemas", "id", "name", "description", "endpoint", "schema", "schemaExtensions", "meta"])?;
    let name = top.text("name", LONGEST_NAME)?.ok_or("name: a name is expected, such as Device")?;
    let id = top.text("id", LONGEST_NAME)?;
    if id.is_some_and(|id| id != name) {
        return Err("id: it is the name, if it is given".to_owned());
    }
    let extensions = extensions(&top)?;
    let description = top.text("description", LONGEST_TEXT)?;
    if !matches!(kind, ResourceKind::Own(_)) {
        return standard(&top, kind, &name, extensions);
    }
    if !is_word(&name) || TAKEN_BEGINNINGS.iter().any(|b| name.to_ascii_lowercase().starts_with(b)) {
        return Err(format!("name: \"{name}\" is none: a letter, then letters, digits, - and _ are expected, and no name of SCIM's own"));
    }
    let endpoint = top.text("endpoint", LONGEST_NAME)?.ok_or("endpoint: a path is expected, such as /Devices")?;
    check_endpoint(&endpoint).map_err(|why| format!("endpoint: {why}"))?;
    let schema = top.text("schema", LONGEST_URN)?.ok_or("schema: the URN of the base schema is expected")?;
    Ok(Declared { kind, name, endpoint, description: description.unwrap_or_default(), schema, extensions })
}

fn standard(top: &Object<'_>, kind: ResourceKind, name: &str, extensions: Vec<(String, bool)>) -> Result<Declared> {
    let rt = super::ResourceType::of(kind);
    for (key, fixed) in [("name", &rt.name), ("endpoint", &rt.endpoint), ("schema", &rt.schema.id)] {
        if top.get(key).is_some_and(|given| given.as_str() != Some(fixed)) {
            return Err(format!("{key}: of {name} it is {fixed}, and stays so"));
        }
    }
    let built_in = |urn: &str| rt.extensions.iter().any(|e| e.id == urn);
    if let Some((urn, _)) = extensions.iter().find(|(urn, required)| *required && built_in(urn)) {
        return Err(format!("schemaExtensions: {urn} cannot be required"));
    }
    Ok(Declared {
        kind,
        name: rt.name.clone(),
        endpoint: rt.endpoint.clone(),
        description: rt.description.clone(),
        schema: rt.schema.id.clone(),
        extensions: extensions.into_iter().filter(|(urn, _)| !built_in(urn)).collect(),
    })
}

fn extensions(top: &Object<'_>) -> Result<Vec<(String, bool)>> {
    let mut out: Vec<(String, bool)> = Vec::new();
    for (i, value) in top.list("schemaExtensions", MOST_ATTRIBUTES)?.iter().enumerate() {
        let object = Object::of(format!("schemaExtensions[{i}]"), value)?;
        object.only(&["schema", "required"])?;
        let urn = object.text("schema", LONGEST_URN)?.ok_or_else(|| format!("{}: a URN is expected", object.at("schema")))?;
        if out.iter().any(|(other, _)| other.eq_ignore_ascii_case(&urn)) {
            return Err(format!("{}: {urn} is there twice", object.at("schema")));
        }
        out.push((urn, object.flag("required")?.unwrap_or(false)));
    }
    Ok(out)
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn check_endpoint(endpoint: &str) -> Result<()> {
    let word = endpoint.strip_prefix('/').filter(|word| is_word(word));
    let word = word.ok_or("a slash, a letter, then letters, digits, - and _ are expected")?.to_ascii_lowercase();
    let version = word.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if version || TAKEN.contains(&word.as_str()) || TAKEN_BEGINNINGS.iter().any(|b| word.starts_with(b)) {
        return Err(format!("{endpoint} is SCIM's own"));
    }
    Ok(())
}

/// The resource type of a document that was read before.
///
/// # Errors
/// When it is none.
pub fn stored_type(kind: ResourceKind, document: &str) -> Result<Declared> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kept {
        name: String,
        endpoint: String,
        description: String,
        schema: String,
        schema_extensions: Vec<Extension>,
    }
    #[derive(Deserialize)]
    struct Extension {
        schema: String,
        required: bool,
    }
    let kept: Kept = serde_json::from_str(document).map_err(|e| e.to_string())?;
    let Kept { name, endpoint, description, schema, schema_extensions } = kept;
    let extensions = schema_extensions.into_iter().map(|e| (e.schema, e.required)).collect();
    Ok(Declared { kind, name, endpoint, description, schema, extensions })
}

impl Declared {
    /// The JSON in which it is kept.
    #[must_use]
    pub fn document(&self) -> Value {
        let extensions: Vec<Value> = self.extensions.iter().map(|(urn, required)| json!({"schema": urn, "required": required})).collect();
        json!({"name": self.name, "endpoint": self.endpoint, "description": self.description, "schema": self.schema, "schemaExtensions": extensions})
    }
}
