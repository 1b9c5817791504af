//! Tenants: made, listed and shown by the operator.

use super::audit;
use super::roll::{Act, Hand};
use crate::domain::tenant::check_name;
use crate::domain::{Idp, ScimSource, Settings, State, Tenant, source};
use crate::error::{Error, Result};
use crate::store::error::Field;
use crate::store::{self, Conn, Kind, counts, notes, sources, tenants};
use serde_json::{Map, Value};
use std::fmt;

/// Makes a tenant, with its first source.
///
/// # Errors
/// When the name is no name, or is taken.
pub fn create(conn: &mut Conn, hand: &Hand, name: &str, idp: Idp, unique_group_names: Option<bool>) -> Result<Tenant> {
    check_name(name).map_err(Error::Invalid)?;
    let unique = unique_group_names.unwrap_or_else(|| idp.has_unique_group_names());
    let tenant = tenants::insert(conn, name, idp, unique, hand.now).map_err(|e| match e {
        store::Error::Duplicate(Field::TenantName) => Error::conflict("tenant_exists", format!("there is already a tenant \"{name}\"")),
        other => other.into(),
    })?;
    sources::insert(conn, &ScimSource::new(tenant.id, source::DEFAULT, hand.now))?;
    audit::of_tenant(conn, tenant.id, hand, "tenant_created", &format!("provider {idp}"))?;
    Ok(tenant)
}

/// The tenant of that name.
///
/// # Errors
/// When there is none.
pub fn named(conn: &mut Conn, name: &str) -> Result<Tenant> {
    tenants::find(conn, name)?.ok_or_else(|| Error::missing("tenant", format!("there is no tenant \"{name}\"")))
}

/// All tenants, by name.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn) -> Result<Vec<Tenant>> {
    Ok(tenants::list(conn)?)
}

/// Tenants by name, after `after`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<Tenant>> {
    Ok(tenants::page(conn, after, limit)?)
}

/// A tenant with what an operator wants to see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub tenant: Tenant,
    pub users: i64,
    /// How many members are in each state; in quarantine twice, for those that identity providers still see and the others.
    pub roll: Vec<(State, i64)>,
    pub groups: i64,
    pub live_tokens: usize,
    pub sources: Vec<ScimSource>,
    /// Which providers its requests have shown: provider, signal, when last.
    pub evidence: Vec<(String, String, i64)>,
}

/// Shows a tenant.
///
/// # Errors
/// When there is none of that name.
pub fn show(conn: &mut Conn, name: &str, now: i64) -> Result<Shown> {
    let tenant = named(conn, name)?;
    let tokens = store::tokens::list(conn, tenant.id)?;
    Ok(Shown {
        users: counts::total(conn, tenant.id, &[Kind::User])?,
        roll: store::roll::tally(conn, tenant.id)?,
        groups: counts::total(conn, tenant.id, &[Kind::Group])?,
        live_tokens: tokens.iter().filter(|t| t.is_live(now)).count(),
        sources: sources::list(conn, tenant.id)?,
        evidence: notes::evidence(conn, tenant.id)?,
        tenant,
    })
}

/// What an admin changes of a tenant. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub idp: Option<Idp>,
    pub unique_group_names: Option<bool>,
    /// By name; null means the default.
    pub settings: Map<String, Value>,
    /// Suspends it, with the reason, or lifts the suspension.
    pub suspended: Option<Option<String>>,
}

/// Changes a tenant; it, as it is then. `version` is the one that must be in force, if any.
///
/// # Errors
/// A sentence that names what is wrong, or [`Error::Stale`]. Nothing is changed then.
pub fn change(conn: &mut Conn, act: &Act, version: Option<i64>, change: &Change) -> Result<Tenant> {
    let before = tenants::get(conn, act.tenant.id)?.ok_or_else(|| Error::missing("tenant", "there is no such tenant"))?;
    if version.is_some_and(|v| v != before.version) {
        return Err(Error::Stale);
    }
    let settings = merged(&before.settings, &change.settings)?;
    let mut after = Tenant { settings, ..before.clone() };
    after.idp = change.idp.unwrap_or(before.idp);
    after.unique_group_names = change.unique_group_names.unwrap_or(before.unique_group_names);
    if let Some(suspended) = &change.suspended {
        audit::check_words("suspension_reason", suspended.as_deref().unwrap_or_default())?;
        after.suspended.clone_from(suspended);
    }
    if after == before {
        return Ok(before);
    }
    if !tenants::save(conn, &after)? {
        return Err(Error::Busy("the tenant was changed at the same time".to_owned()));
    }
    tenants::bump_auth_epoch(conn)?;
    after.version += 1;
    audit::admin(conn, act, "tenant_changed", &changes(&before, &after).join(", "))?;
    Ok(after)
}

/// Changes settings of a tenant, each as `name=value`; an empty value means the default, `none` an empty list. All of them, as they are then.
///
/// # Errors
/// A sentence that names the setting. Nothing is changed then.
pub fn set(conn: &mut Conn, act: &Act, changes: &[String]) -> Result<Settings> {
    let defaults = object(&Settings::default());
    let mut settings = Map::new();
    for change in changes {
        let (key, text) = change.split_once('=').ok_or_else(|| Error::Invalid(format!("\"{change}\" is not NAME=VALUE")))?;
        let default = defaults.get(key).ok_or_else(|| unknown(key))?;
        settings.insert(key.to_owned(), if text.is_empty() { Value::Null } else { value(key, text, default)? });
    }
    Ok(self::change(conn, act, None, &Change { settings, ..Change::default() })?.settings)
}

fn unknown(key: &str) -> Error {
    let known: Vec<String> = object(&Settings::default()).keys().cloned().collect();
    Error::Invalid(format!("\"{key}\" is no setting; these are: {}", known.join(", ")))
}

/// Settings by name.
pub(super) fn object(settings: &Settings) -> Map<String, Value> {
    serde_json::to_value(settings).unwrap_or_default().as_object().cloned().unwrap_or_default()
}

/// Settings with changes put over them.
fn merged(settings: &Settings, changes: &Map<String, Value>) -> Result<Settings> {
    let (mut all, defaults) = (object(settings), object(&Settings::default()));
    for (key, value) in changes {
        let default = defaults.get(key).ok_or_else(|| unknown(key))?;
        all.insert(key.clone(), if value.is_null() { default.clone() } else { value.clone() });
    }
    let out: Settings =
        serde_path_to_error::deserialize(Value::Object(all)).map_err(|e| Error::Invalid(format!("{}: {}", e.path(), e.inner())))?;
    out.check().map_err(Error::Invalid)?;
    Ok(out)
}

/// Settings of which only some are stated; the others have their defaults.
///
/// # Errors
/// A sentence that names the setting.
pub fn stated(some: &Map<String, Value>) -> Result<Settings> {
    let defaults = object(&Settings::default());
    if let Some((key, _)) = some.iter().find(|(key, value)| value.is_null() && defaults.get(*key).is_some_and(|d| !d.is_null())) {
        return Err(Error::Invalid(format!("{key}: null is no value of it; leave it out for the default")));
    }
    merged(&Settings::default(), some)
}

/// What is different, in words that identify nobody.
pub(super) fn changes(before: &Tenant, after: &Tenant) -> Vec<String> {
    let mut out = Vec::new();
    if before.idp != after.idp {
        out.push(format!("provider: {} -> {}", before.idp, after.idp));
    }
    if before.unique_group_names != after.unique_group_names {
        out.push(format!("unique_group_names: {}", after.unique_group_names));
    }
    if before.suspended != after.suspended {
        out.push(after.suspended.as_ref().map_or_else(|| "no longer suspended".to_owned(), |why| format!("suspended: {why}")));
    }
    let (old, new) = (object(&before.settings), object(&after.settings));
    let told = |(key, value): (&String, &Value)| match value {
        Value::Array(addresses) if key == "admin_emails" => format!("{key}: {} of them", addresses.len()),
        value => format!("{key} = {value}"),
    };
    out.extend(new.iter().filter(|(key, value)| old.get(*key) != Some(*value)).map(told));
    out
}

/// Settings that are numbers, and have none by default.
const NUMBERS: [&str; 7] = [
    "page_default",
    "page_max",
    "patch_operations",
    "log_days",
    "requests_per_second_tenant",
    "requests_per_second_token",
    "request_burst",
];

/// The value of a setting, of the kind that its default has; of a list, the parts between commas.
fn value(key: &str, text: &str, like: &Value) -> Result<Value> {
    let bad = |what: &str| Error::Invalid(format!("{key}: \"{text}\" is {what}"));
    Ok(match like {
        Value::Bool(_) => Value::Bool(text.parse().map_err(|_| bad("neither true nor false"))?),
        Value::Number(_) => Value::from(text.parse::<u16>().map_err(|_| bad("no whole number"))?),
        Value::Array(_) if text == "none" => Value::Array(Vec::new()),
        Value::Array(_) if key == "remind_days" => {
            let days: std::result::Result<Vec<u16>, _> = text.split(',').map(|d| d.trim().parse()).collect();
            Value::from(days.map_err(|_| bad("no list of whole numbers"))?)
        }
        Value::Array(_) => text.split(',').map(str::trim).filter(|t| !t.is_empty()).collect(),
        Value::Null if NUMBERS.contains(&key) => Value::from(text.parse::<u32>().map_err(|_| bad("no whole number"))?),
        Value::Null | Value::String(_) | Value::Object(_) => Value::from(text),
    })
}

/// What is lost with a tenant, and what confirms that it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Members of the roll, those in quarantine included.
    pub members: i64,
    pub groups: i64,
    pub live_tokens: i64,
    /// OAuth clients that can fetch tokens.
    pub live_clients: i64,
    /// Outside issuers whose tokens are taken.
    pub issuers: i64,
    /// Good as long as these numbers are.
    pub confirmation: String,
}

impl fmt::Display for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { members, groups, live_tokens, live_clients, issuers, .. } = self;
        write!(
            f,
            "{members} members and {groups} groups, and {live_tokens} live tokens, {live_clients} OAuth clients and {issuers} outside issuers open it"
        )
    }
}

/// The first step of deleting a tenant: what would be lost. Nothing is.
///
/// # Errors
/// When the database fails.
pub fn deletion(conn: &mut Conn, act: &Act) -> Result<Deletion> {
    let shown = show(conn, &act.tenant.name, act.now)?;
    let members = shown.roll.iter().map(|(_, n)| n).sum();
    let live_tokens = i64::try_from(shown.live_tokens).unwrap_or(i64::MAX);
    let live_clients = store::clients::count_live(conn, act.tenant.id)?;
    let issuers = store::issuers::count(conn, act.tenant.id)?;
    let confirmation = act.vault.confirmation(act.tenant.id, &[members, shown.groups, live_tokens, live_clients, issuers]);
    Ok(Deletion { members, groups: shown.groups, live_tokens, live_clients, issuers, confirmation })
}

/// The second step: the tenant with everything that belongs to it is removed, for good.
///
/// # Errors
/// When it is not confirmed, or is another tenant by now than the one that was looked at.
pub fn delete(conn: &mut Conn, act: &Act, confirmation: &str) -> Result<Deletion> {
    let lost = deletion(conn, act)?;
    if lost.confirmation != confirmation {
        let detail = format!(
            "tenant \"{}\" holds {lost}: all of it would be lost. Confirm with the confirmation that goes with these numbers",
            act.tenant.name
        );
        return Err(Error::conflict("confirmation_needed", detail));
    }
    if store::purge::held(conn, act.tenant.id)? {
        return Err(Error::conflict("legal_hold", "a member is under a legal hold; lift it first"));
    }
    tenants::erase(conn, act.tenant.id)?;
    tenants::bump_auth_epoch(conn)?;
    log::warn!("tenant {} was deleted by {}: {} members, {} groups", act.tenant.name, act.actor.name(), lost.members, lost.groups);
    Ok(lost)
}
