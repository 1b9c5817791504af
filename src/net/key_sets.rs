//! The public keys of others (RFC 7517, JWK sets), fetched and remembered.
//!
//! They are good for ten minutes. A key that is not among them is looked for at once, but at most once a minute, so that nobody
//! makes us ask by inventing keys. When they cannot be fetched, the old ones stay good for a day.

use super::web::Web;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Mutex as Turn;

const SECOND: i64 = 1_000_000;
/// Microseconds that keys are good without asking again.
const FRESH: i64 = 600 * SECOND;
/// Microseconds that they are good while they cannot be fetched.
const STALE: i64 = 86_400 * SECOND;
/// Microseconds between two fetches, and between two when there are no keys at all.
const PAUSE: i64 = 60 * SECOND;
const SHORT_PAUSE: i64 = 5 * SECOND;
/// Most addresses that are remembered.
const MOST: usize = 1000;
/// Most keys of a set.
const MOST_KEYS: usize = 100;

/// Where an address may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Anywhere: an operator has entered it.
    Any,
    /// To what everybody can reach: a tenant's admin has entered it.
    Public,
}

/// The key sets that are remembered.
pub struct KeySets {
    web: Web,
    known: Mutex<HashMap<(String, Reach), Arc<Place>>>,
}

/// What is known of one address.
#[derive(Default)]
struct Place {
    kept: Mutex<Kept>,
    /// Whoever has it fetches; the others wait for the answer.
    turn: Turn<()>,
}

#[derive(Default)]
struct Kept {
    set: Option<Arc<Value>>,
    fetched_at: i64,
    /// When it was last tried, and what was wrong.
    asked_at: Option<i64>,
    fault: String,
}

impl Kept {
    /// The answer, when there is no need to ask or it was asked just now.
    fn settled(&self, kid: Option<&str>, now: i64) -> Option<Result<Arc<Value>, String>> {
        let usable = self.usable(now);
        if let Some(set) = usable.as_ref().filter(|set| now - self.fetched_at < FRESH && has_key(set, kid)) {
            return Some(Ok(set.clone()));
        }
        let pause = if usable.is_some() { PAUSE } else { SHORT_PAUSE };
        let asked = self.asked_at.is_some_and(|at| now - at < pause);
        asked.then(|| usable.ok_or_else(|| self.fault.clone()))
    }

    /// The keys, unless they are too old to be good at all.
    fn usable(&self, now: i64) -> Option<Arc<Value>> {
        self.set.clone().filter(|_| now - self.fetched_at < STALE)
    }

    fn learn(&mut self, url: &str, fetched: Result<Value, String>, now: i64) {
        self.asked_at = Some(now);
        match fetched {
            Ok(set) => {
                self.set = Some(Arc::new(set));
                self.fetched_at = now;
            }
            Err(why) => {
                let old = if self.usable(now).is_some() { "; the old ones stay good for a day" } else { "" };
                log::warn!("the keys at {url} cannot be fetched: {why}{old}");
                self.fault = why;
            }
        }
    }
}

impl Place {
    fn kept<T>(&self, f: impl FnOnce(&mut Kept) -> T) -> T {
        f(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeySets {
    /// For a server that is reached at this origin.
    #[must_use]
    pub fn of(origin: &str) -> Self {
        Self { web: Web::of(origin), known: Mutex::default() }
    }

    /// The keys at an address, as new as needed to find the one of that name.
    ///
    /// # Errors
    /// When they cannot be fetched, with the reason for the log.
    pub async fn get(&self, url: &str, reach: Reach, kid: Option<&str>, now: i64) -> Result<Arc<Value>, String> {
        let place = self.place(url, reach);
        if let Some(answer) = place.kept(|k| k.settled(kid, now)) {
            return answer;
        }
        let _turn = if let Ok(turn) = place.turn.try_lock() {
            turn
        } else {
            // Somebody is asking; what is known may do.
            if let Some(set) = place.kept(|k| k.usable(now)).filter(|set| has_key(set, kid)) {
                return Ok(set);
            }
            place.turn.lock().await
        };
        if let Some(answer) = place.kept(|k| k.settled(kid, now)) {
            return answer;
        }
        let fetched = self.web.json(url, reach).await.and_then(key_set);
        place.kept(|k| {
            k.learn(url, fetched, now);
            k.usable(now).ok_or_else(|| k.fault.clone())
        })
    }

    fn place(&self, url: &str, reach: Reach) -> Arc<Place> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (url.to_owned(), reach);
        if known.len() >= MOST && !known.contains_key(&key) {
            known.clear();
        }
        known.entry(key).or_default().clone()
    }
}

/// Takes an answer for a key set.
fn key_set(answer: Value) -> Result<Value, String> {
    let keys = answer.get("keys").and_then(Value::as_array).ok_or_else(|| "the answer is no JWK set".to_owned())?;
    if keys.len() > MOST_KEYS { Err(format!("the answer has more than {MOST_KEYS} keys")) } else { Ok(answer) }
}

/// Whether a set has the key of that name; without a name, any will do.
fn has_key(set: &Value, kid: Option<&str>) -> bool {
    let Some(kid) = kid else { return true };
    set.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.iter().any(|k| k.get("kid").and_then(Value::as_str) == Some(kid)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(kid: &str) -> Value {
        json!({"keys": [{"kid": kid}]})
    }

    #[test]
    fn keys_are_asked_for_when_needed() {
        let mut kept = Kept::default();
        assert!(kept.settled(Some("a"), 0).is_none());
        kept.learn("x", Ok(set("a")), 0);
        assert!(kept.settled(Some("a"), FRESH - 1).is_some());
        assert!(kept.settled(Some("a"), FRESH).is_none());
        // An unknown one: not again for a minute.
        assert!(kept.settled(Some("b"), PAUSE - 1).unwrap().is_ok());
        assert!(kept.settled(Some("b"), PAUSE).is_none());
    }

    #[test]
    fn old_keys_stay_good_for_a_day() {
        let mut kept = Kept::default();
        kept.learn("x", Err("down".into()), 0);
        assert_eq!(kept.settled(Some("a"), SHORT_PAUSE - 1), Some(Err("down".into())));
        assert!(kept.settled(Some("a"), SHORT_PAUSE).is_none());
        kept.learn("x", Ok(set("a")), 10);
        kept.learn("x", Err("down".into()), FRESH + 10);
        assert!(kept.settled(Some("a"), FRESH + 11).unwrap().is_ok());
        kept.learn("x", Err("down".into()), STALE + 10);
        assert_eq!(kept.settled(Some("a"), STALE + 11), Some(Err("down".into())));
    }

    #[test]
    fn only_a_key_set_is_taken() {
        assert!(key_set(json!({"keys": []})).is_ok());
        for odd in [json!([]), json!({"keys": {}}), json!({}), json!({"keys": vec![json!({}); MOST_KEYS + 1]})] {
            assert!(key_set(odd).is_err());
        }
    }
}
