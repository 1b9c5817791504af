//! The provisioning log.

use super::call::{Call, ok};
use super::fields;
use super::problem::Result;
use crate::error::Error;
use crate::scim::error::shown;
use crate::scim::value::write_time;
use crate::service::journal::{self, Ask, Entry};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What became of one SCIM request.
#[derive(Serialize, ToSchema)]
pub struct LoggedRequest {
    id: String,
    #[schema(format = DateTime)]
    at: String,
    /// `X-Request-Id` of the answer.
    request_id: String,
    source: String,
    token_id: String,
    /// What the client calls itself.
    client: Option<String>,
    /// The provider that the request shows, and by what.
    provider: Option<String>,
    signal: Option<String>,
    #[schema(example = "PATCH")]
    method: String,
    /// Path and query, without values.
    path: String,
    /// The id of the resource.
    target: Option<String>,
    /// What it is kept under: the permanent id of a member, or the id of a group.
    subject: Option<String>,
    status: i16,
    /// Milliseconds that it took.
    milliseconds: f64,
    scim_type: Option<String>,
    /// What the error said, without values.
    detail: Option<String>,
    /// Which tolerances fired, and what was made of the request.
    #[schema(value_type = Vec<Object>)]
    tolerated: Value,
    changed: bool,
    /// What changed, attribute by attribute; only where one request is shown. Empty once the person is anonymised.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    changes: Option<Value>,
}

/// A page of the provisioning log, newest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct LogPage {
    items: Vec<LoggedRequest>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// A row as it is shown; with what changed, if that is wanted.
#[must_use]
pub fn view(e: &Entry, with_changes: bool) -> Value {
    let list = |text: Option<&String>| text.and_then(|t| serde_json::from_str(t).ok()).unwrap_or_else(|| json!([]));
    #[expect(clippy::cast_precision_loss, reason = "no request takes that long")]
    let milliseconds = e.micros as f64 / 1000.0;
    json!(LoggedRequest {
        id: e.id.clone(),
        at: write_time(e.at),
        request_id: e.request_id.clone(),
        source: e.source.clone(),
        token_id: e.token_id.clone(),
        client: e.client.clone(),
        provider: e.provider.clone(),
        signal: e.signal.clone(),
        method: e.method.clone(),
        path: e.path.clone(),
        target: e.target.clone(),
        subject: e.subject.clone(),
        status: e.status,
        milliseconds,
        scim_type: e.scim_type.clone(),
        detail: e.detail.clone(),
        tolerated: list(e.notes.as_ref()),
        changed: e.changes.is_some(),
        changes: with_changes.then(|| list(e.changes.as_ref())),
    })
}

/// The least and the greatest status that a word stands for.
fn status(word: &str) -> Result<(i16, i16)> {
    match word {
        "2xx" => Ok((200, 299)),
        "3xx" => Ok((300, 399)),
        "4xx" => Ok((400, 499)),
        "5xx" => Ok((500, 599)),
        "failed" => Ok((400, 599)),
        other => {
            let bad =
                || Error::Invalid(format!("status: \"{}\" is none; 2xx, 3xx, 4xx, 5xx, failed, or a number such as 409 is", shown(other)));
            let number: i16 = other.parse().ok().filter(|n| (200..600).contains(n)).ok_or_else(bad)?;
            Ok((number, number))
        }
    }
}

/// Read the provisioning log
///
/// What became of SCIM requests, newest first, without what they changed. Reads and requests that failed or changed nothing come into it within a second or two.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/requests", tag = "records", params(
    ("tenant" = String, Path),
    ("member" = Option<String>, Query, description = "The id, userName or address of a member, or the id of a group"),
    ("source" = Option<String>, Query),
    ("status" = Option<String>, Query, description = "`2xx`, `3xx`, `4xx`, `5xx`, `failed`, or a number"),
    ("changed" = Option<bool>, Query, description = "Only those that changed something"),
    ("since" = Option<String>, Query, description = "Only those from this time on"),
    ("cursor" = Option<String>, Query),
    ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000),
), responses((status = 200, body = LogPage)))]
pub async fn list(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let params = call.params(&["member", "source", "status", "changed", "since", "cursor", "limit"])?;
    let page = params.page()?;
    let ask = Ask {
        member: params.get("member").map(str::to_owned),
        source: params.get("source").map(str::to_owned),
        status: params.get("status").map(status).transpose()?,
        changed: params.flag("changed")?,
        since: fields::time("since", params.get("since"))?,
    };
    let asked = page.clone();
    let found = call.read(&tenant, move |conn, act| journal::page(conn, act, &ask, &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, |e| e.id.clone(), |e| view(e, false))))
}

/// Show a request with what it changed
///
/// By its id in the log, or by the `X-Request-Id` of its answer.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/requests/{id}", tag = "records", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 200, body = LoggedRequest)))]
pub async fn get(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    let found = call.read(&tenant, move |conn, act| journal::find(conn, act, &id)).await?;
    Ok(ok(&view(&found, true)))
}
