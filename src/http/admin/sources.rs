//! `/admin/v1/tenants/{tenant}/sources`.

use super::call::{Call, done, ok, versioned};
use super::problem::Result;
use crate::domain::{Capabilities, Idp, ScimSource, SourceState, Tenant};
use crate::scim::value::write_time;
use crate::service::idempotency::Made;
use crate::service::sources::{self, Change, Tolerance};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A source: the connection of one identity provider, with tokens of its own.
#[derive(Serialize, ToSchema)]
pub struct SourceView {
    #[schema(example = "default")]
    name: String,
    /// The identity provider that is in force.
    provider: Idp,
    /// Whether it is the tenant's.
    provider_is_the_tenants: bool,
    state: SourceState,
    capabilities: Capabilities,
    /// Tolerances that are switched by hand, by name.
    tolerances: BTreeMap<String, bool>,
    /// The tolerances that are on, by name, when a request shows nothing more.
    tolerances_in_force: Vec<String>,
    /// Every tolerance: whether it is on, who says so, and what it reads.
    tolerances_explained: Vec<Tolerance>,
    /// Whether `/ServiceProviderConfig` announces `interopProfileConformant`: the profile is declared and no tolerance is on.
    interop_conformant: bool,
    /// PEM: its requests must come with a client certificate under one of these.
    client_ca: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// All sources of a tenant, by name.
#[derive(Serialize, ToSchema)]
pub struct SourceList {
    items: Vec<SourceView>,
}

/// A new source.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSource {
    /// 1 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$", example = "okta")]
    name: String,
    /// null or missing: the tenant's.
    provider: Option<Idp>,
    #[serde(default)]
    state: SourceState,
    /// What is missing in it is true.
    #[serde(default)]
    capabilities: Capabilities,
    /// Tolerances that are switched by hand, by name.
    #[serde(default)]
    tolerances: BTreeMap<String, bool>,
    /// PEM of certificate authorities: its requests must come with a client certificate under one of these.
    client_ca: Option<String>,
}

/// A change of a source (RFC 7396): what is missing stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "missing, null and a value are three things in a merge patch")]
pub struct SourceChange {
    /// null: the tenant's.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Idp>)]
    provider: Option<Option<Idp>>,
    state: Option<SourceState>,
    /// What is missing in it is true.
    capabilities: Option<Capabilities>,
    /// By name; null leaves a tolerance to the provider again.
    #[serde(default)]
    tolerances: BTreeMap<String, Option<bool>>,
    /// PEM of certificate authorities; null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    client_ca: Option<Option<String>>,
}

/// Tells null from what is missing.
#[expect(clippy::option_option, reason = "missing, null and a value are three things in a merge patch")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl From<SourceChange> for Change {
    fn from(c: SourceChange) -> Self {
        Self { idp: c.provider, state: c.state, capabilities: c.capabilities, tolerances: c.tolerances, client_ca: c.client_ca }
    }
}

fn view(tenant: &Tenant, s: &ScimSource) -> SourceView {
    SourceView {
        name: s.name.clone(),
        provider: sources::idp(tenant, s),
        provider_is_the_tenants: s.idp.is_none(),
        state: s.state,
        capabilities: s.capabilities,
        tolerances: s.tolerances.clone(),
        tolerances_in_force: sources::tolerances(tenant, s).into_iter().map(str::to_owned).collect(),
        tolerances_explained: sources::explained(tenant, s),
        interop_conformant: sources::keeps_interop(tenant, s),
        client_ca: s.client_ca.clone(),
        created_at: write_time(s.created_at),
    }
}

/// List sources
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/sources", tag = "sources", params(("tenant" = String, Path)), responses((status = 200, body = SourceList)))]
pub async fn list(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let items = call.read(&tenant, |conn, act| Ok(sources::list(conn, act)?.iter().map(|s| view(&act.tenant, s)).collect())).await?;
    Ok(ok(&json!(SourceList { items })))
}

/// Make a source
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/sources", tag = "sources", params(("tenant" = String, Path)), request_body = NewSource, responses((status = 201, body = SourceView)))]
pub async fn create(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let new: NewSource = call.json()?;
    let change = Change {
        idp: Some(new.provider),
        state: Some(new.state),
        capabilities: Some(new.capabilities),
        tolerances: new.tolerances.into_iter().map(|(name, on)| (name, Some(on))).collect(),
        client_ca: Some(new.client_ca),
    };
    let name = new.name;
    call.make(&tenant, move |conn, act| {
        let made = sources::create(conn, act, &name, &change)?;
        let place = format!("/admin/v1/tenants/{}/sources/{}", act.tenant.name, made.name);
        Ok(Made { version: Some(made.version), ..Made::at(place, json!(view(&act.tenant, &made))) })
    })
    .await
}

/// Show a source
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/sources/{source}", tag = "sources", params(("tenant" = String, Path), ("source" = String, Path)), responses((status = 200, body = SourceView)))]
pub async fn get(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, name) = path.into_inner();
    let (shown, version) = call
        .read(&tenant, move |conn, act| {
            let found = sources::named(conn, &act.tenant, &name)?;
            Ok((view(&act.tenant, &found), found.version))
        })
        .await?;
    Ok(versioned(&json!(shown), version))
}

/// Change a source
///
/// Paused, it answers 503 with Retry-After and its provider tries again later. Detached, it answers 403; nobody is deactivated.
#[utoipa::path(patch, path = "/admin/v1/tenants/{tenant}/sources/{source}", tag = "sources", params(("tenant" = String, Path), ("source" = String, Path)), request_body = SourceChange, responses((status = 200, body = SourceView)))]
pub async fn change(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let change = Change::from(call.json::<SourceChange>()?);
    let ((tenant, name), expected) = (path.into_inner(), call.if_match);
    let (shown, version) = call
        .write(&tenant, move |conn, act| {
            let after = sources::change(conn, act, &name, expected, &change)?;
            Ok((view(&act.tenant, &after), after.version))
        })
        .await?;
    Ok(versioned(&json!(shown), version))
}

/// Delete a source that is detached
///
/// Its tokens are revoked; nobody is deactivated.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/sources/{source}", tag = "sources", params(("tenant" = String, Path), ("source" = String, Path)), responses((status = 204)))]
pub async fn delete(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, name) = path.into_inner();
    call.write(&tenant, move |conn, act| sources::delete(conn, act, &name)).await?;
    Ok(done())
}
