//! From the Authorization header to a tenant (RFC 6750).

use super::call::Known;
use super::edge::RequestId;
use super::tls;
use super::witness::Witness;
use crate::app::App;
use crate::domain::{Actor, Idp, ScimSource, Scopes, Settings, Tenant, TenantId};
use crate::error::{Error, Result};
use crate::scim::Types;
use crate::scim::dialect::{Client, Dialect, Tuning};
use crate::service::journal::Trace;
use crate::service::{Ctx, auth::Principal, certificates, declared, me, sources};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error as ActixError, HttpMessage};
use base64::Engine;
use std::sync::Arc;
use std::time::Instant;

/// Finds out whose request it is, before anything else is looked at.
pub async fn authenticate(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> std::result::Result<ServiceResponse<impl MessageBody>, ActixError> {
    let known = identify(&req).await?;
    if let Some(known) = known {
        req.extensions_mut().insert(known);
    }
    next.call(req).await
}

async fn identify(req: &ServiceRequest) -> Result<Option<Known>> {
    let app = req.app_data::<Data<App>>().map(|d| d.clone().into_inner()).ok_or_else(|| Error::Internal("no app".to_owned()))?;
    let given = token(req.headers()).inspect_err(|_| app.metrics.not_let_in("malformed"))?;
    let Some(token) = given else {
        if app.config.discovery.anonymous && is_discovery(req.path()) {
            return Ok(Some(anonymous(&app, req)));
        }
        app.metrics.not_let_in("missing");
        return Err(Error::Unauthorized("a token is needed"));
    };
    let principal = app.authenticate(token).await?;
    let ctx = context(&app, req, &principal);
    if let Some(witness) = req.extensions().get::<Witness>() {
        witness.hear(&ctx);
    }
    principal.bound_to(tls::presented_thumbprint(req.request()).as_deref())?;
    check_certificate(req, &principal.source, app.now())?;
    app.rates.admit(&principal, app.now())?;
    principal.admitted()?;
    if let Some(evidence) = &ctx.dialect.evidence {
        app.saw(ctx.tenant_id(), evidence, ctx.now);
    }
    let me = enter(&app, req.path(), &principal).await?;
    Ok(Some(Known { scopes: principal.scopes, ctx, me }))
}

/// Lets a member in whose own token it is, now and not any more after a deactivation; the SCIM id. It opens little.
async fn enter(app: &App, path: &str, principal: &Principal) -> Result<Option<String>> {
    let Some(person) = principal.member.clone() else { return Ok(None) };
    let tenant = principal.tenant.id;
    let id = app.look_up(move |conn| me::enter(conn, tenant, &person)).await?;
    if is_me(path) || is_discovery(path) {
        return Ok(Some(id));
    }
    app.metrics.not_let_in("scope");
    Err(Error::Denied("this token is a member's own: it opens /Me and the discovery documents, and nothing else".to_owned()))
}

fn is_me(path: &str) -> bool {
    path.strip_prefix("/scim").is_some_and(|p| p.strip_prefix("/v2").unwrap_or(p) == "/Me")
}

/// Refuses whoever comes without a certificate that the source demands.
fn check_certificate(req: &ServiceRequest, source: &ScimSource, now: i64) -> Result<()> {
    let Some(ca) = &source.client_ca else { return Ok(()) };
    let chain: Vec<Vec<u8>> = tls::presented(req.request()).map(|p| p.chain.iter().map(|c| c.to_vec()).collect()).unwrap_or_default();
    let demands = |why| Error::Denied(format!("the source \"{}\" demands a client certificate: {why}", source.name));
    if chain.is_empty() { Err(demands("none was presented".to_owned())) } else { certificates::chains_to(ca, &chain, now).map_err(demands) }
}

/// The token of the request: behind `Bearer` or any other scheme word, as the password of `Basic`, or bare.
pub fn token(headers: &HeaderMap) -> Result<Option<String>> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::Scim(crate::scim::Error::status(400, "the Authorization header is given twice")));
    }
    let text = value.to_str().map_err(|_| Error::Unauthorized("the token is not valid"))?.trim();
    let token = match text.split_once(' ') {
        None => text.to_owned(),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("basic") => basic_password(rest.trim())?,
        Some((_, rest)) => rest.trim().to_owned(),
    };
    Ok(Some(token))
}

fn basic_password(encoded: &str) -> Result<String> {
    const BAD: Error = Error::Unauthorized("the token is not valid");
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|_| BAD)?;
    let text = String::from_utf8(bytes).map_err(|_| BAD)?;
    text.split_once(':').map(|(_, password)| password.to_owned()).ok_or(BAD)
}

/// Whether a path leads to one of the discovery documents.
pub fn is_discovery(path: &str) -> bool {
    ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"]
        .iter()
        .any(|d| path.strip_prefix("/scim").is_some_and(|p| p.strip_prefix("/v2").unwrap_or(p).starts_with(d)))
}

/// Discovery belongs to no tenant.
fn anonymous(app: &App, req: &ServiceRequest) -> Known {
    let nobody = Tenant {
        id: TenantId(0),
        name: String::new(),
        idp: Idp::Rfc,
        unique_group_names: false,
        created_at: 0,
        settings: Settings::default(),
        version: 0,
        suspended: None,
        types: 0,
    };
    let nothing = ScimSource::new(nobody.id, "", 0);
    let scopes = Scopes { read: true, write: false, secrets: false };
    let owner = Owner {
        tenant: Arc::new(nobody),
        types: Types::standard(),
        source: Arc::new(nothing),
        tuning: Tuning::default(),
        token_id: Arc::from(""),
        writer: None,
    };
    let ctx = build(app, req, owner);
    Known { ctx, scopes, me: None }
}

fn context(app: &App, req: &ServiceRequest, p: &Principal) -> Ctx {
    let owner = Owner {
        tenant: p.tenant.clone(),
        types: p.types.clone(),
        source: p.source.clone(),
        tuning: p.tuning,
        token_id: p.token_id.clone(),
        writer: p.member.as_ref().map(|_| Actor::Member),
    };
    build(app, req, owner)
}

/// Whose a request is.
struct Owner {
    tenant: Arc<Tenant>,
    types: Arc<Types>,
    source: Arc<ScimSource>,
    tuning: Tuning,
    token_id: Arc<str>,
    /// Who writes, when it is not a source.
    writer: Option<Actor>,
}

fn build(app: &App, req: &ServiceRequest, owner: Owner) -> Ctx {
    let Owner { tenant, types, source, tuning, token_id, writer } = owner;
    let text = |name: &str| req.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let client =
        Client { user_agent: text("user-agent"), adscim_version: req.headers().contains_key("adscimversion"), query: req.query_string() };
    let dialect = Dialect::new(declared(sources::idp(&tenant, &source)), tuning, &client);
    let request_id = req.extensions().get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default();
    let limits = app.limits.of(&tenant.settings).under(dialect.declared);
    let began = req.extensions().get::<Witness>().map_or_else(Instant::now, |w| w.began);
    let trace = Arc::new(Trace::new(began, client.user_agent, client.query));
    Ctx {
        tenant,
        types,
        source,
        token_id,
        writer,
        ledger: None,
        now: app.now(),
        request_id,
        method: method_name(req),
        target: req.path().to_owned(),
        dialect,
        base: app.base.clone(),
        limits,
        vault: app.vault.clone(),
        fired: app.fired.clone(),
        trace,
    }
}

fn method_name(req: &ServiceRequest) -> &'static str {
    match req.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "OTHER",
    }
}
