//! `rollbook location`.

use super::roll_args::LocationCommand;
use super::{Outcome, desk::Desk, say};
use crate::config::Config;
use crate::service::locations::{self, Moved};
use serde_json::Value;

pub fn run(config: &Config, actor: &str, command: &LocationCommand) -> Outcome {
    let open = |tenant: &str| Desk::open(config, actor, tenant);
    match command {
        LocationCommand::Add { tenant, name } => moved("added", open(tenant)?.write(|c, act| locations::add(c, act, name))?),
        LocationCommand::Rename { tenant, name, to } => {
            moved("renamed", open(tenant)?.write(|c, act| locations::rename(c, act, name, to))?)
        }
        LocationCommand::Remove { tenant, name } => moved("removed", open(tenant)?.write(|c, act| locations::remove(c, act, name))?),
        LocationCommand::List { tenant, json } => {
            let names = open(tenant)?.read(locations::list_all)?;
            if *json {
                return say(&Value::from(names).to_string());
            }
            if names.is_empty() {
                return say("there is no location yet; `rollbook location add` adds one");
            }
            names.iter().try_for_each(|n| say(n))
        }
    }
}

fn moved(what: &str, moved: Moved) -> Outcome {
    say(&format!("{what}; {} member(s) got their location, {} lost it", moved.filled, moved.blanked))
}
