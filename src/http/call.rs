//! What a handler knows of its request.

use crate::app::App;
use crate::domain::Scope;
use crate::error::{Error, Result};
use crate::scim::message::ListRequest;
use crate::scim::{Projection, Reading, ResourceType};
use crate::service::Ctx;
use crate::service::etag::{Conditions, Tags};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use std::future::{Ready, ready};
use std::sync::Arc;

/// An authenticated request.
pub struct Call {
    pub app: Arc<App>,
    pub ctx: Ctx,
    pub query: String,
    pub conditions: Conditions,
    pub scopes: crate::domain::Scopes,
    /// The SCIM id of the member whose own token it is.
    pub me: Option<String>,
    /// Whether the client takes `application/json` and not `application/scim+json`.
    pub plain_json: bool,
}

/// What [`super::auth`] has found out; in the request's extensions.
#[derive(Clone)]
pub struct Known {
    pub ctx: Ctx,
    pub scopes: crate::domain::Scopes,
    /// The SCIM id of the member whose own token it is.
    pub me: Option<String>,
}

impl FromRequest for Call {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::new(req))
    }
}

impl Call {
    fn new(req: &HttpRequest) -> Result<Self> {
        let known = req.extensions().get::<Known>().cloned().ok_or(Error::Unauthorized("a token is needed"))?;
        let scope = if writes(req) { Scope::Write } else { Scope::Read };
        let app = req.app_data::<Data<App>>().map(|d| d.clone().into_inner()).ok_or_else(|| Error::Internal("no app".to_owned()))?;
        // What a server can do is no secret of a tenant.
        if !known.scopes.has(scope) && !super::auth::is_discovery(req.path()) {
            app.metrics.not_let_in("scope");
            return Err(Error::Forbidden(scope.as_str()));
        }
        let interop = known.ctx.dialect.declared.is_interop();
        let text = |name| req.headers().get(name).and_then(|v| v.to_str().ok());
        Ok(Self {
            app,
            ctx: known.ctx,
            scopes: known.scopes,
            me: known.me,
            query: req.query_string().to_owned(),
            conditions: Conditions {
                if_match: text(header::IF_MATCH).map(Tags::parse),
                if_none_match: text(header::IF_NONE_MATCH).map(Tags::parse),
            },
            plain_json: !interop && wants_plain_json(req.headers()),
        })
    }

    /// The query parameters.
    ///
    /// # Errors
    /// 400 for a parameter that cannot be read.
    pub fn parameters(&self) -> Result<ListRequest> {
        let pairs: Vec<_> = form_urlencoded::parse(self.query.as_bytes()).collect();
        Ok(ListRequest::from_query(pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())))?)
    }

    /// Which attributes the answer to a request on one resource has.
    ///
    /// # Errors
    /// 400 for a parameter that cannot be read.
    pub fn projection(&self, rt: &ResourceType, reading: &mut Reading) -> Result<Projection> {
        if self.query.is_empty() {
            return Ok(Projection::Default);
        }
        let p = self.parameters()?;
        Ok(Projection::new(&[rt], &p.attributes, &p.excluded_attributes, reading))
    }
}

/// Searching is reading, whatever the method.
fn writes(req: &HttpRequest) -> bool {
    let method = req.method();
    !(method.is_safe() || req.path().ends_with("/.search"))
}

fn wants_plain_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media: Vec<&str> = accept.split(',').map(|m| m.split(';').next().unwrap_or_default().trim()).collect();
    media.iter().any(|m| m.eq_ignore_ascii_case("application/json"))
        && !media.iter().any(|m| ["application/scim+json", "application/*", "*/*"].iter().any(|s| m.eq_ignore_ascii_case(s)))
}
