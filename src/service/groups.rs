//! Changes to the members of a group, row by row.

use super::Ctx;
use super::letters::{self, Detail};
use crate::domain::TenantId;
use crate::domain::lifecycle::{self, Effect, Event};
use crate::error::{Error, Result};
use crate::scim::dialect::{Quirk, Reading};
use crate::scim::error::shown;
use crate::scim::members::{MemberChange, MemberRef};
use crate::scim::schema::ResourceKind;
use crate::scim::{self};
use crate::store::{Conn, Kind, members, resources};
use std::collections::{HashMap, HashSet};

/// How many members came and went, and who.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    pub added: usize,
    pub removed: usize,
    /// The ids of those who came, and of those who went; when the whole group was emptied, only of some.
    pub came: Vec<String>,
    pub went: Vec<String>,
}

impl Moved {
    /// Whether anything changed.
    #[must_use]
    pub fn any(&self) -> bool {
        self.added + self.removed > 0
    }

    /// By how much the number of members changed.
    #[must_use]
    pub fn delta(&self) -> i64 {
        i64::try_from(self.added).unwrap_or(i64::MAX) - i64::try_from(self.removed).unwrap_or(i64::MAX)
    }

    fn of(came: Vec<String>, went: Vec<String>) -> Self {
        Self { added: came.len(), removed: went.len(), came, went }
    }
}

/// Applies the changes in order.
///
/// # Errors
/// 400 for a group inside itself, and, where the dialect demands it, for a member that does not exist.
pub fn apply(conn: &mut Conn, ctx: &Ctx, group: &str, changes: &[MemberChange], reading: &mut Reading) -> Result<Moved> {
    let mut moved = Moved::default();
    for change in changes {
        let step = step(conn, ctx, group, change, reading)?;
        moved.added += step.added;
        moved.removed += step.removed;
        moved.came.extend(step.came);
        moved.went.extend(step.went);
    }
    Ok(moved)
}

fn step(conn: &mut Conn, ctx: &Ctx, group: &str, change: &MemberChange, reading: &mut Reading) -> Result<Moved> {
    let tenant = ctx.tenant_id();
    Ok(match change {
        MemberChange::Add(refs) => {
            let known = known(conn, ctx, group, refs, reading)?;
            let ids: Vec<&str> = known.iter().map(|(id, _)| id.as_str()).collect();
            let fresh = strangers(conn, ctx, group, &ids)?;
            let added = members::add(conn, tenant, group, &known)?;
            tell(conn, ctx, group, &fresh, true)?;
            Moved::of(added, Vec::new())
        }
        MemberChange::Remove(ids) => Moved::of(Vec::new(), remove(conn, ctx, group, &texts(ids))?),
        MemberChange::RemoveWhere(filter) => {
            let ids = members::ids_where(conn, tenant, group, filter)?;
            Moved::of(Vec::new(), remove(conn, ctx, group, &texts(&ids))?)
        }
        MemberChange::Replace(refs) if refs.is_empty() && !ctx.tenant.settings.group_mails => {
            let some = members::some(conn, tenant, group)?;
            Moved { removed: members::clear(conn, tenant, group)?, went: some, ..Moved::default() }
        }
        MemberChange::Replace(refs) => replace(conn, ctx, group, refs, reading)?,
    })
}

fn texts(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

/// Only the difference is written.
fn replace(conn: &mut Conn, ctx: &Ctx, group: &str, refs: &[MemberRef], reading: &mut Reading) -> Result<Moved> {
    let wanted = known(conn, ctx, group, refs, reading)?;
    let present: HashSet<String> = members::ids(conn, ctx.tenant_id(), group)?.into_iter().collect();
    let wanted_ids: HashSet<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
    let gone: Vec<&str> = present.iter().map(String::as_str).filter(|id| !wanted_ids.contains(id)).collect();
    let new: Vec<(String, Kind)> = wanted.iter().filter(|(id, _)| !present.contains(id)).cloned().collect();
    let removed = remove(conn, ctx, group, &gone)?;
    let added = members::add(conn, ctx.tenant_id(), group, &new)?;
    tell(conn, ctx, group, &new.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), true)?;
    Ok(Moved::of(added, removed))
}

fn remove(conn: &mut Conn, ctx: &Ctx, group: &str, ids: &[&str]) -> Result<Vec<String>> {
    if ctx.tenant.settings.group_mails {
        let present: Vec<String> = members::present(conn, ctx.tenant_id(), group, ids)?.into_iter().collect();
        tell(conn, ctx, group, &present, false)?;
    }
    Ok(members::remove(conn, ctx.tenant_id(), group, ids)?)
}

/// Those who are not in the group yet, where that matters.
fn strangers(conn: &mut Conn, ctx: &Ctx, group: &str, ids: &[&str]) -> Result<Vec<String>> {
    if !ctx.tenant.settings.group_mails {
        return Ok(Vec::new());
    }
    let present = members::present(conn, ctx.tenant_id(), group, ids)?;
    Ok(ids.iter().filter(|id| !present.contains(**id)).map(|id| (*id).to_owned()).collect())
}

/// Tells members that they came into a group or left it, where the tenant wants it, and the roll allows it.
fn tell(conn: &mut Conn, ctx: &Ctx, group: &str, ids: &[String], added: bool) -> Result<()> {
    if !ctx.tenant.settings.group_mails || ids.is_empty() {
        return Ok(());
    }
    let (tenant, act) = (ctx.tenant_id(), ctx.act());
    let name = resources::labels(conn, tenant, Kind::Group, &[group])?.pop().map(|(_, label)| label);
    let detail = Detail { group: name, added, ..Detail::default() };
    for id in ids {
        let Some(member) = resources::find(conn, tenant, Kind::User, id)?.and_then(|row| row.member) else { continue };
        let Ok(decided) = lifecycle::next(member.state, Event::GroupChange) else { continue };
        for effect in decided.effects {
            if let Effect::Mail(letter) = effect {
                letters::enqueue(conn, &act, &member, letters::Kind::Member(letter), Some(&detail))?;
            }
        }
    }
    Ok(())
}

/// Takes a resource out of every group; the groups. In the order of their ids, so that two of these seldom wait for each other.
pub(super) fn leave_all(conn: &mut Conn, tenant: TenantId, id: &str, now: i64) -> Result<Vec<String>> {
    let groups = members::groups_with(conn, tenant, id)?;
    for group in &groups {
        // Somebody else may have removed the member a moment ago.
        if members::remove(conn, tenant, group, &[id])?.len() == 1 {
            resources::members_changed(conn, tenant, group, -1, now)?;
        }
    }
    Ok(groups)
}

/// Those of the named members that exist, each once.
fn known(conn: &mut Conn, ctx: &Ctx, group: &str, refs: &[MemberRef], reading: &mut Reading) -> Result<Vec<(String, Kind)>> {
    if refs.iter().any(|r| r.id == group) {
        return Err(Error::Scim(scim::Error::value("members: a group cannot be a member of itself")));
    }
    let mut ids: Vec<&str> = refs.iter().map(|r| r.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let found: HashMap<String, Kind> = resources::existing(conn, ctx.tenant_id(), &ids)?.into_iter().collect();
    for r in refs {
        match found.get(&r.id) {
            Some(kind) => check_type(r, *kind)?,
            None if reading.allow(Quirk::UnknownMember, || format!("members: \"{}\" does not exist, left out", shown(&r.id))) => {}
            None => return Err(Error::Scim(scim::Error::value(format!("members: there is no resource with the id {}", shown(&r.id))))),
        }
    }
    Ok(found.into_iter().collect())
}

fn check_type(r: &MemberRef, is: Kind) -> Result<()> {
    let said = r.kind.map(|k| if k == ResourceKind::User { Kind::User } else { Kind::Group });
    if said.is_some_and(|s| s != is) {
        return Err(Error::Scim(scim::Error::value(format!("members: {} is a {is:?}, not what its type says", r.id))));
    }
    Ok(())
}
