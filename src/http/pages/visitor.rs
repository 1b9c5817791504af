//! Who opens a claim page, and what a form sends.

use super::guard;
use super::view::{Answer, Scene};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::body;
use crate::http::client;
use crate::http::edge::RequestId;
use crate::scim;
use crate::service::claims::{LoginStep, Secret, Visit, Welcome};
use crate::service::tokens::random;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;

/// Bytes of a form.
const FORM_BYTES: usize = 8 << 10;

/// A browser that opens a page or sends a form.
pub struct Visitor {
    pub app: Arc<App>,
    pub visit: Visit,
    pub scene: Scene,
    /// A cookie that the browser does not have yet.
    new_cookie: Option<String>,
}

impl FromRequest for Visitor {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::new(req))
    }
}

impl Visitor {
    fn new(req: &HttpRequest) -> Result<Self> {
        let app = app_of(req).ok_or_else(|| Error::Internal("no app".to_owned()))?;
        let scene = scene_of(req);
        let known = guard::cookie(req.headers(), is_secure(&app));
        let cookie = known.clone().unwrap_or_else(|| random(16));
        let visit =
            Visit { address: client::address(req, &app.config.trusted_proxies), request_id: scene.request_id.clone(), now: app.now() };
        let key = guard::form_key(&app.secret, &cookie, form_path(req.path()));
        let new_cookie = known.is_none().then(|| format!("{}={cookie}; {}", guard::cookie_name(is_secure(&app)), attributes(&app, &scene)));
        Ok(Self { app, visit, scene: Scene { key, ..scene }, new_cookie })
    }

    /// Sends a page.
    #[must_use]
    pub fn answer(&self, answer: Answer) -> HttpResponse {
        let mut out = HttpResponse::build(answer.status);
        out.content_type(guard::HTML);
        out.insert_header((header::CONTENT_SECURITY_POLICY, guard::policy(answer.form_target.as_deref())));
        if let Some(cookie) = &self.new_cookie {
            out.insert_header((header::SET_COOKIE, cookie.as_str()));
        }
        if let Some(location) = answer.location {
            out.insert_header((header::LOCATION, location));
        }
        if let Some(seconds) = answer.retry_after {
            out.insert_header((header::RETRY_AFTER, seconds));
        }
        out.body(answer.html)
    }
}

fn app_of(req: &HttpRequest) -> Option<Arc<App>> {
    req.app_data::<Data<App>>().map(|d| d.clone().into_inner())
}

/// What clients see before the paths: the origin, and a path that is mostly empty.
fn public(app: &App) -> (&str, &str) {
    let whole = app.base.strip_suffix("/scim/v2").unwrap_or(&app.base);
    let host = whole.find("://").map_or(0, |at| at + 3);
    let end = whole.get(host..).and_then(|h| h.find('/')).map_or(whole.len(), |at| host + at);
    whole.split_at_checked(end).unwrap_or((whole, ""))
}

fn is_secure(app: &App) -> bool {
    app.base.starts_with("https://")
}

fn attributes(app: &App, scene: &Scene) -> String {
    let secure = if is_secure(app) { "; Secure" } else { "" };
    format!("HttpOnly; SameSite=Strict; Path={}/claim{secure}", scene.prefix)
}

/// The path that the form on a page is sent to. A personal link's form goes where every code goes.
fn form_path(path: &str) -> &str {
    if path.starts_with("/claim/code/") { "/claim" } else { path }
}

/// What a page, of an error even, has to know of a request. It has no form key yet.
pub fn scene_of(req: &HttpRequest) -> Scene {
    let languages = req.headers().get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let request_id = req.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let prefix = app_of(req).map(|app| public(&app).1.to_owned()).unwrap_or_default();
    Scene { languages: languages.to_owned(), prefix, request_id, ..Scene::default() }
}

/// What a form sends, from a page of ours.
#[derive(Default)]
pub struct Form {
    pub code: String,
    password: Option<String>,
    password_again: Option<String>,
    /// Whether it is the form that claims, not the one that asks for a code.
    pub claims: bool,
    key: String,
}

impl FromRequest for Form {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app_of(&req).ok_or_else(|| Error::Internal("no app".to_owned()))?;
            if guard::is_foreign(req.headers(), public(&app).0) {
                return Err(refused(403, "another site sent the form"));
            }
            check_type(req.headers())?;
            body::check_length(&req, FORM_BYTES)?;
            let form = Self::parse(&body::read(payload, FORM_BYTES).await?);
            let cookie = guard::cookie(req.headers(), is_secure(&app)).ok_or_else(|| refused(403, "the form came without a cookie"))?;
            if !guard::key_fits(&app.secret, &cookie, req.path(), &form.key) {
                return Err(refused(403, "the form's key does not fit"));
            }
            Ok(form)
        })
    }
}

impl Form {
    /// Reads the fields that are known; the first of each counts.
    fn parse(bytes: &[u8]) -> Self {
        let field = |name: &str| form_urlencoded::parse(bytes).find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
        let mut form = Self {
            code: field("code").unwrap_or_default().trim().to_owned(),
            password: field("password"),
            password_again: field("password_again"),
            claims: false,
            key: field("form_key").unwrap_or_default(),
        };
        form.claims = field("step").is_some() || form.password.is_some();
        form
    }

    /// The password, when one was typed.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref().filter(|p| !p.is_empty())
    }

    /// The password with its hash, where the page asked for one.
    ///
    /// # Errors
    /// When it cannot be hashed, or too many wait.
    pub async fn secret(&self, app: &App, welcome: &Welcome) -> Result<Option<Secret>> {
        let (Some(text), LoginStep::Password { .. }) = (self.password().map(str::to_owned), welcome.login) else { return Ok(None) };
        app.hash(move || Secret::new(&text).map(Some)).await
    }

    /// Whether the two passwords differ.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.password.as_deref().unwrap_or_default() != self.password_again.as_deref().unwrap_or_default()
    }
}

fn check_type(headers: &HeaderMap) -> Result<()> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") { Ok(()) } else { Err(refused(415, "the body is no form")) }
}

fn refused(status: u16, why: &str) -> Error {
    Error::Scim(scim::Error::status(status, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read() {
        let form = Form::parse(b"code=+abcd-efgh+&code=x&other=y&password=+p+&password_again=+p+&form_key=k");
        assert_eq!((form.code.as_str(), form.password()), ("abcd-efgh", Some(" p ")));
        assert!(form.claims && !form.differs() && form.key == "k");
        let form = Form::parse(b"code=abcd");
        assert!(!form.claims && !form.differs() && form.password().is_none());
        assert!(Form::parse(b"step=claim").claims);
        assert!(Form::parse(b"password=a&password_again=b").differs() && Form::parse(b"password=a").differs());
        assert!(Form::parse(b"password=&password_again=").password().is_none());
        assert!(Form::parse(b"%ff=%00&&==&").code.is_empty());
    }
}
