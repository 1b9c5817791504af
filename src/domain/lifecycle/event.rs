//! The words of the lifecycle: events, effects, refusals.

use super::super::member::{Hold, Reason, Source, State};

/// How somebody is provisioned who is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "these are independent facts")]
pub struct Provision {
    /// Whether the source says that the person is to be invited.
    pub invite: bool,
    /// Whether there is an address for mail.
    pub has_email: bool,
    /// Whether people without one get an access code at once.
    pub by_code: bool,
    /// The source's word that the person is gone already.
    pub inactive: Option<Hold>,
    /// Whether the record that is there belongs to the same person: the same source key.
    pub same_person: bool,
    /// Which source it is.
    pub source: Source,
    /// Who else holds that record.
    pub foreign_hold: Option<Hold>,
}

/// What a claim link is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    Live,
    /// Expired, superseded or revoked.
    Dead,
}

/// How a member signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Login {
    Password,
    Sso,
}

/// Why a quarantine does not end yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Block {
    LegalHold,
    /// Too many were deactivated at once, and nobody has confirmed it.
    Frozen,
}

/// Which holds are taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Release {
    /// One of a source's own.
    One(Source, Reason),
    /// Everything that a source holds.
    Source(Source),
    /// Everything: an admin's word.
    All,
}

impl Release {
    /// Whether a hold is among them.
    #[must_use]
    pub fn covers(self, hold: &Hold) -> bool {
        match self {
            Self::One(source, reason) => hold.source == source && hold.reason == reason,
            Self::Source(source) => hold.source == source,
            Self::All => true,
        }
    }
}

/// What happens to a member. The numbers are the rows of the transition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Rows 1 and 2: a source has the person.
    Provision(Provision),
    /// Row 3.
    Invite { has_email: bool },
    /// Row 4: the timer of a reminder.
    AutoRemind,
    /// Row 5: an admin sends a new link.
    Resend { has_email: bool },
    /// Row 6.
    RevokeInvite,
    /// Row 7: the timer of a link.
    InvitationExpired,
    /// Row 8: the last step of the claim page.
    ClaimLink(Link, Login),
    /// Row 9: single sign-on has vouched for the person.
    ClaimSso,
    /// Row 10: an access code was typed in.
    ClaimCode,
    /// Row 11.
    IssueCode { has_email: bool },
    /// Row 12: a source says that the person is gone.
    Deactivate(Hold),
    /// Row 13: a source says that the person is back; what still holds after that.
    Reactivate { release: Release, remaining: Option<Hold> },
    /// Row 14: the quarantine is over.
    QuarantineElapsed(Option<Block>),
    /// Row 15: an admin removes the record, confirmed or not. An erasure request is one that is confirmed.
    DeleteNow { confirmed: bool, ever_claimed: bool, legal_hold: bool },
    /// Row 16.
    ScimDelete,
    /// Row 17: an admin undoes a claim.
    ResetClaim { has_email: bool },
    /// Row 18.
    ProfileUpdate,
    /// Row 19: the address for mail is another.
    EmailChange { has_email: bool, had_email: bool },
    /// Row 20: a termination date in the future, or none any more; what still holds after that.
    TerminationMoved { source: Source, held: bool, remaining: Option<Hold> },
    /// Row 21: a full feed no longer has the person.
    AbsentFromFeed(Hold),
    /// Row 22.
    GroupChange,
    /// Row 23.
    Login,
    /// Row 24: the domain of the address is no longer usable.
    DomainLapsed,
}

/// What a letter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Letter {
    Invitation,
    /// The same link again.
    Reminder,
    /// To the new and to the old address of a claimed account.
    AddressChanged,
    /// A group was joined or left.
    GroupChanged,
}

/// What must happen with a transition, in this order, in the transaction that stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// A new record.
    Create,
    /// A new link; every older one is dead.
    NewInvitation,
    /// The live link is dead.
    EndInvitation(End),
    /// A new access code; every older one is dead.
    NewCode,
    /// The live code is dead.
    EndCode(End),
    /// One letter, to whoever may receive mail after the transition.
    Mail(Letter),
    /// The next reminder is due later, or never.
    Remind,
    /// Letters that were not sent yet are not sent.
    CancelMail,
    MarkClaimed,
    /// The password is forgotten.
    EndPassword,
    AddHold(Hold),
    DropHold(Release),
    /// Sets the end of the quarantine, once.
    StartClock,
    StopClock,
    /// No identity provider sees the record any more; its names are free for others, its groups are kept aside.
    Hide,
    /// It is seen again, under its names and in its groups.
    Reveal,
    /// The steps that end in anonymisation begin.
    Anonymise,
    /// The record goes; nobody's account was in it.
    RemoveRecord,
}

/// How a link or a code ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    Used,
    Superseded,
    Revoked,
    Expired,
}

impl End {
    /// The word for it in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// Where an event leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub to: State,
    pub effects: Vec<Effect>,
}

/// Why an event leads nowhere. Nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    #[error("there is no such member")]
    NotFound,
    #[error("somebody else has this userName")]
    Taken,
    #[error("the account is claimed already")]
    AlreadyClaimed,
    #[error("the member is not invited")]
    NotInvited,
    #[error("the member is not claimed")]
    NotClaimed,
    #[error("the member is deactivated")]
    Deactivated,
    #[error("the member stays deactivated: {}", .0.describe())]
    Held(Hold),
    /// A stranger is told the same as for a link that never was.
    #[error("the link or code is not valid")]
    Neutral,
    #[error("the link was used already")]
    Used,
    #[error("the link is no longer valid")]
    Gone,
    #[error("the account is claimed through single sign-on")]
    UseSso,
    #[error("the member has no e-mail address")]
    NoEmail,
    #[error("the member has an e-mail address, so that it gets no access code")]
    HasEmail,
    #[error("this removes a claimed account for good and needs to be confirmed")]
    Unconfirmed,
    #[error("the domain of the member's address is not verified")]
    Untrusted,
    #[error("a legal hold forbids it")]
    LegalHold,
    #[error("too many members were deactivated at once; an admin has to confirm it first")]
    Frozen,
    #[error("a member who is not there or anonymised cannot be in a group")]
    NoGroups,
    #[error("access is denied")]
    Denied,
}

impl Event {
    /// The word for it in the audit.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Provision(_) => "provisioned",
            Self::Invite { .. } => "invited",
            Self::AutoRemind => "reminded",
            Self::Resend { .. } => "invitation_resent",
            Self::RevokeInvite => "invitation_revoked",
            Self::InvitationExpired => "invitation_expired",
            Self::ClaimLink(..) => "claimed_by_link",
            Self::ClaimSso => "claimed_by_sso",
            Self::ClaimCode => "claimed_by_code",
            Self::IssueCode { .. } => "code_issued",
            Self::Deactivate(_) => "deactivated",
            Self::Reactivate { .. } => "reactivated",
            Self::QuarantineElapsed(_) => "quarantine_elapsed",
            Self::DeleteNow { .. } => "deleted_now",
            Self::ScimDelete => "deleted",
            Self::ResetClaim { .. } => "claim_reset",
            Self::ProfileUpdate => "profile_updated",
            Self::EmailChange { .. } => "address_changed",
            Self::TerminationMoved { .. } => "termination_date_moved",
            Self::AbsentFromFeed(_) => "absent_from_feed",
            Self::GroupChange => "groups_changed",
            Self::Login => "login",
            Self::DomainLapsed => "domain_lapsed",
        }
    }
}
