//! Outside issuers whose tokens are taken.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use crate::domain::{Scopes, TenantId, TrustedIssuer};
use diesel::sql_types::{BigInt, Nullable, Text};

type Types = (Text, BigInt, Text, Text, Text, Text, Text, Text, BigInt, Nullable<BigInt>);
type Tuple = (String, i64, String, String, String, String, String, String, i64, Option<i64>);

const SELECT: &str =
    "SELECT id, tenant_id, source, issuer, audience, subject, key_set_url, scopes, created_at, last_used_at FROM trusted_issuers WHERE ";

fn issuer(t: Tuple) -> Result<TrustedIssuer, Error> {
    let (id, tenant, source, issuer, audience, subject, key_set_url, scopes, created_at, last_used_at) = t;
    Ok(TrustedIssuer {
        id,
        tenant: TenantId(tenant),
        source,
        issuer,
        audience,
        subject,
        key_set_url,
        scopes: Scopes::parse(&scopes).map_err(Error::Db)?,
        created_at,
        last_used_at,
    })
}

/// Adds an issuer.
///
/// # Errors
/// [`Error::Duplicate`] when its tokens are taken by somebody already.
pub fn insert(conn: &mut Conn, i: &TrustedIssuer) -> Result<(), Error> {
    let head = "INSERT INTO trusted_issuers (id, tenant_id, source, issuer, audience, subject, key_set_url, scopes, created_at) VALUES (";
    Sql::new(head)
        .text(i.id.as_str())
        .sql(", ")
        .big(i.tenant.0)
        .sql(", ")
        .text(i.source.as_str())
        .sql(", ")
        .text(i.issuer.as_str())
        .sql(", ")
        .text(i.audience.as_str())
        .sql(", ")
        .text(i.subject.as_str())
        .sql(", ")
        .text(i.key_set_url.as_str())
        .sql(", ")
        .text(i.scopes.to_string())
        .sql(", ")
        .big(i.created_at)
        .sql(")")
        .run(conn)?;
    Ok(())
}

/// The issuers that take tokens for one of the audiences about one of the subjects, at most two, whosever they are: this is how
/// a tenant is found.
///
/// # Errors
/// When the database fails.
pub fn find_taking(conn: &mut Conn, issuer: &str, audiences: &[&str], subjects: &[String]) -> Result<Vec<TrustedIssuer>, Error> {
    if audiences.is_empty() || subjects.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Tuple> = Sql::new(SELECT)
        .sql("issuer = ")
        .text(issuer)
        .sql(" AND audience IN (")
        .texts(audiences)
        .sql(") AND subject IN (")
        .texts(subjects)
        .sql(") ORDER BY id")
        .limit(2)
        .load::<Types, _>(conn)?;
    rows.into_iter().map(self::issuer).collect()
}

/// One of a tenant's issuers.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<TrustedIssuer>, Error> {
    let rows: Vec<Tuple> = Sql::new(SELECT).sql("tenant_id = ").big(tenant.0).sql(" AND id = ").text(id).load::<Types, _>(conn)?;
    rows.into_iter().next().map(issuer).transpose()
}

/// A tenant's issuers in the order of their ids, after `after`.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: TenantId, after: &str, limit: i64) -> Result<Vec<TrustedIssuer>, Error> {
    let rows: Vec<Tuple> = Sql::new(SELECT)
        .sql("tenant_id = ")
        .big(tenant.0)
        .sql(" AND id > ")
        .text(after)
        .sql(" ORDER BY id")
        .limit(limit)
        .load::<Types, _>(conn)?;
    rows.into_iter().map(issuer).collect()
}

/// How many issuers a tenant trusts.
///
/// # Errors
/// When the database fails.
pub fn count(conn: &mut Conn, tenant: TenantId) -> Result<i64, Error> {
    Sql::new("SELECT COUNT(*) FROM trusted_issuers WHERE tenant_id = ").big(tenant.0).number(conn)
}

/// Removes an issuer; whether there was one of that id.
///
/// # Errors
/// When the database fails.
pub fn delete(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<bool, Error> {
    let done = Sql::new("DELETE FROM trusted_issuers WHERE tenant_id = ").big(tenant.0).sql(" AND id = ").text(id).run(conn)?;
    Ok(done == 1)
}

/// Removes every issuer of a source; how many there were.
///
/// # Errors
/// When the database fails.
pub fn delete_all(conn: &mut Conn, tenant: TenantId, source: &str) -> Result<usize, Error> {
    Sql::new("DELETE FROM trusted_issuers WHERE tenant_id = ").big(tenant.0).sql(" AND source = ").text(source).run(conn)
}

/// Records when a token of an issuer was last used.
///
/// # Errors
/// When the database fails.
pub fn used(conn: &mut Conn, tenant: TenantId, id: &str, at: i64) -> Result<(), Error> {
    let update = Sql::new("UPDATE trusted_issuers SET last_used_at = ").big(at);
    update.sql(" WHERE tenant_id = ").big(tenant.0).sql(" AND id = ").text(id).run(conn)?;
    Ok(())
}
