//! What a handler of the admin API knows of its request, and how it gets its work done.

use super::super::body;
use super::super::edge::RequestId;
use super::gate::Holder;
use super::params::Params;
use super::problem::{Failure, Result};
use crate::app::App;
use crate::domain::{Actor, Scope, Scopes, Tenant};
use crate::error::{self, Error};
use crate::scim::json;
use crate::service::idempotency::{self, Made, Sender};
use crate::service::{Act, Connection, Hand, Place, tenants};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A request by somebody with a key.
#[derive(Clone)]
pub struct Call {
    pub app: Arc<App>,
    holder: Holder,
    request_id: String,
    method: Method,
    path: String,
    query: String,
    /// The version in `If-Match`.
    pub if_match: Option<i64>,
    idempotency_key: Option<String>,
    pub body: Bytes,
}

impl FromRequest for Call {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let call = Self::new(req);
        let payload = payload.take();
        Box::pin(async move {
            let (mut call, most) = call?;
            call.body = body::read(payload, most).await?;
            Ok(call)
        })
    }
}

impl Call {
    fn new(req: &HttpRequest) -> Result<(Self, usize)> {
        // Not every database takes it, and nothing has it in its name.
        if req.path().contains("%00") {
            return Err(Error::missing("path", "there is nothing at a path with U+0000").into());
        }
        let holder = req.extensions().get::<Holder>().cloned().ok_or(Error::Unauthorized("a token is needed"))?;
        let app = req.app_data::<Data<App>>().map(|d| d.clone().into_inner()).ok_or_else(|| Error::Internal("no app".to_owned()))?;
        let scope = if req.method().is_safe() { Scope::Read } else { Scope::Write };
        if !holder.key.scopes.has(scope) {
            return Err(Error::Forbidden(admin_scope(scope)).into());
        }
        body::check_type(req, &["application/json", "application/merge-patch+json", "application/toml"])?;
        body::check_length(req, app.limits.body_bytes)?;
        let request_id = req.extensions().get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default();
        let most = app.limits.body_bytes;
        let call = Self {
            holder,
            request_id,
            method: req.method().clone(),
            path: req.path().to_owned(),
            query: req.query_string().to_owned(),
            if_match: if_match(req.headers()),
            idempotency_key: idempotency_key(req.headers())?,
            body: Bytes::new(),
            app,
        };
        Ok((call, most))
    }

    /// The query parameters, of which there may be these.
    ///
    /// # Errors
    /// 400 that names another one.
    pub fn params(&self, known: &[&str]) -> Result<Params> {
        Params::read(&self.query, known)
    }

    /// The body as JSON. It is refused as in SCIM when a name stands in it twice, which others may read in another way, when it nests
    /// too deeply, and when it has U+0000.
    ///
    /// # Errors
    /// 400 that names the member which makes no sense.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        json::object(&self.body, self.app.limits.json_depth).map_err(Error::Scim)?;
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let read = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
            let place = e.path().to_string();
            let place = if place == "." { "the body".to_owned() } else { place };
            Error::Invalid(format!("{place}: {}", e.inner()))
        });
        let value = read?;
        reader.end().map_err(|e| Error::Invalid(format!("the body: {e}")))?;
        Ok(value)
    }

    /// As [`Self::json`]; no body at all is the default.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T> {
        if self.body.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// Where SCIM documents are, for showing and reading them.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { base: self.app.base.clone(), limits: self.app.limits }
    }

    /// Whether an operator asks.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.holder.tenant.is_none()
    }

    /// Refuses everybody but operators.
    ///
    /// # Errors
    /// 403.
    pub fn operators_only(&self) -> Result<()> {
        if self.is_operator() { Ok(()) } else { Err(Error::Denied("only an operator's key may do that".to_owned()).into()) }
    }

    /// Whether the key may see what opens accounts.
    #[must_use]
    pub fn reads_secrets(&self) -> bool {
        self.scopes().has(Scope::Secrets)
    }

    /// Refuses keys that may not see what opens accounts.
    ///
    /// # Errors
    /// 403.
    pub fn needs_secrets(&self) -> Result<()> {
        if self.reads_secrets() { Ok(()) } else { Err(Error::Forbidden(admin_scope(Scope::Secrets)).into()) }
    }

    /// Refuses to give more away than the key itself allows.
    ///
    /// # Errors
    /// 403.
    pub fn may_give(&self, scopes: Scopes) -> error::Result<()> {
        if self.scopes().covers(scopes) {
            return Ok(());
        }
        Err(Error::Denied(format!("a key with the scopes {} cannot give {} away", self.scopes().admin(), scopes)))
    }

    fn scopes(&self) -> Scopes {
        self.holder.key.scopes
    }

    /// The tenant of the key, or, for an operator, none.
    #[must_use]
    pub fn own(&self) -> Option<&Arc<Tenant>> {
        self.holder.tenant.as_ref()
    }

    /// Acts on the tenant of that name. Somebody else's is not there.
    fn act(&self, conn: &mut Connection, tenant: &str) -> error::Result<Act> {
        let foreign = self.own().is_some_and(|own| own.name != tenant);
        if foreign {
            return Err(Error::missing("tenant", format!("there is no tenant \"{tenant}\"")));
        }
        Ok(self.hand().on(tenants::named(conn, tenant)?, self.app.vault.clone()))
    }

    /// Who asks, when, and by which request.
    #[must_use]
    pub fn hand(&self) -> Hand {
        let actor = Actor::Admin(format!("{} (key {})", self.holder.key.name, self.holder.key.id));
        Hand { actor, now: self.app.now(), request_id: Some(self.request_id.clone()) }
    }

    /// Reads something of a tenant, on one snapshot of the data.
    ///
    /// # Errors
    /// 404 when there is no such tenant, and what `f` returns.
    pub async fn read<T, F>(&self, tenant: &str, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection, &Act) -> error::Result<T> + Send + 'static,
    {
        let (call, tenant) = (self.clone(), tenant.to_owned());
        Ok(self
            .app
            .snapshot(move |conn| {
                let act = call.act(conn, &tenant)?;
                f(conn, &act)
            })
            .await?)
    }

    /// Changes something of a tenant, in one transaction.
    ///
    /// # Errors
    /// 404 when there is no such tenant, and what `f` returns.
    pub async fn write<T, F>(&self, tenant: &str, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Connection, &Act) -> error::Result<T> + Send + 'static,
    {
        let (call, tenant) = (self.clone(), tenant.to_owned());
        Ok(self
            .app
            .write(move |conn| {
                let act = call.act(conn, &tenant)?;
                f(conn, &act)
            })
            .await?)
    }

    /// Makes something of a tenant, once for each idempotency key; the answer.
    ///
    /// # Errors
    /// As [`Self::write`]; 409 when the key came with another request before.
    pub async fn make<F>(&self, tenant: &str, f: F) -> Result<HttpResponse>
    where
        F: Fn(&mut Connection, &Act) -> error::Result<Made> + Send + 'static,
    {
        let (call, tenant) = (self.clone(), tenant.to_owned());
        self.make_once(move |conn| {
            let act = call.act(conn, &tenant)?;
            f(conn, &act)
        })
        .await
    }

    /// As [`Self::make`], for what belongs to no tenant.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub async fn make_once<F>(&self, f: F) -> Result<HttpResponse>
    where
        F: Fn(&mut Connection) -> error::Result<Made> + Send + 'static,
    {
        let (vault, now) = (self.app.vault.clone(), self.app.now());
        let sender = self.idempotency_key.as_ref().map(|key| Sender {
            owner: self.holder.key.id.clone(),
            key: key.clone(),
            request: idempotency::fingerprint(&[self.method.as_str(), &self.path, &self.query], &self.body),
        });
        let (made, replayed) = self.app.write(move |conn| idempotency::once(conn, &vault, sender.as_ref(), now, &f)).await?;
        Ok(answer(made, replayed))
    }
}

fn answer(made: Made, replayed: bool) -> HttpResponse {
    let status = StatusCode::from_u16(made.status).unwrap_or(StatusCode::CREATED);
    let mut out = HttpResponse::build(status);
    if let Some(location) = made.location {
        out.insert_header((header::LOCATION, location));
    }
    if let Some(version) = made.version {
        out.insert_header((header::ETAG, etag(version)));
    }
    if replayed {
        out.insert_header(("idempotency-replayed", "true"));
    }
    out.insert_header((header::CACHE_CONTROL, "no-store"));
    out.json(made.body)
}

/// A JSON answer.
#[must_use]
pub fn ok(body: &Value) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

/// A JSON answer about something that has a version.
#[must_use]
pub fn versioned(body: &Value, version: i64) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::ETAG, etag(version))).json(body)
}

/// It is done, and there is nothing to say.
#[must_use]
pub fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

fn admin_scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "admin:read",
        Scope::Write => "admin:write",
        Scope::Secrets => "admin:secrets",
    }
}

fn if_match(headers: &HeaderMap) -> Option<i64> {
    let value = headers.get(header::IF_MATCH)?;
    match value.to_str().unwrap_or_default().trim() {
        "*" => None,
        // A tag that is no version of ours fits nothing; a proxy that compresses makes ours a weak one.
        text => Some(text.trim_start_matches("W/").trim_matches('"').parse().unwrap_or(-1)),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
    if (8..=255).contains(&text.len()) {
        return Ok(Some(text.to_owned()));
    }
    Err(Error::Invalid("Idempotency-Key: 8 to 255 visible ASCII characters are expected; a UUID is an example".to_owned()).into())
}
