//! The outermost layer: a request id, one line in the log, and no answer that is neither SCIM nor a page.

use super::admin::gate::Holder;
use super::admin::problem::{self, Failure};
use super::call::Known;
use super::connections;
use super::error;
use super::pages::guard;
use super::pages::view::Scene;
use super::pages::visitor::scene_of;
use super::reply::SCIM_JSON;
use super::witness::Witness;
use crate::app::App;
use crate::domain::new_id;
use crate::error::Error;
use crate::service::masking;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error as ActixError, HttpMessage, HttpRequest, HttpResponse};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

/// Names a request in its answer and in the log.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Tells browsers that have come over TLS to come over TLS for another year (RFC 6797).
const STAY_ON_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Wraps every request.
pub async fn edge(req: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<EitherBody<BoxBody>>, ActixError> {
    let started = Instant::now();
    let under_way = connections::begin(&req);
    let measured = req.app_data::<Data<App>>().map(|app| app.metrics.requests.begin(req.path(), req.method().as_str()));
    let id = new_id();
    req.extensions_mut().insert(RequestId(id.clone()));
    let witness = Witness::new(started);
    req.extensions_mut().insert(witness.clone());
    let app = req.app_data::<Data<App>>().cloned();
    let page = guard::is_private(req.path()).then(|| scene_of(req.request()));
    let path = match req.path() {
        _ if page.is_some() => "/claim/…".to_owned(),
        // Somebody may ask for a person by name where an id is due.
        path if path.starts_with("/scim") => masking::path(path, ""),
        path => path.to_owned(),
    };
    let secure = req.app_config().secure();
    let line = Line { method: req.method().to_string(), path, page, id, secure, started };
    let answered = AssertUnwindSafe(next.call(req)).catch_unwind().await;
    let answer = match answered {
        Ok(Ok(res)) => Ok(res.map_into_boxed_body()),
        // actix keeps the request of a failed service to itself: without it there is no ServiceResponse to return.
        Ok(Err(e)) => Err(e),
        Err(_) => Err(Error::Internal("a handler panicked".to_owned()).into()),
    };
    let status = answer.as_ref().map_or_else(|e| e.as_response_error().status_code(), ServiceResponse::status);
    if let Some(measured) = measured {
        measured.end(status.as_u16());
    }
    if let Some(app) = app {
        let why = answer.as_ref().map_or_else(Some, |res| res.response().error());
        witness.tell(&app, status, why);
    }
    let mut res = answer.map_err(|e| line.failed(&e))?;
    count_tenant(res.request());
    if let Some(e) = res.response().error() {
        line.explain(status, e);
    }
    line.mark(res.headers_mut());
    if let Some(under_way) = under_way {
        // An answer takes it along until all of it is handed over.
        res.response_mut().extensions_mut().insert(under_way);
    }
    line.write(&res);
    Ok(res.map_body(|_, b| EitherBody::left(b)))
}

fn count_tenant(req: &HttpRequest) {
    let extensions = req.extensions();
    let Some(app) = req.app_data::<Data<App>>() else { return };
    // What is read without a token belongs to no tenant.
    if let Some(known) = extensions.get::<Known>().filter(|known| !known.ctx.tenant.name.is_empty()) {
        app.metrics.tenants.count(known.ctx.tenant_id(), &known.ctx.tenant.name);
    }
}

/// What the log says of a request.
struct Line {
    method: String,
    /// Without what opens an account: a link's token or an access code.
    path: String,
    /// For a claim page.
    page: Option<Scene>,
    id: String,
    /// Whether it came over TLS.
    secure: bool,
    started: Instant,
}

impl Line {
    /// Adds the headers of every answer.
    fn mark(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.id) {
            headers.insert(REQUEST_ID, value);
        }
        if self.secure {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, STAY_ON_TLS);
        }
    }

    fn write(&self, res: &ServiceResponse<BoxBody>) {
        let extensions = res.request().extensions();
        let (tenant, token) = match (extensions.get::<Known>(), extensions.get::<Holder>()) {
            (Some(known), _) => (known.ctx.tenant.name.as_str(), &*known.ctx.token_id),
            (None, Some(holder)) => (holder.tenant.as_ref().map_or("-", |t| t.name.as_str()), holder.key.id.as_str()),
            (None, None) => ("-", "-"),
        };
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

    fn explain(&self, status: StatusCode, why: &ActixError) {
        // Who is paused was paused by somebody.
        let wanted = matches!(why.as_error::<Error>(), Some(Error::Paused(_)));
        if status.is_server_error() && !wanted {
            log::error!("request={} {why}", self.id);
        } else {
            // What was sent may stand in it.
            log::debug!("request={} {}", self.id, masking::sentence(&why.to_string()));
        }
    }

    fn failed(&self, e: &ActixError) -> ActixError {
        let status = e.as_response_error().status_code();
        self.explain(status, e);
        self.line("-", "-", status);
        let mut response = match (&self.page, e.as_error::<Failure>(), e.as_error::<Error>()) {
            (Some(scene), ..) => guard::failure(status, scene),
            (None, Some(failure), _) => actix_web::ResponseError::error_response(failure),
            (None, None, Some(own)) if !self.path.starts_with("/admin/") => actix_web::ResponseError::error_response(own),
            _ if self.path.starts_with("/admin/") => {
                let body = problem::body(status, "internal", &error::detail(&Error::Internal(String::new())));
                HttpResponse::build(status).insert_header((header::CONTENT_TYPE, problem::MEDIA_TYPE)).body(body)
            }
            _ => {
                let body = error::body(status, None, &e.to_string());
                HttpResponse::build(status).insert_header((header::CONTENT_TYPE, SCIM_JSON)).body(body)
            }
        };
        self.mark(response.headers_mut());
        actix_web::error::InternalError::from_response("", response).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer to a request whose handler panicked: status, some headers, body.
    fn failed(page: Option<Scene>, secure: bool) -> (u16, [String; 4], String) {
        let (method, path, id) = ("GET".to_owned(), "/claim/…".to_owned(), "REQUEST".to_owned());
        let line = Line { method, path, page, id, secure, started: Instant::now() };
        let response = line.failed(&Error::Internal("a handler panicked".to_owned()).into()).error_response();
        let header = |name: &str| response.headers().get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
        let headers = ["content-type", "x-request-id", "cache-control", "strict-transport-security"].map(header);
        let status = response.status().as_u16();
        let body = response.into_body().try_into_bytes().unwrap_or_default();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_panic_is_answered_in_kind() {
        let (status, headers, body) = failed(None, false);
        assert_eq!((status, headers), (500, [SCIM_JSON, "REQUEST", "", ""].map(str::to_owned)));
        assert!(body.starts_with('{'), "{body}");
        let scene = Scene { request_id: "REQUEST".to_owned(), ..Scene::default() };
        let (status, headers, body) = failed(Some(scene), true);
        assert_eq!((status, headers), (500, [guard::HTML, "REQUEST", "no-store", "max-age=31536000"].map(str::to_owned)));
        assert!(body.starts_with("<!DOCTYPE html>") && body.contains("REQUEST") && !body.contains("panicked"), "{body}");
    }
}
