//! What an identity provider's writes mean for the roll: arriving, changing, coming back, leaving.

use super::audit::{self, Note};
use super::delta::{self, Delta};
use super::employment::{self, Facets};
use super::journal::{self, Done};
use super::mapping::{self, Doc, Naming};
use super::passwords::{self, Outcome, Wish};
use super::render::{self, Extras};
use super::roll::{self, Act, Decided};
use super::write::{Saved, Wanted};
use super::{Ctx, me, members, types};
use crate::domain::lifecycle::{Event, Provision, Refused, Release};
use crate::domain::settings::{DomainRule, Emailless, Usernames};
use crate::domain::{Hold, Member, Reason, Source, Stage, State, new_id};
use crate::error::{Error, Result};
use crate::scim::dialect::Reading;
use crate::scim::schema::ResourceType;
use crate::scim::value::fold;
use crate::scim::{self, EMPLOYEE_URN, precis};
use crate::store::{Conn, Kind, Record, Row, emails, resources, roll as rows};
use serde_json::{Map, Value};

/// A change to a user, by the document that the client sees.
pub(super) struct Change {
    pub old: Doc,
    pub new: Doc,
    pub naming: Naming,
    /// Whether the client said anything of `active`, were it what it is already.
    pub says_active: bool,
    /// Somebody comes back from quarantine.
    pub back: Option<Event>,
    pub password: Wish,
}

/// What a PUT does not say of `active` and `invited` stays as it is.
pub(super) fn keep_opinions(doc: &mut Doc, old: &Doc, active_cleared: bool) {
    if !active_cleared && !doc.contains_key("active") {
        doc.insert("active".to_owned(), old.get("active").cloned().unwrap_or(Value::Bool(true)));
    }
    let Some(invited) = old.get(EMPLOYEE_URN).and_then(|e| e.get("invited")) else { return };
    if invited_of(doc).is_none() {
        set_invited(doc, Some(invited.clone()));
    }
}

pub(super) fn invited_of(doc: &Doc) -> Option<bool> {
    doc.get(EMPLOYEE_URN)?.get("invited")?.as_bool()
}

pub(super) fn set_invited(doc: &mut Doc, value: Option<Value>) {
    let slot = doc.entry(EMPLOYEE_URN).or_insert_with(|| Value::Object(Map::new()));
    let Some(own) = slot.as_object_mut() else { return };
    match value {
        Some(value) => drop(own.insert("invited".to_owned(), value)),
        None => drop(own.remove("invited")),
    }
}

/// Shows of `active` what is so; a client that unassigned it is not shown that somebody is active.
fn show_active(doc: &mut Doc, member: &Member) {
    if !member.is_active() || doc.contains_key("active") {
        doc.insert("active".to_owned(), Value::Bool(member.is_active()));
    }
}

fn user_name(doc: &Doc) -> String {
    fold(doc.get("userName").and_then(Value::as_str).unwrap_or_default()).into_owned()
}

/// Refuses a new name that the tenant does not take.
fn check_name(act: &Act, old: Option<&Doc>, new: &Doc) -> Result<()> {
    let name = |doc: &Doc| doc.get("userName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let fresh = old.is_none_or(|old| name(old) != name(new));
    if act.tenant.settings.usernames == Usernames::Precis && fresh {
        precis::check_user_name(&name(new))?;
    }
    Ok(())
}

// -- arriving --------------------------------------------------------------------

/// Creates a user, or restores one who comes back.
///
/// # Errors
/// 409 `uniqueness`, or when somebody else holds a member who comes back; 400 for what the tenant does not accept.
pub(super) fn arrive(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, wanted: &Wanted) -> Result<Saved> {
    ctx.may(ctx.source.capabilities.create, "create users")?;
    let act = ctx.act();
    let mut reading = wanted.reading.clone();
    let mut doc = wanted.doc.clone();
    check_name(&act, None, &doc)?;
    if !wanted.active_cleared && !doc.contains_key("active") {
        doc.insert("active".to_owned(), Value::Bool(true));
    }
    let mut member = Member::new(&new_id());
    let facets = employment::settle(conn, &act, &member.id, None, &mut doc, &mut reading)?;
    facets.put_into(&mut member);
    let how = provided(&act, &mut member, &doc);
    check_address(conn, &act, &member, &doc, &how)?;
    let decided = roll::decide(&act, &member, Event::Provision(how))?;
    show_active(&mut doc, &decided.after);
    let mut changes = delta::between(rt, &Doc::new(), &doc);
    let record = mapping::record(rt, &ctx.tenant, doc, wanted.naming)?;
    if !rows::insert(conn, ctx.tenant_id(), &record, &decided.after, true, ctx.now)? {
        if let Some(saved) = come_back(conn, ctx, rt, wanted, how)? {
            return Ok(saved);
        }
        if !rows::insert(conn, ctx.tenant_id(), &record, &decided.after, false, ctx.now)? {
            return Err(Error::Scim(scim::Error::taken("userName")));
        }
    }
    let row = row_of(&record, &decided.after, ctx.now);
    types::claim(conn, ctx.tenant_id(), Kind::User, &row.id, &record.unique)?;
    emails::add(conn, ctx.tenant_id(), &row.id, &record.emails)?;
    act.count(conn, Kind::User, &row.id, 1)?;
    roll::carry_out(conn, &act, &decided, Some(&row), &Note::default())?;
    passwords::settle(conn, &act, &decided.after, &wanted.password)?;
    remember(conn, &act, &decided.after, &facets)?;
    changes.extend(moved(None, decided.after.state));
    journal::wrote(conn, ctx, &reading, Done { status: 201, row: &row, changed: true, changes })?;
    let manager = manager_of(conn, ctx, &row)?;
    Ok(Saved { row, extras: Extras { groups: Vec::new(), manager }, changed: true, created: true })
}

/// What a source says of somebody who is not there yet.
fn provided(act: &Act, member: &mut Member, doc: &Doc) -> Provision {
    let settings = &act.tenant.settings;
    let hold = |source, reason| Hold { source, reason, since: act.now };
    let over = member.terminates_at.is_some_and(|t| t <= act.now);
    if over {
        member.terminates_at = None;
    }
    let inactive = match doc.get("active") {
        Some(Value::Bool(false)) => Some(hold(act.actor.source(), Reason::Inactive)),
        _ => over.then(|| hold(Source::Scim, Reason::Terminated)),
    };
    let has_email = member.mail.is_some();
    let may = member.mail.as_deref().is_some_and(|a| settings.trusts(a));
    Provision {
        invite: invited_of(doc).unwrap_or(settings.auto_invite && may),
        has_email,
        by_code: !has_email && settings.emailless == Emailless::Codes,
        inactive,
        same_person: false,
        source: act.actor.source(),
        foreign_hold: None,
    }
}

/// Whether the tenant takes somebody with this address, or without one.
fn check_address(conn: &mut Conn, act: &Act, member: &Member, doc: &Doc, how: &Provision) -> Result<()> {
    match &member.mail {
        None if act.tenant.settings.emailless == Emailless::Refuse => Err(Error::Roll(Refused::NoEmail)),
        None if how.inactive.is_none() && how.by_code => check_code_person(conn, act, member, doc),
        Some(_) if how.invite && how.inactive.is_none() => Ok(roll::check_trusted(act, member)?),
        None | Some(_) => Ok(()),
    }
}

/// People who get a code must be known by name and number, and sign in with a password.
fn check_code_person(conn: &mut Conn, act: &Act, member: &Member, doc: &Doc) -> Result<()> {
    let named = doc.get("name").is_some() || doc.get("displayName").is_some();
    let Some(number) = member.employee_key.as_deref().filter(|_| named) else {
        return Err(scim::Error::value("email_required: without an e-mail address a name and an employeeNumber are needed").into());
    };
    if number.contains('@') {
        return Err(scim::Error::value("employeeNumber must not look like an e-mail address").into());
    }
    if employment::is_sso(doc) {
        return Err(scim::Error::value("authMethod sso needs an e-mail address").into());
    }
    if rows::employee_exists(conn, act.tenant.id, number)? {
        return Err(scim::Error::taken("employeeNumber").into());
    }
    Ok(())
}

fn row_of(record: &Record, member: &Member, now: i64) -> Row {
    Row {
        kind: Kind::User,
        id: member.id.clone(),
        version: 1,
        created_at: now,
        modified_at: now,
        member_count: 0,
        manager: record.manager.clone(),
        label: record.label.clone(),
        label_derived: record.label_derived,
        doc: record.doc.clone(),
        member: Some(Box::new(member.clone())),
    }
}

/// Writes what was noticed into the history.
fn remember(conn: &mut Conn, act: &Act, member: &Member, facets: &Facets) -> Result<()> {
    for warning in &facets.warnings {
        audit::remark(conn, act, member, "warning", &Note::because(warning.clone()))?;
    }
    Ok(())
}

fn manager_of(conn: &mut Conn, ctx: &Ctx, row: &Row) -> Result<Option<render::Manager>> {
    render::manager(conn, ctx, row.manager.as_deref())
}

// -- coming back -------------------------------------------------------------------

/// Restores the person whom a POST is about; `None` when there is no such person, and the POST is about somebody new.
fn come_back(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, wanted: &Wanted, how: Provision) -> Result<Option<Saved>> {
    let tenant = ctx.tenant_id();
    let doc = &wanted.doc;
    if let Some(row) = rows::lock_named(conn, tenant, &user_name(doc))? {
        return back_in_sight(conn, ctx, rt, wanted, how, row).map(Some);
    }
    let (external, employee) = (text(doc, "externalId"), employee(doc));
    let mut found = rows::hidden_like(conn, tenant, external.as_deref(), employee.as_deref())?;
    found.retain(|row| is_same_person(row, doc));
    found.sort_by_key(|row| row.member.as_ref().and_then(|m| m.quarantined_at));
    match found.pop() {
        Some(row) => back_from_hiding(conn, ctx, rt, wanted, how, &row).map(Some),
        None => Ok(None),
    }
}

fn text(doc: &Doc, key: &str) -> Option<String> {
    doc.get(key).and_then(Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned)
}

fn employee(doc: &Doc) -> Option<String> {
    let number = doc.get(scim::ENTERPRISE_URN)?.get("employeeNumber")?.as_str()?.trim();
    (!number.is_empty()).then(|| fold(number).into_owned())
}

/// Whether two employee ids say that these are two people.
fn other_employee(member: Option<&str>, doc: &Doc) -> bool {
    matches!((member, employee(doc)), (Some(a), Some(b)) if a != b)
}

/// Whether a quarantined row is the person in a document. In sight, under the same name, the source's key or the employee id
/// says so; out of sight the employee id does, and the source's key only together with the name.
fn is_same_person(row: &Row, doc: &Doc) -> bool {
    let Some(member) = row.member.as_deref() else { return false };
    let before = mapping::parsed(row);
    let (number, key) = (member.employee_key.as_deref(), text(doc, "externalId"));
    let same_number = number.is_some() && number == employee(doc).as_deref();
    let same_key = key.is_some() && key == text(&before, "externalId") && user_name(&before) == user_name(doc);
    member.state.is_quarantined() && (same_number || same_key) && !other_employee(number, doc)
}

/// Another source's word that somebody is gone, which whoever acts cannot take back.
fn foreign_hold(act: &Act, member: &Member) -> Option<Hold> {
    member.holds.iter().find(|h| h.source != act.actor.source()).copied()
}

/// Somebody whom the identity provider still sees: the same id, restored.
fn back_in_sight(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, wanted: &Wanted, how: Provision, row: Row) -> Result<Saved> {
    let member = members::member(&row)?;
    let same_person = is_same_person(&row, &wanted.doc);
    let event = Event::Provision(Provision { same_person, foreign_hold: foreign_hold(&ctx.act(), member), ..how });
    if !same_person {
        return Err(Error::Scim(scim::Error::taken("userName")));
    }
    let mut doc = wanted.doc.clone();
    let old = mapping::editable(&row, rt)?;
    doc.entry("active").or_insert(Value::Bool(true));
    let extras = render::extras(conn, ctx, &row)?;
    let present = Saved { row, extras, changed: false, created: false };
    let change = Change { old, new: doc, naming: wanted.naming, says_active: false, back: Some(event), password: wanted.password.clone() };
    save(conn, ctx, rt, present, change, wanted.reading.clone())
}

/// Somebody whom the identity provider deleted: the person is the same, the id is new.
fn back_from_hiding(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, wanted: &Wanted, how: Provision, row: &Row) -> Result<Saved> {
    ctx.may(ctx.source.capabilities.reactivate, "bring users back")?;
    let act = ctx.act();
    let mut reading = wanted.reading.clone();
    let mut doc = wanted.doc.clone();
    doc.entry("active").or_insert(Value::Bool(true));
    let mut member = members::member(row)?.clone();
    let facets = employment::settle(conn, &act, &row.id, None, &mut doc, &mut reading)?;
    facets.put_into(&mut member);
    let how = Provision { same_person: true, foreign_hold: foreign_hold(&act, &member), ..how };
    let mut decided = roll::decide(&act, &member, Event::Provision(how))?;
    decided.after.id = new_id();
    show_active(&mut doc, &decided.after);
    let mut changes = delta::between(rt, &mapping::editable(row, rt)?, &doc);
    let record = mapping::record(rt, &ctx.tenant, doc, wanted.naming)?;
    let saved = roll::save(conn, &act, row, Some(&record), &decided.after)?;
    roll::carry_out(conn, &act, &decided, Some(&saved), &Note::because("the identity provider has the person again"))?;
    let before = members::member(row)?;
    settle_password(conn, ctx, before, &decided.after, &wanted.password)?.remark(conn, &act, &decided.after)?;
    remember(conn, &act, &decided.after, &facets)?;
    changes.extend(moved(Some(decided.before.state), decided.after.state));
    journal::wrote(conn, ctx, &reading, Done { status: 201, row: &saved, changed: true, changes })?;
    let extras = render::extras(conn, ctx, &saved)?;
    Ok(Saved { row: saved, extras, changed: true, created: true })
}

// -- changing ------------------------------------------------------------------------

/// Writes what is different of a user; nothing at all when nothing is.
pub(super) fn save(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, present: Saved, change: Change, mut reading: Reading) -> Result<Saved> {
    let act = ctx.act();
    let row = &present.row;
    let before = members::member(row)?.clone();
    let Change { old, mut new, naming, says_active, back, password } = change;
    if ctx.is_member() {
        me::check(ctx, &before, &old, &new, &password)?;
    } else {
        check_personal_data(&act, &before, &old, &new)?;
    }
    check_name(&act, Some(&old), &new)?;
    let facets = employment::settle(conn, &act, &row.id, Some(&old), &mut new, &mut reading)?;
    let mut member = before.clone();
    facets.put_into(&mut member);
    let dates = employment::dates_differ(&old, &new);
    if !dates {
        // What has had its effect, or was overruled by an admin, has none again.
        member.terminates_at = before.terminates_at;
    }
    let asked = Asked { active: new.get("active").and_then(Value::as_bool).filter(|_| says_active), invited: invited_of(&new), dates };
    let decided = match back {
        Some(event) => vec![roll::decide(&act, &member, event)?],
        None => decide(conn, &act, &before, &mut member, &asked)?,
    };
    let mut after = decided.last().map_or(member, |d| d.after.clone());
    check_capabilities(ctx, &before, &after)?;
    if after.state == before.state && asked.invited.is_none() {
        after.invited = None;
    }
    show_active(&mut new, &after);
    let mut changes = delta::between(rt, &old, &new);
    let record = mapping::record(rt, &ctx.tenant, new, naming)?;
    for step in &decided {
        roll::carry_out(conn, &act, step, Some(row), &Note::default())?;
    }
    // After whatever may have taken the old one away.
    let password = settle_password(conn, ctx, &before, &after, &password)?;
    let same = mapping::parsed(row) == mapping::read(&record.doc) && after == before && decided.is_empty();
    if same && password == Outcome::Same {
        journal::wrote(conn, ctx, &reading, Done::nothing(row))?;
        return Ok(present);
    }
    if decided.is_empty() && !same {
        audit::remark(conn, &act, &after, Event::ProfileUpdate.name(), &Note::default())?;
    }
    password.remark(conn, &act, &after)?;
    remember(conn, &act, &after, &facets)?;
    let saved = store_change(conn, ctx, rt, &act, (&present, &record, &after))?;
    changes.extend(moved(Some(before.state), after.state));
    journal::wrote(conn, ctx, &reading, Done { status: 200, row: &saved.row, changed: true, changes })?;
    Ok(saved)
}

/// What an event has changed of a member's place on the roll.
fn moved(before: Option<State>, after: State) -> Option<Delta> {
    let word = |state: State| Value::from(state.to_string());
    (before != Some(after)).then(|| Delta::value(format!("{EMPLOYEE_URN}:state"), before.map(word), Some(word(after))))
}

/// Refuses what the source may not do to the state of a member.
fn check_capabilities(ctx: &Ctx, before: &Member, after: &Member) -> Result<()> {
    match (before.state.is_quarantined(), after.state.is_quarantined()) {
        (false, true) => ctx.may(ctx.source.capabilities.deactivate, "deactivate users"),
        (true, false) => ctx.may(ctx.source.capabilities.reactivate, "bring users back"),
        (false, false) | (true, true) => Ok(()),
    }
}

/// What the client asks of the lifecycle.
struct Asked {
    active: Option<bool>,
    invited: Option<bool>,
    /// Whether a date is another.
    dates: bool,
}

/// The events in a change, in the order in which they make sense.
fn decide(conn: &mut Conn, act: &Act, before: &Member, member: &mut Member, asked: &Asked) -> Result<Vec<Decided>> {
    let mut all = Vec::new();
    for what in [Part::Address, Part::Termination, Part::Active, Part::Invited] {
        let event = match what {
            Part::Address => address_event(act, before, member)?,
            Part::Termination => termination_event(act, before, member, asked.dates),
            Part::Active => active_event(act, member, asked.active),
            Part::Invited => invited_event(act, member, asked.invited)?,
        };
        let Some(event) = event else { continue };
        if matches!(event, Event::Deactivate(_)) {
            // The role that counts is the one before this change.
            roll::guard_last_admin(conn, act, &Member { admin: before.admin, ..member.clone() })?;
        }
        let decided = roll::decide(act, member, event)?;
        *member = decided.after.clone();
        // What has no effect on the roll is a change of the profile like any other.
        if decided.changes() {
            all.push(decided);
        }
    }
    // The address before is that of the first step.
    if let Some(first) = all.first_mut() {
        first.before.mail.clone_from(&before.mail);
    }
    Ok(all)
}

#[derive(Clone, Copy)]
enum Part {
    Address,
    Termination,
    Active,
    Invited,
}

fn address_event(act: &Act, before: &Member, member: &Member) -> Result<Option<Event>> {
    let same = |a: &Option<String>, b: &Option<String>| a.as_deref().map(fold) == b.as_deref().map(fold);
    if same(&before.mail, &member.mail) {
        return Ok(None);
    }
    let knows = matches!(member.state, State::Invited | State::Claimed);
    if member.mail.is_none() && knows && act.tenant.settings.emailless != Emailless::Codes {
        return Err(scim::Error::value("email_required: this is the only address of a member who is invited or claimed").into());
    }
    Ok(Some(Event::EmailChange { has_email: member.mail.is_some(), had_email: before.mail.is_some() }))
}

fn termination_event(act: &Act, before: &Member, member: &mut Member, moved: bool) -> Option<Event> {
    let held = member.hold(Source::Scim, Reason::Terminated).is_some();
    if member.terminates_at.is_some_and(|t| t <= act.now) {
        member.terminates_at = None;
        let over = Hold { source: Source::Scim, reason: Reason::Terminated, since: act.now };
        return (!held).then_some(Event::Deactivate(over));
    }
    if before.terminates_at == member.terminates_at && !(held && moved) {
        return None;
    }
    let release = Release::One(Source::Scim, Reason::Terminated);
    let remaining = member.holds.iter().find(|h| !release.covers(h)).copied();
    Some(Event::TerminationMoved { source: Source::Scim, held, remaining })
}

fn active_event(act: &Act, member: &Member, active: Option<bool>) -> Option<Event> {
    let source = act.actor.source();
    let own = member.hold(source, Reason::Inactive).is_some();
    match active? {
        false if own => None,
        false => Some(Event::Deactivate(Hold { source, reason: Reason::Inactive, since: act.now })),
        true if member.is_active() => None,
        // An admin's word goes over everybody's, as with `members::restore`.
        true if source == Source::Admin => Some(Event::Reactivate { release: Release::All, remaining: None }),
        true => {
            let release = Release::One(source, Reason::Inactive);
            let remaining = member.holds.iter().find(|h| !release.covers(h)).copied();
            Some(Event::Reactivate { release, remaining })
        }
    }
}

fn invited_event(act: &Act, member: &Member, invited: Option<bool>) -> Result<Option<Event>> {
    let is = member.state.stage().is_some_and(|s| s != Stage::Uninvited);
    match invited {
        Some(true) if !is => {
            roll::check_trusted(act, member)?;
            Ok(Some(Event::Invite { has_email: member.mail.is_some() }))
        }
        Some(false) if is => Ok(Some(Event::RevokeInvite)),
        Some(_) | None => Ok(None),
    }
}

/// Where the tenant demands verified domains, only the owner of a claimed profile may change what identifies it.
fn check_personal_data(act: &Act, member: &Member, old: &Doc, new: &Doc) -> Result<()> {
    let changed = ["userName", "emails", "name", "displayName", "phoneNumbers"].into_iter().find(|key| old.get(*key) != new.get(*key));
    changed.map_or(Ok(()), |key| check_owner(act, member, key))
}

/// Refuses a change of what belongs to the owner of a claimed profile.
fn check_owner(act: &Act, member: &Member, what: &str) -> Result<()> {
    let settings = &act.tenant.settings;
    let owned = member.state.stage() == Some(Stage::Claimed) && settings.domains == DomainRule::Verified;
    if !owned || member.mail.as_deref().is_some_and(|a| settings.trusts(a)) {
        return Ok(());
    }
    let why = format!("domain_not_verified: {what} of a claimed account can be changed only when its domain is verified");
    Err(scim::Error::status(403, why).into())
}

/// Sets or removes the password. Of a claimed account it is the owner's: whoever could set it could get in.
fn settle_password(conn: &mut Conn, ctx: &Ctx, before: &Member, after: &Member, wish: &Wish) -> Result<Outcome> {
    let act = ctx.act();
    let outcome = passwords::settle(conn, &act, after, wish)?;
    if outcome != Outcome::Same && !ctx.is_member() {
        check_owner(&act, before, "password")?;
    }
    Ok(outcome)
}

fn store_change(
    conn: &mut Conn,
    ctx: &Ctx,
    rt: &ResourceType,
    act: &Act,
    (present, record, member): (&Saved, &Record, &Member),
) -> Result<Saved> {
    let (tenant, row) = (ctx.tenant_id(), &present.row);
    let before = types::unique_of(rt, row);
    types::reclaim(conn, tenant, Kind::User, &row.id, &before, &record.unique)?;
    let saved = roll::save(conn, act, row, Some(record), member)?;
    let before = mapping::emails(&mapping::parsed(row));
    let gone: Vec<String> = before.iter().filter(|e| !record.emails.contains(e)).cloned().collect();
    let fresh: Vec<String> = record.emails.iter().filter(|e| !before.contains(e)).cloned().collect();
    emails::remove(conn, tenant, &row.id, &gone)?;
    emails::add(conn, tenant, &row.id, &fresh)?;
    if record.label != row.label {
        resources::touch_groups_of(conn, tenant, &row.id, ctx.now)?;
    }
    let mut extras = present.extras.clone();
    if record.manager != row.manager {
        extras.manager = manager_of(conn, ctx, &saved)?;
    }
    Ok(Saved { row: saved, extras, changed: true, created: false })
}

// -- leaving -------------------------------------------------------------------------

/// A SCIM DELETE: no client sees the user any more; the quarantine begins, or goes on.
pub(super) fn depart(conn: &mut Conn, ctx: &Ctx, row: &Row) -> Result<()> {
    ctx.may(ctx.source.capabilities.deactivate, "delete users")?;
    let act = ctx.act();
    let member = members::member(row)?;
    roll::guard_last_admin(conn, &act, member)?;
    let decided = roll::decide(&act, member, Event::ScimDelete).map_err(|_| Refused::NotFound)?;
    roll::carry_out(conn, &act, &decided, Some(row), &Note::default())?;
    let (was, saved) = (member.state, roll::save(conn, &act, row, None, &decided.after)?);
    let changes = moved(Some(was), decided.after.state).into_iter().collect();
    journal::wrote(conn, ctx, &ctx.reading(), Done { status: 204, row: &saved, changed: true, changes })
}
