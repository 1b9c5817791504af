//! Which attributes an answer has: `attributes` and `excludedAttributes` (RFC 7644 §3.9, §3.4.2.5).

use super::dialect::{Quirk, Reading};
use super::path::{self, Target};
use super::schema::{Attribute, ResourceType, Returned};
use super::traits::Spot;
use serde_json::{Map, Value};

/// A choice of attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projection {
    /// What is returned by default.
    Default,
    /// `id`, `schemas` and these.
    Only(Vec<Item>),
    /// What is returned by default, without these.
    Except(Vec<Item>),
}

/// An attribute, a sub-attribute, or a whole extension (then `attr` is none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    extension: Option<String>,
    attr: Option<String>,
    sub: Option<String>,
    /// The tenant has declared that it is part of every answer.
    is_always: bool,
    /// Sub-attributes of which the same is true; only with one of their siblings.
    siblings: Vec<String>,
}

impl Item {
    /// Sub-attributes that come with any part of their parent.
    fn with_its_parent(&self) -> Vec<Self> {
        let sibling = |name: &String| Self { sub: Some(name.clone()), is_always: true, siblings: Vec::new(), ..self.clone() };
        self.siblings.iter().map(sibling).collect()
    }
}

impl Projection {
    /// Resolves the names against the resource types; unknown names are left out.
    #[must_use]
    pub fn new(types: &[&ResourceType], attributes: &[String], excluded: &[String], reading: &mut Reading) -> Self {
        let mut items = |names: &[String]| -> Vec<Item> {
            names.iter().flat_map(|n| types.iter().filter_map(|rt| item(rt, n, reading)).collect::<Vec<_>>()).collect()
        };
        if !attributes.is_empty() {
            let items = items(attributes);
            let always: Vec<Item> = items.iter().flat_map(Item::with_its_parent).collect();
            return Self::Only(items.into_iter().chain(always).collect());
        }
        if excluded.is_empty() { Self::Default } else { Self::Except(items(excluded).into_iter().filter(|i| !i.is_always).collect()) }
    }

    /// Whether the client chose at all.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::Default
    }

    /// Whether any part of a core attribute will be shown.
    #[must_use]
    pub fn shows(&self, attr: &str) -> bool {
        let named = |i: &&Item| i.extension.is_none() && i.attr.as_deref() == Some(attr);
        match self {
            Self::Default => true,
            Self::Only(items) => items.iter().any(|i| named(&i)),
            Self::Except(items) => !items.iter().any(|i| named(&i) && i.sub.is_none()),
        }
    }

    /// Whether an attribute of an extension is asked for by its own name.
    #[must_use]
    pub fn names(&self, urn: &str, attr: &str) -> bool {
        let named = |i: &Item| i.extension.as_deref() == Some(urn) && i.attr.as_deref() == Some(attr);
        matches!(self, Self::Only(items) if items.iter().any(named))
    }

    /// Whether the choice is the default without this one core attribute.
    #[must_use]
    pub fn excludes_only(&self, attr: &str) -> bool {
        let whole = |i: &Item| i.extension.is_none() && i.sub.is_none() && i.attr.as_deref() == Some(attr);
        matches!(self, Self::Except(items) if items.iter().all(whole))
    }

    /// Applies the choice to a whole resource.
    #[must_use]
    pub fn apply(&self, rt: &ResourceType, doc: Map<String, Value>) -> Map<String, Value> {
        let always = if self.is_default() { Vec::new() } else { rt.traits.always(&doc) };
        let mut out = match self {
            Self::Default => doc,
            Self::Only(items) => doc.into_iter().filter_map(|(k, v)| only(items, &k, v).map(|v| (k, v))).collect(),
            Self::Except(items) => doc.into_iter().filter_map(|(k, v)| except(items, &k, v).map(|v| (k, v))).collect(),
        };
        rt.traits.settle(&mut out, always, |spot| self.asks_for(spot));
        out
    }

    /// Whether what is shown only on request is asked for by its own name.
    fn asks_for(&self, spot: &Spot) -> bool {
        let sub = spot.sub.as_ref().map(|s| s.name.as_str());
        let named = |i: &Item| {
            let same = i.extension == spot.extension && i.attr.as_deref() == Some(&spot.attr.name);
            same && (sub.is_none() || i.sub.as_deref() == sub)
        };
        matches!(self, Self::Only(items) if items.iter().any(named))
    }
}

fn item(rt: &ResourceType, name: &str, reading: &mut Reading) -> Option<Item> {
    let plain = match name.split_once('[') {
        Some((head, _)) => reading.allow(Quirk::ValueFilterProjection, || format!("attributes: {name} read as {head}")).then_some(head)?,
        None => name,
    };
    Some(match path::resolve(rt, plain, reading)? {
        Target::Extension(schema) => {
            Item { extension: Some(schema.id.clone()), attr: None, sub: None, is_always: false, siblings: Vec::new() }
        }
        Target::Attr(a) => Item {
            extension: a.extension.as_ref().map(|e| e.id.clone()),
            attr: Some(a.attr.name.clone()),
            sub: a.sub.as_ref().map(|s| s.name.clone()),
            is_always: is_always(a.leaf()),
            siblings: match a.sub {
                Some(_) => a.attr.sub_attributes.iter().filter(|s| is_always(s)).map(|s| s.name.clone()).collect(),
                None => Vec::new(),
            },
        },
    })
}

fn is_always(attr: &Attribute) -> bool {
    attr.own && attr.returned == Returned::Always
}

fn always(key: &str) -> bool {
    key == "id" || key == "schemas"
}

/// The items about one top-level key: of a core attribute, or below an extension's URN.
fn about<'a>(items: &'a [Item], key: &'a str) -> impl Iterator<Item = &'a Item> {
    items.iter().filter(move |i| match &i.extension {
        Some(urn) => urn == key,
        None => i.attr.as_deref() == Some(key),
    })
}

fn only(items: &[Item], key: &str, value: Value) -> Option<Value> {
    if always(key) {
        return Some(value);
    }
    let own: Vec<&Item> = about(items, key).collect();
    if own.is_empty() {
        return None;
    }
    if !own.iter().any(|i| i.extension.is_some()) {
        return keep(&own, value);
    }
    if own.iter().any(|i| i.attr.is_none()) {
        return Some(value);
    }
    let Value::Object(map) = value else { return None };
    let map: Map<_, _> = map
        .into_iter()
        .filter_map(|(k, v)| {
            let inner: Vec<&Item> = own.iter().filter(|i| i.attr.as_deref() == Some(k.as_str())).copied().collect();
            if inner.is_empty() { None } else { keep(&inner, v).map(|v| (k, v)) }
        })
        .collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

/// The whole value, or only the named sub-attributes of it.
fn keep(items: &[&Item], value: Value) -> Option<Value> {
    if items.iter().any(|i| i.sub.is_none()) {
        return Some(value);
    }
    parts(value, &|sub| items.iter().any(|i| i.sub.as_deref() == Some(sub)))
}

fn except(items: &[Item], key: &str, value: Value) -> Option<Value> {
    if always(key) {
        return Some(value);
    }
    let own: Vec<&Item> = about(items, key).collect();
    if own.is_empty() {
        return Some(value);
    }
    if !own.iter().any(|i| i.extension.is_some()) {
        return drop_parts(&own, value);
    }
    if own.iter().any(|i| i.attr.is_none()) {
        return None;
    }
    let Value::Object(map) = value else { return Some(value) };
    let map: Map<_, _> = map
        .into_iter()
        .filter_map(|(k, v)| {
            let inner: Vec<&Item> = own.iter().filter(|i| i.attr.as_deref() == Some(k.as_str())).copied().collect();
            if inner.is_empty() { Some((k, v)) } else { drop_parts(&inner, v).map(|v| (k, v)) }
        })
        .collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

fn drop_parts(items: &[&Item], value: Value) -> Option<Value> {
    if items.iter().any(|i| i.sub.is_none()) {
        return None;
    }
    parts(value, &|sub| !items.iter().any(|i| i.sub.as_deref() == Some(sub)))
}

/// Keeps the wanted sub-attributes of an object, or of every object in a list; nothing left is no value.
fn parts(value: Value, wanted: &dyn Fn(&str) -> bool) -> Option<Value> {
    match value {
        Value::Object(map) => {
            let map: Map<_, _> = map.into_iter().filter(|(k, _)| wanted(k)).collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
        Value::Array(list) => {
            let list: Vec<Value> = list.into_iter().filter_map(|v| parts(v, wanted)).collect();
            (!list.is_empty()).then_some(Value::Array(list))
        }
        other => Some(other),
    }
}
