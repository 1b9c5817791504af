//! Rendering errors. Every error of every path is a SCIM Error (RFC 7644 §3.12).

use super::reply::SCIM_JSON;
use crate::domain::lifecycle::Refused;
use crate::error::Error;
use crate::scim::{self, ERROR_URN};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::{Map, Value, json};

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        let code = match self {
            Self::Scim(e) => e.status,
            Self::Roll(why) => forbidden_by_the_roll(*why).0,
            Self::Invalid(_) => 400,
            Self::Missing { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::Stale => 412,
            Self::Unauthorized(_) => 401,
            Self::Forbidden(_) | Self::Denied(_) => 403,
            Self::TooMany { .. } => 429,
            Self::Busy(_) | Self::Paused(_) => 503,
            Self::Internal(_) => 500,
        };
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut out = HttpResponse::build(self.status_code());
        put_headers(self, &mut out);
        out.insert_header((header::CONTENT_TYPE, SCIM_JSON));
        out.body(value(self).to_string())
    }
}

/// An error as JSON.
pub(super) fn value(e: &Error) -> Value {
    let (scim_type, detail) = said(e);
    object(e.status_code(), scim_type, &detail)
}

/// The scimType and the detail of an error.
#[must_use]
pub fn said(e: &Error) -> (Option<&'static str>, String) {
    match e {
        Error::Scim(e) => (e.scim_type.map(scim::ScimType::as_str), e.detail.clone()),
        Error::Roll(why) => (forbidden_by_the_roll(*why).1, with_code(*why)),
        other => (None, detail(other)),
    }
}

/// What is said of an error. Of our own doing, nothing.
pub(super) fn detail(e: &Error) -> String {
    match e {
        Error::Roll(why) => with_code(*why),
        Error::Internal(_) => "something went wrong on the server; its log tells more".to_owned(),
        other => other.to_string(),
    }
}

/// The headers that go with an error, whatever its format.
pub(super) fn put_headers(e: &Error, out: &mut HttpResponseBuilder) {
    match e {
        Error::Unauthorized(why) => {
            // RFC 6750 §3.1: no error code when there were no credentials.
            let code = if *why == "a token is needed" { "" } else { ", error=\"invalid_token\"" };
            out.insert_header((header::WWW_AUTHENTICATE, format!("Bearer realm=\"rollbook\"{code}")));
        }
        Error::Forbidden(scope) => {
            let value = format!("Bearer realm=\"rollbook\", error=\"insufficient_scope\", scope=\"{scope}\"");
            out.insert_header((header::WWW_AUTHENTICATE, value));
        }
        Error::Busy(_) => {
            out.insert_header((header::RETRY_AFTER, "1"));
        }
        Error::TooMany { seconds, .. } => {
            out.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        Error::Scim(e) if e.status == 415 => {
            out.insert_header((header::ACCEPT, "application/scim+json, application/json"));
        }
        Error::Paused(_) => {
            out.insert_header((header::RETRY_AFTER, "300"));
        }
        Error::Scim(_)
        | Error::Roll(_)
        | Error::Invalid(_)
        | Error::Missing { .. }
        | Error::Conflict { .. }
        | Error::Stale
        | Error::Denied(_)
        | Error::Internal(_) => {}
    }
}

/// Status and scimType for what the roll's rules forbid.
fn forbidden_by_the_roll(why: Refused) -> (u16, Option<&'static str>) {
    match why {
        Refused::NotFound | Refused::Neutral => (404, None),
        Refused::Taken => (409, Some("uniqueness")),
        Refused::AlreadyClaimed => (400, Some("mutability")),
        Refused::NoEmail | Refused::HasEmail | Refused::NoGroups | Refused::Untrusted => (400, Some("invalidValue")),
        Refused::NotInvited
        | Refused::NotClaimed
        | Refused::Deactivated
        | Refused::Held(_)
        | Refused::Unconfirmed
        | Refused::LegalHold
        | Refused::Frozen => (409, None),
        Refused::Used | Refused::Gone => (410, None),
        Refused::UseSso | Refused::Denied => (403, None),
    }
}

/// What forbids it, with a word that programs can look for.
fn with_code(why: Refused) -> String {
    let code = match why {
        Refused::Held(_) => "held: ",
        Refused::NoEmail => "email_required: ",
        Refused::AlreadyClaimed => "already_claimed: ",
        Refused::Deactivated => "deactivated: ",
        Refused::Untrusted => "domain_not_eligible: ",
        _ => "",
    };
    format!("{code}{why}")
}

/// The JSON of an error.
#[must_use]
pub fn body(status: StatusCode, scim_type: Option<&str>, detail: &str) -> String {
    object(status, scim_type, detail).to_string()
}

fn object(status: StatusCode, scim_type: Option<&str>, detail: &str) -> Value {
    let mut map = Map::new();
    map.insert("schemas".to_owned(), json!([ERROR_URN]));
    map.insert("status".to_owned(), Value::from(status.as_str()));
    if let Some(t) = scim_type {
        map.insert("scimType".to_owned(), Value::from(t));
    }
    map.insert("detail".to_owned(), Value::from(detail));
    Value::Object(map)
}
