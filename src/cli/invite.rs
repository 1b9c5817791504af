//! Inviting many: counted, asked, then done with a progress bar, or left to the server.

use super::{Outcome, desk::Desk, say};
use crate::scim::value::write_time;
use crate::service::bulk::{self, Action, Job, Order, Whom};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal};
use std::path::Path;

/// As many as there are.
const ALL: i64 = i32::MAX as i64;

/// How it is to be done.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "these are the flags of the command")]
pub struct Manner {
    pub count: bool,
    pub yes: bool,
    pub detach: bool,
    pub json: bool,
}

/// Whom a command line means.
///
/// # Errors
/// When it means nobody, or a file cannot be read.
pub fn whom(members: &[String], filter: Option<&str>, all: bool, from: Option<&Path>) -> Result<Whom, String> {
    if let Some(path) = from {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let keys: Vec<String> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
        return if keys.is_empty() { Err(format!("{} names nobody", path.display())) } else { Ok(Whom::These(keys)) };
    }
    match (filter, all) {
        (Some(text), _) => Ok(Whom::Filter(text.to_owned())),
        (None, true) => Ok(Whom::All),
        (None, false) if members.is_empty() => Err("name members, or use --filter, --all or --from".to_owned()),
        (None, false) => Ok(Whom::These(members.to_vec())),
    }
}

/// Invites many.
///
/// # Errors
/// A sentence for the operator.
pub fn many(desk: &mut Desk, whom: &Whom, manner: Manner) -> Outcome {
    let order = Order::invite(whom.clone());
    let n = desk.read(|c, act| bulk::count(c, act, &order))?;
    if manner.count {
        return if manner.json { say(&json!({"count": n}).to_string()) } else { say(&format!("{n} member(s) would be invited")) };
    }
    if n > 0 && !manner.yes && !asked(n)? {
        return Err("nobody was invited".to_owned());
    }
    let mut job = desk.write(|c, act| bulk::start(c, act, &order))?;
    if !manner.detach {
        job = work(desk, &job, manner.json)?;
    }
    if manner.json {
        return say(&job_json(&job).to_string());
    }
    if manner.detach {
        return say(&format!(
            "job {}: the server invites {} member(s); `rollbook member jobs {}` tells how far it is",
            job.id,
            job.total,
            desk.tenant()
        ));
    }
    say(&format!("{} invited, {} not", job.done, job.failed))?;
    let failures = desk.read(|c, act| bulk::failures(c, act, &job.id, "", ALL))?;
    failures.iter().try_for_each(|(member, why)| say(&format!("{member}  {why}")))
}

fn asked(n: i64) -> Result<bool, String> {
    if !std::io::stdin().is_terminal() {
        return Err(format!("{n} member(s) would be invited; --yes does it without asking"));
    }
    say(&format!("{n} member(s) will be invited and get a mail. Go on? [y/N]"))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|e| e.to_string())?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Works a job off, beside whoever else does.
fn work(desk: &mut Desk, job: &Job, quiet: bool) -> Result<Job, String> {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(u64::try_from(job.total).unwrap_or(0)) };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} invited, {eta} left") {
        bar.set_style(style);
    }
    loop {
        let turn = desk.write(|c, act| bulk::work(c, &act.vault, job, act.now))?;
        let now = desk.read(|c, act| bulk::find(c, act, &job.id))?;
        bar.set_position(u64::try_from(now.done + now.failed).unwrap_or(0));
        if now.ended_at.is_some() {
            bar.finish_and_clear();
            return Ok(now);
        }
        if turn == 0 {
            // Somebody else is at the last ones.
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

fn job_json(j: &Job) -> Value {
    json!({
        "id": j.id, "kind": j.kind, "total": j.total, "done": j.done, "failed": j.failed, "by": j.actor,
        "created": write_time(j.created_at), "ended": j.ended_at.map(write_time)
    })
}

/// Lists jobs, or with whom one of them failed.
///
/// # Errors
/// A sentence for the operator.
pub fn jobs(desk: &mut Desk, id: Option<&str>, as_json: bool) -> Outcome {
    if let Some(id) = id {
        let job = desk.read(|c, act| bulk::find(c, act, id))?;
        let failures = desk.read(|c, act| bulk::failures(c, act, id, "", ALL))?;
        if as_json {
            let failed: Vec<Value> = failures.iter().map(|(member, why)| json!({"member": member, "reason": why})).collect();
            return say(&json!({"job": job_json(&job), "failures": failed}).to_string());
        }
        say(&line(&job))?;
        return failures.iter().try_for_each(|(member, why)| say(&format!("  {member}  {why}")));
    }
    let list = desk.read(|c, act| bulk::list(c, act, "", 50))?;
    if as_json {
        return say(&Value::Array(list.iter().map(job_json).collect()).to_string());
    }
    if list.is_empty() {
        return say("there was no job for many members yet");
    }
    list.iter().try_for_each(|j| say(&line(j)))
}

fn line(j: &Job) -> String {
    let state = if j.ended_at.is_some() { "done" } else { "under way" };
    let what = if j.kind == Action::Invite.as_str() { "invited" } else { "done" };
    let (kind, at) = (&j.kind, write_time(j.created_at));
    format!("{}  {at}  {kind} {state}: {} of {} {what}, {} not, by {}", j.id, j.done, j.total, j.failed, j.actor)
}
