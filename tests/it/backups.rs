//! `rollbook backup`: made under load, whole, private, and good for a restore.

use crate::harness::Db;
use crate::load::{Writer, check, together};
use crate::program::{Place, succeeded};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Everything that was acknowledged before the backup began is in it, nothing is half in it, and a server starts on it.
#[test]
fn made_under_load() {
    let place = Place::new(Db::Sqlite);
    let token = place.acme();
    let mut running = place.serve();
    let base = running.base();
    let writers: Vec<Writer> = (0..4).map(|_| Writer::default()).collect();
    let stop = AtomicBool::new(false);
    let mut before = Vec::new();
    std::thread::scope(|scope| {
        for (n, writer) in writers.iter().enumerate() {
            let (base, token, stop) = (&base, &token, &stop);
            scope.spawn(move || writer.run(base, token, &format!("c{n}"), stop));
        }
        for n in 0..3 {
            std::thread::sleep(Duration::from_millis(300));
            let mut known = together(&writers);
            let file = format!("copy{n}.db");
            let said = place.run(&["backup", &file]);
            assert!(
                said.starts_with(&format!("{file}: ")) && said.contains("1 tenant(s)") && said.contains("member(s), checked"),
                "{said}"
            );
            // What was deleted since need not be in it.
            let gone = together(&writers).deleted;
            known.users.retain(|id, _| !gone.contains(id));
            known.groups.values_mut().for_each(|members| members.retain(|id| !gone.contains(id)));
            before.push((file, known));
        }
        stop.store(true, Ordering::Relaxed);
    });
    running.stop();
    let written = together(&writers).writes;
    assert!(before[0].1.writes > 20 && before[0].1.writes < before[2].1.writes && before[2].1.writes < written);
    for (file, known) in &before {
        let path = place.dir.path().join(file);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let url = format!("sqlite://{}", path.display());
        let said = succeeded(&place.bare(&["verify", "--database", &url]).output().unwrap());
        assert!(said.contains("no fault"), "{said}");
        check(&url, known, false);
    }
    let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".part")), "{left:?}");
    restored(&place, &token, &before[2].0);
}

/// As the documentation has it: the server is stopped, the file put in place, checked, and the server started.
fn restored(place: &Place, token: &str, copy: &str) {
    let database = place.url.strip_prefix("sqlite://").unwrap();
    for end in ["-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{database}{end}")));
    }
    std::fs::copy(place.dir.path().join(copy), database).unwrap();
    assert!(place.run(&["verify"]).contains("no fault"));
    let mut running = place.serve();
    let client = running.client(token);
    assert!(client.get("/Users?count=1").expect(200)["totalResults"].as_i64().unwrap() > 5);
    client.user("after@example.com");
    running.stop();
    assert!(place.run(&["verify"]).contains("no fault"));
}

/// What a backup cannot be written to, and what it cannot be made of.
#[test]
fn refused() {
    let place = Place::new(Db::Sqlite);
    let refused = place.refused(&["backup", "copy.db"]);
    assert!(refused.contains("there is no database"), "{refused}");
    place.acme();
    assert!(place.refused(&["backup", "."]).contains("is a folder"));
    place.write("there.db", "something");
    assert!(place.refused(&["backup", "there.db"]).contains("is there already"));
    assert_eq!(std::fs::read_to_string(place.dir.path().join("there.db")).unwrap(), "something");
    assert!(place.refused(&["backup", "nowhere/copy.db"]).contains("cannot be written"));
    place.write("odd.db", "");
    let odd = place.bare(&["backup", "copy.db", "--database", "sqlite://odd.db"]).output().unwrap();
    assert!(String::from_utf8_lossy(&odd.stderr).contains("no database of Rollbook"), "{odd:?}");
    let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    let postgres = Place::new(Db::Postgres);
    assert!(postgres.refused(&["backup", "copy.db"]).contains("pg_dump"));
}
