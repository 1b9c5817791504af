//! What an admin does to one member, by hand: from the command line today.

use super::audit::{self, Note};
use super::roll::{self, Act};
use super::{letters, purge};
use crate::domain::lifecycle::{Event, Refused, Release};
use crate::domain::settings::DAY;
use crate::domain::{Hold, Member, Reason, Source, State};
use crate::error::{Error, Result};
use crate::scim::value::fold;
use crate::store::invitations::Invitation;
use crate::store::{self, Conn, Row, invitations, outbox};

/// Shortest time between two links by hand for the same member.
const PAUSE: i64 = 3600 * 1_000_000;

/// The member whom somebody means: by SCIM id, permanent id, userName or address.
///
/// # Errors
/// When there is none, or the address is that of several.
pub fn named(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    if let Some(row) = store::roll::lock_person(conn, act.tenant.id, key)? {
        return Ok(row);
    }
    let mut rows = store::roll::find_by_key(conn, act.tenant.id, &fold(key))?;
    if rows.len() > 1 {
        let ids: Vec<&str> = rows.iter().map(|r| r.id.as_str()).collect();
        return Err(Error::Invalid(format!("\"{key}\" is the address of several members; name one by its id: {}", ids.join(", "))));
    }
    let row = rows.pop().ok_or_else(|| {
        Error::missing(
            "member",
            format!("tenant {} has no member \"{key}\": an id, a userName or an e-mail address is expected", act.tenant.name),
        )
    })?;
    // Once more, to hold it.
    store::roll::lock(conn, act.tenant.id, &row.id)?.ok_or(Error::Roll(Refused::NotFound))
}

/// The member in a row.
pub(super) fn member(row: &Row) -> Result<&Member> {
    row.member.as_deref().ok_or(Error::Roll(Refused::NotFound))
}

fn has_email(row: &Row) -> bool {
    row.member.as_ref().is_some_and(|m| m.mail.is_some())
}

/// Invites a member, or sends a new link to one who is invited.
///
/// # Errors
/// When the member's state or address forbids it.
pub fn invite(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    let row = named(conn, act, key)?;
    check_pause(conn, act, &row)?;
    roll::check_trusted(act, member(&row)?)?;
    roll::happen(conn, act, &row, Event::Invite { has_email: has_email(&row) }, &Note::default())
}

/// Invites a member who is still uninvited, for a job; others are left alone.
///
/// # Errors
/// When the member's state or address forbids it.
pub(super) fn invite_uninvited(conn: &mut Conn, act: &Act, id: &str) -> Result<Row> {
    let row = store::roll::lock(conn, act.tenant.id, id)?.ok_or(Error::Roll(Refused::NotFound))?;
    match member(&row)?.state {
        State::Invited => return Ok(row),
        State::Absent | State::Uninvited | State::Claimed | State::Quarantined { .. } | State::Deprovisioned => {}
    }
    roll::check_trusted(act, member(&row)?)?;
    roll::happen(conn, act, &row, Event::Invite { has_email: has_email(&row) }, &Note::default())
}

/// Sends a new link; the old one is dead.
///
/// # Errors
/// When the member is not invited, or had a link within the hour.
pub fn resend(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    let row = named(conn, act, key)?;
    check_pause(conn, act, &row)?;
    roll::check_trusted(act, member(&row)?)?;
    roll::happen(conn, act, &row, Event::Resend { has_email: has_email(&row) }, &Note::default())
}

fn check_pause(conn: &mut Conn, act: &Act, row: &Row) -> Result<()> {
    let last = invitations::latest(conn, act.tenant.id, &member(row)?.person)?;
    match last.filter(|i| i.state == "live" && i.undeliverable.is_none() && act.now - i.created_at < PAUSE) {
        Some(_) => Err(Error::Invalid(format!("{} was sent a link within the last hour", row.label))),
        None => Ok(()),
    }
}

/// Takes an invitation back.
///
/// # Errors
/// When the account is claimed.
pub fn revoke(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    let row = named(conn, act, key)?;
    roll::happen(conn, act, &row, Event::RevokeInvite, &Note::default())
}

/// Ends a member's access; the quarantine begins.
///
/// # Errors
/// When this is the only admin.
pub fn suspend(conn: &mut Conn, act: &Act, key: &str, why: Option<String>) -> Result<Row> {
    let row = named(conn, act, key)?;
    roll::guard_last_admin(conn, act, member(&row)?)?;
    let hold = Hold { source: Source::Admin, reason: Reason::Inactive, since: act.now };
    roll::happen(conn, act, &row, Event::Deactivate(hold), &Note { reason: None, detail: why })
}

/// Brings a member back from quarantine, whoever held it: the state before, the groups, the manager.
///
/// # Errors
/// When the member is not in quarantine, or its userName was given to somebody else meanwhile.
pub fn restore(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    let row = named(conn, act, key)?;
    if !member(&row)?.state.is_quarantined() {
        return Err(Error::Invalid(format!("{} is not in quarantine", row.label)));
    }
    roll::happen(conn, act, &row, Event::Reactivate { release: Release::All, remaining: None }, &Note::default())
}

/// Undoes a claim: the member is invited again.
///
/// # Errors
/// When the account is not claimed.
pub fn reset(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    let row = named(conn, act, key)?;
    roll::check_trusted(act, member(&row)?)?;
    roll::happen(conn, act, &row, Event::ResetClaim { has_email: has_email(&row) }, &Note::default())
}

/// Removes a member at once, without quarantine. An account that was claimed is anonymised; another one is simply gone.
///
/// # Errors
/// When it needs to be confirmed, a legal hold forbids it, or this is the only admin.
pub fn delete(conn: &mut Conn, act: &Act, key: &str, confirmed: bool, reason: Option<String>) -> Result<State> {
    let row = named(conn, act, key)?;
    let member = member(&row)?;
    roll::guard_last_admin(conn, act, member)?;
    let event = Event::DeleteNow { confirmed, ever_claimed: member.ever_claimed, legal_hold: member.legal_hold.is_some() };
    let decided = roll::decide(act, member, event)?;
    let note = Note { reason, detail: None };
    match decided.after.state {
        State::Deprovisioned => purge::at_once(conn, act, &row, event, &note)?,
        State::Absent | State::Uninvited | State::Invited | State::Claimed | State::Quarantined { .. } => {
            purge::remove(conn, act, &row, event, &note)?;
        }
    }
    Ok(decided.after.state)
}

/// Sets or lifts a legal hold: as long as it lasts nobody anonymises the member.
///
/// # Errors
/// When there is no such member.
pub fn hold(conn: &mut Conn, act: &Act, key: &str, why: Option<String>) -> Result<Row> {
    let row = named(conn, act, key)?;
    let mut member = member(&row)?.clone();
    member.legal_hold.clone_from(&why);
    let event = if why.is_some() { "legal_hold_set" } else { "legal_hold_lifted" };
    audit::remark(conn, act, &member, event, &Note { reason: None, detail: why })?;
    roll::save(conn, act, &row, None, &member)
}

/// Gives the names of a quarantined member free for somebody else: identity providers no longer see the record.
///
/// # Errors
/// When the member is not in quarantine.
pub fn release(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    let row = named(conn, act, key)?;
    match member(&row)?.state {
        State::Quarantined { hidden: false, .. } => {
            roll::happen(conn, act, &row, Event::ScimDelete, &Note::because("its names were given free"))
        }
        State::Quarantined { hidden: true, .. } => Ok(row),
        State::Absent | State::Uninvited | State::Invited | State::Claimed | State::Deprovisioned => {
            Err(Error::Invalid(format!("{} is not in quarantine", row.label)))
        }
    }
}

/// Lets the members go on to anonymisation that a freeze has kept; how many freezes there were.
///
/// # Errors
/// When the database fails.
pub fn confirm(conn: &mut Conn, act: &Act) -> Result<usize> {
    Ok(store::purge::confirm(conn, act.tenant.id, &act.actor.name(), act.now)?)
}

/// A member with everything that an admin wants to see.
#[derive(Debug, Clone)]
pub struct Shown {
    pub row: Row,
    pub member: Member,
    pub invitation: Option<Invitation>,
    pub letters: Vec<outbox::Entry>,
    pub groups: Vec<String>,
    /// Whether a freeze keeps the member from being anonymised.
    pub frozen: bool,
}

/// Shows a member.
///
/// # Errors
/// When there is no such member.
pub fn show(conn: &mut Conn, act: &Act, key: &str) -> Result<Shown> {
    let row = named(conn, act, key)?;
    let member = member(&row)?.clone();
    let tenant = act.tenant.id;
    let mut groups: Vec<String> = store::members::groups_of(conn, tenant, &[&row.id])?.into_iter().map(|g| g.label).collect();
    if member.state.is_hidden() {
        let kept = store::purge::kept_groups(conn, tenant, &member.person)?;
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        groups = store::resources::labels(conn, tenant, store::Kind::Group, &kept)?.into_iter().map(|(_, label)| label).collect();
    }
    let frozen = purge::is_frozen(conn, act, &member)?;
    Ok(Shown {
        invitation: invitations::latest(conn, tenant, &member.person)?,
        letters: store::outbox::of_person(conn, tenant, &member.person)?,
        groups,
        frozen,
        row,
        member,
    })
}

/// Members in the order of their ids, after `after`; only those in one state, if its word is given.
///
/// # Errors
/// When that is no word for a state.
pub fn page(conn: &mut Conn, act: &Act, state: Option<&str>, after: &str, limit: i64) -> Result<Vec<Row>> {
    let state = match state {
        Some(word) => {
            let unknown = || Error::Invalid(format!("\"{word}\" is no state; uninvited, invited, claimed and quarantined are"));
            Some(store::roll::code_of(word).ok_or_else(unknown)?)
        }
        None => None,
    };
    Ok(store::roll::page(conn, act.tenant.id, state, after, limit)?)
}

/// Tells a tenant's letters, newest first.
///
/// # Errors
/// When the database fails.
pub fn outbox(conn: &mut Conn, act: &Act, state: Option<&str>, limit: i64) -> Result<Vec<outbox::Entry>> {
    Ok(store::outbox::list(conn, act.tenant.id, state, limit)?)
}

/// A tenant's letters from the newest on, before `before`; only those in one state, if one is named.
///
/// # Errors
/// When the database fails.
pub fn letters(conn: &mut Conn, act: &Act, state: Option<&str>, before: &str, limit: i64) -> Result<Vec<outbox::Entry>> {
    Ok(store::outbox::page(conn, act.tenant.id, state, before, limit)?)
}

/// One of a tenant's letters.
///
/// # Errors
/// When there is none of that id.
pub fn letter(conn: &mut Conn, act: &Act, id: &str) -> Result<outbox::Entry> {
    store::outbox::find(conn, act.tenant.id, id)?.ok_or_else(|| Error::missing("mail", format!("there is no mail {id}")))
}

/// The times in which more members were deactivated than is usual.
///
/// # Errors
/// When the database fails.
pub fn freezes(conn: &mut Conn, act: &Act) -> Result<Vec<store::purge::Freeze>> {
    Ok(store::purge::freezes(conn, act.tenant.id)?)
}

/// Sends letters again that were given up: one, or all. How many there are.
///
/// # Errors
/// When the database fails.
pub fn retry(conn: &mut Conn, act: &Act, id: Option<&str>) -> Result<usize> {
    Ok(store::outbox::retry(conn, act.tenant.id, id, act.now)?)
}

/// How far ahead admins are told of an anonymisation, and the shortest quarantine for which they are.
pub(super) const fn announces(quarantine_days: u16) -> bool {
    quarantine_days as i64 * DAY > letters::AHEAD
}
