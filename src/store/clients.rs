//! OAuth clients, and which of their signed assertions were used.

use super::backend::Conn;
use super::error::Error;
use super::sql::Sql;
use crate::domain::{ClientAuth, OauthClient, Scopes, TenantId};
use diesel::sql_types::{BigInt, Nullable, Text};

type Types = (
    Text,
    BigInt,
    Text,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Text,
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Nullable<BigInt>,
);
type Tuple = (
    String,
    i64,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
);

const SELECT: &str = "SELECT id, tenant_id, source, name, secret_hash, key_set, key_set_url, certificate, scopes, token_seconds, \
                      created_at, last_used_at, revoked_at FROM oauth_clients WHERE ";

fn client(t: Tuple) -> Result<OauthClient, Error> {
    let (id, tenant, source, name, secret, key_set, url, certificate, scopes, token_seconds, created_at, last_used_at, revoked_at) = t;
    let auth = match (secret, key_set, url, certificate) {
        (Some(hash), ..) => ClientAuth::Secret(hash),
        (_, Some(set), ..) => ClientAuth::KeySet(set),
        (_, _, Some(url), _) => ClientAuth::KeySetUrl(url),
        (_, _, _, Some(thumbprint)) => ClientAuth::Certificate(thumbprint),
        _ => return Err(Error::Db(format!("the client {id} has nothing to prove itself with"))),
    };
    Ok(OauthClient {
        id,
        tenant: TenantId(tenant),
        source,
        name,
        auth,
        scopes: Scopes::parse(&scopes).map_err(Error::Db)?,
        token_seconds,
        created_at,
        last_used_at,
        revoked_at,
    })
}

/// Adds a client.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, c: &OauthClient) -> Result<(), Error> {
    let (secret, key_set, url, certificate) = match &c.auth {
        ClientAuth::Secret(hash) => (Some(hash.as_str()), None, None, None),
        ClientAuth::KeySet(set) => (None, Some(set.as_str()), None, None),
        ClientAuth::KeySetUrl(url) => (None, None, Some(url.as_str()), None),
        ClientAuth::Certificate(thumbprint) => (None, None, None, Some(thumbprint.as_str())),
    };
    Sql::new(
        "INSERT INTO oauth_clients (id, tenant_id, source, name, secret_hash, key_set, key_set_url, certificate, scopes, token_seconds, \
         created_at) VALUES (",
    )
    .text(c.id.as_str())
    .sql(", ")
    .big(c.tenant.0)
    .sql(", ")
    .text(c.source.as_str())
    .sql(", ")
    .text(c.name.as_str())
    .sql(", ")
    .maybe_text(secret)
    .sql(", ")
    .maybe_text(key_set)
    .sql(", ")
    .maybe_text(url)
    .sql(", ")
    .maybe_text(certificate)
    .sql(", ")
    .text(c.scopes.to_string())
    .sql(", ")
    .big(c.token_seconds)
    .sql(", ")
    .big(c.created_at)
    .sql(")")
    .run(conn)?;
    Ok(())
}

/// The client of that id, whosever it is: this is how its tenant is found.
///
/// # Errors
/// When the database fails.
pub fn find_by_id(conn: &mut Conn, id: &str) -> Result<Option<OauthClient>, Error> {
    let rows: Vec<Tuple> = Sql::new(SELECT).sql("id = ").text(id).load::<Types, _>(conn)?;
    rows.into_iter().next().map(client).transpose()
}

/// One of a tenant's clients.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<OauthClient>, Error> {
    Ok(find_by_id(conn, id)?.filter(|c| c.tenant == tenant))
}

/// A tenant's clients in the order of their ids, after `after`.
///
/// # Errors
/// When the database fails.
pub fn list(conn: &mut Conn, tenant: TenantId, after: &str, limit: i64) -> Result<Vec<OauthClient>, Error> {
    let rows: Vec<Tuple> = Sql::new(SELECT)
        .sql("tenant_id = ")
        .big(tenant.0)
        .sql(" AND id > ")
        .text(after)
        .sql(" ORDER BY id")
        .limit(limit)
        .load::<Types, _>(conn)?;
    rows.into_iter().map(client).collect()
}

/// How many of a tenant's clients can fetch tokens.
///
/// # Errors
/// When the database fails.
pub fn count_live(conn: &mut Conn, tenant: TenantId) -> Result<i64, Error> {
    Sql::new("SELECT COUNT(*) FROM oauth_clients WHERE revoked_at IS NULL AND tenant_id = ").big(tenant.0).number(conn)
}

/// Revokes a client; whether there was a live one of that id.
///
/// # Errors
/// When the database fails.
pub fn revoke(conn: &mut Conn, tenant: TenantId, id: &str, now: i64) -> Result<bool, Error> {
    let done = revoking(now).sql(" AND tenant_id = ").big(tenant.0).sql(" AND id = ").text(id).run(conn)?;
    Ok(done == 1)
}

/// Revokes every client of a source; how many there were.
///
/// # Errors
/// When the database fails.
pub fn revoke_all(conn: &mut Conn, tenant: TenantId, source: &str, now: i64) -> Result<usize, Error> {
    revoking(now).sql(" AND tenant_id = ").big(tenant.0).sql(" AND source = ").text(source).run(conn)
}

fn revoking(now: i64) -> Sql<'static> {
    Sql::new("UPDATE oauth_clients SET revoked_at = ").big(now).sql(" WHERE revoked_at IS NULL")
}

/// Records when a token of a client was last used.
///
/// # Errors
/// When the database fails.
pub fn used(conn: &mut Conn, tenant: TenantId, id: &str, at: i64) -> Result<(), Error> {
    Sql::new("UPDATE oauth_clients SET last_used_at = ")
        .big(at)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND id = ")
        .text(id)
        .run(conn)?;
    Ok(())
}

/// Records that an assertion of a client was used; false when it was used before.
///
/// # Errors
/// When the database fails.
pub fn use_assertion(conn: &mut Conn, client: &str, jti: &str, expires_at: i64) -> Result<bool, Error> {
    let done = Sql::new("INSERT INTO used_assertions (client_id, jti, expires_at) VALUES (")
        .text(client)
        .sql(", ")
        .text(jti)
        .sql(", ")
        .big(expires_at)
        .sql(") ON CONFLICT DO NOTHING")
        .run(conn)?;
    Ok(done == 1)
}

/// Removes at most `limit` assertions that have expired; how many there were.
///
/// # Errors
/// When the database fails.
pub fn prune_assertions(conn: &mut Conn, before: i64, limit: i64) -> Result<usize, Error> {
    Sql::new("DELETE FROM used_assertions WHERE (client_id, jti) IN (SELECT client_id, jti FROM used_assertions WHERE expires_at < ")
        .big(before)
        .limit(limit)
        .sql(")")
        .run(conn)
}
