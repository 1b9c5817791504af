//! Histories, anonymisations and invitations of many.

use super::Check;

/// A table whose rows of a person must be gone once that person is anonymised.
macro_rules! left_over {
    ($table:literal, $what:literal) => {
        Check {
            table: $table,
            what: concat!($what, " of somebody who was anonymised"),
            sql: concat!(
                "SELECT x.tenant_id AS t, x.person AS i, '' AS d FROM ",
                $table,
                " x JOIN purge_steps s ON s.tenant_id = x.tenant_id AND s.person = x.person AND s.step = 'purge_copies'"
            ),
        }
    };
}

pub(super) const CHECKS: &[Check] = &[
    // Whatever the order in which several servers wrote: a member has come once more into the state that it is in than it has left
    // it, and as often for any other. Somebody who was there before the roll began in some state.
    Check {
        table: "audit_events",
        what: "the history does not lead to the member's state",
        sql: "SELECT p.tenant_id AS t, p.id AS i, 'the member is ' || p.word AS d FROM \
                (SELECT tenant_id + 0 AS tenant_id, person, id, CASE state WHEN 1 THEN 'uninvited' WHEN 2 THEN 'invited' WHEN 3 THEN 'claimed' \
                   WHEN 5 THEN 'deprovisioned' ELSE 'quarantined (' || CASE prior WHEN 1 THEN 'uninvited' WHEN 2 THEN 'invited' \
                   ELSE 'claimed' END || CASE kind WHEN 3 THEN ', deleted)' ELSE ')' END END AS word \
                 FROM resources WHERE kind + 0 IN (1, 3, 4)) p \
              JOIN (SELECT tenant_id, person, MAX(CASE WHEN from_state = 'absent' AND to_state <> 'absent' THEN 1 ELSE 0 END) AS born \
                    FROM audit_events GROUP BY tenant_id, person) h ON h.tenant_id = p.tenant_id AND h.person = p.person \
              LEFT JOIN (SELECT tenant_id, person, word, SUM(n) AS n FROM \
                  (SELECT tenant_id, person, to_state AS word, 1 AS n FROM audit_events WHERE from_state <> to_state UNION ALL \
                   SELECT tenant_id, person, from_state, -1 FROM audit_events WHERE from_state <> to_state) moves \
                GROUP BY tenant_id, person, word) b ON b.tenant_id = p.tenant_id AND b.person = p.person AND b.word = p.word \
              WHERE COALESCE(b.n, 0) NOT IN (h.born, 1)",
    },
    Check {
        table: "audit_events",
        what: "the key to what is sealed in it is gone, but the member is not",
        sql: "SELECT e.tenant_id AS t, e.id AS i, 'person ' || e.person AS d FROM audit_events e \
              JOIN (SELECT tenant_id + 0 AS tenant_id, person FROM resources WHERE kind + 0 IN (1, 3)) p ON p.tenant_id = e.tenant_id AND p.person = e.person \
              LEFT JOIN person_keys k ON k.tenant_id = e.tenant_id AND k.person = e.person \
              WHERE e.detail IS NOT NULL AND k.person IS NULL",
    },
    Check {
        table: "purge_steps",
        what: "an anonymisation that is done, or not done, and the member says otherwise",
        sql: "SELECT r.tenant_id AS t, r.id AS i, '' AS d FROM resources r \
              LEFT JOIN purge_steps s ON s.tenant_id = r.tenant_id AND s.person = r.person AND s.step = 'anonymise' \
              WHERE r.kind IN (1, 3, 4) AND ((r.kind = 4 AND s.step IS NULL) OR (r.kind <> 4 AND s.step IS NOT NULL))",
    },
    Check {
        table: "purge_steps",
        what: "the last step of an anonymisation is done and due, or neither",
        sql: "SELECT r.tenant_id AS t, r.id AS i, '' AS d FROM resources r \
              LEFT JOIN purge_steps s ON s.tenant_id = r.tenant_id AND s.person = r.person AND s.step = 'purge_copies' \
              WHERE r.kind = 4 AND ((r.purge_at IS NULL AND s.step IS NULL) OR (r.purge_at IS NOT NULL AND s.step IS NOT NULL))",
    },
    Check {
        table: "purge_steps",
        what: "a step of somebody who is not there, or one that nobody knows",
        sql: "SELECT s.tenant_id AS t, s.person AS i, s.step AS d FROM purge_steps s \
              LEFT JOIN (SELECT tenant_id + 0 AS tenant_id, person FROM resources WHERE kind + 0 IN (1, 3, 4)) p \
                ON p.tenant_id = s.tenant_id AND p.person = s.person \
              WHERE p.person IS NULL OR s.step NOT IN ('leave_groups', 'clear_references', 'anonymise', 'purge_copies')",
    },
    left_over!("invitations", "a link"),
    left_over!("access_codes", "a code"),
    left_over!("credentials", "a password"),
    left_over!("outbox", "a letter"),
    left_over!("person_keys", "the key"),
    Check {
        table: "provisioning_log",
        what: "changes of somebody who was anonymised",
        sql: "SELECT x.tenant_id AS t, x.id AS i, 'person ' || x.subject AS d FROM provisioning_log x \
              JOIN purge_steps s ON s.tenant_id = x.tenant_id AND s.person = x.subject AND s.step = 'purge_copies' WHERE x.changes <> '[]'",
    },
    Check {
        table: "bulk_items",
        what: "the job is not there",
        sql: "SELECT x.tenant_id AS t, x.job_id AS i, 'member ' || x.member_id AS d FROM bulk_items x \
              LEFT JOIN bulk_jobs j ON j.tenant_id = x.tenant_id AND j.id = x.job_id WHERE j.id IS NULL",
    },
    // Those who were anonymised since are no longer on the list.
    Check {
        table: "bulk_jobs",
        what: "the counts are not those of the list",
        sql: "SELECT j.tenant_id AS t, j.id AS i, 'of ' || CAST(j.total AS TEXT) || ' it says ' || CAST(j.done AS TEXT) || ' done and ' \
                || CAST(j.failed AS TEXT) || ' failed; the list has ' || CAST(COALESCE(x.waiting, 0) AS TEXT) || ' waiting, ' \
                || CAST(COALESCE(x.done, 0) AS TEXT) || ' done, ' || CAST(COALESCE(x.failed, 0) AS TEXT) || ' failed' AS d FROM bulk_jobs j \
              LEFT JOIN (SELECT tenant_id, job_id, SUM(CASE WHEN outcome IS NULL THEN 1 ELSE 0 END) AS waiting, \
                  SUM(CASE WHEN outcome = 'ok' THEN 1 ELSE 0 END) AS done, SUM(CASE WHEN outcome <> 'ok' THEN 1 ELSE 0 END) AS failed \
                FROM bulk_items GROUP BY tenant_id, job_id) x ON x.tenant_id = j.tenant_id AND x.job_id = j.id \
              WHERE j.total - j.done - j.failed <> COALESCE(x.waiting, 0) \
                OR j.done < COALESCE(x.done, 0) OR j.failed < COALESCE(x.failed, 0)",
    },
    Check {
        table: "bulk_jobs",
        what: "it has ended and is under way, or neither",
        sql: "SELECT j.tenant_id AS t, j.id AS i, '' AS d FROM bulk_jobs j \
              WHERE (j.ended_at IS NOT NULL AND j.done + j.failed < j.total) OR (j.ended_at IS NULL AND j.done + j.failed >= j.total)",
    },
];
