//! Sources, and what belongs to them.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        table: "sources",
        what: "the tenant has no source \"default\"",
        sql: "SELECT n.id AS t, n.name AS i, '' AS d FROM tenants n \
              LEFT JOIN sources s ON s.tenant_id = n.id AND s.name = 'default' WHERE s.name IS NULL",
    },
    Check {
        table: "tokens",
        what: "its source is not there",
        sql: "SELECT k.tenant_id AS t, k.id AS i, 'source ' || k.source AS d FROM tokens k \
              LEFT JOIN sources s ON s.tenant_id = k.tenant_id AND s.name = k.source WHERE s.name IS NULL AND k.revoked_at IS NULL",
    },
    Check {
        table: "tokens",
        what: "it follows a token that is not there",
        sql: "SELECT k.tenant_id AS t, k.id AS i, 'token ' || k.replaces AS d FROM tokens k \
              LEFT JOIN tokens o ON o.tenant_id = k.tenant_id AND o.id = k.replaces WHERE k.replaces IS NOT NULL AND o.id IS NULL",
    },
    Check {
        table: "oauth_clients",
        what: "its source is not there",
        sql: "SELECT k.tenant_id AS t, k.id AS i, 'source ' || k.source AS d FROM oauth_clients k \
              LEFT JOIN sources s ON s.tenant_id = k.tenant_id AND s.name = k.source WHERE s.name IS NULL AND k.revoked_at IS NULL",
    },
    Check {
        table: "trusted_issuers",
        what: "its source is not there",
        sql: "SELECT k.tenant_id AS t, k.id AS i, 'source ' || k.source AS d FROM trusted_issuers k \
              LEFT JOIN sources s ON s.tenant_id = k.tenant_id AND s.name = k.source WHERE s.name IS NULL",
    },
];
