//! The endpoints of the resource types that a tenant has declared. Which there are depends on who asks; what is at none of them is not
//! there.

use super::body::Body;
use super::call::{Call, Known};
use super::scim;
use crate::error::{Error, Result};
use crate::scim::schema::ResourceKind;
use crate::service::types;
use actix_web::http::Method;
use actix_web::web::Path;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

/// The methods of a whole type.
const ALL: &[Method] = &[Method::GET, Method::POST];
/// The methods of a search.
const SEARCH: &[Method] = &[Method::POST];
/// The methods of one resource.
const ONE: &[Method] = &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE];

fn kind(call: &Call, endpoint: &str) -> Result<ResourceKind> {
    types::kind_at(&call.ctx.types, endpoint).ok_or_else(|| nothing_at(&call.ctx.target))
}

fn nothing_at(path: &str) -> Error {
    Error::Scim(crate::scim::Error::status(404, format!("there is nothing at {}", crate::scim::error::shown(path))))
}

/// `GET /{endpoint}`
pub async fn list(call: Call, endpoint: Path<String>) -> Result<HttpResponse> {
    let kind = kind(&call, &endpoint)?;
    scim::list(call, Some(kind)).await
}

/// `POST /{endpoint}`
pub async fn create(call: Call, endpoint: Path<String>, body: Body) -> Result<HttpResponse> {
    let kind = kind(&call, &endpoint)?;
    scim::create(call, kind, body).await
}

/// `POST /{endpoint}/.search`
pub async fn search(call: Call, endpoint: Path<String>, body: Body) -> Result<HttpResponse> {
    let kind = kind(&call, &endpoint)?;
    scim::search(call, Some(kind), body).await
}

/// `GET /{endpoint}/{id}`
pub async fn get(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let (endpoint, id) = path.into_inner();
    let kind = kind(&call, &endpoint)?;
    scim::get(call, kind, id.into()).await
}

/// `PUT /{endpoint}/{id}`
pub async fn replace(call: Call, path: Path<(String, String)>, body: Body) -> Result<HttpResponse> {
    let (endpoint, id) = path.into_inner();
    let kind = kind(&call, &endpoint)?;
    scim::replace(call, kind, id.into(), body).await
}

/// `PATCH /{endpoint}/{id}`
pub async fn patch(call: Call, path: Path<(String, String)>, body: Body) -> Result<HttpResponse> {
    let (endpoint, id) = path.into_inner();
    let kind = kind(&call, &endpoint)?;
    scim::patch(call, kind, id.into(), body).await
}

/// `DELETE /{endpoint}/{id}`
pub async fn delete(call: Call, path: Path<(String, String)>) -> Result<HttpResponse> {
    let (endpoint, id) = path.into_inner();
    let kind = kind(&call, &endpoint)?;
    scim::delete(call, kind, id.into()).await
}

/// Another method than those that the path has, if it has any.
pub async fn other_method(req: HttpRequest) -> Result<HttpResponse> {
    let endpoint = req.match_info().get("endpoint").unwrap_or_default();
    let known = req.extensions().get::<Known>().is_some_and(|k| types::kind_at(&k.ctx.types, endpoint).is_some());
    if !known {
        return Err(nothing_at(req.path()));
    }
    let methods = if req.path().ends_with("/.search") {
        SEARCH
    } else if req.match_info().get("id").is_some() {
        ONE
    } else {
        ALL
    };
    Ok(scim::method_not_allowed(methods))
}
