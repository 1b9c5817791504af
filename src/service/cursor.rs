//! Cursors (RFC 9865): signed, bound to tenant and query, expiring.

use crate::domain::TenantId;
use crate::scim::message::ListRequest;
use crate::scim::{Error, ScimType};
use crate::store::sort::Position;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of the signature that are kept.
const TAG: usize = 16;

#[derive(Serialize, Deserialize)]
struct Payload {
    /// Which query.
    q: String,
    /// Resources of a page.
    c: i64,
    /// The last row.
    k: Option<String>,
    d: i16,
    i: String,
    /// Seconds since the epoch at which it expires.
    x: i64,
}

/// What a cursor belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    pub secret: &'a [u8],
    pub tenant: TenantId,
    /// The endpoint that is listed.
    pub endpoint: &'a str,
}

impl Owner<'_> {
    /// The cursor that goes on after `last`.
    #[must_use]
    pub fn issue(&self, request: &ListRequest, count: i64, last: &Position, expires: i64) -> String {
        let payload = Payload { q: self.query(request), c: count, k: last.key.clone(), d: last.kind, i: last.id.clone(), x: expires };
        let mut bytes = serde_json::to_vec(&payload).unwrap_or_default();
        let tag = self.mac(&bytes).finalize().into_bytes();
        bytes.extend(tag.iter().take(TAG));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Where a cursor goes on, and the page size it was issued for. `count` is the page size that the client asks for now,
    /// within the server's limits.
    ///
    /// # Errors
    /// `invalidCursor` for one that is forged, another tenant's or another query's; `expiredCursor`; `invalidCount` when
    /// the client changes the page size under way.
    pub fn read(&self, request: &ListRequest, cursor: &str, count: Option<i64>, now: i64) -> Result<(Position, i64), Error> {
        let invalid = || Error::bad(ScimType::InvalidCursor, "the cursor is not one that this query has issued");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        let (body, tag) = bytes.len().checked_sub(TAG).and_then(|at| bytes.split_at_checked(at)).ok_or_else(invalid)?;
        self.mac(body).verify_truncated_left(tag).map_err(|_| invalid())?;
        let payload: Payload = serde_json::from_slice(body).map_err(|_| invalid())?;
        if payload.q != self.query(request) {
            return Err(invalid());
        }
        if payload.x <= now {
            return Err(Error::bad(ScimType::ExpiredCursor, "the cursor has expired; start again without one"));
        }
        if count.is_some_and(|c| c != payload.c) {
            return Err(Error::bad(
                ScimType::InvalidCount,
                format!("count was {} when this cursor was issued and cannot change", payload.c),
            ));
        }
        Ok((Position { kind: payload.d, id: payload.i, key: payload.k }, payload.c))
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        // HMAC takes keys of any length.
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.secret).unwrap_or_else(|_| unreachable!("HMAC takes any key"));
        mac.update(&self.tenant.0.to_be_bytes());
        mac.update(body);
        mac
    }

    /// A digest of everything that selects and orders.
    fn query(&self, r: &ListRequest) -> String {
        let text = format!("{}\u{0}{:?}\u{0}{:?}\u{0}{}", self.endpoint, r.filter, r.sort_by, r.descending);
        URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()).iter().take(12).copied().collect::<Vec<u8>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(tenant: i64) -> Owner<'static> {
        Owner { secret: b"secret", tenant: TenantId(tenant), endpoint: "Users" }
    }

    fn last() -> Position {
        Position { kind: 1, id: "x".to_owned(), key: None }
    }

    #[test]
    fn cursors_are_bound_and_expire() {
        let r = ListRequest::default();
        let cursor = owner(1).issue(&r, 10, &last(), 100);
        assert!(cursor.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)));
        assert_eq!(owner(1).read(&r, &cursor, None, 99).unwrap(), (last(), 10));
        let kind = |o: Owner<'_>, r: &ListRequest, c: &str, now| o.read(r, c, r.count, now).unwrap_err().scim_type.unwrap();
        assert_eq!(kind(owner(2), &r, &cursor, 0), ScimType::InvalidCursor);
        assert_eq!(kind(owner(1), &r, &cursor, 100), ScimType::ExpiredCursor);
        assert_eq!(kind(owner(1), &r, &format!("A{cursor}"), 0), ScimType::InvalidCursor);
        assert_eq!(kind(owner(1), &r, "", 0), ScimType::InvalidCursor);
        let other = ListRequest { filter: Some("title pr".to_owned()), ..r.clone() };
        assert_eq!(kind(owner(1), &other, &cursor, 0), ScimType::InvalidCursor);
        let more = ListRequest { count: Some(11), ..r };
        assert_eq!(kind(owner(1), &more, &cursor, 0), ScimType::InvalidCount);
    }
}
