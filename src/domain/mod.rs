//! The rules. No I/O, no SCIM, no SQL.

pub mod actor;
pub mod client;
pub mod key;
pub mod lifecycle;
pub mod member;
pub mod outside;
pub mod self_service;
pub mod settings;
pub mod source;
pub mod tenant;
pub mod token;

pub use actor::Actor;
pub use client::{ClientAuth, Credential, OauthClient, TrustedIssuer};
pub use key::AdminKey;
pub use member::{Hold, Member, Reason, Source, Stage, State};
pub use settings::Settings;
pub use source::{Capabilities, ScimSource, SourceState};
pub use tenant::{Idp, Tenant, TenantId};
pub use token::{Scope, Scopes, Token, TokenKind, TokenState};

/// A new identifier: a UUID, version 7, so that ids follow the order of creation.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one home of new ids")]
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
