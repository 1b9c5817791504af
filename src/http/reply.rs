//! Building answers.

use super::call::Call;
use crate::service::render::Rendered;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;

/// The media type of SCIM (RFC 7644 §8.1).
pub const SCIM_JSON: &str = "application/scim+json";

/// The media type that the client wants.
#[must_use]
pub fn media_type(plain_json: bool) -> &'static str {
    if plain_json { "application/json" } else { SCIM_JSON }
}

/// A document that is not a single resource.
#[must_use]
pub fn document(call: &Call, json: String) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, media_type(call.plain_json))).body(json)
}

/// A single resource.
#[must_use]
pub fn resource(call: &Call, status: StatusCode, rendered: Rendered) -> HttpResponse {
    let mut out = HttpResponse::build(status);
    out.insert_header((header::CONTENT_TYPE, media_type(call.plain_json)));
    out.insert_header((header::ETAG, rendered.etag));
    if status == StatusCode::CREATED {
        out.insert_header((header::LOCATION, rendered.location.as_str()));
    }
    out.insert_header((header::CONTENT_LOCATION, rendered.location));
    out.body(rendered.json)
}

/// No body, but the version and place of the resource.
#[must_use]
pub fn bodyless(status: StatusCode, etag: String, location: String) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::ETAG, etag)).insert_header((header::CONTENT_LOCATION, location)).finish()
}
