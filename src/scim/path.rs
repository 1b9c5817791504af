//! Resolving attribute names to attributes (RFC 7644 §3.10).

use super::dialect::{Quirk, Reading, onelogin};
use super::schema::{Attribute, ResourceType, Schema};
use std::fmt;
use std::sync::Arc;

/// An attribute, or a sub-attribute, of a resource type.
#[derive(Debug, Clone)]
pub struct AttrRef {
    /// The extension it belongs to; none for core and common attributes.
    pub extension: Option<Arc<Schema>>,
    pub attr: Arc<Attribute>,
    pub sub: Option<Arc<Attribute>>,
}

impl AttrRef {
    /// The sub-attribute if one is named, else the attribute.
    #[must_use]
    pub fn leaf(&self) -> &Arc<Attribute> {
        self.sub.as_ref().unwrap_or(&self.attr)
    }

    /// The same attribute with another sub-attribute.
    #[must_use]
    pub fn with_sub(&self, sub: &Arc<Attribute>) -> Self {
        Self { sub: Some(sub.clone()), ..self.clone() }
    }

    /// Whether it is the core or common attribute of that name; what a tenant has declared never is.
    #[must_use]
    pub fn is_core(&self, name: &str) -> bool {
        self.extension.is_none() && self.attr.name == name && !self.attr.own
    }

    /// The name of the sub-attribute, or "".
    #[must_use]
    pub fn sub_name(&self) -> &str {
        self.sub.as_ref().map_or("", |s| &s.name)
    }
}

impl fmt::Display for AttrRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ext) = &self.extension {
            write!(f, "{}:", ext.id)?;
        }
        f.write_str(&self.attr.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{}", sub.name),
            None => Ok(()),
        }
    }
}

/// What a path names.
#[derive(Debug, Clone)]
pub enum Target {
    /// A whole extension, by its URN.
    Extension(Arc<Schema>),
    Attr(AttrRef),
}

/// Resolves `[URN:]name[.sub]`. Names and URNs are matched in any case; the longest known URN wins.
pub fn resolve(rt: &ResourceType, text: &str, reading: &mut Reading) -> Option<Target> {
    if !text.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("urn:")) {
        return bare(rt, text, reading).map(Target::Attr);
    }
    let (schema, rest) = split_urn(rt, text, reading)?;
    let base = rt.is_base(&schema);
    if rest.is_empty() {
        return (!base).then_some(Target::Extension(schema));
    }
    let (name, sub) = rest.split_once('.').map_or((rest, None), |(n, s)| (n, Some(s)));
    let attr = if base { rt.attribute(name)? } else { schema.attribute(name)? };
    with_sub(attr, sub, (!base).then_some(schema.clone())).map(Target::Attr)
}

fn bare(rt: &ResourceType, text: &str, reading: &mut Reading) -> Option<AttrRef> {
    let (name, sub) = text.split_once('.').map_or((text, None), |(n, s)| (n, Some(s)));
    if let Some(attr) = rt.attribute(name) {
        return with_sub(attr, sub, None);
    }
    let (schema, attr) = rt.extensions.iter().find_map(|s| s.attribute(name).map(|a| (s, a)))?;
    let found = with_sub(attr, sub, Some(schema.clone()))?;
    reading.allow(Quirk::BareExtensionAttribute, || format!("{text}: read as {found}")).then_some(found)
}

fn with_sub(attr: &Arc<Attribute>, sub: Option<&str>, extension: Option<Arc<Schema>>) -> Option<AttrRef> {
    let sub = match sub {
        None => None,
        Some(name) => Some(attr.sub(name)?.clone()),
    };
    Some(AttrRef { extension, attr: attr.clone(), sub })
}

/// The known schema that `text` begins with, and what follows the separator.
fn split_urn<'a>(rt: &ResourceType, text: &'a str, reading: &mut Reading) -> Option<(Arc<Schema>, &'a str)> {
    if let Some(schema) = schema_named(rt, text, reading) {
        return Some((schema, ""));
    }
    let separators = text.char_indices().rev().filter(|(_, c)| *c == ':' || *c == '.');
    for (at, c) in separators {
        let (Some(urn), Some(rest)) = (text.get(..at), text.get(at + 1..)) else { continue };
        let Some(schema) = schema_named(rt, urn, reading) else { continue };
        if c == '.' && !reading.allow(Quirk::DotAfterUrn, || format!("{text}: read as {}:{rest}", schema.id)) {
            return None;
        }
        return Some((schema, rest));
    }
    None
}

/// The schema of a URN, legacy spellings included.
pub fn schema_named(rt: &ResourceType, urn: &str, reading: &mut Reading) -> Option<Arc<Schema>> {
    if let Some(schema) = rt.schema_of(urn) {
        return Some(schema.clone());
    }
    let modern = onelogin::modern_urn(rt, urn)?;
    let schema = rt.schema_of(&modern)?.clone();
    reading.allow(Quirk::LegacyUrn, || format!("{urn}: read as {modern}")).then_some(schema)
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Declared;
    use super::super::schema::ResourceKind;
    use super::*;

    fn name_of(text: &str, declared: Declared) -> Option<String> {
        match resolve(ResourceType::of(ResourceKind::User), text, &mut Reading::of(declared))? {
            Target::Extension(s) => Some(s.id.clone()),
            Target::Attr(a) => Some(a.to_string()),
        }
    }

    #[test]
    fn names_resolve_as_the_rfc_says() {
        let e = super::super::ENTERPRISE_URN;
        let rfc = |t: &str| name_of(t, Declared::Rfc);
        assert_eq!(rfc("NAME.givenname").as_deref(), Some("name.givenName"));
        assert_eq!(rfc("urn:ietf:params:scim:schemas:core:2.0:User:userName").as_deref(), Some("userName"));
        assert_eq!(rfc(&format!("{e}:manager.displayName")), Some(format!("{e}:manager.displayName")));
        assert_eq!(rfc(&e.to_uppercase()).as_deref(), Some(e));
        for unknown in ["manager", "nope", "name.nope", "name.given.x", "userName.x", "urn:x:y"] {
            assert_eq!(rfc(unknown), None, "{unknown}");
        }
        assert_eq!(rfc(&format!("{e}.manager")), None);
        assert_eq!(name_of(&format!("{e}.manager"), Declared::Auto), Some(format!("{e}:manager")));
        assert_eq!(name_of("manager", Declared::Auto), Some(format!("{e}:manager")));
        assert_eq!(name_of("urn:scim:schemas:extension:enterprise:1.0:department", Declared::Auto), Some(format!("{e}:department")));
    }
}
