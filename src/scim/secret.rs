//! Taking the password out of a body before anything else reads it, so that it gets into no document, note or log.

use super::error::Error;
use super::json::kind_name;
use super::message::{Operation, Verb};
use super::{USER_URN, precis};
use serde_json::{Map, Value};
use std::fmt;

/// The attribute.
const NAME: &str = "password";
/// Bytes of the longest one.
const MOST: usize = 1024;

/// What a client wants of a password.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Wish {
    /// It says nothing.
    #[default]
    Nothing,
    Remove,
    /// Prepared as RFC 8265 §4.2 has it.
    Set(String),
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Remove => "Remove",
            Self::Set(_) => "Set(…)",
        })
    }
}

/// Takes it out of the body of a POST or PUT. `strict` refuses characters outside the class.
///
/// # Errors
/// 400 that says what is wrong with it.
pub fn take(body: &mut Map<String, Value>, strict: bool) -> Result<Wish, Error> {
    let names: Vec<String> = body.keys().filter(|key| key.eq_ignore_ascii_case(NAME)).cloned().collect();
    if names.len() > 1 {
        return Err(Error::syntax(format!("{NAME} is given twice")));
    }
    names.first().and_then(|name| body.shift_remove(name)).map_or(Ok(Wish::Nothing), |value| wish(value, strict))
}

/// Takes it out of the operations of a PATCH. Of several, the last one counts.
///
/// # Errors
/// As [`take`].
pub fn take_from(operations: &mut [Operation], strict: bool) -> Result<Wish, Error> {
    let mut last = Wish::Nothing;
    for operation in operations {
        let found = match (&operation.path, operation.verb) {
            (Some(path), verb) if is_meant(path) => {
                let found = at_path(verb, operation.value.take(), strict)?;
                // What is left does nothing, and later operations keep their numbers.
                operation.verb = Verb::Remove;
                found
            }
            (None, verb) => without_path(verb, operation.value.as_mut().and_then(Value::as_object_mut), strict)?,
            (Some(_), _) => Wish::Nothing,
        };
        if found != Wish::Nothing {
            last = found;
        }
    }
    Ok(last)
}

fn at_path(verb: Verb, value: Option<Value>, strict: bool) -> Result<Wish, Error> {
    match (verb, value) {
        (Verb::Remove, _) => Ok(Wish::Remove),
        (_, None) => Err(Error::value("value is missing")),
        (Verb::Add, Some(Value::Null)) => Err(Error::value("the value of add must not be null")),
        (_, Some(value)) => wish(value, strict),
    }
}

fn without_path(verb: Verb, map: Option<&mut Map<String, Value>>, strict: bool) -> Result<Wish, Error> {
    let Some(map) = map.filter(|_| verb != Verb::Remove) else { return Ok(Wish::Nothing) };
    let mut last = Wish::Nothing;
    let names: Vec<String> = map.keys().filter(|key| is_meant(key)).cloned().collect();
    for name in names {
        let value = map.shift_remove(&name).unwrap_or_default();
        // As any other attribute: to add nothing changes nothing.
        if !(value.is_null() && verb == Verb::Add) {
            last = wish(value, strict)?;
        }
    }
    Ok(last)
}

/// Whether a path or key is the name, with the URN of the schema before it or not.
fn is_meant(path: &str) -> bool {
    let bare = match path.get(..USER_URN.len()) {
        Some(urn) if urn.eq_ignore_ascii_case(USER_URN) => path.get(USER_URN.len()..).and_then(|rest| rest.strip_prefix(':')),
        _ => Some(path),
    };
    bare.is_some_and(|name| name.trim().eq_ignore_ascii_case(NAME))
}

fn wish(value: Value, strict: bool) -> Result<Wish, Error> {
    match value {
        Value::Null => Ok(Wish::Remove),
        Value::String(text) if text.is_empty() => Err(Error::value(format!("{NAME} must not be empty"))),
        Value::String(text) if text.len() > MOST => Err(Error::value(format!("{NAME} is longer than {MOST} bytes"))),
        Value::String(text) => {
            if strict {
                precis::check_password(&text)?;
            }
            Ok(Wish::Set(precis::opaque(&text)))
        }
        other => Err(Error::value(format!("{NAME} is {}; a string is expected", kind_name(&other)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of_patch(operations: &[(Verb, Option<&str>, Value)]) -> (Result<Wish, Error>, String) {
        let mut all: Vec<Operation> = operations
            .iter()
            .map(|(verb, path, value)| Operation { verb: *verb, path: path.map(str::to_owned), value: Some(value.clone()) })
            .collect();
        let found = take_from(&mut all, false);
        let left = format!("{all:?}");
        (found, left)
    }

    #[test]
    fn the_last_one_counts_and_nothing_of_it_stays() {
        let set = |text: &str| Wish::Set(text.to_owned());
        let urn = format!("{USER_URN}:PassWord");
        for (operations, wanted) in [
            (vec![(Verb::Replace, Some("password"), json!("secret-1"))], set("secret-1")),
            (vec![(Verb::Add, None, json!({"Password": "secret-1", "title": "t"}))], set("secret-1")),
            (vec![(Verb::Replace, Some(urn.as_str()), json!("secret-1"))], set("secret-1")),
            (vec![(Verb::Replace, Some("password"), json!("secret-1")), (Verb::Remove, Some("password"), Value::Null)], Wish::Remove),
            (vec![(Verb::Remove, Some("password"), Value::Null), (Verb::Replace, None, json!({"password": "secret-1"}))], set("secret-1")),
            (vec![(Verb::Replace, Some("password"), Value::Null)], Wish::Remove),
            (vec![(Verb::Replace, Some("title"), json!("t"))], Wish::Nothing),
            (vec![(Verb::Add, None, json!({"password": null}))], Wish::Nothing),
        ] {
            let (found, left) = of_patch(&operations);
            assert_eq!(found.unwrap(), wanted, "{operations:?}");
            assert!(!left.contains("secret"), "{left}");
        }
        assert!(!format!("{:?}", set("secret-1")).contains("secret"));
    }

    #[test]
    fn what_is_no_password() {
        for value in [json!(""), json!(1), json!(["a"]), json!({"value": "a"}), json!("x".repeat(1025))] {
            assert!(take(json!({"PASSWORD": value}).as_object_mut().unwrap(), false).is_err(), "{value}");
            assert!(of_patch(&[(Verb::Replace, Some("password"), value)]).0.is_err());
        }
        assert!(take(json!({"password": "a", "Password": "b"}).as_object_mut().unwrap(), false).is_err());
        assert!(take(json!({"password": "a\u{7}"}).as_object_mut().unwrap(), true).is_err());
        assert_eq!(take(json!({"password": "x".repeat(1024)}).as_object_mut().unwrap(), true).unwrap(), Wish::Set("x".repeat(1024)));
    }
}
