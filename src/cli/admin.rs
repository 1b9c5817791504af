//! `rollbook tenant`, `rollbook token`, `rollbook notes`: they work on the database and may run while servers do.

use super::args::{TenantCommand, TokenCommand};
use super::{Outcome, say};
use crate::app::clock;
use crate::config::Config;
use crate::domain::{Scopes, Settings, State, Tenant, Token, TokenKind};
use crate::scim::dialect::Quirks;
use crate::scim::value::write_time;
use crate::service::tenants::{self, Refused, Shown};
use crate::service::{declared, notes as recorded, tokens};
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

fn write<T>(config: &Config, f: impl FnOnce(&mut Conn) -> Result<T, Refused>) -> Result<T, String> {
    backend::write(&mut open(config)?, f).map_err(|e| e.to_string())
}

fn read<T>(config: &Config, f: impl FnOnce(&mut Conn) -> Result<T, Refused>) -> Result<T, String> {
    f(&mut open(config)?).map_err(|e| e.to_string())
}

pub fn tenant(config: &Config, command: &TenantCommand) -> Outcome {
    let now = clock(config)();
    match command {
        TenantCommand::Create { name, idp, unique_group_names } => {
            let made = write(config, |c| tenants::create(c, name, *idp, *unique_group_names, now))?;
            say(&format!(
                "tenant {} made (identity provider: {}); `rollbook token issue {}` gives it a token",
                made.name, made.idp, made.name
            ))
        }
        TenantCommand::Set { name, settings, json } => {
            let kept = write(config, |c| tenants::set(c, name, settings))?;
            show_settings(&kept, *json)
        }
        TenantCommand::List { json } => list_tenants(&read(config, tenants::list)?, *json),
        TenantCommand::Show { name, json } => show_tenant(&read(config, |c| tenants::show(c, name, now))?, *json),
    }
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
    let quirks: Vec<&str> = Quirks::of(declared(t.idp)).iter().map(crate::scim::Quirk::name).collect();
    if as_json {
        let seen = shown.evidence.iter().map(|(p, s, at)| json!({"provider": p, "signal": s, "lastSeen": write_time(*at)}));
        let more = json!({
            "users": shown.users, "members": states(&shown.roll), "groups": shown.groups, "liveTokens": shown.live_tokens,
            "seen": seen.collect::<Vec<_>>(), "tolerances": quirks
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
    say(&format!("tolerances          {}", quirks.join(" ")))
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

pub fn token(config: &Config, command: &TokenCommand) -> Outcome {
    let now = clock(config)();
    match command {
        TokenCommand::Issue { tenant, name, expires, scope, jwt, quiet } => {
            let scopes = if scope.is_empty() { Scopes::ALL } else { Scopes::parse(&scope.join(" "))? };
            let order = tokens::Order {
                kind: if *jwt { TokenKind::Jwt } else { TokenKind::Opaque },
                name: name.clone(),
                scopes,
                expires_at: expires.map(|d| now + d),
            };
            let (kept, secret) = write(config, |c| tokens::issue(c, tenant, &order, now))?;
            if *quiet {
                return say(&secret);
            }
            say(&secret)?;
            say(&format!(
                "\nThis is token {} of tenant {tenant}, with the scopes {}. It is not stored and cannot be shown again.",
                kept.id, kept.scopes
            ))
        }
        TokenCommand::List { tenant, json } => list_tokens(&read(config, |c| tokens::list(c, tenant))?, *json, now),
        TokenCommand::Revoke { tenant, id } => {
            write(config, |c| tokens::revoke(c, tenant, id, now))?;
            say(&format!("token {id} is revoked"))
        }
    }
}

fn list_tokens(list: &[Token], as_json: bool, now: i64) -> Outcome {
    let time = |t: Option<i64>| t.map_or_else(|| "-".to_owned(), write_time);
    let state = |t: &Token| match t {
        _ if t.revoked_at.is_some() => "revoked",
        _ if t.is_live(now) => "live",
        _ => "expired",
    };
    if as_json {
        let rows = list.iter().map(|t| {
            json!({
                "id": t.id, "name": t.name, "kind": t.kind.as_str(), "scopes": t.scopes.to_string(), "state": state(t),
                "created": write_time(t.created_at), "expires": t.expires_at.map(write_time),
                "lastUsed": t.last_used_at.map(write_time), "revoked": t.revoked_at.map(write_time)
            })
        });
        return say(&Value::Array(rows.collect()).to_string());
    }
    if list.is_empty() {
        return say("the tenant has no token; `rollbook token issue` makes one");
    }
    say(&format!(
        "{:<36} {:<8} {:<7} {:<20} {:<28} {:<28} {:<22} NAME",
        "ID", "STATE", "KIND", "SCOPES", "EXPIRES", "LAST USED", "CREATED"
    ))?;
    list.iter().try_for_each(|t| {
        say(&format!(
            "{:<36} {:<8} {:<7} {:<20} {:<28} {:<28} {:<22} {}",
            t.id,
            state(t),
            t.kind.as_str(),
            t.scopes.to_string(),
            time(t.expires_at),
            time(t.last_used_at),
            time(Some(t.created_at)),
            t.name
        ))
    })
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
