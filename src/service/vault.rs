//! The deployment's keys, and what is sealed with them.
//!
//! Everything is derived from one root: the configured master key, or a random one that the database keeps.

use crate::domain::TenantId;
use crate::store;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

type Key = [u8; 32];

/// The deployment's keys.
#[derive(Clone)]
pub struct Vault {
    links: Key,
    codes: Key,
    code_seal: Key,
    suppression: Key,
    people: Key,
    answers: Key,
    deletion: Key,
    check: Key,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Derives the keys from the root.
    #[must_use]
    pub fn new(root: &[u8]) -> Self {
        let key = |purpose: &str| mac(root, &["rollbook", purpose]);
        Self {
            links: key("invitation links"),
            codes: key("access codes"),
            code_seal: key("access code copies"),
            suppression: key("suppression"),
            people: key("personal keys"),
            answers: key("idempotency keys"),
            deletion: key("deletion"),
            check: key("check"),
        }
    }

    /// What the root is known by, without saying what it is.
    #[must_use]
    pub fn check(&self) -> String {
        hex(&self.check)
    }

    /// The link's token of one generation: always the same, so that a reminder can carry it without a copy of it anywhere.
    #[must_use]
    pub fn link(&self, tenant: TenantId, person: &str, generation: i64) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.links, &[&tenant.0.to_string(), person, &generation.to_string()]))
    }

    /// What an access code is found by.
    #[must_use]
    pub fn code_lookup(&self, code: &str) -> String {
        hex(&mac(&self.codes, &[code]))
    }

    /// What somebody who was anonymised is known again by.
    #[must_use]
    pub fn suppression(&self, tenant: TenantId, what: &str, value: &str) -> String {
        hex(&mac(&self.suppression, &[&tenant.0.to_string(), what, value]))
    }

    /// Seals an access code.
    #[must_use]
    pub fn seal_code(&self, tenant: TenantId, id: &str, code: &str) -> String {
        seal(&self.code_seal, &format!("{}|{id}", tenant.0), code)
    }

    /// Opens a sealed access code.
    ///
    /// # Errors
    /// When the key is another or the text was changed.
    pub fn open_code(&self, tenant: TenantId, id: &str, sealed: &str) -> Result<String, store::Error> {
        open(&self.code_seal, &format!("{}|{id}", tenant.0), sealed)
    }

    /// A new personal key, sealed, as it is stored.
    #[must_use]
    pub fn fresh_person_key(&self, tenant: TenantId, person: &str) -> String {
        seal(&self.people, &format!("{}|{person}", tenant.0), &super::tokens::random(32))
    }

    /// Seals something about a person with the person's own key.
    ///
    /// # Errors
    /// When the personal key cannot be opened.
    pub fn seal_personal(&self, tenant: TenantId, person: &str, key: &str, text: &str) -> Result<String, store::Error> {
        Ok(seal(&self.personal(tenant, person, key)?, person, text))
    }

    /// Opens it again.
    ///
    /// # Errors
    /// When a key is another or the text was changed.
    pub fn open_personal(&self, tenant: TenantId, person: &str, key: &str, sealed: &str) -> Result<String, store::Error> {
        open(&self.personal(tenant, person, key)?, person, sealed)
    }

    /// Seals the answer to a request with the idempotency key that came with it, which is not stored.
    #[must_use]
    pub fn seal_answer(&self, owner: &str, key: &str, answer: &str) -> String {
        seal(&mac(&self.answers, &[owner, key]), owner, answer)
    }

    /// Opens it again.
    ///
    /// # Errors
    /// When a key is another or the text was changed.
    pub fn open_answer(&self, owner: &str, key: &str, sealed: &str) -> Result<String, store::Error> {
        open(&mac(&self.answers, &[owner, key]), owner, sealed)
    }

    /// What confirms that a tenant which holds so much may be deleted.
    #[must_use]
    pub fn confirmation(&self, tenant: TenantId, numbers: &[i64]) -> String {
        let numbers: Vec<String> = std::iter::once(tenant.0).chain(numbers.iter().copied()).map(|n| n.to_string()).collect();
        let parts: Vec<&str> = numbers.iter().map(String::as_str).collect();
        URL_SAFE_NO_PAD.encode(mac(&self.deletion, &parts)).chars().take(16).collect()
    }

    fn personal(&self, tenant: TenantId, person: &str, key: &str) -> Result<Key, store::Error> {
        let text = open(&self.people, &format!("{}|{person}", tenant.0), key)?;
        Ok(Sha256::digest(text.as_bytes()).into())
    }
}

/// Keyed hash of parts, none of which can run into the next.
fn mac(key: &[u8], parts: &[&str]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn cipher(key: &Key) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key).unwrap_or_else(|_| unreachable!("the key has 32 bytes"));
    LessSafeKey::new(key)
}

/// AES-256-GCM under a random nonce, which stands in front. `place` is bound to it: nothing can be moved elsewhere.
fn seal(key: &Key, place: &str, text: &str) -> String {
    let mut nonce = [0; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut nonce).unwrap_or_else(|_| unreachable!("the system has no randomness"));
    let mut data = text.as_bytes().to_vec();
    let sealed = cipher(key).seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.as_bytes()), &mut data);
    sealed.unwrap_or_else(|_| unreachable!("the text is not that long"));
    format!("1.{}", URL_SAFE_NO_PAD.encode([nonce.as_slice(), &data].concat()))
}

fn open(key: &Key, place: &str, sealed: &str) -> Result<String, store::Error> {
    let broken = || store::Error::Db("something sealed cannot be opened: the master key is not the one it was sealed with".to_owned());
    let bytes = sealed.strip_prefix("1.").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or_else(broken)?;
    let (nonce, data) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
    let mut data = data.to_vec();
    let text =
        cipher(key).open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place.as_bytes()), &mut data).map_err(|_| broken())?;
    String::from_utf8(text.to_vec()).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: TenantId = TenantId(1);

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let vault = Vault::new(b"root");
        let sealed = vault.seal_code(ACME, "id", "ABCD");
        assert_eq!(vault.open_code(ACME, "id", &sealed).unwrap(), "ABCD");
        assert!(!sealed.contains("ABCD"));
        assert!(vault.open_code(TenantId(2), "id", &sealed).is_err());
        assert!(vault.open_code(ACME, "other", &sealed).is_err());
        assert!(Vault::new(b"another").open_code(ACME, "id", &sealed).is_err());
        assert!(vault.open_code(ACME, "id", "1.AAAA").is_err());
        assert_ne!(sealed, vault.seal_code(ACME, "id", "ABCD"), "every seal has its own nonce");
    }

    #[test]
    fn personal_keys_open_what_they_sealed() {
        let vault = Vault::new(b"root");
        let key = vault.fresh_person_key(ACME, "p");
        let sealed = vault.seal_personal(ACME, "p", &key, "old@example.com").unwrap();
        assert_eq!(vault.open_personal(ACME, "p", &key, &sealed).unwrap(), "old@example.com");
        let other = vault.fresh_person_key(ACME, "p");
        assert!(vault.open_personal(ACME, "p", &other, &sealed).is_err());
    }

    #[test]
    fn links_differ_by_everything() {
        let vault = Vault::new(b"root");
        let links = [
            vault.link(ACME, "p", 1),
            vault.link(ACME, "p", 2),
            vault.link(ACME, "q", 1),
            vault.link(TenantId(2), "p", 1),
            Vault::new(b"x").link(ACME, "p", 1),
        ];
        let distinct: std::collections::BTreeSet<_> = links.iter().collect();
        assert_eq!(distinct.len(), links.len());
        assert!(links.iter().all(|l| l.len() == 43), "256 bits each");
        assert_eq!(vault.link(ACME, "p", 1), vault.link(ACME, "p", 1));
    }
}
