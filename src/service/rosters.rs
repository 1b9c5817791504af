//! Groups and who is in them, as an admin reads them.

use super::roll::Act;
use super::types;
use crate::error::{Error, Result};
use crate::scim::dialect::{Declared, Reading};
use crate::scim::schema::ResourceKind;
use crate::scim::{filter, parse};
use crate::store::list::{self, Part, Query, Window};
use crate::store::members::Member;
use crate::store::sort::Position;
use crate::store::{Conn, Kind, Row, members, resources};

/// Groups in the order of their ids, after `after`; only those that pass a SCIM filter, if there is one.
///
/// # Errors
/// When the filter is none.
pub fn page(conn: &mut Conn, act: &Act, text: Option<&str>, after: &str, limit: i64) -> Result<Vec<Row>> {
    let types = types::of(conn, &act.tenant)?;
    let rt = types.of(ResourceKind::Group);
    let mut reading = Reading::of(Declared::Auto);
    let filter = text.map(|t| filter::resolve(rt, t, parse::Limits::default(), &mut reading)).transpose()?;
    let query = Query { parts: vec![Part { kind: Kind::Group, filter }], sort: None };
    let last = (!after.is_empty()).then(|| Position::after_id(Kind::Group, after));
    let found = list::page(conn, act.tenant.id, &query, &Window::After { last, limit })?;
    Ok(found.into_iter().map(|(row, _)| row).collect())
}

/// One group.
///
/// # Errors
/// When there is none of that id.
pub fn find(conn: &mut Conn, act: &Act, id: &str) -> Result<Row> {
    let found = resources::find(conn, act.tenant.id, Kind::Group, id)?;
    found.ok_or_else(|| Error::missing("group", format!("tenant \"{}\" has no group {id}", act.tenant.name)))
}

/// The members of a group in the order of their ids, after `after`.
///
/// # Errors
/// When there is no such group.
pub fn members_of(conn: &mut Conn, act: &Act, id: &str, after: &str, limit: i64) -> Result<Vec<Member>> {
    find(conn, act, id)?;
    Ok(members::page(conn, act.tenant.id, id, after, limit)?)
}
