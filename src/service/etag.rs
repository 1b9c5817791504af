//! Versions and conditions (RFC 7644 §3.14, RFC 9110 §13).

use super::render::Extras;
use crate::error::{Error, Result};
use crate::scim;
use crate::store::Row;
use sha2::{Digest, Sha256};

/// The weak entity tag of a resource.
///
/// A user shows its groups and its manager's name, which change without a write to the user; they are part of the tag.
#[must_use]
pub fn of(row: &Row, extras: &Extras) -> String {
    if extras.is_empty() {
        return format!("W/\"{}\"", row.version);
    }
    let mut hash = Sha256::new();
    for g in &extras.groups {
        hash.update(g.group.as_bytes());
        hash.update([u8::from(g.direct)]);
        hash.update(g.label.as_bytes());
        hash.update([0]);
    }
    if let Some(manager) = &extras.manager {
        hash.update(manager.name.as_bytes());
        hash.update([0]);
        hash.update(manager.mail.as_deref().unwrap_or_default().as_bytes());
    }
    let digest: String = hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect();
    format!("W/\"{}-{digest}\"", row.version)
}

/// The conditions of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    pub if_match: Option<Tags>,
    pub if_none_match: Option<Tags>,
}

/// What a condition lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// `*`
    Any,
    /// Opaque tags, without `W/` and quotes.
    List(Vec<String>),
}

impl Tags {
    /// Reads the value of `If-Match` or `If-None-Match`. Text that is no entity tag matches nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        Self::List(text.split(',').filter_map(|t| opaque(t.trim())).map(str::to_owned).collect())
    }

    /// Compares weakly: SCIM's own examples send weak tags in `If-Match`.
    fn has(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(list) => opaque(tag).is_some_and(|t| list.iter().any(|l| l == t)),
        }
    }
}

fn opaque(tag: &str) -> Option<&str> {
    tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')
}

impl Conditions {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Checks the conditions of a write against the present tag.
    ///
    /// # Errors
    /// 412 when one is not met.
    pub fn check_write(&self, tag: &str) -> Result<()> {
        let stale = self.if_match.as_ref().is_some_and(|t| !t.has(tag));
        let forbidden = self.if_none_match.as_ref().is_some_and(|t| t.has(tag));
        if stale || forbidden {
            let header = if stale { "If-Match" } else { "If-None-Match" };
            return Err(Error::Scim(scim::Error::status(412, format!("{header} does not hold: the resource has version {tag}"))));
        }
        Ok(())
    }

    /// Whether a read can be answered with 304.
    ///
    /// # Errors
    /// 412 when `If-Match` is not met.
    pub fn check_read(&self, tag: &str) -> Result<bool> {
        Self { if_none_match: None, ..self.clone() }.check_write(tag)?;
        Ok(self.if_none_match.as_ref().is_some_and(|t| t.has(tag)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_compare_weakly_and_as_lists() {
        let tags = Tags::parse("\"1\", W/\"2\" ,nonsense");
        assert!(tags.has("W/\"1\"") && tags.has("W/\"2\"") && !tags.has("W/\"nonsense\"") && !tags.has("W/\"3\""));
        assert!(Tags::parse(" * ").has("W/\"9\""));
    }
}
