//! Elements that say nothing: `{"type": "work", "primary": true}` without a value. Some clients cannot read them.

use super::dialect::{Quirk, Reading};
use serde_json::{Map, Value};

/// Whether an element of a complex attribute has nothing but `type` and `primary`.
fn is_hollow(element: &Value) -> bool {
    element.as_object().is_some_and(|map| map.keys().all(|key| key == "type" || key == "primary"))
}

fn left_out(name: &str, reading: &mut Reading) -> bool {
    reading.allow(Quirk::HollowElement, || format!("{name}: a value with nothing but a type left out"))
}

/// Whether an element that a client sends is to be left out.
pub fn is_left_out(name: &str, element: &Value, reading: &mut Reading) -> bool {
    is_hollow(element) && left_out(name, reading)
}

/// The core attributes of a resource that have such an element.
#[must_use]
pub fn within(doc: &Map<String, Value>) -> Vec<String> {
    let has = |value: &Value| value.as_array().is_some_and(|list| list.iter().any(is_hollow));
    doc.iter().filter(|(_, value)| has(value)).map(|(name, _)| name.clone()).collect()
}

/// Leaves out what a PATCH has left behind: whoever takes the value out of an element means the element. Attributes that had
/// such elements before stay as they are.
pub fn leave_out(doc: &mut Map<String, Value>, before: &[String], reading: &mut Reading) {
    for name in within(doc).iter().filter(|name| !before.contains(name)) {
        if left_out(name, reading)
            && let Some(list) = doc.get_mut(name).and_then(Value::as_array_mut)
        {
            list.retain(|element| !is_hollow(element));
        }
    }
    doc.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
}
