//! Passwords: hashing them, and keeping the hash where the tenant does.
//!
//! A hash takes some 20 ms and 19 MiB. [`Wish::hash`] is therefore called before the transaction; where nobody did, [`settle`] does
//! it late.

use super::audit::{self, Note};
use super::roll::Act;
use super::{Ctx, members};
use crate::domain::Member;
use crate::domain::settings::Usernames;
use crate::error::{Error, Result};
use crate::scim::message::Operation;
use crate::scim::schema::ResourceKind;
use crate::scim::secret;
use crate::store::codes::{self, Origin};
use crate::store::{Conn, resources};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use serde_json::{Map, Value};

/// What a client wants of a password, with its hash as soon as there is one.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    wanted: secret::Wish,
    hash: Option<String>,
}

impl From<secret::Wish> for Wish {
    fn from(wanted: secret::Wish) -> Self {
        Self { wanted, hash: None }
    }
}

impl Wish {
    /// Whether the client says nothing of it.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.wanted == secret::Wish::Nothing
    }

    /// Whether there is something to hash.
    #[must_use]
    pub fn is_unhashed(&self) -> bool {
        matches!(self.wanted, secret::Wish::Set(_)) && self.hash.is_none()
    }

    /// Hashes it. What is kept already stays when it is of the same password.
    ///
    /// # Errors
    /// When the system has no memory for it.
    pub fn hash(&mut self, kept: Option<&str>) -> Result<()> {
        if let secret::Wish::Set(text) = &self.wanted {
            self.hash = Some(match kept.filter(|kept| is_of(kept, text)) {
                Some(kept) => kept.to_owned(),
                None => hashed(text)?,
            });
        }
        Ok(())
    }
}

/// Takes the password out of the body of a POST or PUT, where the tenant keeps it.
///
/// # Errors
/// 400 that says what is wrong with it.
pub(super) fn take(ctx: &Ctx, kind: ResourceKind, body: &mut Map<String, Value>) -> Result<Wish> {
    if kind != ResourceKind::User || !ctx.keeps_passwords() {
        return Ok(Wish::default());
    }
    Ok(secret::take(body, ctx.tenant.settings.usernames == Usernames::Precis)?.into())
}

/// Takes it out of the operations of a PATCH, where the tenant keeps it.
///
/// # Errors
/// As [`take`].
pub(super) fn take_from(ctx: &Ctx, kind: ResourceKind, operations: &mut [Operation]) -> Result<Wish> {
    if kind != ResourceKind::User || !ctx.keeps_passwords() {
        return Ok(Wish::default());
    }
    Ok(secret::take_from(operations, ctx.tenant.settings.usernames == Usernames::Precis)?.into())
}

/// The hash that is kept of the user with that SCIM id.
///
/// # Errors
/// When the database fails.
pub fn kept(conn: &mut Conn, ctx: &Ctx, id: &str) -> Result<Option<String>> {
    let tenant = ctx.tenant_id();
    let Some(row) = resources::find(conn, tenant, super::Kind::User, id)? else { return Ok(None) };
    Ok(codes::password(conn, tenant, &members::member(&row)?.person)?)
}

/// What became of a member's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Same,
    Changed,
    Removed,
}

impl Outcome {
    /// Writes it into the history, which says nothing of the password itself.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) fn remark(self, conn: &mut Conn, act: &Act, member: &Member) -> Result<()> {
        let event = match self {
            Self::Same => return Ok(()),
            Self::Changed => "password_changed",
            Self::Removed => "password_removed",
        };
        audit::remark(conn, act, member, event, &Note::default())
    }
}

/// Does what the client wants.
///
/// # Errors
/// When the database fails.
pub(super) fn settle(conn: &mut Conn, act: &Act, member: &Member, wish: &Wish) -> Result<Outcome> {
    let (tenant, person) = (act.tenant.id, member.person.as_str());
    match &wish.wanted {
        secret::Wish::Nothing => Ok(Outcome::Same),
        secret::Wish::Remove => Ok(if codes::clear_password(conn, tenant, person)? { Outcome::Removed } else { Outcome::Same }),
        secret::Wish::Set(_) => {
            let kept = codes::password(conn, tenant, person)?;
            let mut wish = wish.clone();
            if wish.is_unhashed() {
                wish.hash(kept.as_deref())?;
            }
            let Some(hash) = wish.hash.filter(|hash| kept.as_ref() != Some(hash)) else { return Ok(Outcome::Same) };
            codes::set_password(conn, tenant, person, &hash, Origin::Scim, act.now)?;
            Ok(Outcome::Changed)
        }
    }
}

/// Hashes a prepared password with argon2id.
///
/// # Errors
/// When the system has no memory for it.
pub(super) fn hashed(text: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(text.as_bytes());
    Ok(hash.map_err(|e| Error::Internal(format!("a password cannot be hashed: {e}")))?.to_string())
}

fn is_of(hash: &str, text: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(text.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_password_keeps_its_hash() {
        let wish = |text: &str| Wish::from(secret::Wish::Set(text.to_owned()));
        let mut first = wish("correct horse");
        assert!(first.is_unhashed() && !first.is_nothing());
        first.hash(None).unwrap();
        let kept = first.hash.clone().unwrap();
        assert!(kept.starts_with("$argon2id$") && !first.is_unhashed());
        let (mut same, mut other) = (wish("correct horse"), wish("correct horses"));
        same.hash(Some(&kept)).unwrap();
        other.hash(Some(&kept)).unwrap();
        assert_eq!(same.hash.as_ref(), Some(&kept));
        assert!(other.hash.is_some_and(|hash| hash != kept && is_of(&hash, "correct horses") && !is_of(&hash, "correct horse")));
    }
}
