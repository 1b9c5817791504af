//! What Prometheus is told, where, and what it is never told.

use crate::clients::{Client, id, user_path};
use crate::harness::{Db, Server};
use crate::program::Place;
use crate::scrapes::{Meter, Scrape, named_in};
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use rollbook::app::{Clock, system_clock};
use rollbook::domain::{Idp, Scopes};
use rollbook::metrics::routes::ROUTES;
use rollbook::store::sql::Sql;
use rollbook::store::{Conn, queues};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const SECOND: i64 = 1_000_000;
const REQUESTS: &str = "rollbook_http_requests_total";

/// A count of requests.
fn requests(scrape: &Scrape, route: &str, method: &str, status: &str) -> f64 {
    scrape.get(REQUESTS, &[("route", route), ("method", method), ("status", status)])
}

/// A clock that a test can move.
fn moving() -> (Clock, Arc<AtomicI64>) {
    let (system, ahead) = (system_clock(), Arc::new(AtomicI64::new(0)));
    let moved = ahead.clone();
    (Arc::new(move || system() + moved.load(Ordering::SeqCst)), ahead)
}

on_both! {
    /// A request moves the counter, the histogram and its tenant's counter, and nothing stays in flight.
    fn a_request_is_counted(server) {
        let (meter, client) = (Meter::of(server), server.tenant());
        let user = client.user("first@example.com");
        client.get(&user_path(&user)).expect(200);
        client.get(&user_path(&user)).expect(200);
        client.get("/Users/none").expect(404);
        client.send("HEAD", &user_path(&user), &[], None);
        let scrape = meter.scrape();
        let route = "/scim/v2/Users/{id}";
        assert!((requests(&scrape, "/scim/v2/Users", "POST", "201") - 1.0).abs() < 0.1);
        assert!((requests(&scrape, route, "GET", "200") - 2.0).abs() < 0.1);
        assert!((requests(&scrape, route, "GET", "404") - 1.0).abs() < 0.1);
        assert!((requests(&scrape, route, "HEAD", "200") - 1.0).abs() < 0.1);
        let seconds = |part: &str| scrape.get(&format!("rollbook_http_request_seconds_{part}"), &[("route", route), ("method", "GET")]);
        assert!((seconds("count") - 3.0).abs() < 0.1 && seconds("sum") > 0.0 && seconds("sum") < 10.0);
        let below = |le| scrape.get("rollbook_http_request_seconds_bucket", &[("route", route), ("method", "GET"), ("le", le)]);
        assert!((below("10") - 3.0).abs() < 0.1);
        assert!((scrape.get("rollbook_tenant_requests_total", &[("tenant", &client.tenant)]) - 5.0).abs() < 0.1);
        assert!(scrape.get("rollbook_http_requests_in_flight", &[]).abs() < 0.1);
        assert!(scrape.get("rollbook_database_connections", &[("state", "idle")]) >= 1.0);
        assert!((scrape.get("rollbook_build_info", &[("version", env!("CARGO_PKG_VERSION"))]) - 1.0).abs() < 0.1);
        let writer = scrape.families.contains_key("rollbook_writer_batch_size");
        assert_eq!(writer, server.config.database.url.starts_with("sqlite"), "only SQLite has a writer");
        assert!(!writer || scrape.get("rollbook_writer_batch_size_count", &[]) >= 1.0);
    }

    /// No id, user name, token or path with values is in any label; what is unknown is `other`.
    fn nothing_of_anybody_is_in_a_label(server) {
        let (meter, client) = (Meter::of(server), server.tenant());
        let user = client.user("canaryname@example.com");
        client.get(&user_path(&user)).expect(200);
        client.patch(&user_path(&user), &json!([{"op": "Replace", "path": "active", "value": "False"}])).expect(200);
        client.filter("/Users", "userName eq \"canaryname@example.com\"").expect(200);
        client.delete(&user_path(&user)).expect(204);
        client.get("/canaryname/deep/down").expect(404);
        let outside = format!("{}/canaryname/deep", server.app.origin);
        client.get(&outside).expect(404);
        client.send("CANARYNAME", &outside, &[], None);
        client.get(&format!("{}/claim/canaryname", server.app.origin));
        let (scrape, text) = (meter.scrape(), meter.text());
        for secret in [id(&user), "canaryname", "CANARYNAME", "example.com", client.token.as_deref().unwrap()] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        assert!(requests(&scrape, "other", "GET", "404") >= 2.0);
        assert!((requests(&scrape, "other", "OTHER", "404") - 1.0).abs() < 0.1);
        let known: BTreeSet<&str> = ROUTES.into_iter().chain(["/health", "/ready", "other"]).collect();
        assert!(scrape.values("route").is_subset(&known), "{:?}", scrape.values("route"));
    }

    /// Whoever is not let in is counted by reason, and what was tolerated by its name.
    fn refusals_and_tolerances(server) {
        let (meter, client) = (Meter::of(server), server.tenant());
        let reader = server.client(&client.tenant, Scopes { read: true, write: false, secrets: false });
        let user = client.user("first@example.com");
        let before = meter.scrape();
        server.nobody().get("/Users").expect(401);
        client.with_token(Some("rbk_wrong")).get("/Users").expect(401);
        client.with_token(Some("rbk_wrong")).get("/Users").expect(401);
        reader.delete(&user_path(&user)).expect(403);
        client.send("GET", "/Users", &[("authorization", "Basic !")], None).expect(401);
        client.patch(&user_path(&user), &json!([{"op": "Replace", "path": "active", "value": "False"}])).expect(200);
        client.get("/Users?attributes=emails[type%20eq%20%22work%22]").expect(200);
        let after = meter.scrape();
        let moved = |name: &str, label: &str, value: &str| after.get(name, &[(label, value)]) - before.get(name, &[(label, value)]);
        for (reason, times) in [("missing", 1.0), ("unknown", 2.0), ("scope", 1.0), ("malformed", 1.0), ("expired", 0.0), ("revoked", 0.0)] {
            assert!((moved("rollbook_auth_failures_total", "reason", reason) - times).abs() < 0.1, "{reason}");
        }
        for (quirk, times) in [("operation_case", 1.0), ("string_boolean", 1.0), ("value_filter_projection", 1.0), ("path_key", 0.0)] {
            assert!((moved("rollbook_tolerances_total", "quirk", quirk) - times).abs() < 0.1, "{quirk}");
        }
        assert!((requests(&after, "/scim/v2/Users", "GET", "401") - 4.0).abs() < 0.1, "401 goes by the route too");
    }
}

/// The first tenants have names, the rest share one.
#[test]
fn tenants_are_bounded() {
    for (most, named) in [(2, 2), (0, 0), (100, 5)] {
        let server = Server::with(Db::Sqlite, |config| config.metrics.tenants = most, system_clock());
        let meter = Meter::of(&server);
        let clients: Vec<Client> = (0..5).map(|_| server.tenant_with(Idp::Auto)).collect();
        for client in clients.iter().chain(&clients) {
            client.get("/Users").expect(200);
        }
        let scrape = meter.scrape();
        let seen = scrape.values("tenant");
        assert_eq!(seen.len(), named + 1, "{seen:?}");
        assert!(seen.contains("other"));
        let count = |name: &str| scrape.get("rollbook_tenant_requests_total", &[("tenant", name)]);
        let sum: f64 = seen.iter().map(|name| count(name)).sum();
        assert!((sum - 10.0).abs() < 0.1, "{sum}");
        assert!(seen.iter().filter(|n| **n != "other").all(|name| (count(name) - 2.0).abs() < 0.1));
    }
}

/// The depths and ages of the queues are those of the database, and are read again after five seconds.
#[test]
fn queues_are_measured() {
    for db in [Db::Sqlite, Db::Postgres] {
        let (clock, ahead) = moving();
        let server = Server::with(db, |_| {}, clock);
        let (meter, client, mut conn) = (Meter::of(&server), server.tenant(), server.connect());
        let user = client.user("first@example.com");
        let nothing = meter.scrape();
        let (gauges, queues) = (["jobs_open", "job_items_open", "anonymisations_due"], ["mail", "jobs", "purge"]);
        let depths = |s: &Scrape| {
            let mails = ["queued", "dead"].map(|state| s.get("rollbook_mails", &[("state", state)]));
            [mails[0], mails[1]].into_iter().chain(gauges.map(|g| s.get(&format!("rollbook_{g}"), &[]))).collect::<Vec<_>>()
        };
        let ages = |s: &Scrape| queues.map(|q| s.get("rollbook_oldest_task_age_seconds", &[("queue", q)]));
        assert_eq!((depths(&nothing), ages(&nothing)), (vec![0.0; 5], [0.0; 3]));
        let (now, id) = (server.app.now(), id(&user));
        for (n, state, ago) in [(1, "queued", 100), (2, "queued", 5), (3, "dead", 1000), (4, "sent", 2000)] {
            let at = now - ago * SECOND;
            let row = format!("'m{n}', 1, 'x', '{state}', 1, {now} + 3600000000, {at}");
            conn.batch_execute(&format!("INSERT INTO outbox (id, tenant_id, kind, state, attempts, due_at, created_at) VALUES ({row})"))
                .unwrap();
        }
        for (n, ended) in [(1, "NULL"), (2, "1")] {
            let row = format!("'j{n}', 1, 'invite', 'x', 10, 3, 1, {}, {ended}", now - 50 * SECOND);
            let into = "bulk_jobs (id, tenant_id, kind, actor, total, done, failed, created_at, ended_at)";
            conn.batch_execute(&format!("INSERT INTO {into} VALUES ({row})")).unwrap();
        }
        conn.batch_execute(&format!("UPDATE resources SET purge_at = {} WHERE id = '{id}'", now - 30 * SECOND)).unwrap();
        assert_eq!(depths(&meter.scrape()), [0.0; 5], "what was read is good for five seconds");
        ahead.store(6 * SECOND, Ordering::SeqCst);
        let scrape = meter.scrape();
        assert_eq!(depths(&scrape), [2.0, 1.0, 1.0, 6.0, 1.0], "{db:?}");
        for (age, least) in ages(&scrape).into_iter().zip([106.0, 56.0, 36.0]) {
            assert!((least..least + 60.0).contains(&age), "{age} instead of {least}");
        }
        conn.batch_execute("UPDATE outbox SET state = 'sent'; UPDATE bulk_jobs SET ended_at = 1; UPDATE resources SET legal_hold = 'x'")
            .unwrap();
        ahead.store(12 * SECOND, Ordering::SeqCst);
        let scrape = meter.scrape();
        assert_eq!((depths(&scrape), ages(&scrape)), (vec![0.0; 5], [0.0; 3]), "{db:?}");
    }
}

/// How a statement is run, as text.
fn plan(conn: &mut Conn, db: Db, sql: Sql<'_>) -> String {
    let lines: Vec<String> = match db {
        Db::Sqlite => {
            let rows = Sql::new("EXPLAIN QUERY PLAN ").and(sql).load::<(BigInt, BigInt, BigInt, Text), (i64, i64, i64, String)>(conn);
            rows.unwrap().into_iter().map(|row| row.3).collect()
        }
        Db::Postgres => Sql::new("EXPLAIN ").and(sql).load::<Text, String>(conn).unwrap(),
    };
    lines.join("\n")
}

/// What a scrape asks for is found by an index of what is open, however much is done.
#[test]
fn a_scrape_reads_only_what_is_open() {
    for db in [Db::Sqlite, Db::Postgres] {
        let server = Server::start(db);
        drop(server.tenant());
        let mut conn = server.connect();
        let numbers = "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000)";
        for sql in [
            format!(
                "{numbers} INSERT INTO outbox (id, tenant_id, kind, state, attempts, due_at, created_at) \
                 SELECT 'm' || n, 1, 'x', CASE n % 1000 WHEN 0 THEN 'queued' WHEN 1 THEN 'dead' ELSE 'sent' END, 1, n, n FROM s"
            ),
            format!(
                "{numbers} INSERT INTO bulk_jobs (id, tenant_id, kind, actor, total, done, failed, created_at, ended_at) \
                 SELECT 'j' || n, 1, 'x', 'x', 1, 1, 0, n, CASE n % 1000 WHEN 0 THEN NULL ELSE n END FROM s"
            ),
            format!(
                "{numbers} INSERT INTO resources (tenant_id, kind, id, version, created_at, modified_at, member_count, label, label_derived, doc, \
                 fdoc, purge_at) SELECT 1, 1, 'u' || n, 1, 0, 0, 0, 'x', FALSE, '{{}}', '{{}}', CASE n % 1000 WHEN 0 THEN n END FROM s"
            ),
            "ANALYZE".to_owned(),
        ] {
            conn.batch_execute(&sql).unwrap();
        }
        for (sql, index) in [
            (queues::queued(), "outbox_due"),
            (queues::dead(), "outbox_dead"),
            (queues::jobs(), "bulk_jobs_open"),
            (queues::anonymisations(1_000_000), "resources_purge"),
        ] {
            let plan = plan(&mut conn, db, sql);
            assert!(plan.contains(index), "{db:?}, {index}: {plan}");
        }
    }
}

/// Fifty thousand paths that nobody has ever seen make no new series.
#[test]
fn paths_make_no_series() {
    let server = Server::start(Db::Sqlite);
    let meter = Meter::of(&server);
    let send = |from: usize, to: usize| {
        let mut stream = TcpStream::connect(server.app.origin.strip_prefix("http://").unwrap()).unwrap();
        for start in (from..to).step_by(200) {
            let path = |n: usize| if n.is_multiple_of(2) { format!("/made/up/{n}") } else { format!("/scim/v2/Users/{n}") };
            let batch: String = (start..start + 200).map(|n| format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", path(n))).collect();
            stream.write_all(batch.as_bytes()).unwrap();
            let (mut answers, mut buffer) = (Vec::new(), vec![0; 65536]);
            while answers.windows(13).filter(|w| w.starts_with(b"HTTP/1.1 40")).count() < 200 || !answers.ends_with(b"}") {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "the server hung up");
                answers.extend_from_slice(&buffer[..read]);
            }
        }
    };
    send(0, 200);
    let few = meter.scrape();
    std::thread::scope(|scope| {
        scope.spawn(|| send(200, 25_000));
        scope.spawn(|| send(25_000, 50_000));
    });
    let many = meter.scrape();
    assert!((requests(&many, "other", "GET", "404") - 25_000.0).abs() < 0.1);
    assert!((requests(&many, "/scim/v2/Users/{id}", "GET", "401") - 25_000.0).abs() < 0.1);
    assert_eq!(few.samples.len(), many.samples.len());
}

/// Metrics are not on the address that clients reach, and nothing else is where they are.
#[test]
fn metrics_have_an_address_of_their_own() {
    let server = Server::start(Db::Sqlite);
    let (meter, client) = (Meter::of(&server), server.tenant());
    for path in ["/metrics", "/scim/v2/metrics", "/scim/metrics"] {
        client.get(&format!("{}{path}", server.app.origin)).expect(404);
    }
    let outside = meter.url.strip_suffix("/metrics").unwrap();
    for path in ["/", "/metrics/x", "/health", "/scim/v2/Users", "/claim"] {
        assert_eq!(client.get(&format!("{outside}{path}")).status, 404, "{path}");
    }
    for method in ["POST", "DELETE"] {
        assert!([404, 405].contains(&client.send(method, &meter.url, &[], None).status));
    }
}

/// `off` is off, an address that was asked for is used or stops the start, and the default may be taken.
#[test]
fn where_metrics_are() {
    let place = Place::new(Db::Sqlite);
    let mut running = place.serve_with(&[("ROLLBOOK_METRICS_LISTEN", "off")], &[]);
    running.stop();
    assert!(!running.log().contains("metrics"), "{}", running.log());

    let mut running = place.serve_with(&[("ROLLBOOK_METRICS_LISTEN", "127.0.0.1:0")], &[]);
    assert_eq!(running.said, Vec::<String>::new());
    let log = running.log();
    let url = log.split("metrics are at ").nth(1).unwrap().lines().next().unwrap();
    let scrape = Scrape::parse(&Client::new(url, None, "").get("").text);
    assert!(scrape.get("process_resident_memory_bytes", &[]) > 1e6 && scrape.get("process_open_fds", &[]) > 5.0);
    assert!(scrape.get("process_max_fds", &[]) > scrape.get("process_open_fds", &[]));
    let started = scrape.get("process_start_time_seconds", &[]) - f64::from(i32::try_from(system_clock()() / SECOND).unwrap());
    assert!(started.abs() < 120.0, "{started}");
    running.stop();

    // It may be taken by another test already; then it is taken all the same.
    let holder = TcpListener::bind(rollbook::http::metrics::DEFAULT);
    let mut running = place.serve();
    running.stop();
    assert!(running.log().contains("there are no metrics") && running.log().contains("9464"), "{}", running.log());
    drop(holder);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = place.command(&["serve", "--listen", "127.0.0.1:0"]).env("ROLLBOOK_METRICS_LISTEN", &address).output().unwrap();
    let error = crate::program::failed(&refused);
    assert!(error.contains(&address) && error.contains("metrics.listen"), "{error}");
}

/// The names of routes are those of the route table.
#[test]
fn every_route_has_a_name() {
    /// Paths of the table that go by another name: the same without a version, and what is nothing.
    const NAMELESS: [&str; 3] = ["/scim", "/scim/v{version:[0-9.]+}{rest:(/.*)?}", "/claim/{rest:.*}"];
    let table = include_str!("../../src/http/mod.rs");
    let mut paths: BTreeSet<String> = BTreeSet::new();
    for text in table.split('"').skip(1).step_by(2) {
        let text = text.replace("{{", "{").replace("}}", "}");
        if text.contains("{path}") {
            paths.extend(["/Users", "/Groups"].map(|kind| text.replace("{path}", kind)));
        } else if text.starts_with('/') {
            paths.insert(text);
        }
    }
    let admin = include_str!("../../src/http/admin/mod.rs").split("\n/// A path that answers 405").next().unwrap();
    for function in admin.split("\nfn ").skip(1) {
        let prefix = if function.starts_with("versioned") { "/admin/v1" } else { "/admin/v1/tenants/{tenant}" };
        let own = function.split("only(").skip(1).map(|call| call.split('"').nth(1).unwrap());
        paths.extend(own.map(|path| format!("{prefix}{path}")));
    }
    paths.extend(["/admin", "/admin/openapi.json"].map(str::to_owned));
    let names: Vec<&str> = ROUTES.into_iter().chain(["/health", "/ready"]).collect();
    let is = |name: &str, path: &str| name == path || name.strip_prefix("/scim/v2") == Some(path);
    for path in paths.iter().filter(|path| !NAMELESS.contains(&path.as_str())) {
        assert!(names.iter().any(|name| is(name, path)), "{path} has no name in src/metrics/routes.rs");
    }
    for name in names {
        assert!(paths.iter().any(|path| is(name, path)), "{name} is in no route table");
    }
}

/// What the dashboard, the rules and the documentation name is there, and what is there is documented.
#[test]
fn dashboard_rules_and_documentation_name_what_there_is() {
    let server = Server::start(Db::Sqlite);
    let (meter, client) = (Meter::of(&server), server.tenant());
    client.user("first@example.com");
    let scrape = meter.scrape();
    let names = scrape.names();
    let dashboard: Value = serde_json::from_str(include_str!("../../examples/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut expressions: Vec<String> = Vec::new();
    for panel in panels.iter().filter(|p| p["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        expressions.extend(panel["targets"].as_array().unwrap().iter().map(|t| t["expr"].as_str().unwrap().to_owned()));
    }
    let ids: BTreeSet<i64> = panels.iter().map(|p| p["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    let rules = include_str!("../../examples/alerts.yml");
    let alerts = rules.lines().filter(|l| l.trim_start().starts_with("- alert:")).count();
    let found: Vec<String> = rules.lines().filter_map(|l| l.trim_start().strip_prefix("expr: ")).map(str::to_owned).collect();
    assert!(alerts >= 8 && found.len() == alerts, "each rule has its expression on one line");
    expressions.extend(found);
    for expression in &expressions {
        let mentioned = named_in(expression);
        assert!(!mentioned.is_empty() || expression.contains("up{"), "{expression}");
        let missing: Vec<_> = mentioned.iter().filter(|n| !names.contains(n.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?} in {expression}");
    }
    let guide = include_str!("../../docs/operations.md");
    let secret: Vec<_> = scrape.families.keys().filter(|name| !guide.contains(&format!("`{name}"))).collect();
    assert!(secret.is_empty(), "not in docs/operations.md: {secret:?}");
    let of_guide: Vec<String> =
        guide.split('`').filter(|w| w.starts_with("rollbook_") || w.starts_with("process_")).flat_map(named_in).collect();
    let gone: Vec<_> = of_guide.iter().filter(|n| !scrape.families.contains_key(*n)).collect();
    assert!(gone.is_empty(), "docs/operations.md names what is not there: {gone:?}");
}
