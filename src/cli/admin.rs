//! `rollbook tenant`, `rollbook notes`: they work on the database and may run while servers do.

use super::args::TenantCommand;
use super::desk::{Desk, hand};
use super::{Outcome, say};
use crate::app::clock;
use crate::config::Config;
use crate::domain::{ScimSource, Settings, State, Tenant};
use crate::error::{Error, Result as Done};
use crate::scim::value::write_time;
use crate::service::sources::{By, Switch};
use crate::service::tenants::{self, Change, Shown};
use crate::service::{notes as recorded, sources};
use crate::store::Conn;
use crate::store::backend::{self, Database};
use serde_json::{Value, json};

/// A connection to a database whose tables are up to date.
pub fn open(config: &Config) -> Result<Conn, String> {
    let mut conn = Database::parse(&config.database.url)?.connect().map_err(|e| e.to_string())?;
    if config.database.migrate {
        backend::migrate(&mut conn).map_err(|e| e.to_string())?;
    }
    Ok(conn)
}

fn write<T>(config: &Config, f: impl FnOnce(&mut Conn) -> Done<T>) -> Result<T, String> {
    backend::write(&mut open(config)?, f).map_err(|e| hinted(&e, ""))
}

fn read<T>(config: &Config, f: impl FnOnce(&mut Conn) -> Done<T>) -> Result<T, String> {
    f(&mut open(config)?).map_err(|e| hinted(&e, ""))
}

/// An error in words, with the command that shows what there is.
pub fn hinted(e: &Error, tenant: &str) -> String {
    match e {
        Error::Missing { what: "tenant", detail } => format!("{detail}; `rollbook tenant list` shows those that exist"),
        Error::Missing { what: what @ ("source" | "token" | "location" | "client" | "issuer"), detail } => {
            format!("{detail}; `rollbook {what} list {tenant}` shows those that exist")
        }
        Error::Missing { what: "key", detail } => format!("{detail}; `rollbook key list` shows those that exist"),
        Error::Missing { what: "code", detail } => format!("{detail}; `rollbook code issue` makes one"),
        other => other.to_string(),
    }
}

pub fn tenant(config: &Config, actor: &str, command: &TenantCommand) -> Outcome {
    let now = clock(config)();
    match command {
        TenantCommand::Create { name, idp, unique_group_names } => {
            let hand = hand(config, actor);
            let made = write(config, |c| tenants::create(c, &hand, name, *idp, *unique_group_names))?;
            say(&format!(
                "tenant {} made (identity provider: {}); `rollbook token issue {}` gives it a token",
                made.name, made.idp, made.name
            ))
        }
        TenantCommand::Set { name, settings, idp, unique_group_names, json } => {
            let mut desk = Desk::open(config, actor, name)?;
            let change = Change { idp: *idp, unique_group_names: *unique_group_names, ..Change::default() };
            desk.write(|c, act| tenants::change(c, act, None, &change))?;
            show_settings(&desk.write(|c, act| tenants::set(c, act, settings))?, *json)
        }
        TenantCommand::Suspend { name, reason } => {
            let change = Change { suspended: Some(Some(reason.clone().unwrap_or_default())), ..Change::default() };
            Desk::open(config, actor, name)?.write(|c, act| tenants::change(c, act, None, &change))?;
            say(&format!("tenant {name} is suspended; `rollbook tenant resume {name}` ends that"))
        }
        TenantCommand::Resume { name } => {
            let change = Change { suspended: Some(None), ..Change::default() };
            Desk::open(config, actor, name)?.write(|c, act| tenants::change(c, act, None, &change))?;
            say(&format!("tenant {name} is no longer suspended"))
        }
        TenantCommand::Delete { name, confirm } => delete_tenant(&mut Desk::open(config, actor, name)?, confirm.as_deref()),
        TenantCommand::List { json } => list_tenants(&read(config, tenants::list)?, *json),
        TenantCommand::Show { name, json } => show_tenant(&read(config, |c| tenants::show(c, name, now))?, *json),
    }
}

fn delete_tenant(desk: &mut Desk, confirm: Option<&str>) -> Outcome {
    let name = desk.tenant().to_owned();
    let Some(confirmation) = confirm else {
        let lost = desk.read(tenants::deletion)?;
        return say(&format!(
            "tenant {name} holds {lost}. All of it would be lost for good; nothing is yet.\n\
             `rollbook tenant delete {name} --confirm {}` deletes it.",
            lost.confirmation
        ));
    };
    let lost = desk.write(|c, act| tenants::delete(c, act, confirmation))?;
    desk.scrub();
    say(&format!("tenant {name} is deleted, with {} members and {} groups", lost.members, lost.groups))
}

fn show_settings(settings: &Settings, as_json: bool) -> Outcome {
    let all = serde_json::to_value(settings).unwrap_or_default();
    if as_json {
        return say(&all.to_string());
    }
    let Value::Object(all) = all else { return Ok(()) };
    all.iter().try_for_each(|(name, value)| {
        let text = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(list) => {
                list.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        say(&format!("{name:<17} {text}"))
    })
}

fn tenant_json(t: &Tenant) -> Value {
    json!({"name": t.name, "idp": t.idp.as_str(), "uniqueGroupNames": t.unique_group_names, "created": write_time(t.created_at)})
}

fn list_tenants(list: &[Tenant], as_json: bool) -> Outcome {
    if as_json {
        return say(&Value::Array(list.iter().map(tenant_json).collect()).to_string());
    }
    if list.is_empty() {
        return say("there is no tenant yet; `rollbook tenant create NAME` makes one");
    }
    say(&format!("{:<30} {:<9} CREATED", "NAME", "PROVIDER"))?;
    list.iter().try_for_each(|t| say(&format!("{:<30} {:<9} {}", t.name, t.idp.as_str(), write_time(t.created_at))))
}

fn show_tenant(shown: &Shown, as_json: bool) -> Outcome {
    let t = &shown.tenant;
    let of_sources: Vec<Value> = shown
        .sources
        .iter()
        .map(|s| {
            json!({
                "name": s.name, "provider": sources::idp(t, s).as_str(), "state": s.state.as_str(),
                "tolerances": sources::tolerances(t, s), "byHand": s.tolerances, "byEvidence": named(t, s, Switch::ByEvidence, None),
                "interopConformant": sources::keeps_interop(t, s)
            })
        })
        .collect();
    if as_json {
        let seen = shown.evidence.iter().map(|(p, s, at)| json!({"provider": p, "signal": s, "lastSeen": write_time(*at)}));
        let more = json!({
            "users": shown.users, "members": states(&shown.roll), "groups": shown.groups, "liveTokens": shown.live_tokens,
            "seen": seen.collect::<Vec<_>>(), "sources": of_sources, "suspended": t.suspended
        });
        let (Value::Object(mut out), Value::Object(more)) = (tenant_json(t), more) else { return Ok(()) };
        out.extend(more);
        return say(&Value::Object(out).to_string());
    }
    say(&format!("name                {}", t.name))?;
    say(&format!("identity provider   {} (declared)", t.idp))?;
    for (provider, signal, at) in &shown.evidence {
        say(&format!("seen                {provider}, by {signal}, last at {}", write_time(*at)))?;
    }
    say(&format!("unique group names  {}", t.unique_group_names))?;
    say(&format!("created             {}", write_time(t.created_at)))?;
    say(&format!("users               {}", shown.users))?;
    for (state, n) in states(&shown.roll).as_object().into_iter().flatten() {
        say(&format!("  {state:<18}{n}"))?;
    }
    say(&format!("groups              {}", shown.groups))?;
    say(&format!("live tokens         {}", shown.live_tokens))?;
    if let Some(why) = &t.suspended {
        say(&format!("suspended           {}", if why.is_empty() { "yes" } else { why }))?;
    }
    shown.sources.iter().try_for_each(|s| {
        say(&format!("source              {} ({}, {})", s.name, sources::idp(t, s), s.state.as_str()))?;
        let lines = [
            ("by profile", named(t, s, Switch::On, Some(By::Profile))),
            ("by evidence", named(t, s, Switch::ByEvidence, None)),
            ("on by hand", named(t, s, Switch::On, Some(By::Hand))),
            ("off by hand", named(t, s, Switch::Off, Some(By::Hand))),
        ];
        say("  tolerances")?;
        let some = lines.iter().filter(|(_, names)| !names.is_empty());
        some.map(|(why, names)| (why, names.join(" "))).try_for_each(|(why, names)| say(&format!("    {why:<16}{names}")))
    })
}

/// The tolerances of a source that are switched so, by their names.
fn named(tenant: &Tenant, source: &ScimSource, switch: Switch, by: Option<By>) -> Vec<&'static str> {
    let all = sources::explained(tenant, source);
    all.iter().filter(|one| one.switch == switch && by.is_none_or(|by| one.by == by)).map(|one| one.name).collect()
}

/// How many members are in each state, by its word.
fn states(roll: &[(State, i64)]) -> Value {
    let mut out = serde_json::Map::new();
    for (state, n) in roll {
        let sum = out.get(state.as_str()).and_then(Value::as_i64).unwrap_or(0) + n;
        out.insert(state.as_str().to_owned(), Value::from(sum));
    }
    Value::Object(out)
}

pub fn notes(config: &Config, tenant: &str, limit: u32) -> Outcome {
    let entries = read(config, |c| {
        let tenant = tenants::named(c, tenant)?;
        Ok(recorded::list(c, &tenant, i64::from(limit))?)
    })?;
    if entries.is_empty() {
        return say("nothing had to be tolerated");
    }
    for e in entries {
        let by = match (&e.provider, &e.signal) {
            (Some(p), Some(s)) => format!(" ({p}, by {s})"),
            _ => String::new(),
        };
        say(&format!("{} {} {} request {}{by}", write_time(e.at), e.method, e.target, e.request_id))?;
        let list: Vec<Value> = serde_json::from_str(&e.notes).unwrap_or_default();
        for note in list {
            let text = |key: &str| note.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            say(&format!("    {:<26} {}", text("quirk"), text("text")))?;
        }
    }
    Ok(())
}
