//! Sources: the connections of a tenant's identity providers.

use super::backend::Conn;
use super::error::Error;
use super::schema::sources;
use crate::domain::{ScimSource, SourceState, TenantId};
use diesel::prelude::*;

type Tuple = (i64, String, Option<String>, String, String, String, Option<String>, i64, i64);

fn source((tenant, name, idp, state, capabilities, tolerances, client_ca, version, created_at): Tuple) -> Result<ScimSource, Error> {
    let broken = |what: String| Error::Db(format!("source {name} cannot be read: {what}"));
    Ok(ScimSource {
        tenant: TenantId(tenant),
        idp: idp.map(|i| i.parse()).transpose().map_err(broken)?,
        state: SourceState::of(&state).ok_or_else(|| broken(state.clone()))?,
        capabilities: serde_json::from_str(&capabilities).map_err(|e| broken(e.to_string()))?,
        tolerances: serde_json::from_str(&tolerances).map_err(|e| broken(e.to_string()))?,
        client_ca,
        version,
        created_at,
        name,
    })
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Db(e.to_string()))
}

/// Adds a source.
///
/// # Errors
/// [`Error::Duplicate`] when the tenant has one of that name.
pub fn insert(conn: &mut Conn, s: &ScimSource) -> Result<(), Error> {
    diesel::insert_into(sources::table)
        .values((
            sources::tenant_id.eq(s.tenant.0),
            sources::name.eq(&s.name),
            sources::idp.eq(s.idp.map(crate::domain::Idp::as_str)),
            sources::state.eq(s.state.as_str()),
            sources::capabilities.eq(json(&s.capabilities)?),
            sources::tolerances.eq(json(&s.tolerances)?),
            sources::client_ca.eq(&s.client_ca),
            sources::version.eq(s.version),
            sources::created_at.eq(s.created_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// Stores a source; its version counts up. Whether it was the expected one.
///
/// # Errors
/// When the database fails.
pub fn save(conn: &mut Conn, s: &ScimSource) -> Result<bool, Error> {
    let as_expected =
        sources::table.filter(sources::tenant_id.eq(s.tenant.0)).filter(sources::name.eq(&s.name)).filter(sources::version.eq(s.version));
    let changed = diesel::update(as_expected)
        .set((
            sources::idp.eq(s.idp.map(crate::domain::Idp::as_str)),
            sources::state.eq(s.state.as_str()),
            sources::capabilities.eq(json(&s.capabilities)?),
            sources::tolerances.eq(json(&s.tolerances)?),
            sources::client_ca.eq(&s.client_ca),
            sources::version.eq(s.version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// The source of that name.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, tenant: TenantId, name: &str) -> Result<Option<ScimSource>, Error> {
    let row: Option<Tuple> = sources::table.find((tenant.0, name)).first(conn).optional()?;
    row.map(source).transpose()
}

/// A tenant's sources, by name.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: TenantId) -> Result<Vec<ScimSource>, Error> {
    let rows: Vec<Tuple> = sources::table.filter(sources::tenant_id.eq(tenant.0)).order(sources::name).load(conn)?;
    rows.into_iter().map(source).collect()
}

/// Removes a source; whether it was there.
///
/// # Errors
/// When the database fails.
pub fn delete(conn: &mut Conn, tenant: TenantId, name: &str) -> Result<bool, Error> {
    Ok(diesel::delete(sources::table.find((tenant.0, name))).execute(conn)? == 1)
}
