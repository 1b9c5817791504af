//! Every table with its columns: for what concerns all of them alike, as copying does. A test compares this list with the
//! catalogues of both databases, so that a new table or column has to be added here.

use Shape::{Big, Bool, Json, Small, Text};

/// The table of the migrations' own.
pub const BOOKKEEPING: &str = "__diesel_schema_migrations";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Big,
    Small,
    Bool,
    Text,
    /// Text on SQLite, binary JSON on PostgreSQL.
    Json,
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// The columns of the primary key, in order.
    pub key: &'static [&'static str],
    pub columns: &'static [(&'static str, Shape)],
}

impl Table {
    /// Whether its rows belong to tenants.
    #[must_use]
    pub fn has_tenant(&self) -> bool {
        self.columns.iter().any(|(name, _)| *name == "tenant_id")
    }

    /// What a column holds.
    #[must_use]
    pub fn shape(&self, column: &str) -> Option<Shape> {
        self.columns.iter().find(|(name, _)| *name == column).map(|(_, shape)| *shape)
    }
}

/// All of them; those that others refer to come first.
pub const TABLES: &[Table] = &[
    Table {
        name: "tenants",
        key: &["id"],
        columns: &[
            ("id", Big),
            ("name", Text),
            ("idp", Text),
            ("unique_group_names", Bool),
            ("created_at", Big),
            ("settings", Text),
            ("version", Big),
            ("suspended", Text),
            ("types", Big),
        ],
    },
    Table {
        name: "tenant_schemas",
        key: &["tenant_id", "urn"],
        columns: &[("tenant_id", Big), ("urn", Text), ("document", Text), ("version", Big), ("created_at", Big), ("modified_at", Big)],
    },
    Table {
        name: "tenant_types",
        key: &["tenant_id", "kind"],
        columns: &[("tenant_id", Big), ("kind", Small), ("document", Text), ("version", Big), ("created_at", Big), ("modified_at", Big)],
    },
    Table {
        name: "sources",
        key: &["tenant_id", "name"],
        columns: &[
            ("tenant_id", Big),
            ("name", Text),
            ("idp", Text),
            ("state", Text),
            ("capabilities", Text),
            ("tolerances", Text),
            ("client_ca", Text),
            ("version", Big),
            ("created_at", Big),
        ],
    },
    Table {
        name: "admin_keys",
        key: &["id"],
        columns: &[
            ("id", Text),
            ("tenant_id", Big),
            ("name", Text),
            ("hash", Text),
            ("scopes", Text),
            ("created_at", Big),
            ("expires_at", Big),
            ("last_used_at", Big),
            ("revoked_at", Big),
        ],
    },
    Table {
        name: "oauth_clients",
        key: &["id"],
        columns: &[
            ("id", Text),
            ("tenant_id", Big),
            ("source", Text),
            ("name", Text),
            ("secret_hash", Text),
            ("key_set", Text),
            ("key_set_url", Text),
            ("certificate", Text),
            ("scopes", Text),
            ("token_seconds", Big),
            ("created_at", Big),
            ("last_used_at", Big),
            ("revoked_at", Big),
        ],
    },
    Table { name: "used_assertions", key: &["client_id", "jti"], columns: &[("client_id", Text), ("jti", Text), ("expires_at", Big)] },
    Table {
        name: "trusted_issuers",
        key: &["id"],
        columns: &[
            ("id", Text),
            ("tenant_id", Big),
            ("source", Text),
            ("issuer", Text),
            ("audience", Text),
            ("subject", Text),
            ("key_set_url", Text),
            ("scopes", Text),
            ("created_at", Big),
            ("last_used_at", Big),
        ],
    },
    Table {
        name: "idempotency_keys",
        key: &["owner", "hash"],
        columns: &[("owner", Text), ("hash", Text), ("request", Text), ("status", Small), ("answer", Text), ("created_at", Big)],
    },
    Table {
        name: "tokens",
        key: &["id"],
        columns: &[
            ("id", Text),
            ("tenant_id", Big),
            ("kind", Text),
            ("name", Text),
            ("hash", Text),
            ("scopes", Text),
            ("created_at", Big),
            ("expires_at", Big),
            ("last_used_at", Big),
            ("revoked_at", Big),
            ("source", Text),
            ("replaces", Text),
            ("certificate", Text),
            ("warned", Small),
            ("member", Text),
        ],
    },
    Table {
        name: "signing_keys",
        key: &["kid"],
        columns: &[("kid", Text), ("algorithm", Text), ("private_key", Text), ("public_key", Text), ("created_at", Big)],
    },
    Table { name: "secrets", key: &["name"], columns: &[("name", Text), ("value", Text)] },
    Table { name: "auth_epoch", key: &["id"], columns: &[("id", Small), ("epoch", Big)] },
    Table {
        name: "resources",
        key: &["tenant_id", "kind", "id"],
        columns: &[
            ("tenant_id", Big),
            ("kind", Small),
            ("id", Text),
            ("version", Big),
            ("created_at", Big),
            ("modified_at", Big),
            ("member_count", Big),
            ("unique_key", Text),
            ("display_key", Text),
            ("external_id", Text),
            ("manager", Text),
            ("label", Text),
            ("label_derived", Bool),
            ("doc", Text),
            ("fdoc", Json),
            ("person", Text),
            ("state", Small),
            ("prior", Small),
            ("invited", Bool),
            ("ever_claimed", Bool),
            ("invited_at", Big),
            ("claimed_at", Big),
            ("quarantined_at", Big),
            ("purge_at", Big),
            ("warned_at", Big),
            ("holds", Text),
            ("generation", Big),
            ("legal_hold", Text),
            ("employee_key", Text),
            ("terminates_at", Big),
            ("location_raw", Text),
            ("manager_ref", Text),
            ("admin", Bool),
            ("mail", Text),
        ],
    },
    Table {
        name: "resource_emails",
        key: &["tenant_id", "value_key", "resource_id"],
        columns: &[("tenant_id", Big), ("value_key", Text), ("resource_id", Text)],
    },
    Table {
        name: "unique_values",
        key: &["tenant_id", "kind", "attribute", "value"],
        columns: &[("tenant_id", Big), ("kind", Small), ("attribute", Text), ("value", Text), ("resource_id", Text)],
    },
    Table {
        name: "group_members",
        key: &["tenant_id", "group_id", "member_id"],
        columns: &[("tenant_id", Big), ("group_id", Text), ("member_id", Text), ("member_kind", Small)],
    },
    Table {
        name: "resource_counts",
        key: &["tenant_id", "kind", "slot"],
        columns: &[("tenant_id", Big), ("kind", Small), ("slot", Small), ("total", Big)],
    },
    Table {
        name: "provisioning_log",
        key: &["tenant_id", "id"],
        columns: &[
            ("tenant_id", Big),
            ("id", Text),
            ("at", Big),
            ("source", Text),
            ("token_id", Text),
            ("client", Text),
            ("provider", Text),
            ("signal", Text),
            ("request_id", Text),
            ("method", Text),
            ("path", Text),
            ("target", Text),
            ("subject", Text),
            ("status", Small),
            ("micros", Big),
            ("scim_type", Text),
            ("detail", Text),
            ("notes", Text),
            ("changes", Text),
        ],
    },
    Table {
        name: "provider_evidence",
        key: &["tenant_id", "provider", "signal"],
        columns: &[("tenant_id", Big), ("provider", Text), ("signal", Text), ("last_seen_at", Big)],
    },
    Table {
        name: "invitations",
        key: &["tenant_id", "person", "generation"],
        columns: &[
            ("tenant_id", Big),
            ("person", Text),
            ("generation", Big),
            ("state", Text),
            ("hash", Text),
            ("created_at", Big),
            ("expires_at", Big),
            ("ended_at", Big),
            ("reminders", Small),
            ("remind_at", Big),
            ("undeliverable", Text),
        ],
    },
    Table {
        name: "access_codes",
        key: &["id"],
        columns: &[
            ("id", Text),
            ("tenant_id", Big),
            ("person", Text),
            ("lookup", Text),
            ("sealed", Text),
            ("state", Text),
            ("created_at", Big),
            ("expires_at", Big),
            ("ended_at", Big),
        ],
    },
    Table {
        name: "outbox",
        key: &["id"],
        columns: &[
            ("id", Text),
            ("tenant_id", Big),
            ("person", Text),
            ("kind", Text),
            ("generation", Big),
            ("detail", Text),
            ("state", Text),
            ("attempts", Small),
            ("due_at", Big),
            ("leased_until", Big),
            ("error", Text),
            ("created_at", Big),
            ("ended_at", Big),
        ],
    },
    Table {
        name: "audit_events",
        key: &["tenant_id", "id"],
        columns: &[
            ("id", Text),
            ("tenant_id", Big),
            ("person", Text),
            ("at", Big),
            ("actor_kind", Text),
            ("actor", Text),
            ("event", Text),
            ("from_state", Text),
            ("to_state", Text),
            ("reason", Text),
            ("detail", Text),
            ("request_id", Text),
        ],
    },
    Table { name: "person_keys", key: &["tenant_id", "person"], columns: &[("tenant_id", Big), ("person", Text), ("value", Text)] },
    Table {
        name: "former_groups",
        key: &["tenant_id", "person", "group_id"],
        columns: &[("tenant_id", Big), ("person", Text), ("group_id", Text)],
    },
    Table {
        name: "credentials",
        key: &["tenant_id", "person"],
        columns: &[("tenant_id", Big), ("person", Text), ("hash", Text), ("changed_at", Big), ("origin", Text)],
    },
    Table {
        name: "bulk_jobs",
        key: &["id"],
        columns: &[
            ("id", Text),
            ("tenant_id", Big),
            ("kind", Text),
            ("actor", Text),
            ("total", Big),
            ("done", Big),
            ("failed", Big),
            ("created_at", Big),
            ("ended_at", Big),
            ("argument", Text),
        ],
    },
    Table {
        name: "bulk_items",
        key: &["tenant_id", "job_id", "member_id"],
        columns: &[("tenant_id", Big), ("job_id", Text), ("member_id", Text), ("outcome", Text)],
    },
    Table {
        name: "purge_steps",
        key: &["tenant_id", "person", "step"],
        columns: &[("tenant_id", Big), ("person", Text), ("step", Text), ("at", Big)],
    },
    Table {
        name: "suppressions",
        key: &["tenant_id", "hash"],
        columns: &[("tenant_id", Big), ("hash", Text), ("reason", Text), ("created_at", Big), ("expires_at", Big)],
    },
    Table {
        name: "freezes",
        key: &["id"],
        columns: &[
            ("id", Text),
            ("tenant_id", Big),
            ("from_at", Big),
            ("to_at", Big),
            ("members", Big),
            ("base", Big),
            ("opened_at", Big),
            ("confirmed_at", Big),
            ("confirmed_by", Text),
        ],
    },
    Table { name: "locations", key: &["tenant_id", "name"], columns: &[("tenant_id", Big), ("name", Text), ("created_at", Big)] },
];
