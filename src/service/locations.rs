//! The places that a tenant has configured. Changing them fills in, or blanks, the location of everybody concerned.

use super::roll::{self, Act};
use super::{employment, mapping, types};
use crate::error::{Error, Result};
use crate::scim::dialect::{Declared, Reading};
use crate::scim::schema::{ResourceKind, ResourceType};
use crate::scim::{EMPLOYEE_URN, filter, parse};
use crate::store::list::{Part, Query, Window};
use crate::store::{Conn, Kind, Row, list, locations};

/// What a change of the places did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Members whose location is filled in now.
    pub filled: usize,
    /// Members whose location is blank now.
    pub blanked: usize,
}

/// The places of a tenant, by name.
///
/// # Errors
/// When the database fails.
pub fn list_all(conn: &mut Conn, act: &Act) -> Result<Vec<String>> {
    Ok(locations::list(conn, act.tenant.id)?)
}

/// The places of a tenant by name, after `after`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, act: &Act, after: &str, limit: i64) -> Result<Vec<String>> {
    Ok(locations::page(conn, act.tenant.id, after, limit)?)
}

/// Adds a place.
///
/// # Errors
/// When the name is empty, too long or taken.
pub fn add(conn: &mut Conn, act: &Act, name: &str) -> Result<Moved> {
    insert(conn, act, &checked(name)?)?;
    fill(conn, act)
}

fn insert(conn: &mut Conn, act: &Act, name: &str) -> Result<()> {
    if locations::insert(conn, act.tenant.id, name, act.now)? {
        return Ok(());
    }
    Err(Error::conflict("location_exists", format!("there is already a location \"{name}\"")))
}

pub(super) fn checked(name: &str) -> Result<String> {
    let name = employment::place_name(name);
    if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
        return Err(Error::Invalid("a location's name has 1 to 200 bytes and no control characters".to_owned()));
    }
    Ok(name)
}

/// Removes a place.
///
/// # Errors
/// When there is none of that name.
pub fn remove(conn: &mut Conn, act: &Act, name: &str) -> Result<Moved> {
    let name = checked(name)?;
    delete(conn, act, &name)?;
    Ok(Moved { filled: 0, blanked: reconsider(conn, act, &name)? })
}

fn delete(conn: &mut Conn, act: &Act, name: &str) -> Result<()> {
    if locations::delete(conn, act.tenant.id, name)? {
        return Ok(());
    }
    Err(Error::missing("location", format!("there is no location \"{name}\"")))
}

/// Renames a place. Sources that still send the old name are no longer matched.
///
/// # Errors
/// When there is none of the old name, or one of the new.
pub fn rename(conn: &mut Conn, act: &Act, from: &str, to: &str) -> Result<Moved> {
    let (from, to) = (checked(from)?, checked(to)?);
    delete(conn, act, &from)?;
    insert(conn, act, &to)?;
    let blanked = reconsider(conn, act, &from)?;
    Ok(Moved { filled: fill(conn, act)?.filled, blanked })
}

/// Looks at everybody again whose location was not known.
fn fill(conn: &mut Conn, act: &Act) -> Result<Moved> {
    let mut filled = 0;
    for row in crate::store::roll::located(conn, act.tenant.id)? {
        filled += usize::from(settle(conn, act, &row)?);
    }
    Ok(Moved { filled, blanked: 0 })
}

/// Looks at everybody again who is at a place.
fn reconsider(conn: &mut Conn, act: &Act, name: &str) -> Result<usize> {
    const AT_ONCE: i64 = 500;
    let rt = ResourceType::of(ResourceKind::User);
    let quoted = serde_json::Value::from(name).to_string();
    let mut reading = Reading::of(Declared::Rfc);
    let filter = filter::resolve(rt, &format!("{EMPLOYEE_URN}:location eq {quoted}"), parse::Limits::default(), &mut reading)?;
    let query = Query { parts: vec![Part { kind: Kind::User, filter: Some(filter) }], sort: None };
    let mut moved = 0;
    loop {
        let rows = list::page(conn, act.tenant.id, &query, &Window::After { last: None, limit: AT_ONCE })?;
        let mut changed = 0;
        for (row, _) in &rows {
            changed += usize::from(settle(conn, act, row)?);
        }
        moved += changed;
        if changed == 0 {
            return Ok(moved);
        }
    }
}

/// Decides on one member's location again; whether that changed it.
fn settle(conn: &mut Conn, act: &Act, row: &Row) -> Result<bool> {
    let Some(member) = row.member.as_deref() else { return Ok(false) };
    let types = types::of(conn, &act.tenant)?;
    let old = mapping::editable(row, types.users())?;
    let mut doc = old.clone();
    let mut after = member.clone();
    after.location = employment::place(conn, act, &mut doc)?;
    if after.location == member.location {
        return Ok(false);
    }
    let naming = if row.label_derived { mapping::Naming::Derive } else { mapping::Naming::AsGiven };
    let record = mapping::record(types.users(), &act.tenant, doc, naming)?;
    roll::save(conn, act, row, Some(&record), &after)?;
    Ok(true)
}
