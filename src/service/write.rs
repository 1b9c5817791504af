//! Creating, replacing, changing and deleting a resource.
//!
//! What needs no database (reading the body) is done before the transaction; conditions are checked inside it.

use super::etag::{self, Conditions};
use super::groups::{self, Moved};
use super::mapping::{self, Naming};
use super::read::found;
use super::render::{self, Extras};
use super::{Ctx, kind_of, notes};
use crate::domain::new_id;
use crate::error::{Error, Result};
use crate::scim::dialect::Reading;
use crate::scim::members::{self, MemberChange, MemberRef};
use crate::scim::message::{self, Operation};
use crate::scim::schema::{ResourceKind, ResourceType};
use crate::scim::{self, json, patch, resource};
use crate::store::error::Field;
use crate::store::{self, Conn, Kind, Record, Row, counts, emails, members as rows, resources};
use serde_json::{Map, Value};

/// A resource as the client wants it.
#[derive(Debug, Clone)]
pub struct Wanted {
    doc: Map<String, Value>,
    /// `None` when the client said nothing of members.
    members: Option<Vec<MemberRef>>,
    /// The client said null, which overrides the default.
    active_cleared: bool,
    naming: Naming,
    reading: Reading,
}

/// A PATCH as the client wants it.
#[derive(Debug, Clone)]
pub struct Change {
    operations: Vec<Operation>,
    members: Vec<MemberChange>,
    reading: Reading,
}

/// A resource after a write.
#[derive(Debug, Clone)]
pub struct Saved {
    pub row: Row,
    pub extras: Extras,
    /// Whether anything was written.
    pub changed: bool,
}

/// Reads the body of a POST or PUT.
///
/// # Errors
/// 400 that names the fault.
pub fn read_wanted(ctx: &Ctx, rt: &ResourceType, body: &[u8]) -> Result<Wanted> {
    let mut reading = ctx.reading();
    let map = json::object(body, ctx.limits.json_depth)?;
    let cleared = |name: &str| map.iter().any(|(k, v)| v.is_null() && k.eq_ignore_ascii_case(name));
    let active_cleared = cleared("active");
    let naming = if cleared("displayName") { Naming::AsGiven } else { Naming::Derive };
    let mut doc = resource::read(rt, map, &mut reading)?;
    let members = if rt.kind == ResourceKind::Group { members::take(&mut doc)? } else { None };
    Ok(Wanted { doc, members, active_cleared, naming, reading })
}

/// Reads the body of a PATCH.
///
/// # Errors
/// 400 that names the fault; 413 for too many operations.
pub fn read_change(ctx: &Ctx, rt: &ResourceType, body: &[u8]) -> Result<Change> {
    let mut reading = ctx.reading();
    let map = json::object(body, ctx.limits.json_depth)?;
    let operations = message::patch_op(rt, map, ctx.limits.patch_operations, &mut reading)?;
    let (operations, members) =
        if rt.kind == ResourceKind::Group { members::split(rt, operations, &mut reading)? } else { (operations, Vec::new()) };
    Ok(Change { operations, members, reading })
}

/// Creates a resource.
///
/// # Errors
/// 409 `uniqueness`; 400 for a bad member.
pub fn create(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, wanted: &Wanted) -> Result<Saved> {
    let kind = kind_of(rt.kind);
    let mut doc = wanted.doc.clone();
    if !wanted.active_cleared {
        default_active(rt, &mut doc, Value::Bool(true));
    }
    let record = mapping::record(rt, &ctx.tenant, doc, wanted.naming)?;
    let id = new_id();
    resources::insert(conn, ctx.tenant_id(), kind, &id, &record, ctx.now).map_err(|e| taken(e, rt))?;
    emails::add(conn, ctx.tenant_id(), &id, &record.emails)?;
    counts::change(conn, ctx.tenant_id(), kind, &id, 1)?;
    let mut reading = wanted.reading.clone();
    let moved = match &wanted.members {
        Some(list) => groups::apply(conn, ctx, &id, &[MemberChange::Add(list.clone())], &mut reading)?,
        None => Moved::default(),
    };
    if moved.any() {
        resources::members_changed(conn, ctx.tenant_id(), &id, moved.delta(), ctx.now)?;
    }
    notes::record(conn, ctx, &reading)?;
    let manager = manager_label(conn, ctx, &record)?;
    let row = Row {
        kind,
        id,
        version: if moved.any() { 2 } else { 1 },
        created_at: ctx.now,
        modified_at: ctx.now,
        member_count: moved.delta(),
        manager: record.manager,
        label: record.label,
        label_derived: record.label_derived,
        doc: record.doc,
    };
    Ok(Saved { row, extras: Extras { groups: Vec::new(), manager }, changed: true })
}

/// A new user is in no group; only its manager may exist already.
fn manager_label(conn: &mut Conn, ctx: &Ctx, record: &Record) -> Result<Option<String>> {
    let Some(id) = &record.manager else { return Ok(None) };
    Ok(resources::labels(conn, ctx.tenant_id(), Kind::User, &[id])?.pop().map(|(_, label)| label))
}

/// A user is active unless somebody says otherwise.
fn default_active(rt: &ResourceType, doc: &mut Map<String, Value>, value: Value) {
    if rt.kind == ResourceKind::User && !doc.contains_key("active") {
        doc.insert("active".to_owned(), value);
    }
}

fn taken(e: store::Error, rt: &ResourceType) -> Error {
    match e {
        store::Error::Duplicate(Field::UniqueKey) => {
            Error::Scim(scim::Error::taken(if rt.kind == ResourceKind::User { "userName" } else { "displayName" }))
        }
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
    let old = mapping::editable(&present.row);
    if !wanted.active_cleared {
        default_active(rt, &mut doc, old.get("active").cloned().unwrap_or(Value::Bool(true)));
    }
    // A client that sends back what it read does not thereby choose the name that was made up for it.
    if present.row.label_derived && doc.get("displayName").and_then(Value::as_str) == Some(&present.row.label) {
        doc.remove("displayName");
    }
    let changes = match (&wanted.members, rt.kind) {
        (_, ResourceKind::User) => Vec::new(),
        (Some(list), ResourceKind::Group) => vec![MemberChange::Replace(list.clone())],
        (None, ResourceKind::Group) => vec![MemberChange::Replace(Vec::new())],
    };
    save(conn, ctx, rt, present, (old, doc, wanted.naming), &changes, wanted.reading.clone())
}

/// Applies a PATCH, all of it or nothing.
///
/// # Errors
/// 404, 412, 409 `uniqueness`, 400 with the scimType that names the fault.
pub fn patch(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, change: &Change, conditions: &Conditions) -> Result<Saved> {
    let present = load(conn, ctx, rt, id, conditions)?;
    let mut reading = change.reading.clone();
    let old = mapping::editable(&present.row);
    let mut doc = old.clone();
    if !change.operations.is_empty() {
        patch::apply(rt, id, &mut doc, change.operations.clone(), &mut reading)?;
    }
    let naming = if present.row.label_derived { Naming::Derive } else { Naming::AsGiven };
    save(conn, ctx, rt, present, (old, doc, naming), &change.members, reading)
}

/// The resource under its lock, its conditions met.
fn load(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, conditions: &Conditions) -> Result<Saved> {
    let row = found(resources::lock(conn, ctx.tenant_id(), kind_of(rt.kind), id)?, rt, id)?;
    let extras = render::extras(conn, ctx, &row)?;
    conditions.check_write(&etag::of(&row, &extras))?;
    Ok(Saved { row, extras, changed: false })
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
    let moved = groups::apply(conn, ctx, &saved.row.id, changes, &mut reading)?;
    notes::record(conn, ctx, &reading)?;
    if old != new {
        saved = rewrite(conn, ctx, rt, saved, &old, (new, naming))?;
    }
    if moved.any() {
        resources::members_changed(conn, ctx.tenant_id(), &saved.row.id, moved.delta(), ctx.now)?;
        saved.row.version += 1;
        saved.row.member_count += moved.delta();
        saved.row.modified_at = ctx.now;
        saved.changed = true;
    }
    Ok(saved)
}

fn rewrite(
    conn: &mut Conn,
    ctx: &Ctx,
    rt: &ResourceType,
    present: Saved,
    old: &Map<String, Value>,
    (new, naming): (Map<String, Value>, Naming),
) -> Result<Saved> {
    let Saved { row, mut extras, .. } = present;
    let tenant = ctx.tenant_id();
    let record = mapping::record(rt, &ctx.tenant, new, naming)?;
    if !resources::update(conn, tenant, &row, &record, ctx.now).map_err(|e| taken(e, rt))? {
        return Err(Error::Busy("the resource was changed at the same time".to_owned()));
    }
    let before = mapping::emails(old);
    let gone: Vec<String> = before.iter().filter(|e| !record.emails.contains(e)).cloned().collect();
    let fresh: Vec<String> = record.emails.iter().filter(|e| !before.contains(e)).cloned().collect();
    emails::remove(conn, tenant, &row.id, &gone)?;
    emails::add(conn, tenant, &row.id, &fresh)?;
    if record.label != row.label {
        resources::touch_groups_of(conn, tenant, &row.id, ctx.now)?;
    }
    if record.manager != row.manager {
        extras.manager = manager_label(conn, ctx, &record)?;
    }
    let row = Row {
        version: row.version + 1,
        modified_at: ctx.now,
        manager: record.manager,
        label: record.label,
        label_derived: record.label_derived,
        doc: record.doc,
        ..row
    };
    Ok(Saved { row, extras, changed: true })
}

/// Deletes a resource; it leaves every group.
///
/// # Errors
/// 404, 412.
pub fn delete(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, conditions: &Conditions) -> Result<()> {
    let Saved { row, .. } = load(conn, ctx, rt, id, conditions)?;
    let tenant = ctx.tenant_id();
    // In the order of their ids, so that two deletions seldom wait for each other.
    for group in rows::groups_with(conn, tenant, id)? {
        // Somebody else may have removed the member a moment ago.
        if rows::remove(conn, tenant, &group, &[id])? == 1 {
            resources::members_changed(conn, tenant, &group, -1, ctx.now)?;
        }
    }
    match row.kind {
        Kind::Group => drop(rows::clear(conn, tenant, id)?),
        Kind::User => emails::remove(conn, tenant, id, &mapping::emails(&mapping::parsed(&row)))?,
    }
    resources::delete(conn, tenant, row.kind, id)?;
    counts::change(conn, tenant, row.kind, id, -1)?;
    Ok(())
}
