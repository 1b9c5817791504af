//! `/admin/v1/tenants/{tenant}/schemas` and `…/resource_types`: attributes and resource types of a tenant's own, in the JSON in which
//! SCIM clients find them.

use super::call::{Call, done, ok, versioned};
use super::problem::Result;
use crate::scim::discovery;
use crate::scim::schema::{ResourceType, Schema};
use crate::service::declarations::{self, Versioned};
use crate::service::idempotency::Made;
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// The type of an attribute's values.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub enum AttributeType {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Binary,
    Reference,
    Complex,
}

/// Who may write an attribute, and when.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub enum AttributeMutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

/// When an attribute is part of an answer.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub enum AttributeReturned {
    Always,
    Never,
    Default,
    Request,
}

/// Whether two resources may have the same value. `server` and `global` are the same: one in the tenant.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub enum AttributeUniqueness {
    None,
    Server,
    Global,
}

/// An attribute (RFC 7643 §7). What is missing is what RFC 7643 §2.2 says.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes what scim::declare reads")]
pub struct DeclaredAttribute {
    /// A letter, then letters, digits, `-`, `_` and `$`.
    #[schema(pattern = "^[A-Za-z][A-Za-z0-9_$-]{0,63}$", example = "badgeNumber")]
    name: String,
    r#type: Option<AttributeType>,
    multi_valued: Option<bool>,
    description: Option<String>,
    /// Of an extension: required of those who have the extension.
    required: Option<bool>,
    /// Suggestions; other values are taken too.
    canonical_values: Option<Vec<String>>,
    case_exact: Option<bool>,
    mutability: Option<AttributeMutability>,
    returned: Option<AttributeReturned>,
    uniqueness: Option<AttributeUniqueness>,
    /// Of the type `reference` only.
    reference_types: Option<Vec<String>>,
    /// Of the type `complex` only; none of them is complex.
    #[schema(no_recursion, max_items = 200)]
    sub_attributes: Option<Vec<DeclaredAttribute>>,
}

/// A schema, as `/scim/v2/Schemas` serves it. `schemas` and `meta` may be there too, and say nothing.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what scim::declare reads")]
pub struct DeclaredSchema {
    /// The URN.
    #[schema(example = "urn:example:params:scim:extension:badge:2.0:User")]
    id: String,
    name: Option<String>,
    description: Option<String>,
    #[schema(min_items = 1, max_items = 100)]
    attributes: Vec<DeclaredAttribute>,
}

/// The schemas that a tenant has declared, oldest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct SchemaList {
    items: Vec<DeclaredSchema>,
}

/// An extension of a resource type.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what scim::declare reads")]
pub struct DeclaredExtension {
    /// The URN of a schema that the tenant has declared.
    schema: String,
    required: Option<bool>,
}

/// A resource type, as `/scim/v2/ResourceTypes` serves it. `schemas` and `meta` may be there too, and say nothing.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes what scim::declare reads")]
pub struct DeclaredType {
    #[schema(pattern = "^[A-Za-z][A-Za-z0-9_-]{0,63}$", example = "Device")]
    name: String,
    description: Option<String>,
    /// A path of one part below the SCIM base URL.
    #[schema(pattern = "^/[A-Za-z][A-Za-z0-9_-]{0,62}$", example = "/Devices")]
    endpoint: String,
    /// The URN of the base schema, which the tenant has declared.
    schema: String,
    schema_extensions: Option<Vec<DeclaredExtension>>,
}

/// All resource types of a tenant: User, Group, then its own.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an answer")]
pub struct TypeList {
    items: Vec<DeclaredType>,
}

fn shown_schema(base: &str, s: &Versioned<Schema>) -> Value {
    discovery::schema(base, &s.what)
}

fn shown_type(base: &str, rt: &Versioned<ResourceType>) -> Value {
    discovery::resource_type(base, &rt.what)
}

/// List declared schemas
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/schemas", tag = "schemas", params(("tenant" = String, Path)), responses((status = 200, body = SchemaList)))]
pub async fn schemas(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let base = call.place().base;
    let items: Vec<Value> =
        call.read(&tenant, move |conn, act| Ok(declarations::schemas(conn, act)?.iter().map(|s| shown_schema(&base, s)).collect())).await?;
    Ok(ok(&json!({ "items": items })))
}

/// Declare a schema
///
/// With `extends`, the name of a resource type, it becomes an extension of that type.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/schemas", tag = "schemas", params(("tenant" = String, Path), ("extends" = Option<String>, Query)), request_body = DeclaredSchema, responses((status = 201, body = DeclaredSchema)))]
pub async fn create_schema(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    let extends = call.params(&["extends"])?.get("extends").map(str::to_owned);
    let body: Map<String, Value> = call.json()?;
    let base = call.place().base;
    call.make(&tenant, move |conn, act| {
        let made = declarations::create_schema(conn, act, &body, extends.as_deref())?;
        let place = format!("/admin/v1/tenants/{}/schemas/{}", act.tenant.name, made.what.id);
        Ok(Made { version: Some(made.version), ..Made::at(place, shown_schema(&base, &made)) })
    })
    .await
}

/// Show a declared schema
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/schemas/{urn}", tag = "schemas", params(("tenant" = String, Path), ("urn" = String, Path)), responses((status = 200, body = DeclaredSchema)))]
pub async fn schema(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, urn) = path.into_inner();
    let base = call.place().base;
    let found = call.read(&tenant, move |conn, act| declarations::schema(conn, act, &urn)).await?;
    Ok(versioned(&shown_schema(&base, &found), found.version))
}

/// Change a declared schema
///
/// Attributes may be added at any time. One that resources have a value of is taken away only with `force`, which takes the values away
/// too, in one transaction; its type and whether it is multi-valued stay.
#[utoipa::path(put, path = "/admin/v1/tenants/{tenant}/schemas/{urn}", tag = "schemas", params(("tenant" = String, Path), ("urn" = String, Path), ("force" = Option<bool>, Query)), request_body = DeclaredSchema, responses((status = 200, body = DeclaredSchema)))]
pub async fn replace_schema(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let force = call.params(&["force"])?.flag("force")?;
    let body: Map<String, Value> = call.json()?;
    let (tenant, urn) = path.into_inner();
    let (base, version) = (call.place().base, call.if_match);
    let changed = call.write(&tenant, move |conn, act| declarations::replace_schema(conn, act, &urn, version, &body, force)).await?;
    Ok(versioned(&shown_schema(&base, &changed), changed.version))
}

/// Remove a declared schema
///
/// With it goes the extension that it is. In use it stays, unless `force` takes its values from the resources, in one transaction.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/schemas/{urn}", tag = "schemas", params(("tenant" = String, Path), ("urn" = String, Path), ("force" = Option<bool>, Query)), responses((status = 204)))]
pub async fn remove_schema(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let force = call.params(&["force"])?.flag("force")?;
    let (tenant, urn) = path.into_inner();
    call.write(&tenant, move |conn, act| declarations::remove_schema(conn, act, &urn, force)).await?;
    Ok(done())
}

/// List resource types
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/resource_types", tag = "schemas", params(("tenant" = String, Path)), responses((status = 200, body = TypeList)))]
pub async fn resource_types(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let base = call.place().base;
    let items: Vec<Value> = call
        .read(&tenant, move |conn, act| Ok(declarations::resource_types(conn, act)?.iter().map(|rt| shown_type(&base, rt)).collect()))
        .await?;
    Ok(ok(&json!({ "items": items })))
}

/// Declare a resource type
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/resource_types", tag = "schemas", params(("tenant" = String, Path)), request_body = DeclaredType, responses((status = 201, body = DeclaredType)))]
pub async fn create_type(call: Call, tenant: Path<String>) -> Result<HttpResponse> {
    call.params(&[])?;
    let body: Map<String, Value> = call.json()?;
    let base = call.place().base;
    call.make(&tenant, move |conn, act| {
        let made = declarations::create_type(conn, act, &body)?;
        let place = format!("/admin/v1/tenants/{}/resource_types/{}", act.tenant.name, made.what.name);
        Ok(Made { version: Some(made.version), ..Made::at(place, shown_type(&base, &made)) })
    })
    .await
}

/// Show a resource type
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/resource_types/{name}", tag = "schemas", params(("tenant" = String, Path), ("name" = String, Path)), responses((status = 200, body = DeclaredType)))]
pub async fn resource_type(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    call.params(&[])?;
    let (tenant, name) = path.into_inner();
    let base = call.place().base;
    let found = call.read(&tenant, move |conn, act| declarations::resource_type(conn, act, &name)).await?;
    Ok(versioned(&shown_type(&base, &found), found.version))
}

/// Change a resource type
///
/// Of User and Group the extensions, of others also endpoint and description. An extension in use is taken away only with `force`, which
/// takes its values from the resources too, in one transaction.
#[utoipa::path(put, path = "/admin/v1/tenants/{tenant}/resource_types/{name}", tag = "schemas", params(("tenant" = String, Path), ("name" = String, Path), ("force" = Option<bool>, Query)), request_body = DeclaredType, responses((status = 200, body = DeclaredType)))]
pub async fn replace_type(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let force = call.params(&["force"])?.flag("force")?;
    let body: Map<String, Value> = call.json()?;
    let (tenant, name) = path.into_inner();
    let (base, version) = (call.place().base, call.if_match);
    let changed = call.write(&tenant, move |conn, act| declarations::replace_type(conn, act, &name, version, &body, force)).await?;
    Ok(versioned(&shown_type(&base, &changed), changed.version))
}

/// Remove a resource type
///
/// With resources it stays, unless `force` removes them, in one transaction.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/resource_types/{name}", tag = "schemas", params(("tenant" = String, Path), ("name" = String, Path), ("force" = Option<bool>, Query)), responses((status = 204)))]
pub async fn remove_type(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let force = call.params(&["force"])?.flag("force")?;
    let (tenant, name) = path.into_inner();
    call.write(&tenant, move |conn, act| declarations::remove_type(conn, act, &name, force)).await?;
    Ok(done())
}
