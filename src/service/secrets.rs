//! The link and the code that open a member's account, for tokens that may read them.

use super::audit::{self, Note};
use super::codes;
use super::roll::Act;
use crate::domain::lifecycle::Refused;
use crate::domain::{Member, State};
use crate::error::Result;
use crate::scim::value::write_time;
use crate::scim::{EMPLOYEE_URN, Projection};
use crate::store::{Conn, invitations, roll};
use serde_json::{Map, Value};

const NAMES: [&str; 3] = ["claimLink", "accessCode", "accessCodeExpirationDate"];

/// Which of them a client asks for by name.
#[must_use]
pub fn wanted(projection: &Projection) -> Vec<&'static str> {
    NAMES.into_iter().filter(|name| projection.names(EMPLOYEE_URN, name)).collect()
}

/// Reads them. Reading is written into the member's history.
///
/// # Errors
/// 404 when there is no such member.
pub fn read(conn: &mut Conn, act: &Act, origin: &str, id: &str) -> Result<Map<String, Value>> {
    let row = roll::lock(conn, act.tenant.id, id)?.ok_or(Refused::NotFound)?;
    let member = super::members::member(&row)?;
    let mut out = Map::new();
    if let Some(link) = link(conn, act, origin, member)? {
        out.insert("claimLink".to_owned(), Value::from(link));
    }
    if let Some(slip) = codes::slip(conn, act, &row)? {
        out.insert("accessCode".to_owned(), Value::from(slip.code));
        out.insert("accessCodeExpirationDate".to_owned(), Value::from(write_time(slip.expires_at)));
    }
    Ok(out)
}

/// The link that opens a member's account; `None` when there is none. Reading is written into the history.
///
/// # Errors
/// When the database fails.
pub(super) fn link(conn: &mut Conn, act: &Act, origin: &str, member: &Member) -> Result<Option<String>> {
    let link = invitations::latest(conn, act.tenant.id, &member.person)?.filter(|l| l.is_live(act.now));
    let (State::Invited, Some(link)) = (member.state, link) else { return Ok(None) };
    audit::remark(conn, act, member, "link_read", &Note::default())?;
    let token = act.vault.link(act.tenant.id, &member.person, link.generation);
    Ok(Some(format!("{origin}/claim/{token}")))
}

/// Puts those that are wanted into a user's JSON.
#[must_use]
pub fn add(json: &str, wanted: &[&str], found: &Map<String, Value>) -> String {
    let mut doc: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let slot = doc.entry(EMPLOYEE_URN).or_insert_with(|| Value::Object(Map::new()));
    if let Some(own) = slot.as_object_mut() {
        own.extend(found.iter().filter(|(name, _)| wanted.contains(&name.as_str())).map(|(name, value)| (name.clone(), value.clone())));
    }
    if slot.as_object().is_some_and(Map::is_empty) {
        doc.remove(EMPLOYEE_URN);
    }
    Value::Object(doc).to_string()
}
