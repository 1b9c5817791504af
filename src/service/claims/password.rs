//! Passwords that members choose: long enough, and not the first thing that comes to mind. Nothing about digits or signs.

use super::super::passwords::hashed;
use crate::error::Result;
use crate::scim::precis::opaque;
use crate::scim::value::fold;

/// Characters of the longest password.
const LONGEST: usize = 128;

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Missing,
    TooShort {
        shortest: usize,
    },
    TooLong {
        longest: usize,
    },
    /// Equals the user name or the organisation, or is one character over and over.
    Known,
    /// The two entries differ.
    Mismatch,
}

/// A password that somebody chose, with its hash.
#[derive(Clone)]
pub struct Secret {
    plain: String,
    hash: String,
}

impl Secret {
    /// Hashes a password with argon2id. Takes some 20 ms: not for a thread that others wait for.
    ///
    /// # Errors
    /// When the system has no memory for it.
    pub fn new(text: &str) -> Result<Self> {
        let plain: String = opaque(text).chars().take(LONGEST + 1).collect();
        let hash = hashed(&plain)?;
        Ok(Self { plain, hash })
    }

    /// The hash, as it is stored.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Why it is not taken, if it is not. `known` is what an attacker would try first.
    #[must_use]
    pub fn fault(&self, shortest: usize, known: &[&str]) -> Option<Fault> {
        let length = self.plain.chars().count();
        if length < shortest {
            return Some(Fault::TooShort { shortest });
        }
        if length > LONGEST {
            return Some(Fault::TooLong { longest: LONGEST });
        }
        let folded = fold(&self.plain);
        let same = known.iter().any(|k| !k.is_empty() && fold(k) == folded);
        let mut chars = self.plain.chars();
        let first = chars.next();
        (same || chars.all(|c| Some(c) == first)).then_some(Fault::Known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::Argon2;
    use argon2::password_hash::PasswordVerifier;
    use argon2::password_hash::phc::PasswordHash;

    #[test]
    fn hashes_verify() {
        let secret = Secret::new("correct horse battery").unwrap();
        assert!(secret.hash().starts_with("$argon2id$"));
        let kept = PasswordHash::new(secret.hash()).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse battery", &kept).is_ok());
        assert!(Argon2::default().verify_password(b"correct horse", &kept).is_err());
    }

    #[test]
    fn length_counts_and_nothing_else() {
        let fault = |text: &str| Secret::new(text).unwrap().fault(12, &["first@example.com", "Acme Corporation"]);
        assert_eq!(fault("short"), Some(Fault::TooShort { shortest: 12 }));
        assert_eq!(fault(&"x1".repeat(100)), Some(Fault::TooLong { longest: 128 }));
        assert_eq!(fault("FIRST@example.com"), Some(Fault::Known));
        assert_eq!(fault("acme corporation"), Some(Fault::Known));
        assert_eq!(fault("aaaaaaaaaaaaaaaa"), Some(Fault::Known));
        assert_eq!(fault("only lower case words"), None);
    }
}
