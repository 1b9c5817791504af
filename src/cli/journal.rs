//! `rollbook log`.

use super::args::LogArgs;
use super::desk::Desk;
use super::{Outcome, say};
use crate::app::clock;
use crate::config::Config;
use crate::http::admin::requests::view;
use crate::scim::value::{TICKS_PER_MICRO, date_time, write_time};
use crate::service::journal::{self, Ask, Entry};
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

pub fn run(config: &Config, actor: &str, args: &LogArgs) -> Outcome {
    let mut desk = Desk::open(config, actor, &args.tenant)?;
    if let Some(id) = &args.id {
        return show(&desk.read(|c, act| journal::find(c, act, id))?, args.json);
    }
    let ask = ask(args)?;
    let limit = i64::from(args.number);
    let mut found = desk.read(|c, act| journal::page(c, act, &ask, "", limit))?;
    found.reverse();
    if found.is_empty() && !args.follow && !args.json {
        return say("the log has no such request");
    }
    found.iter().try_for_each(|e| show(e, args.json))?;
    if args.follow { follow(&mut desk, config, args, &ask, &found) } else { Ok(()) }
}

fn ask(args: &LogArgs) -> Result<Ask, String> {
    let time = |text: &String| {
        let bad = || format!("--since: \"{text}\" is no time; 2027-01-31T12:00:00Z is");
        date_time(text).map(|(ticks, _)| ticks / TICKS_PER_MICRO).ok_or_else(bad)
    };
    Ok(Ask {
        member: args.member.clone(),
        source: args.source.clone(),
        status: args.failed.then_some((400, 599)),
        changed: args.changed,
        since: args.since.as_ref().map(time).transpose()?,
    })
}

/// Prints what comes in, until somebody stops it. Reads are written down a second or two late, so the last seconds are read again.
fn follow(desk: &mut Desk, config: &Config, args: &LogArgs, ask: &Ask, shown: &[Entry]) -> Outcome {
    const AGAIN: i64 = 15_000_000;
    const MOST: i64 = 1000;
    let now = clock(config);
    let mut seen: HashSet<String> = shown.iter().map(|e| e.id.clone()).collect();
    let began = now();
    loop {
        let since = (now() - AGAIN).max(began);
        let mut found = desk.read(|c, act| journal::page(c, act, &Ask { since: Some(since), ..ask.clone() }, "", MOST))?;
        found.reverse();
        found.iter().filter(|e| !seen.contains(&e.id)).try_for_each(|e| show(e, args.json))?;
        seen = found.into_iter().map(|e| e.id).collect();
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn show(e: &Entry, as_json: bool) -> Outcome {
    let shown = view(e, true);
    if as_json {
        return say(&shown.to_string());
    }
    let by = e.provider.as_deref().or(e.client.as_deref()).unwrap_or("-");
    let ms = shown.get("milliseconds").and_then(Value::as_f64).unwrap_or_default();
    say(&format!(
        "{} {} {} {} source {} ({by}) {ms:.1} ms request {}",
        write_time(e.at),
        e.status,
        e.method,
        e.path,
        e.source,
        e.request_id
    ))?;
    if let Some(detail) = &e.detail {
        let kind = e.scim_type.as_ref().map(|t| format!("{t}: ")).unwrap_or_default();
        say(&format!("    {kind}{detail}"))?;
    }
    list(&shown, "tolerated").iter().try_for_each(tolerated)?;
    list(&shown, "changes").iter().try_for_each(change)
}

pub fn list(of: &Value, name: &str) -> Vec<Value> {
    of.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn word<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A tolerance that fired.
pub fn tolerated(note: &Value) -> Outcome {
    say(&format!("    {:<26} {}", word(note, "quirk"), word(note, "text")))
}

/// Something that changed.
pub fn change(change: &Value) -> Outcome {
    let path = word(change, "path");
    let ids = |name: &str| list(change, name).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    if let Some(more) = change.get("more").and_then(Value::as_u64) {
        for (sign, ids) in [("+", ids("added")), ("-", ids("removed"))].iter().filter(|(_, ids)| !ids.is_empty()) {
            say(&format!("    {path} {sign} {ids}"))?;
        }
        return if more > 0 { say(&format!("    {path} and {more} more").replace("  and", " and")) } else { Ok(()) };
    }
    if change.get("hidden").is_some() {
        return say(&format!("    {path}: changed"));
    }
    let value = |name: &str| change.get(name).map_or_else(|| "nothing".to_owned(), Value::to_string);
    say(&format!("    {path}: {} -> {}", value("old"), value("new")))
}
