//! SIGKILL under load, again and again: what was acknowledged is there, and what is there is sound.

use crate::harness::Db;
use crate::load::{Writer, check, together};
use crate::program::Place;
use rollbook::app::system_clock;
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
}

#[test]
fn on_sqlite() {
    killed(Db::Sqlite);
}

#[test]
fn on_postgres() {
    killed(Db::Postgres);
}
