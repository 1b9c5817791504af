//! The lifecycle of a member: which event leads from which state to which, and what must happen with it.
//!
//! One total function, [`next`], without wildcard arms: a new state or event does not compile until its row is written.
//! What must happen is data, carried out by `service::roll` in the transaction that stores the state.

mod event;

use super::member::{Hold, Reason, Stage, State};
use Effect::{
    AddHold, Anonymise, CancelMail, Create, DropHold, EndCode, EndInvitation, EndPassword, Hide, Mail, MarkClaimed, NewCode, NewInvitation,
    Remind, RemoveRecord, Reveal, StartClock, StopClock,
};
use State::{Absent, Claimed, Deprovisioned, Invited, Quarantined, Uninvited};
pub use event::{Block, Effect, End, Event, Letter, Link, Login, Provision, Refused, Release, Transition};

type Next = Result<Transition, Refused>;

#[expect(clippy::unnecessary_wraps, reason = "every row of the table has the same type")]
fn to(state: State, effects: &[Effect]) -> Next {
    Ok(Transition { to: state, effects: effects.to_vec() })
}

/// Nothing changes.
fn stay(state: State) -> Next {
    to(state, &[])
}

fn quarantined(prior: Stage) -> State {
    Quarantined { prior, hidden: false }
}

/// Where `event` leads from `state`.
///
/// # Errors
/// [`Refused`], which says why it leads nowhere.
pub fn next(state: State, event: Event) -> Next {
    match event {
        Event::Provision(how) => provision(state, how),
        Event::Invite { has_email } => invite(state, has_email),
        Event::AutoRemind => remind(state),
        Event::Resend { has_email } => resend(state, has_email),
        Event::RevokeInvite => revoke(state),
        Event::InvitationExpired => expire(state),
        Event::ClaimLink(link, login) => claim_link(state, link, login),
        Event::ClaimSso => claim_sso(state),
        Event::ClaimCode => claim_code(state),
        Event::IssueCode { has_email } => issue_code(state, has_email),
        Event::Deactivate(hold) => deactivate(state, hold),
        Event::Reactivate { release, remaining } => reactivate(state, release, remaining),
        Event::QuarantineElapsed(block) => elapse(state, block),
        Event::DeleteNow { confirmed, ever_claimed, legal_hold } => delete_now(state, confirmed, ever_claimed, legal_hold),
        Event::ScimDelete => scim_delete(state),
        Event::ResetClaim { has_email } => reset_claim(state, has_email),
        Event::ProfileUpdate => known(state, Refused::NotFound),
        Event::EmailChange { has_email, had_email: before } => email_change(state, has_email, before),
        Event::TerminationMoved { source, held, remaining } => {
            termination_moved(state, held, Release::One(source, Reason::Terminated), remaining)
        }
        Event::AbsentFromFeed(hold) => absent_from_feed(state, hold),
        Event::GroupChange => group_change(state),
        Event::Login => login(state),
        Event::DomainLapsed => domain_lapsed(state),
    }
}

/// Rows 1 and 2.
fn provision(state: State, how: Provision) -> Next {
    match state {
        Absent | Deprovisioned => provision_new(how),
        Uninvited if how.invite => match how.inactive {
            Some(hold) => deactivate(state, hold),
            None if how.by_code && !how.has_email => issue_code(state, how.has_email),
            None => invite(state, how.has_email),
        },
        Uninvited | Invited | Claimed => Err(Refused::Taken),
        Quarantined { hidden: true, .. } if !how.same_person => provision_new(how),
        Quarantined { hidden: false, .. } if !how.same_person => Err(Refused::Taken),
        Quarantined { .. } => match how.foreign_hold {
            Some(hold) => Err(Refused::Held(hold)),
            None => provision_again(state, how),
        },
    }
}

fn provision_new(how: Provision) -> Next {
    match how {
        Provision { inactive: Some(hold), .. } => to(quarantined(Stage::Uninvited), &[Create, AddHold(hold), StartClock]),
        Provision { has_email: false, by_code: true, .. } => to(Invited, &[Create, NewCode]),
        Provision { has_email: false, by_code: false, invite: true, .. } => Err(Refused::NoEmail),
        Provision { has_email: true, invite: true, .. } => to(Invited, &[Create, NewInvitation, Mail(Letter::Invitation)]),
        Provision { invite: false, .. } => to(Uninvited, &[Create]),
    }
}

/// Somebody comes back who is in quarantine.
fn provision_again(state: State, how: Provision) -> Next {
    let Quarantined { prior, hidden } = state else { return Err(Refused::Taken) };
    if let Some(hold) = how.inactive {
        // Still gone, but known under its name again.
        return if hidden { to(quarantined(prior), &[AddHold(hold), Reveal]) } else { to(state, &[AddHold(hold)]) };
    }
    let mut effects = vec![DropHold(Release::Source(how.source)), StopClock];
    if hidden {
        effects.push(Reveal);
    }
    let fresh = how.invite && how.has_email;
    let by_code = how.by_code && !how.has_email;
    let state = match prior {
        Stage::Claimed => Claimed,
        Stage::Invited => Invited,
        Stage::Uninvited if fresh || by_code => Invited,
        Stage::Uninvited => Uninvited,
    };
    if fresh && state == Invited {
        effects.extend([NewInvitation, Mail(Letter::Invitation)]);
    }
    if state == Invited && by_code {
        effects.push(NewCode);
    }
    to(state, &effects)
}

/// Row 3.
fn invite(state: State, has_email: bool) -> Next {
    match state {
        Absent | Deprovisioned => Err(Refused::NotFound),
        Uninvited if !has_email => Err(Refused::NoEmail),
        Uninvited => to(Invited, &[NewInvitation, Mail(Letter::Invitation)]),
        Invited => resend(state, has_email),
        Claimed => Err(Refused::AlreadyClaimed),
        Quarantined { .. } => Err(Refused::Deactivated),
    }
}

/// Row 4. Whoever is no longer invited is not reminded, whenever it was planned.
fn remind(state: State) -> Next {
    match state {
        Invited => to(Invited, &[Mail(Letter::Reminder), Remind]),
        Absent | Uninvited | Claimed | Quarantined { .. } | Deprovisioned => stay(state),
    }
}

/// Row 5.
fn resend(state: State, has_email: bool) -> Next {
    match state {
        Absent | Deprovisioned => Err(Refused::NotFound),
        Uninvited => Err(Refused::NotInvited),
        Invited if !has_email => Err(Refused::NoEmail),
        Invited => to(Invited, &[CancelMail, NewInvitation, Mail(Letter::Invitation)]),
        Claimed => Err(Refused::AlreadyClaimed),
        Quarantined { .. } => Err(Refused::Deactivated),
    }
}

const DEAD: [Effect; 3] = [EndInvitation(End::Revoked), EndCode(End::Revoked), CancelMail];

/// Row 6.
fn revoke(state: State) -> Next {
    match state {
        Absent | Deprovisioned => Err(Refused::NotFound),
        Uninvited | Quarantined { prior: Stage::Uninvited | Stage::Claimed, .. } => stay(state),
        Invited => to(Uninvited, &DEAD),
        Claimed => Err(Refused::AlreadyClaimed),
        Quarantined { prior: Stage::Invited, hidden } => to(Quarantined { prior: Stage::Uninvited, hidden }, &[]),
    }
}

/// Row 7: the link ends, the member does not.
fn expire(state: State) -> Next {
    match state {
        Invited => to(Invited, &[EndInvitation(End::Expired)]),
        Absent | Uninvited | Claimed | Quarantined { .. } | Deprovisioned => stay(state),
    }
}

/// Row 8.
fn claim_link(state: State, link: Link, login: Login) -> Next {
    match (state, link, login) {
        (Absent | Uninvited | Quarantined { .. } | Deprovisioned, Link::Live | Link::Dead, Login::Password | Login::Sso) => {
            Err(Refused::Neutral)
        }
        (Claimed, Link::Live | Link::Dead, Login::Password | Login::Sso) => Err(Refused::Used),
        (Invited, Link::Dead, Login::Password | Login::Sso) => Err(Refused::Gone),
        (Invited, Link::Live, Login::Sso) => Err(Refused::UseSso),
        (Invited, Link::Live, Login::Password) => to(Claimed, &CLAIM),
    }
}

const CLAIM: [Effect; 4] = [EndInvitation(End::Used), EndCode(End::Used), CancelMail, MarkClaimed];

/// Row 9. Nobody who is uninvited or gone gets in, and nobody gets a second account.
fn claim_sso(state: State) -> Next {
    match state {
        Invited => to(Claimed, &CLAIM),
        Claimed => stay(state),
        Absent | Uninvited | Quarantined { .. } | Deprovisioned => Err(Refused::Denied),
    }
}

/// Row 10.
fn claim_code(state: State) -> Next {
    match state {
        Invited => to(Claimed, &CLAIM),
        Claimed => to(Claimed, &[EndCode(End::Used)]),
        Absent | Uninvited | Quarantined { .. } | Deprovisioned => Err(Refused::Neutral),
    }
}

/// Row 11.
fn issue_code(state: State, has_email: bool) -> Next {
    match state {
        Absent | Deprovisioned => Err(Refused::NotFound),
        Quarantined { .. } => Err(Refused::Deactivated),
        Uninvited | Invited if has_email => Err(Refused::HasEmail),
        Uninvited | Invited => to(Invited, &[NewCode]),
        Claimed => to(Claimed, &[NewCode]),
    }
}

/// Row 12.
fn deactivate(state: State, hold: Hold) -> Next {
    match state {
        Absent | Deprovisioned => Err(Refused::NotFound),
        Uninvited => to(quarantined(Stage::Uninvited), &[AddHold(hold), StartClock, CancelMail]),
        Invited => {
            let [a, b, c] = DEAD;
            to(quarantined(Stage::Invited), &[AddHold(hold), StartClock, a, b, c])
        }
        Claimed => to(quarantined(Stage::Claimed), &[AddHold(hold), StartClock, EndCode(End::Revoked), CancelMail]),
        // The clock is not started again.
        Quarantined { .. } => to(state, &[AddHold(hold)]),
    }
}

/// Row 13.
fn reactivate(state: State, release: Release, remaining: Option<Hold>) -> Next {
    match (state, remaining) {
        (Absent | Deprovisioned, _) => Err(Refused::NotFound),
        (Uninvited | Invited | Claimed, _) => stay(state),
        (Quarantined { .. }, Some(hold)) => Err(Refused::Held(hold)),
        (Quarantined { prior, hidden: false }, None) => to(prior.into(), &[DropHold(release), StopClock]),
        (Quarantined { prior, hidden: true }, None) => to(prior.into(), &[DropHold(release), StopClock, Reveal]),
    }
}

/// Row 14.
fn elapse(state: State, block: Option<Block>) -> Next {
    match (state, block) {
        (Quarantined { .. }, None) => to(Deprovisioned, &[Anonymise]),
        (Quarantined { .. }, Some(Block::LegalHold)) => Err(Refused::LegalHold),
        (Quarantined { .. }, Some(Block::Frozen)) => Err(Refused::Frozen),
        (Absent | Uninvited | Invited | Claimed | Deprovisioned, _) => stay(state),
    }
}

/// Row 15. Where an account ever was, it must be confirmed, and the person is anonymised; other records are simply gone.
fn delete_now(state: State, confirmed: bool, ever_claimed: bool, legal_hold: bool) -> Next {
    match state {
        Absent | Deprovisioned => Err(Refused::NotFound),
        Uninvited | Invited | Claimed | Quarantined { .. } if legal_hold => Err(Refused::LegalHold),
        Uninvited | Invited | Claimed | Quarantined { .. } if ever_claimed && !confirmed => Err(Refused::Unconfirmed),
        Uninvited | Invited if !ever_claimed => to(Absent, &[EndInvitation(End::Revoked), EndCode(End::Revoked), CancelMail, RemoveRecord]),
        Uninvited | Invited => to(Deprovisioned, &[EndInvitation(End::Revoked), EndCode(End::Revoked), CancelMail, Anonymise]),
        Claimed => to(Deprovisioned, &[EndCode(End::Revoked), CancelMail, Anonymise]),
        Quarantined { .. } => to(Deprovisioned, &[Anonymise]),
    }
}

/// Row 16.
fn scim_delete(state: State) -> Next {
    let hidden = |prior| Quarantined { prior, hidden: true };
    match state {
        Absent | Deprovisioned | Quarantined { hidden: true, .. } => Err(Refused::NotFound),
        Uninvited => to(hidden(Stage::Uninvited), &[StartClock, CancelMail, Hide]),
        Invited => {
            let [a, b, c] = DEAD;
            to(hidden(Stage::Invited), &[StartClock, a, b, c, Hide])
        }
        Claimed => to(hidden(Stage::Claimed), &[StartClock, EndCode(End::Revoked), CancelMail, Hide]),
        Quarantined { prior, hidden: false } => to(hidden(prior), &[Hide]),
    }
}

/// Row 17.
fn reset_claim(state: State, has_email: bool) -> Next {
    match (state, has_email) {
        (Absent | Deprovisioned, _) => Err(Refused::NotFound),
        (Uninvited | Invited | Quarantined { .. }, _) => Err(Refused::NotClaimed),
        (Claimed, true) => to(Invited, &[EndCode(End::Revoked), CancelMail, EndPassword, NewInvitation, Mail(Letter::Invitation)]),
        (Claimed, false) => to(Invited, &[CancelMail, EndPassword, NewCode]),
    }
}

/// Rows 18 and 22 for whoever has a record.
fn known(state: State, missing: Refused) -> Next {
    match state {
        Uninvited | Invited | Claimed | Quarantined { .. } => stay(state),
        Absent | Deprovisioned => Err(missing),
    }
}

/// Row 19. A code was for somebody without an address; a link was for the old one.
fn email_change(state: State, has_email: bool, before: bool) -> Next {
    match (state, has_email) {
        (Absent | Deprovisioned, _) => Err(Refused::NotFound),
        (Uninvited | Quarantined { .. }, _) => stay(state),
        (Invited, true) => to(Invited, &[EndCode(End::Superseded), CancelMail, NewInvitation, Mail(Letter::Invitation)]),
        (Invited, false) => to(Invited, &[EndInvitation(End::Revoked), CancelMail, NewCode]),
        (Claimed, true) if before => to(Claimed, &[EndCode(End::Revoked), Mail(Letter::AddressChanged)]),
        (Claimed, true) => to(Claimed, &[EndCode(End::Revoked)]),
        (Claimed, false) => to(Claimed, &[CancelMail, Mail(Letter::AddressChanged)]),
    }
}

/// Row 20.
fn termination_moved(state: State, held: bool, release: Release, remaining: Option<Hold>) -> Next {
    match (state, held) {
        (Absent, _) => Err(Refused::NotFound),
        (Uninvited | Invited | Claimed | Deprovisioned, _) | (Quarantined { .. }, false) => stay(state),
        // The source takes back one hold; others may go on, which is no fault of the request. What was deleted stays deleted.
        (Quarantined { hidden: true, .. }, true) => to(state, &[DropHold(release)]),
        (Quarantined { hidden: false, .. }, true) => match remaining {
            None => reactivate(state, release, None),
            Some(_) => to(state, &[DropHold(release)]),
        },
    }
}

/// Row 21.
fn absent_from_feed(state: State, hold: Hold) -> Next {
    match state {
        Uninvited | Invited | Claimed => deactivate(state, hold),
        Absent | Quarantined { .. } | Deprovisioned => stay(state),
    }
}

/// Row 22. Only those who know of their account hear of it.
fn group_change(state: State) -> Next {
    match state {
        Claimed => to(Claimed, &[Mail(Letter::GroupChanged)]),
        Uninvited | Invited | Quarantined { .. } => stay(state),
        Absent | Deprovisioned => Err(Refused::NoGroups),
    }
}

/// Row 23.
fn login(state: State) -> Next {
    match state {
        Claimed => stay(state),
        Absent | Uninvited | Invited | Quarantined { .. } | Deprovisioned => Err(Refused::Denied),
    }
}

/// Row 24: whoever is claimed stays; for the others the domain is looked at when they are invited.
fn domain_lapsed(state: State) -> Next {
    match state {
        Invited => to(Invited, &[CancelMail]),
        Absent | Uninvited | Claimed | Quarantined { .. } | Deprovisioned => stay(state),
    }
}
