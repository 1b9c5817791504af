//! Members that an admin adds and changes, by the SCIM document of the user: every rule of SCIM holds, and every rule of the roll.

use super::mapping::{self, Doc, Naming};
use super::roll::Act;
use super::write::{self, Saved, Wanted};
use super::{Ctx, Place, employment, members, provision, render, types};
use crate::error::{Error, Result};
use crate::scim::dialect::Quirk;
use crate::store::Conn;
use serde_json::{Value, json};

/// Adds a member. `invite` says whether the member is invited; without it the tenant's settings do. Whether the member is new, and
/// not one who has come back.
///
/// # Errors
/// 409 for a userName that is taken; 400 that names the attribute at fault.
pub fn add(conn: &mut Conn, act: &Act, place: &Place, user: &Doc, invite: Option<bool>) -> Result<Saved> {
    let ctx = Ctx::of_admin(conn, act, place)?;
    let mut wanted = read(&ctx, user)?;
    if let Some(invite) = invite {
        if provision::invited_of(&wanted.doc).is_some_and(|said| said != invite) {
            return Err(Error::Invalid("invite: the user's own \"invited\" says something else".to_owned()));
        }
        provision::set_invited(&mut wanted.doc, Some(Value::Bool(invite)));
    }
    write::create(conn, &ctx, ctx.types.users(), &wanted)
}

/// Changes a member: a merge patch (RFC 7396) on its SCIM document. `version` is the one that must still be in force.
///
/// # Errors
/// When it is not, or the member is not to be seen; as [`add`].
pub fn change(conn: &mut Conn, act: &Act, place: &Place, key: &str, version: Option<i64>, patch: &Doc) -> Result<Saved> {
    let ctx = Ctx::of_admin(conn, act, place)?;
    types::check_current(conn, &ctx)?;
    let row = members::named(conn, act, key)?;
    if version.is_some_and(|v| v != row.version) {
        return Err(Error::Stale);
    }
    if members::member(&row)?.state.is_hidden() {
        let why = format!("{} was deleted and is not to be seen any more; restore it first", row.label);
        return Err(Error::conflict("member_hidden", why));
    }
    let rt = ctx.types.users();
    let old = mapping::editable(&row, rt)?;
    let mut merged = old.clone();
    merged.remove("schemas");
    merge(&mut merged, patch);
    let mut wanted = read(&ctx, &merged)?;
    rt.traits.check_immutable(&old, &wanted.doc)?;
    employment::part_with_manager(&old, &mut wanted.doc);
    let says_active = named(patch, "active").is_some_and(|v| !v.is_null());
    provision::keep_opinions(&mut wanted.doc, &old, false);
    let naming = if row.label_derived { Naming::Derive } else { Naming::AsGiven };
    let change = provision::Change { old, new: wanted.doc, naming, says_active, back: None, password: wanted.password };
    let extras = render::extras(conn, &ctx, &row)?;
    let present = Saved { row, extras, changed: false, created: false };
    provision::save(conn, &ctx, rt, present, change, wanted.reading)
}

/// Reads a document as if it came from a source. An admin need not say which schemas it follows.
fn read(ctx: &Ctx, user: &Doc) -> Result<Wanted> {
    if named(user, "password").is_some() {
        return Err(Error::Invalid("user: password: it is for members and their identity provider to choose".to_owned()));
    }
    let rt = ctx.types.users();
    let urns: Vec<&str> = std::iter::once(&rt.schema).chain(&rt.extensions).map(|s| s.id.as_str()).collect();
    let mut user = user.clone();
    if named(&user, "schemas").is_none() {
        user.insert("schemas".to_owned(), json!(urns));
    }
    let wanted = write::read_wanted(ctx, rt, Value::Object(user).to_string().as_bytes())?;
    // A source may send more than is known here; an admin who does has mistyped it.
    match wanted.reading.notes.iter().find(|n| n.quirk == Quirk::UnknownAttribute) {
        Some(note) => Err(Error::Invalid(format!("user: {}", note.text.replacen("ignored, ", "", 1)))),
        None => Ok(wanted),
    }
}

/// The value of an attribute, however its name is written.
fn named<'a>(doc: &'a Doc, name: &str) -> Option<&'a Value> {
    doc.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Applies a merge patch (RFC 7396), except that names are those of SCIM: their case does not count.
fn merge(doc: &mut Doc, patch: &Doc) {
    for (name, value) in patch {
        let name = doc.keys().find(|key| key.eq_ignore_ascii_case(name)).unwrap_or(name).clone();
        match value {
            Value::Null => drop(doc.shift_remove(&name)),
            Value::Object(inner) => {
                let slot = doc.entry(name).or_insert(Value::Null);
                if !slot.is_object() {
                    *slot = Value::Object(Doc::new());
                }
                if let Some(map) = slot.as_object_mut() {
                    merge(map, inner);
                }
            }
            other => drop(doc.insert(name, other.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(mut doc: Value, patch: &Value) -> Value {
        merge(doc.as_object_mut().unwrap(), patch.as_object().unwrap());
        doc
    }

    #[test]
    fn a_patch_is_merged() {
        let doc = json!({"userName": "a", "name": {"givenName": "Sam", "familyName": "Example"}, "emails": [{"value": "a@example.com"}]});
        let patch = json!({"USERNAME": "b", "name": {"givenName": null, "Formatted": "S"}, "emails": [], "x": {"y": {"z": null}}});
        let after = json!({"userName": "b", "name": {"familyName": "Example", "Formatted": "S"}, "emails": [], "x": {"y": {}}});
        assert_eq!(merged(doc, &patch), after);
        assert_eq!(merged(json!({"a": "text"}), &json!({"a": {"b": 1}})), json!({"a": {"b": 1}}));
    }
}
