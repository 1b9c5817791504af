//! Use cases. One function, one transaction; the only place where protocol, rules and store meet.

pub mod admin_keys;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod bulk;
pub mod by_hand;
pub mod certificates;
pub mod claims;
pub mod clients;
pub mod codes;
pub mod copy;
pub mod cursor;
pub mod declarations;
pub mod delta;
pub mod dossier;
pub mod employment;
pub mod etag;
pub mod expiry;
pub mod explain;
pub mod groups;
pub mod idempotency;
pub mod issuers;
pub mod journal;
pub mod jws;
pub mod ledger;
pub mod letters;
pub mod list;
pub mod locations;
pub mod mapping;
pub mod masking;
pub mod me;
pub mod members;
pub mod notes;
pub mod oauth;
pub mod passwords;
pub mod provision;
pub mod purge;
pub mod rates;
pub mod read;
pub mod render;
pub mod roll;
pub mod rosters;
pub mod scim_bulk;
pub mod secrets;
pub mod setup;
pub mod sources;
pub mod tenants;
pub mod timers;
pub mod tokens;
pub mod types;
pub mod vault;
pub mod verify;
pub mod write;

use crate::domain::settings::Passwords;
use crate::domain::{Actor, Idp, ScimSource, Settings, Tenant, TenantId};
use crate::error::{Error, Result};
use crate::scim::Types;
use crate::scim::dialect::{Client, Declared, Dialect, Reading, Tuning, interop};
use crate::scim::discovery::Announced;
use crate::scim::schema::ResourceKind;
use crate::service::vault::Vault;
pub use crate::store::{Conn as Connection, Kind, Row};
pub use ledger::Ledger;
pub use roll::{Act, Hand};
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
    /// Operations of one bulk request.
    pub bulk_operations: usize,
    /// Bytes of a bulk request.
    pub bulk_bytes: usize,
    /// Resources of a page when the client names no number.
    pub page_default: i64,
    /// Most resources of a page.
    pub page_max: i64,
    /// Seconds that a cursor stays valid.
    pub cursor_seconds: i64,
}

impl Limits {
    /// These, with what a tenant has set of its own.
    #[must_use]
    pub fn of(mut self, settings: &Settings) -> Self {
        self.page_max = settings.page_max.map_or(self.page_max, i64::from);
        self.page_default = settings.page_default.map_or(self.page_default, i64::from).min(self.page_max);
        self.patch_operations = settings.patch_operations.map_or(self.patch_operations, usize::from);
        self
    }

    /// These, with the least that a profile allows.
    #[must_use]
    pub fn under(mut self, declared: Declared) -> Self {
        if declared.is_interop() {
            self.page_default = self.page_default.max(interop::PAGE.min(self.page_max));
            self.patch_operations = self.patch_operations.max(interop::OPERATIONS);
        }
        self
    }

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
    /// The resource types and schemas that the tenant has.
    pub types: Arc<Types>,
    pub source: Arc<ScimSource>,
    pub token_id: Arc<str>,
    /// Who writes, when it is not a source with its token.
    pub writer: Option<Actor>,
    /// Where lines of the history and counts are kept until the end of the transaction, if not written at once.
    pub ledger: Option<Arc<Ledger>>,
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
    pub vault: Arc<Vault>,
    pub fired: Arc<notes::Fired>,
    /// What is found out about the request while it is done.
    pub trace: Arc<journal::Trace>,
}

/// Where SCIM documents are to be found, and how large they may be.
#[derive(Debug, Clone)]
pub struct Place {
    /// The SCIM base URL, without a slash at the end.
    pub base: Arc<str>,
    pub limits: Limits,
}

impl Ctx {
    /// An admin who reads and writes SCIM documents: no source, so that no source's capabilities are in the way.
    ///
    /// # Errors
    /// When the database fails.
    pub fn of_admin(conn: &mut Connection, act: &Act, place: &Place) -> Result<Self> {
        let client = Client { user_agent: "", adscim_version: false, query: "" };
        Ok(Self {
            tenant: act.tenant.clone(),
            types: types::of(conn, &act.tenant)?,
            source: Arc::new(ScimSource::new(act.tenant.id, act.actor.kind(), act.now)),
            token_id: Arc::from(""),
            writer: Some(act.actor.clone()),
            ledger: None,
            now: act.now,
            request_id: act.request_id.clone().unwrap_or_default(),
            method: "ADMIN",
            target: "/admin/v1/tenants/{tenant}/members".to_owned(),
            dialect: Dialect::new(Declared::Auto, Tuning::default(), &client),
            base: place.base.clone(),
            limits: place.limits.of(&act.tenant.settings),
            vault: act.vault.clone(),
            fired: Arc::default(),
            trace: Arc::default(),
        })
    }

    /// Whether passwords are kept that the source sends. The profiles have none.
    #[must_use]
    pub fn keeps_passwords(&self) -> bool {
        self.tenant.settings.passwords == Passwords::Keep && !self.dialect.declared.is_interop()
    }

    /// What `/ServiceProviderConfig` says of the tenant.
    #[must_use]
    pub fn announced(&self) -> Announced {
        let l = self.limits;
        Announced {
            page_default: l.page_default,
            page_max: l.page_max,
            cursor_seconds: l.cursor_seconds,
            bulk_operations: l.bulk_operations,
            bulk_bytes: l.bulk_bytes,
            passwords: self.keeps_passwords(),
        }
    }

    /// The tenant's key.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.tenant.id
    }

    /// The identity provider that the source declares.
    #[must_use]
    pub fn idp(&self) -> Idp {
        sources::idp(&self.tenant, &self.source)
    }

    /// Whether it is a member who writes, with a token of their own.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.writer == Some(Actor::Member)
    }

    /// Refuses what the source may not do.
    ///
    /// # Errors
    /// 403 that names it.
    pub fn may(&self, allowed: bool, what: &str) -> Result<()> {
        if allowed {
            return Ok(());
        }
        Err(Error::Denied(format!("the source \"{}\" may not {what}; its capabilities say so", self.source.name)))
    }

    /// The request as something that is done to members.
    #[must_use]
    pub fn act(&self) -> Act {
        let provider = match self.idp() {
            Idp::Okta => "Okta".to_owned(),
            Idp::Entra => "Microsoft Entra ID".to_owned(),
            Idp::OneLogin => "OneLogin".to_owned(),
            Idp::Rfc | Idp::Interop | Idp::Ipsie => "the SCIM client".to_owned(),
            Idp::Auto => self.dialect.evidence.as_ref().map_or_else(|| "the identity provider".to_owned(), |e| e.provider.to_string()),
        };
        Act {
            tenant: self.tenant.clone(),
            vault: self.vault.clone(),
            actor: self.writer.clone().unwrap_or_else(|| Actor::Token { id: self.token_id.to_string(), provider }),
            now: self.now,
            request_id: Some(self.request_id.clone()),
            ledger: self.ledger.clone(),
        }
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
        Idp::Interop => Declared::Interop,
        Idp::Ipsie => Declared::Ipsie,
    }
}

/// The rows that hold a kind of resource.
#[must_use]
pub fn kind_of(kind: ResourceKind) -> Kind {
    match kind {
        ResourceKind::User => Kind::User,
        ResourceKind::Group => Kind::Group,
        ResourceKind::Own(code) => Kind::Own(code),
    }
}

/// The kind of resource that rows hold.
#[must_use]
pub fn kind_in(kind: Kind) -> ResourceKind {
    match kind {
        Kind::User => ResourceKind::User,
        Kind::Group => ResourceKind::Group,
        Kind::Own(code) => ResourceKind::Own(code),
    }
}
