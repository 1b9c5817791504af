//! `/admin/v1/tenants`.

use super::call::{Call, ok, versioned};
use super::problem::{Failure, Result};
use crate::domain::{Idp, Settings, Tenant};
use crate::error::Error;
use crate::scim::value::write_time;
use crate::service::idempotency::Made;
use crate::service::tenants::{self, Change, Deletion, Shown};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A tenant: a customer whose identity providers connect.
#[derive(Serialize, ToSchema)]
pub struct TenantView {
    #[schema(example = "acme")]
    pub name: String,
    /// The identity provider of its sources, unless they say otherwise.
    pub provider: Idp,
    /// Whether two groups may not have the same displayName.
    pub unique_group_names: bool,
    pub status: Status,
    /// What identity providers are told while it is suspended.
    pub suspension_reason: Option<String>,
    pub settings: Settings,
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// Whether a tenant is served.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Active,
    /// SCIM answers 403, claim pages are closed, mails wait. Nothing is lost.
    Suspended,
}

/// A tenant with what it holds.
#[derive(Serialize, ToSchema)]
pub struct TenantDetail {
    #[serde(flatten)]
    pub tenant: TenantView,
    pub users: i64,
    pub groups: i64,
    /// How many members are in each state.
    pub members: BTreeMap<String, i64>,
    pub live_tokens: usize,
    /// Which identity providers its requests have shown.
    pub seen: Vec<Seen>,
}

/// What gave a provider away.
#[derive(Serialize, ToSchema)]
pub struct Seen {
    pub provider: String,
    pub signal: String,
    #[schema(format = DateTime)]
    pub last_seen_at: String,
}

/// A new tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// 1 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$", example = "acme")]
    name: String,
    #[serde(default)]
    provider: Idp,
    /// Without it: true for entra, else false.
    unique_group_names: Option<bool>,
    /// Settings, by name; what is missing has its default.
    #[serde(default)]
    #[schema(value_type = Option<Settings>)]
    settings: Map<String, Value>,
}

/// A change of a tenant (RFC 7396): what is missing stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantChange {
    provider: Option<Idp>,
    unique_group_names: Option<bool>,
    status: Option<Status>,
    /// With `status: suspended`: what identity providers are told.
    suspension_reason: Option<String>,
    /// Settings, by name; null sets the default.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    settings: Map<String, Value>,
}

/// A page of tenants, by name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct TenantPage {
    items: Vec<TenantView>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// What would be lost with a tenant.
#[derive(Serialize, ToSchema)]
pub struct DeletionView {
    pub members: i64,
    pub groups: i64,
    pub live_tokens: i64,
    /// OAuth clients that can fetch tokens.
    pub live_clients: i64,
    /// Outside issuers whose tokens are taken.
    pub issuers: i64,
    /// To be sent with the second step; good as long as these numbers are.
    pub confirmation: String,
}

fn view(t: &Tenant) -> TenantView {
    TenantView {
        name: t.name.clone(),
        provider: t.idp,
        unique_group_names: t.unique_group_names,
        status: if t.suspended.is_some() { Status::Suspended } else { Status::Active },
        suspension_reason: t.suspended.clone().filter(|why| !why.is_empty()),
        settings: t.settings.clone(),
        created_at: write_time(t.created_at),
    }
}

fn detail(shown: &Shown) -> TenantDetail {
    let mut members = BTreeMap::new();
    for (state, n) in &shown.roll {
        *members.entry(state.as_str().to_owned()).or_insert(0) += n;
    }
    let seen = |(provider, signal, at): &(String, String, i64)| Seen {
        provider: provider.clone(),
        signal: signal.clone(),
        last_seen_at: write_time(*at),
    };
    TenantDetail {
        tenant: view(&shown.tenant),
        users: shown.users,
        groups: shown.groups,
        members,
        live_tokens: shown.live_tokens,
        seen: shown.evidence.iter().map(seen).collect(),
    }
}

fn deletion_view(d: Deletion) -> DeletionView {
    let Deletion { members, groups, live_tokens, live_clients, issuers, confirmation } = d;
    DeletionView { members, groups, live_tokens, live_clients, issuers, confirmation }
}

/// List tenants
///
/// A tenant's key sees its own only.
#[utoipa::path(get, path = "/admin/v1/tenants", tag = "tenants", params(("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = TenantPage)))]
pub async fn list(call: Call) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let asked = page.clone();
    let found = if let Some(own) = call.own() {
        let name = own.name.clone();
        call.read(&own.name, move |conn, _| Ok(if name > asked.after { vec![tenants::named(conn, &name)?] } else { Vec::new() })).await?
    } else {
        call.app.read(move |conn| tenants::page(conn, &asked.after, asked.one_more())).await?
    };
    Ok(ok(&page.render(found, |t| t.name.clone(), |t| json!(view(t)))))
}

/// Make a tenant
///
/// It begins with one source, `default`. Operators only.
#[utoipa::path(post, path = "/admin/v1/tenants", tag = "tenants", request_body = NewTenant, responses((status = 201, body = TenantView)))]
pub async fn create(call: Call) -> Result<HttpResponse> {
    call.operators_only()?;
    call.params(&[])?;
    let new: NewTenant = call.json()?;
    tenants::stated(&new.settings)?;
    let (hand, vault) = (call.hand(), call.app.vault.clone());
    call.make_once(move |conn| {
        let made = tenants::create(conn, &hand, &new.name, new.provider, new.unique_group_names)?;
        let act = hand.on(made, vault.clone());
        let change = Change { settings: new.settings.clone(), ..Change::default() };
        let tenant = tenants::change(conn, &act, None, &change)?;
        let version = Some(tenant.version);
        Ok(Made { version, ..Made::at(format!("/admin/v1/tenants/{}", tenant.name), json!(view(&tenant))) })
    })
    .await
}

/// Show a tenant
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}", tag = "tenants", params(("tenant" = String, Path)), responses((status = 200, body = TenantDetail)))]
pub async fn get(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let shown = call.read(&tenant, |conn, act| tenants::show(conn, &act.tenant.name, act.now)).await?;
    Ok(versioned(&json!(detail(&shown)), shown.tenant.version))
}

/// Change a tenant
///
/// With If-Match, only when nobody has changed it since. Suspension, the trust in domains and the limits of requests are the operator's.
#[utoipa::path(patch, path = "/admin/v1/tenants/{tenant}", tag = "tenants", params(("tenant" = String, Path)), request_body = TenantChange, responses((status = 200, body = TenantView)))]
pub async fn change(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let new: TenantChange = call.json()?;
    // Whoever says which domains are trusted vouches for them; the limits of requests protect other tenants.
    let operators = ["domains", "verified_domains", "requests_per_second_tenant", "requests_per_second_token", "request_burst"];
    let vouches = operators.iter().any(|name| new.settings.contains_key(*name));
    if vouches || new.status.is_some() || new.suspension_reason.is_some() {
        call.operators_only()?;
    }
    if new.suspension_reason.is_some() && new.status != Some(Status::Suspended) {
        return Err(Failure(Error::Invalid("suspension_reason goes with \"status\": \"suspended\"".to_owned())));
    }
    let suspended = new.status.map(|s| (s == Status::Suspended).then(|| new.suspension_reason.clone().unwrap_or_default()));
    let change = Change { idp: new.provider, unique_group_names: new.unique_group_names, settings: new.settings, suspended };
    let version = call.if_match;
    let after = call.write(&tenant, move |conn, act| tenants::change(conn, act, version, &change)).await?;
    Ok(versioned(&json!(view(&after)), after.version))
}

/// Look at what would be lost with a tenant
///
/// The first of the two steps of deleting it; nothing is lost. Operators only.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/deletion", tag = "tenants", params(("tenant" = String, Path)), responses((status = 200, body = DeletionView)))]
pub async fn deletion(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.operators_only()?;
    call.params(&[])?;
    let lost = call.read(&tenant, tenants::deletion).await?;
    Ok(ok(&json!(deletion_view(lost))))
}

/// Delete a tenant for good
///
/// The second step, with the confirmation of the first. Everything that belongs to the tenant is removed. Operators only.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}", tag = "tenants", params(("tenant" = String, Path), ("confirmation" = Option<String>, Query, description = "As GET …/deletion tells it")), responses((status = 200, body = DeletionView)))]
pub async fn delete(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.operators_only()?;
    let confirmation = call.params(&["confirmation"])?.get("confirmation").unwrap_or_default().to_owned();
    let lost = call.write(&tenant, move |conn, act| tenants::delete(conn, act, &confirmation)).await?;
    call.app.removed();
    Ok(ok(&json!(deletion_view(lost))))
}
