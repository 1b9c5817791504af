//! Errors of the admin API: problem details (RFC 9457).

use super::super::error::{detail, put_headers};
use crate::domain::lifecycle::Refused;
use crate::error::Error;
use crate::scim::ScimType;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use std::fmt;
use utoipa::ToSchema;

/// The media type of problem details.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error on its way to a caller of the admin API.
#[derive(Debug)]
pub struct Failure(pub Error);

/// What a handler of the admin API returns.
pub type Result<T> = std::result::Result<T, Failure>;

/// An error (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what Failure renders")]
pub struct Problem {
    /// Names the kind of the problem: `urn:rollbook:problem:` and a word.
    #[schema(example = "urn:rollbook:problem:tenant-exists")]
    r#type: String,
    /// The status in words.
    title: String,
    status: u16,
    /// What was wrong with this very request.
    detail: String,
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(e: E) -> Self {
        Self(e.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut out = HttpResponse::build(status);
        put_headers(&self.0, &mut out);
        out.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
        out.body(body(status, code(&self.0), &detail(&self.0)))
    }
}

/// The word for a kind of problem.
fn code(e: &Error) -> &str {
    match e {
        Error::Conflict { code, .. } => code,
        Error::Missing { .. } | Error::Roll(Refused::NotFound) => "not_found",
        Error::Invalid(_) => "invalid",
        Error::Stale => "changed_meanwhile",
        Error::Unauthorized(_) => "unauthorized",
        Error::Forbidden(_) => "insufficient_scope",
        Error::Denied(_) => "denied",
        Error::Paused(_) | Error::Busy(_) => "try_again",
        Error::TooMany { .. } => "too_many_requests",
        Error::Internal(_) => "internal",
        Error::Roll(Refused::Unconfirmed) => "confirmation_needed",
        Error::Roll(_) => "forbidden_by_the_roll",
        Error::Scim(e) if e.scim_type == Some(ScimType::Uniqueness) => "taken",
        Error::Scim(e) => match e.status {
            404 => "not_found",
            409 => "conflict",
            412 => "changed_meanwhile",
            413 => "too_large",
            415 => "media_type",
            _ => "invalid",
        },
    }
}

/// The JSON of a problem.
#[must_use]
pub fn body(status: StatusCode, code: &str, detail: &str) -> String {
    json!({
        "type": format!("urn:rollbook:problem:{}", code.replace('_', "-")),
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    })
    .to_string()
}
