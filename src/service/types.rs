//! The resource types and schemas that a tenant has, and the values that they allow once only. What an admin declares is in
//! [`super::declarations`].

use super::{Ctx, Kind, Row, mapping};
use crate::domain::{Tenant, TenantId};
use crate::error::{Error, Result};
use crate::scim::schema::{ResourceKind, ResourceType, Schema};
use crate::scim::types::Declared;
use crate::scim::{self, EMPLOYEE_URN, ENTERPRISE_URN, Types, declare};
use crate::store::{Conn, types, unique};
use std::sync::Arc;

/// The types that a tenant has. One that never declared any costs nothing.
///
/// # Errors
/// When the database fails.
pub fn of(conn: &mut Conn, tenant: &Tenant) -> Result<Arc<Types>> {
    if tenant.types == 0 {
        return Ok(Types::standard());
    }
    load(conn, tenant.id).map(Arc::new)
}

/// Reads what a tenant has declared.
///
/// # Errors
/// When the database fails.
pub(super) fn load(conn: &mut Conn, tenant: TenantId) -> Result<Types> {
    let version = types::version(conn, tenant, false)?;
    let broken = |what: &str, why: String| Error::Internal(format!("a {what} of tenant {} cannot be read: {why}", tenant.0));
    let mut schemas: Vec<Arc<Schema>> = Vec::new();
    for kept in types::schemas(conn, tenant)? {
        let document = serde_json::from_str(&kept.document).map_err(|e| broken("schema", e.to_string()))?;
        schemas.push(Arc::new(declare::stored(document).map_err(|why| broken("schema", why))?));
    }
    let mut declared: Vec<Declared> = Vec::new();
    for kept in types::types(conn, tenant)? {
        declared.push(declare::stored_type(super::kind_in(kept.key), &kept.document).map_err(|why| broken("resource type", why))?);
    }
    Ok(Types::new(version, schemas, &declared))
}

/// Refuses to write by types that were changed meanwhile; they stay as they are until the end of the transaction. A tenant that has
/// declared none pays nothing: what it writes has no values of any.
///
/// # Errors
/// [`Error::Busy`].
pub(super) fn check_current(conn: &mut Conn, ctx: &Ctx) -> Result<()> {
    if ctx.types.version() == 0 || types::version(conn, ctx.tenant_id(), true)? == ctx.types.version() {
        return Ok(());
    }
    Err(changed())
}

/// The types are others than those that were known when the request came in.
pub(super) fn changed() -> Error {
    Error::Busy("the tenant's resource types have just been changed".to_owned())
}

/// What the resources at an endpoint of the tenant's own are; the endpoint is given without the slash.
#[must_use]
pub fn kind_at(types: &Types, endpoint: &str) -> Option<ResourceKind> {
    types.own_at(endpoint).map(|rt| rt.kind)
}

/// Gives a resource values that nobody else may have.
///
/// # Errors
/// 409 `uniqueness` that names the attribute.
pub(super) fn claim(conn: &mut Conn, tenant: TenantId, kind: Kind, id: &str, values: &[(String, String)]) -> Result<()> {
    match unique::claim(conn, tenant, kind, id, values)? {
        Some(attribute) => Err(scim::Error::taken(&attribute).into()),
        None => Ok(()),
    }
}

/// What a resource has now of values that nobody else may have.
#[must_use]
pub(super) fn unique_of(rt: &ResourceType, row: &Row) -> Vec<(String, String)> {
    if rt.traits.has_unique() { rt.traits.unique(&mapping::parsed(row)) } else { Vec::new() }
}

/// Takes the values from a resource that nobody can see any more. Only what a tenant has declared can be among them.
///
/// # Errors
/// When the database fails.
pub(super) fn release_all(conn: &mut Conn, tenant: TenantId, row: &Row) -> Result<()> {
    let built_in = [ENTERPRISE_URN, EMPLOYEE_URN];
    let own = |key: &String| key.contains(':') && !built_in.contains(&key.as_str());
    if matches!(row.kind, Kind::Own(_)) || mapping::parsed(row).keys().any(own) {
        unique::clear(conn, tenant, row.kind, &row.id)?;
    }
    Ok(())
}

/// The same for a resource that had others before.
///
/// # Errors
/// 409 `uniqueness` that names the attribute.
pub(super) fn reclaim(
    conn: &mut Conn,
    tenant: TenantId,
    kind: Kind,
    id: &str,
    before: &[(String, String)],
    after: &[(String, String)],
) -> Result<()> {
    let without = |these: &[(String, String)], others: &[(String, String)]| -> Vec<(String, String)> {
        these.iter().filter(|v| !others.contains(v)).cloned().collect()
    };
    unique::release(conn, tenant, kind, id, &without(before, after))?;
    claim(conn, tenant, kind, id, &without(after, before))
}
