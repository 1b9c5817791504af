//! Who guesses access codes, or secrets of clients, has to wait. The counts are in memory: each server has its own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Microseconds in which failures are counted.
const WINDOW: i64 = 15 * 60 * 1_000_000;
/// Failures after which an address has to wait.
const MOST_OF_ONE: u32 = 10;
/// Failures of all addresses together after which everybody has to wait: somebody guesses from many places.
const MOST_OF_ALL: u32 = 1000;
/// Addresses that are remembered.
const MOST_ADDRESSES: usize = 100_000;

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    since: i64,
    failures: u32,
}

impl Count {
    fn add(&mut self, now: i64) {
        if now - self.since >= WINDOW {
            *self = Self { since: now, failures: 0 };
        }
        self.failures += 1;
    }

    /// Seconds to wait, if there are too many.
    fn wait(&self, most: u32, now: i64) -> Option<u64> {
        let left = self.since + WINDOW - now;
        (self.failures >= most && left > 0).then(|| u64::try_from(left / 1_000_000).unwrap_or(0) + 1)
    }
}

/// The failures of late.
#[derive(Debug)]
pub struct Throttle {
    counts: Mutex<(HashMap<String, Count>, Count)>,
    most_of_all: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { counts: Mutex::default(), most_of_all: MOST_OF_ALL }
    }
}

impl Throttle {
    /// One that lets nobody wait for what others do: for secrets that are too long to be guessed from many places.
    #[must_use]
    pub fn of_each_alone() -> Self {
        Self { most_of_all: u32::MAX, ..Self::default() }
    }

    /// Seconds that an address has to wait, if it has to.
    #[must_use]
    pub fn refuses(&self, address: &str, now: i64) -> Option<u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.0.get(address).and_then(|c| c.wait(MOST_OF_ONE, now));
        own.or_else(|| counts.1.wait(self.most_of_all, now))
    }

    /// Counts a failure.
    pub fn failed(&self, address: &str, now: i64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.0.len() >= MOST_ADDRESSES {
            counts.0.retain(|_, c| now - c.since < WINDOW);
        }
        counts.0.entry(address.to_owned()).or_default().add(now);
        counts.1.add(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_and_a_pause() {
        let throttle = Throttle::default();
        for _ in 0..9 {
            throttle.failed("a", 1);
        }
        assert_eq!(throttle.refuses("a", 1), None);
        throttle.failed("a", 1);
        assert_eq!(throttle.refuses("a", 1), Some(900));
        assert_eq!(throttle.refuses("b", 1), None);
        assert_eq!(throttle.refuses("a", WINDOW + 1), None);
        throttle.failed("a", WINDOW + 1);
        assert_eq!(throttle.refuses("a", WINDOW + 1), None, "the count began anew");
    }
}
