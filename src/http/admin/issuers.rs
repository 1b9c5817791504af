//! `/admin/v1/tenants/{tenant}/issuers`: outside issuers whose tokens open a source.

use super::call::{Call, done, ok};
use super::fields::{default_source, scopes};
use super::problem::Result;
use crate::domain::{Scopes, TrustedIssuer};
use crate::scim::value::write_time;
use crate::service::idempotency::Made;
use crate::service::issuers::{self, Order};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// An outside issuer: its tokens for this audience about this subject open the source.
#[derive(Serialize, ToSchema)]
pub struct IssuerView {
    id: String,
    source: String,
    issuer: String,
    audience: String,
    subject: String,
    key_set_url: String,
    #[schema(example = json!(["scim:read", "scim:write"]))]
    scopes: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// When a token of it was last used.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

/// A page of issuers, oldest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct IssuerPage {
    items: Vec<IssuerView>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// A new outside issuer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIssuer {
    #[serde(default = "default_source")]
    source: String,
    /// `iss` of its tokens, to the letter.
    #[schema(min_length = 1, max_length = 500, example = "https://sts.windows.net/00000000-0000-0000-0000-000000000000/")]
    issuer: String,
    /// `aud` of its tokens, to the letter.
    #[schema(min_length = 1, max_length = 500, example = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621")]
    audience: String,
    /// `sub` of its tokens, to the letter; behind `appid:` or `oid:`, that claim.
    #[schema(min_length = 1, max_length = 500, example = "oid:00000000-0000-0000-0000-000000000000")]
    subject: String,
    /// Where its public keys are: https.
    #[schema(max_length = 500)]
    key_set_url: String,
    /// `scim:read`, `scim:write`, `scim:secrets`; without any, the first two.
    #[serde(default)]
    #[schema(example = json!(["scim:read", "scim:write"]))]
    scopes: Vec<String>,
}

fn view(i: &TrustedIssuer) -> IssuerView {
    IssuerView {
        id: i.id.clone(),
        source: i.source.clone(),
        issuer: i.issuer.clone(),
        audience: i.audience.clone(),
        subject: i.subject.clone(),
        key_set_url: i.key_set_url.clone(),
        scopes: i.scopes.words(),
        created_at: write_time(i.created_at),
        last_used_at: i.last_used_at.map(write_time),
    }
}

/// List outside issuers
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/issuers", tag = "oauth", params(("tenant" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = IssuerPage)))]
pub async fn list(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let asked = page.clone();
    let found = call.read(&tenant, move |conn, act| issuers::list(conn, act, &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, |i| i.id.clone(), |i| json!(view(i)))))
}

/// Trust an outside issuer
///
/// Its tokens for this audience about this subject open the source. Operators only, since two tenants could claim the same tokens.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/issuers", tag = "oauth", params(("tenant" = String, Path)), request_body = NewIssuer, responses((status = 201, body = IssuerView)))]
pub async fn create(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.operators_only()?;
    call.params(&[])?;
    let new: NewIssuer = call.json()?;
    let order = Order {
        source: new.source,
        issuer: new.issuer,
        audience: new.audience,
        subject: new.subject,
        key_set_url: new.key_set_url,
        scopes: scopes(&new.scopes, Scopes::parse)?,
        trial: call.app.is_trial(),
    };
    call.may_give(order.scopes)?;
    call.make(&tenant, move |conn, act| {
        let issuer = issuers::add(conn, act, &order)?;
        Ok(Made::at(format!("/admin/v1/tenants/{}/issuers/{}", act.tenant.name, issuer.id), json!(view(&issuer))))
    })
    .await
}

/// Show an outside issuer
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/issuers/{id}", tag = "oauth", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 200, body = IssuerView)))]
pub async fn get(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    let found = call.read(&tenant, move |conn, act| issuers::find(conn, act, &id)).await?;
    Ok(ok(&json!(view(&found))))
}

/// Trust an outside issuer no more
///
/// Every server refuses its tokens within a second. Operators only.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/issuers/{id}", tag = "oauth", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn remove(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.operators_only()?;
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    call.write(&tenant, move |conn, act| issuers::remove(conn, act, &id)).await?;
    Ok(done())
}
