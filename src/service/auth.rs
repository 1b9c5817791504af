//! Who a token belongs to.
//!
//! The answer is cached in memory, under the SHA-256 of the token. A number in the database counts up with every change
//! to tokens and tenants; a thread polls it and empties the cache when it moves, so that a revocation takes effect
//! everywhere within a second. When the database has not been heard of for as long, the cache is not believed.

use super::oauth;
use super::tokens::{self, signature_holds};
use crate::domain::{Credential, ScimSource, Scopes, SourceState, Tenant, TenantId, Token, TokenKind};
use crate::error::{Error, Result};
use crate::scim::Types;
use crate::scim::dialect::Tuning;
use crate::store::{self, Conn, keys, tenants};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// A token that was checked.
#[derive(Debug, Clone)]
pub struct Principal {
    pub tenant: Arc<Tenant>,
    pub types: Arc<Types>,
    pub source: Arc<ScimSource>,
    pub tuning: Tuning,
    /// The id of the token, or of the OAuth client or outside issuer that it is of.
    pub token_id: Arc<str>,
    pub scopes: Scopes,
    /// The certificate that must be presented with the token.
    pub certificate: Option<Arc<str>>,
    /// The permanent id of the member whose own token it is.
    pub member: Option<Arc<str>>,
    credential: Credential,
    expires_at: Option<i64>,
}

/// What a good token opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub credential: Credential,
    pub tenant: TenantId,
    /// The name of the source.
    pub source: String,
    /// The id of the token, or of the OAuth client or outside issuer that it is of.
    pub id: String,
    pub scopes: Scopes,
    pub certificate: Option<String>,
    pub expires_at: Option<i64>,
    /// The permanent id of the member whose own token it is.
    pub member: Option<String>,
}

impl From<Token> for Accepted {
    fn from(t: Token) -> Self {
        Self {
            credential: Credential::Token,
            tenant: t.tenant,
            source: t.source,
            id: t.id,
            scopes: t.scopes,
            certificate: t.certificate,
            expires_at: t.expires_at,
            member: t.member,
        }
    }
}

impl Principal {
    /// Whether the certificate was presented that the token is bound to (RFC 8705 §3), if it is.
    ///
    /// # Errors
    /// 401 when it was another one, or none.
    pub fn bound_to(&self, presented: Option<&str>) -> Result<()> {
        match self.certificate.as_deref() {
            Some(needed) if presented != Some(needed) => {
                Err(Error::Unauthorized("the token is bound to a certificate that was not presented"))
            }
            _ => Ok(()),
        }
    }

    /// Whether requests are served at all.
    ///
    /// # Errors
    /// 403 for a suspended tenant or a detached source, 503 for a paused one.
    pub fn admitted(&self) -> Result<()> {
        admitted(&self.tenant, &self.source)
    }
}

/// Whether requests of a source are served at all.
///
/// # Errors
/// As [`Principal::admitted`].
pub fn admitted(tenant: &Tenant, source: &ScimSource) -> Result<()> {
    if let Some(why) = &tenant.suspended {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        return Err(Error::Denied(format!("this tenant is suspended{why}; nothing was changed")));
    }
    match source.state {
        SourceState::Active => Ok(()),
        SourceState::Paused => Err(Error::Paused(format!("the source \"{}\" is paused; try again later", source.name))),
        SourceState::Detached => Err(Error::Denied(format!("the source \"{}\" is detached: it may not provision any more", source.name))),
    }
}

type Key = [u8; 32];

/// When a token was last used, to be written down at leisure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub credential: Credential,
    pub tenant: TenantId,
    pub token_id: Arc<str>,
    pub at: i64,
}

/// Why a token is not accepted. The client is not told which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such token, or its signature does not hold.
    Unknown,
    Expired,
    Revoked,
}

impl Refusal {
    const ALL: [(Self, &str); 3] = [(Self::Unknown, "unknown"), (Self::Expired, "expired"), (Self::Revoked, "revoked")];
}

/// The cache of checked tokens.
#[derive(Debug)]
pub struct Auth {
    /// What this server calls itself in the tokens of OAuth clients.
    names: oauth::Names,
    known: RwLock<HashMap<Key, Principal>>,
    epoch: AtomicI64,
    /// Milliseconds after `started` until which the cache may be believed.
    believed: AtomicI64,
    started: Instant,
    used: Mutex<HashMap<Arc<str>, Use>>,
    refused: [AtomicU64; Refusal::ALL.len()],
}

/// How long the cache is believed after a look at the database.
const BELIEVED: Duration = Duration::from_millis(900);
/// Most tokens that are remembered.
const MOST: usize = 10_000;

impl Default for Auth {
    fn default() -> Self {
        Self {
            names: oauth::Names::default(),
            known: RwLock::default(),
            epoch: AtomicI64::new(-1),
            believed: AtomicI64::new(0),
            started: Instant::now(),
            used: Mutex::default(),
            refused: Default::default(),
        }
    }
}

impl Auth {
    /// For a server of these names.
    #[must_use]
    pub fn of(names: oauth::Names) -> Self {
        Self { names, ..Self::default() }
    }

    /// What this server calls itself in the tokens of OAuth clients.
    #[must_use]
    pub fn names(&self) -> &oauth::Names {
        &self.names
    }

    /// Looks whether tokens have changed. To be called a few times a second.
    ///
    /// # Errors
    /// When the database fails.
    pub fn refresh(&self, conn: &mut Conn) -> std::result::Result<(), store::Error> {
        let asked = self.elapsed();
        let epoch = tenants::auth_epoch(conn)?;
        if self.epoch.swap(epoch, Ordering::AcqRel) != epoch {
            self.known.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
        let until = asked + i64::try_from(BELIEVED.as_millis()).unwrap_or(0);
        self.believed.store(until, Ordering::Release);
        Ok(())
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// The principal of a token that was checked before.
    #[must_use]
    pub fn cached(&self, token: &str, now: i64) -> Option<Principal> {
        if self.elapsed() > self.believed.load(Ordering::Acquire) {
            return None;
        }
        let key: Key = Sha256::digest(token.as_bytes()).into();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let principal = known.get(&key).filter(|p| p.expires_at.is_none_or(|t| now < t)).cloned();
        drop(known);
        if let Some(p) = &principal {
            self.note_use(p, now);
        }
        principal
    }

    /// Checks a token against the database and remembers it.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] for a token that is not accepted.
    pub fn check(&self, conn: &mut Conn, token: &str, now: i64) -> Result<Principal> {
        self.accept(conn, token, now, |c| lookup(c, &self.names, token, now)?.map_err(|why| self.refuse(why)))
    }

    /// Takes what a token opens, and remembers it.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] when that is not there any more; what `find` returns.
    pub fn accept(&self, conn: &mut Conn, token: &str, now: i64, find: impl FnOnce(&mut Conn) -> Result<Accepted>) -> Result<Principal> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let accepted = find(conn)?;
        let principal = principal(conn, accepted)?;
        self.note_use(&principal, now);
        let key: Key = Sha256::digest(token.as_bytes()).into();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // A revocation between the look-up and here must not be forgotten.
        if self.epoch.load(Ordering::Acquire) == epoch {
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(key, principal.clone());
        }
        Ok(principal)
    }

    fn refuse(&self, why: Refusal) -> Error {
        if let Some(times) = self.refused.get(why as usize) {
            times.fetch_add(1, Ordering::Relaxed);
        }
        Error::Unauthorized("the token is not valid")
    }

    /// How many tokens were not accepted since the start, by reason.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Refusal::ALL.iter().zip(&self.refused).map(|((_, name), times)| (*name, times.load(Ordering::Relaxed)))
    }

    fn note_use(&self, p: &Principal, at: i64) {
        const SECOND: i64 = 1_000_000;
        // A busy token need not fight for the lock on every request.
        let Ok(mut used) = self.used.try_lock() else { return };
        match used.get_mut(&p.token_id) {
            Some(u) if at - u.at < SECOND => {}
            Some(u) => u.at = at,
            None => {
                let fresh = Use { credential: p.credential, tenant: p.tenant.id, token_id: p.token_id.clone(), at };
                used.insert(p.token_id.clone(), fresh);
            }
        }
    }

    /// The uses since the last call.
    #[must_use]
    pub fn take_uses(&self) -> Vec<Use> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, u)| u).collect()
    }
}

const REFUSED: Error = Error::Unauthorized("the token is not valid");

fn lookup(conn: &mut Conn, names: &oauth::Names, token: &str, now: i64) -> Result<std::result::Result<Accepted, Refusal>> {
    let hash = tokens::hash(token);
    let Some(kept) = store::tokens::find_by_hash(conn, &hash)? else {
        return Ok(oauth::accepted(conn, names, token, now)?.ok_or(Refusal::Unknown));
    };
    let same: bool = kept.hash.as_bytes().ct_eq(hash.as_bytes()).into();
    if !same {
        return Ok(Err(Refusal::Unknown));
    }
    if !kept.is_live(now) {
        return Ok(Err(if kept.revoked_at.is_some() { Refusal::Revoked } else { Refusal::Expired }));
    }
    if kept.kind == TokenKind::Jwt && !signature_holds(token, &keys::signing_keys(conn)?, now) {
        return Ok(Err(Refusal::Unknown));
    }
    Ok(Ok(kept.into()))
}

fn principal(conn: &mut Conn, found: Accepted) -> Result<Principal> {
    let tenant = tenants::get(conn, found.tenant)?.ok_or(REFUSED)?;
    let source = store::sources::find(conn, tenant.id, &found.source)?.ok_or(REFUSED)?;
    Ok(Principal {
        types: super::types::of(conn, &tenant)?,
        tenant: Arc::new(tenant),
        tuning: super::sources::tuning(&source),
        source: Arc::new(source),
        token_id: found.id.into(),
        scopes: found.scopes,
        certificate: found.certificate.map(Into::into),
        member: found.member.map(Into::into),
        credential: found.credential,
        expires_at: found.expires_at,
    })
}

/// Whether the database answers.
///
/// # Errors
/// When it does not.
pub fn ping(conn: &mut Conn) -> std::result::Result<(), store::Error> {
    tenants::auth_epoch(conn).map(|_| ())
}
