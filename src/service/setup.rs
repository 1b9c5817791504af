//! Tenants as a file declares them: what is there is compared with what is wanted, and the difference is made.
//!
//! A file is the whole truth about the settings, the sources and the places that it names. Nothing is deleted because a file is silent
//! about it: neither tenants nor sources; places only where a file lists places. Secrets are in no file.

use super::roll::{Act, Hand};
use super::sources::{self, Change as SourceChange};
use super::tenants::{self, Change as TenantChange};
use super::vault::Vault;
use super::{audit, locations};
use crate::domain::tenant::check_name;
use crate::domain::{Capabilities, Idp, ScimSource, Settings, SourceState, Tenant, source};
use crate::error::{Error, Result};
use crate::store::{self, Conn};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::ToSchema;

/// What a file declares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    #[serde(default)]
    pub tenants: Vec<TenantSetup>,
}

/// A tenant as a file declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantSetup {
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    pub name: String,
    #[serde(default)]
    pub provider: Idp,
    /// Without it: true for entra, else false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_group_names: Option<bool>,
    /// Why it is suspended; without it, it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
    /// The places; without it, they are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locations: Option<Vec<String>>,
    /// By name; what is missing has its default.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Option<Settings>)]
    pub settings: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceSetup>,
}

impl TenantSetup {
    fn unique_group_names(&self) -> bool {
        self.unique_group_names.unwrap_or_else(|| self.provider.has_unique_group_names())
    }
}

/// A source as a file declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSetup {
    pub name: String,
    /// Without it: the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Idp>,
    #[serde(default)]
    pub state: SourceState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<String>,
    #[serde(default)]
    pub capabilities: Capabilities,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tolerances: BTreeMap<String, bool>,
}

/// One difference between what is there and what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Difference {
    pub tenant: String,
    /// In words.
    #[schema(example = "create source \"okta\"")]
    pub change: String,
}

/// The present state, as a file would declare it. Secrets are not in it.
///
/// # Errors
/// When the database fails.
pub fn export(conn: &mut Conn) -> Result<Setup> {
    let all = store::tenants::list(conn)?;
    Ok(Setup { tenants: all.iter().map(|t| present(conn, t)).collect::<Result<_>>()? })
}

fn present(conn: &mut Conn, t: &Tenant) -> Result<TenantSetup> {
    let (all, defaults) = (tenants::object(&t.settings), tenants::object(&Settings::default()));
    let sources = store::sources::list(conn, t.id)?;
    Ok(TenantSetup {
        name: t.name.clone(),
        provider: t.idp,
        unique_group_names: Some(t.unique_group_names),
        suspended: t.suspended.clone(),
        locations: Some(store::locations::list(conn, t.id)?),
        settings: all.into_iter().filter(|(name, value)| defaults.get(name) != Some(value)).collect(),
        sources: sources.into_iter().map(of_source).collect(),
    })
}

fn of_source(s: ScimSource) -> SourceSetup {
    SourceSetup {
        name: s.name,
        provider: s.idp,
        state: s.state,
        client_ca: s.client_ca,
        capabilities: s.capabilities,
        tolerances: s.tolerances,
    }
}

/// What applying would do, without doing it.
///
/// # Errors
/// A sentence that names the tenant and what makes no sense of it.
pub fn plan(conn: &mut Conn, wanted: &Setup) -> Result<Vec<Difference>> {
    let mut out = Vec::new();
    let mut names = BTreeSet::new();
    for tenant in &wanted.tenants {
        if !names.insert(tenant.name.as_str()) {
            return Err(Error::Invalid(format!("tenant \"{}\" is declared twice", tenant.name)));
        }
        let changes = differences(conn, tenant).map_err(|e| within(&tenant.name, e))?;
        out.extend(changes.into_iter().map(|change| Difference { tenant: tenant.name.clone(), change }));
    }
    Ok(out)
}

/// Says of which tenant an error speaks.
fn within(tenant: &str, e: Error) -> Error {
    match e {
        Error::Invalid(text) => Error::Invalid(format!("tenant \"{tenant}\": {text}")),
        Error::Conflict { code, detail } => Error::Conflict { code, detail: format!("tenant \"{tenant}\": {detail}") },
        other => other,
    }
}

fn differences(conn: &mut Conn, wanted: &TenantSetup) -> Result<Vec<String>> {
    let settings = tenants::stated(&wanted.settings)?;
    let mut out = Vec::new();
    check_name(&wanted.name).map_err(Error::Invalid)?;
    let before = if let Some(tenant) = store::tenants::find(conn, &wanted.name)? {
        tenant
    } else {
        out.push(format!("create the tenant (provider: {})", wanted.provider));
        blank(wanted)
    };
    let after = Tenant { settings, suspended: wanted.suspended.clone(), idp: wanted.provider, ..before.clone() };
    let after = Tenant { unique_group_names: wanted.unique_group_names(), ..after };
    out.extend(tenants::changes(&before, &after));
    let mut names = BTreeSet::new();
    for s in &wanted.sources {
        if !names.insert(s.name.as_str()) {
            return Err(Error::Invalid(format!("source \"{}\" is declared twice", s.name)));
        }
        out.extend(source_difference(conn, &before, s)?);
    }
    out.extend(place_differences(conn, &before, wanted)?);
    Ok(out)
}

/// A tenant that is to be made, as it would begin.
fn blank(wanted: &TenantSetup) -> Tenant {
    Tenant {
        id: crate::domain::TenantId(0),
        name: wanted.name.clone(),
        idp: wanted.provider,
        unique_group_names: wanted.unique_group_names(),
        created_at: 0,
        settings: Settings::default(),
        version: 1,
        suspended: None,
        types: 0,
    }
}

fn source_difference(conn: &mut Conn, tenant: &Tenant, wanted: &SourceSetup) -> Result<Option<String>> {
    sources::check_name(&wanted.name)?;
    let present = match store::sources::find(conn, tenant.id, &wanted.name)? {
        None if wanted.name == source::DEFAULT => Some(ScimSource::new(tenant.id, source::DEFAULT, 0)),
        found => found,
    };
    let Some(present) = present else {
        sources::check(&ScimSource::new(tenant.id, &wanted.name, 0), &source_change(wanted, None))?;
        return Ok(Some(format!("create source \"{}\"", wanted.name)));
    };
    let after = sources::check(&present, &source_change(wanted, Some(&present)))?;
    let (old, new) = (serde_json::to_value(of_source(present.clone())), serde_json::to_value(of_source(after)));
    let (Ok(Value::Object(old)), Ok(Value::Object(new))) = (old, new) else { return Ok(None) };
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key)).collect();
    let what: Vec<String> = keys.into_iter().map(|key| format!("{key} = {}", new.get(key).unwrap_or(&Value::Null))).collect();
    Ok((!what.is_empty()).then(|| format!("change source \"{}\": {}", wanted.name, what.join(", "))))
}

/// The change that makes a source what is wanted.
fn source_change(wanted: &SourceSetup, present: Option<&ScimSource>) -> SourceChange {
    let mut tolerances: BTreeMap<String, Option<bool>> = wanted.tolerances.iter().map(|(name, on)| (name.clone(), Some(*on))).collect();
    for name in present.into_iter().flat_map(|p| p.tolerances.keys()) {
        tolerances.entry(name.clone()).or_insert(None);
    }
    SourceChange {
        idp: Some(wanted.provider),
        state: Some(wanted.state),
        capabilities: Some(wanted.capabilities),
        tolerances,
        client_ca: Some(wanted.client_ca.clone()),
    }
}

fn place_differences(conn: &mut Conn, tenant: &Tenant, wanted: &TenantSetup) -> Result<Vec<String>> {
    let Some(places) = &wanted.locations else { return Ok(Vec::new()) };
    let (added, removed) = moves(conn, tenant, places)?;
    let added = added.into_iter().map(|name| format!("add location \"{name}\""));
    Ok(added.chain(removed.into_iter().map(|name| format!("remove location \"{name}\""))).collect())
}

/// The places to be added, and those to be removed.
fn moves(conn: &mut Conn, tenant: &Tenant, places: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let wanted: BTreeSet<String> = places.iter().map(|p| locations::checked(p)).collect::<Result<_>>()?;
    let present: BTreeSet<String> = store::locations::list(conn, tenant.id)?.into_iter().collect();
    Ok((wanted.difference(&present).cloned().collect(), present.difference(&wanted).cloned().collect()))
}

/// Brings about what is wanted, in the transaction under way; what it did. Done twice, it does nothing the second time.
///
/// # Errors
/// As [`plan`]. Nothing is changed then.
pub fn apply(conn: &mut Conn, hand: &Hand, vault: &Arc<Vault>, wanted: &Setup) -> Result<Vec<Difference>> {
    let plan = plan(conn, wanted)?;
    for tenant in &wanted.tenants {
        if plan.iter().any(|d| d.tenant == tenant.name) {
            bring_about(conn, hand, vault, tenant).map_err(|e| within(&tenant.name, e))?;
        }
    }
    Ok(plan)
}

fn bring_about(conn: &mut Conn, hand: &Hand, vault: &Arc<Vault>, wanted: &TenantSetup) -> Result<()> {
    let tenant = match store::tenants::find(conn, &wanted.name)? {
        Some(tenant) => tenant,
        None => tenants::create(conn, hand, &wanted.name, wanted.provider, wanted.unique_group_names)?,
    };
    let act = hand.on(tenant, vault.clone());
    let settings = tenants::object(&tenants::stated(&wanted.settings)?);
    let change = TenantChange {
        idp: Some(wanted.provider),
        unique_group_names: Some(wanted.unique_group_names()),
        settings,
        suspended: Some(wanted.suspended.clone()),
    };
    // What follows goes by the settings that are wanted.
    let act = Act { tenant: Arc::new(tenants::change(conn, &act, None, &change)?), ..act };
    for s in &wanted.sources {
        match store::sources::find(conn, act.tenant.id, &s.name)? {
            Some(present) => sources::change(conn, &act, &s.name, None, &source_change(s, Some(&present))).map(drop)?,
            None => sources::create(conn, &act, &s.name, &source_change(s, None)).map(drop)?,
        }
    }
    if let Some(places) = &wanted.locations {
        let (added, removed) = moves(conn, &act.tenant, places)?;
        added.iter().try_for_each(|name| locations::add(conn, &act, name).map(drop))?;
        removed.iter().try_for_each(|name| locations::remove(conn, &act, name).map(drop))?;
    }
    audit::admin(conn, &act, "setup_applied", "")
}
