//! Reading one resource.

use super::etag::Conditions;
use super::render::{self, Rendered};
use super::{Ctx, kind_of};
use crate::error::{Error, Result};
use crate::scim::{self, Projection, ResourceType};
use crate::store::{Conn, Row, resources};
use std::convert::Infallible;

/// The answer to a GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    Found(Rendered),
    /// The client's copy is current; its tag and location.
    NotModified {
        etag: String,
        location: String,
    },
}

/// Reads one resource.
///
/// # Errors
/// 404, or 412 when `If-Match` is not met.
pub fn get(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, projection: &Projection, conditions: &Conditions) -> Result<Read> {
    let row = found(resources::find(conn, ctx.tenant_id(), kind_of(rt.kind), id)?, rt, id)?;
    ctx.trace.about(&row);
    let extras = render::extras(conn, ctx, &row)?;
    if !conditions.is_empty() {
        let etag = super::etag::of(&row, &extras);
        if conditions.check_read(&etag)? {
            return Ok(Read::NotModified { etag, location: render::location(ctx, row.kind, &row.id) });
        }
    }
    render::resource(conn, ctx, &row, &extras, projection).map(Read::Found)
}

/// A row, or 404.
pub(super) fn found(row: Option<Row>, rt: &ResourceType, id: &str) -> Result<Row> {
    row.ok_or_else(|| Error::Scim(scim::Error::status(404, format!("there is no {} with the id {}", rt.name, scim::error::shown(id)))))
}

/// Why a write whose body cannot be read fails: conditions come before the body (RFC 9110 §13.2.1), a missing resource
/// before both.
///
/// # Errors
/// 404, 412, or `fault`.
pub fn before_body(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, conditions: &Conditions, fault: Error) -> Result<Infallible> {
    let row = found(resources::find(conn, ctx.tenant_id(), kind_of(rt.kind), id)?, rt, id)?;
    ctx.trace.about(&row);
    let extras = render::extras(conn, ctx, &row)?;
    conditions.check_write(&super::etag::of(&row, &extras))?;
    Err(fault)
}
