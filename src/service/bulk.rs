//! Work on many members: counted first, then done a few at a time, by whichever server or command comes by. Each member's turn is
//! stored together with its result, so that nothing is done twice and a crash loses nothing.

use super::audit;
use super::members;
use super::roll::Act;
use super::types;
use super::vault::Vault;
use crate::domain::{Actor, State, new_id};
use crate::error::{Error, Result};
pub use crate::store::bulk::Job;
use crate::store::bulk::{self, Listed};
use crate::store::roster::{self, Among, Chosen};
use crate::store::{Conn, backend, tenants};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// How an item ends that went well.
const OK: &str = "ok";
/// Most members that one request may name.
const MOST_NAMED: usize = 10_000;

/// What is done to each member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Invites whoever is uninvited.
    Invite,
    /// Sends a new link to whoever is invited.
    Resend,
    /// Takes invitations back.
    Revoke,
    /// Ends the access of whoever is active; the quarantine begins.
    Suspend,
    /// Brings back whoever is in quarantine.
    Restore,
    /// Undoes claims: whoever is claimed is invited again.
    Reset,
    /// Removes members at once, and anonymises those whose account was ever claimed.
    Delete,
}

impl Action {
    const ALL: [Self; 7] = [Self::Invite, Self::Resend, Self::Revoke, Self::Suspend, Self::Restore, Self::Reset, Self::Delete];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Resend => "resend",
            Self::Revoke => "revoke",
            Self::Suspend => "suspend",
            Self::Restore => "restore",
            Self::Reset => "reset",
            Self::Delete => "delete",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str() == word)
    }

    /// Whom it is for when nobody is named.
    fn among(self) -> Among {
        match self {
            Self::Invite => Among::Uninvited,
            Self::Resend | Self::Revoke => Among::Invited,
            Self::Suspend => Among::Active,
            Self::Restore => Among::Quarantined,
            Self::Reset => Among::Claimed,
            Self::Delete => Among::Everybody,
        }
    }

    /// Whether people lose something by it, so that nobody does it to everybody by mistake.
    fn takes_away(self) -> bool {
        match self {
            Self::Suspend | Self::Reset | Self::Delete => true,
            Self::Invite | Self::Resend | Self::Revoke | Self::Restore => false,
        }
    }

    /// Members of one transaction: an anonymisation is much work.
    fn at_once(self) -> i64 {
        if self == Self::Delete { 10 } else { 50 }
    }
}

/// For whom something is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Members by id, userName or address.
    These(Vec<String>),
    /// Those who pass a SCIM filter, among those whom the action is for.
    Filter(String),
    /// Everybody whom the action is for.
    All,
}

/// What is to be done, and for whom.
#[derive(Debug, Clone)]
pub struct Order {
    pub action: Action,
    pub whom: Whom,
    /// Why, for the members' histories.
    pub reason: Option<String>,
}

impl Order {
    /// An invitation.
    #[must_use]
    pub fn invite(whom: Whom) -> Self {
        Self { action: Action::Invite, whom, reason: None }
    }

    fn chosen(&self, conn: &mut Conn, act: &Act, filter: Option<&str>) -> Result<Chosen> {
        let filter = match filter {
            Some(text) => Some(members::filter(&*types::of(conn, &act.tenant)?, text)?),
            None => None,
        };
        Ok(Chosen { among: self.action.among(), filter })
    }
}

/// For how many members something would be done.
///
/// # Errors
/// When the filter is no filter, or somebody is not there.
pub fn count(conn: &mut Conn, act: &Act, order: &Order) -> Result<i64> {
    Ok(match &order.whom {
        Whom::These(keys) => i64::try_from(ids(conn, act, keys)?.len()).unwrap_or(i64::MAX),
        Whom::Filter(text) => {
            let chosen = order.chosen(conn, act, Some(text))?;
            roster::count(conn, act.tenant.id, &chosen)?
        }
        Whom::All => {
            let chosen = order.chosen(conn, act, None)?;
            roster::count(conn, act.tenant.id, &chosen)?
        }
    })
}

/// The ids of members, each once. All who are not there are named.
fn ids(conn: &mut Conn, act: &Act, keys: &[String]) -> Result<Vec<String>> {
    if keys.len() > MOST_NAMED {
        return Err(Error::Invalid(format!("members: {MOST_NAMED} at most can be named; a filter can mean more")));
    }
    let wanted: Vec<String> = keys.iter().filter(|k| !k.contains('\0')).cloned().collect();
    let known: HashSet<String> = roster::known(conn, act.tenant.id, &wanted)?.into_iter().collect();
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for key in keys {
        if known.contains(key) {
            found.push(key.clone());
            continue;
        }
        match members::seen(conn, act, key) {
            Ok(row) => found.push(row.id),
            Err(Error::Missing { .. }) => missing.push(key.as_str()),
            Err(e) => return Err(e),
        }
    }
    if !missing.is_empty() {
        return Err(Error::Invalid(format!("tenant {} has no member {}", act.tenant.name, missing.join(", "))));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Refuses to take something away from everybody, unless it was counted before and the number still holds.
///
/// # Errors
/// 409 that tells the number.
pub fn check_confirmed(conn: &mut Conn, act: &Act, order: &Order, confirmed: Option<i64>) -> Result<()> {
    if !order.action.takes_away() || matches!(order.whom, Whom::These(_)) {
        return Ok(());
    }
    let n = count(conn, act, order)?;
    if confirmed == Some(n) {
        return Ok(());
    }
    let what = order.action.as_str();
    Err(Error::conflict("confirmation_needed", format!("{what} is for {n} member(s); \"confirm\": {n} does it")))
}

fn blank(act: &Act, kind: &str, reason: Option<String>) -> Job {
    Job {
        id: new_id(),
        tenant: act.tenant.id,
        kind: kind.to_owned(),
        actor: act.actor.name(),
        argument: reason,
        total: 0,
        done: 0,
        failed: 0,
        created_at: act.now,
        ended_at: None,
    }
}

/// Makes a job; the job with its total. Nothing is done to anybody yet.
///
/// # Errors
/// As [`count`].
pub fn start(conn: &mut Conn, act: &Act, order: &Order) -> Result<Job> {
    let job = blank(act, order.action.as_str(), order.reason.clone());
    let job = match &order.whom {
        Whom::These(keys) => {
            let ids = ids(conn, act, keys)?;
            bulk::insert(conn, act.tenant.id, &job, Listed::Ids(&ids))?
        }
        Whom::Filter(text) => {
            let chosen = order.chosen(conn, act, Some(text))?;
            bulk::insert(conn, act.tenant.id, &job, Listed::Chosen(&chosen))?
        }
        Whom::All => {
            let chosen = order.chosen(conn, act, None)?;
            bulk::insert(conn, act.tenant.id, &job, Listed::Chosen(&chosen))?
        }
    };
    remember(conn, act, &job)
}

/// Makes a job of those with whom another one failed.
///
/// # Errors
/// When there is no such job, it is still under way, or it failed with nobody.
pub fn retry(conn: &mut Conn, act: &Act, id: &str) -> Result<Job> {
    let before = find(conn, act, id)?;
    if before.ended_at.is_none() {
        return Err(Error::conflict("job_under_way", format!("job {id} is still under way")));
    }
    let job = blank(act, &before.kind, before.argument);
    let job = bulk::insert(conn, act.tenant.id, &job, Listed::FailedIn(id))?;
    if job.total == 0 {
        return Err(Error::conflict("nothing_to_retry", format!("job {id} has not failed with anybody who is still there")));
    }
    remember(conn, act, &job)
}

fn remember(conn: &mut Conn, act: &Act, job: &Job) -> Result<Job> {
    audit::admin(conn, act, "job_started", &format!("{} ({}, {} members)", job.id, job.kind, job.total))?;
    Ok(job.clone())
}

/// Does the next few members of a job; how many it did.
///
/// # Errors
/// When the database fails.
pub fn work(conn: &mut Conn, vault: &Arc<Vault>, job: &Job, now: i64) -> Result<usize> {
    let Some(tenant) = tenants::get(conn, job.tenant)? else { return Ok(0) };
    // A newer server's job waits for that server.
    let Some(action) = Action::of(&job.kind) else { return Ok(0) };
    let act =
        Act { tenant: Arc::new(tenant), vault: vault.clone(), actor: Actor::Admin(job.actor.clone()), now, request_id: None, ledger: None };
    let turn = bulk::take(conn, job.tenant, &job.id, action.at_once())?;
    let (mut done, mut failed) = (0, 0);
    for member in &turn {
        let outcome = outcome(conn, &act, action, member, job)?;
        bulk::settle(conn, job.tenant, &job.id, member, &outcome)?;
        if outcome != OK {
            failed += 1;
            continue;
        }
        done += 1;
        if action == Action::Delete {
            bulk::forget(conn, job.tenant, member)?;
        }
    }
    if !turn.is_empty() {
        bulk::advance(conn, job.tenant, &job.id, done, failed, now)?;
    }
    Ok(turn.len())
}

/// What comes of one member's turn. What fails leaves nothing behind, and the others alone.
fn outcome(conn: &mut Conn, act: &Act, action: Action, member: &str, job: &Job) -> Result<String> {
    match backend::savepoint(conn, |conn| perform(conn, act, action, member, job)) {
        Ok(()) => Ok(OK.to_owned()),
        Err(Error::Roll(why)) => Ok(why.to_string()),
        Err(Error::Invalid(why) | Error::Denied(why) | Error::Missing { detail: why, .. } | Error::Conflict { detail: why, .. }) => Ok(why),
        Err(Error::Scim(e)) => Ok(e.detail),
        Err(e) => Err(e),
    }
}

fn perform(conn: &mut Conn, act: &Act, action: Action, member: &str, job: &Job) -> Result<()> {
    match action {
        Action::Invite => {
            let row = members::invite_uninvited(conn, act, member)?;
            let invited = row.member.as_ref().is_some_and(|m| m.state == State::Invited);
            if invited { Ok(()) } else { Err(Error::Invalid("the member was not invited".to_owned())) }
        }
        Action::Resend => members::resend(conn, act, member).map(drop),
        Action::Revoke => members::revoke(conn, act, member).map(drop),
        Action::Suspend => members::suspend(conn, act, member, job.argument.clone()).map(drop),
        Action::Restore => members::restore(conn, act, member).map(drop),
        Action::Reset => members::reset(conn, act, member).map(drop),
        // Whoever asked for it gave a reason for all; the job keeps it.
        Action::Delete => members::delete(conn, act, member, true, Some(format!("job {}", job.id))).map(drop),
    }
}

/// Whether a job removes members.
#[must_use]
pub fn removes(job: &Job) -> bool {
    job.kind == Action::Delete.as_str()
}

/// The jobs that are not finished.
///
/// # Errors
/// When the database fails.
pub fn open(conn: &mut Conn) -> Result<Vec<Job>> {
    Ok(bulk::open(conn)?)
}

/// A job as it stands.
///
/// # Errors
/// When there is none of that id.
pub fn find(conn: &mut Conn, act: &Act, id: &str) -> Result<Job> {
    let missing = || Error::missing("job", format!("tenant {} has no job {}", act.tenant.name, crate::scim::error::shown(id)));
    // PostgreSQL does not take it in a bind.
    let found = if id.contains('\0') { None } else { bulk::find(conn, act.tenant.id, id)? };
    found.ok_or_else(missing)
}

/// A tenant's jobs, newest first: those that are older than `before`, if that is not empty.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, act: &Act, before: &str, limit: i64) -> Result<Vec<Job>> {
    Ok(bulk::list(conn, act.tenant.id, before, limit)?)
}

/// The members with whom a job failed, and why; by id, after `after`.
///
/// # Errors
/// When there is no such job.
pub fn failures(conn: &mut Conn, act: &Act, id: &str, after: &str, limit: i64) -> Result<Vec<(String, String)>> {
    find(conn, act, id)?;
    Ok(bulk::failures(conn, act.tenant.id, id, after, limit)?)
}
