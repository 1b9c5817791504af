//! Evaluating a filter in memory. The store's SQL must agree with this, value for value.

use super::filter::{Filter, Lit, Node};
use super::parse::Op;
use super::path::AttrRef;
use super::schema::{Attribute, Kind};
use super::value::{date_time, fold};
use serde_json::map::Entry;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// Whether a resource satisfies a filter.
#[must_use]
pub fn resource(filter: &Filter, doc: &Map<String, Value>) -> bool {
    eval(filter.node(), &|attr| locate(doc, attr))
}

/// Whether one element of a multi-valued attribute satisfies the filter between the brackets.
#[must_use]
pub fn element(filter: &Filter, element: &Value) -> bool {
    in_element(filter.node(), element)
}

fn in_element(node: &Node, element: &Value) -> bool {
    eval(node, &|attr| match &attr.sub {
        Some(sub) => element.get(&sub.name).into_iter().collect(),
        None => vec![element],
    })
}

/// Every value that an attribute path leads to.
fn locate<'a>(doc: &'a Map<String, Value>, attr: &AttrRef) -> Vec<&'a Value> {
    let holder = match &attr.extension {
        Some(ext) => doc.get(&ext.id).and_then(Value::as_object),
        None => Some(doc),
    };
    let Some(value) = holder.and_then(|h| h.get(&attr.attr.name)) else { return Vec::new() };
    let elements: Vec<&Value> = match value {
        Value::Array(list) if attr.attr.multi_valued => list.iter().collect(),
        single => vec![single],
    };
    match &attr.sub {
        Some(sub) => elements.into_iter().filter_map(|e| e.get(&sub.name)).collect(),
        None => elements,
    }
}

fn eval<'a>(node: &Node, values: &impl Fn(&AttrRef) -> Vec<&'a Value>) -> bool {
    match node {
        Node::All(terms) => terms.iter().all(|t| eval(t, values)),
        Node::Any(terms) => terms.iter().any(|t| eval(t, values)),
        Node::Not(inner) => !eval(inner, values),
        Node::Never => false,
        Node::Present(attr) => values(attr).into_iter().any(is_present),
        Node::Compare(attr, op, lit) => values(attr).into_iter().any(|v| compare(attr.leaf(), v, *op, lit)),
        Node::Element(attr, inner) => values(attr).into_iter().any(|e| in_element(inner, e)),
    }
}

/// `pr` (RFC 7644 table 3): neither null nor empty; of a complex value, any sub-attribute.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(s) => !s.is_empty(),
        Value::Array(list) => list.iter().any(is_present),
        Value::Object(map) => map.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compare(leaf: &Attribute, value: &Value, op: Op, lit: &Lit) -> bool {
    match (lit, value) {
        (Lit::Exact(want), Value::String(have)) => text(have, op, want),
        (Lit::Folded(want, _), Value::String(have)) => text(&fold(have), op, want),
        (Lit::Bool(want), Value::Bool(have)) => have == want,
        (Lit::Int(want), Value::Number(have)) => have.as_i64().is_some_and(|h| ordered(h.cmp(want), op)),
        (Lit::Decimal(want), Value::Number(have)) => have.as_f64().and_then(|h| h.partial_cmp(want)).is_some_and(|o| ordered(o, op)),
        (Lit::Time(want, _), Value::String(have)) if leaf.kind == Kind::DateTime => {
            date_time(have).is_some_and(|(h, _)| ordered(h.cmp(want), op))
        }
        _ => false,
    }
}

/// Compares two texts.
pub(super) fn text(have: &str, op: Op, want: &str) -> bool {
    match op {
        Op::Co => have.contains(want),
        Op::Sw => have.starts_with(want),
        Op::Ew => have.ends_with(want),
        Op::Eq | Op::Gt | Op::Ge | Op::Lt | Op::Le => ordered(have.cmp(want), op),
    }
}

fn ordered(order: Ordering, op: Op) -> bool {
    match op {
        Op::Eq => order.is_eq(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Co | Op::Sw | Op::Ew => false,
    }
}

/// The element that satisfies `a eq x and b eq y`; none for any other filter.
#[must_use]
pub fn made_by(attr: &Attribute, filter: &Filter) -> Option<Value> {
    let mut map = Map::new();
    collect(filter.node(), &mut map)?;
    (attr.is_complex()).then_some(Value::Object(map))
}

fn collect(node: &Node, map: &mut Map<String, Value>) -> Option<()> {
    match node {
        Node::All(terms) => terms.iter().try_for_each(|t| collect(t, map)),
        Node::Compare(attr, Op::Eq, lit) => {
            let value = match lit {
                Lit::Exact(s) | Lit::Folded(_, s) | Lit::Time(_, s) => Value::from(s.as_str()),
                Lit::Bool(b) => Value::Bool(*b),
                Lit::Int(i) => Value::from(*i),
                Lit::Decimal(d) => Value::from(*d),
            };
            match map.entry(attr.sub.as_ref()?.name.clone()) {
                Entry::Vacant(slot) => {
                    slot.insert(value);
                    Some(())
                }
                Entry::Occupied(_) => None,
            }
        }
        _ => None,
    }
}
