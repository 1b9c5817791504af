//! The lifecycle's table: every state, every event, and where it leads. What whole histories must hold is in `lifecycle_histories`.

use rollbook::domain::lifecycle::{Block, Effect, Event, Link, Login, Provision, Release, next};
use rollbook::domain::{Hold, Reason, Source, Stage, State};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const SCIM: Hold = Hold { source: Source::Scim, reason: Reason::Inactive, since: 7 };
const CSV: Hold = Hold { source: Source::Csv, reason: Reason::Absent, since: 7 };
const OWN: Release = Release::One(Source::Scim, Reason::Inactive);

/// Every state that there is.
fn states() -> Vec<State> {
    let mut all = vec![State::Absent, State::Uninvited, State::Invited, State::Claimed];
    for hidden in [false, true] {
        all.extend([Stage::Uninvited, Stage::Invited, Stage::Claimed].map(|prior| State::Quarantined { prior, hidden }));
    }
    all.push(State::Deprovisioned);
    all
}

/// The row of the table that an event belongs to, and its name there. A new event does not compile until it has one.
fn row(event: &Event) -> (u8, &'static str) {
    match event {
        Event::Provision(Provision { invite: false, .. }) => (1, "PROVISION, not to be invited"),
        Event::Provision(Provision { invite: true, .. }) => (2, "PROVISION, to be invited"),
        Event::Invite { .. } => (3, "INVITE"),
        Event::AutoRemind => (4, "AUTO_REMIND"),
        Event::Resend { .. } => (5, "RESEND"),
        Event::RevokeInvite => (6, "REVOKE_INVITE"),
        Event::InvitationExpired => (7, "INVITATION_EXPIRED"),
        Event::ClaimLink(..) => (8, "CLAIM_LINK"),
        Event::ClaimSso => (9, "CLAIM_SSO"),
        Event::ClaimCode => (10, "CLAIM_CODE"),
        Event::IssueCode { .. } => (11, "ISSUE_CODE"),
        Event::Deactivate(_) => (12, "DEACTIVATE"),
        Event::Reactivate { .. } => (13, "REACTIVATE"),
        Event::QuarantineElapsed(_) => (14, "QUARANTINE_ELAPSED"),
        Event::DeleteNow { .. } => (15, "ADMIN_DELETE_NOW"),
        Event::ScimDelete => (16, "SCIM DELETE"),
        Event::ResetClaim { .. } => (17, "RESET_CLAIM"),
        Event::ProfileUpdate => (18, "PROFILE_UPDATE"),
        Event::EmailChange { .. } => (19, "EMAIL_CHANGE"),
        Event::TerminationMoved { .. } => (20, "TERMINATION_DATE moved"),
        Event::AbsentFromFeed(_) => (21, "ABSENT_FROM_FULL_FEED"),
        Event::GroupChange => (22, "GROUP_ADD / REMOVE"),
        Event::Login => (23, "LOGIN"),
        Event::DomainLapsed => (24, "DOMAIN lapsed"),
    }
}

/// How people arrive: what the source says, in words.
fn arrivals(same_person: bool) -> Vec<(String, Event)> {
    let mut all = Vec::new();
    for invite in [false, true] {
        for (has_email, by_code, address) in
            [(true, false, "with an address"), (false, false, "without an address"), (false, true, "without an address, by code")]
        {
            for (inactive, gone) in [(None, ""), (Some(SCIM), ", inactive")] {
                let how = Provision { invite, has_email, by_code, inactive, same_person, source: Source::Scim, foreign_hold: None };
                let who = if same_person { ", the same person" } else { "" };
                all.push((format!("{address}{gone}{who}"), Event::Provision(how)));
            }
        }
        if same_person {
            let held = Provision {
                invite,
                has_email: true,
                by_code: false,
                inactive: None,
                same_person,
                source: Source::Scim,
                foreign_hold: Some(CSV),
            };
            all.push(("with an address, the same person, held by another".to_owned(), Event::Provision(held)));
        }
    }
    all
}

/// Every event but arrivals, in every variant that means something of its own.
fn others() -> Vec<(&'static str, Event)> {
    let scim = Source::Scim;
    let terminated = |held, remaining| Event::TerminationMoved { source: scim, held, remaining };
    vec![
        ("with an address", Event::Invite { has_email: true }),
        ("without an address", Event::Invite { has_email: false }),
        ("", Event::AutoRemind),
        ("with an address", Event::Resend { has_email: true }),
        ("without an address", Event::Resend { has_email: false }),
        ("", Event::RevokeInvite),
        ("", Event::InvitationExpired),
        ("live link, password", Event::ClaimLink(Link::Live, Login::Password)),
        ("live link, single sign-on", Event::ClaimLink(Link::Live, Login::Sso)),
        ("dead link, password", Event::ClaimLink(Link::Dead, Login::Password)),
        ("dead link, single sign-on", Event::ClaimLink(Link::Dead, Login::Sso)),
        ("", Event::ClaimSso),
        ("", Event::ClaimCode),
        ("with an address", Event::IssueCode { has_email: true }),
        ("without an address", Event::IssueCode { has_email: false }),
        ("", Event::Deactivate(SCIM)),
        ("the only hold", Event::Reactivate { release: OWN, remaining: None }),
        ("another holds on", Event::Reactivate { release: OWN, remaining: Some(CSV) }),
        ("an admin, every hold", Event::Reactivate { release: Release::All, remaining: None }),
        ("", Event::QuarantineElapsed(None)),
        ("legal hold", Event::QuarantineElapsed(Some(Block::LegalHold))),
        ("frozen", Event::QuarantineElapsed(Some(Block::Frozen))),
        ("never claimed", Event::DeleteNow { confirmed: false, ever_claimed: false, legal_hold: false }),
        ("unconfirmed", Event::DeleteNow { confirmed: false, ever_claimed: true, legal_hold: false }),
        ("confirmed", Event::DeleteNow { confirmed: true, ever_claimed: true, legal_hold: false }),
        ("never claimed, legal hold", Event::DeleteNow { confirmed: false, ever_claimed: false, legal_hold: true }),
        ("confirmed, legal hold", Event::DeleteNow { confirmed: true, ever_claimed: true, legal_hold: true }),
        ("", Event::ScimDelete),
        ("address", Event::ResetClaim { has_email: true }),
        ("no address", Event::ResetClaim { has_email: false }),
        ("", Event::ProfileUpdate),
        ("to another address", Event::EmailChange { has_email: true, had_email: true }),
        ("to the first address", Event::EmailChange { has_email: true, had_email: false }),
        ("to none", Event::EmailChange { has_email: false, had_email: true }),
        ("it did not hold", terminated(false, None)),
        ("it did not hold, another holds", terminated(false, Some(CSV))),
        ("the only hold", terminated(true, None)),
        ("another holds on", terminated(true, Some(CSV))),
        ("", Event::AbsentFromFeed(CSV)),
        ("", Event::GroupChange),
        ("", Event::Login),
        ("", Event::DomainLapsed),
    ]
}

/// Every variant of every event.
fn events() -> Vec<(String, Event)> {
    let others = others().into_iter().map(|(what, event)| (what.to_owned(), event));
    arrivals(false).into_iter().chain(arrivals(true)).chain(others).collect()
}

fn hold(hold: &Hold) -> String {
    format!("{} {}", hold.source.as_str(), hold.reason.as_str())
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::AddHold(h) => format!("AddHold({})", hold(h)),
        other => format!("{other:?}"),
    }
}

/// What a cell of the table says.
fn cell(state: State, event: Event) -> String {
    match next(state, event) {
        Ok(t) => format!("-> {} [{}]", t.to, t.effects.iter().map(effect).collect::<Vec<_>>().join(", ")),
        Err(why) => format!("refused: {why}"),
    }
}

/// R-AUD-1, R-INV-2, R-SRC-3: the whole table. A cell that changes is to be compared with §2.1 of the lifecycle.
#[test]
fn the_whole_table() {
    let mut rows: BTreeMap<(u8, &str), String> = BTreeMap::new();
    for (what, event) in events() {
        let out = rows.entry(row(&event)).or_default();
        let known = matches!(event, Event::Provision(Provision { same_person: true, .. }));
        if !what.is_empty() {
            writeln!(out, "  {what}").unwrap();
        }
        // Whether it is the same person is asked only of somebody who was there before.
        for state in states().into_iter().filter(|s| !known || s.is_quarantined()) {
            writeln!(out, "    {:<32} {}", state.to_string(), cell(state, event)).unwrap();
        }
    }
    assert_eq!(rows.keys().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=24).collect::<Vec<u8>>());
    let text: String = rows.iter().map(|((number, name), cells)| format!("{number} {name}\n{cells}\n")).collect();
    insta::assert_snapshot!("table", text);
}

/// What the table above leaves out: who somebody was counts for nobody but those in quarantine.
#[test]
fn only_a_quarantined_person_is_recognised() {
    for (stranger, known) in arrivals(false).into_iter().zip(arrivals(true).into_iter().filter(|(what, _)| !what.contains("held"))) {
        for state in states().into_iter().filter(|s| !s.is_quarantined()) {
            assert_eq!(next(state, stranger.1), next(state, known.1), "{state}: {}", known.0);
        }
    }
}

/// R-UNI-1: `may_receive_mail` is true of just those states into which some event brings a letter.
#[test]
fn letters_come_only_with_states_that_may_have_them() {
    let mut reached = BTreeSet::new();
    for (what, event) in events() {
        for state in states() {
            let Ok(transition) = next(state, event) else { continue };
            if transition.effects.iter().any(|e| matches!(e, Effect::Mail(_))) {
                assert!(transition.to.may_receive_mail(), "{state}, {event:?} ({what}): a letter to somebody {}", transition.to);
                reached.insert(transition.to.to_string());
            }
        }
    }
    let may: BTreeSet<String> = states().into_iter().filter(|s| s.may_receive_mail()).map(|s| s.to_string()).collect();
    assert_eq!(reached, may);
    assert_eq!(may, ["claimed", "invited"].map(str::to_owned).into());
}

/// Every event has an answer in every state, and the answer depends on nothing else.
#[test]
fn every_event_has_an_answer_in_every_state() {
    let (states, events) = (states(), events());
    assert_eq!(states.len(), 11);
    for state in &states {
        for (what, event) in &events {
            let answer = next(*state, *event);
            assert_eq!(answer, next(*state, *event), "{state}, {event:?} ({what})");
            // A refusal is a sentence for people.
            assert!(answer.as_ref().map_or_else(|why| why.to_string().contains(' '), |_| true), "{state}, {event:?}");
            // Nothing leads to a member who is not there, except that the record goes.
            let gone = answer.is_ok_and(|t| t.to == State::Absent && *state != State::Absent && !t.effects.contains(&Effect::RemoveRecord));
            assert!(!gone, "{state}, {event:?} ({what})");
        }
    }
}
