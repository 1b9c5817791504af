//! Group membership as rows: a change touches the members that change and no others.

use super::backend::Conn;
use super::error::Error;
use super::filter;
use super::resources::{self, Kind};
use super::sql::Sql;
use crate::domain::TenantId;
use crate::scim::Filter;
use diesel::sql_types::{SmallInt, Text};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

const CHUNK: usize = 300;

/// Adds members; those that were not there.
///
/// # Errors
/// When the database fails.
pub fn add(conn: &mut Conn, tenant: TenantId, group: &str, members: &[(String, Kind)]) -> Result<Vec<String>, Error> {
    let mut added = Vec::new();
    for part in members.chunks(CHUNK) {
        let mut sql = Sql::new("INSERT INTO group_members (tenant_id, group_id, member_id, member_kind) VALUES ");
        for (i, (id, kind)) in part.iter().enumerate() {
            sql = sql.sql(if i == 0 { "(" } else { ", (" });
            sql = sql.big(tenant.0).sql(", ").text(group).sql(", ").text(id.as_str()).sql(", ").small(kind.code()).sql(")");
        }
        let sql = sql.sql(" ON CONFLICT DO NOTHING RETURNING member_id");
        let rows: Vec<String> = if part.len() > 1 { sql.uncached() } else { sql }.load::<Text, _>(conn)?;
        added.extend(rows);
    }
    Ok(added)
}

/// Removes members; those that were there.
///
/// # Errors
/// When the database fails.
pub fn remove(conn: &mut Conn, tenant: TenantId, group: &str, members: &[&str]) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for part in members.chunks(CHUNK) {
        let rows: Vec<String> = of_group("DELETE FROM group_members WHERE tenant_id = ", tenant, group)
            .sql(" AND member_id IN (")
            .texts(part)
            .sql(") RETURNING member_id")
            .load::<Text, _>(conn)?;
        removed.extend(rows);
    }
    Ok(removed)
}

fn of_group<'a>(head: &'static str, tenant: TenantId, group: &'a str) -> Sql<'a> {
    Sql::new(head).big(tenant.0).sql(" AND group_id = ").text(group)
}

/// Removes all members; how many there were.
///
/// # Errors
/// When the database fails.
pub fn clear(conn: &mut Conn, tenant: TenantId, group: &str) -> Result<usize, Error> {
    of_group("DELETE FROM group_members WHERE tenant_id = ", tenant, group).run(conn)
}

/// The ids of the first few members.
///
/// # Errors
/// When the database fails.
pub fn some(conn: &mut Conn, tenant: TenantId, group: &str) -> Result<Vec<String>, Error> {
    of_group("SELECT member_id FROM group_members WHERE tenant_id = ", tenant, group)
        .sql(" ORDER BY member_id")
        .limit(20)
        .load::<Text, _>(conn)
}

/// The groups that have a resource as a direct member.
///
/// # Errors
/// When the database fails.
pub fn groups_with(conn: &mut Conn, tenant: TenantId, member: &str) -> Result<Vec<String>, Error> {
    let mut groups: Vec<String> = parents(conn, tenant, &[member])?.into_iter().map(|(_, group)| group).collect();
    groups.sort_unstable();
    Ok(groups)
}

/// The ids of all members.
///
/// # Errors
/// When the database fails.
pub fn ids(conn: &mut Conn, tenant: TenantId, group: &str) -> Result<Vec<String>, Error> {
    of_group("SELECT member_id FROM group_members WHERE tenant_id = ", tenant, group).load::<Text, _>(conn)
}

/// The ids of the members that satisfy a filter on their own sub-attributes.
///
/// # Errors
/// When the database fails.
pub fn ids_where(conn: &mut Conn, tenant: TenantId, group: &str, condition: &Filter) -> Result<Vec<String>, Error> {
    let test = filter::on_member(condition, conn.dialect());
    Sql::new("SELECT m.member_id FROM group_members m JOIN resources e ON e.tenant_id = m.tenant_id AND e.kind = m.member_kind AND e.id = m.member_id WHERE m.tenant_id = ")
        .big(tenant.0)
        .sql(" AND m.group_id = ")
        .text(group)
        .sql(" AND ")
        .and(test)
        .uncached()
        .load::<Text, _>(conn)
}

/// Which of these are members.
///
/// # Errors
/// When the database fails.
pub fn present(conn: &mut Conn, tenant: TenantId, group: &str, members: &[&str]) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    for part in members.chunks(CHUNK) {
        let sql = of_group("SELECT member_id FROM group_members WHERE tenant_id = ", tenant, group).sql(" AND member_id IN (").texts(part);
        let rows: Vec<String> = sql.sql(")").load::<Text, _>(conn)?;
        found.extend(rows);
    }
    Ok(found)
}

/// A member as a group shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub kind: Kind,
    pub label: String,
}

/// The next members of a group in the order of their ids, after `after`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, group: &str, after: &str, limit: i64) -> Result<Vec<Member>, Error> {
    let rows: Vec<(String, i16, String)> = Sql::new("SELECT m.member_id, m.member_kind, e.label FROM group_members m JOIN resources e ON e.tenant_id = m.tenant_id AND e.kind = m.member_kind AND e.id = m.member_id WHERE m.tenant_id = ")
        .big(tenant.0)
        .sql(" AND m.group_id = ")
        .text(group)
        .sql(" AND m.member_id > ")
        .text(after)
        .sql(" ORDER BY m.member_id")
        .limit(limit)
        .load::<(Text, SmallInt, Text), _>(conn)?;
    Ok(rows.into_iter().map(|(id, kind, label)| Member { id, kind: Kind::of(kind), label }).collect())
}

/// All members of several groups, by group.
///
/// # Errors
/// When the database fails.
pub fn of_groups(conn: &mut Conn, tenant: TenantId, groups: &[&str]) -> Result<Vec<(String, Member)>, Error> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, i16, String)> = Sql::new("SELECT m.group_id, m.member_id, m.member_kind, e.label FROM group_members m JOIN resources e ON e.tenant_id = m.tenant_id AND e.kind = m.member_kind AND e.id = m.member_id WHERE m.tenant_id = ")
        .big(tenant.0)
        .sql(" AND m.group_id IN (")
        .texts(groups)
        .sql(") ORDER BY m.group_id, m.member_id")
        .load::<(Text, Text, SmallInt, Text), _>(conn)?;
    Ok(rows.into_iter().map(|(group, id, kind, label)| (group, Member { id, kind: Kind::of(kind), label })).collect())
}

/// A group as a member shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOf {
    pub member: String,
    pub group: String,
    /// Whether the member is in the group itself, not by way of another group.
    pub direct: bool,
    pub label: String,
}

/// The groups of users, direct and indirect, in the order of member and group. Cycles of groups are harmless.
///
/// One look-up for each level of nesting, and one for the names: planners misjudge a recursive query badly.
///
/// # Errors
/// When the database fails.
pub fn groups_of(conn: &mut Conn, tenant: TenantId, users: &[&str]) -> Result<Vec<GroupOf>, Error> {
    let direct = parents(conn, tenant, users)?;
    if direct.is_empty() {
        return Ok(Vec::new());
    }
    let mut above: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut fresh: BTreeSet<String> = direct.iter().map(|(_, group)| group.clone()).collect();
    while !fresh.is_empty() {
        let ids: Vec<&str> = fresh.iter().map(String::as_str).collect();
        let found = parents(conn, tenant, &ids)?;
        above.extend(std::mem::take(&mut fresh).into_iter().map(|id| (id, Vec::new())));
        for (member, group) in found {
            if !above.contains_key(&group) {
                fresh.insert(group.clone());
            }
            above.entry(member).or_default().push(group);
        }
    }
    let groups: Vec<&str> = above.keys().map(String::as_str).collect();
    let labels: HashMap<String, String> = resources::labels(conn, tenant, Kind::Group, &groups)?.into_iter().collect();
    Ok(closure(&direct, &above, &labels))
}

/// The direct groups and everything above them.
fn closure(direct: &[(String, String)], above: &BTreeMap<String, Vec<String>>, labels: &HashMap<String, String>) -> Vec<GroupOf> {
    let mut out: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    let mut open: Vec<(&str, &str)> = Vec::new();
    for (member, group) in direct {
        out.insert((member, group), true);
        open.push((member, group));
    }
    while let Some((member, group)) = open.pop() {
        for parent in above.get(group).into_iter().flatten() {
            if let Entry::Vacant(slot) = out.entry((member, parent)) {
                slot.insert(false);
                open.push((member, parent));
            }
        }
    }
    let shown = |((member, group), direct): ((&str, &str), bool)| {
        let label = labels.get(group)?.clone();
        Some(GroupOf { member: member.to_owned(), group: group.to_owned(), direct, label })
    };
    out.into_iter().filter_map(shown).collect()
}

/// The groups that have any of these as direct members: member, group.
fn parents(conn: &mut Conn, tenant: TenantId, members: &[&str]) -> Result<Vec<(String, String)>, Error> {
    let mut found = Vec::new();
    for part in members.chunks(CHUNK) {
        let rows: Vec<(String, String)> = Sql::new("SELECT m.member_id, m.group_id FROM group_members m WHERE m.tenant_id = ")
            .big(tenant.0)
            .sql(" AND m.member_id IN (")
            .texts(part)
            .sql(")")
            .load::<(Text, Text), _>(conn)?;
        found.extend(rows);
    }
    Ok(found)
}
