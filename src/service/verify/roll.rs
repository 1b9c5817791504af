//! The roll's part of a row: which values may stand beside each other.

use super::Report;
use super::documents::{fault, parsed};
use crate::domain::Hold;
use crate::store::rows::Line;
use serde_json::Value;

/// What is wrong with a row, if anything.
type Rule = fn(&Line) -> Option<&'static str>;

const OF_MEMBERS: [Rule; 9] = [person, state, prior, clock, quarantine, holds, active, invited, claimed];

pub(super) fn check(line: &Line, report: &mut Report) {
    if line.number("kind").is_some_and(|kind| kind == 2 || kind >= i64::from(crate::store::types::FIRST)) {
        if line.number("state").is_some() || line.text("person").is_some() {
            fault(line, report, "it is on the roll, and is no user", "");
        }
        return;
    }
    for rule in OF_MEMBERS {
        if let Some(what) = rule(line) {
            fault(line, report, what, "");
        }
    }
}

fn is_quarantined(line: &Line) -> bool {
    line.number("state") == Some(4)
}

fn is_former(line: &Line) -> bool {
    line.number("kind") == Some(4)
}

/// How far the member has come: 1 uninvited, 2 invited, 3 claimed.
fn stage(line: &Line) -> Option<i64> {
    if is_quarantined(line) { line.number("prior") } else { line.number("state").filter(|s| *s < 4) }
}

/// The holds; `None` when they cannot be read.
fn held(line: &Line) -> Option<Vec<Hold>> {
    line.text("holds").map_or_else(|| Some(Vec::new()), |text| serde_json::from_str(text).ok())
}

fn person(line: &Line) -> Option<&'static str> {
    line.text("person").is_none().then_some("it has no person")
}

fn state(line: &Line) -> Option<&'static str> {
    let fits = match line.number("kind") {
        Some(1) => line.number("state").is_some_and(|s| (1..=4).contains(&s)),
        Some(3) => is_quarantined(line),
        _ => line.number("state") == Some(5),
    };
    (!fits).then_some("kind and state do not go together")
}

fn prior(line: &Line) -> Option<&'static str> {
    let fits = match line.number("prior") {
        Some(prior) => is_quarantined(line) && (1..=3).contains(&prior),
        None => !is_quarantined(line),
    };
    (!fits).then_some("prior is not that of the state")
}

fn clock(line: &Line) -> Option<&'static str> {
    let runs = ["quarantined_at", "purge_at"].map(|column| line.number(column).is_some());
    let fits = is_former(line) || runs == [is_quarantined(line); 2];
    (!fits).then_some("quarantined_at and purge_at are not those of the state")
}

fn quarantine(line: &Line) -> Option<&'static str> {
    let early = line.number("warned_at").is_some() && !is_quarantined(line);
    early.then_some("warned_at is set outside quarantine")
}

/// Somebody whom the identity provider deleted may be held by nobody.
fn holds(line: &Line) -> Option<&'static str> {
    let Some(held) = held(line) else { return Some("holds cannot be read") };
    let fits = match line.number("kind") {
        Some(1) => held.is_empty() != is_quarantined(line),
        Some(3) => true,
        _ => held.is_empty(),
    };
    (!fits).then_some("holds are not those of the state")
}

/// A client may have unassigned `active`; then it says nothing.
fn active(line: &Line) -> Option<&'static str> {
    if is_former(line) {
        return None;
    }
    let held = !held(line)?.is_empty();
    let fits = match parsed(line)?.get("active") {
        Some(Value::Bool(active)) => *active != held,
        None => !held,
        Some(_) => false,
    };
    (!fits).then_some("active in doc is not what the roll says")
}

fn invited(line: &Line) -> Option<&'static str> {
    let knows = stage(line).is_some_and(|s| s > 1);
    if line.flag("invited").is_some_and(|invited| invited != knows) {
        return Some("invited is not that of the state");
    }
    (knows && line.number("invited_at").is_none()).then_some("it has been invited at no time")
}

fn claimed(line: &Line) -> Option<&'static str> {
    let is = stage(line) == Some(3);
    let was = line.flag("ever_claimed") == Some(true) && line.number("claimed_at").is_some();
    (is && !was).then_some("it has been claimed at no time")
}
