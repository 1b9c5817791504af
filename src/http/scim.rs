//! The handlers of `/scim/v2`. Each extracts, calls one service function, answers.

use super::body::Body;
use super::call::Call;
use super::reply;
use crate::app::App;
use crate::domain::{Idp, Scope};
use crate::error::{Error, Result};
use crate::scim::dialect::interop;
use crate::scim::discovery;
use crate::scim::message::ListRequest;
use crate::scim::schema::{ResourceKind, ResourceType};
use crate::scim::{self, Reading, json};
use crate::service::passwords::{self, Wish};
use crate::service::read::{self, Read};
use crate::service::render::{self, Rendered};
use crate::service::write::{self, Saved};
use crate::service::{list as lists, secrets};
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use std::sync::Arc;

// -- one resource ------------------------------------------------------------

/// `POST /Users`, `POST /Groups` (RFC 7644 §3.3).
pub async fn create(call: Call, kind: ResourceKind, body: Body) -> Result<HttpResponse> {
    let rt = call.ctx.types.of(kind).clone();
    let projection = shown_after_write(&call, &rt)?;
    let mut wanted = write::read_wanted(&call.ctx, &rt, &body.0)?;
    hash(&call, None, &mut wanted.password).await?;
    let (ctx, shown) = (call.ctx.clone(), projection.clone());
    let (saved, group) = call
        .app
        .write(move |conn| {
            let saved = write::create(conn, &ctx, &rt, &wanted)?;
            let group = group_in(conn, &ctx, &saved, &shown)?;
            Ok((saved, group))
        })
        .await?;
    let status = if saved.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(reply::resource(&call, status, finished(&call, &saved, group, &projection)))
}

/// `GET /Users/{id}`, `GET /Groups/{id}` (RFC 7644 §3.4.1).
pub async fn get(call: Call, kind: ResourceKind, id: Path<String>) -> Result<HttpResponse> {
    let rt = call.ctx.types.of(kind).clone();
    let mut reading = call.ctx.reading();
    let projection = call.projection(&rt, &mut reading)?;
    call.ctx.trace.parameters(&reading);
    let (ctx, conditions) = (call.ctx.clone(), call.conditions.clone());
    let (shown, asked) = (projection.clone(), id.clone());
    let work = move |conn: &mut _| read::get(conn, &ctx, &rt, &id, &projection, &conditions);
    let found = match kind {
        ResourceKind::User | ResourceKind::Own(_) => call.app.look_up(work).await?,
        ResourceKind::Group => call.app.snapshot(work).await?,
    };
    let found = match found {
        Read::Found(rendered) if kind == ResourceKind::User => Read::Found(with_secrets(&call, rendered, &shown, &asked).await?),
        other => other,
    };
    Ok(match found {
        Read::Found(rendered) => reply::resource(&call, StatusCode::OK, rendered),
        Read::NotModified { etag, location } => reply::bodyless(StatusCode::NOT_MODIFIED, etag, location),
    })
}

/// Adds the link and the code that open an account, when they are asked for by name with a token that may. It is written into
/// the member's history.
async fn with_secrets(call: &Call, rendered: Rendered, shown: &scim::Projection, id: &str) -> Result<Rendered> {
    let wanted = secrets::wanted(shown);
    if wanted.is_empty() || !call.scopes.has(Scope::Secrets) || call.ctx.idp() == Idp::Ipsie {
        return Ok(rendered);
    }
    let (ctx, origin, id) = (call.ctx.clone(), call.app.origin.clone(), id.to_owned());
    let found = call.app.write(move |conn| secrets::read(conn, &ctx.act(), &origin, &id)).await?;
    Ok(Rendered { json: secrets::add(&rendered.json, &wanted, &found), ..rendered })
}

/// `PUT /Users/{id}`, `PUT /Groups/{id}` (RFC 7644 §3.5.1).
pub async fn replace(call: Call, kind: ResourceKind, id: Path<String>, body: Body) -> Result<HttpResponse> {
    let rt = call.ctx.types.of(kind).clone();
    let id = id.into_inner();
    let mut wanted = match write::read_wanted(&call.ctx, &rt, &body.0) {
        Ok(wanted) => wanted,
        Err(fault) => return before_body(&call, &rt, id, fault).await,
    };
    hash(&call, Some(&id), &mut wanted.password).await?;
    let projection = shown_after_write(&call, &rt)?;
    let (ctx, conditions, shown) = (call.ctx.clone(), call.conditions.clone(), projection.clone());
    let (saved, group) = call
        .app
        .write(move |conn| {
            let saved = write::replace(conn, &ctx, &rt, &id, &wanted, &conditions)?;
            let group = group_in(conn, &ctx, &saved, &shown)?;
            Ok((saved, group))
        })
        .await?;
    Ok(reply::resource(&call, StatusCode::OK, finished(&call, &saved, group, &projection)))
}

/// `PATCH /Users/{id}`, `PATCH /Groups/{id}` (RFC 7644 §3.5.2).
pub async fn patch(call: Call, kind: ResourceKind, id: Path<String>, body: Body) -> Result<HttpResponse> {
    let rt = call.ctx.types.of(kind).clone();
    let id = id.into_inner();
    let mut change = match write::read_change(&call.ctx, &rt, &body.0) {
        Ok(change) => change,
        Err(fault) => return before_body(&call, &rt, id, fault).await,
    };
    hash(&call, Some(&id), &mut change.password).await?;
    let projection = shown_after_write(&call, &rt)?;
    let (ctx, conditions, shown) = (call.ctx.clone(), call.conditions.clone(), projection.clone());
    let (saved, group, brief) = call
        .app
        .write(move |conn| {
            let saved = write::patch(conn, &ctx, &rt, &id, &change, &conditions)?;
            let brief = write::is_brief(&ctx, &saved);
            let group = if brief { None } else { group_in(conn, &ctx, &saved, &shown)? };
            Ok((saved, group, brief))
        })
        .await?;
    if brief {
        let etag = crate::service::etag::of(&saved.row, &saved.extras);
        return Ok(reply::bodyless(StatusCode::NO_CONTENT, etag, render::location(&call.ctx, saved.row.kind, &saved.row.id)));
    }
    Ok(reply::resource(&call, StatusCode::OK, finished(&call, &saved, group, &projection)))
}

/// `DELETE /Users/{id}`, `DELETE /Groups/{id}` (RFC 7644 §3.6).
pub async fn delete(call: Call, kind: ResourceKind, id: Path<String>) -> Result<HttpResponse> {
    let rt = call.ctx.types.of(kind).clone();
    let (ctx, conditions) = (call.ctx.clone(), call.conditions.clone());
    call.app.write(move |conn| write::delete(conn, &ctx, &rt, &id, &conditions)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Hashes the password in a request, which takes a while, before its transaction begins. `id` is of the user who may have one.
async fn hash(call: &Call, id: Option<&str>, password: &mut Wish) -> Result<()> {
    if !password.is_unhashed() {
        return Ok(());
    }
    let kept = match id.map(str::to_owned) {
        None => None,
        Some(id) => {
            let ctx = call.ctx.clone();
            call.app.look_up(move |conn| passwords::kept(conn, &ctx, &id)).await?
        }
    };
    let mut wish = password.clone();
    *password = call.app.hash(move || wish.hash(kept.as_deref()).map(|()| wish)).await?;
    Ok(())
}

/// A group's members are read in the transaction that changed them; a user is rendered outside of it.
fn group_in(
    conn: &mut crate::service::Connection,
    ctx: &crate::service::Ctx,
    saved: &Saved,
    projection: &scim::Projection,
) -> Result<Option<Rendered>> {
    match saved.row.kind {
        crate::service::Kind::Group => render::resource(conn, ctx, &saved.row, &saved.extras, projection).map(Some),
        crate::service::Kind::User | crate::service::Kind::Own(_) => Ok(None),
    }
}

fn finished(call: &Call, saved: &Saved, group: Option<Rendered>, projection: &scim::Projection) -> Rendered {
    group.unwrap_or_else(|| render::with_members(&call.ctx, &saved.row, &saved.extras, projection, ""))
}

/// The answer to a write whose body cannot be read.
async fn before_body(call: &Call, rt: &Arc<ResourceType>, id: String, fault: Error) -> Result<HttpResponse> {
    let (ctx, rt, conditions) = (call.ctx.clone(), rt.clone(), call.conditions.clone());
    match call.app.look_up(move |conn| read::before_body(conn, &ctx, &rt, &id, &conditions, fault)).await? {}
}

/// Which attributes the answer to a write has. What had to be tolerated in the parameters is recorded like all else.
fn shown_after_write(call: &Call, rt: &ResourceType) -> Result<scim::Projection> {
    let mut reading = call.ctx.reading();
    let projection = call.projection(rt, &mut reading)?;
    call.ctx.trace.parameters(&reading);
    call.ctx.trace.leaves_answer(projection.is_default());
    Ok(projection)
}

// -- lists -------------------------------------------------------------------

/// `GET /Users`, `GET /Groups`, `GET /` (RFC 7644 §3.4.2).
pub async fn list(call: Call, kind: Option<ResourceKind>) -> Result<HttpResponse> {
    let request = call.parameters()?;
    let reading = call.ctx.reading();
    answer_list(call, kind, request, reading).await
}

/// `POST /.search` on an endpoint or at the root (RFC 7644 §3.4.3).
pub async fn search(call: Call, kind: Option<ResourceKind>, body: Body) -> Result<HttpResponse> {
    let mut reading = call.ctx.reading();
    let request = ListRequest::from_body(json::object(&body.0, call.ctx.limits.json_depth)?, &mut reading)?;
    answer_list(call, kind, request, reading).await
}

async fn answer_list(call: Call, kind: Option<ResourceKind>, request: ListRequest, reading: Reading) -> Result<HttpResponse> {
    let rt = kind.map(|kind| call.ctx.types.of(kind).clone());
    let listing = lists::plan(&call.ctx, rt.as_deref(), request, reading, &call.app.secret)?;
    call.ctx.trace.parameters(&listing.reading);
    let (ctx, secret) = (call.ctx.clone(), call.app.secret.clone());
    let quick = listing.is_look_up();
    let work = move |conn: &mut _| lists::run(conn, &ctx, rt.as_deref(), &listing, &secret);
    let json = if quick { call.app.look_up(work).await? } else { call.app.snapshot(work).await? };
    Ok(reply::document(&call, json))
}

// -- discovery ---------------------------------------------------------------

/// `GET /ServiceProviderConfig` (RFC 7643 §5).
pub async fn service_provider_config(call: Call) -> Result<HttpResponse> {
    refuse_filter(&call)?;
    discovered(&call, Some(discovery::service_provider_config(&call.ctx.base, call.ctx.announced())), "")
}

/// `GET /ResourceTypes` (RFC 7644 §4).
pub async fn resource_types(call: Call) -> Result<HttpResponse> {
    refuse_filter(&call)?;
    discovered(&call, discovery::resource_types_answer(&call.ctx.types, &call.ctx.base, None), "")
}

/// `GET /ResourceTypes/{name}`.
pub async fn resource_type(call: Call, name: Path<String>) -> Result<HttpResponse> {
    refuse_filter(&call)?;
    discovered(&call, discovery::resource_types_answer(&call.ctx.types, &call.ctx.base, Some(&name)), &name)
}

/// `GET /Schemas`.
pub async fn schemas(call: Call) -> Result<HttpResponse> {
    refuse_filter(&call)?;
    discovered(&call, discovery::schemas_answer(&call.ctx.types, &call.ctx.base, None), "")
}

/// `GET /Schemas/{urn}`.
pub async fn schema(call: Call, urn: Path<String>) -> Result<HttpResponse> {
    refuse_filter(&call)?;
    discovered(&call, discovery::schemas_answer(&call.ctx.types, &call.ctx.base, Some(&urn)), &urn)
}

fn discovered(call: &Call, found: Option<serde_json::Value>, name: &str) -> Result<HttpResponse> {
    let missing = || Error::Scim(scim::Error::status(404, format!("there is no \"{}\" here", scim::error::shown(name))));
    Ok(reply::document(call, interop::discovered(&call.ctx.dialect, found.ok_or_else(missing)?).to_string()))
}

/// RFC 7644 §4: a filter on a discovery endpoint is answered with 403.
fn refuse_filter(call: &Call) -> Result<()> {
    if form_urlencoded::parse(call.query.as_bytes()).any(|(key, _)| key.eq_ignore_ascii_case("filter")) {
        return Err(Error::Scim(scim::Error::status(403, "discovery endpoints cannot be filtered")));
    }
    Ok(())
}

// -- keys -------------------------------------------------------------------

/// `GET /.well-known/jwks.json`: the keys with which an application checks the token of a claim.
pub async fn key_set(app: Data<App>) -> Result<HttpResponse> {
    let keys = app.look_up(|conn| Ok(crate::service::tokens::key_set(conn)?)).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(keys))
}

// -- everything else ---------------------------------------------------------

/// A version that does not exist (RFC 7644 §3.13).
pub async fn other_version(req: HttpRequest) -> Result<HttpResponse> {
    let version = req.match_info().get("version").unwrap_or_default();
    Err(Error::Scim(scim::Error::bad(
        scim::ScimType::InvalidVers,
        format!("version {} is not supported; /scim/v2 is", scim::error::shown(version)),
    )))
}

/// A path that leads nowhere.
pub async fn not_found(req: HttpRequest) -> Result<HttpResponse> {
    Err(Error::Scim(scim::Error::status(404, format!("there is nothing at {}", scim::error::shown(req.path())))))
}

/// A method that a path does not have.
pub fn method_not_allowed(methods: &[Method]) -> HttpResponse {
    let allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
    let detail = format!("this path takes {}", allowed.join(", "));
    HttpResponse::MethodNotAllowed()
        .insert_header((header::ALLOW, allowed.join(", ")))
        .insert_header((header::CONTENT_TYPE, reply::SCIM_JSON))
        .body(super::error::body(StatusCode::METHOD_NOT_ALLOWED, None, &detail))
}
