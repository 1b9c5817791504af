//! Everything that an admin gets to see of one member, and where it came from.

use super::members::{self, Shown};
use super::roll::Act;
use super::secrets;
use super::{Ctx, Place, employment, render};
use crate::domain::State;
use crate::error::{Error, Result};
use crate::scim::Projection;
use crate::store::audit::{self, Entry};
use crate::store::{Conn, codes, tokens};
use serde_json::Value;

/// A member with its document and its provenance.
#[derive(Debug, Clone)]
pub struct Dossier {
    pub shown: Shown,
    /// The user as SCIM shows it; nothing is left of one who is anonymised.
    pub user: Option<Value>,
    /// Whether the member signs in through single sign-on.
    pub sso: bool,
    /// When the live access code ends, if there is one; microseconds since the epoch.
    pub code_expires_at: Option<i64>,
    pub created: Option<Deed>,
    pub changed: Option<Deed>,
}

/// Who did something to a member, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Microseconds since the epoch.
    pub at: i64,
    pub event: String,
    /// `token`, `admin`, `member` or `timer`.
    pub kind: String,
    /// The identity provider, the admin, or the name of a timer.
    pub by: String,
    /// The id of the token, if it was one.
    pub token: Option<String>,
    /// The source of that token.
    pub source: Option<String>,
}

/// Reads a member.
///
/// # Errors
/// When there is no such member.
pub fn read(conn: &mut Conn, act: &Act, place: &Place, key: &str) -> Result<Dossier> {
    let shown = members::show(conn, act, key)?;
    let (tenant, person) = (act.tenant.id, shown.member.person.clone());
    let created = audit::of_person(conn, tenant, &person, "", 1)?.pop();
    let changed = audit::last_change(conn, tenant, &person)?;
    let code = codes::live(conn, tenant, &person)?.filter(|c| c.is_live(act.now));
    Ok(Dossier {
        user: {
            let ctx = Ctx::of_admin(conn, act, place)?;
            document(conn, &ctx, &shown)?
        },
        sso: employment::uses_sso(&shown.row),
        code_expires_at: code.map(|c| c.expires_at),
        created: created.map(|e| deed(conn, act, e)).transpose()?,
        changed: changed.map(|e| deed(conn, act, e)).transpose()?,
        shown,
    })
}

fn document(conn: &mut Conn, ctx: &Ctx, shown: &Shown) -> Result<Option<Value>> {
    if shown.member.state == State::Deprovisioned {
        return Ok(None);
    }
    let extras = render::extras(conn, ctx, &shown.row)?;
    let rendered = render::with_members(ctx, &shown.row, &extras, &Projection::Default, "");
    serde_json::from_str(&rendered.json).map(Some).map_err(|e| Error::Internal(format!("a stored user cannot be read: {e}")))
}

fn deed(conn: &mut Conn, act: &Act, e: Entry) -> Result<Deed> {
    let named = (e.actor_kind == "token").then(|| e.actor.rsplit_once(' ')).flatten();
    let (by, token) = match named {
        Some((provider, id)) => (provider.to_owned(), Some(id.to_owned())),
        None => (e.actor, None),
    };
    let source = match &token {
        Some(id) => tokens::find(conn, act.tenant.id, id)?.map(|t| t.source),
        None => None,
    };
    Ok(Deed { at: e.at, event: e.event, kind: e.actor_kind, by, token, source })
}

/// A member's invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    pub state: String,
    /// Times are microseconds since the epoch.
    pub created_at: i64,
    pub expires_at: i64,
    pub reminders: i16,
    pub undeliverable: Option<String>,
    /// The link, for whoever may read it, while it opens the account.
    pub link: Option<String>,
}

/// The latest invitation of a member.
///
/// # Errors
/// When there is no such member, or it was never sent a link.
pub fn invitation(conn: &mut Conn, act: &Act, key: &str) -> Result<Invited> {
    let shown = members::show(conn, act, key)?;
    let none = || Error::missing("invitation", format!("{} has never been sent a link", shown.row.label));
    let i = shown.invitation.as_ref().ok_or_else(none)?;
    Ok(Invited {
        state: i.state.clone(),
        created_at: i.created_at,
        expires_at: i.expires_at,
        reminders: i.reminders,
        undeliverable: i.undeliverable.clone(),
        link: None,
    })
}

/// As [`invitation`], with the link. That it was read is written into the history.
///
/// # Errors
/// As [`invitation`].
pub fn invitation_with_link(conn: &mut Conn, act: &Act, origin: &str, key: &str) -> Result<Invited> {
    let found = invitation(conn, act, key)?;
    let row = members::named(conn, act, key)?;
    let link = secrets::link(conn, act, origin, members::member(&row)?)?;
    Ok(Invited { link, ..found })
}
