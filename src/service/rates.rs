//! How many requests there may be: per second of a token, of a tenant and of a key of the admin API, with room for bursts.
//!
//! The counts are in memory, each server has its own. Those of tokens that have not been used for a while are dropped by [`Rates::tidy`].

use super::auth::Principal;
use crate::domain::TenantId;
use crate::error::{Error, Result};
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The limits of whoever has none of their own. A rate of 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    pub tenant: u32,
    pub token: u32,
    /// Requests that may come at once.
    pub burst: u32,
}

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Sender {
    Tenant(TenantId),
    Token(Arc<str>),
    Admin(Arc<str>),
}

/// What is counted: the index of the counter, and words for people.
const KINDS: [(&str, &str, &str); 3] = [
    ("tenant", "this tenant", "requests_per_second_tenant"),
    ("token", "this token", "requests_per_second_token"),
    ("admin_key", "this key", "limits.requests_per_second_token"),
];

impl Sender {
    fn index(&self) -> usize {
        match self {
            Self::Tenant(_) => 0,
            Self::Token(_) => 1,
            Self::Admin(_) => 2,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

/// The time that the last caller has named.
#[derive(Debug, Clone, Default)]
struct Told(Arc<AtomicI64>);

impl Clock for Told {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0).saturating_mul(1000))
    }
}

type Limiter = RateLimiter<Sender, DashMapStateStore<Sender>, Told, NoOpMiddleware<Nanos>>;

/// A clock that goes back by more, in microseconds, was set.
const SET_BACK: i64 = 1_000_000;

/// The requests of late.
#[derive(Debug)]
pub struct Rates {
    usual: Usual,
    time: Told,
    limiters: RwLock<HashMap<Rate, Arc<Limiter>>>,
    refused: [AtomicU64; KINDS.len()],
    /// When a refusal was logged last.
    logged: AtomicI64,
}

impl Rates {
    /// With these limits for whoever has none of their own.
    #[must_use]
    pub fn new(usual: Usual) -> Self {
        Self { usual, time: Told::default(), limiters: RwLock::default(), refused: Default::default(), logged: AtomicI64::new(0) }
    }

    /// Counts a request with a token.
    ///
    /// # Errors
    /// [`Error::TooMany`] when the token or its tenant has sent too many.
    pub fn admit(&self, principal: &Principal, now: i64) -> Result<()> {
        let (own, usual) = (&principal.tenant.settings, self.usual);
        let burst = own.request_burst.unwrap_or(usual.burst);
        let whose = &principal.tenant.name;
        let token = Sender::Token(principal.token_id.clone());
        self.count(&token, own.requests_per_second_token.unwrap_or(usual.token), burst, whose, now)?;
        let tenant = Sender::Tenant(principal.tenant.id);
        self.count(&tenant, own.requests_per_second_tenant.unwrap_or(usual.tenant), burst, whose, now)
    }

    /// Counts a request with a key of the admin API.
    ///
    /// # Errors
    /// [`Error::TooMany`] when it has sent too many.
    pub fn admit_key(&self, id: &str, now: i64) -> Result<()> {
        self.count(&Sender::Admin(id.into()), self.usual.token, self.usual.burst, id, now)
    }

    fn count(&self, sender: &Sender, per_second: u32, burst: u32, whose: &str, now: i64) -> Result<()> {
        let Some(per_second) = NonZeroU32::new(per_second) else { return Ok(()) };
        let rate = Rate { per_second, burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN) };
        self.tell(now);
        let Err(until) = self.limiter(rate).check_key(sender) else { return Ok(()) };
        let wait = until.wait_time_from(self.time.now());
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
        Err(self.refuse(sender, rate, seconds, whose, now))
    }

    fn refuse(&self, sender: &Sender, rate: Rate, seconds: u64, whose: &str, now: i64) -> Error {
        if let Some(times) = self.refused.get(sender.index()) {
            times.fetch_add(1, Ordering::Relaxed);
        }
        let (_, who, setting) = KINDS.get(sender.index()).copied().unwrap_or_default();
        let Rate { per_second, burst } = rate;
        // A flood must not become one of the log.
        let last = self.logged.load(Ordering::Relaxed);
        if (now - last).abs() >= SET_BACK && self.logged.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            log::warn!(
                "too many requests of {whose}: {setting} is {per_second}, request_burst {burst}; further ones within a second are not logged"
            );
        }
        let detail = format!("too many requests: {who} may send {per_second} per second and {burst} at once ({setting}, request_burst)");
        Error::TooMany { detail, seconds }
    }

    /// Takes over the time. A clock that was set back would keep everybody out until the time comes round again: then all begin anew.
    fn tell(&self, now: i64) {
        let last = self.time.0.swap(now, Ordering::Relaxed);
        if now.saturating_add(SET_BACK) < last {
            self.limiters.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn limiter(&self, rate: Rate) -> Arc<Limiter> {
        let known = self.limiters.read().unwrap_or_else(PoisonError::into_inner).get(&rate).cloned();
        known.unwrap_or_else(|| {
            let fresh = || {
                let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
                Arc::new(RateLimiter::new(quota, DashMapStateStore::default(), self.time.clone()))
            };
            self.limiters.write().unwrap_or_else(PoisonError::into_inner).entry(rate).or_insert_with(fresh).clone()
        })
    }

    /// Forgets those who have not sent anything for so long that it makes no difference. To be called every minute or so.
    pub fn tidy(&self, now: i64) {
        self.tell(now);
        let mut limiters = self.limiters.write().unwrap_or_else(PoisonError::into_inner);
        limiters.retain(|_, limiter| {
            limiter.retain_recent();
            limiter.shrink_to_fit();
            !limiter.is_empty()
        });
    }

    /// How many are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.limiters.read().unwrap_or_else(PoisonError::into_inner).values().map(|limiter| limiter.len()).sum()
    }

    /// How many requests were refused since the start, by what was exceeded.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.iter().zip(&self.refused).map(|((name, ..), times)| (*name, times.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const NOW: i64 = 1_795_348_800 * SECOND;

    fn rates(token: u32, burst: u32) -> Rates {
        Rates::new(Usual { tenant: 0, token, burst })
    }

    /// How many of a hundred requests get through.
    fn through(rates: &Rates, key: &str, now: i64) -> usize {
        (0..100).filter(|_| rates.admit_key(key, now).is_ok()).count()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let rates = rates(10, 50);
        assert_eq!(through(&rates, "a", NOW), 50);
        assert_eq!(through(&rates, "a", NOW), 0);
        assert_eq!(through(&rates, "b", NOW), 50, "each for itself");
        assert_eq!(through(&rates, "a", NOW + SECOND), 10);
        assert_eq!(through(&rates, "a", NOW + 100 * SECOND), 50);
        assert!(rates.refused().any(|(what, times)| what == "admin_key" && times == 50 + 100 + 50 + 90 + 50));
    }

    #[test]
    fn whoever_has_to_wait_is_told_how_long() {
        let rates = rates(1, 3);
        assert_eq!(through(&rates, "a", NOW), 3);
        let Err(Error::TooMany { detail, seconds }) = rates.admit_key("a", NOW + SECOND / 2) else { panic!("let through") };
        assert!(seconds == 1 && detail.contains("requests_per_second_token") && detail.contains("1 per second and 3 at once"), "{detail}");
    }

    #[test]
    fn idle_ones_are_forgotten() {
        let rates = rates(10, 50);
        for n in 0..1000 {
            rates.admit_key(&n.to_string(), NOW).unwrap();
        }
        assert_eq!(rates.remembered(), 1000);
        rates.tidy(NOW);
        assert_eq!(rates.remembered(), 1000);
        rates.admit_key("0", NOW + 20 * SECOND).unwrap();
        rates.tidy(NOW + 20 * SECOND);
        assert_eq!(rates.remembered(), 1);
    }

    #[test]
    fn zero_is_no_limit_and_a_clock_that_is_set_back_locks_nobody_out() {
        assert_eq!(through(&rates(0, 1), "a", NOW), 100);
        let rates = rates(10, 50);
        assert_eq!(through(&rates, "a", NOW), 50);
        assert_eq!(through(&rates, "a", NOW - 3600 * SECOND), 50);
    }
}
