//! `rollbook issuer`.

use super::args::IssuerCommand;
use super::clients::{is_trial, scopes};
use super::desk::Desk;
use super::{Outcome, say};
use crate::config::Config;
use crate::domain::TrustedIssuer;
use crate::scim::value::write_time;
use crate::service::issuers::{self, Order};
use serde_json::{Value, json};

pub fn run(config: &Config, actor: &str, command: &IssuerCommand) -> Outcome {
    match command {
        IssuerCommand::Add { tenant, source, issuer, audience, subject, key_set_url, scope } => {
            let order = Order {
                source: source.clone(),
                issuer: issuer.clone(),
                audience: audience.clone(),
                subject: subject.clone(),
                key_set_url: key_set_url.clone(),
                scopes: scopes(scope)?,
                trial: is_trial(config),
            };
            let added = Desk::open(config, actor, tenant)?.write(|c, act| issuers::add(c, act, &order))?;
            say(&format!("issuer {} is trusted: its tokens open source {} with the scopes {}", added.id, added.source, added.scopes))
        }
        IssuerCommand::List { tenant, json } => {
            let list = Desk::open(config, actor, tenant)?.read(|c, act| issuers::list(c, act, "", i64::from(i32::MAX)))?;
            show(&list, *json)
        }
        IssuerCommand::Remove { tenant, id } => {
            Desk::open(config, actor, tenant)?.write(|c, act| issuers::remove(c, act, id))?;
            say(&format!("issuer {id} is trusted no more"))
        }
    }
}

fn show(list: &[TrustedIssuer], as_json: bool) -> Outcome {
    if as_json {
        let rows = list.iter().map(|i| {
            json!({
                "id": i.id, "source": i.source, "issuer": i.issuer, "audience": i.audience, "subject": i.subject, "keySetUrl": i.key_set_url,
                "scopes": i.scopes.to_string(), "created": write_time(i.created_at), "lastUsed": i.last_used_at.map(write_time)
            })
        });
        return say(&Value::Array(rows.collect()).to_string());
    }
    if list.is_empty() {
        return say("the tenant trusts no outside issuer; `rollbook issuer add` adds one");
    }
    list.iter().try_for_each(|i| {
        say(&format!("{}  source {}, scopes {}", i.id, i.source, i.scopes))?;
        say(&format!(
            "    issuer    {}\n    audience  {}\n    subject   {}\n    keys      {}",
            i.issuer, i.audience, i.subject, i.key_set_url
        ))
    })
}
