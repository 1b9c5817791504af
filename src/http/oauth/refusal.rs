//! Refusals of the token endpoint (RFC 6749 §5.2).

use crate::error::Error;
use crate::service::oauth::Refusal;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use std::fmt;

impl Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Request(_) => "invalid_request",
            Self::Client(_) | Self::Unserved(_) => "invalid_client",
            Self::UnauthorizedClient(_) => "unauthorized_client",
            Self::GrantType(_) => "unsupported_grant_type",
            Self::Scope(_) => "invalid_scope",
            Self::Wait(_) | Self::Later(_) | Self::Failed(Error::Busy(_) | Error::Paused(_)) => "temporarily_unavailable",
            Self::Failed(_) => "server_error",
        }
    }

    /// What was wrong, of the characters that RFC 6749 allows.
    fn description(&self) -> String {
        let text = match self {
            Self::Failed(e) => super::super::error::detail(e),
            other => other.to_string(),
        };
        text.chars().map(|c| if matches!(c, ' '..='~') && c != '\\' { c } else { '?' }).collect::<String>().replace('"', "'")
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Wait(seconds) => Some(*seconds),
            Self::Later(_) => Some(5),
            Self::Failed(Error::Busy(_)) => Some(1),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(why)
            | Self::Client(why)
            | Self::Unserved(why)
            | Self::UnauthorizedClient(why)
            | Self::GrantType(why)
            | Self::Scope(why)
            | Self::Later(why) => f.write_str(why),
            Self::Wait(_) => f.write_str("this client has failed to prove who it is too often; try again later"),
            Self::Failed(e) => e.fmt(f),
        }
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Request(_) | Self::UnauthorizedClient(_) | Self::GrantType(_) | Self::Scope(_) => StatusCode::BAD_REQUEST,
            Self::Client(_) | Self::Unserved(_) => StatusCode::UNAUTHORIZED,
            Self::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Later(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(e) => e.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut out = HttpResponse::build(self.status_code());
        out.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
        if self.status_code() == StatusCode::UNAUTHORIZED {
            out.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"rollbook\", charset=\"UTF-8\""));
        }
        if let Some(seconds) = self.retry_after() {
            out.insert_header((header::RETRY_AFTER, seconds));
        }
        out.json(json!({"error": self.code(), "error_description": self.description()}))
    }
}
