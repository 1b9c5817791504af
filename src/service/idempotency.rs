//! Creations that may be sent twice and happen once: the answer is kept for a day, with the creation, in its transaction.
//!
//! What was made may hold a secret, so the answer is sealed with the idempotency key, of which only a hash is stored.

use super::tokens::hash;
use super::vault::Vault;
use crate::error::{Error, Result};
use crate::store::idempotency::{self, Given};
use crate::store::{self, Conn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What was made, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The HTTP status.
    pub status: u16,
    /// Where it is.
    pub location: Option<String>,
    pub version: Option<i64>,
    pub body: Value,
}

impl Made {
    /// Something new at a place.
    #[must_use]
    pub fn at(location: String, body: Value) -> Self {
        Self { status: 201, location: Some(location), version: None, body }
    }
}

/// Who sends a request that may come twice.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The id of the key of the admin API.
    pub owner: String,
    /// The idempotency key.
    pub key: String,
    /// The fingerprint of the request.
    pub request: String,
}

/// The fingerprint of a request.
#[must_use]
pub fn fingerprint(parts: &[&str], body: &[u8]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.update(body);
    digest.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Makes something, unless the same request was answered before; the answer, and whether it is the one from before.
///
/// # Errors
/// What `f` returns; 409 when the key came with another request.
pub fn once(
    conn: &mut Conn,
    vault: &Vault,
    sender: Option<&Sender>,
    now: i64,
    f: &impl Fn(&mut Conn) -> Result<Made>,
) -> Result<(Made, bool)> {
    let Some(sender) = sender else { return Ok((f(conn)?, false)) };
    let key = hash(&sender.key);
    if let Some(given) = idempotency::find(conn, &sender.owner, &key)? {
        if given.request != sender.request {
            return Err(Error::conflict("idempotency_key_reused", "this Idempotency-Key came with another request before"));
        }
        let text = vault.open_answer(&sender.owner, &sender.key, &given.answer)?;
        let made = serde_json::from_str(&text).map_err(|e| Error::Internal(format!("a kept answer cannot be read: {e}")))?;
        return Ok((made, true));
    }
    let made = f(conn)?;
    let text = serde_json::to_string(&made).unwrap_or_default();
    let given = Given {
        request: sender.request.clone(),
        status: i16::try_from(made.status).unwrap_or(201),
        answer: vault.seal_answer(&sender.owner, &sender.key, &text),
    };
    idempotency::insert(conn, &sender.owner, &key, &given, now).map_err(|e| match e {
        store::Error::Duplicate(_) => Error::Busy("the same request is being answered".to_owned()),
        other => other.into(),
    })?;
    Ok((made, false))
}
