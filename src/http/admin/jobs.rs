//! `/admin/v1/tenants/{tenant}/jobs`: what is done to many members.

use super::call::{Call, ok};
use super::fields::reason;
use super::problem::Result;
use crate::error::{self, Error};
use crate::scim::value::write_time;
use crate::service::bulk::{self, Action, Job, Order, Whom};
use crate::service::idempotency::Made;
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// A job: the same for many members, done in the background.
#[derive(Serialize, ToSchema)]
pub struct JobView {
    id: String,
    #[schema(example = "invite")]
    action: String,
    state: JobState,
    /// How many members it is for.
    total: i64,
    done: i64,
    failed: i64,
    /// How far it is, 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    percent: i64,
    reason: Option<String>,
    /// Who has asked for it.
    by: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

/// Whether a job is finished.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    UnderWay,
    Ended,
}

/// A page of jobs, newest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct JobPage {
    items: Vec<JobView>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// A member with whom a job failed.
#[derive(Serialize, ToSchema)]
pub struct JobFailure {
    /// The SCIM id.
    member: String,
    why: String,
}

/// A page of failures, in the order of the members' ids.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct JobFailurePage {
    items: Vec<JobFailure>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// For how many members something would be done.
#[derive(Serialize, ToSchema)]
pub struct JobCount {
    count: i64,
}

/// A new job: `action` with one of `members`, `filter` and `all`; or `retry` alone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    action: Option<Action>,
    /// Ids, userNames or addresses.
    #[schema(min_items = 1, max_items = 10000)]
    members: Option<Vec<String>>,
    /// A SCIM filter on users (RFC 7644 §3.4.2.2), among those whom the action is for.
    filter: Option<String>,
    /// Must be true: everybody whom the action is for.
    all: Option<bool>,
    /// For the members' histories, up to 500 characters, without words that identify anybody.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
    /// With `all`, `suspend`, `reset` and `delete` need the count that a dry run has told.
    confirm: Option<i64>,
    /// The id of a job: the same for the members with whom it failed.
    retry: Option<String>,
}

fn view(j: &Job) -> JobView {
    let over = j.done + j.failed;
    JobView {
        id: j.id.clone(),
        action: j.kind.clone(),
        state: if j.ended_at.is_some() { JobState::Ended } else { JobState::UnderWay },
        total: j.total,
        done: j.done,
        failed: j.failed,
        percent: if j.ended_at.is_some() { 100 } else { over.saturating_mul(100) / j.total.max(1) },
        reason: j.argument.clone(),
        by: j.actor.clone(),
        created_at: write_time(j.created_at),
        ended_at: j.ended_at.map(write_time),
    }
}

fn order(new: NewJob) -> error::Result<Order> {
    let invalid = |what: &str| Error::Invalid(what.to_owned());
    let action = new.action.ok_or_else(|| invalid("action: this is missing; invite is an example"))?;
    let whom = match (new.members, new.filter, new.all) {
        (Some(keys), None, None) if !keys.is_empty() => Whom::These(keys),
        (None, Some(text), None) => Whom::Filter(text),
        (None, None, Some(true)) => Whom::All,
        _ => return Err(invalid("one of members, filter and \"all\": true is expected, and no other of them")),
    };
    Ok(Order { action, whom, reason: reason(new.reason)? })
}

/// The job that another one failed with, if that is what is asked for.
fn retried(new: &NewJob) -> error::Result<Option<String>> {
    let Some(id) = &new.retry else { return Ok(None) };
    let more = new.action.is_some() || new.members.is_some() || new.filter.is_some() || new.all.is_some() || new.reason.is_some();
    if more || new.dry_run || new.confirm.is_some() {
        return Err(Error::Invalid("retry: it stands alone, because all else is as it was".to_owned()));
    }
    Ok(Some(id.clone()))
}

fn begun(tenant: &str, job: &Job) -> Made {
    Made { status: 202, ..Made::at(format!("/admin/v1/tenants/{tenant}/jobs/{}", job.id), json!(view(job))) }
}

/// Start a job, or count for how many it would be
///
/// With `all` or `filter`, `invite` is for whoever is uninvited, `resend` and `revoke` for whoever is invited, `suspend` for whoever is
/// active, `restore` for whoever is in quarantine, `reset` for whoever is claimed, `delete` for anybody.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/jobs", tag = "jobs", params(("tenant" = String, Path)), request_body = NewJob, responses((status = 200, description = "It was only counted", body = JobCount), (status = 202, description = "It is begun", body = JobView)))]
pub async fn create(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let new: NewJob = call.json()?;
    if let Some(id) = retried(&new)? {
        return call.make(&tenant, move |conn, act| Ok(begun(&act.tenant.name, &bulk::retry(conn, act, &id)?))).await;
    }
    let (dry, confirmed) = (new.dry_run, new.confirm);
    let order = order(new)?;
    if dry {
        let count = call.read(&tenant, move |conn, act| bulk::count(conn, act, &order)).await?;
        return Ok(ok(&json!(JobCount { count })));
    }
    call.make(&tenant, move |conn, act| {
        bulk::check_confirmed(conn, act, &order, confirmed)?;
        Ok(begun(&act.tenant.name, &bulk::start(conn, act, &order)?))
    })
    .await
}

/// List jobs
///
/// Newest first.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/jobs", tag = "jobs", params(("tenant" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = JobPage)))]
pub async fn list(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let (before, limit) = (page.after.clone(), page.one_more());
    let found = call.read(&tenant, move |conn, act| bulk::list(conn, act, &before, limit)).await?;
    Ok(ok(&page.render(found, |j| j.id.clone(), |j| json!(view(j)))))
}

/// Show a job
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/jobs/{id}", tag = "jobs", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 200, body = JobView)))]
pub async fn get(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    let job = call.read(&tenant, move |conn, act| bulk::find(conn, act, &id)).await?;
    Ok(ok(&json!(view(&job))))
}

/// List the members with whom a job failed
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/jobs/{id}/failures", tag = "jobs", params(("tenant" = String, Path), ("id" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = JobFailurePage)))]
pub async fn failures(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let (tenant, id) = path.into_inner();
    let (after, limit) = (page.after.clone(), page.one_more());
    let found = call.read(&tenant, move |conn, act| bulk::failures(conn, act, &id, &after, limit)).await?;
    let failure = |f: &(String, String)| json!(JobFailure { member: f.0.clone(), why: f.1.clone() });
    Ok(ok(&page.render(found, |f| f.0.clone(), failure)))
}
