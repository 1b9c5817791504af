//! What the attributes that a tenant has declared ask for when a resource is written and shown: values that stay, that may be there
//! once, that are never shown, or only when asked for (RFC 7643 §2.2, §7).

use super::error::Error;
use super::schema::{Attribute, Kind, Mutability, Returned, Schema, Uniqueness};
use super::value::{date_time, fold};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

type Doc = Map<String, Value>;

/// Where a document has the values of an attribute or sub-attribute.
#[derive(Debug, Clone)]
pub struct Spot {
    /// The URN of the extension; none for an attribute of the base schema.
    pub extension: Option<String>,
    pub attr: Arc<Attribute>,
    pub sub: Option<Arc<Attribute>>,
}

impl Spot {
    /// The sub-attribute if there is one, else the attribute.
    #[must_use]
    pub fn leaf(&self) -> &Attribute {
        self.sub.as_ref().unwrap_or(&self.attr)
    }

    fn holder<'a>(&self, doc: &'a Doc) -> Option<&'a Doc> {
        match &self.extension {
            Some(urn) => doc.get(urn)?.as_object(),
            None => Some(doc),
        }
    }

    /// The whole value; none for the sub-attribute of a list.
    #[must_use]
    pub fn value<'a>(&self, doc: &'a Doc) -> Option<&'a Value> {
        let value = self.holder(doc)?.get(&self.attr.name)?;
        self.sub.as_ref().map_or(Some(value), |sub| value.get(&sub.name))
    }

    /// Every single value.
    #[must_use]
    pub fn values<'a>(&self, doc: &'a Doc) -> Vec<&'a Value> {
        let Some(value) = self.holder(doc).and_then(|h| h.get(&self.attr.name)) else { return Vec::new() };
        let elements: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
        match &self.sub {
            Some(sub) => elements.into_iter().filter_map(|e| e.get(&sub.name)).collect(),
            None => elements,
        }
    }

    /// Puts a whole value in.
    fn put(&self, doc: &mut Doc, value: Value) {
        let mut holder = doc;
        for key in self.extension.iter().chain(self.sub.iter().map(|_| &self.attr.name)) {
            let slot = holder.entry(key).or_insert_with(|| Value::Object(Map::new()));
            let Some(map) = slot.as_object_mut() else { return };
            holder = map;
        }
        holder.insert(self.leaf().name.clone(), value);
    }

    /// Takes the values out, and what is empty then.
    pub fn remove(&self, doc: &mut Doc) {
        let Some(urn) = &self.extension else { return self.remove_from(doc) };
        let Some(holder) = doc.get_mut(urn).and_then(Value::as_object_mut) else { return };
        self.remove_from(holder);
        if holder.is_empty() {
            doc.shift_remove(urn);
        }
    }

    fn remove_from(&self, holder: &mut Doc) {
        let name = &self.attr.name;
        let empty = match (&self.sub, holder.get_mut(name)) {
            (Some(sub), Some(Value::Object(map))) => {
                map.shift_remove(&sub.name);
                map.is_empty()
            }
            (Some(sub), Some(Value::Array(list))) => {
                list.iter_mut().filter_map(Value::as_object_mut).for_each(|map| drop(map.shift_remove(&sub.name)));
                list.retain(|e| !e.as_object().is_some_and(Map::is_empty));
                list.is_empty()
            }
            (None, Some(_)) => true,
            (_, _) => false,
        };
        if empty {
            holder.shift_remove(name);
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attr.name)?;
        self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{}", sub.name))
    }
}

/// Declared attributes by what is special about them.
#[derive(Debug, Default)]
pub struct Traits {
    immutable: Vec<Spot>,
    unseen: Vec<Spot>,
    on_request: Vec<Spot>,
    always: Vec<Spot>,
    unique: Vec<Spot>,
}

impl Traits {
    /// Those of a type with this base schema and these extensions.
    #[must_use]
    pub fn of(base: &Schema, extensions: &[Arc<Schema>]) -> Self {
        let mut out = Self::default();
        let holders = std::iter::once((None, base)).chain(extensions.iter().map(|e| (Some(e.id.clone()), e.as_ref())));
        for (extension, schema) in holders {
            for attr in schema.attributes.iter().filter(|a| a.own) {
                out.sort_in(Spot { extension: extension.clone(), attr: attr.clone(), sub: None });
                for sub in &attr.sub_attributes {
                    out.sort_in(Spot { extension: extension.clone(), attr: attr.clone(), sub: Some(sub.clone()) });
                }
            }
        }
        out
    }

    fn sort_in(&mut self, spot: Spot) {
        let leaf = spot.leaf();
        if leaf.uniqueness != Uniqueness::None {
            self.unique.push(spot.clone());
        }
        match leaf.returned {
            Returned::Never => self.unseen.push(spot.clone()),
            Returned::Request => self.on_request.push(spot.clone()),
            Returned::Always if spot.sub.is_none() => self.always.push(spot.clone()),
            Returned::Always | Returned::Default => {}
        }
        if leaf.mutability == Mutability::Immutable {
            self.immutable.push(spot);
        }
    }

    /// Whether a stored document is shown as it is when nobody asks for parts of it.
    #[must_use]
    pub fn shows_all(&self) -> bool {
        self.unseen.is_empty() && self.on_request.is_empty()
    }

    /// Whether some values may be there once only.
    #[must_use]
    pub fn has_unique(&self) -> bool {
        !self.unique.is_empty()
    }

    /// Whether some values can be given once only.
    #[must_use]
    pub fn fixes_any(&self) -> bool {
        !self.immutable.is_empty()
    }

    /// Those that are part of every answer, with their values.
    #[must_use]
    pub(super) fn always(&self, doc: &Doc) -> Vec<(&Spot, Value)> {
        self.always.iter().filter_map(|spot| Some((spot, spot.value(doc)?.clone()))).collect()
    }

    /// Puts back what is part of every answer, and takes out what is not shown, or not unless it is asked for.
    pub(super) fn settle(&self, doc: &mut Doc, always: Vec<(&Spot, Value)>, asked: impl Fn(&Spot) -> bool) {
        for (spot, value) in always {
            spot.put(doc, value);
        }
        self.unseen.iter().for_each(|spot| spot.remove(doc));
        self.on_request.iter().filter(|spot| !asked(spot)).for_each(|spot| spot.remove(doc));
    }

    /// What a PUT leaves out and may: values that cannot change, and those that no client can read, stay (RFC 7644 §3.5.1). Whether there
    /// were any.
    pub fn keep(&self, doc: &mut Doc, old: &Doc) -> bool {
        let mut any = false;
        // Part of something that is taken away goes with it.
        let there = |spot: &&Spot| spot.sub.is_none() || spot.holder(doc).is_some_and(|h| h.contains_key(&spot.attr.name));
        let unseen: Vec<&Spot> = self.unseen.iter().filter(there).collect();
        for spot in self.immutable.iter().chain(unseen) {
            if let (None, Some(value)) = (spot.value(doc), spot.value(old)) {
                spot.put(doc, value.clone());
                any = true;
            }
        }
        any
    }

    /// Refuses another value of what cannot change once it has one.
    ///
    /// # Errors
    /// 400 `mutability`.
    pub fn check_immutable(&self, old: &Doc, new: &Doc) -> Result<(), Error> {
        match self.immutable.iter().find(|spot| spot.value(old).is_some_and(|value| spot.value(new) != Some(value))) {
            Some(spot) => Err(Error::mutability(format!("{spot} is immutable and has a value"))),
            None => Ok(()),
        }
    }

    /// The values of a document that no other resource of the type may have: attribute and value, each once.
    #[must_use]
    pub fn unique(&self, doc: &Doc) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for spot in &self.unique {
            let name = spot.to_string();
            let keys = spot.values(doc).into_iter().map(|value| (name.clone(), key(spot.leaf(), value)));
            out.extend(keys.filter(|(_, key)| !key.is_empty()));
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}

/// A value in the form in which equal ones are the same text.
fn key(leaf: &Attribute, value: &Value) -> String {
    match (leaf.kind, value) {
        (Kind::DateTime, Value::String(s)) => date_time(s).map_or_else(String::new, |(ticks, _)| ticks.to_string()),
        (Kind::String | Kind::Reference, Value::String(s)) if !leaf.case_exact => fold(s).into_owned(),
        (_, Value::String(s)) => s.clone(),
        (Kind::Decimal, Value::Number(n)) => n.as_f64().map_or_else(String::new, |f| (f + 0.0).to_string()),
        (_, Value::Null) => String::new(),
        (_, other) => other.to_string(),
    }
}
