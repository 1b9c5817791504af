//! The outermost layer: a request id, one line in the log, and no answer that is neither SCIM nor a page.

use super::admin::problem::{self, Failure};
use super::call::Known;
use super::error;
use super::pages::guard;
use super::pages::view::Scene;
use super::pages::visitor::scene_of;
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
    let page = guard::is_private(req.path()).then(|| scene_of(req.request()));
    let path = if page.is_some() { "/claim/…" } else { req.path() }.to_owned();
    let line = Line { method: req.method().to_string(), path, page, id: id.clone(), started };
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
    /// Without what opens an account: a link's token or an access code.
    path: String,
    /// For a claim page.
    page: Option<Scene>,
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
        if let Some(scene) = &self.page {
            return with_id(guard::failure(status, scene), &self.id);
        }
        if self.path.starts_with("/admin/") && e.as_error::<Failure>().is_none() {
            let body = problem::body(status, "internal", &error::detail(&Error::Internal(String::new())));
            return with_id(HttpResponse::build(status).insert_header((header::CONTENT_TYPE, problem::MEDIA_TYPE)).body(body), &self.id);
        }
        if let Some(failure) = e.as_error::<Failure>() {
            return with_id(actix_web::ResponseError::error_response(failure), &self.id);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer to a request whose handler panicked: status, some headers, body.
    fn failed(page: Option<Scene>) -> (u16, [String; 3], String) {
        let line =
            Line { method: "GET".to_owned(), path: "/claim/…".to_owned(), page, id: "REQUEST".to_owned(), started: Instant::now() };
        let response = line.failed(&Error::Internal("a handler panicked".to_owned()).into()).error_response();
        let header = |name: &str| response.headers().get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
        let (status, headers) = (response.status().as_u16(), ["content-type", "x-request-id", "cache-control"].map(header));
        let body = response.into_body().try_into_bytes().unwrap_or_default();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_panic_is_answered_in_kind() {
        let (status, headers, body) = failed(None);
        assert_eq!((status, headers), (500, [SCIM_JSON, "REQUEST", ""].map(str::to_owned)));
        assert!(body.starts_with('{'), "{body}");
        let (status, headers, body) = failed(Some(Scene { request_id: "REQUEST".to_owned(), ..Scene::default() }));
        assert_eq!((status, headers), (500, [guard::HTML, "REQUEST", "no-store"].map(str::to_owned)));
        assert!(body.starts_with("<!DOCTYPE html>") && body.contains("REQUEST") && !body.contains("panicked"), "{body}");
    }
}
