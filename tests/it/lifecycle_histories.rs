//! Random histories keep the eight invariants of §2 of the lifecycle. The seed is fixed; `PROPTEST_CASES` says how many
//! histories are tried, in eights.

use crate::lifecycle_model::{Broken, Deed, Next, QUARANTINE, Record, Rules, World, holds, live};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rollbook::domain::lifecycle::{Effect, Event, Letter, Release, Transition, next};
use rollbook::domain::settings::DAY;
use rollbook::domain::{Source, Stage, State};
use std::collections::BTreeSet;

/// Checks one step. Invariant 7 (state, links, letters and history in one transaction) and 8 (keys) are the services' and
/// the database's to keep; what can be seen of them here is in [`World::step`], `Record::queue` and [`World::repeat`].
pub fn check(before: &Record, after: &Record, deed: Deed, event: Event, created: bool, now: i64) -> Result<(), Broken> {
    no_way_back(before, after, created)?;
    claimed_by_right(before, after, event)?;
    silent(after)?;
    few_tokens(before, after)?;
    held_or_hidden(after)?;
    own_holds(before, after, deed, created)?;
    one_clock(before, after, created, now)
}

/// Invariant 1, first half: who is anonymised or purged stays so; the next one with these names is another record.
fn no_way_back(before: &Record, after: &Record, created: bool) -> Result<(), Broken> {
    let over = matches!(before.state, State::Absent | State::Deprovisioned);
    holds(1, created || !over || before == after, "an anonymised or purged record changes")?;
    holds(1, !created || !before.named, "a second record has the names of the first")?;
    holds(1, created || !after.exists || after.ever_claimed >= before.ever_claimed, "a claim is forgotten")
}

/// Invariant 1, second half: an account is claimed by its member, or restored to one who had it.
fn claimed_by_right(before: &Record, after: &Record, event: Event) -> Result<(), Broken> {
    let had_it = before.state.stage() == Some(Stage::Claimed);
    let claims = matches!(event, Event::ClaimLink(..) | Event::ClaimSso | Event::ClaimCode);
    let owned = after.state.stage() == Some(Stage::Claimed);
    holds(1, !owned || had_it || (before.state == State::Invited && claims), "an account is claimed by somebody else's deed")
}

/// Invariant 2: nobody who is uninvited, quarantined or gone is sent anything.
fn silent(after: &Record) -> Result<(), Broken> {
    let may = match after.state {
        State::Invited | State::Claimed => true,
        State::Absent | State::Uninvited | State::Quarantined { .. } | State::Deprovisioned => false,
    };
    holds(2, may || after.queued.is_empty(), "a letter waits for somebody who must not hear anything")
}

/// Invariant 3: at most one live link and one live code; none that outlives the invitation.
fn few_tokens(before: &Record, after: &Record) -> Result<(), Broken> {
    let (links, codes) = (live(&after.links), live(&after.codes));
    holds(3, links <= 1 && codes <= 1, "two live links or codes")?;
    let left = before.state == State::Invited && after.state != State::Invited;
    holds(3, !left || links + codes == 0, "a link or code outlives the invitation")?;
    holds(3, links == 0 || after.state == State::Invited, "a live link of somebody who is not invited")?;
    holds(3, codes == 0 || after.state.may_receive_mail(), "a live code of somebody who is neither invited nor claimed")
}

/// Invariant 4: in quarantine is who is held or hidden, and nobody else. What is hidden leaves its names to others.
fn held_or_hidden(after: &Record) -> Result<(), Broken> {
    let is_so = match after.state {
        State::Uninvited | State::Invited | State::Claimed => after.holds.is_empty(),
        State::Quarantined { hidden, .. } => hidden || !after.holds.is_empty(),
        State::Absent | State::Deprovisioned => true,
    };
    holds(4, is_so, "holds and quarantine do not agree")?;
    holds(4, after.named != after.state.is_hidden(), "names and visibility do not agree")?;
    holds(4, after.exists == (after.state != State::Absent), "record and state do not agree")
}

/// Invariant 5: a source takes away its own holds only; an admin's word goes for all.
fn own_holds(before: &Record, after: &Record, deed: Deed, created: bool) -> Result<(), Broken> {
    let mut lost = before.holds.iter().filter(|h| !after.holds.contains(h));
    let may = |source| deed.source().is_some_and(|s| s == source || s == Source::Admin);
    holds(5, created || !after.exists || lost.all(|h| may(h.source)), "somebody else's hold is taken away or changed")
}

/// Invariant 6: the end of a quarantine is set when it begins, and stays.
fn one_clock(before: &Record, after: &Record, created: bool, now: i64) -> Result<(), Broken> {
    let goes_on = before.state.is_quarantined() && !created;
    let expected = match after.state {
        State::Quarantined { .. } | State::Deprovisioned if goes_on => before.purge_at,
        State::Quarantined { .. } => Some(now + QUARANTINE),
        State::Absent | State::Uninvited | State::Invited | State::Claimed => None,
        State::Deprovisioned => after.purge_at,
    };
    holds(6, after.purge_at == expected, "the end of the quarantine is not where it was set")
}

/// Lives through a history, a day a deed; `see` is told what happened.
fn live_through(rules: Rules, by_code: bool, deeds: &[Deed], mut see: impl FnMut(State, Event)) -> Result<(), Broken> {
    let mut world = World::new(rules, by_code);
    for deed in deeds {
        world.now += DAY;
        if let Some(event) = world.step(*deed)? {
            see(world.record.state, event);
            world.repeat(*deed)?;
        }
    }
    Ok(())
}

fn runner() -> TestRunner {
    let default = Config::default();
    let config = Config { failure_persistence: None, cases: default.cases * 8, ..default };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn histories() -> impl Strategy<Value = (bool, Vec<Deed>)> {
    (any::<bool>(), vec(select(Deed::all()), 1..80))
}

/// R-UNI-1, R-INV-12, R-SRC-2, R-AUD-1: no history breaks an invariant.
#[test]
fn every_history_keeps_the_invariants() {
    let outcome = runner().run(&histories(), |(by_code, deeds)| {
        live_through(next, by_code, &deeds, |_, _| {}).map_err(|b| TestCaseError::fail(format!("invariant {}: {}", b.0, b.1)))
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

/// The histories above come everywhere: to every state, and through every event.
#[test]
fn the_histories_come_everywhere() {
    let (mut states, mut events, mut runner) = (BTreeSet::new(), BTreeSet::new(), runner());
    for _ in 0..runner.config().cases {
        let (by_code, deeds) = histories().new_tree(&mut runner).unwrap().current();
        let see = |state: State, event: Event| {
            states.insert(state.to_string());
            events.insert(event.name());
        };
        live_through(next, by_code, &deeds, see).unwrap();
    }
    assert_eq!(states.len(), 11, "{states:?}");
    assert_eq!(events.len(), 23, "{events:?}");
}

fn without(transition: Next, unwanted: impl Fn(&Effect) -> bool) -> Next {
    transition.map(|t| Transition { effects: t.effects.into_iter().filter(|e| !unwanted(e)).collect(), ..t })
}

fn with(transition: Next, more: &[Effect]) -> Next {
    transition.map(|t| Transition { effects: [t.effects, more.to_vec()].concat(), ..t })
}

/// Rules with one fault each, and the invariant that it breaks.
const FAULTS: [(u8, &str, Rules); 13] = [
    (1, "an anonymised member comes back", |state, event| match (state, event) {
        (State::Deprovisioned, Event::ProfileUpdate) => next(State::Uninvited, event),
        _ => next(state, event),
    }),
    (1, "somebody uninvited gets in", |state, event| match (state, event) {
        (State::Uninvited, Event::ClaimSso) => next(State::Invited, event),
        _ => next(state, event),
    }),
    (2, "letters outlive a deactivation", |state, event| match event {
        Event::Deactivate(_) => without(next(state, event), |e| *e == Effect::CancelMail),
        _ => next(state, event),
    }),
    (2, "a group tells those who are uninvited", |state, event| match (state, event) {
        (State::Uninvited, Event::GroupChange) => with(next(state, event), &[Effect::Mail(Letter::GroupChanged)]),
        _ => next(state, event),
    }),
    (3, "a link outlives the claim", |state, event| match event {
        Event::ClaimSso => without(next(state, event), |e| matches!(e, Effect::EndInvitation(_))),
        _ => next(state, event),
    }),
    (3, "a code outlives the account", |state, event| match event {
        Event::ScimDelete => without(next(state, event), |e| matches!(e, Effect::EndCode(_))),
        _ => next(state, event),
    }),
    (4, "a restored member is still held", |state, event| match event {
        Event::Reactivate { .. } => without(next(state, event), |e| matches!(e, Effect::DropHold(_))),
        _ => next(state, event),
    }),
    (4, "a restored member stays hidden", |state, event| match event {
        Event::Provision(_) => without(next(state, event), |e| *e == Effect::Reveal),
        _ => next(state, event),
    }),
    (5, "a source takes everybody's holds away", |state, event| match event {
        Event::Reactivate { .. } => next(state, Event::Reactivate { release: Release::All, remaining: None }),
        _ => next(state, event),
    }),
    (6, "a second deactivation starts the clock again", |state, event| match (state, event) {
        (State::Quarantined { .. }, Event::Deactivate(_)) => with(next(state, event), &[Effect::StopClock, Effect::StartClock]),
        _ => next(state, event),
    }),
    (6, "the clock runs on after a return", |state, event| match event {
        Event::TerminationMoved { .. } => without(next(state, event), |e| *e == Effect::StopClock),
        _ => next(state, event),
    }),
    (7, "a letter is written before its link", |state, event| match event {
        Event::Invite { .. } => next(state, event).map(|t| Transition { effects: t.effects.into_iter().rev().collect(), ..t }),
        _ => next(state, event),
    }),
    (8, "a claim is undone twice", |state, event| match (state, event) {
        (State::Invited, Event::ResetClaim { .. }) => next(State::Claimed, event),
        _ => next(state, event),
    }),
];

/// Each invariant is noticed when it is broken, so that the test above can fail.
#[test]
fn every_fault_is_found() {
    for (invariant, what, rules) in FAULTS {
        let mut runner = runner();
        let found = (0..runner.config().cases).any(|_| {
            let (by_code, deeds) = histories().new_tree(&mut runner).unwrap().current();
            live_through(rules, by_code, &deeds, |_, _| {}).is_err_and(|b| b.0 == invariant)
        });
        assert!(found, "invariant {invariant}: nobody noticed that {what}");
    }
}
