//! Inviting many: counted first, then done a few at a time, by whichever server or command comes by. Each member's turn is one
//! transaction with its result, so that nobody is invited twice and a crash loses nothing.

use super::members;
use super::roll::Act;
use super::vault::Vault;
use crate::domain::{Actor, State, new_id};
use crate::error::{Error, Result};
use crate::scim::dialect::{Declared, Reading};
use crate::scim::schema::{ResourceKind, ResourceType};
use crate::scim::{Filter, filter, parse};
use crate::store::bulk::{self, Chosen, Job};
use crate::store::{Conn, tenants};
use std::sync::Arc;

/// What a job does.
const INVITE: &str = "invite";
/// How an item ends that went well.
const OK: &str = "ok";

/// Whom to invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Members by id, userName or address.
    These(Vec<String>),
    /// The uninvited ones that pass a SCIM filter.
    Filter(String),
    /// Everybody who is uninvited.
    All,
}

fn resolve(text: &str) -> Result<Filter> {
    let mut reading = Reading::of(Declared::Auto);
    Ok(filter::resolve(ResourceType::of(ResourceKind::User), text, parse::Limits::default(), &mut reading)?)
}

/// How many members an invitation would reach.
///
/// # Errors
/// When the filter is no filter, or somebody is not there.
pub fn count(conn: &mut Conn, act: &Act, whom: &Whom) -> Result<i64> {
    Ok(match whom {
        Whom::These(keys) => i64::try_from(ids(conn, act, keys)?.len()).unwrap_or(i64::MAX),
        Whom::Filter(text) => bulk::count_uninvited(conn, act.tenant.id, Some(&resolve(text)?))?,
        Whom::All => bulk::count_uninvited(conn, act.tenant.id, None)?,
    })
}

/// The ids of members, each once. All who are not there are named.
fn ids(conn: &mut Conn, act: &Act, keys: &[String]) -> Result<Vec<String>> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for key in keys {
        match members::named(conn, act, key) {
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

/// Makes a job of an invitation; the job with its total. Nobody is invited yet.
///
/// # Errors
/// As [`count`].
pub fn start(conn: &mut Conn, act: &Act, whom: &Whom) -> Result<Job> {
    let job = Job {
        id: new_id(),
        tenant: act.tenant.id,
        kind: INVITE.to_owned(),
        actor: act.actor.name(),
        total: 0,
        done: 0,
        failed: 0,
        created_at: act.now,
        ended_at: None,
    };
    Ok(match whom {
        Whom::These(keys) => {
            let ids = ids(conn, act, keys)?;
            bulk::insert(conn, act.tenant.id, &job, Chosen::Ids(&ids))?
        }
        Whom::Filter(text) => bulk::insert(conn, act.tenant.id, &job, Chosen::Uninvited(Some(&resolve(text)?)))?,
        Whom::All => bulk::insert(conn, act.tenant.id, &job, Chosen::Uninvited(None))?,
    })
}

/// Does the next few members of a job; how many it did.
///
/// # Errors
/// When the database fails.
pub fn work(conn: &mut Conn, vault: &Arc<Vault>, job: &Job, now: i64) -> Result<usize> {
    /// Members of one transaction.
    const AT_ONCE: i64 = 50;
    let Some(tenant) = tenants::get(conn, job.tenant)? else { return Ok(0) };
    let act = Act { tenant: Arc::new(tenant), vault: vault.clone(), actor: Actor::Admin(job.actor.clone()), now, request_id: None };
    let turn = bulk::take(conn, job.tenant, &job.id, AT_ONCE)?;
    let (mut done, mut failed) = (0, 0);
    for member in &turn {
        let outcome = match members::invite_uninvited(conn, &act, member) {
            Ok(row) if row.member.as_ref().is_some_and(|m| m.state == State::Invited) => OK.to_owned(),
            Ok(_) => "the member was not invited".to_owned(),
            Err(Error::Roll(why)) => why.to_string(),
            Err(Error::Invalid(why) | Error::Missing { detail: why, .. } | Error::Conflict { detail: why, .. }) => why,
            Err(e) => return Err(e),
        };
        if outcome == OK {
            done += 1;
        } else {
            failed += 1;
        }
        bulk::settle(conn, job.tenant, &job.id, member, &outcome)?;
    }
    if !turn.is_empty() {
        bulk::advance(conn, job.tenant, &job.id, done, failed, now)?;
    }
    Ok(turn.len())
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
    bulk::find(conn, act.tenant.id, id)?.ok_or_else(|| Error::missing("job", format!("tenant {} has no job {id}", act.tenant.name)))
}

/// A tenant's jobs, newest first.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, act: &Act, limit: i64) -> Result<Vec<Job>> {
    Ok(bulk::list(conn, act.tenant.id, limit)?)
}

/// Those whom a job could not invite, with the reasons.
///
/// # Errors
/// When the database fails.
pub fn failures(conn: &mut Conn, act: &Act, id: &str) -> Result<Vec<(String, String)>> {
    let outcomes = bulk::outcomes(conn, act.tenant.id, id, true)?;
    Ok(outcomes.into_iter().map(|(member, outcome)| (member, outcome.unwrap_or_default())).collect())
}
