//! `rollbook source`.

use super::args::SourceCommand;
use super::desk::Desk;
use super::{Outcome, say};
use crate::config::Config;
use crate::domain::{Capabilities, ScimSource, SourceState};
use crate::scim::value::write_time;
use crate::service::Act;
use crate::service::sources::{self, Change};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn run(config: &Config, actor: &str, command: &SourceCommand) -> Outcome {
    match command {
        SourceCommand::Create { tenant, name, idp } => {
            let change = Change { idp: Some(*idp), ..Change::default() };
            Desk::open(config, actor, tenant)?.write(|c, act| sources::create(c, act, name, &change))?;
            say(&format!("source {name} made; `rollbook token issue {tenant} --source {name}` gives it a token"))
        }
        SourceCommand::List { tenant, json } => {
            let all = Desk::open(config, actor, tenant)?.read(|c, act| Ok((sources::list(c, act)?, act.clone())))?;
            list(&all.0, &all.1, *json)
        }
        SourceCommand::Show { tenant, name, json } => {
            let mut desk = Desk::open(config, actor, tenant)?;
            let (source, act) = desk.read(|c, act| Ok((sources::named(c, &act.tenant, name)?, act.clone())))?;
            show(&source, &act, *json)
        }
        SourceCommand::Set { tenant, name, changes } => {
            let mut desk = Desk::open(config, actor, tenant)?;
            let present = desk.read(|c, act| sources::named(c, &act.tenant, name))?;
            let change = parsed(changes, present.capabilities)?;
            let after = desk.write(|c, act| sources::change(c, act, name, Some(present.version), &change))?;
            say(&format!("source {name} is {}", after.state.as_str()))
        }
        SourceCommand::Delete { tenant, name } => {
            Desk::open(config, actor, tenant)?.write(|c, act| sources::delete(c, act, name))?;
            say(&format!("source {name} is deleted; nobody was deactivated"))
        }
    }
}

/// Reads `state=paused`, `provider=okta`, `create=false`, `tolerance.string_boolean=true`, `client_ca=FILE`; an empty value is the default.
fn parsed(changes: &[String], mut capabilities: Capabilities) -> Result<Change, String> {
    let mut out = Change { tolerances: BTreeMap::new(), ..Change::default() };
    for text in changes {
        let (key, value) = text.split_once('=').ok_or_else(|| format!("\"{text}\" is not NAME=VALUE"))?;
        let flag = || match value {
            "" | "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("{key}: \"{other}\" is neither true nor false")),
        };
        match key {
            "state" => {
                let unknown = || format!("state: \"{value}\" is none; active, paused and detached are");
                out.state = Some(if value.is_empty() { SourceState::Active } else { SourceState::of(value).ok_or_else(unknown)? });
            }
            "provider" => out.idp = Some(if value.is_empty() { None } else { Some(value.parse()?) }),
            "create" => capabilities.create = flag()?,
            "deactivate" => capabilities.deactivate = flag()?,
            "reactivate" => capabilities.reactivate = flag()?,
            "groups" => capabilities.groups = flag()?,
            "client_ca" => {
                let file = |path: &str| std::fs::read_to_string(path).map_err(|e| format!("client_ca: {path}: {e}"));
                out.client_ca = Some(if value.is_empty() { None } else { Some(file(value)?) });
            }
            other => {
                let name = other.strip_prefix("tolerance.").ok_or_else(|| {
                    format!("\"{other}\" is nothing that a source has; state, provider, create, deactivate, reactivate, groups, client_ca and tolerance.NAME are")
                })?;
                out.tolerances.insert(name.to_owned(), if value.is_empty() { None } else { Some(flag()?) });
            }
        }
    }
    out.capabilities = Some(capabilities);
    Ok(out)
}

fn show(s: &ScimSource, act: &Act, as_json: bool) -> Outcome {
    let (t, all) = (&act.tenant, sources::explained(&act.tenant, s));
    if as_json {
        let shown = json!({
            "name": s.name, "provider": sources::idp(t, s).as_str(), "providerIsTheTenants": s.idp.is_none(), "state": s.state.as_str(),
            "capabilities": s.capabilities, "clientCa": s.client_ca.is_some(), "interopConformant": sources::keeps_interop(t, s),
            "tolerances": all, "created": write_time(s.created_at)
        });
        return say(&shown.to_string());
    }
    let whose = if s.idp.is_none() { " (the tenant's)" } else { "" };
    say(&format!("name                {}", s.name))?;
    say(&format!("provider            {}{whose}", sources::idp(t, s)))?;
    say(&format!("state               {}", s.state.as_str()))?;
    say(&format!("interop profile     {}", if sources::keeps_interop(t, s) { "kept and announced" } else { "not announced" }))?;
    let c = s.capabilities;
    let words = [("create", c.create), ("deactivate", c.deactivate), ("reactivate", c.reactivate), ("groups", c.groups)];
    let may: Vec<&str> = words.iter().filter(|(_, may)| *may).map(|(word, _)| *word).collect();
    say(&format!("may                 {}", if may.is_empty() { "update only".to_owned() } else { may.join(" ") }))?;
    say(&format!("client certificate  {}", if s.client_ca.is_some() { "demanded" } else { "not demanded" }))?;
    say(&format!("created             {}", write_time(s.created_at)))?;
    say("tolerances")?;
    all.iter().try_for_each(|one| say(&format!("  {:<26} {:<12} {}", one.name, one.why(), one.about)))
}

fn list(all: &[ScimSource], act: &Act, as_json: bool) -> Outcome {
    let provider = |s: &ScimSource| sources::idp(&act.tenant, s).as_str();
    if as_json {
        let rows = all.iter().map(|s| {
            json!({
                "name": s.name, "provider": provider(s), "state": s.state.as_str(), "capabilities": s.capabilities,
                "tolerances": s.tolerances, "clientCa": s.client_ca.is_some(), "created": write_time(s.created_at)
            })
        });
        return say(&Value::Array(rows.collect()).to_string());
    }
    say(&format!("{:<30} {:<9} {:<9} CREATED", "NAME", "PROVIDER", "STATE"))?;
    all.iter().try_for_each(|s| say(&format!("{:<30} {:<9} {:<9} {}", s.name, provider(s), s.state.as_str(), write_time(s.created_at))))
}
