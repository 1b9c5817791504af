//! The deployment's own secrets and signing keys, shared by every server on one database. They belong to no tenant.

use super::backend::Conn;
use super::error::Error;
use super::schema::{secrets, signing_keys};
use super::sql::Sql;
use diesel::prelude::*;

/// The secret of that name, which is `fresh` if there was none.
///
/// # Errors
/// When the database fails.
pub fn secret(conn: &mut Conn, name: &str, fresh: &str) -> Result<String, Error> {
    Sql::new("INSERT INTO secrets (name, value) VALUES (").text(name).sql(", ").text(fresh).sql(") ON CONFLICT DO NOTHING").run(conn)?;
    Ok(secrets::table.find(name).select(secrets::value).first(conn)?)
}

/// The secret of that name, if there is one.
///
/// # Errors
/// When the database fails.
pub fn find_secret(conn: &mut Conn, name: &str) -> Result<Option<String>, Error> {
    Ok(secrets::table.find(name).select(secrets::value).first(conn).optional()?)
}

/// A key that signs tokens. Its algorithm is part of it and never taken from a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    pub kid: String,
    pub algorithm: String,
    /// PKCS#8, base64.
    pub private_key: String,
    /// Raw public key, base64url.
    pub public_key: String,
}

type Tuple = (String, String, String, String, i64);

/// All signing keys, oldest first.
///
/// # Errors
/// When the database fails.
pub fn signing_keys(conn: &mut Conn) -> Result<Vec<SigningKey>, Error> {
    let rows: Vec<Tuple> = signing_keys::table.order(signing_keys::created_at).load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(kid, algorithm, private_key, public_key, _)| SigningKey { kid, algorithm, private_key, public_key })
        .collect())
}

/// Adds a signing key.
///
/// # Errors
/// When the database fails.
pub fn add_signing_key(conn: &mut Conn, key: &SigningKey, now: i64) -> Result<(), Error> {
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::kid.eq(&key.kid),
            signing_keys::algorithm.eq(&key.algorithm),
            signing_keys::private_key.eq(&key.private_key),
            signing_keys::public_key.eq(&key.public_key),
            signing_keys::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}
