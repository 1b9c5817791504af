//! Writing down what happened to a member, and reading it back as a timeline.

use super::roll::{Act, Hand};
use crate::domain::{Member, State, TenantId, new_id};
use crate::error::{Error, Result};
use crate::store::audit::{self, Entry};
use crate::store::{self, Conn};

/// What is written down of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// Why, in words that identify nobody.
    pub reason: Option<String>,
    /// What identifies people; readable as long as the person is not anonymised.
    pub detail: Option<String>,
}

impl Note {
    /// A reason alone.
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), detail: None }
    }
}

/// Checks the words that somebody gives as a reason.
///
/// # Errors
/// When they are too many, or there are control characters in them.
pub fn check_words(name: &str, text: &str) -> Result<()> {
    if text.chars().count() <= 500 && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::Invalid(format!("{name}: 500 characters at most are expected, none of them a control character")))
}

/// Adds an event to a member's history.
///
/// # Errors
/// When the database fails.
pub fn record(conn: &mut Conn, act: &Act, member: &Member, event: &str, from: State, note: &Note) -> Result<()> {
    let detail = match &note.detail {
        Some(text) => Some(seal(conn, act, &member.person, text)?),
        None => None,
    };
    let entry = Entry {
        id: new_id(),
        person: member.person.clone(),
        at: act.now,
        actor_kind: act.actor.kind().to_owned(),
        actor: act.actor.name(),
        event: event.to_owned(),
        from: from.to_string(),
        to: member.state.to_string(),
        reason: note.reason.clone(),
        detail,
        request_id: act.request_id.clone(),
    };
    act.note_down(conn, entry)
}

/// Adds an event that is about no member: what an admin did to the tenant, in words that identify nobody.
///
/// # Errors
/// When the database fails.
pub fn admin(conn: &mut Conn, act: &Act, event: &str, what: &str) -> Result<()> {
    let hand = Hand { actor: act.actor.clone(), now: act.now, request_id: act.request_id.clone() };
    of_tenant(conn, act.tenant.id, &hand, event, what)
}

/// As [`admin`], before there is anything to act on.
///
/// # Errors
/// When the database fails.
pub fn of_tenant(conn: &mut Conn, tenant: TenantId, hand: &Hand, event: &str, what: &str) -> Result<()> {
    let entry = Entry {
        id: new_id(),
        person: String::new(),
        at: hand.now,
        actor_kind: hand.actor.kind().to_owned(),
        actor: hand.actor.name(),
        event: event.to_owned(),
        from: String::new(),
        to: String::new(),
        reason: (!what.is_empty()).then(|| what.to_owned()),
        detail: None,
        request_id: hand.request_id.clone(),
    };
    Ok(audit::insert(conn, tenant, &entry)?)
}

/// Adds an event that changed no state.
///
/// # Errors
/// When the database fails.
pub fn remark(conn: &mut Conn, act: &Act, member: &Member, event: &str, note: &Note) -> Result<()> {
    record(conn, act, member, event, member.state, note)
}

/// Seals a text with the key of a person, who gets one if there is none.
///
/// # Errors
/// When the database fails.
pub fn seal(conn: &mut Conn, act: &Act, person: &str, text: &str) -> std::result::Result<String, store::Error> {
    let tenant = act.tenant.id;
    let fresh = act.vault.fresh_person_key(tenant, person);
    let key = audit::key(conn, tenant, person, &fresh)?;
    act.vault.seal_personal(tenant, person, &key, text)
}

/// Opens it again; `None` when the key was thrown away.
///
/// # Errors
/// When the database fails or the master key is another.
pub fn unseal(conn: &mut Conn, act: &Act, person: &str, sealed: &str) -> std::result::Result<Option<String>, store::Error> {
    let tenant = act.tenant.id;
    let Some(key) = audit::find_key(conn, tenant, person)? else { return Ok(None) };
    act.vault.open_personal(tenant, person, &key, sealed).map(Some)
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub id: String,
    /// The permanent id of the member; empty for what is about none.
    pub person: String,
    /// Microseconds since the epoch.
    pub at: i64,
    pub event: String,
    pub from: String,
    pub to: String,
    pub actor_kind: String,
    pub actor: String,
    pub reason: Option<String>,
    pub detail: Option<String>,
    pub request_id: Option<String>,
}

impl Line {
    /// The line as a sentence: what was done, by whom, why.
    #[must_use]
    pub fn sentence(&self) -> String {
        let what = self.event.replace('_', " ");
        let by = match self.actor_kind.as_str() {
            "token" => {
                let (provider, token) = self.actor.rsplit_once(' ').unwrap_or((&self.actor, ""));
                format!("by {provider} (token {token})")
            }
            "admin" => format!("by the admin {}", self.actor),
            "member" => "by the member".to_owned(),
            _ => format!("by the clock ({})", self.actor),
        };
        let change = if self.from == self.to { String::new() } else { format!(": {} -> {}", self.from, self.to) };
        let why = self.reason.as_ref().map(|r| format!(", because {r}")).unwrap_or_default();
        let detail = self.detail.as_ref().map(|d| format!(" [{d}]")).unwrap_or_default();
        format!("{what} {by}{change}{why}{detail}")
    }
}

/// The history of a person, oldest first.
///
/// # Errors
/// When the database fails.
pub fn timeline(conn: &mut Conn, act: &Act, person: &str) -> Result<Vec<Line>> {
    part(conn, act, person, "", i64::from(i32::MAX))
}

/// A part of the history of a person, oldest first: what comes after the line with the id `after`.
///
/// # Errors
/// When the database fails.
pub fn part(conn: &mut Conn, act: &Act, person: &str, after: &str, limit: i64) -> Result<Vec<Line>> {
    // The history of the tenant itself is nobody's; and PostgreSQL does not take U+0000 in a bind.
    if person.is_empty() || person.contains('\0') {
        return Ok(Vec::new());
    }
    let found = audit::of_person(conn, act.tenant.id, person, after, limit)?;
    found.into_iter().map(|e| line(conn, act, e)).collect()
}

/// The history of a tenant from the newest on, before `before`; only what is about no member, if asked for.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, act: &Act, only_admin: bool, before: &str, limit: i64) -> Result<Vec<Line>> {
    let found = audit::page(conn, act.tenant.id, only_admin, before, limit)?;
    found.into_iter().map(|e| line(conn, act, e)).collect()
}

fn line(conn: &mut Conn, act: &Act, e: Entry) -> Result<Line> {
    let detail = match &e.detail {
        Some(sealed) => Some(unseal(conn, act, &e.person, sealed)?.unwrap_or_else(|| "erased".to_owned())),
        None => None,
    };
    Ok(Line {
        id: e.id,
        person: e.person,
        at: e.at,
        event: e.event,
        from: e.from,
        to: e.to,
        actor_kind: e.actor_kind,
        actor: e.actor,
        reason: e.reason,
        detail,
        request_id: e.request_id,
    })
}
