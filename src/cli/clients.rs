//! `rollbook client`.

use super::args::ClientCommand;
use super::desk::Desk;
use super::{Outcome, say};
use crate::config::Config;
use crate::domain::{ClientAuth, OauthClient, Scopes, outside};
use crate::scim::value::write_time;
use crate::service::clients::{self, Means, Order};
use serde_json::{Value, json};
use std::path::Path;

pub fn run(config: &Config, actor: &str, command: &ClientCommand) -> Outcome {
    match command {
        ClientCommand::Create { tenant, name, source, key_set, key_set_url, certificate, scope, token_seconds, quiet } => {
            let means = match (key_set, key_set_url, certificate) {
                (Some(file), ..) => Means::KeySet(read(file)?),
                (_, Some(url), _) => Means::KeySetUrl(url.clone()),
                (_, _, Some(thumbprint)) => Means::Certificate(thumbprint.clone()),
                _ => Means::Secret,
            };
            let order = Order {
                name: name.clone(),
                source: source.clone(),
                means,
                scopes: scopes(scope)?,
                token_seconds: *token_seconds,
                trial: is_trial(config),
            };
            let (client, secret) = Desk::open(config, actor, tenant)?.write(|c, act| clients::register(c, act, &order))?;
            told(&client, secret.as_deref(), *quiet)
        }
        ClientCommand::List { tenant, json } => {
            let list = Desk::open(config, actor, tenant)?.read(|c, act| clients::list(c, act, "", i64::from(i32::MAX)))?;
            show(&list, *json)
        }
        ClientCommand::Revoke { tenant, id } => {
            Desk::open(config, actor, tenant)?.write(|c, act| clients::revoke(c, act, id))?;
            say(&format!("client {id} is revoked"))
        }
    }
}

/// The scopes of words, the usual ones without any.
pub(super) fn scopes(words: &[String]) -> Result<Scopes, String> {
    if words.is_empty() { Ok(Scopes::ALL) } else { Scopes::parse(&words.join(" ")) }
}

/// Whether the server may ask its own machine: when nobody reaches it from elsewhere.
pub(super) fn is_trial(config: &Config) -> bool {
    let listens = format!("http://{}", config.listen);
    outside::is_loopback(config.public_url.as_deref().unwrap_or(&listens))
}

fn read(file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))
}

fn told(client: &OauthClient, secret: Option<&str>, quiet: bool) -> Outcome {
    say(&client.id)?;
    if let Some(secret) = secret {
        say(secret)?;
    }
    if quiet {
        return Ok(());
    }
    let first = format!("\nThis is the client_id of \"{}\"; it proves itself by {}", client.name, client.auth.as_str());
    let secret = if secret.is_some() { ", which stands below it, is not stored and cannot be shown again" } else { "" };
    say(&format!("{first}{secret}. Its tokens, from /oauth/token, have the scopes {}.", client.scopes))
}

fn show(list: &[OauthClient], as_json: bool) -> Outcome {
    if as_json {
        let rows = list.iter().map(|c| {
            json!({
                "id": c.id, "name": c.name, "source": c.source, "auth": c.auth.as_str(), "keySetUrl": url(c), "scopes": c.scopes.to_string(),
                "tokenSeconds": c.token_seconds, "live": c.revoked_at.is_none(), "created": write_time(c.created_at),
                "lastUsed": c.last_used_at.map(write_time), "revoked": c.revoked_at.map(write_time)
            })
        });
        return say(&Value::Array(rows.collect()).to_string());
    }
    if list.is_empty() {
        return say("the tenant has no client; `rollbook client create` makes one");
    }
    say(&format!("{:<36} {:<8} {:<15} {:<22} {:<28} {:<12} NAME", "ID", "STATE", "AUTH", "SCOPES", "LAST USED", "SOURCE"))?;
    list.iter().try_for_each(|c| {
        let state = if c.revoked_at.is_none() { "live" } else { "revoked" };
        let used = c.last_used_at.map_or_else(|| "-".to_owned(), write_time);
        let (auth, scopes) = (c.auth.as_str(), c.scopes.to_string());
        say(&format!("{:<36} {state:<8} {auth:<15} {scopes:<22} {used:<28} {:<12} {}", c.id, c.source, c.name))
    })
}

fn url(c: &OauthClient) -> Option<&str> {
    if let ClientAuth::KeySetUrl(url) = &c.auth { Some(url) } else { None }
}
