//! A member of the roll: what the rules talk about.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How far somebody has come before a quarantine, or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    Uninvited,
    Invited,
    Claimed,
}

/// The state of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// There is no record. Never stored.
    Absent,
    /// Provisioned ahead: unaware, cannot claim, is sent nothing.
    Uninvited,
    Invited,
    Claimed,
    /// Without access; record, groups and history stay. Hidden after a SCIM DELETE: no identity provider sees it.
    Quarantined {
        prior: Stage,
        hidden: bool,
    },
    /// Anonymised. There is no way back.
    Deprovisioned,
}

impl Stage {
    /// The word for it in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        State::from(self).as_str()
    }
}

impl From<Stage> for State {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Uninvited => Self::Uninvited,
            Stage::Invited => Self::Invited,
            Stage::Claimed => Self::Claimed,
        }
    }
}

impl State {
    /// The word for it in SCIM, on the command line and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Uninvited => "uninvited",
            Self::Invited => "invited",
            Self::Claimed => "claimed",
            Self::Quarantined { .. } => "quarantined",
            Self::Deprovisioned => "deprovisioned",
        }
    }

    /// How far the member has come, whether quarantined or not.
    #[must_use]
    pub fn stage(self) -> Option<Stage> {
        match self {
            Self::Uninvited => Some(Stage::Uninvited),
            Self::Invited => Some(Stage::Invited),
            Self::Claimed => Some(Stage::Claimed),
            Self::Quarantined { prior, .. } => Some(prior),
            Self::Absent | Self::Deprovisioned => None,
        }
    }

    /// Whether the member is in quarantine.
    #[must_use]
    pub fn is_quarantined(self) -> bool {
        matches!(self, Self::Quarantined { .. })
    }

    /// Whether no identity provider sees the member.
    #[must_use]
    pub fn is_hidden(self) -> bool {
        matches!(self, Self::Quarantined { hidden: true, .. } | Self::Deprovisioned | Self::Absent)
    }

    /// Whether the member may be sent mail at all. Whoever does not know of an account hears nothing of it, and nobody
    /// hears from one that is closed.
    #[must_use]
    pub fn may_receive_mail(self) -> bool {
        matches!(self, Self::Invited | Self::Claimed)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quarantined { prior, hidden: false } => write!(f, "quarantined ({})", prior.as_str()),
            Self::Quarantined { prior, hidden: true } => write!(f, "quarantined ({}, deleted)", prior.as_str()),
            other => f.write_str(other.as_str()),
        }
    }
}

/// Who says that somebody is gone, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Scim,
    Admin,
    Csv,
    Workday,
    Ukg,
}

impl Source {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Admin => "admin",
            Self::Csv => "csv",
            Self::Workday => "workday",
            Self::Ukg => "ukg",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scim => "the identity provider",
            Self::Admin => "an admin",
            Self::Csv => "the CSV feed",
            Self::Workday => "Workday",
            Self::Ukg => "UKG Pro",
        }
    }
}

/// Why a source holds a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Switched off: `active:false`, or an admin's suspension.
    Inactive,
    /// The termination date has passed.
    Terminated,
    /// No longer in a full feed.
    Absent,
}

impl Reason {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Terminated => "terminated",
            Self::Absent => "absent",
        }
    }
}

/// One source's word that somebody is gone. As long as any holds, the member is not active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    pub source: Source,
    pub reason: Reason,
    /// Microseconds since the epoch.
    pub since: i64,
}

impl Hold {
    /// Says it to a person: who holds, and why.
    #[must_use]
    pub fn describe(&self) -> String {
        let why = match self.reason {
            Reason::Inactive => "has switched the account off",
            Reason::Terminated => "gave a termination date that has passed",
            Reason::Absent => "no longer lists the person",
        };
        format!("{} {why}", self.source.name())
    }
}

/// A member of the roll. Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Permanent, and never shown to identity providers.
    pub person: String,
    /// The SCIM id. Never used again for anybody else.
    pub id: String,
    pub state: State,
    /// Whether the account was ever claimed, whatever happened since.
    pub ever_claimed: bool,
    pub holds: Vec<Hold>,
    pub quarantined_at: Option<i64>,
    /// When the quarantine ends. Set once.
    pub purge_at: Option<i64>,
    /// Whether the digest that comes before has gone out.
    pub warned_at: Option<i64>,
    /// What SCIM's `invited` shows; `None` after a client has unassigned it.
    pub invited: Option<bool>,
    pub invited_at: Option<i64>,
    pub claimed_at: Option<i64>,
    /// Counts up with every link.
    pub generation: i64,
    /// Why the person must not be anonymised.
    pub legal_hold: Option<String>,
    /// The employee id, case-folded.
    pub employee_key: Option<String>,
    /// When the termination date takes effect.
    pub terminates_at: Option<i64>,
    /// The location as it was sent.
    pub location: Option<String>,
    /// The manager's address as it was sent, as long as nobody has it.
    pub manager_ref: Option<String>,
    /// Whether the member administers the tenant.
    pub admin: bool,
    /// The address for mail.
    pub mail: Option<String>,
}

impl Member {
    /// A record that is not in any state yet.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            person: id.to_owned(),
            id: id.to_owned(),
            state: State::Absent,
            ever_claimed: false,
            holds: Vec::new(),
            quarantined_at: None,
            purge_at: None,
            warned_at: None,
            invited: Some(false),
            invited_at: None,
            claimed_at: None,
            generation: 0,
            legal_hold: None,
            employee_key: None,
            terminates_at: None,
            location: None,
            manager_ref: None,
            admin: false,
            mail: None,
        }
    }

    /// SCIM's `active`: nobody holds the member.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.holds.is_empty()
    }

    /// The hold of one source for one reason.
    #[must_use]
    pub fn hold(&self, source: Source, reason: Reason) -> Option<&Hold> {
        self.holds.iter().find(|h| h.source == source && h.reason == reason)
    }

    /// Whether an admin may remove the record at once without a second thought: nobody's account is lost.
    #[must_use]
    pub fn can_delete(&self) -> bool {
        !self.ever_claimed || self.state.is_quarantined()
    }
}
