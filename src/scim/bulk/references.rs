//! bulkIds in the data of an operation: finding them, putting ids in their place, leaving them out.
//!
//! A reference is a text `bulkId:x`, a text that ends in `/bulkId:x` as a `$ref` does, and either of them in quotes in a filter of a
//! PATCH path.

use serde_json::{Map, Value};

/// What every reference begins with.
pub const MARK: &str = "bulkId:";
const LAST_SEGMENT: &str = "/bulkId:";

/// Told the name in each reference, and whether it can be nothing else; says what is put in its place, if anything.
type Visit<'a> = dyn FnMut(&str, bool) -> Option<String> + 'a;

/// Visits every reference. `patch` says that this is the data of a PATCH, where paths have filters.
pub fn each(data: &mut Map<String, Value>, patch: bool, visit: &mut Visit<'_>) {
    for (key, value) in data.iter_mut() {
        in_value(value, key, patch, visit);
    }
}

fn in_value(value: &mut Value, key: &str, patch: bool, visit: &mut Visit<'_>) {
    match value {
        Value::String(text) => {
            let filters = patch && key.eq_ignore_ascii_case("path") && text.contains('[');
            let changed = if filters { in_filter(text, visit) } else { in_text(text, key.eq_ignore_ascii_case("$ref"), visit) };
            if let Some(changed) = changed {
                *text = changed;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| in_value(item, key, patch, visit)),
        Value::Object(map) => each(map, patch, visit),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text with an id in it, if there is a reference in it that is replaced.
fn in_text(text: &str, link: bool, visit: &mut Visit<'_>) -> Option<String> {
    if let Some(name) = text.strip_prefix(MARK) {
        return visit(name, true);
    }
    let (head, name) = text.split_once(LAST_SEGMENT).filter(|_| !text.contains(char::is_whitespace))?;
    visit(name, link).map(|id| format!("{head}/{id}"))
}

/// The same for a path with filters: its texts in quotes are looked at.
fn in_filter(path: &str, visit: &mut Visit<'_>) -> Option<String> {
    let (mut out, mut rest, mut changed) = (String::new(), path, false);
    while let Some((before, quoted, after)) = next_quoted(rest) {
        out.push_str(before);
        let text: Option<String> = serde_json::from_str(quoted).ok();
        match text.and_then(|text| in_text(&text, true, visit)) {
            Some(new) => {
                out.push_str(&Value::from(new).to_string());
                changed = true;
            }
            None => out.push_str(quoted),
        }
        rest = after;
    }
    out.push_str(rest);
    changed.then_some(out)
}

/// What stands before the first text in quotes, the text with its quotes, and what comes after it.
fn next_quoted(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find('"')?;
    let mut escaped = false;
    let length = text.get(start + 1..)?.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let end = start + length + 2;
    Some((text.get(..start)?, text.get(start..end)?, text.get(end..)?))
}

/// Leaves out what refers to one of the names: the element of a list, the complex value, or the simple one.
pub fn leave_out(data: &mut Map<String, Value>, names: &dyn Fn(&str) -> bool) {
    data.retain(|key, value| keeps(key, value, names));
}

fn keeps(key: &str, value: &mut Value, names: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => {
            let mut found = false;
            in_text(text, false, &mut |name, _| {
                found = names(name);
                None
            });
            !found
        }
        Value::Array(list) => {
            list.retain_mut(|item| keeps("", item, names));
            true
        }
        // An extension, by its URN: a part of the document, not a value.
        Value::Object(map) if key.contains(':') => {
            leave_out(map, names);
            true
        }
        Value::Object(map) => map.iter_mut().all(|(key, value)| keeps(key, value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resolved(mut data: Value, patch: bool) -> Value {
        each(data.as_object_mut().unwrap(), patch, &mut |name, _| (name != "unknown").then(|| format!("<{name}>")));
        data
    }

    #[test]
    fn references_are_replaced_and_nothing_else() {
        let data = json!({
            "a": "bulkId:1", "b": ["bulkId:2", {"$ref": "https://host/Users/bulkId:3"}], "c": "not bulkId:4", "d": 5,
            "e": "bulkId:unknown", "f": "see /Users/bulkId:6", "path": "x[y eq \"bulkId:7\"]",
        });
        let expected = json!({
            "a": "<1>", "b": ["<2>", {"$ref": "https://host/Users/<3>"}], "c": "not bulkId:4", "d": 5,
            "e": "bulkId:unknown", "f": "see /Users/bulkId:6", "path": "x[y eq \"bulkId:7\"]",
        });
        assert_eq!(resolved(data, false), expected);
    }

    #[test]
    fn filters_of_a_patch_have_references() {
        for (path, expected) in [
            (r#"members[value eq "bulkId:1"]"#, r#"members[value eq "<1>"]"#),
            (r#"members[value eq "bulkId:1" or $ref ew "/bulkId:2"].x"#, r#"members[value eq "<1>" or $ref ew "/<2>"].x"#),
            (r#"members[display eq "\"bulkId:1\""]"#, r#"members[display eq "\"bulkId:1\""]"#),
            (r#"members[value eq "bulkId:\u0041\""]"#, r#"members[value eq "<A\">"]"#),
            (r#"members[value eq "bulkId:1"#, r#"members[value eq "bulkId:1"#),
            (r#"members[value eq "bulkId:unknown"]"#, r#"members[value eq "bulkId:unknown"]"#),
        ] {
            assert_eq!(resolved(json!({"Operations": [{"path": path}]}), true)["Operations"][0]["path"], expected);
        }
    }

    #[test]
    fn what_refers_can_be_left_out() {
        let urn = "urn:x:User";
        let mut data = json!({
            "displayName": "d", "boss": "bulkId:1", "members": [{"value": "bulkId:1", "type": "User"}, {"value": "bulkId:2"}, {"value": "3"}],
            urn: {"manager": {"value": "bulkId:1", "displayName": "x"}, "department": "y"},
        });
        leave_out(data.as_object_mut().unwrap(), &|name| name == "1");
        let expected = json!({"displayName": "d", "members": [{"value": "bulkId:2"}, {"value": "3"}], urn: {"department": "y"}});
        assert_eq!(data, expected);
    }
}
