//! `rollbook token`.

use super::args::TokenCommand;
use super::desk::Desk;
use super::{Outcome, say};
use crate::app::clock;
use crate::config::Config;
use crate::domain::{Scopes, Token, TokenKind};
use crate::scim::value::write_time;
use crate::service::tokens;
use serde_json::{Value, json};

pub fn run(config: &Config, actor: &str, command: &TokenCommand) -> Outcome {
    let now = clock(config)();
    match command {
        TokenCommand::Issue { tenant, source, name, expires, scope, jwt, certificate, member, quiet } => {
            let scopes = if scope.is_empty() { Scopes::ALL } else { Scopes::parse(&scope.join(" "))? };
            let order = tokens::Order {
                kind: if *jwt { TokenKind::Jwt } else { TokenKind::Opaque },
                name: name.clone(),
                scopes,
                expires_at: expires.map(|d| now + d),
                source: source.clone(),
                certificate: certificate.clone(),
                member: member.clone(),
            };
            let (kept, secret) = Desk::open(config, actor, tenant)?.write(|c, act| tokens::issue_for(c, act, &order))?;
            told(&kept, &secret, tenant, *quiet)
        }
        TokenCommand::List { tenant, json } => {
            let list = Desk::open(config, actor, tenant)?.read(|c, act| tokens::list(c, &act.tenant.name))?;
            list_tokens(&list, *json, now)
        }
        TokenCommand::Revoke { tenant, id } => {
            Desk::open(config, actor, tenant)?.write(|c, act| tokens::revoke_for(c, act, id))?;
            say(&format!("token {id} is revoked"))
        }
        TokenCommand::Rotate { tenant, id, complete, cancel, quiet } => {
            let mut desk = Desk::open(config, actor, tenant)?;
            match (complete, cancel) {
                (true, _) => {
                    let next = desk.write(|c, act| tokens::complete_rotation(c, act, id))?;
                    say(&format!("token {id} is revoked; {} has followed it", next.id))
                }
                (_, true) => {
                    desk.write(|c, act| tokens::cancel_rotation(c, act, id))?;
                    say(&format!("token {id} stays; the one that was to follow it is revoked"))
                }
                _ => {
                    let (kept, secret) = desk.write(|c, act| tokens::rotate(c, act, id, None))?;
                    told(&kept, &secret, tenant, *quiet)?;
                    if *quiet {
                        return Ok(());
                    }
                    say(&format!(
                        "Token {id} is accepted beside it until `rollbook token rotate {tenant} {id} --complete`; --cancel revokes the new one."
                    ))
                }
            }
        }
    }
}

fn told(kept: &Token, secret: &str, tenant: &str, quiet: bool) -> Outcome {
    say(secret)?;
    if quiet {
        return Ok(());
    }
    say(&format!(
        "\nThis is token {} of tenant {tenant}, with the scopes {}. It is not stored and cannot be shown again.",
        kept.id, kept.scopes
    ))
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
                "id": t.id, "name": t.name, "source": t.source, "replaces": t.replaces, "member": t.member, "kind": t.kind.as_str(), "scopes": t.scopes.to_string(), "state": state(t),
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
            t.member.as_ref().map_or_else(|| t.name.clone(), |person| format!("{} (of member {person})", t.name))
        ))
    })
}
