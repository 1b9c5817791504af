//! What an admin does to one member, by hand: from the command line, or through the admin API.

use super::audit::{self, Line, Note};
use super::roll::{self, Act};
use super::{letters, purge, types};
use crate::domain::lifecycle::{Event, Refused, Release};
use crate::domain::settings::DAY;
use crate::domain::{Hold, Member, Reason, Source, State};
use crate::error::{Error, Result};
use crate::scim::dialect::{Declared, Reading};
use crate::scim::error::shown;
use crate::scim::value::fold;
use crate::scim::{Filter, Types, filter, parse};
use crate::store::invitations::Invitation;
use crate::store::roster::{self, Among, Chosen};
use crate::store::{self, Conn, Row, invitations, outbox};

/// Shortest time between two links by hand for the same member.
const PAUSE: i64 = 3600 * 1_000_000;

/// The member whom somebody means: by SCIM id, permanent id, userName or address. Held until the end of the transaction.
///
/// # Errors
/// When there is none, or the address is that of several.
pub fn named(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    if let Some(row) = store::roll::lock_person(conn, act.tenant.id, key)? {
        return Ok(row);
    }
    let row = by_key(conn, act, key)?;
    // Once more, to hold it.
    store::roll::lock(conn, act.tenant.id, &row.id)?.ok_or(Error::Roll(Refused::NotFound))
}

/// As [`named`], for looking at.
///
/// # Errors
/// As [`named`].
pub fn seen(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    match store::roll::find_person(conn, act.tenant.id, key)? {
        Some(row) => Ok(row),
        None => by_key(conn, act, key),
    }
}

fn by_key(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    let missing = || {
        let what =
            format!("tenant {} has no member \"{}\": an id, a userName or an e-mail address is expected", act.tenant.name, shown(key));
        Error::missing("member", what)
    };
    // PostgreSQL does not take it in a bind, and nobody has it in a name.
    if key.contains('\0') {
        return Err(missing());
    }
    let mut rows = store::roll::find_by_key(conn, act.tenant.id, &fold(key))?;
    if rows.len() > 1 {
        let ids: Vec<&str> = rows.iter().map(|r| r.id.as_str()).collect();
        return Err(Error::Invalid(format!("\"{key}\" is the address of several members; name one by its id: {}", ids.join(", "))));
    }
    rows.pop().ok_or_else(missing)
}

/// The permanent id of the member whom somebody means, which stays the same whatever is done to the member. `version` is the one
/// that must still be in force, if somebody has read one. The member is held until the end of the transaction.
///
/// # Errors
/// [`Error::Stale`]; as [`named`].
pub fn person(conn: &mut Conn, act: &Act, key: &str, version: Option<i64>) -> Result<String> {
    let row = named(conn, act, key)?;
    if version.is_some_and(|v| v != row.version) {
        return Err(Error::Stale);
    }
    Ok(member(&row)?.person.clone())
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
        Some(_) => Err(Error::conflict("too_soon", format!("{} was sent a link within the last hour", row.label))),
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
        return Err(Error::conflict("not_quarantined", format!("{} is not in quarantine", row.label)));
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

/// Anonymises a member for good, because the person has asked for it.
///
/// # Errors
/// When it is not confirmed; as [`delete`].
pub fn erase(conn: &mut Conn, act: &Act, key: &str, confirmed: bool) -> Result<State> {
    if !confirmed {
        let why = "this removes whatever identifies the person, for good; \"confirm\": true does it";
        return Err(Error::conflict("confirmation_needed", why));
    }
    delete(conn, act, key, true, Some("the person has asked for erasure".to_owned()))
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
            Err(Error::conflict("not_quarantined", format!("{} is not in quarantine", row.label)))
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
    let row = seen(conn, act, key)?;
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

/// Reads a SCIM filter on users.
///
/// # Errors
/// When it is none.
pub fn filter(types: &Types, text: &str) -> Result<Filter> {
    let mut reading = Reading::of(Declared::Auto);
    filter::resolve(types.users(), text, parse::Limits::default(), &mut reading)
        .map_err(|e| Error::Invalid(format!("filter: {}", e.detail)))
}

/// Which of the members somebody means.
///
/// # Errors
/// When that is no word for a state, or no filter.
pub(super) fn chosen(conn: &mut Conn, act: &Act, state: Option<&str>, text: Option<&str>) -> Result<Chosen> {
    let among = match state {
        None => Among::Everybody,
        Some("uninvited") => Among::Uninvited,
        Some("invited") => Among::Invited,
        Some("claimed") => Among::Claimed,
        Some("quarantined") => Among::Quarantined,
        Some(word) => {
            let word = shown(word);
            return Err(Error::Invalid(format!("state: \"{word}\" is none; uninvited, invited, claimed and quarantined are")));
        }
    };
    let filter = match text {
        Some(text) => Some(self::filter(&*types::of(conn, &act.tenant)?, text)?),
        None => None,
    };
    Ok(Chosen { among, filter })
}

/// Members in the order of their ids, after `after`: those in one state, if its word is given, and those that pass a SCIM filter,
/// if there is one. Whoever is hidden from identity providers is among them.
///
/// # Errors
/// When that is no word for a state, or no filter.
pub fn page(conn: &mut Conn, act: &Act, state: Option<&str>, filter: Option<&str>, after: &str, limit: i64) -> Result<Vec<Row>> {
    let chosen = chosen(conn, act, state, filter)?;
    Ok(roster::page(conn, act.tenant.id, &chosen, after, limit)?)
}

/// The history of a member, oldest first, after the line with the id `after`. Of somebody whose record was removed it is still
/// there, by the permanent id.
///
/// # Errors
/// When there is, and was, no such member.
pub fn timeline(conn: &mut Conn, act: &Act, key: &str, after: &str, limit: i64) -> Result<Vec<Line>> {
    match seen(conn, act, key) {
        Ok(row) => audit::part(conn, act, &member(&row)?.person, after, limit),
        Err(why @ Error::Missing { .. }) => {
            let known = !key.is_empty() && !audit::part(conn, act, key, "", 1)?.is_empty();
            if known { audit::part(conn, act, key, after, limit) } else { Err(why) }
        }
        Err(why) => Err(why),
    }
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
