//! `/admin/v1/tenants/{tenant}/members`: the members of a roll. What belongs to one member is in [`parts`].

pub mod parts;
pub mod view;

use super::call::{Call, ok, versioned};
use super::params::Page;
use super::problem::Result;
use crate::error;
use crate::service::idempotency::Made;
use crate::service::{Act, Connection, Place, by_hand, dossier, members};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use view::{GoneView, MemberPage, MemberView, TimelinePage};

/// A new member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// A SCIM User (RFC 7643 §4.1); `schemas` may be left out.
    #[schema(value_type = Object, example = json!({"userName": "sam@example.com", "displayName": "Sam Example"}))]
    user: Map<String, Value>,
    /// Whether the member is invited at once; without it, as the tenant's settings say.
    invite: Option<bool>,
}

/// A change of a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    /// A merge patch (RFC 7396) on the SCIM User: what is missing stays, null takes away, a list is replaced as a whole.
    #[schema(value_type = Object, example = json!({"title": "Guide", "nickName": null}))]
    user: Map<String, Value>,
}

/// A member as it is shown, and its version.
fn shown(conn: &mut Connection, act: &Act, place: &Place, key: &str) -> error::Result<(Value, i64)> {
    let found = dossier::read(conn, act, place, key)?;
    Ok((json!(view::member(&found)), found.shown.row.version))
}

/// List members
///
/// In the order of their ids. Those that identity providers see no more are among them; their userName and addresses are no longer
/// looked through, because others may have them.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/members", tag = "members", params(("tenant" = String, Path), ("filter" = Option<String>, Query, description = "A SCIM filter on users (RFC 7644 §3.4.2.2)"), ("state" = Option<String>, Query, description = "uninvited, invited, claimed or quarantined"), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = MemberPage)))]
pub async fn list(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let params = call.params(&["filter", "state", "cursor", "limit"])?;
    let page = params.page()?;
    let Page { after, .. } = page.clone();
    let (limit, text) = (page.one_more(), |name: &str| params.get(name).map(str::to_owned));
    let (filter, state) = (text("filter"), text("state"));
    let found = call.read(&tenant, move |c, act| members::page(c, act, state.as_deref(), filter.as_deref(), &after, limit)).await?;
    let brief = |row: &crate::service::Row| row.member.as_deref().map_or(Value::Null, |m| json!(view::brief(&row.id, &row.label, m)));
    Ok(ok(&page.render(found, |row| row.id.clone(), brief)))
}

/// Add a member
///
/// As a source would create one, except that the history names the admin. Somebody who is known and in quarantine is brought back:
/// then the answer is 200.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/members", tag = "members", params(("tenant" = String, Path)), request_body = NewMember, responses((status = 200, body = MemberView), (status = 201, body = MemberView)))]
pub async fn create(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (new, place): (NewMember, Place) = (call.json()?, call.place());
    call.make(&tenant, move |conn, act| {
        let saved = by_hand::add(conn, act, &place, &new.user, new.invite)?;
        let (body, version) = shown(conn, act, &place, &saved.row.id)?;
        let at = Made::at(format!("/admin/v1/tenants/{}/members/{}", act.tenant.name, saved.row.id), body);
        Ok(Made { status: if saved.created { 201 } else { 200 }, version: Some(version), ..at })
    })
    .await
}

/// Show a member
///
/// By its SCIM id, permanent id, userName or address. The ETag is the version of the SCIM resource.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/members/{member}", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), responses((status = 200, body = MemberView)))]
pub async fn get(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let ((tenant, key), place) = (path.into_inner(), call.place());
    let (body, version) = call.read(&tenant, move |conn, act| shown(conn, act, &place, &key)).await?;
    Ok(versioned(&body, version))
}

/// Change a member
///
/// Every rule of SCIM holds. `active` suspends and restores. With If-Match, only when nobody has changed the member since.
#[utoipa::path(patch, path = "/admin/v1/tenants/{tenant}/members/{member}", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), request_body = MemberChange, responses((status = 200, body = MemberView)))]
pub async fn change(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (new, place): (MemberChange, Place) = (call.json()?, call.place());
    let ((tenant, key), version) = (path.into_inner(), call.if_match);
    let work = move |conn: &mut Connection, act: &Act| {
        let saved = by_hand::change(conn, act, &place, &key, version, &new.user)?;
        shown(conn, act, &place, &saved.row.id)
    };
    let (body, version) = call.write(&tenant, work).await?;
    Ok(versioned(&body, version))
}

/// Delete a member at once
///
/// Without quarantine. An account that was ever claimed is anonymised, which needs `confirm=true`; any other record is simply gone.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/members/{member}", tag = "members", params(("tenant" = String, Path), ("member" = String, Path), ("confirm" = Option<bool>, Query)), responses((status = 200, body = GoneView)))]
pub async fn delete(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let confirmed = call.params(&["confirm"])?.flag("confirm")?;
    let ((tenant, key), version) = (path.into_inner(), call.if_match);
    let work = move |conn: &mut Connection, act: &Act| {
        let person = members::person(conn, act, &key, version)?;
        let after = members::delete(conn, act, &person, confirmed, None)?;
        Ok(view::gone(person, after))
    };
    let gone = call.write(&tenant, work).await?;
    call.app.removed();
    Ok(ok(&json!(gone)))
}

/// Show the history of a member
///
/// Oldest first. Of somebody whose record was removed it is still there, by the permanent id.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/members/{member}/timeline", tag = "members", params(("tenant" = String, Path), ("member" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = TimelinePage)))]
pub async fn timeline(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let (tenant, key) = path.into_inner();
    let (after, limit) = (page.after.clone(), page.one_more());
    let lines = call.read(&tenant, move |conn, act| members::timeline(conn, act, &key, &after, limit)).await?;
    Ok(ok(&page.render(lines, |l| l.id.clone(), |l| json!(view::line(l)))))
}
