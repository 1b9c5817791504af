//! What a client gets to see of a stored resource.

use super::{Ctx, etag, kind_in, mapping};
use crate::domain::{self, Stage};
use crate::error::Result;
use crate::scim::schema::ResourceType;
use crate::scim::value::write_time;
use crate::scim::{EMPLOYEE_URN, ENTERPRISE_URN, Projection};
use crate::store::members::{self, GroupOf, Member};
use crate::store::{Conn, Kind, Row, resources};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt::Write;

/// What a user shows of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extras {
    pub groups: Vec<GroupOf>,
    /// The manager, when `manager.value` is the id of a user.
    pub manager: Option<Manager>,
}

/// What a user shows of its manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    pub name: String,
    pub mail: Option<String>,
}

/// The manager of that id, if there is one.
///
/// # Errors
/// When the database fails.
pub fn manager(conn: &mut Conn, ctx: &Ctx, id: Option<&str>) -> Result<Option<Manager>> {
    let Some(id) = id else { return Ok(None) };
    Ok(managers(conn, ctx, &[id])?.pop().map(|(_, manager)| manager))
}

fn managers(conn: &mut Conn, ctx: &Ctx, ids: &[&str]) -> Result<Vec<(String, Manager)>> {
    let found = resources::named(conn, ctx.tenant_id(), ids)?;
    Ok(found.into_iter().map(|(id, name, mail)| (id, Manager { name, mail })).collect())
}

impl Extras {
    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.manager.is_none()
    }
}

/// A resource, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub etag: String,
    pub location: String,
    pub json: String,
}

/// Members of a group that are read at a time.
const MEMBERS_AT_A_TIME: i64 = 1000;

/// Loads what one resource shows of others.
///
/// # Errors
/// When the database fails.
pub fn extras(conn: &mut Conn, ctx: &Ctx, row: &Row) -> Result<Extras> {
    if row.kind != Kind::User {
        return Ok(Extras::default());
    }
    let groups = members::groups_of(conn, ctx.tenant_id(), &[&row.id])?;
    let manager = manager(conn, ctx, row.manager.as_deref())?;
    Ok(Extras { groups, manager })
}

/// Loads what the users of a page show of others, with one or two queries for all of them.
///
/// # Errors
/// When the database fails.
pub fn extras_of_page(conn: &mut Conn, ctx: &Ctx, rows: &[&Row]) -> Result<HashMap<String, Extras>> {
    let users: Vec<&Row> = rows.iter().filter(|r| r.kind == Kind::User).copied().collect();
    let ids: Vec<&str> = users.iter().map(|r| r.id.as_str()).collect();
    let mut out: HashMap<String, Extras> = HashMap::new();
    for g in members::groups_of(conn, ctx.tenant_id(), &ids)? {
        out.entry(g.member.clone()).or_default().groups.push(g);
    }
    let mut ids: Vec<&str> = users.iter().filter_map(|r| r.manager.as_deref()).collect();
    ids.sort_unstable();
    ids.dedup();
    let managers: HashMap<String, Manager> = managers(conn, ctx, &ids)?.into_iter().collect();
    for user in users {
        if let Some(manager) = user.manager.as_ref().and_then(|m| managers.get(m)) {
            out.entry(user.id.clone()).or_default().manager = Some(manager.clone());
        }
    }
    Ok(out)
}

/// Renders a resource. The members of a group are read here, a part at a time.
///
/// # Errors
/// When the database fails.
pub fn resource(conn: &mut Conn, ctx: &Ctx, row: &Row, extras: &Extras, projection: &Projection) -> Result<Rendered> {
    if row.kind != Kind::Group || !projection.shows("members") {
        return Ok(with_members(ctx, row, extras, projection, ""));
    }
    let room = usize::try_from(row.member_count).unwrap_or(0) * 190;
    if !(projection.is_default() && type_of(ctx, row.kind).traits.shows_all()) {
        let mut members = String::with_capacity(room);
        all_members(conn, ctx, row, &mut members)?;
        return Ok(with_members(ctx, row, extras, projection, &members));
    }
    // The members of a large group go straight into the answer, so that they are held once.
    let (etag, location) = (etag::of(row, extras), location(ctx, row.kind, &row.id));
    let mut json = head(row, room);
    json.push_str(",\"members\":[");
    all_members(conn, ctx, row, &mut json)?;
    json.push(']');
    tail(&mut json, ctx, row, &etag, &location);
    Ok(Rendered { etag, location, json })
}

/// Renders a user, or a group whose members are already JSON.
#[must_use]
pub fn with_members(ctx: &Ctx, row: &Row, extras: &Extras, projection: &Projection, members: &str) -> Rendered {
    let etag = etag::of(row, extras);
    let location = location(ctx, row.kind, &row.id);
    // `excludedAttributes=members`, which providers send with every group, needs no parsing either.
    let plain = projection.is_default() || (row.kind == Kind::Group && projection.excludes_only("members"));
    let json = if plain && extras.manager.is_none() && type_of(ctx, row.kind).traits.shows_all() {
        spliced(ctx, row, extras, (&etag, &location), (row.kind == Kind::Group && projection.shows("members")).then_some(members))
    } else {
        projected(ctx, row, extras, (&etag, &location), projection, members)
    };
    Rendered { etag, location, json }
}

/// The URL of a resource.
#[must_use]
pub fn location(ctx: &Ctx, kind: Kind, id: &str) -> String {
    format!("{}{}/{id}", ctx.base, type_of(ctx, kind).endpoint)
}

/// The stored document is JSON already: id, groups, members and meta are put around it.
fn spliced(ctx: &Ctx, row: &Row, extras: &Extras, (etag, location): (&str, &str), members: Option<&str>) -> String {
    let mut out = head(row, members.map_or(0, str::len) + extras.groups.len() * 200);
    if let Some(members) = members {
        let _ = write!(out, ",\"members\":[{members}]");
    }
    if !extras.groups.is_empty() {
        let _ = write!(out, ",\"groups\":{}", groups(ctx, extras));
    }
    tail(&mut out, ctx, row, etag, location);
    out
}

/// The id and the stored document, still open; with room for as many bytes more.
fn head(row: &Row, room: usize) -> String {
    let inner = row.doc.strip_prefix('{').and_then(|d| d.strip_suffix('}')).unwrap_or_default();
    let mut out = String::with_capacity(row.doc.len() + room + 768);
    let _ = write!(out, "{{\"id\":{},{inner}", quoted(&row.id));
    if let Some(member) = row.member.as_deref() {
        // A user's document ends with our own extension.
        out.pop();
        let empty = out.ends_with('{');
        let attributes = roll_attributes(member).into_iter().map(|(name, value)| format!("\"{name}\":{value}"));
        for (i, text) in attributes.enumerate() {
            out.push_str(if i == 0 && empty { "" } else { "," });
            out.push_str(&text);
        }
        out.push('}');
    }
    out
}

/// What the roll says of a member, in our own extension.
fn roll_attributes(member: &domain::Member) -> Vec<(&'static str, Value)> {
    let claimed = member.state.stage() == Some(Stage::Claimed);
    let times = [
        ("inviteDate", member.invited_at),
        ("claimDate", member.claimed_at),
        ("deactivateDate", member.quarantined_at),
        ("quarantineUntil", member.purge_at),
    ];
    let mut out = vec![("state", Value::from(member.state.as_str()))];
    out.extend(member.invited.map(|invited| ("invited", Value::Bool(invited))));
    out.extend([("claimed", Value::Bool(claimed)), ("canDelete", Value::Bool(member.can_delete()))]);
    out.extend(times.into_iter().filter_map(|(name, at)| Some((name, Value::from(write_time(at?))))));
    out
}

/// `meta` and the end.
fn tail(out: &mut String, ctx: &Ctx, row: &Row, etag: &str, location: &str) {
    let _ = write!(
        out,
        ",\"meta\":{{\"resourceType\":\"{}\",\"created\":\"{}\",\"lastModified\":\"{}\",\"location\":{},\"version\":{}}}}}",
        type_of(ctx, row.kind).name,
        write_time(row.created_at),
        write_time(row.modified_at),
        quoted(location),
        quoted(etag)
    );
}

fn projected(ctx: &Ctx, row: &Row, extras: &Extras, (etag, location): (&str, &str), projection: &Projection, members: &str) -> String {
    let mut doc = Map::new();
    doc.insert("id".to_owned(), Value::from(row.id.as_str()));
    doc.extend(mapping::parsed(row));
    if row.kind == Kind::Group && projection.shows("members") {
        doc.insert("members".to_owned(), serde_json::from_str(&format!("[{members}]")).unwrap_or_default());
    }
    if !extras.groups.is_empty() {
        doc.insert("groups".to_owned(), groups(ctx, extras));
    }
    if let (Some(own), Some(member)) = (doc.get_mut(EMPLOYEE_URN).and_then(Value::as_object_mut), row.member.as_deref()) {
        own.extend(roll_attributes(member).into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    show_manager(ctx, row, extras, &mut doc);
    let meta = json!({
        "resourceType": type_of(ctx, row.kind).name, "created": write_time(row.created_at),
        "lastModified": write_time(row.modified_at), "location": location, "version": etag
    });
    doc.insert("meta".to_owned(), meta);
    Value::Object(projection.apply(type_of(ctx, row.kind), doc)).to_string()
}

fn show_manager(ctx: &Ctx, row: &Row, extras: &Extras, doc: &mut Map<String, Value>) {
    let (Some(id), Some(shown)) = (&row.manager, &extras.manager) else { return };
    let manager = doc.get_mut(ENTERPRISE_URN).and_then(|e| e.get_mut("manager")).and_then(Value::as_object_mut);
    if let Some(map) = manager {
        map.insert("$ref".to_owned(), Value::from(location(ctx, Kind::User, id)));
        map.insert("displayName".to_owned(), Value::from(shown.name.as_str()));
    }
    if let (Some(own), Some(mail)) = (doc.get_mut(EMPLOYEE_URN).and_then(Value::as_object_mut), &shown.mail) {
        own.insert("managerEmail".to_owned(), Value::from(mail.as_str()));
    }
}

fn groups(ctx: &Ctx, extras: &Extras) -> Value {
    let list = extras.groups.iter().map(|g| {
        json!({
            "value": g.group, "$ref": location(ctx, Kind::Group, &g.group), "display": g.label,
            "type": if g.direct { "direct" } else { "indirect" }
        })
    });
    Value::Array(list.collect())
}

fn type_of(ctx: &Ctx, kind: Kind) -> &ResourceType {
    ctx.types.of(kind_in(kind))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Appends the members of a group as the inside of a JSON array.
fn all_members(conn: &mut Conn, ctx: &Ctx, row: &Row, out: &mut String) -> Result<()> {
    let mut after = String::new();
    loop {
        let page = members::page(conn, ctx.tenant_id(), &row.id, &after, MEMBERS_AT_A_TIME)?;
        for m in &page {
            write_member(out, ctx, m);
        }
        match page.last() {
            Some(last) if page.len() >= usize::try_from(MEMBERS_AT_A_TIME).unwrap_or(usize::MAX) => after.clone_from(&last.id),
            _ => return Ok(()),
        }
    }
}

/// Appends one member to the inside of a JSON array.
pub fn write_member(out: &mut String, ctx: &Ctx, m: &Member) {
    if !out.is_empty() && !out.ends_with('[') {
        out.push(',');
    }
    let (endpoint, kind) = if m.kind == Kind::User { ("Users", "User") } else { ("Groups", "Group") };
    let _ = write!(
        out,
        "{{\"value\":{},\"$ref\":\"{}/{endpoint}/{}\",\"type\":\"{kind}\",\"display\":{}}}",
        quoted(&m.id),
        ctx.base,
        m.id,
        quoted(&m.label)
    );
}
