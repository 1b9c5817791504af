//! `/admin/v1/keys` and `/admin/v1/tenants/{tenant}/keys`: keys of this API.

use super::call::{Call, done, ok};
use super::fields::{scopes, time};
use super::problem::Result;
use crate::domain::{AdminKey, Scopes};
use crate::scim::value::write_time;
use crate::service::admin_keys::{self, Order};
use crate::service::idempotency::Made;
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// A key of this API; the key itself is only shown when it is issued.
#[derive(Serialize, ToSchema)]
pub struct KeyView {
    id: String,
    name: String,
    #[schema(example = json!(["admin:read", "admin:write"]))]
    scopes: Vec<String>,
    /// Whether it is accepted.
    live: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

/// A page of keys, oldest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct KeyPage {
    items: Vec<KeyView>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// A key that was just issued.
#[derive(Serialize, ToSchema)]
pub struct IssuedKey {
    #[serde(flatten)]
    view: KeyView,
    /// The key itself. It is not stored and cannot be had again.
    key: String,
}

/// A new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is for, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// `admin:read`, `admin:write`, `admin:secrets`; without any, the first two.
    #[serde(default)]
    #[schema(example = json!(["admin:read", "admin:write"]))]
    scopes: Vec<String>,
    /// Without it, it is valid for ever.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

fn view(k: &AdminKey, now: i64) -> KeyView {
    KeyView {
        id: k.id.clone(),
        name: k.name.clone(),
        scopes: k.scopes.admin_words(),
        live: k.is_live(now),
        created_at: write_time(k.created_at),
        expires_at: k.expires_at.map(write_time),
        last_used_at: k.last_used_at.map(write_time),
        revoked_at: k.revoked_at.map(write_time),
    }
}

fn order(call: &Call) -> Result<Order> {
    call.params(&[])?;
    let new: NewKey = call.json()?;
    let scopes = scopes(&new.scopes, Scopes::parse_admin)?;
    call.may_give(scopes)?;
    Ok(Order { name: new.name, scopes, expires_at: time("expires_at", new.expires_at.as_deref())? })
}

fn issued(place: &str, key: &AdminKey, secret: String, now: i64) -> Made {
    Made::at(format!("{place}/{}", key.id), json!(IssuedKey { view: view(key, now), key: secret }))
}

/// List the operators' keys
///
/// Operators only.
#[utoipa::path(get, path = "/admin/v1/keys", tag = "keys", params(("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = KeyPage)))]
pub async fn list(call: Call) -> Result<HttpResponse> {
    call.operators_only()?;
    let page = call.params(&["cursor", "limit"])?.page()?;
    let (asked, now) = (page.clone(), call.app.now());
    let found = call.app.read(move |conn| admin_keys::list(conn, None, &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, |k| k.id.clone(), |k| json!(view(k, now)))))
}

/// Issue an operator's key
///
/// It opens every tenant, and is shown once. Operators only; the first one is made by `rollbook key create`.
#[utoipa::path(post, path = "/admin/v1/keys", tag = "keys", request_body = NewKey, responses((status = 201, body = IssuedKey)))]
pub async fn create(call: Call) -> Result<HttpResponse> {
    call.operators_only()?;
    let (order, now) = (order(&call)?, call.app.now());
    call.make_once(move |conn| {
        let (key, secret) = admin_keys::issue(conn, None, &order, now)?;
        Ok(issued("/admin/v1/keys", &key, secret, now))
    })
    .await
}

/// Revoke an operator's key
///
/// Operators only.
#[utoipa::path(delete, path = "/admin/v1/keys/{id}", tag = "keys", params(("id" = String, Path)), responses((status = 204)))]
pub async fn revoke(call: Call, id: Path<String>) -> Result<HttpResponse> {
    call.operators_only()?;
    call.params(&[])?;
    let (id, now) = (id.into_inner(), call.app.now());
    call.app.write(move |conn| admin_keys::revoke(conn, None, &id, now)).await?;
    Ok(done())
}

/// List the keys of a tenant's admins
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/keys", tag = "keys", params(("tenant" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = KeyPage)))]
pub async fn list_of(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let (asked, now) = (page.clone(), call.app.now());
    let found = call.read(&tenant, move |conn, act| admin_keys::list(conn, Some(&act.tenant), &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, |k| k.id.clone(), |k| json!(view(k, now)))))
}

/// Issue a key for an admin of a tenant
///
/// It opens this tenant only, and is shown once. A key gives no scope away that it has not got itself.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/keys", tag = "keys", params(("tenant" = String, Path)), request_body = NewKey, responses((status = 201, body = IssuedKey)))]
pub async fn create_for(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let order = order(&call)?;
    call.make(&tenant, move |conn, act| {
        let (key, secret) = admin_keys::issue_for(conn, act, &order)?;
        Ok(issued(&format!("/admin/v1/tenants/{}/keys", act.tenant.name), &key, secret, act.now))
    })
    .await
}

/// Revoke a key of a tenant's admin
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/keys/{id}", tag = "keys", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn revoke_of(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    call.write(&tenant, move |conn, act| admin_keys::revoke_for(conn, act, &id)).await?;
    Ok(done())
}
