//! Letters to members and admins: put into the outbox with the change that causes them, written when they are sent.
//!
//! [`enqueue`] is the one place where a letter comes into being. It refuses whoever must not hear anything.

use super::audit;
use super::roll::Act;
use super::vault::Vault;
use super::{employment, mapping};
use crate::domain::lifecycle::Letter;
use crate::domain::settings::DAY;
use crate::domain::{Actor, Member, Tenant, new_id};
use crate::error::Result;
use crate::mail::{self, Address, Content};
use crate::store::outbox;
pub use crate::store::outbox::Entry;
use crate::store::{Conn, Row, due, invitations, roll, tenants};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a letter is about, and so to whom it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To a member.
    Member(Letter),
    /// To the admins: who will be anonymised soon.
    Digest,
    /// To the admins: many were deactivated at once.
    Frozen,
    /// To the admins: somebody regained access with an access code.
    Recovered,
    /// To the admins: a token will not be accepted much longer.
    TokenExpires,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Member(Letter::Invitation),
        Self::Member(Letter::Reminder),
        Self::Member(Letter::AddressChanged),
        Self::Member(Letter::GroupChanged),
        Self::Digest,
        Self::Frozen,
        Self::Recovered,
        Self::TokenExpires,
    ];

    /// The word for it in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member(Letter::Invitation) => "invitation",
            Self::Member(Letter::Reminder) => "reminder",
            Self::Member(Letter::AddressChanged) => "address_changed",
            Self::Member(Letter::GroupChanged) => "group_changed",
            Self::Digest => "digest",
            Self::Frozen => "frozen",
            Self::Recovered => "recovered",
            Self::TokenExpires => "token_expires",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == word)
    }
}

/// What is needed to write a letter and stands nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// The receiver, when it is not the member's present address.
    pub to: Option<String>,
    pub old: Option<String>,
    pub new: Option<String>,
    pub group: Option<String>,
    pub added: bool,
    pub count: i64,
    pub base: i64,
}

/// Puts a letter to a member into the outbox; whether it was put there. Nothing is ever sent to a member who is uninvited,
/// quarantined or gone, whatever it is about, and it is not sent later either.
///
/// # Errors
/// When the database fails.
pub fn enqueue(conn: &mut Conn, act: &Act, member: &Member, kind: Kind, detail: Option<&Detail>) -> Result<bool> {
    let Kind::Member(letter) = kind else { return enqueue_for_admins(conn, act, kind, Some(&member.person), detail).map(|()| true) };
    if !member.state.may_receive_mail() || (member.mail.is_none() && detail.is_none_or(|d| d.to.is_none())) {
        return Ok(false);
    }
    let about_link = matches!(letter, Letter::Invitation | Letter::Reminder);
    let sealed = match detail {
        Some(d) => Some(audit::seal(conn, act, &member.person, &serde_json::to_string(d).unwrap_or_default())?),
        None => None,
    };
    let entry =
        Entry { person: Some(member.person.clone()), generation: about_link.then_some(member.generation), ..blank(act, kind, sealed) };
    outbox::insert(conn, &entry)?;
    Ok(true)
}

/// Puts a letter to the admins of a tenant into the outbox. `person` is whom it is about, if it is about one.
///
/// # Errors
/// When the database fails.
pub fn enqueue_for_admins(conn: &mut Conn, act: &Act, kind: Kind, person: Option<&str>, detail: Option<&Detail>) -> Result<()> {
    if act.tenant.settings.admin_emails.is_empty() {
        log::warn!("tenant {} has no admin_emails: nobody is told of \"{}\"", act.tenant.name, kind.as_str());
        return Ok(());
    }
    for to in &act.tenant.settings.admin_emails {
        let detail = Detail { to: Some(to.clone()), ..detail.cloned().unwrap_or_default() };
        let text = serde_json::to_string(&detail).unwrap_or_default();
        outbox::insert(conn, &Entry { person: person.map(str::to_owned), ..blank(act, kind, Some(text)) })?;
    }
    Ok(())
}

fn blank(act: &Act, kind: Kind, detail: Option<String>) -> Entry {
    Entry {
        id: new_id(),
        tenant: act.tenant.id,
        person: None,
        kind: kind.as_str().to_owned(),
        generation: None,
        detail,
        state: "queued".to_owned(),
        attempts: 0,
        due_at: act.now,
        error: None,
        created_at: act.now,
        ended_at: None,
    }
}

/// The letter that a transition asks for. Of a changed address, the old one hears too.
pub(super) fn write(conn: &mut Conn, act: &Act, before: &Member, after: &Member, letter: Letter) -> Result<()> {
    let kind = Kind::Member(letter);
    if letter != Letter::AddressChanged {
        return enqueue(conn, act, after, kind, None).map(drop);
    }
    for to in [&before.mail, &after.mail] {
        let detail = Detail { to: to.clone(), old: before.mail.clone(), new: after.mail.clone(), ..Detail::default() };
        enqueue(conn, act, after, kind, Some(&detail))?;
    }
    Ok(())
}

/// A letter that is to be sent now, or why it is not.
pub enum Prepared {
    Send(Box<mail::Letter>),
    Drop(&'static str),
}

/// What a letter needs to know of the deployment.
#[derive(Clone)]
pub struct Post {
    pub vault: Arc<Vault>,
    /// What people see before `/claim`, without a slash at the end.
    pub origin: Arc<str>,
    /// The address that mail comes from.
    pub from: String,
}

/// Writes a letter. Whether its receiver may have it is looked at again: much may have happened since it was put here.
///
/// # Errors
/// When the database fails.
pub fn prepare(conn: &mut Conn, post: &Post, entry: &Entry, now: i64) -> Result<Prepared> {
    let (Some(kind), Some(tenant)) = (Kind::of(&entry.kind), tenants::get(conn, entry.tenant)?) else {
        return Ok(Prepared::Drop("nobody knows any more what it was about"));
    };
    let tenant = Arc::new(tenant);
    let act = Act { tenant: tenant.clone(), vault: post.vault.clone(), actor: Actor::Timer("mail"), now, request_id: None, ledger: None };
    let row = match &entry.person {
        Some(person) => roll::lock_person(conn, tenant.id, person)?,
        None => None,
    };
    match kind {
        Kind::Member(letter) => match row {
            Some(row) => to_member(conn, post, &act, entry, letter, &row),
            None => Ok(Prepared::Drop("the member is gone")),
        },
        Kind::Digest | Kind::Frozen | Kind::Recovered | Kind::TokenExpires => to_admin(conn, post, &act, entry, kind, row.as_ref()),
    }
}

fn to_member(conn: &mut Conn, post: &Post, act: &Act, entry: &Entry, letter: Letter, row: &Row) -> Result<Prepared> {
    let Some(member) = row.member.as_deref().filter(|m| m.state.may_receive_mail()) else {
        return Ok(Prepared::Drop("the member may not be sent mail any more"));
    };
    let detail = match &entry.detail {
        Some(sealed) => {
            let Some(text) = audit::unseal(conn, act, &member.person, sealed)? else { return Ok(Prepared::Drop("the member is gone")) };
            serde_json::from_str(&text).unwrap_or_default()
        }
        None => Detail::default(),
    };
    let name = row.label.clone();
    let content = match letter {
        Letter::Invitation | Letter::Reminder => {
            let Some(content) = invitation(conn, post, act, entry, letter, row)? else {
                return Ok(Prepared::Drop("the link is no longer valid"));
            };
            content
        }
        Letter::AddressChanged => {
            Content::AddressChanged { name, old: detail.old.clone().unwrap_or_default(), new: detail.new.clone().unwrap_or_default() }
        }
        Letter::GroupChanged => Content::GroupChanged { name, group: detail.group.clone().unwrap_or_default(), added: detail.added },
    };
    let Some(to) = detail.to.or_else(|| member.mail.clone()) else { return Ok(Prepared::Drop("the member has no address")) };
    let to = Address { name: row.label.clone(), address: to };
    Ok(Prepared::Send(Box::new(letter_to(post, &act.tenant, entry, to, locale(&act.tenant, row), content))))
}

fn locale(tenant: &Tenant, row: &Row) -> String {
    let doc = mapping::parsed(row);
    let of = |key: &str| doc.get(key).and_then(serde_json::Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned);
    of("preferredLanguage").or_else(|| of("locale")).unwrap_or_else(|| tenant.settings.locale.clone())
}

/// The link is made again from what it was derived from; it is stored nowhere.
fn invitation(conn: &mut Conn, post: &Post, act: &Act, entry: &Entry, letter: Letter, row: &Row) -> Result<Option<Content>> {
    let Some(member) = row.member.as_deref() else { return Ok(None) };
    let Some(link) = invitations::latest(conn, act.tenant.id, &member.person)? else { return Ok(None) };
    let trusted = member.mail.as_deref().is_some_and(|a| act.tenant.settings.trusts(a));
    if Some(link.generation) != entry.generation || !link.is_live(act.now) || !trusted {
        return Ok(None);
    }
    let token = act.vault.link(act.tenant.id, &member.person, link.generation);
    let settings = &act.tenant.settings;
    let (name, expires, time_zone) = (row.label.clone(), link.expires_at, settings.time_zone.clone());
    let (link, note, sso) = (format!("{}/claim/{token}", post.origin), settings.invitation_text.clone(), employment::uses_sso(row));
    Ok(Some(match letter {
        Letter::Reminder => Content::Reminder { name, link, expires, time_zone, note, sso },
        Letter::Invitation | Letter::AddressChanged | Letter::GroupChanged => {
            Content::Invitation { name, link, expires, time_zone, note, sso }
        }
    }))
}

/// How far ahead the digest looks.
pub(super) const AHEAD: i64 = 2 * DAY;
/// Most people that one digest names.
const MOST_NAMED: i64 = 500;

fn to_admin(conn: &mut Conn, post: &Post, act: &Act, entry: &Entry, kind: Kind, row: Option<&Row>) -> Result<Prepared> {
    let detail: Detail = entry.detail.as_deref().and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
    let Some(to) = detail.to.clone() else { return Ok(Prepared::Drop("there is no receiver")) };
    let tenant = act.tenant.name.clone();
    let content = match kind {
        Kind::Frozen => Content::Frozen { count: detail.count, base: detail.base, tenant },
        Kind::Recovered => {
            let Some(row) = row else { return Ok(Prepared::Drop("the member is gone")) };
            Content::Recovered { name: row.label.clone(), id: row.id.clone(), tenant }
        }
        Kind::TokenExpires => Content::TokenExpires {
            name: detail.group.unwrap_or_default(),
            id: detail.old.unwrap_or_default(),
            expires: detail.count,
            time_zone: act.tenant.settings.time_zone.clone(),
            tenant,
        },
        Kind::Digest | Kind::Member(_) => {
            let rows = due::ending(conn, act.tenant.id, act.now + AHEAD, MOST_NAMED)?;
            let people: Vec<_> = rows
                .iter()
                .filter_map(|r| Some((r.label.clone(), r.id.clone(), r.member.as_ref().filter(|m| m.legal_hold.is_none())?.purge_at?)))
                .collect();
            if people.is_empty() {
                return Ok(Prepared::Drop("nobody is about to be anonymised any more"));
            }
            Content::Digest { people, time_zone: act.tenant.settings.time_zone.clone(), tenant }
        }
    };
    let to = Address { name: String::new(), address: to };
    Ok(Prepared::Send(Box::new(letter_to(post, &act.tenant, entry, to, act.tenant.settings.locale.clone(), content))))
}

fn letter_to(post: &Post, tenant: &Tenant, entry: &Entry, to: Address, locale: String, content: Content) -> mail::Letter {
    let name = tenant.settings.sender_name.clone().unwrap_or_else(|| tenant.organisation().to_owned());
    mail::Letter {
        id: entry.id.clone(),
        from: Address { name, address: post.from.clone() },
        to,
        locale,
        organisation: tenant.organisation().to_owned(),
        date: entry.created_at,
        content,
    }
}
