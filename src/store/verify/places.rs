//! Users, groups, who is in which, and the totals.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        table: "tenants",
        what: "a counter of its users or groups is missing",
        sql: "SELECT n.id AS t, n.name AS i, CAST(COALESCE(c.slots, 0) AS TEXT) || ' of 128 are there' AS d FROM tenants n \
              LEFT JOIN (SELECT tenant_id, COUNT(*) AS slots FROM resource_counts WHERE kind IN (1, 2) GROUP BY tenant_id) c \
              ON c.tenant_id = n.id WHERE COALESCE(c.slots, 0) <> 128",
    },
    Check {
        table: "resource_counts",
        what: "the total is wrong",
        sql: "SELECT n.id AS t, CASE k.kind WHEN 1 THEN 'users' WHEN 2 THEN 'groups' ELSE 'kind ' || CAST(k.kind AS TEXT) END AS i, \
                'it says ' || CAST(COALESCE(c.total, 0) AS TEXT) || ', there are ' || CAST(COALESCE(r.there, 0) AS TEXT) AS d \
              FROM tenants n JOIN (SELECT id AS tenant_id, 1 AS kind FROM tenants UNION ALL SELECT id, 2 FROM tenants \
                UNION ALL SELECT tenant_id, kind FROM tenant_types WHERE kind >= 100) k ON k.tenant_id = n.id \
              LEFT JOIN (SELECT tenant_id, kind, SUM(total) AS total FROM resource_counts GROUP BY tenant_id, kind) c \
                ON c.tenant_id = n.id AND c.kind = k.kind \
              LEFT JOIN (SELECT tenant_id, kind, COUNT(*) AS there FROM resources WHERE kind IN (1, 2) OR kind >= 100 GROUP BY tenant_id, kind) r \
                ON r.tenant_id = n.id AND r.kind = k.kind \
              WHERE COALESCE(c.total, 0) <> COALESCE(r.there, 0)",
    },
    Check {
        table: "resources",
        what: "member_count is wrong",
        sql: "SELECT r.tenant_id AS t, r.id AS i, \
                'it says ' || CAST(r.member_count AS TEXT) || ', there are ' || CAST(COALESCE(m.there, 0) AS TEXT) AS d \
              FROM resources r \
              LEFT JOIN (SELECT tenant_id, group_id, COUNT(*) AS there FROM group_members GROUP BY tenant_id, group_id) m \
                ON m.tenant_id = r.tenant_id AND m.group_id = r.id AND r.kind = 2 \
              WHERE r.member_count <> COALESCE(m.there, 0)",
    },
    Check {
        table: "group_members",
        what: "the group is not there",
        sql: "SELECT m.tenant_id AS t, m.group_id AS i, 'member ' || m.member_id AS d FROM group_members m \
              LEFT JOIN resources r ON r.tenant_id = m.tenant_id AND r.kind = 2 AND r.id = m.group_id WHERE r.id IS NULL",
    },
    Check {
        table: "group_members",
        what: "a member is not there, or is not what member_kind says",
        sql: "SELECT m.tenant_id AS t, m.group_id AS i, 'member ' || m.member_id AS d FROM group_members m \
              LEFT JOIN resources r ON r.tenant_id = m.tenant_id AND r.kind = m.member_kind AND r.id = m.member_id AND r.kind IN (1, 2) \
              WHERE r.id IS NULL",
    },
    Check {
        table: "group_members",
        what: "the group is in itself",
        sql: "SELECT m.tenant_id AS t, m.group_id AS i, '' AS d FROM group_members m WHERE m.group_id = m.member_id",
    },
    Check {
        table: "former_groups",
        what: "groups are kept aside for somebody who was not deleted by an identity provider",
        sql: "SELECT f.tenant_id AS t, f.person AS i, 'group ' || f.group_id AS d FROM former_groups f \
              LEFT JOIN (SELECT tenant_id + 0 AS tenant_id, person, id FROM resources WHERE kind + 0 = 3) p \
                ON p.tenant_id = f.tenant_id AND p.person = f.person WHERE p.id IS NULL",
    },
];
