//! `rollbook schema` and `rollbook type`.

use super::args::{SchemaCommand, TypeCommand};
use super::desk::Desk;
use super::{Outcome, say};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::scim::discovery;
use crate::scim::json;
use crate::service::declarations;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::Path;

pub fn schema(config: &Config, actor: &str, command: &SchemaCommand) -> Outcome {
    let open = |tenant: &str| Desk::open(config, actor, tenant);
    let base = format!("{}/scim/v2", config.origin(&config.listen));
    match command {
        SchemaCommand::Add { tenant, file, extends, force } => {
            let body = read(file)?;
            let known = body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let saved = open(tenant)?.write(|c, act| match there(declarations::schema(c, act, &known))? {
                None => declarations::create_schema(c, act, &body, extends.as_deref()),
                Some(_) if extends.is_some() => {
                    Err(Error::Invalid("--for: the schema is declared already; `rollbook type add` adds it to a type".to_owned()))
                }
                Some(_) => declarations::replace_schema(c, act, &known, None, &body, *force),
            })?;
            say(&format!("schema {} is declared, with {} attribute(s)", saved.what.id, saved.what.attributes.len()))
        }
        SchemaCommand::List { tenant, json } => {
            let all = open(tenant)?.read(declarations::schemas)?;
            if *json {
                return say(&all.iter().map(|s| discovery::schema(&base, &s.what)).collect::<Value>().to_string());
            }
            if all.is_empty() {
                return say("no schema is declared yet; `rollbook schema add` declares one");
            }
            all.iter().try_for_each(|s| say(&format!("{}  {} attribute(s)", s.what.id, s.what.attributes.len())))
        }
        SchemaCommand::Show { tenant, urn } => {
            let found = open(tenant)?.read(|c, act| declarations::schema(c, act, urn))?;
            pretty(&discovery::schema(&base, &found.what))
        }
        SchemaCommand::Remove { tenant, urn, force } => {
            open(tenant)?.write(|c, act| declarations::remove_schema(c, act, urn, *force))?;
            say(&format!("schema {urn} is removed"))
        }
    }
}

pub fn resource_type(config: &Config, actor: &str, command: &TypeCommand) -> Outcome {
    let open = |tenant: &str| Desk::open(config, actor, tenant);
    let base = format!("{}/scim/v2", config.origin(&config.listen));
    match command {
        TypeCommand::Add { tenant, file, force } => {
            let body = read(file)?;
            let known = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let saved = open(tenant)?.write(|c, act| match there(declarations::resource_type(c, act, &known))? {
                None => declarations::create_type(c, act, &body),
                Some(_) => declarations::replace_type(c, act, &known, None, &body, *force),
            })?;
            say(&format!("resource type {} is declared, at {}", saved.what.name, saved.what.endpoint))
        }
        TypeCommand::List { tenant, json } => {
            let all = open(tenant)?.read(declarations::resource_types)?;
            if *json {
                return say(&all.iter().map(|rt| discovery::resource_type(&base, &rt.what)).collect::<Value>().to_string());
            }
            all.iter().try_for_each(|rt| say(&format!("{:<20} {:<20} {}", rt.what.name, rt.what.endpoint, rt.what.schema.id)))
        }
        TypeCommand::Show { tenant, name } => {
            let found = open(tenant)?.read(|c, act| declarations::resource_type(c, act, name))?;
            pretty(&discovery::resource_type(&base, &found.what))
        }
        TypeCommand::Remove { tenant, name, force } => {
            open(tenant)?.write(|c, act| declarations::remove_type(c, act, name, *force))?;
            say(&format!("resource type {name} is removed"))
        }
    }
}

/// What was looked for, if it is there.
fn there<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::Missing { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn read(file: &Path) -> std::result::Result<Map<String, Value>, String> {
    let name = file.display();
    let mut bytes = Vec::new();
    let done = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    done.map_err(|e| format!("{name}: {e}"))?;
    json::object(&bytes, 32).map_err(|e| format!("{name}: {}", e.detail))
}

fn pretty(value: &Value) -> Outcome {
    say(&serde_json::to_string_pretty(value).unwrap_or_default())
}
