//! `/admin/v1/setup`: tenants as a file declares them.

use super::call::{Call, ok};
use super::problem::Result;
use crate::error::Error;
use crate::service::setup::{self, Difference, Setup};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

/// What applying does, or would do.
#[derive(Serialize, ToSchema)]
pub struct Plan {
    changes: Vec<Difference>,
    /// Whether they were made.
    applied: bool,
}

const TOML: &str = "application/toml";

/// Export the present set-up
///
/// In the format that PUT takes, as JSON, or as TOML with `Accept: application/toml`. Secrets are not in it. Operators only.
#[utoipa::path(get, path = "/admin/v1/setup", tag = "setup", responses((status = 200, content((Setup = "application/json"), (String = "application/toml")))))]
pub async fn export(call: Call, req: HttpRequest) -> Result<HttpResponse> {
    call.operators_only()?;
    call.params(&[])?;
    let present = call.app.snapshot(setup::export).await?;
    let accept = req.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if accept.contains(TOML) {
        let text = toml::to_string(&present).map_err(|e| Error::Internal(e.to_string()))?;
        return Ok(HttpResponse::Ok().content_type(TOML).body(text));
    }
    Ok(ok(&json!(present)))
}

/// Apply a set-up
///
/// What is there is compared with what the body declares (JSON, or TOML as `rollbook apply` takes it), and the difference is made, all of it or
/// nothing. Done twice, it does nothing the second time. Tenants and sources that it does not name are left alone. With `dry_run=true`
/// nothing is done. Operators only.
#[utoipa::path(put, path = "/admin/v1/setup", tag = "setup", params(("dry_run" = Option<bool>, Query)), request_body(content((Setup = "application/json"), (String = "application/toml"))), responses((status = 200, body = Plan)))]
pub async fn apply(call: Call, req: HttpRequest) -> Result<HttpResponse> {
    call.operators_only()?;
    let dry = call.params(&["dry_run"])?.flag("dry_run")?;
    let media = req.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let wanted: Setup = if media.starts_with(TOML) { from_toml(&call.body)? } else { call.json()? };
    let changes = if dry {
        call.app.snapshot(move |conn| setup::plan(conn, &wanted)).await?
    } else {
        let (hand, vault) = (call.hand(), call.app.vault.clone());
        call.app.write(move |conn| setup::apply(conn, &hand, &vault, &wanted)).await?
    };
    Ok(ok(&json!(Plan { changes, applied: !dry })))
}

fn from_toml(body: &[u8]) -> Result<Setup> {
    let text = std::str::from_utf8(body).map_err(|_| Error::Invalid("the body is not UTF-8".to_owned()))?;
    Ok(toml::from_str(text).map_err(|e| Error::Invalid(format!("the body: {}", e.message())))?)
}
