//! A member as the lifecycle's effects make it, without a database, and the deeds that happen to it. The facts in an event are
//! found as `service::roll`, `service::provision`, `service::members` and `service::timers` find them. What must hold of it is
//! in `lifecycle_histories`.

use crate::lifecycle_histories::check;
use rollbook::domain::lifecycle::{Block, Effect, End, Event, Letter, Link, Login, Provision, Refused, Release, Transition};
use rollbook::domain::settings::DAY;
use rollbook::domain::{Hold, Reason, Source, State};

pub const QUARANTINE: i64 = 7 * DAY;

pub type Next = Result<Transition, Refused>;
pub type Rules = fn(State, Event) -> Next;

/// What somebody or something does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The identity provider sends a POST.
    Arrive {
        invite: bool,
        address: Option<u8>,
        inactive: bool,
        same: bool,
    },
    Invite,
    Resend,
    Revoke,
    /// Timers.
    Remind,
    Expire,
    Sweep(Option<Block>),
    Terminate,
    /// The member, or a stranger.
    OpenLink(Login),
    SignInForTheFirstTime,
    TypeCode,
    SignIn,
    IssueCode,
    SwitchOff(Source),
    SwitchOn(Source),
    MoveTermination,
    LeaveFeed,
    Restore,
    Delete {
        confirmed: bool,
        legal_hold: bool,
    },
    ScimDelete,
    Reset,
    Edit,
    Address(Option<u8>),
    ChangeGroups,
    LoseDomain,
    /// The outbox is emptied. No event.
    Post,
    /// Nothing, for longer than a quarantine.
    Wait,
}

impl Deed {
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Invite, Self::Resend, Self::Revoke, Self::Remind, Self::Expire, Self::Terminate, Self::TypeCode];
        all.extend([Self::SignIn, Self::SignInForTheFirstTime, Self::IssueCode, Self::MoveTermination, Self::LeaveFeed, Self::Restore]);
        all.extend([Self::ScimDelete, Self::Reset, Self::Edit, Self::ChangeGroups, Self::LoseDomain, Self::Post, Self::Wait]);
        all.extend([None, Some(Block::LegalHold), Some(Block::Frozen)].map(Self::Sweep));
        all.extend([Login::Password, Login::Sso].map(Self::OpenLink));
        all.extend([Source::Scim, Source::Admin].map(Self::SwitchOff));
        all.extend([Source::Scim, Source::Csv].map(Self::SwitchOn));
        all.extend([None, Some(1), Some(2)].map(Self::Address));
        let deletions = [(false, false), (true, false), (true, true)];
        all.extend(deletions.map(|(confirmed, legal_hold)| Self::Delete { confirmed, legal_hold }));
        for (address, inactive) in [(None, false), (Some(1), false), (Some(2), false), (Some(1), true)] {
            for (invite, same) in [(false, false), (false, true), (true, false), (true, true)] {
                all.push(Self::Arrive { invite, address, inactive, same });
            }
        }
        all
    }

    /// Whose word it is, where it takes holds away.
    pub fn source(self) -> Option<Source> {
        match self {
            Self::Arrive { .. } | Self::MoveTermination => Some(Source::Scim),
            Self::SwitchOn(source) => Some(source),
            Self::Restore => Some(Source::Admin),
            _ => None,
        }
    }

    /// Whether it is meant to do something each time: a new link, a new code, one more letter.
    fn means_more_each_time(self) -> bool {
        matches!(self, Self::Invite | Self::Resend | Self::IssueCode | Self::Remind | Self::ChangeGroups)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub state: State,
    pub holds: Vec<Hold>,
    /// How each link ended, and each code; `None` while it is live.
    pub links: Vec<Option<End>>,
    pub codes: Vec<Option<End>>,
    /// Letters that were not sent yet.
    pub queued: Vec<Letter>,
    pub purge_at: Option<i64>,
    /// Whether its names are taken, because identity providers see it.
    pub named: bool,
    pub exists: bool,
    pub ever_claimed: bool,
    pub address: Option<u8>,
}

const NOBODY: Record = Record {
    state: State::Absent,
    holds: Vec::new(),
    links: Vec::new(),
    codes: Vec::new(),
    queued: Vec::new(),
    purge_at: None,
    named: false,
    exists: false,
    ever_claimed: false,
    address: None,
};

pub fn live(tokens: &[Option<End>]) -> usize {
    tokens.iter().filter(|end| end.is_none()).count()
}

fn end(tokens: &mut [Option<End>], how: End) {
    tokens.iter_mut().filter(|end| end.is_none()).for_each(|end| *end = Some(how));
}

/// Which invariant is broken, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken(pub u8, pub String);

pub fn holds(invariant: u8, is_so: bool, what: &str) -> Result<(), Broken> {
    if is_so { Ok(()) } else { Err(Broken(invariant, what.to_owned())) }
}

impl Record {
    /// Does what a transition asks for, in its order.
    fn perform(&mut self, effect: Effect, to: State, now: i64) -> Result<(), Broken> {
        match effect {
            Effect::Create => *self = Self { exists: true, named: true, address: self.address, ..NOBODY },
            Effect::NewInvitation => {
                end(&mut self.links, End::Superseded);
                self.links.push(None);
            }
            Effect::NewCode => {
                end(&mut self.codes, End::Superseded);
                self.codes.push(None);
            }
            Effect::EndInvitation(how) => end(&mut self.links, how),
            Effect::EndCode(how) => end(&mut self.codes, how),
            Effect::Mail(letter) => self.queue(letter, to)?,
            Effect::CancelMail => self.queued.clear(),
            Effect::MarkClaimed => self.ever_claimed = true,
            Effect::AddHold(h) if self.hold(h.source, h.reason) => {}
            Effect::AddHold(h) => self.holds.push(h),
            Effect::DropHold(release) => self.holds.retain(|h| !release.covers(h)),
            Effect::StartClock => self.purge_at = self.purge_at.or(Some(now + QUARANTINE)),
            Effect::StopClock => self.purge_at = None,
            Effect::Hide => self.named = false,
            Effect::Reveal => self.named = true,
            // Letters, links and codes go with the copies.
            Effect::Anonymise => *self = Self { named: false, links: Vec::new(), codes: Vec::new(), queued: Vec::new(), ..self.clone() },
            Effect::RemoveRecord => *self = NOBODY,
            Effect::Remind | Effect::EndPassword => {}
        }
        Ok(())
    }

    fn queue(&mut self, letter: Letter, to: State) -> Result<(), Broken> {
        holds(2, to.may_receive_mail(), "a letter to somebody who must not hear anything")?;
        let about_link = matches!(letter, Letter::Invitation | Letter::Reminder);
        // Of invariant 7: what a letter is about is there before it.
        holds(7, !about_link || live(&self.links) == 1, "a letter about a link that is not there")?;
        if self.address.is_some() {
            self.queued.push(letter);
        }
        Ok(())
    }

    fn hold(&self, source: Source, reason: Reason) -> bool {
        self.holds.iter().any(|h| h.source == source && h.reason == reason)
    }

    fn remaining(&self, release: Release) -> Option<Hold> {
        self.holds.iter().find(|h| !release.covers(h)).copied()
    }
}

pub struct World {
    pub rules: Rules,
    /// Whether people without an address get a code.
    pub by_code: bool,
    pub now: i64,
    pub record: Record,
}

impl World {
    pub fn new(rules: Rules, by_code: bool) -> Self {
        Self { rules, by_code, now: 0, record: NOBODY }
    }

    /// What a deed means for the lifecycle; `None` when the services do not ask it at all.
    fn event(&self, deed: Deed) -> Option<Event> {
        let member = &self.record;
        let has_email = member.address.is_some();
        let word = |source, reason| Hold { source, reason, since: self.now };
        match deed {
            Deed::Arrive { invite, address, inactive, same } => Some(Event::Provision(Provision {
                invite,
                has_email: address.is_some(),
                by_code: address.is_none() && self.by_code,
                inactive: inactive.then(|| word(Source::Scim, Reason::Inactive)),
                same_person: same && member.state.is_quarantined(),
                source: Source::Scim,
                foreign_hold: member.remaining(Release::Source(Source::Scim)),
            })),
            Deed::Invite => Some(Event::Invite { has_email }),
            Deed::Resend => Some(Event::Resend { has_email }),
            Deed::Revoke => Some(Event::RevokeInvite),
            Deed::Remind => (member.state == State::Invited && live(&member.links) == 1).then_some(Event::AutoRemind),
            Deed::Expire => (live(&member.links) > 0).then_some(Event::InvitationExpired),
            Deed::Sweep(block) => member.purge_at.is_some_and(|t| t <= self.now).then_some(Event::QuarantineElapsed(block)),
            Deed::Terminate => Some(Event::Deactivate(word(Source::Scim, Reason::Terminated))),
            Deed::OpenLink(login) => {
                let link = if live(&member.links) > 0 { Link::Live } else { Link::Dead };
                (!member.links.is_empty()).then_some(Event::ClaimLink(link, login))
            }
            Deed::SignInForTheFirstTime => Some(Event::ClaimSso),
            Deed::TypeCode => (live(&member.codes) > 0).then_some(Event::ClaimCode),
            Deed::SignIn => Some(Event::Login),
            Deed::IssueCode => Some(Event::IssueCode { has_email }),
            Deed::SwitchOff(Source::Scim) if member.hold(Source::Scim, Reason::Inactive) => None,
            Deed::SwitchOff(source) => Some(Event::Deactivate(word(source, Reason::Inactive))),
            Deed::SwitchOn(source) => {
                let reason = if source == Source::Csv { Reason::Absent } else { Reason::Inactive };
                let release = Release::One(source, reason);
                (!member.holds.is_empty()).then(|| Event::Reactivate { release, remaining: member.remaining(release) })
            }
            Deed::MoveTermination => {
                let own = Release::One(Source::Scim, Reason::Terminated);
                let (held, remaining) = (member.holds.iter().any(|h| own.covers(h)), member.remaining(own));
                Some(Event::TerminationMoved { source: Source::Scim, held, remaining })
            }
            Deed::LeaveFeed => Some(Event::AbsentFromFeed(word(Source::Csv, Reason::Absent))),
            Deed::Restore => member.state.is_quarantined().then_some(Event::Reactivate { release: Release::All, remaining: None }),
            Deed::Delete { confirmed, legal_hold } => Some(Event::DeleteNow { confirmed, ever_claimed: member.ever_claimed, legal_hold }),
            Deed::ScimDelete => Some(Event::ScimDelete),
            Deed::Reset => Some(Event::ResetClaim { has_email }),
            Deed::Edit => Some(Event::ProfileUpdate),
            Deed::Address(address) => self.address_event(address),
            Deed::ChangeGroups => Some(Event::GroupChange),
            Deed::LoseDomain => Some(Event::DomainLapsed),
            Deed::Post | Deed::Wait => None,
        }
    }

    fn address_event(&self, address: Option<u8>) -> Option<Event> {
        let before = self.record.address;
        // The only address of somebody who knows of the account is not taken away where there are no codes.
        let kept = address.is_none() && self.record.state.may_receive_mail() && !self.by_code;
        (address != before && !kept).then(|| Event::EmailChange { has_email: address.is_some(), had_email: before.is_some() })
    }

    /// Does a deed, and checks what came of it. What happened, if anything did.
    pub fn step(&mut self, deed: Deed) -> Result<Option<Event>, Broken> {
        match deed {
            Deed::Post => self.record.queued.clear(),
            Deed::Wait => self.now += QUARANTINE,
            _ => {}
        }
        let Some(event) = self.event(deed) else { return Ok(None) };
        // Invariant 7, one transaction: with a refusal nothing is written, not even the address that came along.
        let Ok(transition) = (self.rules)(self.record.state, event) else { return Ok(None) };
        let mut after = self.record.clone();
        if let Deed::Address(address) | Deed::Arrive { address, .. } = deed {
            after.address = address;
        }
        for effect in &transition.effects {
            after.perform(*effect, transition.to, self.now)?;
        }
        after.state = transition.to;
        let created = transition.effects.contains(&Effect::Create);
        check(&self.record, &after, deed, event, created, self.now)?;
        self.record = after;
        Ok(Some(event))
    }

    /// Invariant 8: whatever comes a second time, as a retry of the same request or timer, changes nothing more.
    pub fn repeat(&self, deed: Deed) -> Result<(), Broken> {
        let mut again = Self { record: self.record.clone(), ..*self };
        if again.step(deed)?.is_none() {
            return Ok(());
        }
        // Keys for these are held by the services: a pause between links, the count of a link's reminders.
        let more = deed.means_more_each_time();
        let plain = |r: &Record| {
            if more { Record { links: Vec::new(), codes: Vec::new(), queued: Vec::new(), ..r.clone() } } else { r.clone() }
        };
        holds(8, plain(&again.record) == plain(&self.record), "a repetition changes something")
    }
}
