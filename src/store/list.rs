//! Pages of resources. No filter, sort or page is ever evaluated by loading a tenant.

use super::backend::{Conn, Dialect};
use super::error::Error;
use super::filter;
use super::resources::{self, Kind, Row, Tuple, Types};
use super::sort::{Position, Sort};
use super::sql::Sql;
use crate::domain::TenantId;
use crate::scim::Filter;
use diesel::sql_types::{Nullable, Text};

/// One kind of resource in a query, with the condition on it.
#[derive(Debug, Clone)]
pub struct Part {
    pub kind: Kind,
    pub filter: Option<Filter>,
}

/// What to list.
#[derive(Debug, Clone)]
pub struct Query {
    pub parts: Vec<Part>,
    pub sort: Option<Sort>,
}

/// Which rows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// `skip` rows are left out. `total`, where it is known, lets a page near the end be read from there.
    Offset { skip: i64, limit: i64, total: Option<i64> },
    /// Those after a position, or the first ones.
    After { last: Option<Position>, limit: i64 },
}

impl Query {
    /// Whether every resource of the kinds is meant.
    #[must_use]
    pub fn is_unfiltered(&self) -> bool {
        self.parts.iter().all(|p| p.filter.is_none())
    }

    /// Whether it is answered by a few steps in an index: an equality on one attribute that has one.
    #[must_use]
    pub fn is_look_up(&self) -> bool {
        match self.parts.as_slice() {
            [Part { filter: Some(filter), .. }] if self.sort.is_none() => filter::is_look_up(filter),
            _ => false,
        }
    }

    fn is_selective(&self) -> bool {
        self.parts.iter().all(|p| p.filter.as_ref().is_some_and(filter::is_selective))
    }

    fn condition(&self, tenant: TenantId, dialect: Dialect) -> Sql<'_> {
        let mut out = Sql::new("r.tenant_id = ").big(tenant.0).sql(" AND ");
        if let [only] = self.parts.as_slice() {
            return only_part(out, only, tenant, dialect);
        }
        for (i, part) in self.parts.iter().enumerate() {
            out = only_part(out.sql(if i == 0 { "((" } else { ") OR (" }), part, tenant, dialect);
        }
        out.sql("))")
    }
}

fn only_part<'a>(head: Sql<'a>, part: &'a Part, tenant: TenantId, dialect: Dialect) -> Sql<'a> {
    let head = head.sql("r.kind = ").small(part.kind.code());
    match &part.filter {
        Some(f) => head.sql(" AND ").and(filter::compile(f, tenant, dialect)),
        None => head,
    }
}

/// How many resources match; for a query with a filter.
///
/// # Errors
/// When the database fails.
pub fn count(conn: &mut Conn, tenant: TenantId, query: &Query) -> Result<i64, Error> {
    Sql::new("SELECT count(*) FROM resources r WHERE ").and(query.condition(tenant, conn.dialect())).uncached().number(conn)
}

/// One page, each row with its position.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, query: &Query, window: &Window) -> Result<Vec<(Row, Position)>, Error> {
    let everything = (window, query.parts.as_slice(), &query.sort);
    if let (Window::Offset { skip, limit, total: Some(total) }, [Part { kind, filter: None }], None) = everything {
        let rows = by_rank(conn, tenant, *kind, (*skip, *limit, *total))?;
        return Ok(rows.into_iter().map(|t| placed(t, None)).collect());
    }
    let sql = statement(tenant, query, window, conn.dialect());
    type Keyed = (Types, Nullable<Text>);
    if query.sort.is_none() {
        let rows: Vec<Tuple> = sql.load::<Types, _>(conn)?;
        return Ok(rows.into_iter().map(|t| placed(t, None)).collect());
    }
    let rows: Vec<(Tuple, Option<String>)> = sql.load::<Keyed, _>(conn)?;
    Ok(rows.into_iter().map(|(tuple, key)| placed(tuple, key)).collect())
}

fn placed(tuple: Tuple, key: Option<String>) -> (Row, Position) {
    let row = Row::from(tuple);
    let position = Position { kind: row.kind.code(), id: row.id.clone(), key };
    (row, position)
}

/// The statement of a page that is not found by its rank.
#[must_use]
pub fn statement<'a>(tenant: TenantId, query: &'a Query, window: &'a Window, dialect: Dialect) -> Sql<'a> {
    let mut head = resources::select();
    if let Some(sort) = &query.sort {
        head = head.sql(", ").made(sort.key_text(dialect));
    }
    let head = head.sql(" FROM resources r WHERE ");
    let cacheable = query.is_unfiltered() || query.is_look_up();
    let mut out = head.and(query.condition(tenant, dialect));
    if let Window::After { last: Some(last), .. } = window {
        out = out.sql(" AND ").and(match &query.sort {
            Some(sort) => sort.after(last, dialect),
            None => Sql::new("(r.kind, r.id) > (").small(last.kind).sql(", ").text(last.id.as_str()).sql(")"),
        });
    }
    out = match &query.sort {
        Some(sort) => out.sql(" ORDER BY ").made(sort.order_by(dialect)),
        // Without statistics both planners would walk the tenant in the order of ids rather than use the filter's own index.
        // An expression as the key forbids it.
        None if query.is_selective() => out.sql(match dialect {
            Dialect::Sqlite => " ORDER BY +r.kind, +r.id",
            Dialect::Postgres => " ORDER BY r.kind + 0, r.id || ''",
        }),
        None => out.sql(" ORDER BY r.kind, r.id"),
    };
    let out = match window {
        Window::Offset { skip, limit, .. } => out.limit(*limit).sql(" OFFSET ").big(*skip),
        Window::After { limit, .. } => out.limit(*limit),
    };
    if cacheable && query.sort.is_none() { out } else { out.uncached() }
}

/// A page of everything: its place is found in the index alone, counted from whichever end is nearer, and its rows are then
/// one stretch of ids.
fn by_rank(conn: &mut Conn, tenant: TenantId, kind: Kind, (skip, limit, total): (i64, i64, i64)) -> Result<Vec<Tuple>, Error> {
    let limit = limit.min(total - skip).max(0);
    let from_end = (total - skip - limit).max(0);
    let (order, offset) = if skip <= from_end { (" ORDER BY p.id", skip) } else { (" ORDER BY p.id DESC", from_end) };
    let ids: Vec<String> = Sql::new("SELECT p.id FROM resources p WHERE p.tenant_id = ")
        .big(tenant.0)
        .sql(" AND p.kind = ")
        .small(kind.code())
        .sql(order)
        .limit(limit)
        .sql(" OFFSET ")
        .big(offset)
        .load::<Text, _>(conn)?;
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(Vec::new()) };
    resources::select()
        .sql(" FROM resources r WHERE r.tenant_id = ")
        .big(tenant.0)
        .sql(" AND r.kind = ")
        .small(kind.code())
        .sql(" AND r.id >= ")
        .text(first.as_str())
        .sql(" AND r.id <= ")
        .text(last.as_str())
        .sql(" ORDER BY r.kind, r.id")
        .load::<Types, _>(conn)
}
