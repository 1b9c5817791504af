//! Schemas and resource types that tenants have declared, and which resources have values of them.

use super::backend::{Conn, Dialect};
use super::error::Error;
use super::resources::{self, Kind, Row, Tuple, Types};
use super::sql::Sql;
use crate::domain::TenantId;
use crate::scim::traits::Spot;
use diesel::sql_types::{BigInt, SmallInt, Text};

/// Something declared, with its document as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration<K> {
    /// The URN of a schema, the kind of a type.
    pub key: K,
    pub document: String,
    /// Counts up with every change of it.
    pub version: i64,
}

/// The number of the first kind that tenants declare.
pub const FIRST: i16 = 100;

/// The number that counts up with every change of what a tenant has declared. With `hold` no change is made until the end of the
/// transaction.
///
/// # Errors
/// When the database fails.
pub fn version(conn: &mut Conn, tenant: TenantId, hold: bool) -> Result<i64, Error> {
    let sql = Sql::new("SELECT types FROM tenants WHERE id = ").big(tenant.0);
    let hold = hold && conn.dialect() == Dialect::Postgres;
    if hold { sql.sql(" FOR SHARE") } else { sql }.number(conn)
}

/// Keeps others from declaring, and from writing by what is declared, until the end of the transaction.
///
/// # Errors
/// When the database fails.
pub fn lock(conn: &mut Conn, tenant: TenantId) -> Result<(), Error> {
    if conn.dialect() == Dialect::Postgres {
        let sql = Sql::new("SELECT types FROM tenants WHERE id = ").big(tenant.0).sql(" FOR NO KEY UPDATE");
        sql.number(conn)?;
    }
    Ok(())
}

/// Counts that number up, and keeps others from declaring at the same time.
///
/// # Errors
/// When the database fails.
pub fn bump(conn: &mut Conn, tenant: TenantId) -> Result<(), Error> {
    Sql::new("UPDATE tenants SET types = types + 1 WHERE id = ").big(tenant.0).run(conn).map(drop)
}

/// The schemas of a tenant, oldest first.
///
/// # Errors
/// When the database fails.
pub fn schemas(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Declaration<String>>, Error> {
    let sql = Sql::new("SELECT urn, document, version FROM tenant_schemas WHERE tenant_id = ").big(tenant.0);
    let rows: Vec<(String, String, i64)> = sql.sql(" ORDER BY created_at, urn").load::<(Text, Text, BigInt), _>(conn)?;
    Ok(rows.into_iter().map(|(key, document, version)| Declaration { key, document, version }).collect())
}

/// The resource types of a tenant, oldest first.
///
/// # Errors
/// When the database fails.
pub fn types(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Declaration<Kind>>, Error> {
    let sql = Sql::new("SELECT kind, document, version FROM tenant_types WHERE tenant_id = ").big(tenant.0);
    let rows: Vec<(i16, String, i64)> = sql.sql(" ORDER BY created_at, kind").load::<(SmallInt, Text, BigInt), _>(conn)?;
    Ok(rows.into_iter().map(|(kind, document, version)| Declaration { key: Kind::of(kind), document, version }).collect())
}

/// Stores a schema, new or changed.
///
/// # Errors
/// When the database fails.
pub fn save_schema(conn: &mut Conn, tenant: TenantId, urn: &str, document: &str, now: i64) -> Result<(), Error> {
    let head = Sql::new("INSERT INTO tenant_schemas (tenant_id, urn, document, version, created_at, modified_at) VALUES (");
    saved(head.big(tenant.0).sql(", ").text(urn), document, now, " ON CONFLICT (tenant_id, urn)").run(conn).map(drop)
}

/// Stores a resource type, new or changed.
///
/// # Errors
/// When the database fails.
pub fn save_type(conn: &mut Conn, tenant: TenantId, kind: Kind, document: &str, now: i64) -> Result<(), Error> {
    let head = Sql::new("INSERT INTO tenant_types (tenant_id, kind, document, version, created_at, modified_at) VALUES (");
    saved(head.big(tenant.0).sql(", ").small(kind.code()), document, now, " ON CONFLICT (tenant_id, kind)").run(conn).map(drop)
}

fn saved<'a>(head: Sql<'a>, document: &'a str, now: i64, conflict: &'static str) -> Sql<'a> {
    let row = head.sql(", ").text(document).sql(", 1, ").big(now).sql(", ").big(now).sql(")").sql(conflict);
    row.sql(" DO UPDATE SET document = excluded.document, version = ")
        .sql(if conflict.contains("urn") { "tenant_schemas.version + 1" } else { "tenant_types.version + 1" })
        .sql(", modified_at = excluded.modified_at")
}

/// Removes a schema.
///
/// # Errors
/// When the database fails.
pub fn delete_schema(conn: &mut Conn, tenant: TenantId, urn: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM tenant_schemas WHERE tenant_id = ").big(tenant.0).sql(" AND urn = ").text(urn).run(conn).map(drop)
}

/// Removes a resource type.
///
/// # Errors
/// When the database fails.
pub fn delete_type(conn: &mut Conn, tenant: TenantId, kind: Kind) -> Result<(), Error> {
    Sql::new("DELETE FROM tenant_types WHERE tenant_id = ").big(tenant.0).sql(" AND kind = ").small(kind.code()).run(conn).map(drop)
}

/// Removes every resource of a kind that a tenant has declared.
///
/// # Errors
/// When the database fails.
pub fn delete_resources(conn: &mut Conn, tenant: TenantId, kind: Kind) -> Result<(), Error> {
    Sql::new("DELETE FROM resources WHERE tenant_id = ").big(tenant.0).sql(" AND kind = ").small(kind.code()).run(conn).map(drop)
}

/// Where values are looked for.
#[derive(Debug, Clone)]
pub enum Use {
    /// Anything at all.
    Any,
    /// Anything below the URN of an extension.
    Extension(String),
    /// Values of one of these attributes.
    Spots(Vec<Spot>),
}

/// The numbers under which rows of a kind are stored: a user whom no identity provider sees has one of its own.
fn codes(kind: Kind) -> Vec<i16> {
    match kind {
        Kind::User => vec![1, 3],
        Kind::Group | Kind::Own(_) => vec![kind.code()],
    }
}

/// How many resources of a kind have such values.
///
/// # Errors
/// When the database fails.
pub fn count(conn: &mut Conn, tenant: TenantId, kind: Kind, of: &Use) -> Result<i64, Error> {
    let mut sum = 0;
    for code in codes(kind) {
        sum += having(Sql::new("SELECT count(*)"), tenant, code, of, conn.dialect()).uncached().number(conn)?;
    }
    Ok(sum)
}

/// Resources of a kind that have such values, in order, after one of them.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, tenant: TenantId, kind: Kind, of: &Use, after: &str, limit: i64) -> Result<Vec<Row>, Error> {
    let mut found: Vec<Row> = Vec::new();
    for code in codes(kind) {
        let sql = having(resources::select(), tenant, code, of, conn.dialect()).sql(" AND r.id > ").text(after);
        let rows: Vec<Tuple> = sql.sql(" ORDER BY r.id").limit(limit).uncached().load::<Types, _>(conn)?;
        found.extend(rows.into_iter().map(Row::from));
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

fn having<'a>(head: Sql<'a>, tenant: TenantId, code: i16, of: &Use, dialect: Dialect) -> Sql<'a> {
    let sql = head.sql(" FROM resources r WHERE r.tenant_id = ").big(tenant.0).sql(" AND r.kind = ").small(code);
    let conditions: Vec<String> = match of {
        Use::Any => return sql,
        Use::Extension(urn) => vec![there("r.fdoc", &[urn], dialect)],
        Use::Spots(spots) => spots.iter().map(|spot| spot_condition(spot, dialect)).collect(),
    };
    let conditions = if conditions.is_empty() { "1 = 0".to_owned() } else { conditions.join(" OR ") };
    sql.made(format!(" AND ({conditions})"))
}

fn spot_condition(spot: &Spot, dialect: Dialect) -> String {
    let names: Vec<&str> = spot.extension.iter().chain([&spot.attr.name]).map(String::as_str).collect();
    match &spot.sub {
        None => there("r.fdoc", &names, dialect),
        Some(sub) if !spot.attr.multi_valued => {
            let names: Vec<&str> = names.into_iter().chain([sub.name.as_str()]).collect();
            there("r.fdoc", &names, dialect)
        }
        Some(sub) => {
            let test = there("x.value", &[&sub.name], dialect);
            let elements = match dialect {
                Dialect::Sqlite => format!("json_each(r.fdoc, '{}') x", sqlite_path(&names)),
                Dialect::Postgres => format!("jsonb_array_elements({}) x(value)", postgres_path("r.fdoc", &names)),
            };
            format!("EXISTS (SELECT 1 FROM {elements} WHERE {test})")
        }
    }
}

/// Whether there is anything at a path of names. They are those of declared attributes, and hold no quotes.
fn there(base: &str, names: &[&str], dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => format!("json_type({base}, '{}') IS NOT NULL", sqlite_path(names)),
        Dialect::Postgres => format!("{} IS NOT NULL", postgres_path(base, names)),
    }
}

fn sqlite_path(names: &[&str]) -> String {
    let path: String = names.iter().map(|n| format!(".\"{n}\"")).collect();
    format!("${path}")
}

fn postgres_path(base: &str, names: &[&str]) -> String {
    let path: String = names.iter().map(|n| format!(" -> '{n}'")).collect();
    format!("({base}{path})")
}
