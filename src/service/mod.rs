//! Use cases. One function, one transaction; the only place where protocol, rules and store meet.

pub mod auth;
pub mod cursor;
pub mod etag;
pub mod groups;
pub mod list;
pub mod mapping;
pub mod notes;
pub mod read;
pub mod render;
pub mod tenants;
pub mod tokens;
pub mod write;

use crate::domain::{Idp, Tenant, TenantId};
use crate::scim::dialect::{Declared, Dialect, Reading};
use crate::scim::schema::ResourceKind;
pub use crate::store::{Conn as Connection, Kind};
use std::sync::Arc;

/// How large things may be. Everything here is in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// Nesting of JSON in a body.
    pub json_depth: usize,
    /// Bytes of a filter.
    pub filter_length: usize,
    /// Nesting of a filter.
    pub filter_depth: usize,
    /// Conditions of a filter.
    pub filter_terms: usize,
    /// Operations of one PATCH.
    pub patch_operations: usize,
    /// Resources of a page when the client names no number.
    pub page_default: i64,
    /// Most resources of a page.
    pub page_max: i64,
    /// Seconds that a cursor stays valid.
    pub cursor_seconds: i64,
}

impl Limits {
    /// The part that concerns filters.
    #[must_use]
    pub fn filter(&self) -> crate::scim::parse::Limits {
        crate::scim::parse::Limits { length: self.filter_length, depth: self.filter_depth, terms: self.filter_terms }
    }
}

/// Who asks, when, and how to read it.
#[derive(Debug, Clone)]
pub struct Ctx {
    pub tenant: Arc<Tenant>,
    pub token_id: Arc<str>,
    /// Microseconds since the epoch.
    pub now: i64,
    pub request_id: String,
    pub method: &'static str,
    /// The route, without values.
    pub target: String,
    pub dialect: Dialect,
    /// The SCIM base URL, without a slash at the end.
    pub base: Arc<str>,
    pub limits: Limits,
}

impl Ctx {
    /// The tenant's key.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.tenant.id
    }

    /// Starts reading the request.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.dialect.reading()
    }
}

/// What a tenant's declaration means for the protocol.
#[must_use]
pub fn declared(idp: Idp) -> Declared {
    match idp {
        Idp::Auto => Declared::Auto,
        Idp::Okta => Declared::Okta,
        Idp::Entra => Declared::Entra,
        Idp::OneLogin => Declared::OneLogin,
        Idp::Rfc => Declared::Rfc,
    }
}

/// The rows that hold a kind of resource.
#[must_use]
pub fn kind_of(kind: ResourceKind) -> Kind {
    match kind {
        ResourceKind::User => Kind::User,
        ResourceKind::Group => Kind::Group,
    }
}
