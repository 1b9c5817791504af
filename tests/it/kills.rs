//! SIGKILL under load, again and again: what was acknowledged is there, and what is there is sound.

use crate::harness::Db;
use crate::load::{Writer, check, together};
use crate::program::Place;
use rollbook::app::system_clock;
use rollbook::store::backend::Database;
use rollbook::store::sql::Sql;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const ROUNDS: usize = 20;
const CLIENTS: usize = 4;

fn killed(db: Db) {
    let place = Place::new(db);
    let token = place.acme();
    let writers: Vec<Writer> = (0..CLIENTS).map(|_| Writer::default()).collect();
    let never = AtomicBool::new(false);
    for round in 0..ROUNDS {
        let mut running = place.serve();
        if round > 0 {
            assert!(place.run(&["verify"]).contains("no fault"));
            check(&place.url, &together(&writers), true);
        }
        let base = running.base();
        std::thread::scope(|scope| {
            for (n, writer) in writers.iter().enumerate() {
                let (base, token, never) = (&base, &token, &never);
                scope.spawn(move || writer.run(base, token, &format!("r{round}c{n}"), never));
            }
            // A moment that nobody chose.
            let moment = u64::try_from(system_clock()() % 400).unwrap();
            std::thread::sleep(Duration::from_millis(150 + moment));
            running.cut();
        });
    }
    let mut running = place.serve();
    assert!(place.run(&["verify"]).contains("no fault"));
    let known = together(&writers);
    check(&place.url, &known, true);
    assert!(known.writes > ROUNDS * CLIENTS, "hardly anything was written: {}", known.writes);
    assert!(!known.deleted.is_empty() && !known.groups.is_empty());
    running.stop();
    each_has_its_row(&place.url);
}

/// Whoever is there has a row in the provisioning log that says so, and whoever has one is there.
fn each_has_its_row(url: &str) {
    let mut conn = Database::parse(url).unwrap().connect().unwrap();
    let mut count = |sql: &'static str| Sql::new(sql).number(&mut conn).unwrap();
    assert!(count("SELECT COUNT(*) FROM provisioning_log WHERE status = 201") > 0);
    let without = "SELECT COUNT(*) FROM resources r WHERE NOT EXISTS (SELECT 1 FROM provisioning_log l WHERE l.tenant_id = r.tenant_id \
                   AND l.subject = COALESCE(r.person, r.id) AND l.status = 201 AND l.changes IS NOT NULL)";
    assert_eq!(count(without), 0, "resources without a row");
    let empty = "SELECT COUNT(*) FROM provisioning_log l WHERE l.changes IS NOT NULL AND l.method <> 'DELETE' AND l.path LIKE '%/Users%' \
                 AND NOT EXISTS (SELECT 1 FROM resources r WHERE r.tenant_id = l.tenant_id AND r.person = l.subject)";
    assert_eq!(count(empty), 0, "rows of what is not there");
}

#[test]
fn on_sqlite() {
    killed(Db::Sqlite);
}

#[test]
fn on_postgres() {
    killed(Db::Postgres);
}
