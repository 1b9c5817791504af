//! What the databases are asked to do: the filters that providers send use an index, and nobody reads members in vain.

use crate::clients::{EMPLOYEE, group_path, id, user_path};
use crate::harness::{Db, Server};
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use rollbook::domain::TenantId;
use rollbook::scim::dialect::{Declared, Reading};
use rollbook::scim::parse::Limits;
use rollbook::scim::schema::ResourceKind;
use rollbook::scim::{ResourceType, filter};
use rollbook::service::tenants;
use rollbook::store::list::{self, Part, Query, Window};
use rollbook::store::roster::{self, Among, Chosen};
use rollbook::store::sql::Sql;
use rollbook::store::{Conn, Dialect, Kind, backend, counts, due, emails, members, resources};
use serde_json::json;

/// How many users a tenant of these tests has; as many groups, and as many members in group 1.
const MANY: i64 = 20_000;

/// The filters that must be served by an index: kind, filter, what SQLite's plan shows, the index PostgreSQL uses.
const SERVED: [(Kind, &str, &str, &str); 13] = [
    (Kind::User, r#"id eq "user7""#, "id=?", "resources_pkey"),
    (Kind::User, r#"userName eq "USER7""#, "resources_unique_key (tenant_id=? AND kind=? AND unique_key=?)", "resources_unique_key"),
    (Kind::User, r#"userName sw "user77""#, "unique_key>? AND unique_key<?", "resources_unique_key"),
    (Kind::User, r#"externalId eq "ext7""#, "external_id=?", "resources_external_id"),
    (Kind::User, r#"externalId sw "ext77""#, "external_id>? AND external_id<?", "resources_external_id"),
    (Kind::User, r#"displayName eq "Label7""#, "display_key=?", "resources_display_key"),
    (Kind::Group, r#"displayName eq "Label7""#, "display_key=?", "resources_display_key"),
    (Kind::Group, r#"displayName sw "Label77""#, "display_key>? AND display_key<?", "resources_display_key"),
    (Kind::User, r#"emails.value eq "user7@x""#, "value_key=?", "resource_emails_pkey"),
    (Kind::User, r#"emails.value sw "user77""#, "value_key>? AND value_key<?", "resource_emails_pkey"),
    (Kind::User, r#"emails[type eq "work" and value eq "user7@x"]"#, "value_key=?", "resource_emails_pkey"),
    (Kind::Group, r#"members.value eq "user7""#, "member_id=?", "group_members_member"),
    (Kind::User, r#"groups.value eq "group7""#, "group_id=?", "group_members_pkey"),
];

/// A tenant with many rows, written by hand; user n is in group n, and every user in group 1.
fn fill(server: &Server) -> (Conn, TenantId) {
    let name = server.tenant().tenant;
    let mut conn = server.connect();
    let tenant = tenants::named(&mut conn, &name).unwrap().id;
    let t = tenant.0;
    let numbers = format!("WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {MANY})");
    let json = if conn.dialect() == Dialect::Postgres { "::jsonb" } else { "" };
    for (kind, word, email) in [(1, "user", ",\"emails\":[{\"type\":\"work\",\"value\":\"user' || n || '@x\"}]"), (2, "group", "")] {
        let sql = format!(
            "{numbers} INSERT INTO resources (tenant_id, kind, id, version, created_at, modified_at, member_count, unique_key, display_key, \
             external_id, manager, label, label_derived, doc, fdoc) SELECT {t}, {kind}, '{word}' || n, 1, 0, 0, 0, '{word}' || n, \
             'label' || n, 'ext' || n, NULL, 'Label' || n, FALSE, '{{}}', ('{{\"title\":\"t\"{email}}}'){json} FROM s"
        );
        conn.batch_execute(&sql).unwrap();
    }
    for sql in [
        format!("{numbers} INSERT INTO resource_emails SELECT {t}, 'user' || n || '@x', 'user' || n FROM s"),
        format!("{numbers} INSERT INTO group_members SELECT {t}, 'group' || n, 'user' || n, 1 FROM s"),
        format!("{numbers} INSERT INTO group_members SELECT {t}, 'group1', 'user' || n, 1 FROM s WHERE n > 1"),
    ] {
        conn.batch_execute(&sql).unwrap();
    }
    (conn, tenant)
}

fn query(kind: Kind, text: &str) -> Query {
    let rt = ResourceType::of(if kind == Kind::User { ResourceKind::User } else { ResourceKind::Group });
    let filter = filter::resolve(rt, text, Limits::default(), &mut Reading::of(Declared::Rfc)).unwrap();
    Query { parts: vec![Part { kind, filter: Some(filter) }], sort: None }
}

/// The windows that lists are read through.
fn windows() -> [Window; 2] {
    [Window::Offset { skip: 0, limit: 100, total: None }, Window::After { last: None, limit: 101 }]
}

/// The plan of a page, as text.
fn plan(conn: &mut Conn, tenant: TenantId, query: &Query, window: &Window) -> String {
    explained(conn, list::statement(tenant, query, window, conn.dialect()))
}

/// The plan of a statement, as text.
fn explained(conn: &mut Conn, sql: Sql<'_>) -> String {
    let lines: Vec<String> = match conn.dialect() {
        Dialect::Sqlite => {
            let rows = Sql::new("EXPLAIN QUERY PLAN ").and(sql).load::<(BigInt, BigInt, BigInt, Text), (i64, i64, i64, String)>(conn);
            rows.unwrap().into_iter().map(|r| r.3).collect()
        }
        Dialect::Postgres => Sql::new("EXPLAIN ").and(sql).load::<Text, String>(conn).unwrap(),
    };
    lines.join("\n")
}

/// Scans of whole tables, and rows read from the big tables, on this connection so far.
fn read_so_far(conn: &mut Conn) -> Result<(i64, i64), rollbook::store::Error> {
    let rows = Sql::new(
        "SELECT CAST(SUM(seq_scan) AS BIGINT), CAST(SUM(seq_tup_read + COALESCE(idx_tup_fetch, 0)) AS BIGINT) \
         FROM pg_stat_xact_user_tables WHERE relname IN ('resources', 'resource_emails', 'group_members')",
    )
    .load::<(BigInt, BigInt), _>(conn)?;
    Ok(rows[0])
}

/// How many rows of the big tables PostgreSQL reads for `work`; a scan of a whole table counts as more than any test allows.
fn fetched<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> T) -> (T, i64) {
    backend::write(conn, |conn| {
        let before = read_so_far(conn)?;
        let result = work(conn);
        let after = read_so_far(conn)?;
        Ok::<_, rollbook::store::Error>((result, after.1 - before.1 + (after.0 - before.0) * 1_000_000))
    })
    .unwrap()
}

/// SQLite answers the filters of providers from an index, without and with knowledge of the data.
#[test]
fn sqlite_searches() {
    let server = Server::start(Db::Sqlite);
    let (mut conn, tenant) = fill(&server);
    let mut failures = Vec::new();
    for analyze in [false, true] {
        if analyze {
            conn.batch_execute("ANALYZE").unwrap();
        }
        for (kind, text, index, _) in SERVED {
            for window in windows() {
                let plan = plan(&mut conn, tenant, &query(kind, text), &window);
                let scans = |l: &str| ["SCAN r", "SCAN m", "SCAN e", "SCAN g"].iter().any(|s| l == *s || l.starts_with(&format!("{s} ")));
                if !plan.contains("SEARCH") || !plan.contains(index) || plan.lines().any(scans) {
                    failures.push(format!("{text}, analyzed: {analyze}\n{plan}\n"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Gathers statistics, each table's by itself: the server does so too. PostgreSQL is kept from reading small tables whole.
fn analyzed(conn: &mut Conn) {
    conn.batch_execute("ANALYZE").unwrap();
    if conn.dialect() == Dialect::Postgres {
        conn.batch_execute("SET enable_seqscan = off").unwrap();
    }
}

/// An admin's lists and filters are served by the same indexes, those of hidden members too; a page in the order of ids is
/// a stretch of the primary key, and nothing is sorted for it.
#[test]
fn rosters() {
    for db in [Db::Sqlite, Db::Postgres] {
        let server = Server::start(db);
        let (mut conn, tenant) = fill(&server);
        analyzed(&mut conn);
        let dialect = conn.dialect();
        for kind in [1, 3] {
            let everybody = Chosen { among: Among::Everybody, filter: None };
            let plan = explained(&mut conn, roster::statement(tenant, &everybody, kind, "user7", 101, dialect));
            let key = if db == Db::Sqlite { "(tenant_id=? AND kind=? AND id>?)" } else { "resources_pkey" };
            assert!(plan.contains(key) && !plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
            for (_, text, sqlite, postgres) in SERVED.iter().filter(|(of, ..)| *of == Kind::User) {
                let filter = query(Kind::User, text).parts[0].filter.clone();
                let chosen = Chosen { among: Among::Everybody, filter };
                let plan = explained(&mut conn, roster::statement(tenant, &chosen, kind, "", 101, dialect));
                // Nobody is hidden here, which PostgreSQL knows: to it one index is as good as the other then.
                let index = if db == Db::Sqlite { sqlite } else { postgres };
                assert!(plan.contains(index) || (db == Db::Postgres && kind == 3), "{kind}, {text}:\n{plan}");
                assert!(!plan.lines().any(|l| l == "SCAN r") && !plan.contains("Seq Scan on resources"), "{kind}, {text}:\n{plan}");
            }
        }
        let (page, read) = match db {
            Db::Sqlite => (roster::page(&mut conn, tenant, &Chosen { among: Among::Everybody, filter: None }, "user7", 10).unwrap(), 0),
            Db::Postgres => {
                fetched(&mut conn, |c| roster::page(c, tenant, &Chosen { among: Among::Everybody, filter: None }, "user7", 10).unwrap())
            }
        };
        assert_eq!(page.len(), 10);
        assert!(read <= 20, "{read} rows were read");
    }
}

/// PostgreSQL answers the filters of providers from an index, and reads only a few rows.
#[test]
fn postgres_searches() {
    let server = Server::start(Db::Postgres);
    let (mut conn, tenant) = fill(&server);
    analyzed(&mut conn);
    let mut failures = Vec::new();
    for (kind, text, _, index) in SERVED {
        for window in windows() {
            let query = query(kind, text);
            let plan = plan(&mut conn, tenant, &query, &window);
            let (rows, read) = fetched(&mut conn, |c| list::page(c, tenant, &query, &window).unwrap());
            assert!(!rows.is_empty(), "{text} finds nothing");
            let most = 4 * i64::try_from(rows.len()).unwrap() + 4;
            if !plan.contains(index) || plan.contains("Seq Scan on resources") || read > most {
                failures.push(format!("{text} reads {read} rows for {}:\n{plan}\n", rows.len()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A filter without an index is not mistaken for one that has one.
#[test]
fn the_check_has_teeth() {
    let server = Server::start(Db::Postgres);
    let (mut conn, tenant) = fill(&server);
    analyzed(&mut conn);
    let [window, _] = windows();
    let query = query(Kind::User, r#"displayName co "bel7""#);
    let (rows, read) = fetched(&mut conn, |c| list::page(c, tenant, &query, &window).unwrap());
    assert!(read > 4 * i64::try_from(rows.len()).unwrap() + 4);
}

/// What is done to one resource, or one member of a large group, reads a few rows.
#[test]
fn postgres_reads_what_it_needs() {
    let server = Server::start(Db::Postgres);
    let (mut conn, tenant) = fill(&server);
    conn.batch_execute("ANALYZE").unwrap();
    let mut failures = Vec::new();
    let mut check = |what: &str, read: i64, most: i64| {
        if read > most {
            failures.push(format!("{what} reads {read} rows"));
        }
    };
    let (row, read) = fetched(&mut conn, |c| resources::find(c, tenant, Kind::User, "user7").unwrap());
    check("find", read, 1);
    assert_eq!(row.unwrap().id, "user7");
    let (row, read) = fetched(&mut conn, |c| resources::lock(c, tenant, Kind::Group, "group7").unwrap());
    check("lock", read, 2);
    assert_eq!(row.unwrap().id, "group7");
    let (page, read) = fetched(&mut conn, |c| members::page(c, tenant, "group1", "user2", 10).unwrap());
    check("a page of members", read, 40);
    assert_eq!(page.len(), 10);
    let new = [("user8".to_owned(), Kind::User)];
    let (added, read) = fetched(&mut conn, |c| members::add(c, tenant, "group9", &new).unwrap());
    check("adding a member", read, 1);
    let (removed, read) = fetched(&mut conn, |c| members::remove(c, tenant, "group1", &["user9"]).unwrap());
    check("removing a member", read, 2);
    assert_eq!((added.len(), removed.len()), (1, 1));
    let (groups, read) = fetched(&mut conn, |c| members::groups_of(c, tenant, &["user7"]).unwrap());
    check("the groups of a user", read, 8);
    assert_eq!(groups.len(), 2);
    let ((), read) = fetched(&mut conn, |c| resources::members_changed(c, tenant, "group1", 1, 0).unwrap());
    check("counting a member", read, 1);
    let ((), read) = fetched(&mut conn, |c| emails::remove(c, tenant, "user7", &["user7@x".to_owned()]).unwrap());
    check("removing an address", read, 1);
    let (total, read) = fetched(&mut conn, |c| counts::total(c, tenant, &[Kind::User]).unwrap());
    check("the total", read, 0);
    assert_eq!(total, 0, "the rows were written by hand");
    // The last page is counted from the end.
    let all = Query { parts: vec![Part { kind: Kind::User, filter: None }], sort: None };
    let last = Window::Offset { skip: MANY - 10, limit: 10, total: Some(MANY) };
    let (page, read) = fetched(&mut conn, |c| list::page(c, tenant, &all, &last).unwrap());
    check("the last page", read, 40);
    assert_eq!(page.len(), 10);
    assert!(failures.is_empty(), "{failures:#?}");
}

on_both! {
    /// Members that are not shown are not read: the table may be gone.
    fn excluded_members_are_not_read(server) {
        let client = server.tenant();
        let user = client.user("member");
        let path = group_path(&client.group("hidden", &[id(&user)]));
        server.connect().batch_execute("ALTER TABLE group_members RENAME TO elsewhere").unwrap();
        for query in ["excludedAttributes=members", "attributes=displayName"] {
            assert_eq!(client.get(&format!("{path}?{query}")).expect(200)["displayName"], "hidden");
            assert_eq!(client.get(&format!("/Groups?{query}")).expect(200)["totalResults"], 1);
            let found = client.get(&format!("/Groups?{query}&filter=displayName+eq+%22HIDDEN%22")).expect(200);
            assert_eq!(found["totalResults"], 1);
        }
        assert_eq!(client.get(&path).status, 500, "the check has no teeth");
        assert_eq!(client.get(&user_path(&user)).status, 500, "the check has no teeth");
        server.connect().batch_execute("ALTER TABLE elsewhere RENAME TO group_members").unwrap();
        assert_eq!(client.get(&path).expect(200)["members"], json!([{
            "value": id(&user), "$ref": format!("{}{}", client.base, user_path(&user)), "type": "User", "display": "member"
        }]));
    }
}

/// The condition that a filter becomes, with `?` for what came from the client.
fn condition(text: &str, dialect: Dialect) -> String {
    let kind = if text.starts_with("members") { Kind::Group } else { Kind::User };
    let [window, _] = windows();
    let shape = list::statement(TenantId(1), &query(kind, text), &window, dialect).shape();
    let (_, condition) = shape.split_once("r.tenant_id = ? AND r.kind = ? AND ").unwrap();
    let (condition, _) = condition.split_once(" ORDER BY ").unwrap();
    condition.to_owned()
}

/// R127: the SQL of typical filters. Nothing that a client sends is part of it.
#[test]
fn filters_as_sql() {
    let email =
        "(r.id IN (SELECT e.resource_id FROM resource_emails e WHERE e.tenant_id = ? AND e.value_key = ?) AND EXISTS (SELECT 1 FROM ";
    let hired = format!(r#"{EMPLOYEE}:hireDate gt "2024-01-01""#);
    for (text, sqlite, postgres) in [
        (
            r#"userName eq "O'Neil%""#,
            "(r.unique_key IS NOT NULL AND r.unique_key = ?)".to_owned(),
            "(r.unique_key IS NOT NULL AND r.unique_key = ?)".to_owned(),
        ),
        (
            r#"title co "'; --" or title sw "x""#,
            r#"(COALESCE(instr(json_extract(r.fdoc, '$."title"'), ?) > 0, FALSE) OR COALESCE((json_extract(r.fdoc, '$."title"') >= ? AND json_extract(r.fdoc, '$."title"') < ?), FALSE))"#.to_owned(),
            r#"(COALESCE(strpos(((r.fdoc -> 'title') #>> '{}') COLLATE "C", ?) > 0, FALSE) OR COALESCE((((r.fdoc -> 'title') #>> '{}') COLLATE "C" >= ? AND ((r.fdoc -> 'title') #>> '{}') COLLATE "C" < ?), FALSE))"#.to_owned(),
        ),
        (
            "not (active eq true)",
            r#"NOT (COALESCE((json_extract(r.fdoc, '$."active"') = ?), FALSE))"#.to_owned(),
            r"NOT (COALESCE((((r.fdoc -> 'active') #>> '{}')::boolean = ?), FALSE))".to_owned(),
        ),
        (
            r#"emails[type eq "work" and value eq "x"]"#,
            format!(r#"{email}json_each(r.fdoc, '$."emails"') x WHERE (COALESCE(json_extract(x.value, '$."type"') = ?, FALSE) AND COALESCE(json_extract(x.value, '$."value"') = ?, FALSE))))"#),
            format!(r#"{email}jsonb_array_elements((r.fdoc -> 'emails')) x(value) WHERE (COALESCE((x.value ->> 'type') COLLATE "C" = ?, FALSE) AND COALESCE((x.value ->> 'value') COLLATE "C" = ?, FALSE))))"#),
        ),
        (
            hired.as_str(),
            format!(r#"COALESCE(json_extract(r.fdoc, '$."{EMPLOYEE}"."hireDate"') > ?, FALSE)"#),
            format!("COALESCE(((r.fdoc -> '{EMPLOYEE}' -> 'hireDate') #>> '{{}}') COLLATE \"C\" > ?, FALSE)"),
        ),
    ] {
        assert_eq!(condition(text, Dialect::Sqlite), sqlite, "{text}");
        assert_eq!(condition(text, Dialect::Postgres), postgres, "{text}");
    }
}

/// R127: one text for every value, so that nothing of a value can be read as SQL.
#[test]
fn values_are_binds() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        for op in ["eq", "ne", "co", "sw", "gt", "le"] {
            for name in ["userName", "title", "emails.value", "groups.display", "id"] {
                let with = |value: &str| condition(&format!("{name} {op} {}", json!(value)), dialect);
                assert_eq!(with("x"), with("'); DROP TABLE resources; -- $1 ? {} \\"), "{name} {op}");
            }
        }
    }
}

/// A table that has grown is analysed once, and not again until it has grown further.
#[test]
fn statistics_follow_growth() {
    let server = Server::start(Db::Postgres);
    let client = server.tenant();
    for n in 0..90 {
        client.user(&format!("user{n}"));
    }
    let known = |conn: &mut Conn| -> i64 {
        let counted = Sql::new("SELECT count(*) FROM pg_stats WHERE tablename = 'resources' AND schemaname = current_schema()");
        counted.load::<diesel::sql_types::BigInt, _>(conn).unwrap()[0]
    };
    let mut conn = server.connect();
    let started = std::time::Instant::now();
    while known(&mut conn) == 0 {
        assert!(started.elapsed().as_secs() < 30, "the server never analysed its tables");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(!backend::analyze_if_grown(&mut conn).unwrap(), "nothing has grown since");
    assert!(!backend::analyze_if_grown(&mut Server::start(Db::Sqlite).connect()).unwrap());
}

/// What the clock asks for twice a second is found by an index, however many members there are.
#[test]
fn the_clock_reads_no_tenant() {
    for db in [Db::Sqlite, Db::Postgres] {
        let server = Server::start(db);
        let (mut conn, _) = fill(&server);
        let sql = due::quarantined(0);
        let lines: Vec<String> = if db == Db::Sqlite {
            let rows: Vec<(i64, i64, i64, String)> =
                Sql::new("EXPLAIN QUERY PLAN ").and(sql).load::<(BigInt, BigInt, BigInt, Text), _>(&mut conn).unwrap();
            rows.into_iter().map(|r| r.3).collect()
        } else {
            conn.batch_execute("ANALYZE").unwrap();
            Sql::new("EXPLAIN ").and(sql).load::<Text, String>(&mut conn).unwrap()
        };
        assert!(lines.iter().any(|l| l.contains("resources_quarantined")), "{db:?}: {lines:#?}");
    }
}
