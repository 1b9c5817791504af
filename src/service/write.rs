//! Creating, replacing, changing and deleting a resource.
//!
//! What needs no database (reading the body) is done before the transaction; conditions are checked inside it.

use super::etag::{self, Conditions};
use super::groups::{self, Moved};
use super::journal::{self, Done};
use super::mapping::{self, Naming};
use super::passwords::{self, Wish};
use super::read::found;
use super::render::{self, Extras};
use super::{Ctx, delta, employment, kind_of, me, provision, types};
use crate::domain::{Idp, new_id};
use crate::error::{Error, Result};
use crate::scim::dialect::Reading;
use crate::scim::members::{self, MemberChange, MemberRef};
use crate::scim::message::{self, Operation};
use crate::scim::schema::{ResourceKind, ResourceType};
use crate::scim::{self, json, patch, resource};
use crate::store::error::Field;
use crate::store::{self, Conn, Kind, Row, members as rows, resources};
use serde_json::{Map, Value};

/// A resource as the client wants it.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub(super) doc: Map<String, Value>,
    /// `None` when the client said nothing of members.
    members: Option<Vec<MemberRef>>,
    /// The client said null, which overrides the default.
    pub(super) active_cleared: bool,
    pub(super) naming: Naming,
    pub(super) reading: Reading,
    pub password: Wish,
}

/// A PATCH as the client wants it.
#[derive(Debug, Clone)]
pub struct Change {
    operations: Vec<Operation>,
    members: Vec<MemberChange>,
    reading: Reading,
    pub password: Wish,
}

/// A resource after a write.
#[derive(Debug, Clone)]
pub struct Saved {
    pub row: Row,
    pub extras: Extras,
    /// Whether anything was written.
    pub changed: bool,
    /// Whether it is there only since now.
    pub created: bool,
}

/// Reads the body of a POST or PUT.
///
/// # Errors
/// 400 that names the fault.
pub fn read_wanted(ctx: &Ctx, rt: &ResourceType, body: &[u8]) -> Result<Wanted> {
    wanted(ctx, rt, json::object(body, ctx.limits.json_depth)?)
}

/// As [`read_wanted`], from the object itself.
///
/// # Errors
/// As [`read_wanted`].
pub fn wanted(ctx: &Ctx, rt: &ResourceType, mut map: Map<String, Value>) -> Result<Wanted> {
    let mut reading = ctx.reading();
    let password = passwords::take(ctx, rt.kind, &mut map)?;
    let cleared = |name: &str| map.iter().any(|(k, v)| v.is_null() && k.eq_ignore_ascii_case(name));
    let active_cleared = cleared("active");
    let naming = if cleared("displayName") { Naming::AsGiven } else { Naming::Derive };
    let read = resource::read(rt, map, &mut reading);
    ctx.trace.body(&reading);
    let mut doc = read?;
    let members = if rt.kind == ResourceKind::Group { members::take(&mut doc)? } else { None };
    Ok(Wanted { doc, members, active_cleared, naming, reading, password })
}

/// Reads the body of a PATCH.
///
/// # Errors
/// 400 that names the fault; 413 for too many operations.
pub fn read_change(ctx: &Ctx, rt: &ResourceType, body: &[u8]) -> Result<Change> {
    change(ctx, rt, json::object(body, ctx.limits.json_depth)?)
}

/// As [`read_change`], from the object itself.
///
/// # Errors
/// As [`read_change`].
pub fn change(ctx: &Ctx, rt: &ResourceType, map: Map<String, Value>) -> Result<Change> {
    let mut reading = ctx.reading();
    let read = read_operations(ctx, rt, map, &mut reading);
    ctx.trace.body(&reading);
    let (operations, members, password) = read?;
    Ok(Change { operations, members, reading, password })
}

/// The operations of a PATCH, those on members, and what is wanted of the password.
fn read_operations(
    ctx: &Ctx,
    rt: &ResourceType,
    map: Map<String, Value>,
    reading: &mut Reading,
) -> Result<(Vec<Operation>, Vec<MemberChange>, Wish)> {
    let mut operations = message::patch_op(rt, map, ctx.limits.patch_operations, reading)?;
    let password = passwords::take_from(ctx, rt.kind, &mut operations)?;
    if rt.kind != ResourceKind::Group {
        return Ok((operations, Vec::new(), password));
    }
    let (operations, members) = members::split(rt, operations, reading)?;
    Ok((operations, members, password))
}

/// Creates a resource. A user who is in quarantine and comes back is restored.
///
/// # Errors
/// 409 `uniqueness`; 400 for a bad member.
pub fn create(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, wanted: &Wanted) -> Result<Saved> {
    types::check_current(conn, ctx)?;
    resource::check_unseen(rt, &wanted.doc)?;
    match rt.kind {
        ResourceKind::User => provision::arrive(conn, ctx, rt, wanted),
        ResourceKind::Group => create_group(conn, ctx, rt, wanted),
        ResourceKind::Own(_) => create_own(conn, ctx, rt, wanted),
    }
}

/// What a source without that capability may not.
const GROUPS: &str = "change groups";

fn create_group(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, wanted: &Wanted) -> Result<Saved> {
    ctx.may(ctx.source.capabilities.groups, GROUPS)?;
    let mut changes = delta::between(rt, &Map::new(), &wanted.doc);
    let record = mapping::record(rt, &ctx.tenant, wanted.doc.clone(), wanted.naming)?;
    let (id, kind) = (new_id(), Kind::Group);
    resources::insert(conn, ctx.tenant_id(), kind, &id, &record, ctx.now).map_err(taken)?;
    types::claim(conn, ctx.tenant_id(), kind, &id, &record.unique)?;
    ctx.act().count(conn, kind, &id, 1)?;
    let mut reading = wanted.reading.clone();
    let moved = match &wanted.members {
        Some(list) => groups::apply(conn, ctx, &id, &[MemberChange::Add(list.clone())], &mut reading)?,
        None => Moved::default(),
    };
    if moved.any() {
        resources::members_changed(conn, ctx.tenant_id(), &id, moved.delta(), ctx.now)?;
    }
    let row = Row { version: if moved.any() { 2 } else { 1 }, member_count: moved.delta(), ..new_row(ctx, kind, id, record) };
    changes.extend(delta::members(&moved));
    journal::wrote(conn, ctx, &reading, Done { status: 201, row: &row, changed: true, changes })?;
    Ok(Saved { row, extras: Extras::default(), changed: true, created: true })
}

/// A resource of a type that the tenant has declared.
fn create_own(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, wanted: &Wanted) -> Result<Saved> {
    let changes = delta::between(rt, &Map::new(), &wanted.doc);
    let record = mapping::record(rt, &ctx.tenant, wanted.doc.clone(), wanted.naming)?;
    let (id, kind) = (new_id(), kind_of(rt.kind));
    resources::insert(conn, ctx.tenant_id(), kind, &id, &record, ctx.now)?;
    types::claim(conn, ctx.tenant_id(), kind, &id, &record.unique)?;
    ctx.act().count(conn, kind, &id, 1)?;
    let row = new_row(ctx, kind, id, record);
    journal::wrote(conn, ctx, &wanted.reading, Done { status: 201, row: &row, changed: true, changes })?;
    Ok(Saved { row, extras: Extras::default(), changed: true, created: true })
}

fn new_row(ctx: &Ctx, kind: Kind, id: String, record: store::Record) -> Row {
    Row {
        kind,
        id,
        version: 1,
        created_at: ctx.now,
        modified_at: ctx.now,
        member_count: 0,
        manager: None,
        label: record.label,
        label_derived: record.label_derived,
        doc: record.doc,
        member: None,
    }
}

fn taken(e: store::Error) -> Error {
    match e {
        store::Error::Duplicate(Field::UniqueKey) => Error::Scim(scim::Error::taken("displayName")),
        other => other.into(),
    }
}

/// Replaces a resource. What the client did not send is cleared, but `active` stays as it is.
///
/// # Errors
/// 404, 412, 409 `uniqueness`, 400 for a bad member.
pub fn replace(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, wanted: &Wanted, conditions: &Conditions) -> Result<Saved> {
    let present = load(conn, ctx, rt, id, conditions)?;
    let mut doc = wanted.doc.clone();
    let old = mapping::editable(&present.row, rt)?;
    if rt.traits.keep(&mut doc, &old) {
        resource::set_schemas(rt, &mut doc);
    }
    rt.traits.check_immutable(&old, &doc)?;
    resource::check_unseen(rt, &doc)?;
    // A client that sends back what it read does not thereby choose the name that was made up for it.
    if present.row.label_derived && doc.get("displayName").and_then(Value::as_str) == Some(&present.row.label) {
        doc.remove("displayName");
    }
    if rt.kind == ResourceKind::User {
        let says_active = doc.contains_key("active");
        provision::keep_opinions(&mut doc, &old, wanted.active_cleared);
        if ctx.is_member() {
            me::keep_others(&ctx.tenant.settings, &present.row, &old, &mut doc);
        }
        let password = wanted.password.clone();
        let change = provision::Change { old, new: doc, naming: wanted.naming, says_active, back: None, password };
        return provision::save(conn, ctx, rt, present, change, wanted.reading.clone());
    }
    let changes = [MemberChange::Replace(wanted.members.clone().unwrap_or_default())];
    save(conn, ctx, rt, present, (old, doc, wanted.naming), &changes, wanted.reading.clone())
}

/// Applies a PATCH, all of it or nothing.
///
/// # Errors
/// 404, 412, 409 `uniqueness`, 400 with the scimType that names the fault.
pub fn patch(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, change: &Change, conditions: &Conditions) -> Result<Saved> {
    let present = load(conn, ctx, rt, id, conditions)?;
    let mut reading = change.reading.clone();
    let old = mapping::editable(&present.row, rt)?;
    let mut doc = old.clone();
    if !change.operations.is_empty() {
        patch::apply(rt, id, &mut doc, change.operations.clone(), &mut reading)?;
    }
    let naming = if present.row.label_derived { Naming::Derive } else { Naming::AsGiven };
    if rt.kind == ResourceKind::User {
        employment::part_with_manager(&old, &mut doc);
        let says_active = change.operations.iter().any(|o| o.is_about("active"));
        let password = change.password.clone();
        let change = provision::Change { old, new: doc, naming, says_active, back: None, password };
        return provision::save(conn, ctx, rt, present, change, reading);
    }
    save(conn, ctx, rt, present, (old, doc, naming), &change.members, reading)
}

/// The resource under its lock, its conditions met.
fn load(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, conditions: &Conditions) -> Result<Saved> {
    types::check_current(conn, ctx)?;
    let row = found(resources::lock(conn, ctx.tenant_id(), kind_of(rt.kind), id)?, rt, id)?;
    ctx.trace.about(&row);
    let extras = render::extras(conn, ctx, &row)?;
    conditions.check_write(&etag::of(&row, &extras))?;
    Ok(Saved { row, extras, changed: false, created: false })
}

/// Writes what is different; nothing at all when nothing is.
fn save(
    conn: &mut Conn,
    ctx: &Ctx,
    rt: &ResourceType,
    present: Saved,
    (old, new, naming): (Map<String, Value>, Map<String, Value>, Naming),
    changes: &[MemberChange],
    mut reading: Reading,
) -> Result<Saved> {
    let mut saved = present;
    if rt.kind == ResourceKind::Group && (old != new || !changes.is_empty()) {
        ctx.may(ctx.source.capabilities.groups, GROUPS)?;
    }
    let moved = groups::apply(conn, ctx, &saved.row.id, changes, &mut reading)?;
    let mut found = delta::between(rt, &old, &new);
    found.extend(delta::members(&moved));
    if old != new {
        saved = rewrite(conn, ctx, rt, saved, (new, naming))?;
    }
    if moved.any() {
        resources::members_changed(conn, ctx.tenant_id(), &saved.row.id, moved.delta(), ctx.now)?;
        saved.row.version += 1;
        saved.row.member_count += moved.delta();
        saved.row.modified_at = ctx.now;
        saved.changed = true;
    }
    let status = if is_brief(ctx, &saved) { 204 } else { 200 };
    journal::wrote(conn, ctx, &reading, Done { status, row: &saved.row, changed: saved.changed, changes: found })?;
    Ok(saved)
}

/// Largest group that a PATCH answers with.
const SHOWN_MEMBERS: i64 = 100;

/// Whether the answer to a PATCH of a group has no body, because the client has not asked for one and its provider wants none, or
/// the group is large.
#[must_use]
pub fn is_brief(ctx: &Ctx, saved: &Saved) -> bool {
    let patch = ctx.method == "PATCH" && saved.row.kind == Kind::Group && ctx.trace.is_bare();
    patch && (ctx.idp() == Idp::Entra || saved.row.member_count > SHOWN_MEMBERS)
}

fn rewrite(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, present: Saved, (new, naming): (Map<String, Value>, Naming)) -> Result<Saved> {
    let Saved { row, extras, .. } = present;
    let record = mapping::record(rt, &ctx.tenant, new, naming)?;
    let before = types::unique_of(rt, &row);
    types::reclaim(conn, ctx.tenant_id(), row.kind, &row.id, &before, &record.unique)?;
    if !resources::update(conn, ctx.tenant_id(), &row, &record, ctx.now).map_err(taken)? {
        return Err(Error::Busy("the resource was changed at the same time".to_owned()));
    }
    if record.label != row.label && row.kind == Kind::Group {
        resources::touch_groups_of(conn, ctx.tenant_id(), &row.id, ctx.now)?;
    }
    let row = Row {
        version: row.version + 1,
        modified_at: ctx.now,
        label: record.label,
        label_derived: record.label_derived,
        doc: record.doc,
        ..row
    };
    Ok(Saved { row, extras, changed: true, created: false })
}

/// Deletes a resource; it leaves every group. A user goes into quarantine, where no client sees it.
///
/// # Errors
/// 404, 412; 409 for the only admin.
pub fn delete(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, conditions: &Conditions) -> Result<()> {
    let Saved { row, .. } = load(conn, ctx, rt, id, conditions)?;
    if row.kind == Kind::User {
        return provision::depart(conn, ctx, &row);
    }
    let tenant = ctx.tenant_id();
    types::release_all(conn, tenant, &row)?;
    if row.kind == Kind::Group {
        ctx.may(ctx.source.capabilities.groups, GROUPS)?;
        groups::leave_all(conn, tenant, id, ctx.now)?;
        rows::clear(conn, tenant, id)?;
    }
    resources::delete(conn, tenant, row.kind, id)?;
    ctx.act().count(conn, row.kind, id, -1)?;
    let changes = delta::between(rt, &mapping::editable(&row, rt)?, &Map::new());
    journal::wrote(conn, ctx, &ctx.reading(), Done { status: 204, row: &row, changed: true, changes })
}
