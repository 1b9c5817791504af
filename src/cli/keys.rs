//! `rollbook key`.

use super::admin::{hinted, open};
use super::args::KeyCommand;
use super::desk::Desk;
use super::{Outcome, say};
use crate::app::clock;
use crate::config::Config;
use crate::domain::{AdminKey, Scopes};
use crate::scim::value::write_time;
use crate::service::admin_keys::{self, Order};
use crate::store::backend;
use serde_json::{Value, json};

pub fn run(config: &Config, actor: &str, command: &KeyCommand) -> Outcome {
    let now = clock(config)();
    match command {
        KeyCommand::Create { tenant, name, expires, scope, quiet } => {
            let scopes = if scope.is_empty() { Scopes::ALL } else { Scopes::parse_admin(&scope.join(" "))? };
            let order = Order { name: name.clone(), scopes, expires_at: expires.map(|d| now + d) };
            let (key, secret) = match tenant {
                Some(tenant) => Desk::open(config, actor, tenant)?.write(|c, act| admin_keys::issue_for(c, act, &order))?,
                None => backend::write(&mut open(config)?, |c| admin_keys::issue(c, None, &order, now)).map_err(|e| hinted(&e, ""))?,
            };
            say(&secret)?;
            if *quiet {
                return Ok(());
            }
            let opens = tenant.as_ref().map_or_else(|| "all tenants".to_owned(), |t| format!("tenant {t}"));
            say(&format!(
                "\nThis is key {} of the admin API. It opens {opens}, with the scopes {}. It is not stored and cannot be shown again.",
                key.id,
                key.scopes.admin()
            ))
        }
        KeyCommand::List { tenant, json } => {
            let list = match tenant {
                Some(tenant) => Desk::open(config, actor, tenant)?.read(|c, act| admin_keys::list(c, Some(&act.tenant), "", i64::MAX))?,
                None => admin_keys::list(&mut open(config)?, None, "", i64::MAX).map_err(|e| hinted(&e, ""))?,
            };
            show(&list, *json, now)
        }
        KeyCommand::Revoke { id, tenant } => {
            match tenant {
                Some(tenant) => Desk::open(config, actor, tenant)?.write(|c, act| admin_keys::revoke_for(c, act, id))?,
                None => backend::write(&mut open(config)?, |c| admin_keys::revoke(c, None, id, now)).map_err(|e| hinted(&e, ""))?,
            }
            say(&format!("key {id} is revoked"))
        }
    }
}

fn show(list: &[AdminKey], as_json: bool, now: i64) -> Outcome {
    let time = |t: Option<i64>| t.map_or_else(|| "-".to_owned(), write_time);
    let state = |k: &AdminKey| match k {
        _ if k.revoked_at.is_some() => "revoked",
        _ if k.is_live(now) => "live",
        _ => "expired",
    };
    if as_json {
        let rows = list.iter().map(|k| {
            json!({
                "id": k.id, "name": k.name, "scopes": k.scopes.admin(), "state": state(k), "created": write_time(k.created_at),
                "expires": k.expires_at.map(write_time), "lastUsed": k.last_used_at.map(write_time), "revoked": k.revoked_at.map(write_time)
            })
        });
        return say(&Value::Array(rows.collect()).to_string());
    }
    if list.is_empty() {
        return say("there is no such key; `rollbook key create` makes one");
    }
    say(&format!("{:<36} {:<8} {:<23} {:<28} {:<28} NAME", "ID", "STATE", "SCOPES", "EXPIRES", "LAST USED"))?;
    list.iter().try_for_each(|k| {
        say(&format!(
            "{:<36} {:<8} {:<23} {:<28} {:<28} {}",
            k.id,
            state(k),
            k.scopes.admin(),
            time(k.expires_at),
            time(k.last_used_at),
            k.name
        ))
    })
}
