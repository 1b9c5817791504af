//! Lists and searches (RFC 7644 §3.4.2, §3.4.3, RFC 9865).

use super::cursor::Owner;
use super::render::{self, Extras};
use super::{Ctx, kind_of};
use crate::error::{Error, Result};
use crate::scim::dialect::Reading;
use crate::scim::message::ListRequest;
use crate::scim::path::{self, AttrRef, Target};
use crate::scim::schema::{Kind as Type, ResourceType, Returned};
use crate::scim::{self, LIST_URN, Projection, filter, parse};
use crate::store::list::{self, Part, Query, Window};
use crate::store::sort::{Position, Sort};
use crate::store::{Conn, Kind, Row, counts, members};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// A list that was asked for, resolved against the schemas.
#[derive(Debug, Clone)]
pub struct Listing {
    request: ListRequest,
    query: Query,
    projection: Projection,
    page: Page,
    pub reading: Reading,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Page {
    Index { start: i64, count: i64 },
    Cursor { last: Option<Position>, count: i64 },
}

impl Listing {
    /// Whether it reads a few rows by index, so that it may be done on the thread that took the request.
    #[must_use]
    pub fn is_look_up(&self) -> bool {
        let members = self.query.parts.iter().any(|p| p.kind == Kind::Group) && self.projection.shows("members");
        self.query.is_look_up() && !members
    }
}

/// Resolves a request on one resource type, or on all of them at the root.
///
/// # Errors
/// 400 `invalidFilter`, `invalidValue` for a bad `sortBy`, or one of the cursor errors.
pub fn plan(ctx: &Ctx, rt: Option<&ResourceType>, request: ListRequest, mut reading: Reading, secret: &[u8]) -> Result<Listing> {
    let types: Vec<&ResourceType> = rt.map_or_else(|| ctx.types.all().iter().map(AsRef::as_ref).collect(), |t| vec![t]);
    let parts = parts(ctx, &types, request.filter.as_deref(), &mut reading)?;
    let sort = match &request.sort_by {
        Some(by) => Some(Sort { by: sort_by(&types, by, &mut reading)?, mixed: types.len() > 1, descending: request.descending }),
        None => None,
    };
    let projection = Projection::new(&types, &request.attributes, &request.excluded_attributes, &mut reading);
    let page = page(ctx, rt, &request, secret)?;
    Ok(Listing { request, query: Query { parts, sort }, projection, page, reading })
}

fn parts(ctx: &Ctx, types: &[&ResourceType], text: Option<&str>, reading: &mut Reading) -> Result<Vec<Part>> {
    let Some(text) = text else {
        return Ok(types.iter().map(|t| Part { kind: kind_of(t.kind), filter: None }).collect());
    };
    if let [only] = types {
        let filter = filter::resolve(only, text, ctx.limits.filter(), reading)?;
        return Ok(vec![Part { kind: kind_of(only.kind), filter: Some(filter) }]);
    }
    let expr = parse::filter(text, ctx.limits.filter(), reading)?;
    types.iter().map(|t| Ok(Part { kind: kind_of(t.kind), filter: Some(filter::resolve_shared(t, &expr, reading)?) })).collect()
}

fn sort_by(types: &[&ResourceType], by: &str, reading: &mut Reading) -> Result<Vec<(Kind, AttrRef)>> {
    let mut found = Vec::new();
    for rt in types {
        if let Some(Target::Attr(attr)) = path::resolve(rt, by, reading) {
            found.push((kind_of(rt.kind), sortable(attr)?));
        }
    }
    if found.is_empty() {
        return Err(Error::Scim(scim::Error::value(format!("sortBy is \"{}\", which is no attribute here", scim::error::shown(by)))));
    }
    let orders: HashSet<Order> = found.iter().map(|(_, attr): &(Kind, AttrRef)| Order::of(attr.leaf().kind)).collect();
    if orders.len() > 1 {
        return Err(Error::Scim(scim::Error::value(format!("sortBy is \"{by}\", which is of several types here; sort at one endpoint"))));
    }
    Ok(found)
}

/// How values are compared.
#[derive(PartialEq, Eq, Hash)]
enum Order {
    Text,
    Whole,
    Decimal,
}

impl Order {
    fn of(kind: Type) -> Self {
        match kind {
            Type::Boolean | Type::Integer | Type::DateTime => Self::Whole,
            Type::Decimal => Self::Decimal,
            Type::String | Type::Reference | Type::Binary | Type::Complex => Self::Text,
        }
    }
}

fn sortable(attr: AttrRef) -> Result<AttrRef> {
    let attr = match (&attr.sub, attr.attr.multi_valued, attr.attr.sub("value")) {
        (None, true, Some(value)) => attr.with_sub(value),
        _ => attr,
    };
    let derived = ["groups", "members", "schemas"].iter().any(|n| attr.is_core(n));
    let by_place = attr.is_core("meta") && !matches!(attr.sub_name(), "created" | "lastModified");
    if attr.leaf().is_complex() || attr.leaf().returned == Returned::Never || derived || by_place {
        return Err(Error::Scim(scim::Error::value(format!("{attr} cannot be sorted by"))));
    }
    Ok(attr)
}

fn page(ctx: &Ctx, rt: Option<&ResourceType>, request: &ListRequest, secret: &[u8]) -> Result<Page> {
    let asked = request.count.map(|c| c.clamp(0, ctx.limits.page_max));
    let count = asked.unwrap_or(ctx.limits.page_default);
    match request.cursor.as_deref() {
        None => Ok(Page::Index { start: request.start_index.unwrap_or(1).max(1), count }),
        Some("") => Ok(Page::Cursor { last: None, count }),
        Some(cursor) => {
            let (last, count) = owner(ctx, rt, secret).read(request, cursor, asked, ctx.now / 1_000_000)?;
            Ok(Page::Cursor { last: Some(last), count })
        }
    }
}

fn owner<'a>(ctx: &Ctx, rt: Option<&'a ResourceType>, secret: &'a [u8]) -> Owner<'a> {
    Owner { secret, tenant: ctx.tenant_id(), endpoint: rt.map_or("", |t| t.name.as_str()) }
}

/// Runs a list; the JSON of the ListResponse.
///
/// # Errors
/// When the database fails.
pub fn run(conn: &mut Conn, ctx: &Ctx, rt: Option<&ResourceType>, listing: &Listing, secret: &[u8]) -> Result<String> {
    match &listing.page {
        Page::Index { start, count } => by_index(conn, ctx, listing, *start, *count),
        Page::Cursor { last, count } => by_cursor(conn, ctx, rt, listing, last.as_ref(), *count, secret),
    }
}

fn by_index(conn: &mut Conn, ctx: &Ctx, listing: &Listing, start: i64, count: i64) -> Result<String> {
    let tenant = ctx.tenant_id();
    let known = if listing.query.is_unfiltered() { Some(total(conn, ctx, &listing.query)?) } else { None };
    let skip = start - 1;
    let rows = if count == 0 || known.is_some_and(|t| skip >= t) {
        Vec::new()
    } else {
        list::page(conn, tenant, &listing.query, &Window::Offset { skip, limit: count, total: known })?
    };
    let shown = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let total = match known {
        Some(total) => total,
        // A page that is not full ends the list.
        None if count > 0 && shown < count && (shown > 0 || skip == 0) => skip + shown,
        None => list::count(conn, tenant, &listing.query)?,
    };
    let head = format!("\"totalResults\":{total},\"startIndex\":{start},\"itemsPerPage\":{shown}");
    answer(conn, ctx, &rows, &listing.projection, &head)
}

fn by_cursor(
    conn: &mut Conn,
    ctx: &Ctx,
    rt: Option<&ResourceType>,
    listing: &Listing,
    last: Option<&Position>,
    count: i64,
    secret: &[u8],
) -> Result<String> {
    let tenant = ctx.tenant_id();
    let total = total(conn, ctx, &listing.query)?;
    // One row more than asked for tells whether there is a next page.
    let mut rows = match count {
        0 => Vec::new(),
        _ => list::page(conn, tenant, &listing.query, &Window::After { last: last.cloned(), limit: count + 1 })?,
    };
    let more = rows.len() > usize::try_from(count).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    let mut head = format!("\"totalResults\":{total},\"itemsPerPage\":{}", rows.len());
    if let (true, Some((_, position))) = (more, rows.last()) {
        let expires = ctx.now / 1_000_000 + ctx.limits.cursor_seconds;
        let next = owner(ctx, rt, secret).issue(&listing.request, count, position, expires);
        let _ = write!(head, ",\"nextCursor\":{}", json!(next));
    }
    answer(conn, ctx, &rows, &listing.projection, &head)
}

fn total(conn: &mut Conn, ctx: &Ctx, query: &Query) -> Result<i64> {
    if query.is_unfiltered() {
        let kinds: Vec<Kind> = query.parts.iter().map(|p| p.kind).collect();
        return Ok(counts::total(conn, ctx.tenant_id(), &kinds)?);
    }
    Ok(list::count(conn, ctx.tenant_id(), query)?)
}

fn answer(conn: &mut Conn, ctx: &Ctx, rows: &[(Row, Position)], projection: &Projection, head: &str) -> Result<String> {
    let rows: Vec<&Row> = rows.iter().map(|(row, _)| row).collect();
    let extras = render::extras_of_page(conn, ctx, &rows)?;
    let none = Extras::default();
    let mut members = small_groups(conn, ctx, &rows, projection)?;
    let mut out = format!("{{\"schemas\":[\"{LIST_URN}\"],{head},\"Resources\":[");
    for (i, row) in rows.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let extras = extras.get(&row.id).unwrap_or(&none);
        let rendered = match members.remove(&row.id) {
            Some(members) => render::with_members(ctx, row, extras, projection, &members),
            None => render::resource(conn, ctx, row, extras, projection)?,
        };
        out.push_str(&rendered.json);
    }
    out.push_str("]}");
    Ok(out)
}

/// The members of the groups of a page that have few, read with one query; a large group is read by itself.
fn small_groups(conn: &mut Conn, ctx: &Ctx, rows: &[&Row], projection: &Projection) -> Result<HashMap<String, String>> {
    const FEW: i64 = 1000;
    if !projection.shows("members") {
        return Ok(HashMap::new());
    }
    let small: Vec<&str> = rows.iter().filter(|r| r.kind == Kind::Group && r.member_count <= FEW).map(|r| r.id.as_str()).collect();
    let mut out: HashMap<String, String> = small.iter().map(|id| ((*id).to_owned(), String::new())).collect();
    for (group, member) in members::of_groups(conn, ctx.tenant_id(), &small)? {
        render::write_member(out.entry(group).or_default(), ctx, &member);
    }
    Ok(out)
}
