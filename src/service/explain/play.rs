//! Doing a request that came over no wire: the same use cases as those behind the routes, in one transaction.

use super::super::etag::{Conditions, Tags};
use super::super::read::{self, Read};
use super::super::render::{self, Rendered};
use super::super::write::{self, Saved};
use super::super::{Ctx, etag, list as lists};
use super::{Answer, Request};
use crate::error::{Error, Result};
use crate::scim::dialect::interop;
use crate::scim::discovery;
use crate::scim::message::ListRequest;
use crate::scim::schema::ResourceType;
use crate::scim::{self, Projection, json};
use crate::store::{Conn, Kind};
use serde_json::Value;
use std::sync::Arc;

/// Where a path leads.
enum Place<'a> {
    /// Everything, or all of a type.
    All(Option<Arc<ResourceType>>),
    Search(Option<Arc<ResourceType>>),
    One(Arc<ResourceType>, &'a str),
    Discovery(&'a str, Option<&'a str>),
}

pub(super) fn play(conn: &mut Conn, ctx: &Ctx, request: &Request, secret: &[u8]) -> Result<Answer> {
    let place = place(ctx, &request.path)?;
    check_body(ctx, request)?;
    match (request.method, place) {
        ("GET" | "HEAD", Place::All(rt)) => list(conn, ctx, rt.as_deref(), query(request)?, ctx.reading(), secret),
        ("POST", Place::Search(rt)) => {
            let mut reading = ctx.reading();
            let asked = ListRequest::from_body(json::object(&request.body, ctx.limits.json_depth)?, &mut reading)?;
            list(conn, ctx, rt.as_deref(), asked, reading, secret)
        }
        ("GET" | "HEAD", Place::Discovery(what, name)) => discovered(ctx, what, name),
        ("POST", Place::All(Some(rt))) => create(conn, ctx, &rt, request),
        ("GET" | "HEAD", Place::One(rt, id)) => get(conn, ctx, &rt, id, request),
        ("PUT", Place::One(rt, id)) => replace(conn, ctx, &rt, id, request),
        ("PATCH", Place::One(rt, id)) => patch(conn, ctx, &rt, id, request),
        ("DELETE", Place::One(rt, id)) => {
            write::delete(conn, ctx, &rt, id, &conditions(request))?;
            Ok(Answer { status: 204, etag: None, location: None, body: Value::Null })
        }
        (method, _) => Err(Error::Scim(scim::Error::status(405, format!("this path does not take {method}")))),
    }
}

/// Reads a path: below our base URL, below `/scim/v2` or `/scim`, or relative to it.
fn place<'a>(ctx: &Ctx, path: &'a str) -> Result<Place<'a>> {
    let rest = path.strip_prefix(&*ctx.base).unwrap_or(path);
    let rest = ["/scim/v2", "/scim"].iter().find_map(|head| rest.strip_prefix(head)).unwrap_or(rest);
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let kind = |name: &str| ctx.types.at(name).cloned();
    let found = match parts.as_slice() {
        [] => Some(Place::All(None)),
        [".search"] => Some(Place::Search(None)),
        ["Bulk" | "Me"] => return Err(Error::Invalid(format!("path: a request to /{} cannot be explained", parts.concat()))),
        [what @ ("ServiceProviderConfig" | "ServiceProviderConfigs" | "ResourceTypes" | "Schemas")] => Some(Place::Discovery(what, None)),
        [what @ ("ResourceTypes" | "Schemas"), name] => Some(Place::Discovery(what, Some(name))),
        [name] => kind(name).map(|rt| Place::All(Some(rt))),
        [name, ".search"] => kind(name).map(|rt| Place::Search(Some(rt))),
        [name, id] => kind(name).map(|rt| Place::One(rt, id)),
        _ => None,
    };
    found.ok_or_else(|| Error::Scim(scim::Error::status(404, format!("there is nothing at {}", scim::error::shown(path)))))
}

fn check_body(ctx: &Ctx, request: &Request) -> Result<()> {
    let media = request.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media.is_empty() && !["application/scim+json", "application/json"].iter().any(|m| media.eq_ignore_ascii_case(m)) {
        let detail = format!("the body is \"{}\"; application/scim+json or application/json is expected", scim::error::shown(media));
        return Err(Error::Scim(scim::Error::status(415, detail)));
    }
    let most = ctx.limits.body_bytes;
    if request.body.len() > most {
        let detail = format!("the body is too large; at most {most} bytes are accepted (body_bytes)");
        return Err(Error::Scim(scim::Error::status(413, detail)));
    }
    Ok(())
}

fn query(request: &Request) -> Result<ListRequest> {
    let pairs: Vec<_> = form_urlencoded::parse(request.query.as_bytes()).collect();
    Ok(ListRequest::from_query(pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())))?)
}

fn conditions(request: &Request) -> Conditions {
    Conditions { if_match: request.header("if-match").map(Tags::parse), if_none_match: request.header("if-none-match").map(Tags::parse) }
}

/// Which attributes the answer has; what is tolerated in the parameters is noted.
fn projection(ctx: &Ctx, rt: &ResourceType, request: &Request) -> Result<Projection> {
    let mut reading = ctx.reading();
    let shown = if request.query.is_empty() {
        Projection::Default
    } else {
        let asked = query(request)?;
        Projection::new(&[rt], &asked.attributes, &asked.excluded_attributes, &mut reading)
    };
    ctx.trace.parameters(&reading);
    ctx.trace.leaves_answer(shown.is_default());
    Ok(shown)
}

fn list(
    conn: &mut Conn,
    ctx: &Ctx,
    rt: Option<&ResourceType>,
    asked: ListRequest,
    reading: scim::Reading,
    secret: &[u8],
) -> Result<Answer> {
    let listing = lists::plan(ctx, rt, asked, reading, secret)?;
    ctx.trace.parameters(&listing.reading);
    let json = lists::run(conn, ctx, rt, &listing, secret)?;
    Ok(Answer { status: 200, etag: None, location: None, body: parsed(&json) })
}

fn get(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, request: &Request) -> Result<Answer> {
    let shown = projection(ctx, rt, request)?;
    Ok(match read::get(conn, ctx, rt, id, &shown, &conditions(request))? {
        Read::Found(rendered) => answer(200, rendered),
        Read::NotModified { etag, location } => Answer { status: 304, etag: Some(etag), location: Some(location), body: Value::Null },
    })
}

fn create(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, request: &Request) -> Result<Answer> {
    let shown = projection(ctx, rt, request)?;
    let wanted = write::read_wanted(ctx, rt, &request.body)?;
    let saved = write::create(conn, ctx, rt, &wanted)?;
    let status = if saved.created { 201 } else { 200 };
    Ok(answer(status, rendered(conn, ctx, &saved, &shown)?))
}

fn replace(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, request: &Request) -> Result<Answer> {
    let conditions = conditions(request);
    let wanted = match write::read_wanted(ctx, rt, &request.body) {
        Ok(wanted) => wanted,
        Err(fault) => match read::before_body(conn, ctx, rt, id, &conditions, fault)? {},
    };
    let shown = projection(ctx, rt, request)?;
    let saved = write::replace(conn, ctx, rt, id, &wanted, &conditions)?;
    Ok(answer(200, rendered(conn, ctx, &saved, &shown)?))
}

fn patch(conn: &mut Conn, ctx: &Ctx, rt: &ResourceType, id: &str, request: &Request) -> Result<Answer> {
    let conditions = conditions(request);
    let change = match write::read_change(ctx, rt, &request.body) {
        Ok(change) => change,
        Err(fault) => match read::before_body(conn, ctx, rt, id, &conditions, fault)? {},
    };
    let shown = projection(ctx, rt, request)?;
    let saved = write::patch(conn, ctx, rt, id, &change, &conditions)?;
    if write::is_brief(ctx, &saved) {
        let (etag, location) = (etag::of(&saved.row, &saved.extras), render::location(ctx, saved.row.kind, &saved.row.id));
        return Ok(Answer { status: 204, etag: Some(etag), location: Some(location), body: Value::Null });
    }
    Ok(answer(200, rendered(conn, ctx, &saved, &shown)?))
}

fn rendered(conn: &mut Conn, ctx: &Ctx, saved: &Saved, shown: &Projection) -> Result<Rendered> {
    match saved.row.kind {
        Kind::Group => render::resource(conn, ctx, &saved.row, &saved.extras, shown),
        Kind::User | Kind::Own(_) => Ok(render::with_members(ctx, &saved.row, &saved.extras, shown, "")),
    }
}

fn answer(status: u16, r: Rendered) -> Answer {
    Answer { status, etag: Some(r.etag), location: Some(r.location), body: parsed(&r.json) }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

fn discovered(ctx: &Ctx, what: &str, name: Option<&str>) -> Result<Answer> {
    let found = match what {
        "ResourceTypes" => discovery::resource_types_answer(&ctx.types, &ctx.base, name),
        "Schemas" => discovery::schemas_answer(&ctx.types, &ctx.base, name),
        _ => Some(discovery::service_provider_config(&ctx.base, ctx.announced())),
    };
    let missing =
        || Error::Scim(scim::Error::status(404, format!("there is no \"{}\" here", scim::error::shown(name.unwrap_or_default()))));
    let body = interop::discovered(&ctx.dialect, found.ok_or_else(missing)?);
    Ok(Answer { status: 200, etag: None, location: None, body })
}
