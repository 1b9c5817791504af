//! Power cuts in the middle of background work: everything is done, and done once.

use crate::clients::{Client, USER, user_path};
use crate::harness::Db;
use crate::program::{Place, Running};
use diesel::sql_types::BigInt;
use rollbook::app::system_clock;
use rollbook::store::backend::Database;
use rollbook::store::sql::Sql;
use serde_json::json;
use std::time::{Duration, Instant};

/// Power cuts in one test.
const CUTS: usize = 4;

fn number(place: &Place, sql: &'static str) -> i64 {
    let mut conn = Database::parse(&place.url).unwrap().connect().unwrap();
    let rows: Vec<i64> = Sql::new(sql).load::<BigInt, _>(&mut conn).unwrap();
    rows[0]
}

/// Users with addresses, pushed by several connections at once.
fn push(client: &Client, count: usize) {
    std::thread::scope(|scope| {
        for part in 0..4 {
            scope.spawn(move || {
                for n in (part..count).step_by(4) {
                    client.post("/Users", &json!({"schemas": [USER], "userName": format!("u{n}@example.com")})).expect(201);
                }
            });
        }
    });
}

/// Lets the program run until `done` has grown, cuts its power, and starts it again; until there is nothing left to do.
fn with_cuts(place: &Place, total: i64, done: &'static str) -> Running {
    // A letter that was being sent is due again after three minutes: time passes faster here.
    let start = system_clock()() / 1_000_000;
    let serve = || place.serve_with(&[("ROLLBOOK_CLOCK_SPEED", "20"), ("ROLLBOOK_CLOCK_START", &start.to_string())], &[]);
    let mut cuts = 0;
    let began = Instant::now();
    // One connection for all looks: a new one takes longer than some of the work.
    let mut conn = Database::parse(&place.url).unwrap().connect().unwrap();
    let mut look = || Sql::new(done).load::<BigInt, i64>(&mut conn).unwrap()[0];
    let mut last = look();
    let mut running = serve();
    while last < total {
        assert!(began.elapsed() < Duration::from_mins(2), "{last} of {total}: {}", running.log());
        std::thread::sleep(Duration::from_millis(1));
        let now = look();
        if now > last && now < total && cuts < CUTS {
            running.cut();
            cuts += 1;
            running = serve();
        }
        last = now;
    }
    assert!(cuts > 1, "the work was done before it could be disturbed");
    running
}

fn invite_everybody(db: Db) {
    const COUNT: usize = 1500;
    let place = Place::new(db);
    let token = place.acme();
    let mut running = place.serve_with(&[], &[]);
    push(&running.client(&token), COUNT);
    running.stop();
    place.run(&["member", "invite", "acme", "--all", "--yes", "--detach"]);
    let total = i64::try_from(COUNT).unwrap();
    let mut running = with_cuts(&place, total, "SELECT CAST(SUM(done + failed) AS BIGINT) FROM bulk_jobs");
    assert_eq!(number(&place, "SELECT COUNT(*) FROM resources WHERE state = 2"), total);
    assert_eq!(number(&place, "SELECT COUNT(*) FROM invitations"), total);
    assert_eq!(number(&place, "SELECT MAX(generation) FROM invitations"), 1);
    assert_eq!(number(&place, "SELECT COUNT(*) FROM audit_events WHERE event = 'invited'"), total);
    assert_eq!(number(&place, "SELECT COUNT(*) FROM outbox"), total);
    let began = Instant::now();
    while number(&place, "SELECT COUNT(*) FROM outbox WHERE state = 'sent'") < total {
        assert!(began.elapsed() < Duration::from_mins(2), "{}", running.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    let mails = std::fs::read_dir(place.dir.path().join("mail"))
        .unwrap()
        .filter(|f| f.as_ref().unwrap().path().extension().is_some_and(|e| e == "eml"));
    assert_eq!(mails.count(), COUNT);
    running.stop();
}

/// R-UNI-7, invariant 7: whoever is invited is invited once, whenever the power goes.
#[test]
fn inviting_everybody_on_sqlite() {
    invite_everybody(Db::Sqlite);
}

/// The same.
#[test]
fn inviting_everybody_on_postgres() {
    invite_everybody(Db::Postgres);
}

fn sweep(db: Db) {
    const COUNT: usize = 200;
    let place = Place::new(db);
    let token = place.acme();
    place.run(&["tenant", "set", "acme", "quarantine_days=0"]);
    let mut running = place.serve_with(&[], &[]);
    let client = running.client(&token);
    push(&client, COUNT);
    let ids: Vec<String> = (0..COUNT / 100)
        .flat_map(|page| {
            let list = client.get(&format!("/Users?count=100&startIndex={}", page * 100 + 1)).expect(200);
            list["Resources"].as_array().unwrap().iter().map(|u| u["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        })
        .collect();
    let everybody: Vec<&str> = ids.iter().map(String::as_str).collect();
    let group = client.group("Everybody", &everybody);
    running.stop();
    // Deactivated while nothing sweeps: by hand.
    for id in ids.iter().take(5) {
        place.run(&["member", "suspend", "acme", id]);
    }
    let mut running = place.serve_with(&[], &[]);
    let client = running.client(&token);
    for id in &ids {
        client.patch(&format!("/Users/{id}"), &json!([{"op": "replace", "path": "active", "value": false}]));
    }
    // Unusually many: nothing goes on before that is confirmed, except for the few before it was noticed.
    let began = Instant::now();
    while number(&place, "SELECT COUNT(*) FROM freezes") == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", running.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    running.stop();
    place.run(&["member", "confirm", "acme"]);
    let total = i64::try_from(COUNT).unwrap();
    let mut running = with_cuts(&place, total * 4, "SELECT COUNT(*) FROM purge_steps");
    for step in ["leave_groups", "clear_references", "anonymise", "purge_copies"] {
        let mut conn = Database::parse(&place.url).unwrap().connect().unwrap();
        let rows: Vec<i64> =
            Sql::new("SELECT COUNT(DISTINCT person) FROM purge_steps WHERE step = ").text(step).load::<BigInt, _>(&mut conn).unwrap();
        assert_eq!(rows, [total], "{step}");
    }
    assert_eq!(number(&place, "SELECT COUNT(*) FROM audit_events WHERE event = 'quarantine_elapsed'"), total);
    assert_eq!(number(&place, "SELECT COUNT(*) FROM resources WHERE state = 5"), total);
    let client = running.client(&token);
    assert_eq!(client.get("/Users").expect(200)["totalResults"], 0);
    assert!(client.get(&format!("/Groups/{}", group["id"].as_str().unwrap())).expect(200)["members"].as_array().is_none_or(Vec::is_empty));
    client.get(&format!("/Users/{}", ids[0])).expect_error(404, "");
    let again = client.user("u0@example.com");
    assert_eq!(client.get(&user_path(&again)).status, 200);
    running.stop();
}

/// Scenario 23; R-DEP-5: after a power cut in the middle of an anonymisation, each step was done once.
#[test]
fn sweeping_on_sqlite() {
    sweep(Db::Sqlite);
}

/// The same.
#[test]
fn sweeping_on_postgres() {
    sweep(Db::Postgres);
}
