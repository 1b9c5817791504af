//! What members do to themselves, with a token of their own: `/Me` (RFC 7644 §3.11).

use super::Ctx;
use super::mapping::{self, Doc};
use super::passwords::Wish;
use crate::domain::{Member, Settings, State, TenantId};
use crate::error::{Error, Result};
use crate::scim;
use crate::store::{self, Conn, Row};
use serde_json::{Map, Value};

/// Whether a member can come in. With the quarantine this ends; with a restoration it begins again.
#[must_use]
pub fn may_enter(member: &Member) -> bool {
    match member.state {
        State::Uninvited | State::Invited | State::Claimed => true,
        State::Absent | State::Quarantined { .. } | State::Deprovisioned => false,
    }
}

/// What is answered to the token of somebody who cannot come in.
const SHUT: Error = Error::Unauthorized("the token is not valid");

/// The SCIM id that a member has now.
///
/// # Errors
/// 401 when the member is gone or in quarantine.
pub fn enter(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<String> {
    let row = store::roll::find_person(conn, tenant, person)?;
    row.filter(|row| row.member.as_deref().is_some_and(may_enter)).map(|row| row.id).ok_or(SHUT)
}

/// Puts into a replacement what the member may not change and has not sent, so that it stays.
pub(super) fn keep_others(settings: &Settings, row: &Row, old: &Doc, new: &mut Doc) {
    let shown = mapping::parsed(row);
    for (key, value) in old {
        if key == "schemas" || settings.self_service.contains(key) {
            continue;
        }
        if is_extension(key) {
            let slot = new.entry(key.as_str()).or_insert_with(|| Value::Object(Map::new()));
            if let (Some(new), Some(old)) = (slot.as_object_mut(), value.as_object()) {
                old.iter().for_each(|(name, value)| keep(new, name, value, shown.get(key).and_then(|s| s.get(name))));
            }
        } else {
            keep(new, key, value, shown.get(key));
        }
    }
}

/// What was not sent stays, and so does what was sent back as it is shown.
fn keep(new: &mut Doc, key: &str, old: &Value, shown: Option<&Value>) {
    let sent = new.get(key);
    if sent.is_none() || sent == shown {
        new.insert(key.to_owned(), old.clone());
    }
}

fn is_extension(key: &str) -> bool {
    key.contains(':')
}

/// Refuses what members may not change of themselves. It is looked at once more whether the member can come in: that may have ended
/// since the request came.
///
/// # Errors
/// 401; 403 that names the attributes.
pub(super) fn check(ctx: &Ctx, before: &Member, old: &Doc, new: &Doc, password: &Wish) -> Result<()> {
    if !may_enter(before) {
        return Err(SHUT);
    }
    let mut changed = differences(old, new);
    if !password.is_nothing() {
        changed.push("password".to_owned());
    }
    changed.retain(|name| !ctx.tenant.settings.self_service.contains(name));
    if changed.is_empty() {
        return Ok(());
    }
    let detail = format!("a member cannot change {} of oneself; nothing was changed", changed.join(", "));
    Err(scim::Error::status(403, detail).into())
}

/// The names of what is different, those of extensions with their URN.
fn differences(old: &Doc, new: &Doc) -> Vec<String> {
    let (none, mut out) = (Map::new(), Vec::new());
    let inner = |doc: &Doc, key: &str| doc.get(key).and_then(Value::as_object).unwrap_or(&none).clone();
    let mut keys: Vec<&String> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
    keys.retain(|key| *key != "schemas" && old.get(*key) != new.get(*key));
    for key in keys {
        if is_extension(key) {
            out.extend(differences(&inner(old, key), &inner(new, key)).iter().map(|name| format!("{key}:{name}")));
        } else {
            out.push(key.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named() {
        let doc = |v: Value| v.as_object().unwrap().clone();
        let old = doc(json!({"schemas": ["a"], "userName": "a", "title": "x", "urn:x": {"a": 1, "b": 2}}));
        let new = doc(json!({"schemas": ["b"], "userName": "a", "nickName": "n", "urn:x": {"a": 1, "b": 3}, "urn:y": {"c": 1}}));
        assert_eq!(differences(&old, &new), ["title", "urn:x:b", "nickName", "urn:y:c"]);
        assert!(differences(&old, &old).is_empty());
    }
}
