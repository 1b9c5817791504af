//! Bulk requests (RFC 7644 §3.7): what a body asks for. Nothing is done here.
//!
//! [`count`] watches the body come in, [`path`] says where an operation leads, [`references`] finds and replaces bulkIds, and
//! [`order`] says in which order the operations can be done.

pub mod count;
pub mod order;
pub mod path;
pub mod references;

use super::BULK_REQUEST_URN;
use super::dialect::{Quirk, Reading};
use super::error::{Error, shown};
use super::json::kind_name;
use super::message::require_schema;
use super::schema::ResourceType;
use super::types::Types;
use path::Id;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// How deep an operation's data is in the body: in an object, in a list, in an object.
pub const DATA_DEPTH: usize = 3;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The word in the body.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A bulk request.
#[derive(Debug, Clone)]
pub struct Request {
    pub operations: Vec<Operation>,
    /// How many errors end it.
    pub fail_on_errors: Option<usize>,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// As it was sent, for the answer.
    pub method: Option<String>,
    /// As it was sent, for the answer.
    pub path: Option<String>,
    pub bulk_id: Option<String>,
    /// The bulkIds of other operations, or of itself, that it names; each once.
    pub references: Vec<String>,
    /// What is to be done, or why nothing can be.
    pub task: Result<Task, Error>,
}

/// What an operation asks for.
#[derive(Debug, Clone)]
pub struct Task {
    pub method: Method,
    pub rt: Arc<ResourceType>,
    /// None for a POST.
    pub id: Option<Id>,
    /// The version that the resource must have, as in `If-Match`.
    pub version: Option<String>,
    /// With bulkIds in it.
    pub data: Map<String, Value>,
}

impl Operation {
    /// The bulkId under which others can name what this operation creates.
    #[must_use]
    pub fn creates(&self) -> Option<&str> {
        let post = self.method.as_deref().is_some_and(|m| m.eq_ignore_ascii_case(Method::Post.name()));
        self.bulk_id.as_deref().filter(|_| post)
    }
}

/// Reads the body of a bulk request of at most `most` operations on resources of `types`. `base` is the SCIM base URL. A fault of one operation is kept with it.
///
/// # Errors
/// 400 `invalidSyntax` for anything that is not a bulk request, `invalidValue` for a bad `failOnErrors` and a bulkId given twice; 413
/// for too many operations.
pub fn read(body: Map<String, Value>, types: &Types, base: &str, most: usize, reading: &mut Reading) -> Result<Request, Error> {
    require_schema(&body, BULK_REQUEST_URN, reading)?;
    let (mut list, mut fail_on_errors) = (None, None);
    for (key, value) in body {
        match key.to_ascii_lowercase().as_str() {
            _ if value.is_null() => {}
            "schemas" => {}
            "operations" => list = Some(value),
            "failonerrors" => fail_on_errors = Some(errors_accepted(&value)?),
            _ => unknown(&key, reading)?,
        }
    }
    let operations = match list {
        None => return Err(Error::syntax("Operations is missing")),
        Some(Value::Array(list)) if list.is_empty() => return Err(Error::syntax("Operations must hold at least one operation")),
        Some(Value::Array(list)) if list.len() > most => return Err(too_many(most)),
        Some(Value::Array(list)) => {
            list.into_iter().enumerate().map(|(n, item)| operation(n + 1, item, (types, base), reading)).collect::<Result<_, _>>()?
        }
        Some(other) => return Err(Error::syntax(format!("Operations is {}; an array is expected", kind_name(&other)))),
    };
    let mut request = Request { operations, fail_on_errors };
    request.refer()?;
    Ok(request)
}

/// The refusal of a request with too many operations.
#[must_use]
pub fn too_many(most: usize) -> Error {
    Error::status(413, format!("the request has more operations than maxOperations: at most {most} are accepted (bulk_operations)"))
}

fn errors_accepted(value: &Value) -> Result<usize, Error> {
    match (value.as_u64(), value.as_i64()) {
        (Some(n), _) if n > 0 => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        (Some(_), _) | (_, Some(_)) => Err(Error::value("failOnErrors must be at least 1")),
        (None, None) => Err(Error::syntax(format!("failOnErrors is {}; a whole number is expected", shown(&value.to_string())))),
    }
}

/// An unknown member is tolerated with a note, or refused.
fn unknown(key: &str, reading: &mut Reading) -> Result<(), Error> {
    if reading.allow(Quirk::EnvelopeKey, || format!("{}: ignored, a bulk request has no such member", shown(key))) {
        return Ok(());
    }
    Err(Error::syntax(format!("\"{}\" is not a member of a bulk request", shown(key))))
}

/// The members of an operation.
#[derive(Default)]
struct Parts {
    method: Option<String>,
    bulk_id: Option<String>,
    version: Option<String>,
    path: Option<String>,
    data: Option<Value>,
}

fn operation(n: usize, item: Value, place: (&Types, &str), reading: &mut Reading) -> Result<Operation, Error> {
    let Value::Object(map) = item else {
        return Err(Error::syntax(format!("operation {n} is {}; an object is expected", kind_name(&item))));
    };
    let (mut parts, mut fault) = (Parts::default(), None);
    for (key, value) in map {
        let read = match key.to_ascii_lowercase().as_str() {
            _ if value.is_null() => Ok(()),
            "method" => text(&mut parts.method, &key, value),
            "bulkid" => text(&mut parts.bulk_id, &key, value),
            "version" => text(&mut parts.version, &key, value),
            "path" => text(&mut parts.path, &key, value),
            "data" => {
                parts.data = Some(value);
                Ok(())
            }
            _ => unknown(&key, reading),
        };
        fault = fault.or(read.err());
    }
    parts.bulk_id = parts.bulk_id.filter(|id| !id.is_empty());
    let task = match fault {
        Some(fault) => Err(fault),
        None => task(&mut parts, place, reading),
    };
    let Parts { method, bulk_id, path, .. } = parts;
    Ok(Operation { method, path, bulk_id, references: Vec::new(), task })
}

fn text(slot: &mut Option<String>, name: &str, value: Value) -> Result<(), Error> {
    match value {
        Value::String(s) => *slot = Some(s),
        other => return Err(Error::syntax(format!("{name} is {}; a string is expected", kind_name(&other)))),
    }
    Ok(())
}

fn task(parts: &mut Parts, (types, base): (&Types, &str), reading: &mut Reading) -> Result<Task, Error> {
    let method = method(parts.method.as_deref(), reading)?;
    parts.method = Some(method.name().to_owned());
    let path = parts.path.as_deref().ok_or_else(|| Error::value("path is missing"))?;
    let place = path::locate(types, base, path)?;
    match (method, &place.id) {
        (Method::Post, Some(_)) => return Err(Error::status(405, "this path takes PUT, PATCH, DELETE")),
        (Method::Put | Method::Patch | Method::Delete, None) => return Err(Error::status(405, "this path takes POST")),
        (Method::Post, None) if parts.bulk_id.is_none() => return Err(Error::value("bulkId is missing; a POST needs one")),
        _ => {}
    }
    let data = match (method, parts.data.take()) {
        (Method::Delete, _) => Map::new(),
        (_, Some(Value::Object(map))) => map,
        (_, Some(other)) => return Err(Error::syntax(format!("data is {}; an object is expected", kind_name(&other)))),
        (_, None) => return Err(Error::value("data is missing")),
    };
    let version = parts.version.take().filter(|_| method != Method::Post);
    Ok(Task { method, rt: place.rt, id: place.id, version, data })
}

fn method(given: Option<&str>, reading: &mut Reading) -> Result<Method, Error> {
    let word = given.ok_or_else(|| Error::value("method is missing"))?;
    let known = [Method::Post, Method::Put, Method::Patch, Method::Delete].into_iter().find(|m| m.name().eq_ignore_ascii_case(word));
    match known {
        Some(method)
            if method.name() == word || reading.allow(Quirk::OperationCase, || format!("method: \"{word}\" read as {}", method.name())) =>
        {
            Ok(method)
        }
        Some(_) | None => Err(Error::value(format!("method is \"{}\"; POST, PUT, PATCH or DELETE is expected", shown(word)))),
    }
}

impl Request {
    /// Finds out which operation names which. A name that no POST has is the fault of the operation that names it.
    fn refer(&mut self) -> Result<(), Error> {
        let mut given = HashSet::new();
        if let Some(twice) = self.operations.iter().filter_map(|o| o.bulk_id.as_deref()).find(|id| !given.insert(*id)) {
            return Err(Error::value(format!("the bulkId \"{}\" is given twice", shown(twice))));
        }
        let created: HashSet<String> = self.operations.iter().filter_map(|o| o.creates().map(str::to_owned)).collect();
        for operation in &mut self.operations {
            let Ok(task) = &mut operation.task else { continue };
            match named(task, &created) {
                Ok(references) => operation.references = references,
                Err(fault) => operation.task = Err(fault),
            }
        }
        Ok(())
    }
}

fn named(task: &mut Task, created: &HashSet<String>) -> Result<Vec<String>, Error> {
    let mut out: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    let mut take = |name: &str, sure: bool| match created.get(name) {
        Some(name) => {
            if seen.insert(name.clone()) {
                out.push(name.clone());
            }
            Ok(())
        }
        None if sure => Err(Error::value(format!("bulkId:{} is not the bulkId of a POST in this request", shown(name)))),
        None => Ok(()),
    };
    if let Some(Id::Bulk(name)) = &task.id {
        take(name, true)?;
    }
    let mut fault = Ok(());
    references::each(&mut task.data, task.method == Method::Patch, &mut |name, sure| {
        if fault.is_ok() {
            fault = take(name, sure);
        }
        None
    });
    fault.map(|()| out)
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Declared;
    use super::*;
    use serde_json::json;

    fn request(operations: &Value, declared: Declared) -> Result<Request, Error> {
        let body = json!({"schemas": [BULK_REQUEST_URN], "Operations": operations});
        let Value::Object(body) = body else { unreachable!() };
        read(body, &Types::standard(), "https://host/scim/v2", 3, &mut Reading::of(declared))
    }

    fn post(bulk_id: &str, data: &Value) -> Value {
        json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data})
    }

    #[test]
    fn names_are_found_wherever_they_stand() {
        let list = json!([
            post("a", &json!({"members": [{"value": "bulkId:b"}, {"value": "bulkId:b"}, {"$ref": "../Groups/bulkId:a"}]})),
            post("b", &json!({"displayName": "about /bulkId: and so on", "x": {"y": ["https://host/Users/bulkId:a"]}})),
            {"method": "PATCH", "path": "/Groups/bulkId:b", "data": {"Operations": [{"op": "remove", "path": "members[value eq \"bulkId:a\"]"}]}},
        ]);
        let read = request(&list, Declared::Rfc).unwrap();
        let found: Vec<_> = read.operations.iter().map(|o| o.references.join(" ")).collect();
        assert_eq!(found, ["b a", "a", "b a"]);
    }

    #[test]
    fn a_fault_stays_with_its_operation() {
        for (operation, status) in [
            (json!({"method": "GET", "path": "/Users"}), 400),
            (json!({"path": "/Users"}), 400),
            (json!({"method": "POST", "path": "/Users", "data": {}}), 400),
            (json!({"method": "POST", "path": "/Users/1", "bulkId": "z", "data": {}}), 405),
            (json!({"method": "PUT", "path": "/Users", "data": {}}), 405),
            (json!({"method": "PUT", "path": "/Users/1"}), 400),
            (json!({"method": "PUT", "path": "/Users/1", "data": "{}"}), 400),
            (json!({"method": "PUT", "path": "/Users/1", "version": 1, "data": {}}), 400),
            (json!({"method": "PUT", "path": "/Users/1", "data": {"x": "bulkId:nobody"}}), 400),
            (json!({"method": "DELETE", "path": "/Users/bulkId:nobody"}), 400),
            (json!({"method": "DELETE"}), 400),
        ] {
            let read = request(&json!([operation, post("a", &json!({}))]), Declared::Auto).unwrap();
            assert_eq!(read.operations[0].task.as_ref().unwrap_err().status, status, "{operation}");
            assert!(read.operations[1].task.is_ok());
        }
    }

    #[test]
    fn some_faults_are_the_requests() {
        let two = json!([post("a", &json!({})), post("a", &json!({}))]);
        assert_eq!(request(&two, Declared::Auto).unwrap_err().status, 400);
        let four: Vec<Value> = (0..4).map(|n| post(&n.to_string(), &json!({}))).collect();
        assert_eq!(request(&json!(four), Declared::Auto).unwrap_err().status, 413);
        for bad in [json!([]), json!([1]), json!({}), Value::Null] {
            assert_eq!(request(&bad, Declared::Auto).unwrap_err().scim_type, Some(super::super::ScimType::InvalidSyntax));
        }
        let odd = json!([{"method": "post", "path": "/Users", "bulkId": "a", "data": {}, "more": 1}]);
        assert!(request(&odd, Declared::Auto).unwrap().operations[0].task.is_ok());
        assert!(request(&odd, Declared::Rfc).unwrap().operations[0].task.is_err());
    }
}
