//! Telling the admins of a tenant that a token is about to expire: with 90, 30 and 7 days left.

use super::letters::{self, Detail, Kind};
use super::timers::Clockwork;
use crate::domain::Token;
use crate::domain::settings::DAY;
use crate::error::Result;
use crate::store::{Conn, tokens};

/// Days before the end of a token with which admins are told, the last one first.
pub const WARNINGS: [i16; 3] = [7, 30, 90];

/// How many days a token has left, when that is something to be told.
#[must_use]
pub fn days_left(token: &Token, now: i64) -> Option<i64> {
    let left = token.expires_at.filter(|_| token.is_live(now))? - now;
    Some(left / DAY).filter(|days| *days < i64::from(WARNINGS.into_iter().max().unwrap_or(0)))
}

impl Clockwork {
    /// Tokens that expire soon, each told once for each number of days. One that never had so many is not told of.
    ///
    /// # Errors
    /// When the database fails.
    pub fn warn_of_tokens(&self, conn: &mut Conn) -> Result<usize> {
        for days in WARNINGS {
            let due = tokens::expiring(conn, self.now, self.now + i64::from(days) * DAY, days)?;
            for token in &due {
                tokens::warned(conn, token.tenant, &token.id, days)?;
                self.warn_of(conn, token, days)?;
            }
            if !due.is_empty() {
                return Ok(due.len());
            }
        }
        Ok(0)
    }

    fn warn_of(&self, conn: &mut Conn, token: &Token, days: i16) -> Result<()> {
        let Some(expires_at) = token.expires_at.filter(|end| end - token.created_at > i64::from(days) * DAY) else { return Ok(()) };
        let Some(act) = self.act(conn, token.tenant, "token expiry")? else { return Ok(()) };
        log::warn!("tenant={} token {} ({}) expires in less than {days} days", act.tenant.name, token.id, token.name);
        let detail = Detail { group: Some(token.name.clone()), old: Some(token.id.clone()), count: expires_at, ..Detail::default() };
        letters::enqueue_for_admins(conn, &act, Kind::TokenExpires, None, Some(&detail))
    }
}
