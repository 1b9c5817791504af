//! `/admin/v1/tenants/{tenant}/locations`: the places that a tenant's members can be at.

use super::call::{Call, ok};
use super::problem::Result;
use crate::service::idempotency::Made;
use crate::service::locations::{self, Moved};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// A place.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// 1 to 200 bytes without control characters.
    #[schema(min_length = 1, max_length = 200, example = "Zurich")]
    name: String,
}

/// A page of places, by name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct LocationPage {
    items: Vec<Location>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// What a change of the places did.
#[derive(Serialize, ToSchema)]
pub struct LocationChange {
    /// The place, as it is then; null when it is removed.
    name: Option<String>,
    /// Members whose location is filled in now.
    filled: usize,
    /// Members whose location is blank now.
    blanked: usize,
}

fn changed(name: Option<&str>, moved: Moved) -> LocationChange {
    LocationChange { name: name.map(str::to_owned), filled: moved.filled, blanked: moved.blanked }
}

/// List places
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/locations", tag = "locations", params(("tenant" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = LocationPage)))]
pub async fn list(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let asked = page.clone();
    let found = call.read(&tenant, move |conn, act| locations::page(conn, act, &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, Clone::clone, |name| json!({"name": name}))))
}

/// Add a place
///
/// Members whose source has named it get it filled in.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/locations", tag = "locations", params(("tenant" = String, Path)), request_body = Location, responses((status = 201, body = LocationChange)))]
pub async fn create(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let new: Location = call.json()?;
    call.make(&tenant, move |conn, act| {
        let moved = locations::add(conn, act, &new.name)?;
        let place = format!("/admin/v1/tenants/{}/locations/{}", act.tenant.name, encoded(&new.name));
        Ok(Made::at(place, json!(changed(Some(&new.name), moved))))
    })
    .await
}

fn encoded(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Rename a place
///
/// Sources that still send the old name are no longer matched.
#[utoipa::path(patch, path = "/admin/v1/tenants/{tenant}/locations/{name}", tag = "locations", params(("tenant" = String, Path), ("name" = String, Path)), request_body = Location, responses((status = 200, body = LocationChange)))]
pub async fn rename(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let new: Location = call.json()?;
    let (tenant, name) = path.into_inner();
    let answer =
        call.write(&tenant, move |conn, act| Ok(changed(Some(&new.name), locations::rename(conn, act, &name, &new.name)?))).await?;
    Ok(ok(&json!(answer)))
}

/// Remove a place
///
/// The location of whoever is there becomes blank, and is filled in again when the place comes back.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/locations/{name}", tag = "locations", params(("tenant" = String, Path), ("name" = String, Path)), responses((status = 200, body = LocationChange)))]
pub async fn remove(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, name) = path.into_inner();
    let moved = call.write(&tenant, move |conn, act| locations::remove(conn, act, &name)).await?;
    Ok(ok(&json!(changed(None, moved))))
}
