//! Tokens: what is kept of them, and when they were last used.

use super::backend::Conn;
use super::error::Error;
use super::schema::tokens;
use crate::domain::{Scopes, TenantId, Token, TokenKind};
use diesel::prelude::*;

type Tuple = (String, i64, String, String, String, String, i64, Option<i64>, Option<i64>, Option<i64>);

fn token(t: Tuple) -> Result<Token, Error> {
    let (id, tenant, kind, name, hash, scopes, created_at, expires_at, last_used_at, revoked_at) = t;
    Ok(Token {
        id,
        tenant: TenantId(tenant),
        kind: if kind == "jwt" { TokenKind::Jwt } else { TokenKind::Opaque },
        name,
        hash,
        scopes: Scopes::parse(&scopes).map_err(Error::Db)?,
        created_at,
        expires_at,
        last_used_at,
        revoked_at,
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
