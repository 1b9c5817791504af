//! Tenants: made, listed and shown by the operator.

use crate::domain::tenant::check_name;
use crate::domain::{Idp, Tenant};
use crate::store::error::Field;
use crate::store::{self, Conn, Kind, counts, notes, tenants};

/// Why an operator's command was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{0}")]
    Invalid(String),
    #[error("there is no tenant \"{0}\"; `rollbook tenant list` shows those that exist")]
    NoTenant(String),
    #[error("there is already a tenant \"{0}\"")]
    TenantExists(String),
    #[error("tenant \"{tenant}\" has no live token {id}; `rollbook token list {tenant}` shows those that exist")]
    NoToken { tenant: String, id: String },
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Makes a tenant.
///
/// # Errors
/// When the name is no name, or is taken.
pub fn create(conn: &mut Conn, name: &str, idp: Idp, unique_group_names: Option<bool>, now: i64) -> Result<Tenant, Refused> {
    check_name(name).map_err(Refused::Invalid)?;
    let unique = unique_group_names.unwrap_or(idp == Idp::Entra);
    tenants::insert(conn, name, idp, unique, now).map_err(|e| match e {
        store::Error::Duplicate(Field::TenantName) => Refused::TenantExists(name.to_owned()),
        other => other.into(),
    })
}

/// The tenant of that name.
///
/// # Errors
/// When there is none.
pub fn named(conn: &mut Conn, name: &str) -> Result<Tenant, Refused> {
    tenants::find(conn, name)?.ok_or_else(|| Refused::NoTenant(name.to_owned()))
}

/// All tenants, by name.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn) -> Result<Vec<Tenant>, Refused> {
    Ok(tenants::list(conn)?)
}

/// A tenant with what an operator wants to see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub tenant: Tenant,
    pub users: i64,
    pub groups: i64,
    pub live_tokens: usize,
    /// Which providers its requests have shown: provider, signal, when last.
    pub evidence: Vec<(String, String, i64)>,
}

/// Shows a tenant.
///
/// # Errors
/// When there is none of that name.
pub fn show(conn: &mut Conn, name: &str, now: i64) -> Result<Shown, Refused> {
    let tenant = named(conn, name)?;
    let tokens = store::tokens::list(conn, tenant.id)?;
    Ok(Shown {
        users: counts::total(conn, tenant.id, &[Kind::User])?,
        groups: counts::total(conn, tenant.id, &[Kind::Group])?,
        live_tokens: tokens.iter().filter(|t| t.is_live(now)).count(),
        evidence: notes::evidence(conn, tenant.id)?,
        tenant,
    })
}
