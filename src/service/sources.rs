//! Sources: the connections of a tenant's identity providers.

use super::roll::Act;
use super::{audit, certificates};
use crate::domain::{Capabilities, Idp, ScimSource, SourceState, Tenant, source, tenant};
use crate::error::{Error, Result};
use crate::scim::dialect::{Client, Dialect, Quirk, Quirks, Tuning, interop};
use crate::store::{self, Conn, clients, issuers, sources, tenants, tokens};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What an admin sets of a source. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub idp: Option<Option<Idp>>,
    pub state: Option<SourceState>,
    pub capabilities: Option<Capabilities>,
    /// By name; `None` leaves a tolerance to the provider again.
    pub tolerances: BTreeMap<String, Option<bool>>,
    pub client_ca: Option<Option<String>>,
}

/// The source of that name.
///
/// # Errors
/// When there is none.
pub fn named(conn: &mut Conn, tenant: &Tenant, name: &str) -> Result<ScimSource> {
    let found = sources::find(conn, tenant.id, name)?;
    found.ok_or_else(|| Error::missing("source", format!("tenant \"{}\" has no source \"{name}\"", tenant.name)))
}

/// A tenant's sources, by name.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, act: &Act) -> Result<Vec<ScimSource>> {
    Ok(sources::list(conn, act.tenant.id)?)
}

/// Makes a source.
///
/// # Errors
/// When the name is no name or taken, or a part of it makes no sense.
pub fn create(conn: &mut Conn, act: &Act, name: &str, change: &Change) -> Result<ScimSource> {
    let source = check(&ScimSource::new(act.tenant.id, name, act.now), change)?;
    sources::insert(conn, &source).map_err(|e| match e {
        store::Error::Duplicate(_) => Error::conflict("source_exists", format!("there is already a source \"{name}\"")),
        other => other.into(),
    })?;
    audit::admin(conn, act, "source_created", name)?;
    Ok(source)
}

/// Changes a source; it, as it is then. `version` is the one that must be in force, if any.
///
/// # Errors
/// When there is none of that name, it was changed meanwhile, or a part of the change makes no sense.
pub fn change(conn: &mut Conn, act: &Act, name: &str, version: Option<i64>, change: &Change) -> Result<ScimSource> {
    let before = named(conn, &act.tenant, name)?;
    if version.is_some_and(|v| v != before.version) {
        return Err(Error::Stale);
    }
    let mut after = check(&before, change)?;
    if after == before {
        return Ok(before);
    }
    if !sources::save(conn, &after)? {
        return Err(Error::Busy("the source was changed at the same time".to_owned()));
    }
    tenants::bump_auth_epoch(conn)?;
    after.version += 1;
    let what = if before.state == after.state { name.to_owned() } else { format!("{name}: {}", after.state.as_str()) };
    audit::admin(conn, act, "source_changed", &what)?;
    Ok(after)
}

/// Refuses what is no name of a source.
///
/// # Errors
/// A sentence that says what is.
pub(super) fn check_name(name: &str) -> Result<()> {
    tenant::check_name(name).map_err(|e| Error::Invalid(e.replace("tenant name", "name of a source")))
}

/// A source with a change put over it.
///
/// # Errors
/// When a name is no name, or a part of the change makes no sense.
pub(super) fn check(before: &ScimSource, change: &Change) -> Result<ScimSource> {
    check_name(&before.name)?;
    let mut after = before.clone();
    after.idp = change.idp.unwrap_or(before.idp);
    after.state = change.state.unwrap_or(before.state);
    after.capabilities = change.capabilities.unwrap_or(before.capabilities);
    for (name, on) in &change.tolerances {
        if Quirk::named(name).is_none() {
            let known: Vec<&str> = Quirk::ALL.iter().map(|q| q.name()).collect();
            return Err(Error::Invalid(format!("tolerances: \"{name}\" is none; these are: {}", known.join(", "))));
        }
        match on {
            Some(on) => drop(after.tolerances.insert(name.clone(), *on)),
            None => drop(after.tolerances.remove(name)),
        }
    }
    if let Some(ca) = &change.client_ca {
        if let Some(pem) = ca {
            certificates::check_ca(pem).map_err(|e| Error::Invalid(format!("client_ca: {e}")))?;
        }
        after.client_ca.clone_from(ca);
    }
    Ok(after)
}

/// Removes a source that is detached. Its tokens and OAuth clients are revoked, its outside issuers trusted no more; nobody is
/// deactivated.
///
/// # Errors
/// When there is none of that name, it is not detached, or it is the one that every tenant has.
pub fn delete(conn: &mut Conn, act: &Act, name: &str) -> Result<()> {
    let found = named(conn, &act.tenant, name)?;
    if name == source::DEFAULT {
        return Err(Error::conflict("default_source", "the source \"default\" stays; detach it instead"));
    }
    if found.state != SourceState::Detached {
        return Err(Error::conflict("source_in_use", format!("source \"{name}\" is {}; detach it first", found.state.as_str())));
    }
    let revoked = tokens::revoke_all(conn, act.tenant.id, name, act.now)?;
    clients::revoke_all(conn, act.tenant.id, name, act.now)?;
    issuers::delete_all(conn, act.tenant.id, name)?;
    sources::delete(conn, act.tenant.id, name)?;
    tenants::bump_auth_epoch(conn)?;
    audit::admin(conn, act, "source_deleted", &format!("{name}, {revoked} token(s) revoked"))
}

/// The identity provider of a source.
#[must_use]
pub fn idp(tenant: &Tenant, source: &ScimSource) -> Idp {
    source.idp.unwrap_or(tenant.idp)
}

/// The tolerances that are switched on or off by hand.
#[must_use]
pub fn tuning(source: &ScimSource) -> Tuning {
    let mut tuning = Tuning::default();
    for (name, on) in &source.tolerances {
        if let Some(quirk) = Quirk::named(name) {
            tuning.set(quirk, *on);
        }
    }
    tuning
}

/// The tolerances that are on for a source when a request shows nothing more.
#[must_use]
pub fn tolerances(tenant: &Tenant, source: &ScimSource) -> Vec<&'static str> {
    dialect(tenant, source).quirks().iter().map(Quirk::name).collect()
}

/// Whether a source keeps the interop profile, so that its discovery says so.
#[must_use]
pub fn keeps_interop(tenant: &Tenant, source: &ScimSource) -> bool {
    interop::is_kept(&dialect(tenant, source))
}

fn dialect(tenant: &Tenant, source: &ScimSource) -> Dialect {
    Dialect::new(super::declared(idp(tenant, source)), tuning(source), &Client::default())
}

/// Whether a tolerance is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    On,
    Off,
    /// On for a request that shows that its sender needs it.
    ByEvidence,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// What the source declares.
    Profile,
    /// An admin.
    Hand,
}

/// A tolerance of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tolerance {
    pub name: &'static str,
    pub switch: Switch,
    pub by: By,
    /// What is sent, and what is made of it.
    pub about: &'static str,
}

/// Every tolerance, and why it is on or off for a source.
#[must_use]
pub fn explained(tenant: &Tenant, source: &ScimSource) -> Vec<Tolerance> {
    let declared = super::declared(idp(tenant, source));
    let (on, shown) = (Quirks::of(declared), Quirks::by_evidence(declared));
    let one = |quirk: &Quirk| {
        let (switch, by) = match source.tolerances.get(quirk.name()) {
            Some(true) => (Switch::On, By::Hand),
            Some(false) => (Switch::Off, By::Hand),
            None if on.has(*quirk) => (Switch::On, By::Profile),
            None if shown.has(*quirk) => (Switch::ByEvidence, By::Profile),
            None => (Switch::Off, By::Profile),
        };
        Tolerance { name: quirk.name(), switch, by, about: quirk.about() }
    };
    Quirk::ALL.iter().map(one).collect()
}

impl Tolerance {
    /// Whether it is on, and who says so, for people.
    #[must_use]
    pub fn why(&self) -> &'static str {
        match (self.switch, self.by) {
            (Switch::On, By::Profile) => "on",
            (Switch::Off, By::Profile) => "off",
            (Switch::ByEvidence, _) => "by evidence",
            (Switch::On, By::Hand) => "on by hand",
            (Switch::Off, By::Hand) => "off by hand",
        }
    }
}
