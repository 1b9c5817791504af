//! Tokens: what is kept of them, and when they were last used.

use super::backend::Conn;
use super::error::Error;
use super::schema::tokens;
use crate::domain::{Scopes, TenantId, Token, TokenKind};
use diesel::prelude::*;

type Tuple = (
    String,
    i64,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    String,
    Option<String>,
    Option<String>,
    Option<i16>,
    Option<String>,
);

fn token(t: Tuple) -> Result<Token, Error> {
    let (id, tenant, kind, name, hash, scopes, created_at, expires_at, last_used_at, revoked_at, source, replaces, certificate, _, member) =
        t;
    Ok(Token {
        id,
        tenant: TenantId(tenant),
        source,
        kind: if kind == "jwt" { TokenKind::Jwt } else { TokenKind::Opaque },
        name,
        hash,
        scopes: Scopes::parse(&scopes).map_err(Error::Db)?,
        created_at,
        expires_at,
        last_used_at,
        revoked_at,
        replaces,
        certificate,
        member,
    })
}

/// Adds a token.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, t: &Token) -> Result<(), Error> {
    diesel::insert_into(tokens::table)
        .values((
            tokens::id.eq(&t.id),
            tokens::tenant_id.eq(t.tenant.0),
            tokens::kind.eq(t.kind.as_str()),
            tokens::name.eq(&t.name),
            tokens::hash.eq(&t.hash),
            tokens::scopes.eq(t.scopes.to_string()),
            tokens::created_at.eq(t.created_at),
            tokens::expires_at.eq(t.expires_at),
            tokens::source.eq(&t.source),
            tokens::replaces.eq(&t.replaces),
            tokens::certificate.eq(&t.certificate),
            tokens::member.eq(&t.member),
        ))
        .execute(conn)?;
    Ok(())
}

/// The token with that hash, whatever tenant it belongs to: this is how a tenant is found.
///
/// # Errors
/// When the database fails.
pub fn find_by_hash(conn: &mut Conn, hash: &str) -> Result<Option<Token>, Error> {
    let row: Option<Tuple> = tokens::table.filter(tokens::hash.eq(hash)).first(conn).optional()?;
    row.map(token).transpose()
}

/// A tenant's tokens, oldest first.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Token>, Error> {
    let rows: Vec<Tuple> = tokens::table.filter(tokens::tenant_id.eq(tenant.0)).order((tokens::created_at, tokens::id)).load(conn)?;
    rows.into_iter().map(token).collect()
}

/// One of a tenant's tokens.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<Token>, Error> {
    let row: Option<Tuple> = tokens::table.filter(tokens::tenant_id.eq(tenant.0)).filter(tokens::id.eq(id)).first(conn).optional()?;
    row.map(token).transpose()
}

/// The live token that will follow another.
///
/// # Errors
/// When the database fails.
pub fn successor(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<Token>, Error> {
    let row: Option<Tuple> = tokens::table
        .filter(tokens::tenant_id.eq(tenant.0))
        .filter(tokens::replaces.eq(id))
        .filter(tokens::revoked_at.is_null())
        .first(conn)
        .optional()?;
    row.map(token).transpose()
}

/// Says that a token follows no other any more.
///
/// # Errors
/// When the database fails.
pub fn stands_alone(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<(), Error> {
    let none: Option<&str> = None;
    diesel::update(tokens::table.filter(tokens::tenant_id.eq(tenant.0)).filter(tokens::id.eq(id)))
        .set(tokens::replaces.eq(none))
        .execute(conn)?;
    Ok(())
}

/// Revokes every token of a source; how many there were.
///
/// # Errors
/// When the database fails.
pub fn revoke_all(conn: &mut Conn, tenant: TenantId, source: &str, now: i64) -> Result<usize, Error> {
    let live = tokens::table.filter(tokens::tenant_id.eq(tenant.0)).filter(tokens::source.eq(source)).filter(tokens::revoked_at.is_null());
    Ok(diesel::update(live).set(tokens::revoked_at.eq(now)).execute(conn)?)
}

/// The live tokens of identity providers that expire between two times and of which admins were not told with so few days left, those of all tenants.
///
/// # Errors
/// When the database fails.
pub fn expiring(conn: &mut Conn, from: i64, to: i64, days: i16) -> Result<Vec<Token>, Error> {
    let rows: Vec<Tuple> = tokens::table
        .filter(tokens::expires_at.gt(from))
        .filter(tokens::expires_at.le(to))
        .filter(tokens::revoked_at.is_null())
        .filter(tokens::member.is_null())
        .filter(tokens::warned.is_null().or(tokens::warned.gt(days)))
        .order(tokens::id)
        .limit(100)
        .load(conn)?;
    rows.into_iter().map(token).collect()
}

/// Records that admins were told that so few days are left.
///
/// # Errors
/// When the database fails.
pub fn warned(conn: &mut Conn, tenant: TenantId, id: &str, days: i16) -> Result<(), Error> {
    diesel::update(tokens::table.filter(tokens::tenant_id.eq(tenant.0)).filter(tokens::id.eq(id)))
        .set(tokens::warned.eq(days))
        .execute(conn)?;
    Ok(())
}

/// Revokes every token of a member; how many there were.
///
/// # Errors
/// When the database fails.
pub fn revoke_of(conn: &mut Conn, tenant: TenantId, person: &str, now: i64) -> Result<usize, Error> {
    let live = tokens::table.filter(tokens::tenant_id.eq(tenant.0)).filter(tokens::member.eq(person)).filter(tokens::revoked_at.is_null());
    Ok(diesel::update(live).set(tokens::revoked_at.eq(now)).execute(conn)?)
}

/// Removes every token of a member, whose names may tell who it was.
///
/// # Errors
/// When the database fails.
pub fn clear(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<(), Error> {
    diesel::delete(tokens::table.filter(tokens::tenant_id.eq(tenant.0)).filter(tokens::member.eq(person))).execute(conn)?;
    Ok(())
}

/// Revokes a token; whether there was a live one of that id.
///
/// # Errors
/// When the database fails.
pub fn revoke(conn: &mut Conn, tenant: TenantId, id: &str, now: i64) -> Result<bool, Error> {
    let live = tokens::table.filter(tokens::tenant_id.eq(tenant.0)).filter(tokens::id.eq(id)).filter(tokens::revoked_at.is_null());
    Ok(diesel::update(live).set(tokens::revoked_at.eq(now)).execute(conn)? == 1)
}

/// Records when a token was last used.
///
/// # Errors
/// When the database fails.
pub fn used(conn: &mut Conn, tenant: TenantId, id: &str, at: i64) -> Result<(), Error> {
    diesel::update(tokens::table.filter(tokens::tenant_id.eq(tenant.0)).filter(tokens::id.eq(id)))
        .set(tokens::last_used_at.eq(at))
        .execute(conn)?;
    Ok(())
}
