//! Links, codes, passwords and letters: whose they are, and whether they may be there.

use super::Check;

/// Members with the person that each is, beside a table `x`.
macro_rules! beside_members {
    ($columns:literal, $table:literal) => {
        concat!(
            "SELECT x.tenant_id AS t, ",
            $columns,
            " FROM ",
            $table,
            " x LEFT JOIN (SELECT tenant_id + 0 AS tenant_id, person, id, kind, state, prior FROM resources WHERE kind + 0 IN (1, 3, 4)) p \
             ON p.tenant_id = x.tenant_id AND p.person = x.person WHERE "
        )
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        table: "invitations",
        what: "the member is not there",
        sql: concat!(beside_members!("x.person AS i, 'generation ' || CAST(x.generation AS TEXT) AS d", "invitations"), "p.id IS NULL"),
    },
    Check {
        table: "invitations",
        what: "the link is live, but the member is not invited",
        sql: concat!(
            beside_members!("x.person AS i, 'generation ' || CAST(x.generation AS TEXT) AS d", "invitations"),
            "x.state = 'live' AND p.id IS NOT NULL AND NOT (p.kind = 1 AND p.state = 2)"
        ),
    },
    Check {
        table: "invitations",
        what: "it has ended and is live, or neither",
        sql: "SELECT x.tenant_id AS t, x.person AS i, 'generation ' || CAST(x.generation AS TEXT) AS d FROM invitations x \
              WHERE (x.state = 'live' AND x.ended_at IS NOT NULL) OR (x.state <> 'live' AND x.ended_at IS NULL)",
    },
    Check {
        table: "invitations",
        what: "a reminder is due for a link that is not live",
        sql: "SELECT x.tenant_id AS t, x.person AS i, 'generation ' || CAST(x.generation AS TEXT) AS d FROM invitations x \
              WHERE x.state <> 'live' AND x.remind_at IS NOT NULL",
    },
    Check {
        table: "resources",
        what: "generation is not that of the last link",
        sql: "SELECT r.tenant_id AS t, r.id AS i, \
                'it says ' || CAST(r.generation AS TEXT) || ', the last is ' || CAST(COALESCE(x.last, 0) AS TEXT) AS d FROM resources r \
              LEFT JOIN (SELECT tenant_id, person, MAX(generation) AS last FROM invitations GROUP BY tenant_id, person) x \
                ON x.tenant_id = r.tenant_id AND x.person = r.person \
              WHERE r.kind IN (1, 3) AND r.generation <> COALESCE(x.last, 0)",
    },
    Check {
        table: "access_codes",
        what: "the member is not there",
        sql: concat!(beside_members!("x.id AS i, 'person ' || x.person AS d", "access_codes"), "p.id IS NULL"),
    },
    Check {
        table: "access_codes",
        what: "the code is live, but the member is neither invited nor claimed",
        sql: concat!(
            beside_members!("x.id AS i, 'person ' || x.person AS d", "access_codes"),
            "x.state = 'live' AND p.id IS NOT NULL AND NOT (p.kind = 1 AND p.state IN (2, 3))"
        ),
    },
    Check {
        table: "access_codes",
        what: "it has ended and is live, or neither",
        sql: "SELECT x.tenant_id AS t, x.id AS i, 'person ' || x.person AS d FROM access_codes x \
              WHERE (x.state = 'live' AND x.ended_at IS NOT NULL) OR (x.state <> 'live' AND x.ended_at IS NULL)",
    },
    Check {
        table: "access_codes",
        what: "a copy is kept of a code that is not live, or none of one that is",
        sql: "SELECT x.tenant_id AS t, x.id AS i, 'person ' || x.person AS d FROM access_codes x \
              WHERE (x.state = 'live' AND x.sealed IS NULL) OR (x.state <> 'live' AND x.sealed IS NOT NULL)",
    },
    Check {
        table: "credentials",
        what: "a password of somebody who has not claimed",
        sql: concat!(
            beside_members!("x.person AS i, '' AS d", "credentials"),
            "p.id IS NULL OR (x.origin = 'claim' AND NOT (p.kind = 4 OR COALESCE(p.prior, p.state) = 3))"
        ),
    },
    Check {
        table: "credentials",
        what: "the hash cannot be read",
        sql: "SELECT x.tenant_id AS t, x.person AS i, '' AS d FROM credentials x WHERE x.hash NOT LIKE '$argon2%$%$%$%'",
    },
    Check {
        table: "tokens",
        what: "the member whose own it is is not there, or was anonymised",
        sql: "SELECT x.tenant_id AS t, x.id AS i, 'person ' || x.member AS d FROM tokens x \
              LEFT JOIN (SELECT tenant_id + 0 AS tenant_id, person, kind, purge_at FROM resources WHERE kind + 0 IN (1, 3, 4)) p \
                ON p.tenant_id = x.tenant_id AND p.person = x.member \
              WHERE x.member IS NOT NULL AND (p.person IS NULL OR (p.kind = 4 AND p.purge_at IS NULL))",
    },
    Check {
        table: "outbox",
        what: "the member whom it is about is not there",
        sql: concat!(beside_members!("x.id AS i, 'person ' || x.person AS d", "outbox"), "x.person IS NOT NULL AND p.id IS NULL"),
    },
    Check {
        table: "outbox",
        what: "it has ended and is queued, or neither",
        sql: "SELECT x.tenant_id AS t, x.id AS i, x.state AS d FROM outbox x \
              WHERE (x.state = 'queued' AND x.ended_at IS NOT NULL) OR (x.state <> 'queued' AND x.ended_at IS NULL)",
    },
    Check {
        table: "outbox",
        what: "somebody has it who could send it, but it is not queued",
        sql: "SELECT x.tenant_id AS t, x.id AS i, x.state AS d FROM outbox x WHERE x.state <> 'queued' AND x.leased_until IS NOT NULL",
    },
];
