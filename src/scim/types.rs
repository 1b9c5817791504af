//! Every resource type and schema that a tenant has: the standard ones, with the tenant's extensions added to them, and its own.

use super::schema::{ResourceKind, ResourceType, SCHEMAS, Schema, standard};
use super::traits::Traits;
use std::sync::{Arc, LazyLock};

/// What a tenant has.
#[derive(Debug)]
pub struct Types {
    version: i64,
    /// Users, groups, then the tenant's own in the order in which they were made.
    all: Vec<Arc<ResourceType>>,
    /// Those that the tenant has declared, in the order in which they were.
    schemas: Vec<Arc<Schema>>,
}

static STANDARD: LazyLock<Arc<Types>> = LazyLock::new(|| {
    let all = [ResourceKind::User, ResourceKind::Group].map(|kind| standard(kind).clone());
    Arc::new(Types { version: 0, all: all.into(), schemas: Vec::new() })
});

/// A resource type as a tenant has declared it; of users and groups only the extensions are its doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    pub kind: ResourceKind,
    pub name: String,
    /// With the leading slash.
    pub endpoint: String,
    pub description: String,
    /// The URN of the base schema.
    pub schema: String,
    /// URNs of the tenant's own extensions, and whether they are required.
    pub extensions: Vec<(String, bool)>,
}

impl Types {
    /// What every tenant has.
    #[must_use]
    pub fn standard() -> Arc<Self> {
        STANDARD.clone()
    }

    /// What a tenant has that has declared these. A type whose schema is not there is left out.
    #[must_use]
    pub fn new(version: i64, schemas: Vec<Arc<Schema>>, declared: &[Declared]) -> Self {
        let mut all: Vec<Arc<ResourceType>> = STANDARD.all.clone();
        for d in declared {
            let known = |urn: &str| schemas.iter().find(|s| s.id == urn).cloned();
            let place = all.iter().position(|rt| rt.kind == d.kind);
            let base = place.and_then(|i| all.get(i)).cloned();
            let Some(schema) = base.as_ref().map(|rt| rt.schema.clone()).or_else(|| known(&d.schema)) else { continue };
            let mut extensions = base.as_ref().map(|rt| rt.extensions.clone()).unwrap_or_default();
            extensions.extend(d.extensions.iter().filter_map(|(urn, _)| known(urn)));
            let made = Arc::new(ResourceType {
                kind: d.kind,
                name: d.name.clone(),
                endpoint: d.endpoint.clone(),
                description: d.description.clone(),
                required: d.extensions.iter().filter(|(_, required)| *required).map(|(urn, _)| urn.clone()).collect(),
                traits: Traits::of(&schema, &extensions),
                schema,
                extensions,
            });
            match place.and_then(|i| all.get_mut(i)) {
                Some(slot) => *slot = made,
                None => all.push(made),
            }
        }
        Self { version, all, schemas }
    }

    /// Counts up with every change; 0 when the tenant has declared nothing yet.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Every resource type, in the order of `/ResourceTypes`.
    #[must_use]
    pub fn all(&self) -> &[Arc<ResourceType>] {
        &self.all
    }

    /// The type of a kind. A kind that is not there has no resources either, and goes by the type of groups.
    #[must_use]
    pub fn of(&self, kind: ResourceKind) -> &Arc<ResourceType> {
        self.all.iter().find(|rt| rt.kind == kind).unwrap_or_else(|| standard(kind))
    }

    /// The type of users.
    #[must_use]
    pub fn users(&self) -> &Arc<ResourceType> {
        self.of(ResourceKind::User)
    }

    /// The type at an endpoint, which is given without the slash.
    #[must_use]
    pub fn at(&self, endpoint: &str) -> Option<&Arc<ResourceType>> {
        self.all.iter().find(|rt| rt.endpoint.strip_prefix('/') == Some(endpoint))
    }

    /// The tenant's own type at an endpoint, which is given without the slash.
    #[must_use]
    pub fn own_at(&self, endpoint: &str) -> Option<&Arc<ResourceType>> {
        self.at(endpoint).filter(|rt| rt.is_own())
    }

    /// The type of that name, in any case.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<ResourceType>> {
        self.all.iter().find(|rt| rt.name.eq_ignore_ascii_case(name))
    }

    /// Every schema, in the order of `/Schemas`.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<Schema>> {
        SCHEMAS.iter().chain(&self.schemas)
    }

    /// The schemas that the tenant has declared.
    #[must_use]
    pub fn own_schemas(&self) -> &[Arc<Schema>] {
        &self.schemas
    }

    /// The schema of that URN, in any case, if the tenant has declared it.
    #[must_use]
    pub fn own_schema(&self, urn: &str) -> Option<&Arc<Schema>> {
        self.schemas.iter().find(|s| s.id.eq_ignore_ascii_case(urn))
    }

    /// The types that a schema is a part of.
    pub fn using<'a>(&'a self, urn: &'a str) -> impl Iterator<Item = &'a Arc<ResourceType>> {
        self.all.iter().filter(move |rt| rt.schema_of(urn).is_some())
    }
}
