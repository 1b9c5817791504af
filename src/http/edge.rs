//! The outermost layer: a request id, one line in the log, and no answer that is not SCIM.

use super::call::Known;
use super::error;
use super::reply::SCIM_JSON;
use crate::domain::new_id;
use crate::error::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error as ActixError, HttpMessage, HttpResponse};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

/// Names a request in its answer and in the log.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps every request.
pub async fn edge(req: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<EitherBody<BoxBody>>, ActixError> {
    let started = Instant::now();
    let id = new_id();
    req.extensions_mut().insert(RequestId(id.clone()));
    let line = Line { method: req.method().to_string(), path: req.path().to_owned(), id: id.clone(), started };
    let answered = AssertUnwindSafe(next.call(req)).catch_unwind().await;
    let mut res = match answered {
        Ok(Ok(res)) => res.map_into_boxed_body(),
        // actix keeps the request of a failed service to itself: without it there is no ServiceResponse to return.
        Ok(Err(e)) => return Err(line.failed(&e)),
        Err(_) => return Err(line.failed(&Error::Internal("a handler panicked".to_owned()).into())),
    };
    let status = res.status();
    if let Some(e) = res.response().error() {
        line.explain(status, &e.to_string());
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        res.headers_mut().insert(REQUEST_ID, value);
    }
    line.write(&res);
    Ok(res.map_body(|_, b| EitherBody::left(b)))
}

/// What the log says of a request.
struct Line {
    method: String,
    path: String,
    id: String,
    started: Instant,
}

impl Line {
    fn write(&self, res: &ServiceResponse<BoxBody>) {
        let extensions = res.request().extensions();
        let known = extensions.get::<Known>();
        let (tenant, token) = known.map_or(("-", "-"), |k| (k.ctx.tenant.name.as_str(), &*k.ctx.token_id));
        self.line(tenant, token, res.status());
    }

    fn line(&self, tenant: &str, token: &str, status: StatusCode) {
        let micros = self.started.elapsed().as_micros();
        log::info!(
            "request={} tenant={tenant} token={token} method={} path={} status={} micros={micros}",
            self.id,
            self.method,
            self.path,
            status.as_u16()
        );
    }

    fn explain(&self, status: StatusCode, why: &str) {
        if status.is_server_error() {
            log::error!("request={} {why}", self.id);
        } else {
            log::debug!("request={} {why}", self.id);
        }
    }

    fn failed(&self, e: &ActixError) -> ActixError {
        let status = e.as_response_error().status_code();
        self.explain(status, &e.to_string());
        self.line("-", "-", status);
        let body = match e.as_error::<Error>() {
            Some(own) => return with_id(actix_web::ResponseError::error_response(own), &self.id),
            None => error::body(status, None, &e.to_string()),
        };
        with_id(HttpResponse::build(status).insert_header((header::CONTENT_TYPE, SCIM_JSON)).body(body), &self.id)
    }
}

fn with_id(mut response: HttpResponse, id: &str) -> ActixError {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    actix_web::error::InternalError::from_response("", response).into()
}
