//! What a write changed, attribute by attribute.

use super::groups::Moved;
use super::mapping::Doc;
use super::masking::{is_id, shortened};
use crate::scim::schema::{Attribute, ResourceType, Returned};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// Changes that are written down of one request.
const MOST: usize = 100;
/// Characters of a value.
const MOST_VALUE: usize = 300;
/// Members of a group that are named.
const MOST_MEMBERS: usize = 20;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    Value {
        path: String,
        old: Option<Value>,
        new: Option<Value>,
    },
    /// Something that is shown to nobody.
    Hidden {
        path: String,
    },
    /// Members came and went: the ids of the first of them, and how many others there were.
    Members {
        added: Vec<String>,
        removed: Vec<String>,
        more: usize,
    },
    /// So many changes more.
    More(usize),
}

impl Delta {
    /// A change of one value.
    #[must_use]
    pub fn value(path: impl Into<String>, old: Option<Value>, new: Option<Value>) -> Self {
        Self::Value { path: path.into(), old, new }
    }

    /// As it is shown.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Serialize for Delta {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        match self {
            Self::Value { path, old, new } => {
                map.serialize_entry("path", path)?;
                for (name, value) in [("old", old), ("new", new)] {
                    if let Some(value) = value {
                        map.serialize_entry(name, &Brief(value))?;
                    }
                }
            }
            Self::Hidden { path } => {
                map.serialize_entry("path", path)?;
                map.serialize_entry("hidden", &true)?;
            }
            Self::Members { added, removed, more } => {
                map.serialize_entry("path", "members")?;
                map.serialize_entry("added", added)?;
                map.serialize_entry("removed", removed)?;
                map.serialize_entry("more", more)?;
            }
            Self::More(n) => map.serialize_entry("more", n)?,
        }
        map.end()
    }
}

/// A value that is written shorter when it is too long.
struct Brief<'a>(&'a Value);

impl Serialize for Brief<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if text.len() > MOST_VALUE => to.serialize_str(&shortened(text, MOST_VALUE)),
            list @ (Value::Array(_) | Value::Object(_)) if weight(list) > MOST_VALUE * 4 => {
                to.serialize_str(&shortened(&list.to_string(), MOST_VALUE))
            }
            other => other.serialize(to),
        }
    }
}

/// About how many characters a value has.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 3,
        Value::Array(list) => list.iter().map(weight).sum(),
        Value::Object(map) => map.iter().map(|(name, v)| name.len() + 4 + weight(v)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 6,
    }
}

/// All of them as JSON.
#[must_use]
pub fn text(deltas: &[Delta]) -> String {
    serde_json::to_string(deltas).unwrap_or_default()
}

/// What came into a group and went out of it.
#[must_use]
pub fn members(moved: &Moved) -> Option<Delta> {
    let added: Vec<String> = moved.came.iter().take(MOST_MEMBERS).cloned().collect();
    let removed: Vec<String> = moved.went.iter().take(MOST_MEMBERS - added.len()).cloned().collect();
    let more = (moved.added + moved.removed).saturating_sub(added.len() + removed.len());
    moved.any().then_some(Delta::Members { added, removed, more })
}

/// What is different between two documents of a type.
#[must_use]
pub fn between(rt: &ResourceType, old: &Doc, new: &Doc) -> Vec<Delta> {
    let mut out = Vec::new();
    for key in keys(old, new).filter(|key| !key.eq_ignore_ascii_case("schemas")) {
        let (was, is) = (old.get(key), new.get(key));
        if was == is {
            continue;
        }
        match rt.schema_of(key) {
            Some(schema) => {
                let (was, is) = (object(was), object(is));
                for name in keys(was, is) {
                    compare(schema.attribute(name).map(AsRef::as_ref), format!("{key}:{name}"), was.get(name), is.get(name), &mut out);
                }
            }
            None => compare(rt.attribute(key).map(AsRef::as_ref), key.to_owned(), was, is, &mut out),
        }
    }
    bounded(out)
}

fn bounded(mut all: Vec<Delta>) -> Vec<Delta> {
    let more = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    if more > 0 {
        all.push(Delta::More(more));
    }
    all
}

/// The names in either document, each once.
fn keys<'a>(old: &'a Doc, new: &'a Doc) -> impl Iterator<Item = &'a String> {
    new.keys().chain(old.keys().filter(|key| !new.contains_key(*key)))
}

fn object(value: Option<&Value>) -> &Doc {
    static NONE: std::sync::LazyLock<Doc> = std::sync::LazyLock::new(Doc::new);
    value.and_then(Value::as_object).unwrap_or(&NONE)
}

fn compare(attr: Option<&Attribute>, path: String, old: Option<&Value>, new: Option<&Value>, out: &mut Vec<Delta>) {
    if old == new {
        return;
    }
    let name = path.rsplit([':', '.']).next().unwrap_or_default();
    if name.eq_ignore_ascii_case("password") || attr.is_some_and(|a| a.returned == Returned::Never) {
        return out.push(Delta::Hidden { path });
    }
    let complex = |v: Option<&Value>| v.is_none_or(Value::is_object);
    if complex(old) && complex(new) {
        let (was, is) = (object(old), object(new));
        for key in keys(was, is) {
            let sub = attr.and_then(|a| a.sub(key)).map(AsRef::as_ref);
            compare(sub, format!("{path}.{key}"), was.get(key), is.get(key), out);
        }
        return;
    }
    let shown = |v: Option<&Value>| v.map(|v| visible(attr, &path, v));
    out.push(Delta::Value { old: shown(old), new: shown(new), path });
}

/// A value, without what is shown to nobody, and without what tells of somebody else: it would stay when that person goes.
fn visible(attr: Option<&Attribute>, path: &str, value: &Value) -> Value {
    let foreign = path.ends_with(":managerEmail") || path.contains(":manager.");
    match value {
        Value::String(text) if foreign && !is_id(text) => Value::from("…"),
        Value::Array(list) => Value::Array(list.iter().map(|v| visible(attr, path, v)).collect()),
        Value::Object(map) => {
            let shown = |name: &str| {
                let sub = attr.and_then(|a| a.sub(name));
                !name.eq_ignore_ascii_case("password") && sub.is_none_or(|s| s.returned != Returned::Never)
            };
            Value::Object(map.iter().filter(|(name, _)| shown(name)).map(|(n, v)| (n.clone(), v.clone())).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::ResourceKind;
    use serde_json::json;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    const EMPLOYEE: &str = "urn:ietf:params:scim:schemas:extension:rollbook:2.0:User";

    fn changes(old: &Value, new: &Value) -> Value {
        let rt = ResourceType::of(ResourceKind::User);
        let found = between(rt, old.as_object().unwrap(), new.as_object().unwrap());
        Value::Array(found.iter().map(Delta::json).collect())
    }

    #[test]
    fn attributes_one_by_one() {
        let old =
            json!({"schemas": ["a"], "userName": "a", "title": "x", "name": {"givenName": "Sam", "familyName": "Example"}, "active": true});
        let new = json!({"schemas": ["b"], "userName": "b", "name": {"givenName": "Sam", "formatted": "S"}, "active": true,
                         ENTERPRISE: {"department": "Tools", "manager": {"value": "x@example.com"}}, EMPLOYEE: {"managerEmail": "x@example.com"}});
        let wanted = json!([
            {"path": "userName", "old": "a", "new": "b"},
            {"path": "name.formatted", "new": "S"},
            {"path": "name.familyName", "old": "Example"},
            {"path": format!("{ENTERPRISE}:department"), "new": "Tools"},
            {"path": format!("{ENTERPRISE}:manager.value"), "new": "…"},
            {"path": format!("{EMPLOYEE}:managerEmail"), "new": "…"},
            {"path": "title", "old": "x"},
        ]);
        assert_eq!(changes(&old, &new), wanted);
        assert_eq!(changes(&new, &new), json!([]));
    }

    #[test]
    fn passwords_are_not_shown() {
        let shown = changes(&json!({"password": "one"}), &json!({"password": "two"}));
        assert_eq!(shown, json!([{"path": "password", "hidden": true}]));
    }

    #[test]
    fn long_values_are_cut() {
        let long = "x".repeat(1000);
        let shown = changes(
            &json!({}),
            &json!({"title": long, "emails": (0..200).map(|n| json!({"value": format!("{n}@example.com")})).collect::<Vec<_>>()}),
        );
        assert!(shown.to_string().len() < 1000, "{shown}");
        assert!(shown.to_string().contains('…'));
    }

    #[test]
    fn many_members_are_counted() {
        let ids = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        let moved = Moved { added: 30, removed: 5, came: ids(30), went: ids(5) };
        let Some(Delta::Members { added, removed, more }) = members(&moved) else { panic!("nothing") };
        assert_eq!((added.len(), removed.len(), more), (20, 0, 15));
        assert_eq!(members(&Moved::default()), None);
    }
}
