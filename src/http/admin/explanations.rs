//! What a SCIM request would do, and why.

use super::super::error;
use super::call::{Call, ok};
use super::problem::Result;
use crate::domain::source;
use crate::service::delta::Delta;
use crate::service::explain::{self, Explained, Ground, Request};
use actix_web::web::Path;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A SCIM request that was recorded, without its token.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes a body")]
pub struct RecordedRequest {
    #[schema(example = "PATCH")]
    method: String,
    /// Below the SCIM base URL, with the query.
    #[schema(example = "/Users/0198c1f2-1111-7000-8000-000000000001")]
    path: String,
    /// What shows who sent it: User-Agent, for one. Content-Type, If-Match and If-None-Match count too.
    #[schema(value_type = Option<Object>)]
    headers: Option<Value>,
    #[schema(value_type = Option<Object>)]
    body: Option<Value>,
    /// Instead of `body`: what was sent, to the letter.
    raw: Option<String>,
}

/// How the request is read.
#[derive(Serialize, ToSchema)]
pub struct ProfileView {
    source: String,
    /// What the source declares.
    declared: String,
    /// The provider that the request shows, and by what.
    provider: Option<String>,
    signal: Option<String>,
    /// The tolerances that are on.
    tolerances: Vec<&'static str>,
}

/// What would be done.
#[derive(Serialize, ToSchema)]
pub struct Explanation {
    profile: ProfileView,
    status: u16,
    scim_type: Option<String>,
    detail: Option<String>,
    etag: Option<String>,
    location: Option<String>,
    /// The body of the answer.
    #[schema(value_type = Object)]
    body: Value,
    /// Which tolerances would fire, and what would be made of the request.
    #[schema(value_type = Vec<Object>)]
    tolerated: Vec<Value>,
    /// What would change, attribute by attribute.
    #[schema(value_type = Vec<Object>)]
    changes: Vec<Value>,
    /// What would come into the histories of members.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
    /// Mails that would be sent.
    #[schema(value_type = Vec<Object>)]
    mails: Vec<Value>,
}

/// An explanation as it is shown.
#[must_use]
pub fn view(e: &Explained) -> Value {
    let (status, scim_type, detail, body) = match &e.result {
        Ok(answer) => (answer.status, None, None, answer.body.clone()),
        Err(why) => {
            let (scim_type, detail) = error::said(why);
            let status = why.status_code();
            let body = serde_json::from_str(&error::body(status, scim_type, &detail)).unwrap_or_default();
            (status.as_u16(), scim_type.map(str::to_owned), Some(detail), body)
        }
    };
    let answer = e.result.as_ref().ok();
    let event = |l: &crate::service::audit::Line| json!({"event": l.event, "member": l.person, "from_state": l.from, "to_state": l.to, "reason": l.reason});
    json!(Explanation {
        profile: ProfileView {
            source: e.profile.source.clone(),
            declared: e.profile.declared.to_string(),
            provider: e.profile.provider.clone(),
            signal: e.profile.signal.clone(),
            tolerances: e.profile.tolerances.clone(),
        },
        status,
        scim_type,
        detail,
        etag: answer.and_then(|a| a.etag.clone()),
        location: answer.and_then(|a| a.location.clone()),
        body,
        tolerated: e.notes.iter().map(|n| json!({"quirk": n.quirk.name(), "text": n.text})).collect(),
        changes: e.changes.iter().map(Delta::json).collect(),
        events: e.events.iter().map(event).collect(),
        mails: e.mails.iter().map(|m| json!({"kind": m.kind, "member": m.person})).collect(),
    })
}

/// Say what a SCIM request would do, and why
///
/// The request is done and undone in one transaction; nothing is left of it: no change, no mail, no row of the log. It takes the place of a write while it runs, so it needs `admin:write`.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/explanations", tag = "records", params(
    ("tenant" = String, Path),
    ("source" = Option<String>, Query, description = "The source that it is sent by; without it, `default`"),
), request_body = RecordedRequest, responses((status = 200, body = Explanation)))]
pub async fn create(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let params = call.params(&["source"])?;
    let source = params.get("source").unwrap_or(source::DEFAULT).to_owned();
    let request = Request::read(&call.json::<Value>()?)?;
    let ground = Ground { place: call.place(), secret: call.app.secret.clone() };
    // What only reads is in no write's way.
    let explained = if request.is_read() {
        call.read(&tenant, move |conn, act| explain::explain(conn, act, &ground, &source, &request)).await?
    } else {
        call.write(&tenant, move |conn, act| explain::explain(conn, act, &ground, &source, &request)).await?
    };
    Ok(ok(&view(&explained)))
}
