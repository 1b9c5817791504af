//! Carrying out what the lifecycle decides: one event, with its links, letters and history, in the transaction under way.

use super::audit::{self, Note};
use super::vault::Vault;
use super::{codes, groups, letters, mapping, types};
use crate::domain::lifecycle::{self, Effect, Event, Refused, Transition};
use crate::domain::settings::{DAY, DeleteRule};
use crate::domain::{Actor, Member, Stage, Tenant};
use crate::error::{Error, Result};
use crate::scim;
use crate::scim::schema::ResourceType;
use crate::store::error::Field;
use crate::store::invitations::Invitation;
use crate::store::{self, Conn, Kind, Record, Row, emails, invitations, members, purge, resources, roll};
use serde_json::Value;
use std::sync::Arc;

/// Who does something to members of which tenant, and when.
#[derive(Clone)]
pub struct Act {
    pub tenant: Arc<Tenant>,
    pub vault: Arc<Vault>,
    pub actor: Actor,
    /// Microseconds since the epoch.
    pub now: i64,
    pub request_id: Option<String>,
    /// As in [`super::Ctx`].
    pub ledger: Option<Arc<super::Ledger>>,
}

/// Who does something, when and by which request; done to members of a tenant, it is an [`Act`].
#[derive(Clone)]
pub struct Hand {
    pub actor: Actor,
    /// Microseconds since the epoch.
    pub now: i64,
    pub request_id: Option<String>,
}

impl Hand {
    /// The same, done to a tenant.
    #[must_use]
    pub fn on(&self, tenant: Tenant, vault: Arc<Vault>) -> Act {
        let Self { actor, now, request_id } = self.clone();
        Act { tenant: Arc::new(tenant), vault, actor, now, request_id, ledger: None }
    }
}

/// An event that was decided on: what the member is after it, and what must be done.
#[derive(Debug, Clone)]
pub struct Decided {
    pub before: Member,
    pub after: Member,
    event: Event,
    transition: Transition,
}

impl Decided {
    /// Whether the event does anything at all.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.before != self.after || !self.transition.effects.is_empty()
    }

    fn has(&self, effect: Effect) -> bool {
        self.transition.effects.contains(&effect)
    }
}

/// Decides what an event means for a member. Nothing is written.
///
/// # Errors
/// Why it means nothing.
pub fn decide(act: &Act, member: &Member, event: Event) -> std::result::Result<Decided, Refused> {
    let transition = lifecycle::next(member.state, event)?;
    let mut after = member.clone();
    after.state = transition.to;
    for effect in &transition.effects {
        change(act, &mut after, event, *effect);
    }
    if after.state != member.state {
        after.invited = Some(after.state.stage().is_some_and(|s| s != Stage::Uninvited));
    }
    Ok(Decided { before: member.clone(), after, event, transition })
}

/// What an effect means for the member itself.
fn change(act: &Act, member: &mut Member, event: Event, effect: Effect) {
    match effect {
        Effect::NewInvitation => {
            member.generation += 1;
            member.invited_at = Some(act.now);
        }
        Effect::NewCode if !member.ever_claimed => member.invited_at = Some(act.now),
        Effect::MarkClaimed => {
            member.claimed_at = Some(act.now);
            member.ever_claimed = true;
        }
        Effect::AddHold(hold) if member.hold(hold.source, hold.reason).is_none() => member.holds.push(hold),
        Effect::DropHold(release) => member.holds.retain(|h| !release.covers(h)),
        Effect::StartClock if member.purge_at.is_none() => {
            let immediate = event == Event::ScimDelete && act.tenant.settings.scim_delete == DeleteRule::Immediate;
            let days = if immediate { 0 } else { i64::from(act.tenant.settings.quarantine_days) };
            member.quarantined_at = Some(act.now);
            member.purge_at = Some(act.now + days * DAY);
            member.warned_at = None;
        }
        Effect::StopClock => {
            member.quarantined_at = None;
            member.purge_at = None;
            member.warned_at = None;
        }
        Effect::Create
        | Effect::NewCode
        | Effect::AddHold(_)
        | Effect::StartClock
        | Effect::EndInvitation(_)
        | Effect::EndCode(_)
        | Effect::Mail(_)
        | Effect::Remind
        | Effect::CancelMail
        | Effect::EndPassword
        | Effect::Hide
        | Effect::Reveal
        | Effect::Anonymise
        | Effect::RemoveRecord => {}
    }
}

/// Does what was decided beside the member's own row, and writes it into the history.
///
/// # Errors
/// When the database fails.
pub fn carry_out(conn: &mut Conn, act: &Act, decided: &Decided, row: Option<&Row>, note: &Note) -> Result<()> {
    let member = &decided.after;
    for effect in &decided.transition.effects {
        perform(conn, act, decided, row, *effect)?;
    }
    audit::record(conn, act, member, decided.event.name(), decided.before.state, note)
}

fn perform(conn: &mut Conn, act: &Act, decided: &Decided, row: Option<&Row>, effect: Effect) -> Result<()> {
    let (tenant, member, now) = (act.tenant.id, &decided.after, act.now);
    match effect {
        Effect::NewInvitation => new_invitation(conn, act, member)?,
        Effect::EndInvitation(how) => drop(invitations::end(conn, tenant, &member.person, how.as_str(), now)?),
        Effect::NewCode => codes::renew(conn, act, member)?,
        Effect::EndCode(how) => drop(store::codes::end(conn, tenant, &member.person, how.as_str(), now)?),
        Effect::Mail(letter) => letters::write(conn, act, &decided.before, member, letter)?,
        Effect::Remind => remind(conn, act, member)?,
        Effect::CancelMail => store::outbox::cancel_all(conn, tenant, &member.person, now)?,
        Effect::EndPassword => {
            store::codes::clear_password(conn, tenant, &member.person)?;
            if store::tokens::revoke_of(conn, tenant, &member.person, now)? > 0 {
                store::tenants::bump_auth_epoch(conn)?;
            }
        }
        Effect::StopClock => purge::start_over(conn, tenant, &member.person)?,
        Effect::Hide => hide(conn, act, member, row)?,
        Effect::Reveal => reveal(conn, act, decided, row)?,
        Effect::Create
        | Effect::MarkClaimed
        | Effect::AddHold(_)
        | Effect::DropHold(_)
        | Effect::StartClock
        | Effect::Anonymise
        | Effect::RemoveRecord => {}
    }
    Ok(())
}

fn new_invitation(conn: &mut Conn, act: &Act, member: &Member) -> Result<()> {
    let (tenant, settings) = (act.tenant.id, &act.tenant.settings);
    invitations::end(conn, tenant, &member.person, lifecycle::End::Superseded.as_str(), act.now)?;
    let link = act.vault.link(tenant, &member.person, member.generation);
    let invitation = Invitation {
        tenant,
        person: member.person.clone(),
        generation: member.generation,
        state: "live".to_owned(),
        hash: super::tokens::hash(&link),
        created_at: act.now,
        expires_at: act.now + i64::from(settings.invite_days) * DAY,
        ended_at: None,
        reminders: 0,
        remind_at: settings.remind_days.first().map(|d| act.now + i64::from(*d) * DAY),
        undeliverable: None,
    };
    Ok(invitations::insert(conn, &invitation)?)
}

/// Counts a reminder. The next one is due so many days after the link was made.
fn remind(conn: &mut Conn, act: &Act, member: &Member) -> Result<()> {
    let Some(link) = invitations::latest(conn, act.tenant.id, &member.person)? else { return Ok(()) };
    let sent = usize::try_from(link.reminders).unwrap_or(0) + 1;
    let next = act.tenant.settings.remind_days.get(sent).map(|d| link.created_at + i64::from(*d) * DAY);
    Ok(invitations::reminded(conn, act.tenant.id, &member.person, next.filter(|at| *at < link.expires_at))?)
}

/// Takes a member out of sight.
fn hide(conn: &mut Conn, act: &Act, member: &Member, row: Option<&Row>) -> Result<()> {
    let Some(row) = row else { return Ok(()) };
    let tenant = act.tenant.id;
    let groups = groups::leave_all(conn, tenant, &row.id, act.now)?;
    purge::keep_groups(conn, tenant, &member.person, &groups)?;
    emails::remove(conn, tenant, &row.id, &mapping::emails(&mapping::parsed(row)))?;
    types::release_all(conn, tenant, row)?;
    act.count(conn, Kind::User, &row.id, -1)
}

/// Brings a member back into sight: its addresses, its groups, and those who reported to it under another id.
fn reveal(conn: &mut Conn, act: &Act, decided: &Decided, row: Option<&Row>) -> Result<()> {
    let Some(row) = row else { return Ok(()) };
    let (tenant, member) = (act.tenant.id, &decided.after);
    let doc = mapping::parsed(row);
    emails::add(conn, tenant, &member.id, &mapping::emails(&doc))?;
    let unique = types::of(conn, &act.tenant)?.users().traits.unique(&doc);
    types::claim(conn, tenant, Kind::User, &member.id, &unique)?;
    act.count(conn, Kind::User, &member.id, 1)?;
    let kept = purge::kept_groups(conn, tenant, &member.person)?;
    let ids: Vec<&str> = kept.iter().map(String::as_str).collect();
    for (group, _) in resources::existing(conn, tenant, &ids)? {
        if members::add(conn, tenant, &group, &[(member.id.clone(), Kind::User)])?.len() == 1 {
            resources::members_changed(conn, tenant, &group, 1, act.now)?;
        }
    }
    purge::drop_kept_groups(conn, tenant, &member.person)?;
    if decided.before.id != member.id {
        for report in roll::reports(conn, tenant, &decided.before.id)? {
            set_manager(conn, act, &report, &member.id)?;
        }
    }
    Ok(())
}

/// Gives a user another manager.
///
/// # Errors
/// When the database fails.
pub fn set_manager(conn: &mut Conn, act: &Act, row: &Row, manager: &str) -> Result<()> {
    let types = types::of(conn, &act.tenant)?;
    let mut doc = mapping::editable(row, types.users())?;
    mapping::set_manager(&mut doc, Some(manager));
    let Some(member) = row.member.as_deref() else { return Ok(()) };
    let member = Member { manager_ref: None, ..member.clone() };
    let record = rewritten(types.users(), act, row, doc)?;
    save(conn, act, row, Some(&record), &member).map(drop)
}

/// Takes every trace of a manager from a user: the reference, and the address by which it was found.
///
/// # Errors
/// When the database fails.
pub fn forget_manager(conn: &mut Conn, act: &Act, row: &Row) -> Result<()> {
    let types = types::of(conn, &act.tenant)?;
    let mut doc = mapping::editable(row, types.users())?;
    mapping::set_manager(&mut doc, None);
    if let Some(own) = doc.get_mut(scim::EMPLOYEE_URN).and_then(Value::as_object_mut) {
        own.remove("managerEmail");
    }
    let Some(member) = row.member.as_deref() else { return Ok(()) };
    let member = Member { manager_ref: None, ..member.clone() };
    let record = rewritten(types.users(), act, row, doc)?;
    save(conn, act, row, Some(&record), &member).map(drop)
}

/// The record of a document that was changed by us.
fn rewritten(rt: &ResourceType, act: &Act, row: &Row, mut doc: serde_json::Map<String, Value>) -> Result<Record> {
    // A location that is kept aside is not shown.
    if row.member.as_ref().is_some_and(|m| m.location.is_some()) {
        mapping::remove_location(&mut doc);
    }
    let naming = if row.label_derived { mapping::Naming::Derive } else { mapping::Naming::AsGiven };
    Ok(mapping::record(rt, &act.tenant, doc, naming)?)
}

/// Lets an event happen to a member that no client is writing at the same time; the row after it.
///
/// # Errors
/// Why it cannot happen; [`Error::Busy`] when somebody else was faster.
pub fn happen(conn: &mut Conn, act: &Act, row: &Row, event: Event, note: &Note) -> Result<Row> {
    let member = row.member.as_deref().ok_or(Refused::NotFound)?;
    let decided = decide(act, member, event)?;
    if !decided.changes() {
        return Ok(row.clone());
    }
    carry_out(conn, act, &decided, Some(row), note)?;
    let record = if decided.before.is_active() != decided.after.is_active() || decided.has(Effect::Reveal) {
        let types = types::of(conn, &act.tenant)?;
        let mut doc = mapping::editable(row, types.users())?;
        doc.insert("active".to_owned(), Value::Bool(decided.after.is_active()));
        Some(rewritten(types.users(), act, row, doc)?)
    } else {
        None
    };
    if record.is_none() && decided.after == decided.before {
        // A link has ended, a letter is on its way: nothing that the member's own row tells.
        return Ok(row.clone());
    }
    save(conn, act, row, record.as_ref(), &decided.after)
}

/// Stores a member, and its document where that changed; the row after it.
///
/// # Errors
/// 409 when a name is taken meanwhile; [`Error::Busy`] when somebody else was faster.
pub fn save(conn: &mut Conn, act: &Act, row: &Row, record: Option<&Record>, member: &Member) -> Result<Row> {
    let hidden = record.filter(|_| member.state.is_hidden()).map(|r| Record { unique_key: None, ..r.clone() });
    let record = hidden.as_ref().or(record);
    if !roll::save(conn, act.tenant.id, row, record, member, act.now).map_err(taken)? {
        return Err(Error::Busy("the member was changed at the same time".to_owned()));
    }
    let mut out = Row {
        id: member.id.clone(),
        version: row.version + 1,
        modified_at: act.now,
        member: Some(Box::new(member.clone())),
        ..row.clone()
    };
    if let Some(record) = record {
        out.manager.clone_from(&record.manager);
        out.label.clone_from(&record.label);
        out.label_derived = record.label_derived;
        out.doc.clone_from(&record.doc);
    }
    Ok(out)
}

fn taken(e: store::Error) -> Error {
    match e {
        store::Error::Duplicate(Field::UniqueKey) => Error::Scim(scim::Error::taken("userName")),
        other => other.into(),
    }
}

/// Nobody is invited in a domain that is not verified, where the tenant demands it.
///
/// # Errors
/// [`Refused::Untrusted`].
pub fn check_trusted(act: &Act, member: &Member) -> std::result::Result<(), Refused> {
    let trusted = member.mail.as_deref().is_none_or(|address| act.tenant.settings.trusts(address));
    if trusted { Ok(()) } else { Err(Refused::Untrusted) }
}

/// Refuses to take access from the only admin.
///
/// # Errors
/// 409 `last_admin`.
pub fn guard_last_admin(conn: &mut Conn, act: &Act, member: &Member) -> Result<()> {
    let Some(stage) = member.state.stage().filter(|_| member.admin && !member.state.is_quarantined()) else { return Ok(()) };
    if !roll::other_admin(conn, act.tenant.id, &member.id, stage)? {
        return Err(Error::Scim(scim::Error::status(
            409,
            "last_admin: this is the only active admin; give somebody else the role admin first",
        )));
    }
    Ok(())
}
