//! Which members are meant: by how far they have come, and by a SCIM filter. For an admin, who also sees those that no identity
//! provider sees.

use super::backend::{Conn, Dialect};
use super::error::Error;
use super::filter;
use super::resources::{self, Row, Tuple, Types};
use super::sql::Sql;
use crate::domain::TenantId;
use crate::scim::Filter;
use diesel::sql_types::Text;

/// Members by how far they have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    Everybody,
    Uninvited,
    Invited,
    Claimed,
    /// Whether identity providers still see them or not.
    Quarantined,
    /// Whoever is not in quarantine.
    Active,
}

impl Among {
    /// The numbers of the kinds of rows: seen by identity providers, and not seen.
    fn kinds(self) -> &'static [i16] {
        match self {
            Self::Everybody | Self::Quarantined => &[1, 3],
            Self::Uninvited | Self::Invited | Self::Claimed | Self::Active => &[1],
        }
    }

    fn condition(self) -> &'static str {
        match self {
            Self::Everybody => "",
            Self::Uninvited => " AND r.state = 1",
            Self::Invited => " AND r.state = 2",
            Self::Claimed => " AND r.state = 3",
            Self::Quarantined => " AND r.state = 4",
            Self::Active => " AND r.state < 4",
        }
    }
}

/// Which members are meant.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub among: Among,
    pub filter: Option<Filter>,
}

impl Chosen {
    /// Ends a statement with those of one kind of row. One kind at a time, because the order of ids is that of the index only
    /// within a kind.
    fn of_kind<'a>(&'a self, head: Sql<'a>, tenant: TenantId, kind: i16, dialect: Dialect) -> Sql<'a> {
        let sql = head.sql(" FROM resources r WHERE r.tenant_id = ").big(tenant.0).sql(" AND r.kind = ").small(kind);
        let sql = sql.sql(self.among.condition());
        match &self.filter {
            Some(f) => sql.sql(" AND ").and(filter::compile(f, tenant, dialect)).uncached(),
            None => sql,
        }
    }

    fn is_selective(&self) -> bool {
        self.filter.as_ref().is_some_and(filter::is_selective)
    }
}

/// The statement of a page of one kind of row.
#[must_use]
pub fn statement<'a>(tenant: TenantId, chosen: &'a Chosen, kind: i16, after: &'a str, limit: i64, dialect: Dialect) -> Sql<'a> {
    let sql = chosen.of_kind(resources::select(), tenant, kind, dialect).sql(" AND r.id > ").text(after);
    let sql = match dialect {
        _ if !chosen.is_selective() => sql.sql(" ORDER BY r.id"),
        // The filter has an index of its own; an expression as the key keeps planners from walking the ids instead.
        Dialect::Sqlite => sql.sql(" ORDER BY +r.id"),
        Dialect::Postgres => sql.sql(" ORDER BY r.id || ''"),
    };
    sql.limit(limit)
}

/// Members in the order of their ids, after `after`.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, chosen: &Chosen, after: &str, limit: i64) -> Result<Vec<Row>, Error> {
    let mut found: Vec<Row> = Vec::new();
    for kind in chosen.among.kinds() {
        let rows: Vec<Tuple> = statement(tenant, chosen, *kind, after, limit, conn.dialect()).load::<Types, _>(conn)?;
        found.extend(rows.into_iter().map(Row::from));
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// How many members are meant.
///
/// # Errors
/// When the database fails.
pub fn count(conn: &mut Conn, tenant: TenantId, chosen: &Chosen) -> Result<i64, Error> {
    let mut sum = 0;
    for kind in chosen.among.kinds() {
        let sql = chosen.of_kind(Sql::new("SELECT COUNT(*)"), tenant, *kind, conn.dialect());
        sum += sql.number(conn)?;
    }
    Ok(sum)
}

/// Puts the members that are meant on the list of a job; how many there are.
///
/// # Errors
/// When the database fails.
pub fn list_for_job(conn: &mut Conn, tenant: TenantId, job: &str, chosen: &Chosen) -> Result<usize, Error> {
    let mut sum = 0;
    for kind in chosen.among.kinds() {
        let head = Sql::new("INSERT INTO bulk_items (tenant_id, job_id, member_id) SELECT r.tenant_id, ").text(job).sql(", r.id");
        sum += chosen.of_kind(head, tenant, *kind, conn.dialect()).run(conn)?;
    }
    Ok(sum)
}

/// Those of the ids that belong to members.
///
/// # Errors
/// When the database fails.
pub fn known(conn: &mut Conn, tenant: TenantId, ids: &[String]) -> Result<Vec<String>, Error> {
    let mut found = Vec::with_capacity(ids.len());
    for part in ids.chunks(500) {
        let sql = Sql::new("SELECT r.id FROM resources r WHERE r.tenant_id = ").big(tenant.0);
        found.extend(sql.sql(" AND r.kind IN (1, 3) AND r.id IN (").texts(part).sql(")").load::<Text, String>(conn)?);
    }
    Ok(found)
}
