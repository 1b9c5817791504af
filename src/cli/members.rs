//! `rollbook member`.

use super::roll_args::{MemberCommand, One};
use super::{Outcome, desk::Desk, say};
use crate::config::Config;
use crate::domain::State;
use crate::scim::value::write_time;
use crate::service::audit::Line;
use crate::service::bulk::Whom;
use crate::service::members::{self, Shown};
use crate::service::{Act, claims};
use crate::store::{Conn, Row};
use serde_json::{Value, json};

pub fn run(config: &Config, actor: &str, command: &MemberCommand) -> Outcome {
    let open = |tenant: &str| Desk::open(config, actor, tenant);
    match command {
        MemberCommand::List { tenant, state, json } => list(&mut open(tenant)?, state.as_deref(), *json),
        MemberCommand::Show(one) => show(&mut open(&one.tenant)?, one),
        MemberCommand::Invite { tenant, members, filter, all, from, count, yes, detach, json } => {
            let whom = super::invite::whom(members, filter.as_deref(), *all, from.as_deref())?;
            let mut desk = open(tenant)?;
            match whom {
                Whom::These(keys) if keys.len() == 1 && !count && from.is_none() => {
                    let row = desk.write(|c, act| members::invite(c, act, keys.first().map_or("", String::as_str)))?;
                    changed(&row, "invited", *json)
                }
                whom => {
                    super::invite::many(&mut desk, &whom, super::invite::Manner { count: *count, yes: *yes, detach: *detach, json: *json })
                }
            }
        }
        MemberCommand::Jobs { tenant, id, json } => super::invite::jobs(&mut open(tenant)?, id.as_deref(), *json),
        MemberCommand::Resend(one) => act(config, actor, one, "sent a new link", members::resend),
        MemberCommand::Revoke(one) => act(config, actor, one, "no longer invited", members::revoke),
        MemberCommand::Sso(one) => sso(&mut open(&one.tenant)?, one),
        MemberCommand::Suspend { one, reason } => {
            act(config, actor, one, "suspended", |c, a, key| members::suspend(c, a, key, reason.clone()))
        }
        MemberCommand::Restore(one) => act(config, actor, one, "restored", members::restore),
        MemberCommand::Reset(one) => act(config, actor, one, "invited again", members::reset),
        MemberCommand::Delete { one, yes } => delete(&mut open(&one.tenant)?, one, *yes, None),
        MemberCommand::Erase { one, yes } => {
            if !*yes {
                return Err(format!("{} is anonymised for good; --yes confirms it", one.member));
            }
            delete(&mut open(&one.tenant)?, one, true, Some("the person has asked for erasure"))
        }
        MemberCommand::Hold { one, reason, lift } => {
            let what = if *lift { "no longer under a legal hold" } else { "under a legal hold" };
            act(config, actor, one, what, |c, a, key| members::hold(c, a, key, reason.clone()))
        }
        MemberCommand::Release(one) => act(config, actor, one, "out of sight; its names are free", members::release),
        MemberCommand::Confirm { tenant, json } => confirm(&mut open(tenant)?, *json),
        MemberCommand::Timeline(one) => timeline(&mut open(&one.tenant)?, one),
    }
}

/// Something that is done to one member, and the row after it.
fn act(config: &Config, actor: &str, one: &One, what: &str, f: impl Fn(&mut Conn, &Act, &str) -> crate::error::Result<Row>) -> Outcome {
    let row = Desk::open(config, actor, &one.tenant)?.write(|c, a| f(c, a, &one.member))?;
    changed(&row, what, one.json)
}

fn changed(row: &Row, what: &str, as_json: bool) -> Outcome {
    if as_json {
        return say(&brief(row).to_string());
    }
    say(&format!("{} ({}) is {what}", row.label, row.id))
}

fn brief(row: &Row) -> Value {
    let member = row.member.as_deref();
    json!({
        "id": row.id, "name": row.label, "state": member.map(|m| m.state.as_str()), "mail": member.and_then(|m| m.mail.as_deref()),
        "hidden": member.is_some_and(|m| m.state.is_hidden()), "invited": member.and_then(|m| m.invited_at).map(write_time),
        "claimed": member.and_then(|m| m.claimed_at).map(write_time),
        "quarantineUntil": member.and_then(|m| m.purge_at).map(write_time)
    })
}

fn list(desk: &mut Desk, state: Option<&str>, as_json: bool) -> Outcome {
    const AT_ONCE: i64 = 500;
    if !as_json {
        say(&format!("{:<36} {:<25} {:<30} {:<20} NAME", "ID", "STATE", "MAIL", "UNTIL"))?;
    }
    let mut after = String::new();
    loop {
        let page = desk.read(|c, act| members::page(c, act, state, None, &after, AT_ONCE))?;
        for row in &page {
            if as_json { say(&brief(row).to_string())? } else { say(&line(row))? }
        }
        match page.last() {
            Some(last) if page.len() >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX) => after.clone_from(&last.id),
            _ => return Ok(()),
        }
    }
}

fn line(row: &Row) -> String {
    let member = row.member.as_deref();
    let state = member.map(|m| m.state.to_string()).unwrap_or_default();
    let mail = member.and_then(|m| m.mail.clone()).unwrap_or_else(|| "-".to_owned());
    let until = member.and_then(|m| m.purge_at).map_or_else(|| "-".to_owned(), |t| write_time(t).chars().take(19).collect());
    format!("{:<36} {state:<25} {mail:<30} {until:<20} {}", row.id, row.label)
}

fn show(desk: &mut Desk, one: &One) -> Outcome {
    let shown = desk.write(|c, act| members::show(c, act, &one.member))?;
    if one.json {
        return say(&shown_json(&shown).to_string());
    }
    let m = &shown.member;
    let time = |t: Option<i64>| t.map_or_else(|| "-".to_owned(), write_time);
    say(&format!("name             {}", shown.row.label))?;
    say(&format!("id               {}", shown.row.id))?;
    say(&format!("permanent id     {}", m.person))?;
    say(&format!("state            {}", m.state))?;
    say(&format!("mail             {}", m.mail.as_deref().unwrap_or("-")))?;
    say(&format!("invited          {}", time(m.invited_at)))?;
    say(&format!("claimed          {}", time(m.claimed_at)))?;
    for hold in &m.holds {
        say(&format!("held             {} (since {})", hold.describe(), write_time(hold.since)))?;
    }
    if m.state.is_quarantined() {
        say(&format!("quarantine until {}", time(m.purge_at)))?;
    }
    if let Some(why) = &m.legal_hold {
        say(&format!("legal hold       {why}"))?;
    }
    if shown.frozen {
        say(&format!("frozen           unusually many were deactivated; `rollbook member confirm {}` lets it go on", desk.tenant()))?;
    }
    if m.terminates_at.is_some() {
        say(&format!("access ends      {}", time(m.terminates_at)))?;
    }
    if let Some(location) = &m.location {
        say(&format!("location         - (\"{location}\" is not configured)"))?;
    }
    if let Some(link) = &shown.invitation {
        let undeliverable = link.undeliverable.as_ref().map(|w| format!(", could not be delivered: {w}")).unwrap_or_default();
        say(&format!(
            "link             {}, until {}, {} reminder(s){undeliverable}",
            link.state,
            write_time(link.expires_at),
            link.reminders
        ))?;
    }
    say(&format!("groups           {}", if shown.groups.is_empty() { "-".to_owned() } else { shown.groups.join(", ") }))?;
    shown.letters.iter().try_for_each(|l| {
        say(&format!(
            "letter           {} {} {}{}",
            write_time(l.created_at),
            l.kind,
            l.state,
            l.error.as_ref().map(|e| format!(": {e}")).unwrap_or_default()
        ))
    })
}

fn shown_json(shown: &Shown) -> Value {
    let (mut out, m) = (brief(&shown.row), &shown.member);
    let holds: Vec<Value> =
        m.holds.iter().map(|h| json!({"source": h.source.as_str(), "reason": h.reason.as_str(), "since": write_time(h.since)})).collect();
    let link = shown.invitation.as_ref().map(
        |l| json!({"state": l.state, "expires": write_time(l.expires_at), "reminders": l.reminders, "undeliverable": l.undeliverable}),
    );
    let letters: Vec<Value> =
        shown.letters.iter().map(|l| json!({"id": l.id, "kind": l.kind, "state": l.state, "error": l.error})).collect();
    if let Some(map) = out.as_object_mut() {
        map.insert("person".to_owned(), json!(m.person));
        map.insert("holds".to_owned(), Value::Array(holds));
        map.insert("legalHold".to_owned(), json!(m.legal_hold));
        map.insert("frozen".to_owned(), json!(shown.frozen));
        map.insert("accessEnds".to_owned(), json!(m.terminates_at.map(write_time)));
        map.insert("link".to_owned(), json!(link));
        map.insert("groups".to_owned(), json!(shown.groups));
        map.insert("letters".to_owned(), Value::Array(letters));
    }
    out
}

fn sso(desk: &mut Desk, one: &One) -> Outcome {
    let state = desk.write(|c, act| claims::by_sso(c, act, &one.member))?;
    match state {
        Some(state) if one.json => say(&json!({"state": state.as_str()}).to_string()),
        Some(state) => say(&format!("{} is {state}", one.member)),
        None => Err(format!("{} is not let in", one.member)),
    }
}

fn delete(desk: &mut Desk, one: &One, yes: bool, reason: Option<&str>) -> Outcome {
    let state = desk
        .write(|c, act| members::delete(c, act, &one.member, yes, reason.map(str::to_owned)))
        .map_err(|e| if e.contains("confirmed") { format!("{e}; --yes does") } else { e })?;
    desk.scrub();
    let what = if state == State::Deprovisioned { "anonymised" } else { "removed" };
    if one.json { say(&json!({"done": what}).to_string()) } else { say(&format!("{} is {what}", one.member)) }
}

fn confirm(desk: &mut Desk, as_json: bool) -> Outcome {
    let n = desk.write(members::confirm)?;
    if as_json {
        return say(&json!({"confirmed": n}).to_string());
    }
    say(&if n == 0 { "nothing was frozen".to_owned() } else { format!("confirmed: anonymisation goes on ({n} freeze(s))") })
}

fn timeline(desk: &mut Desk, one: &One) -> Outcome {
    let lines = desk.read(|c, act| members::timeline(c, act, &one.member, "", i64::from(i32::MAX)))?;
    if one.json {
        return say(&Value::Array(lines.iter().map(line_json).collect()).to_string());
    }
    lines.iter().try_for_each(|l| say(&format!("{}  {}", write_time(l.at), l.sentence())))
}

fn line_json(l: &Line) -> Value {
    json!({
        "at": write_time(l.at), "event": l.event, "from": l.from, "to": l.to, "actorKind": l.actor_kind, "actor": l.actor,
        "reason": l.reason, "detail": l.detail, "requestId": l.request_id
    })
}
