//! `/admin/v1/tenants/{tenant}/clients`: the OAuth clients that fetch tokens.

use super::call::{Call, done, ok};
use super::fields::{default_source, scopes};
use super::problem::Result;
use crate::domain::{ClientAuth, OauthClient, Scopes};
use crate::error::{self, Error};
use crate::scim::value::write_time;
use crate::service::clients::{self, Means, Order, TOKEN_SECONDS};
use crate::service::idempotency::Made;
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// How a client proves who it is.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// With a secret (`client_secret_basic` or `client_secret_post`).
    Secret,
    /// With a JWT that it signs (RFC 7523).
    PrivateKeyJwt,
    /// With its certificate (RFC 8705).
    TlsClientAuth,
}

/// An OAuth client; its secret is only shown when it is registered.
#[derive(Serialize, ToSchema)]
pub struct ClientView {
    /// The `client_id`.
    id: String,
    name: String,
    source: String,
    auth: Auth,
    /// Its public keys: a JWK set.
    #[schema(value_type = Option<Object>)]
    key_set: Option<Value>,
    /// Where its public keys are.
    key_set_url: Option<String>,
    /// Its certificate: base64url of the SHA-256 of its DER.
    certificate: Option<String>,
    /// Most that its tokens allow.
    #[schema(example = json!(["scim:read", "scim:write"]))]
    scopes: Vec<String>,
    /// How long its tokens are good.
    token_seconds: i64,
    /// Whether it gets tokens, and they are accepted.
    live: bool,
    #[schema(format = DateTime)]
    created_at: String,
    /// When a token of it was last used.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

/// A page of clients, oldest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct ClientPage {
    items: Vec<ClientView>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// A client that was just registered.
#[derive(Serialize, ToSchema)]
pub struct RegisteredClient {
    #[serde(flatten)]
    view: ClientView,
    /// The secret, if it has one. It is not stored and cannot be had again.
    secret: Option<String>,
}

/// A new client.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    /// What it is for, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[serde(default = "default_source")]
    source: String,
    auth: Auth,
    /// For `private_key_jwt`: its public keys, a JWK set.
    #[schema(value_type = Option<Object>)]
    key_set: Option<Value>,
    /// For `private_key_jwt`, instead of `key_set`: where its public keys are. https, and not inside a private network.
    #[schema(max_length = 500)]
    key_set_url: Option<String>,
    /// For `tls_client_auth`: base64url of the SHA-256 of the DER of its certificate.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    certificate: Option<String>,
    /// `scim:read`, `scim:write`, `scim:secrets`; without any, the first two.
    #[serde(default)]
    #[schema(example = json!(["scim:read", "scim:write"]))]
    scopes: Vec<String>,
    /// How long its tokens are good.
    #[serde(default = "token_seconds")]
    #[schema(minimum = 60, maximum = 86400, default = 3600)]
    token_seconds: i64,
}

fn token_seconds() -> i64 {
    TOKEN_SECONDS
}

fn means(auth: Auth, key_set: Option<Value>, key_set_url: Option<String>, certificate: Option<String>) -> error::Result<Means> {
    let found = match (auth, key_set, key_set_url, certificate) {
        (Auth::Secret, None, None, None) => Ok(Means::Secret),
        (Auth::PrivateKeyJwt, Some(set), None, None) => Ok(Means::KeySet(set)),
        (Auth::PrivateKeyJwt, None, Some(url), None) => Ok(Means::KeySetUrl(url)),
        (Auth::TlsClientAuth, None, None, Some(thumbprint)) => Ok(Means::Certificate(thumbprint)),
        (Auth::Secret, ..) => Err("secret takes neither key_set, key_set_url nor certificate"),
        (Auth::PrivateKeyJwt, ..) => Err("private_key_jwt takes either key_set or key_set_url, and nothing else"),
        (Auth::TlsClientAuth, ..) => Err("tls_client_auth takes certificate, and nothing else"),
    };
    found.map_err(|why| Error::Invalid(format!("auth: {why}")))
}

fn view(c: &OauthClient) -> ClientView {
    ClientView {
        id: c.id.clone(),
        name: c.name.clone(),
        source: c.source.clone(),
        auth: match c.auth {
            ClientAuth::Secret(_) => Auth::Secret,
            ClientAuth::KeySet(_) | ClientAuth::KeySetUrl(_) => Auth::PrivateKeyJwt,
            ClientAuth::Certificate(_) => Auth::TlsClientAuth,
        },
        key_set: if let ClientAuth::KeySet(set) = &c.auth { serde_json::from_str(set).ok() } else { None },
        key_set_url: if let ClientAuth::KeySetUrl(url) = &c.auth { Some(url.clone()) } else { None },
        certificate: if let ClientAuth::Certificate(thumbprint) = &c.auth { Some(thumbprint.clone()) } else { None },
        scopes: c.scopes.words(),
        token_seconds: c.token_seconds,
        live: c.revoked_at.is_none(),
        created_at: write_time(c.created_at),
        last_used_at: c.last_used_at.map(write_time),
        revoked_at: c.revoked_at.map(write_time),
    }
}

/// List OAuth clients
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/clients", tag = "oauth", params(("tenant" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = ClientPage)))]
pub async fn list(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let asked = page.clone();
    let found = call.read(&tenant, move |conn, act| clients::list(conn, act, &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, |c| c.id.clone(), |c| json!(view(c)))))
}

/// Register an OAuth client
///
/// It fetches tokens at `/oauth/token`. Its secret is shown once. A key gives no scope away that it has not got itself.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/clients", tag = "oauth", params(("tenant" = String, Path)), request_body = NewClient, responses((status = 201, body = RegisteredClient)))]
pub async fn create(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let new: NewClient = call.json()?;
    let order = Order {
        name: new.name,
        source: new.source,
        means: means(new.auth, new.key_set, new.key_set_url, new.certificate)?,
        scopes: scopes(&new.scopes, Scopes::parse)?,
        token_seconds: new.token_seconds,
        trial: call.app.is_trial(),
    };
    call.may_give(order.scopes)?;
    call.make(&tenant, move |conn, act| {
        let (client, secret) = clients::register(conn, act, &order)?;
        let place = format!("/admin/v1/tenants/{}/clients/{}", act.tenant.name, client.id);
        Ok(Made::at(place, json!(RegisteredClient { view: view(&client), secret })))
    })
    .await
}

/// Show an OAuth client
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/clients/{id}", tag = "oauth", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 200, body = ClientView)))]
pub async fn get(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    let found = call.read(&tenant, move |conn, act| clients::find(conn, act, &id)).await?;
    Ok(ok(&json!(view(&found))))
}

/// Revoke an OAuth client
///
/// It gets no more tokens, and every server refuses those that it has within a second.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/clients/{id}", tag = "oauth", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn revoke(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    call.write(&tenant, move |conn, act| clients::revoke(conn, act, &id)).await?;
    Ok(done())
}
