//! `/admin/v1/tenants/{tenant}/groups`: groups as identity providers have made them.

use super::call::{Call, ok, versioned};
use super::problem::Result;
use crate::scim::value::write_time;
use crate::service::{Kind, Row, rosters};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A group.
#[derive(Serialize, ToSchema)]
pub struct GroupView {
    /// The SCIM id.
    id: String,
    display_name: String,
    external_id: Option<String>,
    member_count: i64,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    modified_at: String,
}

/// A page of groups, in the order of their ids.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct GroupPage {
    items: Vec<GroupView>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

/// Somebody, or a group, in a group.
#[derive(Serialize, ToSchema)]
pub struct GroupMember {
    /// The SCIM id.
    id: String,
    #[schema(example = "User")]
    kind: &'static str,
    name: String,
}

/// A page of the members of a group, in the order of their ids.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct GroupMemberPage {
    items: Vec<GroupMember>,
    /// Leads to the next page, if there is one.
    next_cursor: Option<String>,
}

fn view(row: &Row) -> GroupView {
    let doc: Value = serde_json::from_str(&row.doc).unwrap_or_default();
    GroupView {
        id: row.id.clone(),
        display_name: row.label.clone(),
        external_id: doc.get("externalId").and_then(Value::as_str).map(str::to_owned),
        member_count: row.member_count,
        created_at: write_time(row.created_at),
        modified_at: write_time(row.modified_at),
    }
}

/// List groups
///
/// The filter is a SCIM filter, such as `displayName sw "S"`.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/groups", tag = "groups", params(("tenant" = String, Path), ("filter" = Option<String>, Query), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = GroupPage)))]
pub async fn list(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let params = call.params(&["filter", "cursor", "limit"])?;
    let page = params.page()?;
    let (asked, filter) = (page.clone(), params.get("filter").map(str::to_owned));
    let found = call.read(&tenant, move |conn, act| rosters::page(conn, act, filter.as_deref(), &asked.after, asked.one_more())).await?;
    Ok(ok(&page.render(found, |g| g.id.clone(), |g| json!(view(g)))))
}

/// Show a group
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/groups/{id}", tag = "groups", params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 200, body = GroupView)))]
pub async fn get(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, id) = path.into_inner();
    let found = call.read(&tenant, move |conn, act| rosters::find(conn, act, &id)).await?;
    Ok(versioned(&json!(view(&found)), found.version))
}

/// List the members of a group
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/groups/{id}/members", tag = "groups", params(("tenant" = String, Path), ("id" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = GroupMemberPage)))]
pub async fn members(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let page = call.params(&["cursor", "limit"])?.page()?;
    let ((tenant, id), asked) = (path.into_inner(), page.clone());
    let found = call.read(&tenant, move |conn, act| rosters::members_of(conn, act, &id, &asked.after, asked.one_more())).await?;
    let kind = |k| if k == Kind::Group { "Group" } else { "User" };
    Ok(ok(&page.render(found, |m| m.id.clone(), |m| json!(GroupMember { id: m.id.clone(), kind: kind(m.kind), name: m.label.clone() }))))
}
