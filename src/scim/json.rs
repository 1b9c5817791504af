//! Reading JSON as strictly as a provisioning server should.
//!
//! `serde_json` alone keeps the last of two equal keys; here they are an error, as are U+0000 and too deep nesting.

use super::error::{Error, shown};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::collections::HashSet;
use std::fmt;

/// Parses a request body. `depth` is the deepest nesting of arrays and objects that is accepted.
///
/// # Errors
/// 400 `invalidSyntax` for broken JSON, duplicate keys and too deep nesting; 400 `invalidValue` for U+0000 in a string.
pub fn parse(body: &[u8], depth: usize) -> Result<Value, Error> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Strict(depth).deserialize(&mut reader).map_err(|e| broken(&e))?;
    reader.end().map_err(|e| broken(&e))?;
    Ok(value)
}

/// As [`parse`], and the body must be an object.
///
/// # Errors
/// As [`parse`]; 400 `invalidSyntax` for an empty body and for anything but an object.
pub fn object(body: &[u8], depth: usize) -> Result<Map<String, Value>, Error> {
    if body.is_empty() {
        return Err(Error::syntax("the request has no body; a JSON object is expected"));
    }
    match parse(body, depth)? {
        Value::Object(map) => Ok(map),
        other => Err(Error::syntax(format!("the body is {}; a JSON object is expected", kind_name(&other)))),
    }
}

fn broken(e: &serde_json::Error) -> Error {
    let text = e.to_string();
    if text.contains(NUL) {
        return Error::value("a string contains U+0000, which cannot be stored");
    }
    Error::syntax(format!("the body is not acceptable JSON: {}", shown(&text)))
}

/// What a JSON value is, in words.
#[must_use]
pub fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

const NUL: &str = "U+0000";

#[derive(Clone, Copy)]
struct Strict(usize);

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Strict).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::from(v))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::from(v))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E: de::Error>(self, v: &str) -> Result<Value, E> {
        if v.contains('\0') {
            return Err(E::custom(NUL));
        }
        Ok(Value::String(v.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(v) = seq.next_element_seed(inner)? {
            list.push(v);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        let mut names = Names::default();
        while let Some(key) = access.next_key::<String>()? {
            if key.contains('\0') {
                return Err(de::Error::custom(NUL));
            }
            let value = access.next_value_seed(inner)?;
            if !names.insert(&map, &key) {
                return Err(de::Error::custom(format_args!("the member \"{}\" is given twice", shown(&key))));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// The names of an object so far. SCIM's names are the same in any case (RFC 7643 §2.1).
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    /// Whether the name is new. A few names are compared one by one, many are looked up.
    fn insert(&mut self, map: &Map<String, Value>, name: &str) -> bool {
        const FEW: usize = 32;
        if map.len() < FEW {
            return !map.keys().any(|k| k.eq_ignore_ascii_case(name));
        }
        if self.0.is_empty() {
            self.0 = map.keys().map(|k| k.to_ascii_lowercase()).collect();
        }
        self.0.insert(name.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_nul_and_depth_are_refused() {
        assert!(parse(br#"{"a":1,"a":2}"#, 10).unwrap_err().detail.contains("given twice"));
        assert_eq!(parse(br#"{"a":"\u0000"}"#, 10).unwrap_err().scim_type, Some(super::super::ScimType::InvalidValue));
        assert!(parse(br#"{"a":null,"A":2}"#, 10).unwrap_err().detail.contains("given twice"));
        let many: String = (0..40).map(|n| format!("\"k{n}\":1,")).collect();
        assert!(parse(format!("{{{many}\"K3\":1}}").as_bytes(), 10).unwrap_err().detail.contains("given twice"));
        assert!(parse(format!("{{{many}\"x\":1}}").as_bytes(), 10).is_ok());
        assert!(parse(b"[[[1]]]", 2).unwrap_err().detail.contains("too deeply"));
        assert!(parse("[".repeat(100_000).as_bytes(), 64).is_err());
        assert_eq!(parse(br#"{"a":[1,"x",null,true,1.5]}"#, 3).unwrap().to_string(), r#"{"a":[1,"x",null,true,1.5]}"#);
    }
}
