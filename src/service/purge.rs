//! The end of a quarantine: steps that are done one by one, each in a transaction with its record, so that a crash between
//! two of them loses and repeats nothing. What cannot be undone comes last.

use super::audit::{self, Note};
use super::roll::{self, Act};
use super::{employment, groups, mapping};
use crate::domain::lifecycle::{Block, Event, Refused};
use crate::domain::settings::DAY;
use crate::domain::{Member, State};
use crate::error::Result;
use crate::scim::value::fold;
pub use crate::store::purge::Freeze;
use crate::store::{self, Conn, Kind, Row, counts, emails, outbox, purge};

/// What an anonymised member is called.
pub const FORMER: &str = "Former member";

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The member leaves every group.
    LeaveGroups,
    /// Nobody has the member as a manager any more.
    ClearReferences,
    /// The record is emptied and its names are free. There is no way back.
    Anonymise,
    /// What was kept elsewhere goes: letters, links, codes, passwords, notes, and the key that opens the history.
    PurgeCopies,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::LeaveGroups, Self::ClearReferences, Self::Anonymise, Self::PurgeCopies];

    /// The word for it in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeaveGroups => "leave_groups",
            Self::ClearReferences => "clear_references",
            Self::Anonymise => "anonymise",
            Self::PurgeCopies => "purge_copies",
        }
    }
}

/// Does the next step for a member whose quarantine is over; `None` when there was none left, or the member came back.
///
/// # Errors
/// When the database fails.
pub fn next_step(conn: &mut Conn, act: &Act, person: &str) -> Result<Option<Step>> {
    let Some(row) = store::roll::lock_person(conn, act.tenant.id, person)? else { return Ok(None) };
    let Some(member) = row.member.as_deref() else { return Ok(None) };
    let done = purge::steps(conn, act.tenant.id, person)?;
    let next = Step::ALL.into_iter().find(|s| !done.iter().any(|(d, _)| d == s.as_str()));
    let event = Event::QuarantineElapsed(block(conn, act, member)?);
    let over = match roll::decide(act, member, event) {
        Ok(decided) => decided.after.state == State::Deprovisioned && member.purge_at.is_none_or(|t| t <= act.now),
        Err(_) => false,
    };
    let Some(step) = next.filter(|_| over) else { return Ok(None) };
    perform(conn, act, &row, member, step, event, &Note::because("the quarantine is over"))?;
    Ok(Some(step))
}

/// What keeps a member from being anonymised.
fn block(conn: &mut Conn, act: &Act, member: &Member) -> Result<Option<Block>> {
    if member.legal_hold.is_some() {
        return Ok(Some(Block::LegalHold));
    }
    Ok(is_frozen(conn, act, member)?.then_some(Block::Frozen))
}

/// Whether a member was deactivated when unusually many were, and nobody has confirmed it.
pub(super) fn is_frozen(conn: &mut Conn, act: &Act, member: &Member) -> Result<bool> {
    let Some(at) = member.quarantined_at else { return Ok(false) };
    Ok(purge::freezes(conn, act.tenant.id)?.iter().any(|f| f.confirmed_at.is_none() && (f.from_at..=f.to_at).contains(&at)))
}

/// Does all steps now.
///
/// # Errors
/// When the database fails.
pub(super) fn at_once(conn: &mut Conn, act: &Act, row: &Row, event: Event, note: &Note) -> Result<()> {
    let done = purge::steps(conn, act.tenant.id, &super::members::member(row)?.person)?;
    let mut row = row.clone();
    for step in Step::ALL.into_iter().filter(|s| !done.iter().any(|(d, _)| d == s.as_str())) {
        let member = row.member.clone().ok_or(Refused::NotFound)?;
        perform(conn, act, &row, &member, step, event, note)?;
        // What a step does to the row the next one has to see.
        row = store::roll::lock_person(conn, act.tenant.id, &member.person)?.ok_or(Refused::NotFound)?;
    }
    Ok(())
}

fn perform(conn: &mut Conn, act: &Act, row: &Row, member: &Member, step: Step, event: Event, note: &Note) -> Result<()> {
    let tenant = act.tenant.id;
    match step {
        Step::LeaveGroups => leave_groups(conn, act, row, member)?,
        Step::ClearReferences => {
            for report in store::roll::reports(conn, tenant, &row.id)? {
                roll::forget_manager(conn, act, &report)?;
            }
        }
        Step::Anonymise => anonymise(conn, act, row, member, event, note)?,
        Step::PurgeCopies => purge_copies(conn, act, row, member)?,
    }
    Ok(purge::record(conn, tenant, &member.person, step.as_str(), act.now)?)
}

fn leave_groups(conn: &mut Conn, act: &Act, row: &Row, member: &Member) -> Result<()> {
    groups::leave_all(conn, act.tenant.id, &row.id, act.now)?;
    Ok(purge::drop_kept_groups(conn, act.tenant.id, &member.person)?)
}

fn anonymise(conn: &mut Conn, act: &Act, row: &Row, member: &Member, event: Event, note: &Note) -> Result<()> {
    let tenant = act.tenant.id;
    suppress(conn, act, row, member)?;
    store::unique::clear(conn, tenant, Kind::User, &row.id)?;
    if !member.state.is_hidden() {
        emails::remove(conn, tenant, &row.id, &mapping::emails(&mapping::parsed(row)))?;
        counts::change(conn, tenant, Kind::User, &row.id, -1)?;
    }
    store::roll::forget(conn, tenant, row, FORMER, act.now)?;
    let after = Member { state: State::Deprovisioned, ..member.clone() };
    audit::record(conn, act, &after, event.name(), member.state, note)
}

/// Keeps what a feed would bring the person back by, as keyed hashes.
fn suppress(conn: &mut Conn, act: &Act, row: &Row, member: &Member) -> Result<()> {
    let days = i64::from(act.tenant.settings.suppression_days);
    let tenant = act.tenant.id;
    for hash in suppression_hashes(act, member.employee_key.as_deref(), member.mail.as_deref()) {
        let reason = if employment::number(row).is_some() { "employee" } else { "address" };
        purge::suppress(conn, tenant, &hash, reason, act.now, act.now + days * DAY)?;
    }
    Ok(())
}

/// The keyed hashes of an employee id and an address.
pub(super) fn suppression_hashes(act: &Act, employee: Option<&str>, mail: Option<&str>) -> Vec<String> {
    let hash = |what: &str, value: &str| act.vault.suppression(act.tenant.id, what, &fold(value));
    let employee = employee.map(|e| hash("employee", e));
    employee.into_iter().chain(mail.map(|m| hash("mail", m))).collect()
}

fn purge_copies(conn: &mut Conn, act: &Act, row: &Row, member: &Member) -> Result<()> {
    let (tenant, person) = (act.tenant.id, member.person.as_str());
    outbox::clear(conn, tenant, person)?;
    store::invitations::clear(conn, tenant, person)?;
    store::codes::clear(conn, tenant, person)?;
    store::codes::clear_password(conn, tenant, person)?;
    store::tokens::clear(conn, tenant, person)?;
    store::bulk::forget(conn, tenant, &row.id)?;
    store::journal::forget(conn, tenant, person)?;
    store::roll::finished(conn, tenant, &row.id)?;
    Ok(store::audit::shred_key(conn, tenant, person)?)
}

/// Removes a record in which there never was an account.
///
/// # Errors
/// When the database fails.
pub(super) fn remove(conn: &mut Conn, act: &Act, row: &Row, event: Event, note: &Note) -> Result<()> {
    let member = super::members::member(row)?;
    let decided = roll::decide(act, member, event)?;
    roll::carry_out(conn, act, &decided, Some(row), note)?;
    leave_groups(conn, act, row, member)?;
    for report in store::roll::reports(conn, act.tenant.id, &row.id)? {
        roll::forget_manager(conn, act, &report)?;
    }
    emails::remove(conn, act.tenant.id, &row.id, &mapping::emails(&mapping::parsed(row)))?;
    store::unique::clear(conn, act.tenant.id, Kind::User, &row.id)?;
    counts::change(conn, act.tenant.id, Kind::User, &row.id, -1)?;
    purge_copies(conn, act, row, member)?;
    Ok(store::roll::remove(conn, act.tenant.id, row)?)
}
