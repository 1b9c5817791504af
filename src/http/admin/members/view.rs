//! What the admin API shows of members.

use crate::domain::{Member, State};
use crate::scim::value::write_time;
use crate::service::audit::Line;
use crate::service::dossier::{Deed, Dossier, Invited};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// How far a member has come.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemberState {
    /// Provisioned ahead: unaware, and sent nothing.
    Uninvited,
    Invited,
    Claimed,
    /// Without access; everything is kept until the quarantine ends.
    Quarantined,
    /// Anonymised.
    Deprovisioned,
}

impl From<State> for MemberState {
    fn from(state: State) -> Self {
        match state {
            State::Absent | State::Uninvited => Self::Uninvited,
            State::Invited => Self::Invited,
            State::Claimed => Self::Claimed,
            State::Quarantined { .. } => Self::Quarantined,
            State::Deprovisioned => Self::Deprovisioned,
        }
    }
}

/// A member, as lists show it.
#[derive(Serialize, ToSchema)]
pub struct MemberBrief {
    /// The SCIM id.
    id: String,
    /// Stays the same, whatever happens to the record. Identity providers never see it.
    permanent_id: String,
    name: String,
    state: MemberState,
    /// Whether identity providers see the member no more.
    hidden: bool,
    /// The address for mail.
    mail: Option<String>,
    #[schema(format = DateTime)]
    invited_at: Option<String>,
    #[schema(format = DateTime)]
    claimed_at: Option<String>,
    /// When the quarantine ends.
    #[schema(format = DateTime)]
    quarantine_until: Option<String>,
}

/// A page of members, in the order of their ids.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct MemberPage {
    items: Vec<MemberBrief>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

pub(super) fn brief(id: &str, name: &str, m: &Member) -> MemberBrief {
    MemberBrief {
        id: id.to_owned(),
        permanent_id: m.person.clone(),
        name: name.to_owned(),
        state: m.state.into(),
        hidden: m.state.is_hidden(),
        mail: m.mail.clone(),
        invited_at: m.invited_at.map(write_time),
        claimed_at: m.claimed_at.map(write_time),
        quarantine_until: m.purge_at.filter(|_| m.state.is_quarantined()).map(write_time),
    }
}

/// One source's word that a member is gone. As long as there is one, the member has no access.
#[derive(Serialize, ToSchema)]
pub struct HoldView {
    #[schema(example = "scim")]
    source: String,
    #[schema(example = "inactive")]
    reason: String,
    #[schema(format = DateTime)]
    since: String,
}

/// The latest link that a member was sent.
#[derive(Serialize, ToSchema)]
pub struct InvitationBrief {
    /// `live`, `used`, `superseded`, `revoked` or `expired`.
    state: String,
    #[schema(format = DateTime)]
    expires_at: String,
    /// How many reminders were sent.
    reminders: i16,
    /// Why its mail could not be delivered.
    undeliverable: Option<String>,
}

/// A letter to a member, or about one.
#[derive(Serialize, ToSchema)]
pub struct LetterBrief {
    id: String,
    kind: String,
    /// `queued`, `sent`, `dead` or `cancelled`.
    state: String,
    /// Why it could not be sent.
    error: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Who did something to a member, and when.
#[derive(Serialize, ToSchema)]
pub struct DeedView {
    #[schema(format = DateTime)]
    at: String,
    /// What was done.
    #[schema(example = "provisioned")]
    event: String,
    /// `token`, `admin`, `member` or `timer`.
    kind: String,
    /// The identity provider, the admin, or the name of a timer.
    by: String,
    /// The id of the token.
    token: Option<String>,
    /// The source that the token belongs to.
    source: Option<String>,
}

/// Where a member comes from. Of what happened before there was a history, nothing is known.
#[derive(Serialize, ToSchema)]
pub struct Provenance {
    created: Option<DeedView>,
    changed: Option<DeedView>,
}

/// Everything there is to see of a member.
#[derive(Serialize, ToSchema)]
pub struct MemberView {
    #[serde(flatten)]
    brief: MemberBrief,
    /// Who keeps the member from having access.
    holds: Vec<HoldView>,
    /// Why the member must not be anonymised.
    legal_hold: Option<String>,
    /// Whether a freeze keeps the member from being anonymised.
    frozen: bool,
    /// When access ends by the termination date.
    #[schema(format = DateTime)]
    access_ends_at: Option<String>,
    /// The location that was sent, when it is not a configured one.
    location_unknown: Option<String>,
    invitation: Option<InvitationBrief>,
    /// When the live access code ends, if there is one.
    #[schema(format = DateTime)]
    code_expires_at: Option<String>,
    /// The names of the groups, also of those that the member had before it was hidden.
    groups: Vec<String>,
    /// The last hundred, newest first.
    letters: Vec<LetterBrief>,
    /// `password` or `sso`.
    auth_method: String,
    provenance: Provenance,
    /// The user as SCIM shows it; null when the member is anonymised.
    #[schema(value_type = Option<Object>)]
    user: Option<Value>,
}

fn deed(d: &Deed) -> DeedView {
    let Deed { at, event, kind, by, token, source } = d.clone();
    DeedView { at: write_time(at), event, kind, by, token, source }
}

pub(super) fn member(d: &Dossier) -> MemberView {
    let (row, m) = (&d.shown.row, &d.shown.member);
    let hold = |h: &crate::domain::Hold| HoldView {
        source: h.source.as_str().to_owned(),
        reason: h.reason.as_str().to_owned(),
        since: write_time(h.since),
    };
    MemberView {
        brief: brief(&row.id, &row.label, m),
        holds: m.holds.iter().map(hold).collect(),
        legal_hold: m.legal_hold.clone(),
        frozen: d.shown.frozen,
        access_ends_at: m.terminates_at.map(write_time),
        location_unknown: m.location.clone(),
        invitation: d.shown.invitation.as_ref().map(|i| InvitationBrief {
            state: i.state.clone(),
            expires_at: write_time(i.expires_at),
            reminders: i.reminders,
            undeliverable: i.undeliverable.clone(),
        }),
        code_expires_at: d.code_expires_at.map(write_time),
        groups: d.shown.groups.clone(),
        letters: letters(d),
        auth_method: if d.sso { "sso" } else { "password" }.to_owned(),
        provenance: Provenance { created: d.created.as_ref().map(deed), changed: d.changed.as_ref().map(deed) },
        user: d.user.clone(),
    }
}

fn letters(d: &Dossier) -> Vec<LetterBrief> {
    let letters = d.shown.letters.iter().map(|l| LetterBrief {
        id: l.id.clone(),
        kind: l.kind.clone(),
        state: l.state.clone(),
        error: l.error.clone(),
        created_at: write_time(l.created_at),
    });
    letters.collect()
}

/// One line of a history.
#[derive(Serialize, ToSchema)]
pub struct TimelineLine {
    id: String,
    #[schema(format = DateTime)]
    at: String,
    #[schema(example = "invited")]
    event: String,
    /// The state before and after.
    from: String,
    to: String,
    /// `token`, `admin`, `member` or `timer`.
    actor_kind: String,
    actor: String,
    reason: Option<String>,
    /// What identifies people; "erased" after they were anonymised.
    detail: Option<String>,
    request_id: Option<String>,
    /// All of it in words.
    sentence: String,
}

/// A page of a history, oldest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct TimelinePage {
    items: Vec<TimelineLine>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

pub(super) fn line(l: &Line) -> TimelineLine {
    let sentence = l.sentence();
    let Line { id, at, event, from, to, actor_kind, actor, reason, detail, request_id, .. } = l.clone();
    TimelineLine { id, at: write_time(at), event, from, to, actor_kind, actor, reason, detail, request_id, sentence }
}

/// An invitation.
#[derive(Serialize, ToSchema)]
pub struct InvitationView {
    /// `live`, `used`, `superseded`, `revoked` or `expired`.
    state: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    /// How many reminders were sent.
    reminders: i16,
    /// Why its mail could not be delivered.
    undeliverable: Option<String>,
    /// The link, for keys with `admin:secrets`, while it opens the account. Reading it is written into the history.
    link: Option<String>,
}

pub(super) fn invitation(i: Invited) -> InvitationView {
    let Invited { state, created_at, expires_at, reminders, undeliverable, link } = i;
    InvitationView { state, created_at: write_time(created_at), expires_at: write_time(expires_at), reminders, undeliverable, link }
}

/// A member who is gone.
#[derive(Serialize, ToSchema)]
pub struct GoneView {
    permanent_id: String,
    outcome: Outcome,
}

/// What became of a member.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The account was claimed once: only the permanent id is left.
    Anonymised,
    /// Nobody ever had the account: the record is gone.
    Removed,
}

pub(super) fn gone(permanent_id: String, after: State) -> GoneView {
    let outcome = if after == State::Deprovisioned { Outcome::Anonymised } else { Outcome::Removed };
    GoneView { permanent_id, outcome }
}
