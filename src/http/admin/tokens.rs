//! `/admin/v1/tenants/{tenant}/tokens`: the tokens with which identity providers connect.

use super::call::{Call, done, ok};
use super::fields::{default_source, scopes, time};
use super::problem::Result;
use crate::domain::{Scopes, Token, TokenKind, TokenState};
use crate::scim::value::write_time;
use crate::service::expiry;
use crate::service::idempotency::Made;
use crate::service::tokens::{self, Order};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A token; the token itself is only shown when it is issued.
#[derive(Serialize, ToSchema)]
pub struct TokenView {
    id: String,
    name: String,
    source: String,
    kind: TokenKind,
    state: TokenState,
    #[schema(example = json!(["scim:read", "scim:write"]))]
    scopes: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it has less than 90 days left: how many.
    expires_in_days: Option<i64>,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// The id of the token that it will follow, while that one is being rotated.
    replaces: Option<String>,
    /// The certificate that must be presented with it: base64url of the SHA-256 of its DER (RFC 8705).
    certificate: Option<String>,
    /// The permanent id of the member whose own token it is; it opens `/Me` and nothing else.
    member: Option<String>,
}

/// All tokens of a tenant, oldest first.
#[derive(Serialize, ToSchema)]
pub struct TokenList {
    items: Vec<TokenView>,
}

/// A token that was just issued.
#[derive(Serialize, ToSchema)]
pub struct IssuedToken {
    #[serde(flatten)]
    view: TokenView,
    /// The token itself. It is not stored and cannot be had again.
    token: String,
}

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, 1 to 100 characters.
    #[serde(default = "token_name")]
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[serde(default = "default_source")]
    source: String,
    #[serde(default)]
    kind: TokenKind,
    /// `scim:read`, `scim:write`, `scim:secrets`; without any, the first two.
    #[serde(default)]
    #[schema(example = json!(["scim:read", "scim:write"]))]
    scopes: Vec<String>,
    /// Without it, it is valid for ever.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// The certificate that must be presented with it: base64url of the SHA-256 of its DER (RFC 8705).
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    certificate: Option<String>,
    /// The member whose own token it is to be, by SCIM id, permanent id, userName or address. It opens `/Me` and nothing else.
    member: Option<String>,
}

/// How the next token is to be.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct NewRotation {
    /// Without it, as long from now as the old one was meant to live.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// How a rotation ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationEnd {
    #[expect(dead_code, reason = "there is one word for it")]
    state: Complete,
}

/// The old token is revoked.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Complete {
    Complete,
}

fn token_name() -> String {
    "token".to_owned()
}

fn view(t: &Token, now: i64) -> TokenView {
    TokenView {
        id: t.id.clone(),
        name: t.name.clone(),
        source: t.source.clone(),
        kind: t.kind,
        state: t.state(now),
        scopes: t.scopes.words(),
        created_at: write_time(t.created_at),
        expires_at: t.expires_at.map(write_time),
        expires_in_days: expiry::days_left(t, now),
        last_used_at: t.last_used_at.map(write_time),
        revoked_at: t.revoked_at.map(write_time),
        replaces: t.replaces.clone(),
        certificate: t.certificate.clone(),
        member: t.member.clone(),
    }
}

fn issued(tenant: &str, token: &Token, secret: String, now: i64) -> Made {
    let body: Value = json!(IssuedToken { view: view(token, now), token: secret });
    Made::at(format!("/admin/v1/tenants/{tenant}/tokens/{}", token.id), body)
}

/// List tokens, without the tokens themselves
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/tokens", tag = "tokens", params(("tenant" = String, Path)), responses((status = 200, body = TokenList)))]
pub async fn list(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let now = call.app.now();
    let found = call.read(&tenant, |conn, act| tokens::list(conn, &act.tenant.name)).await?;
    Ok(ok(&json!(TokenList { items: found.iter().map(|t| view(t, now)).collect() })))
}

/// Issue a token
///
/// It is shown once. A key gives no scope away that it has not got itself: `scim:secrets` needs `admin:secrets`, and so on.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/tokens", tag = "tokens", params(("tenant" = String, Path)), request_body = NewToken, responses((status = 201, body = IssuedToken)))]
pub async fn create(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let new: NewToken = call.json()?;
    let order = Order {
        kind: new.kind,
        name: new.name,
        scopes: scopes(&new.scopes, Scopes::parse)?,
        expires_at: time("expires_at", new.expires_at.as_deref())?,
        source: new.source,
        certificate: new.certificate,
        member: new.member,
    };
    call.may_give(order.scopes)?;
    call.make(&tenant, move |conn, act| {
        let (token, secret) = tokens::issue_for(conn, act, &order)?;
        Ok(issued(&act.tenant.name, &token, secret, act.now))
    })
    .await
}

/// Show a token, without the token itself
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/tokens/{id}", tag = "tokens", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 200, body = TokenView)))]
pub async fn get(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    let now = call.app.now();
    let found = call.read(&tenant, move |conn, act| tokens::find(conn, act, &id)).await?;
    Ok(ok(&json!(view(&found, now))))
}

/// Revoke a token
///
/// Every server refuses it within a second.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/tokens/{id}", tag = "tokens", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn revoke(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    call.write(&tenant, move |conn, act| tokens::revoke_for(conn, act, &id)).await?;
    Ok(done())
}

/// Show the token that will follow one that is being rotated
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/tokens/{id}/rotation", tag = "tokens", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 200, body = TokenView)))]
pub async fn rotation(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    let now = call.app.now();
    let next = call.read(&tenant, move |conn, act| tokens::rotation(conn, act, &id)).await?;
    Ok(ok(&json!(view(&next, now))))
}

/// Begin to rotate a token
///
/// A second one like it is issued, and both are accepted until the rotation is completed or cancelled.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/tokens/{id}/rotation", tag = "tokens", params(("tenant" = String, Path), ("id" = String, Path)), request_body = Option<NewRotation>, responses((status = 201, body = IssuedToken)))]
pub async fn rotate(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let new: NewRotation = call.json_or_default()?;
    let expires_at = time("expires_at", new.expires_at.as_deref())?;
    let ((tenant, id), holder) = (path.into_inner(), call.clone());
    call.make(&tenant, move |conn, act| {
        holder.may_give(tokens::find(conn, act, &id)?.scopes)?;
        let (token, secret) = tokens::rotate(conn, act, &id, expires_at)?;
        Ok(issued(&act.tenant.name, &token, secret, act.now))
    })
    .await
}

/// Complete a rotation
///
/// The old token is revoked; the answer is the one that has followed it.
#[utoipa::path(patch, path = "/admin/v1/tenants/{tenant}/tokens/{id}/rotation", tag = "tokens", params(("tenant" = String, Path), ("id" = String, Path)), request_body = RotationEnd, responses((status = 200, body = TokenView)))]
pub async fn complete_rotation(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let _: RotationEnd = call.json()?;
    let (tenant, id) = path.into_inner();
    let now = call.app.now();
    let next = call.write(&tenant, move |conn, act| tokens::complete_rotation(conn, act, &id)).await?;
    Ok(ok(&json!(view(&next, now))))
}

/// Cancel a rotation
///
/// The new token is revoked, the old one stays.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/tokens/{id}/rotation", tag = "tokens", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn cancel_rotation(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    call.write(&tenant, move |conn, act| tokens::cancel_rotation(conn, act, &id)).await?;
    Ok(done())
}
