//! What has happened: audit, tolerances, mails, freezes; and the codes that are to be handed out.

use super::call::{Call, ok};
use super::problem::Result;
use crate::error::Error;
use crate::scim::value::write_time;
use crate::service::audit::{self, Line};
use crate::service::codes::{self, Slip};
use crate::service::letters::Entry as Letter;
use crate::service::notes::{self, Entry as Note};
use crate::service::{members, purge::Freeze};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// One event of the audit.
#[derive(Serialize, ToSchema)]
pub struct AuditEvent {
    id: String,
    #[schema(format = DateTime)]
    at: String,
    #[schema(example = "invited")]
    event: String,
    /// The permanent id of the member; null for what is about none.
    member: Option<String>,
    from_state: Option<String>,
    to_state: Option<String>,
    /// `token`, `admin`, `member` or `timer`.
    actor_kind: String,
    actor: String,
    reason: Option<String>,
    /// What identifies people; `erased` once the person is anonymised.
    detail: Option<String>,
    request_id: Option<String>,
}

/// A page of the audit, newest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct AuditPage {
    items: Vec<AuditEvent>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// What was tolerated in one request.
#[derive(Serialize, ToSchema)]
pub struct Tolerated {
    id: String,
    #[schema(format = DateTime)]
    at: String,
    request_id: String,
    token_id: String,
    method: String,
    target: String,
    provider: Option<String>,
    signal: Option<String>,
    /// Which tolerances fired, and what was made of the request.
    #[schema(value_type = Vec<Object>)]
    notes: Value,
}

/// A page of what was tolerated, newest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct ToleratedPage {
    items: Vec<Tolerated>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// A mail that waits, was sent, or could not be.
#[derive(Serialize, ToSchema)]
pub struct Mail {
    id: String,
    #[schema(example = "invitation")]
    kind: String,
    /// The permanent id of the member; null for a mail to the admins.
    member: Option<String>,
    state: String,
    attempts: i16,
    error: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// When it is tried next.
    #[schema(format = DateTime)]
    due_at: Option<String>,
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

/// A page of mails, newest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct MailPage {
    items: Vec<Mail>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// Sends mails again that were given up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailRetry {
    #[expect(dead_code, reason = "there is one word for it")]
    state: Queued,
}

/// It waits to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Queued {
    Queued,
}

/// How many mails will be sent again.
#[derive(Serialize, ToSchema)]
pub struct Retried {
    queued: usize,
}

/// A time in which more members were deactivated than is usual: none of them is anonymised before an admin has confirmed it.
#[derive(Serialize, ToSchema)]
pub struct FreezeView {
    id: String,
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    to: String,
    /// How many were deactivated.
    members: i64,
    /// Of how many.
    base: i64,
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
    confirmed_by: Option<String>,
}

/// Freezes, newest first.
#[derive(Serialize, ToSchema)]
pub struct FreezeList {
    items: Vec<FreezeView>,
}

/// How many freezes were confirmed.
#[derive(Serialize, ToSchema)]
pub struct Confirmed {
    confirmed: usize,
}

/// An access code that can be handed out.
#[derive(Serialize, ToSchema)]
pub struct CodeSlip {
    /// The SCIM id of the member.
    member: String,
    name: String,
    employee_number: Option<String>,
    /// In four groups of four.
    #[schema(example = "ABCD-EFGH-JKMN-PQRS")]
    code: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// A page of access codes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct CodePage {
    items: Vec<CodeSlip>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn event(l: &Line) -> Value {
    json!(AuditEvent {
        id: l.id.clone(),
        at: write_time(l.at),
        event: l.event.clone(),
        member: some(&l.person),
        from_state: some(&l.from),
        to_state: some(&l.to),
        actor_kind: l.actor_kind.clone(),
        actor: l.actor.clone(),
        reason: l.reason.clone(),
        detail: l.detail.clone(),
        request_id: l.request_id.clone(),
    })
}

fn tolerated(e: &Note) -> Value {
    json!(Tolerated {
        id: e.id.clone(),
        at: write_time(e.at),
        request_id: e.request_id.clone(),
        token_id: e.token_id.clone(),
        method: e.method.clone(),
        target: e.target.clone(),
        provider: e.provider.clone(),
        signal: e.signal.clone(),
        notes: serde_json::from_str(&e.notes).unwrap_or_default(),
    })
}

fn mail(l: &Letter) -> Mail {
    Mail {
        id: l.id.clone(),
        kind: l.kind.clone(),
        member: l.person.clone(),
        state: l.state.clone(),
        attempts: l.attempts,
        error: l.error.clone(),
        created_at: write_time(l.created_at),
        due_at: (l.state == "queued").then(|| write_time(l.due_at)),
        ended_at: l.ended_at.map(write_time),
    }
}

fn freeze(f: &Freeze) -> FreezeView {
    FreezeView {
        id: f.id.clone(),
        from: write_time(f.from_at),
        to: write_time(f.to_at),
        members: f.members,
        base: f.base,
        confirmed_at: f.confirmed_at.map(write_time),
        confirmed_by: f.confirmed_by.clone(),
    }
}

fn slip(s: &Slip) -> CodeSlip {
    CodeSlip {
        member: s.id.clone(),
        name: s.name.clone(),
        employee_number: s.employee.clone(),
        code: s.code.clone(),
        expires_at: write_time(s.expires_at),
    }
}

/// Read the audit
///
/// What happened to members and what admins did, newest first; with `about=admin` only the latter.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/audit", tag = "records", params(("tenant" = String, Path), ("about" = Option<String>, Query, description = "`admin`"), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = AuditPage)))]
pub async fn audit(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let params = call.params(&["about", "cursor", "limit"])?;
    let page = params.page()?;
    let only_admin = match params.get("about") {
        None => false,
        Some("admin") => true,
        Some(_) => return Err(Error::Invalid("about: \"admin\" is expected".to_owned()).into()),
    };
    let asked = page.clone();
    let found = call.read(&tenant, move |conn, act| audit::page(conn, act, only_admin, &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, |l| l.id.clone(), event)))
}

/// Read what was tolerated in requests
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/tolerances", tag = "records", params(("tenant" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = ToleratedPage)))]
pub async fn tolerances(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let asked = page.clone();
    let found = call.read(&tenant, move |conn, act| notes::page(conn, act, &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, |e| e.id.clone(), tolerated)))
}

/// List mails
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/mails", tag = "mails", params(("tenant" = String, Path), ("state" = Option<String>, Query, description = "`queued`, `sent`, `dead` or `cancelled`"), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = MailPage)))]
pub async fn mails(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let params = call.params(&["state", "cursor", "limit"])?;
    let page = params.page()?;
    let state = params.get("state").map(str::to_owned);
    if state.as_deref().is_some_and(|s| !["queued", "sent", "dead", "cancelled"].contains(&s)) {
        return Err(Error::Invalid("state: queued, sent, dead or cancelled is expected".to_owned()).into());
    }
    let asked = page.clone();
    let found = call.read(&tenant, move |conn, act| members::letters(conn, act, state.as_deref(), &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, |l| l.id.clone(), |l| json!(mail(l)))))
}

/// Show a mail
///
/// Its text is made when it is sent, and is stored nowhere.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/mails/{id}", tag = "mails", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 200, body = Mail)))]
pub async fn mail_by_id(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    let found = call.read(&tenant, move |conn, act| members::letter(conn, act, &id)).await?;
    Ok(ok(&json!(mail(&found))))
}

/// Send a mail again that was given up
#[utoipa::path(patch, path = "/admin/v1/tenants/{tenant}/mails/{id}", tag = "mails", params(("tenant" = String, Path), ("id" = String, Path)), request_body = MailRetry, responses((status = 200, body = Mail)))]
pub async fn retry(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let _: MailRetry = call.json()?;
    let (tenant, id) = path.into_inner();
    let found = call
        .write(&tenant, move |conn, act| {
            let letter = members::letter(conn, act, &id)?;
            if members::retry(conn, act, Some(&id))? == 0 {
                return Err(Error::conflict("mail_not_dead", format!("mail {id} is {}; only dead ones are sent again", letter.state)));
            }
            members::letter(conn, act, &id)
        })
        .await?;
    Ok(ok(&json!(mail(&found))))
}

/// Send all mails again that were given up
#[utoipa::path(patch, path = "/admin/v1/tenants/{tenant}/mails", tag = "mails", params(("tenant" = String, Path)), request_body = MailRetry, responses((status = 200, body = Retried)))]
pub async fn retry_all(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let _: MailRetry = call.json()?;
    let queued = call.write(&tenant, |conn, act| members::retry(conn, act, None)).await?;
    Ok(ok(&json!(Retried { queued })))
}

/// List freezes
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/freezes", tag = "records", params(("tenant" = String, Path)), responses((status = 200, body = FreezeList)))]
pub async fn freezes(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let found = call.read(&tenant, members::freezes).await?;
    Ok(ok(&json!(FreezeList { items: found.iter().map(freeze).collect() })))
}

/// Confirm the freezes
///
/// Anonymisation goes on for the members that they have kept.
#[utoipa::path(put, path = "/admin/v1/tenants/{tenant}/freezes/confirmation", tag = "records", params(("tenant" = String, Path)), responses((status = 200, body = Confirmed)))]
pub async fn confirm(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let confirmed = call.write(&tenant, members::confirm).await?;
    Ok(ok(&json!(Confirmed { confirmed })))
}

/// Read the access codes that can be handed out
///
/// Needs `admin:secrets`. Each reading is written into the member's history.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/codes", tag = "members", params(("tenant" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = CodePage)))]
pub async fn codes(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.needs_secrets()?;
    let page = call.params(&["cursor", "limit"])?.page()?;
    let asked = page.clone();
    let found = call.write(&tenant, move |conn, act| codes::page(conn, act, &asked.after, asked.limit)).await?;
    let full = i64::try_from(found.len()).unwrap_or(0) == page.limit;
    let next = found.last().filter(|_| full).map(|(person, _)| super::params::cursor(person));
    let items: Vec<CodeSlip> = found.iter().filter_map(|(_, s)| s.as_ref().map(slip)).collect();
    Ok(ok(&json!({"items": items, "next_cursor": next})))
}
