//! Schemas, attributes and resource types (RFC 7643 §2, §6, §7).
//!
//! The documents under `schemas/` are the truth: `/Schemas` serves them and everything else is driven by them.

use super::traits::Traits;
use super::{EMPLOYEE_URN, ENTERPRISE_URN, GROUP_URN, USER_URN};
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// Data type of an attribute (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Binary,
    Reference,
    Complex,
}

/// Who may write an attribute, and when (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

/// When an attribute is part of an answer (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    Always,
    Never,
    Default,
    Request,
}

/// Among which resources a value may be there once (RFC 7643 §7). A server and the world are the same here: the tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Uniqueness {
    #[default]
    None,
    Server,
    Global,
}

/// An attribute definition (RFC 7643 §7).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "they are the characteristics of RFC 7643 §7")]
pub struct Attribute {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub multi_valued: bool,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub case_exact: bool,
    #[serde(default = "read_write")]
    pub mutability: Mutability,
    #[serde(default = "by_default")]
    pub returned: Returned,
    #[serde(default)]
    pub uniqueness: Uniqueness,
    #[serde(default)]
    pub reference_types: Vec<String>,
    #[serde(default)]
    pub sub_attributes: Vec<Arc<Attribute>>,
    /// Whether a tenant has declared it.
    #[serde(skip)]
    pub own: bool,
}

fn read_write() -> Mutability {
    Mutability::ReadWrite
}

fn by_default() -> Returned {
    Returned::Default
}

impl Attribute {
    /// The sub-attribute of that name, in any case.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<&Arc<Attribute>> {
        find(&self.sub_attributes, name)
    }

    /// Whether the attribute has sub-attributes.
    #[must_use]
    pub fn is_complex(&self) -> bool {
        self.kind == Kind::Complex
    }

    /// Whether values are accepted and not kept.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        self.returned == Returned::Never && !self.own
    }

    /// Whether a client can never change it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }
}

fn find<'a>(attributes: &'a [Arc<Attribute>], name: &str) -> Option<&'a Arc<Attribute>> {
    attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name))
}

/// A schema: a URN and its attributes.
#[derive(Debug, Deserialize)]
pub struct Schema {
    pub id: String,
    pub attributes: Vec<Arc<Attribute>>,
    /// The document as `/Schemas` serves it, without `schemas` and `meta`.
    #[serde(skip)]
    pub document: Value,
}

impl Schema {
    /// The attribute of that name, in any case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        find(&self.attributes, name)
    }

    fn embedded(text: &str) -> Arc<Self> {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        let mut schema: Self = serde_json::from_str(text).unwrap_or_else(|e| unreachable!("an embedded schema is broken: {e}"));
        schema.document = document;
        Arc::new(schema)
    }
}

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    User,
    Group,
    /// Of a type that the tenant has declared; its number.
    Own(i16),
}

/// A resource type (RFC 7643 §6).
#[derive(Debug)]
pub struct ResourceType {
    pub kind: ResourceKind,
    /// `meta.resourceType` of its resources.
    pub name: String,
    /// Path below the base URL, with the leading slash.
    pub endpoint: String,
    pub description: String,
    pub schema: Arc<Schema>,
    pub extensions: Vec<Arc<Schema>>,
    /// The URNs of those extensions that every resource must have.
    pub required: Vec<String>,
    /// What the attributes that a tenant has declared ask for.
    pub traits: Traits,
}

impl ResourceType {
    /// The standard type of a kind, without what a tenant may have added; see [`super::Types`]. What tenants declare is none of
    /// these, and is a group here.
    #[must_use]
    pub fn of(kind: ResourceKind) -> &'static Self {
        standard(kind)
    }

    /// Whether the tenant has declared it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(self.kind, ResourceKind::Own(_))
    }

    /// A core or common attribute, in any case. Extension attributes are not found here.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.schema.attribute(name).or_else(|| find(&COMMON, name))
    }

    /// The schema with this URN, in any case.
    #[must_use]
    pub fn schema_of(&self, urn: &str) -> Option<&Arc<Schema>> {
        std::iter::once(&self.schema).chain(&self.extensions).find(|s| s.id.eq_ignore_ascii_case(urn))
    }

    /// Whether the schema is the base schema of this type.
    #[must_use]
    pub fn is_base(&self, schema: &Schema) -> bool {
        self.schema.id == schema.id
    }
}

/// `schemas`, `id`, `externalId` and `meta` (RFC 7643 §3.1): part of every resource and of no schema.
pub static COMMON: LazyLock<Vec<Arc<Attribute>>> = LazyLock::new(|| {
    let text = r#"[
      {"name":"schemas","type":"reference","multiValued":true,"required":true,"caseExact":true,"returned":"always","referenceTypes":["uri"]},
      {"name":"id","type":"string","caseExact":true,"mutability":"readOnly","returned":"always"},
      {"name":"externalId","type":"string","caseExact":true},
      {"name":"meta","type":"complex","mutability":"readOnly","subAttributes":[
        {"name":"resourceType","type":"string","caseExact":true,"mutability":"readOnly"},
        {"name":"created","type":"dateTime","mutability":"readOnly"},
        {"name":"lastModified","type":"dateTime","mutability":"readOnly"},
        {"name":"location","type":"reference","caseExact":true,"mutability":"readOnly","referenceTypes":["uri"]},
        {"name":"version","type":"string","caseExact":true,"mutability":"readOnly"}]}]"#;
    serde_json::from_str(text).unwrap_or_else(|e| unreachable!("the common attributes are broken: {e}"))
});

/// Every schema that the server supports, in the order of `/Schemas`.
pub static SCHEMAS: LazyLock<Vec<Arc<Schema>>> = LazyLock::new(|| {
    [
        include_str!("schemas/user.json"),
        include_str!("schemas/group.json"),
        include_str!("schemas/enterprise.json"),
        include_str!("schemas/employee.json"),
        include_str!("schemas/service_provider_config.json"),
        include_str!("schemas/resource_type.json"),
        include_str!("schemas/schema.json"),
    ]
    .into_iter()
    .map(Schema::embedded)
    .collect()
});

fn registered(urn: &str) -> Arc<Schema> {
    SCHEMAS.iter().find(|s| s.id == urn).cloned().unwrap_or_else(|| unreachable!("no embedded schema {urn}"))
}

static USER: LazyLock<Arc<ResourceType>> = LazyLock::new(|| {
    Arc::new(ResourceType {
        kind: ResourceKind::User,
        name: "User".to_owned(),
        endpoint: "/Users".to_owned(),
        description: "A person".to_owned(),
        schema: registered(USER_URN),
        extensions: vec![registered(ENTERPRISE_URN), registered(EMPLOYEE_URN)],
        required: Vec::new(),
        traits: Traits::default(),
    })
});

static GROUP: LazyLock<Arc<ResourceType>> = LazyLock::new(|| {
    Arc::new(ResourceType {
        kind: ResourceKind::Group,
        name: "Group".to_owned(),
        endpoint: "/Groups".to_owned(),
        description: "A set of people and of other groups".to_owned(),
        schema: registered(GROUP_URN),
        extensions: Vec::new(),
        required: Vec::new(),
        traits: Traits::default(),
    })
});

/// The standard type of a kind, to be shared.
pub(super) fn standard(kind: ResourceKind) -> &'static Arc<ResourceType> {
    match kind {
        ResourceKind::User => &USER,
        ResourceKind::Group | ResourceKind::Own(_) => &GROUP,
    }
}

/// Both standard resource types, in the order of `/ResourceTypes`.
#[must_use]
pub fn resource_types() -> [&'static ResourceType; 2] {
    [standard(ResourceKind::User), standard(ResourceKind::Group)]
}
