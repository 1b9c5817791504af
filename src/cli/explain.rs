//! `rollbook explain`.

use super::args::ExplainArgs;
use super::desk::Desk;
use super::journal::{change, list, tolerated};
use super::{Outcome, say};
use crate::config::Config;
use crate::http::admin::explanations::view;
use crate::service::Place;
use crate::service::explain::{self, Ground, Request};
use crate::store::keys;
use serde_json::Value;
use std::io::Read;

pub fn run(config: &Config, actor: &str, args: &ExplainArgs) -> Outcome {
    let text: Value = serde_json::from_str(&read(&args.file)?).map_err(|e| format!("{}: {e}", args.file))?;
    let request = Request::read(&text).map_err(|e| format!("{}: {e}", args.file))?;
    let mut desk = Desk::open(config, actor, &args.tenant)?;
    let base = format!("{}/scim/v2", config.origin(&config.listen)).into();
    let place = Place { base, limits: config.service_limits() };
    let explained = desk.write(|c, act| {
        let secret = keys::find_secret(c, "cursor")?.unwrap_or_default().into_bytes();
        let ground = Ground { place: place.clone(), secret };
        explain::explain(c, act, &ground, &args.source, &request)
    })?;
    let shown = view(&explained);
    if args.json { say(&shown.to_string()) } else { tell(&shown) }
}

fn read(file: &str) -> Result<String, String> {
    let mut text = String::new();
    match file {
        "-" => std::io::stdin().read_to_string(&mut text).map(drop),
        path => std::fs::read_to_string(path).map(|t| text = t),
    }
    .map_err(|e| format!("{file}: {e}"))?;
    Ok(text)
}

fn tell(shown: &Value) -> Outcome {
    let word = |pointer: &str| shown.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let status = shown.get("status").and_then(Value::as_u64).unwrap_or_default();
    say(&format!("would answer {status}; nothing was done"))?;
    let detail = word("/detail");
    if !detail.is_empty() {
        let kind = word("/scim_type");
        say(&format!("because    {}{detail}", if kind.is_empty() { kind } else { format!("{kind}: ") }))?;
    }
    let by = match word("/profile/provider") {
        provider if provider.is_empty() => "the request does not show who sent it".to_owned(),
        provider => format!("the request shows {provider}, by {}", word("/profile/signal")),
    };
    say(&format!("read as    {} (source {}); {by}", word("/profile/declared"), word("/profile/source")))?;
    let on: Vec<String> =
        list(shown.get("profile").unwrap_or(shown), "tolerances").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    say(&format!("tolerances {}", if on.is_empty() { "none".to_owned() } else { on.join(" ") }))?;
    section("tolerated", &list(shown, "tolerated"), tolerated)?;
    section("changes", &list(shown, "changes"), change)?;
    section("history", &list(shown, "events"), |e| {
        let of = |name: &str| e.get(name).and_then(Value::as_str).unwrap_or_default();
        let moved =
            if of("from_state") == of("to_state") { String::new() } else { format!(": {} -> {}", of("from_state"), of("to_state")) };
        let why = if of("reason").is_empty() { String::new() } else { format!(", because {}", of("reason")) };
        say(&format!("    {}{moved}{why}", of("event").replace('_', " ")))
    })?;
    section("mails", &list(shown, "mails"), |m| say(&format!("    {}", m.get("kind").and_then(Value::as_str).unwrap_or_default())))?;
    match shown.get("body") {
        None | Some(Value::Null) => say("answer     no body"),
        Some(body) => say(&format!("answer\n{}", serde_json::to_string_pretty(body).unwrap_or_default())),
    }
}

fn section(name: &str, items: &[Value], f: impl Fn(&Value) -> Outcome) -> Outcome {
    if items.is_empty() {
        return say(&format!("{name:<10} nothing"));
    }
    say(name)?;
    items.iter().try_for_each(f)
}
