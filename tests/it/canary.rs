//! After anonymisation nothing of the person is left: not in a table, not in a file of the database, not in the log.

use crate::clients::{Client, USER, id, user_path};
use crate::harness::Db;
use crate::program::Place;
use diesel::sql_types::Text;
use rollbook::store::Conn;
use rollbook::store::backend::Database;
use rollbook::store::sql::Sql;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// What would give the person away. No two are alike, so that a find says where it comes from.
const CANARIES: [&str; 15] = [
    "canarybadge",
    "canaryuser",
    "canarymail",
    "canaryname",
    "canarynick",
    "canaryphone",
    "canarytown",
    "canaryplace",
    "canaryboss",
    "canarynumber",
    "canarykey",
    "canaryold",
    "canarydate",
    "canarypass",
    "canarytoken",
];

const OWN: &str = "urn:ietf:params:scim:schemas:extension:rollbook:2.0:User";
const BADGE: &str = "urn:example:badge:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn canary() -> Value {
    json!({
        "schemas": [USER], "userName": "canaryuser@example.com", "externalId": "canarykey-1", "displayName": "Canaryname Example",
        "nickName": "canarynick", "password": "canarypass one", "roles": [{"value": "canarynick"}], "phoneNumbers": [{"value": "canaryphone 1"}],
        "addresses": [{"locality": "canarytown"}], "emails": [{"value": "canaryold@example.com", "primary": true, "type": "work"}],
        ENTERPRISE: {"employeeNumber": "canarynumber-1"},
        BADGE: {"number": "canarybadge"},
        OWN: {"location": "canaryplace", "managerEmail": "canaryboss@example.com", "hireDate": "canarydate"}
    })
}

/// The canaries in a text, in any case.
fn found(text: &[u8]) -> Vec<&'static str> {
    let text = String::from_utf8_lossy(text).to_lowercase();
    CANARIES.into_iter().filter(|c| text.contains(c)).collect()
}

/// Everything in every table.
fn tables(place: &Place) -> String {
    let mut conn = Database::parse(&place.url).unwrap().connect().unwrap();
    let postgres = place.url.starts_with("postgres");
    let names = if postgres {
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    };
    let names: Vec<String> = Sql::new(names).load::<Text, _>(&mut conn).unwrap();
    let mut all = String::new();
    for name in names {
        let whole = if postgres { format!("SELECT t::text FROM \"{name}\" t") } else { all_columns(&mut conn, &name) };
        let rows: Vec<String> = Sql::default().made(whole).uncached().load::<Text, _>(&mut conn).unwrap();
        for row in rows {
            writeln!(all, "{name}: {row}").unwrap();
        }
    }
    all
}

/// A query for every column of a table of SQLite, as one text.
fn all_columns(conn: &mut Conn, table: &str) -> String {
    let sql = Sql::default().made(format!("SELECT name FROM pragma_table_info('{table}')"));
    let columns: Vec<String> = sql.load::<Text, _>(conn).unwrap();
    let parts: Vec<String> = columns.iter().map(|c| format!("COALESCE(CAST(\"{c}\" AS TEXT), '')")).collect();
    format!("SELECT {} FROM \"{table}\"", parts.join(" || '|' || "))
}

/// The files of the database and the log; not the mails, which were sent.
fn files(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|n| n != "mail") {
            files(&path, into);
        } else if path.is_file() {
            into.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// A life that leaves traces everywhere.
fn live(client: &Client, place: &Place, user: &Value) {
    let path = user_path(user);
    client.group("Sales", &[id(user)]);
    place.run(&["member", "invite", "acme", id(user)]);
    client
        .patch(&path, &json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "canarymail@example.com"}]))
        .expect(200);
    place.run(&["member", "sso", "acme", "canaryuser@example.com"]);
    client
        .patch(&path, &json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "canaryold@example.com"}]))
        .expect(200);
    place.run(&["code", "issue", "acme", id(user)]);
    place.run(&["member", "hold", "acme", id(user), "--reason", "canaryname went to court"]);
    place.run(&["member", "hold", "acme", id(user), "--lift"]);
    // What the log of requests sees of people without changing any.
    for filter in ["userName eq \"canaryuser@example.com\"", "displayName co canaryname", "emails.value eq \"canaryold@example.com\""] {
        client.filter("/Users", filter);
    }
    client.post("/Users", &canary()).expect_error(409, "uniqueness");
    client.get("/Users/canarykey-1").expect_error(404, "");
    client.patch(&path, &json!([{"op": "Replace", "path": "title", "value": ["canarynick"]}]));
    client.patch(&path, &json!([{"op": "replace", "path": "emails[value eq \"canaryphone\"].type", "value": "work"}]));
    client.put(&path, &json!({"userName": "canaryuser@example.com", "active": "canarynick", "canarytown": "canarytown"})).expect(400);
    let report = client.user_with(json!({"userName": "report@example.com", OWN: {"managerEmail": "canaryold@example.com"}}));
    wait("the manager is found", || client.get(&user_path(&report)).expect(200)[ENTERPRISE]["manager"]["value"] == *id(user));
}

#[track_caller]
fn wait(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn anonymised(db: Db) {
    let place = Place::new(db);
    let token = place.acme();
    place.run(&["tenant", "set", "acme", "quarantine_days=0", "admin_emails=boss@example.com", "passwords=keep"]);
    let file = place.dir.path().join("badge.json");
    std::fs::write(&file, json!({"id": BADGE, "attributes": [{"name": "number", "uniqueness": "server"}]}).to_string()).unwrap();
    place.run(&["schema", "add", "acme", file.to_str().unwrap(), "--for", "User"]);
    let mut running = place.serve_with(&[("ROLLBOOK_LOG_FILTER", "debug")], &[]);
    let client = running.client(&token);
    let user = client.post("/Users", &canary()).expect(201);
    live(&client, &place, &user);
    // A password is nowhere in clear, not even of those who are there; its hash goes with the person, as does the name of a token.
    client.patch(&user_path(&user), &json!([{"op": "replace", "path": "password", "value": "canarypass two"}])).expect(200);
    let own = place.run(&["token", "issue", "acme", "--member", id(&user), "--name", "canarytoken", "--quiet"]);
    running.client(own.trim()).patch("/Me", &json!([{"op": "replace", "path": "password", "value": "canarypass three"}])).expect(200);
    let now = tables(&place);
    assert!(!now.to_lowercase().contains("canarypass"));
    let hash = now.split("$argon2id$").nth(1).expect("a password is kept").split('|').next().unwrap()[..80].to_owned();
    let before = found(tables(&place).as_bytes());
    assert!(before.len() >= 10, "the canaries were not there to be found: {before:?}");
    let timeline = place.run(&["member", "timeline", "acme", id(&user)]);
    assert!(timeline.contains("canaryname"), "{timeline}");
    client.patch(&user_path(&user), &json!([{"op": "replace", "path": "active", "value": false}])).expect(200);
    wait("anonymised", || client.get(&user_path(&user)).status == 404);
    let steps = || {
        let mut conn = Database::parse(&place.url).unwrap().connect().unwrap();
        let rows: Vec<String> = Sql::new("SELECT step FROM purge_steps WHERE step = 'purge_copies'").load::<Text, _>(&mut conn).unwrap();
        rows.len()
    };
    wait("every step", || steps() == 1);
    let rows = tables(&place);
    assert!(!rows.contains("$argon2id$"));
    let left: Vec<&str> = rows.lines().filter(|l| !found(l.as_bytes()).is_empty()).collect();
    assert!(left.is_empty(), "{left:#?}");
    // The history is still there, and says nothing of the person.
    let timeline = place.run(&["member", "timeline", "acme", id(&user)]);
    assert!(timeline.contains("quarantine elapsed") && timeline.contains("[erased]"), "{timeline}");
    assert!(found(timeline.as_bytes()).is_empty(), "{timeline}");
    let log = running.log();
    assert!(log.len() > 1000, "nothing was logged");
    running.stop();
    let mut all = Vec::new();
    files(place.dir.path(), &mut all);
    if let Some(path) = place.url.strip_prefix("sqlite://") {
        files(Path::new(path).parent().unwrap(), &mut all);
        assert!(all.iter().any(|(_, bytes)| bytes.starts_with(b"SQLite format 3") && bytes.len() > 10_000));
    }
    for (name, bytes) in &all {
        assert!(found(bytes).is_empty(), "{name}: {:?}", found(bytes));
        assert!(!String::from_utf8_lossy(bytes).contains(&hash), "{name}: the hash of the password");
    }
}

/// Scenario 24; R-SEC-4, R-ANON-1, R-ANON-2: tables, database files, WAL and log.
#[test]
fn nothing_is_left_on_sqlite() {
    anonymised(Db::Sqlite);
}

/// The same for tables and log; PostgreSQL's own files are its affair.
#[test]
fn nothing_is_left_on_postgres() {
    anonymised(Db::Postgres);
}
