//! Tenants: made, listed and shown by the operator.

use crate::domain::tenant::check_name;
use crate::domain::{Idp, Settings, State, Tenant};
use crate::store::error::Field;
use crate::store::{self, Conn, Kind, counts, notes, tenants};
use serde_json::Value;

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
    /// How many members are in each state; in quarantine twice, for those that identity providers still see and the others.
    pub roll: Vec<(State, i64)>,
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
        roll: store::roll::tally(conn, tenant.id)?,
        groups: counts::total(conn, tenant.id, &[Kind::Group])?,
        live_tokens: tokens.iter().filter(|t| t.is_live(now)).count(),
        evidence: notes::evidence(conn, tenant.id)?,
        tenant,
    })
}

/// Changes settings of a tenant, each as `name=value`; an empty value means the default, `none` an empty list. All of them, as they are then.
///
/// # Errors
/// A sentence that names the setting. Nothing is changed then.
pub fn set(conn: &mut Conn, name: &str, changes: &[String]) -> Result<Settings, Refused> {
    let tenant = named(conn, name)?;
    if changes.is_empty() {
        return Ok(tenant.settings);
    }
    let object = |s: &Settings| serde_json::to_value(s).unwrap_or_default().as_object().cloned().unwrap_or_default();
    let (mut all, defaults) = (object(&tenant.settings), object(&Settings::default()));
    for change in changes {
        let (key, text) = change.split_once('=').ok_or_else(|| Refused::Invalid(format!("\"{change}\" is not NAME=VALUE")))?;
        let default = defaults.get(key).ok_or_else(|| {
            let known: Vec<&str> = defaults.keys().map(String::as_str).collect();
            Refused::Invalid(format!("\"{key}\" is no setting; these are: {}", known.join(", ")))
        })?;
        all.insert(key.to_owned(), if text.is_empty() { default.clone() } else { value(key, text, default)? });
    }
    let settings: Settings = serde_json::from_value(Value::Object(all)).map_err(|e| Refused::Invalid(e.to_string()))?;
    settings.check().map_err(Refused::Invalid)?;
    tenants::save_settings(conn, tenant.id, &settings)?;
    tenants::bump_auth_epoch(conn)?;
    Ok(settings)
}

/// The value of a setting, of the kind that its default has; of a list, the parts between commas.
fn value(key: &str, text: &str, like: &Value) -> Result<Value, Refused> {
    let bad = |what: &str| Refused::Invalid(format!("{key}: \"{text}\" is {what}"));
    Ok(match like {
        Value::Bool(_) => Value::Bool(text.parse().map_err(|_| bad("neither true nor false"))?),
        Value::Number(_) => Value::from(text.parse::<u16>().map_err(|_| bad("no whole number"))?),
        Value::Array(_) if text == "none" => Value::Array(Vec::new()),
        Value::Array(_) if key == "remind_days" => {
            let days: Result<Vec<u16>, _> = text.split(',').map(|d| d.trim().parse()).collect();
            Value::from(days.map_err(|_| bad("no list of whole numbers"))?)
        }
        Value::Array(_) => text.split(',').map(str::trim).filter(|t| !t.is_empty()).collect(),
        Value::Null | Value::String(_) | Value::Object(_) => Value::from(text),
    })
}
