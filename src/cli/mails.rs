//! `rollbook mail`.

use super::roll_args::MailCommand;
use super::{Outcome, desk::Desk, say};
use crate::config::Config;
use crate::scim::value::write_time;
use crate::service::members;
use serde_json::{Value, json};

pub fn run(config: &Config, actor: &str, command: &MailCommand) -> Outcome {
    match command {
        MailCommand::List { tenant, dead, limit, json } => {
            list(&mut Desk::open(config, actor, tenant)?, dead.then_some("dead"), i64::from(*limit), *json)
        }
        MailCommand::Retry { tenant, id } => {
            let n = Desk::open(config, actor, tenant)?.write(|c, act| members::retry(c, act, id.as_deref()))?;
            say(&format!("{n} mail(s) will be sent again"))
        }
    }
}

fn list(desk: &mut Desk, state: Option<&str>, limit: i64, as_json: bool) -> Outcome {
    let letters = desk.read(|c, act| members::outbox(c, act, state, limit))?;
    if as_json {
        let rows = letters.iter().map(|l| {
            json!({
                "id": l.id, "kind": l.kind, "person": l.person, "state": l.state, "attempts": l.attempts, "error": l.error,
                "created": write_time(l.created_at), "ended": l.ended_at.map(write_time)
            })
        });
        return say(&Value::Array(rows.collect()).to_string());
    }
    if letters.is_empty() {
        return say("there is no such mail");
    }
    letters.iter().try_for_each(|l| {
        let why = l.error.as_ref().map(|e| format!("  {e}")).unwrap_or_default();
        say(&format!("{}  {}  {:<15} {:<9} {} attempt(s){why}", l.id, write_time(l.created_at), l.kind, l.state, l.attempts))
    })
}
