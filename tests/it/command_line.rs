//! The program as an operator runs it.

use crate::clients::{Client, USER};
use crate::harness::Db;
use crate::program::{Place, Running, failed, succeeded};
use rollbook::config::Config;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::time::{Duration, Instant};

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

// -- help and configuration --------------------------------------------------

#[test]
fn it_serves_without_configuration() {
    let place = Place::new(Db::Sqlite);
    let mut running = Running::start(place.bare(&["serve", "--listen", "127.0.0.1:0"]), place.dir.path().join("log"));
    let port: u16 = running.origin.strip_prefix("http://127.0.0.1:").unwrap().parse().unwrap();
    assert_ne!(port, 0);
    let client = running.client("none");
    assert_eq!(client.get(&format!("{}/health", running.origin)).text, "ok\n");
    assert_eq!(client.get(&format!("{}/ready", running.origin)).text, "ready\n");
    assert!(place.dir.path().join("rollbook.db").exists());
    running.stop();
}

#[test]
fn it_says_its_version_and_its_commands() {
    let place = Place::new(Db::Sqlite);
    let version = succeeded(&place.bare(&["--version"]).output().unwrap());
    assert_eq!(version.trim(), concat!("rollbook ", env!("CARGO_PKG_VERSION")));
    let help = succeeded(&place.bare(&["--help"]).output().unwrap());
    let listed: BTreeSet<&str> = help.lines().filter(|l| l.starts_with("  ")).filter_map(|l| l.split_whitespace().next()).collect();
    for command in ["serve", "tenant", "token", "notes", "check", "config"] {
        assert!(listed.contains(command), "{command} is not in {help}");
        let more = succeeded(&place.bare(&[command, "--help"]).output().unwrap());
        assert!(more.contains("Usage: rollbook"), "{more}");
    }
    let unknown = place.bare(&["sreve"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(failed(&unknown).contains("serve"), "it guesses what was meant");
}

#[test]
fn an_unknown_key_is_named_with_its_file() {
    let place = Place::new(Db::Sqlite);
    place.write("rollbook.toml", "[limits]\npage_maximum = 5\n");
    place.write("other.toml", "lisen = \"127.0.0.1:1\"\n");
    for args in [&["serve"][..], &["check"], &["tenant", "list"], &["config", "print"]] {
        let error = place.refused(args);
        assert!(error.contains("page_maximum") && error.contains("rollbook.toml") && error.contains("line 2"), "{error}");
        let error = place.refused(&[args, &["--config", "other.toml"]].concat());
        assert!(error.contains("lisen") && error.contains("other.toml"), "{error}");
    }
    let error = place.refused(&["check", "--config", "absent.toml"]);
    assert!(error.contains("absent.toml"), "{error}");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let place = Place::new(Db::Sqlite);
    place.write("rollbook.toml", "workers = 3\n[database]\nurl = \"sqlite://file.db\"\n[limits]\npage_max = 500\n");
    let print = |command: &mut Command| -> Config { toml::from_str(&succeeded(&command.output().unwrap())).unwrap() };
    let environment = [("ROLLBOOK_DATABASE_URL", "sqlite://environment.db"), ("ROLLBOOK_WORKERS", "4")];
    let file = print(&mut place.bare(&["config", "print"]));
    assert_eq!((file.database.url.as_str(), file.workers, file.limits.page_max), ("sqlite://file.db", 3, 500));
    let over = print(place.bare(&["config", "print"]).envs(environment));
    assert_eq!((over.database.url.as_str(), over.workers, over.limits.page_max), ("sqlite://environment.db", 4, 500));
    let flag = print(place.bare(&["config", "print", "--database", "sqlite://flag.db"]).envs(environment));
    assert_eq!((flag.database.url.as_str(), flag.workers), ("sqlite://flag.db", 4));
}

#[test]
fn config_print_hides_passwords() {
    let place = Place::new(Db::Sqlite);
    for url in [
        "postgres://user:hunter2@host/name?sslmode=require",
        "postgres://user:hunter2:x@host:5432/name?sslmode=require",
        "postgres://host/name?user=user&password=hunter2&sslmode=require",
        "postgres://user:hunter1@host/name?sslpassword=hunter2&password=hunter3&sslmode=require",
    ] {
        let printed = succeeded(&place.bare(&["config", "print", "--database", url]).output().unwrap());
        assert!(!printed.contains("hunter"), "{printed}");
        assert!(printed.contains("host") && printed.contains("sslmode=require"), "{printed}");
    }
}

#[test]
fn check_says_what_is_wrong_and_how_to_mend_it() {
    let place = Place::new(Db::Sqlite);
    let fresh = place.run(&["check"]);
    assert!(fresh.contains("no file") && fresh.contains("rollbook serve"), "{fresh}");
    place.run(&["tenant", "list"]);
    assert!(place.run(&["check"]).contains("rollbook tenant create"));
    place.acme();
    let well = place.run(&["check"]);
    assert!(well.contains("ok: database") && well.contains("ok: migrations") && well.ends_with("all is well\n"), "{well}");

    let unreachable = ["sqlite:///nowhere/at/all/x.db", "postgres://user:hunter2@127.0.0.1:1/none"];
    for url in unreachable {
        let output = place.bare(&["check", "--database", url]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = failed(&output);
        assert!(error.starts_with("error: database: ") && error.contains("to mend it:"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = failed(&place.bare(&["check", "--database", "mysql://x"]).output().unwrap());
    assert!(error.contains("database.url") && error.contains("to mend it:"), "{error}");
}

#[test]
fn check_on_postgres() {
    let place = Place::new(Db::Postgres);
    place.acme();
    assert!(place.run(&["check"]).ends_with("all is well\n"));
}

#[test]
fn no_migrate_refuses_an_empty_database() {
    let place = Place::new(Db::Sqlite);
    let error = place.refused(&["serve", "--listen", "127.0.0.1:0", "--no-migrate"]);
    assert!(error.contains("migration") && error.contains("without --no-migrate"), "{error}");
    place.run(&["tenant", "list"]);
    place.serve_with(&[], &["--no-migrate"]).stop();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let place = Place::new(Db::Sqlite);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = place.refused(&["serve", "--listen", &address]);
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
}

// -- the demo ----------------------------------------------------------------

#[test]
fn the_demo_works_as_printed() {
    let place = Place::new(Db::Sqlite);
    let mut running = place.serve_with(&[], &["--demo"]);
    let said = running.said.join("\n");
    assert!(said.contains(&format!("SCIM base URL:  {}", running.base())), "{said}");
    let tokens: Vec<&str> = said.lines().filter_map(|l| l.strip_prefix("Bearer token:")).map(str::trim).collect();
    assert!(matches!(tokens[..], [t] if t.starts_with("rbk_")), "{said}");
    let commands: Vec<&str> = said.split("\n\n").filter(|p| p.trim_start().starts_with("curl ")).collect();
    assert_eq!(commands.len(), 2, "{said}");
    let answers: Vec<Value> = commands
        .iter()
        .map(|c| Command::new("bash").args(["-c", c]).env("NO_PROXY", "*").output().unwrap())
        .map(|o| serde_json::from_str(&succeeded(&o)).unwrap())
        .collect();
    assert!(answers[0]["id"].is_string(), "{answers:?}");
    assert_eq!((&answers[1]["totalResults"], &answers[1]["Resources"][0]["id"]), (&json!(1), &answers[0]["id"]));
    running.stop();

    let mut again = place.serve_with(&[], &["--demo"]);
    assert!(!again.said.join("\n").contains("rbk_"), "{:?}", again.said);
    assert_eq!(place.json(&["tenant", "list", "--json"]).as_array().unwrap().len(), 1);
    assert_eq!(place.json(&["token", "list", "demo", "--json"]).as_array().unwrap().len(), 1);
    assert_eq!(again.client(tokens[0]).get("/Users").expect(200)["totalResults"], 1);
    again.stop();
}

// -- tenants and tokens ------------------------------------------------------

on_both! {
    /// The commands work while a server runs on the same database, and at once.
    fn tenants_are_made_listed_and_shown(server) {
        let place = Place::beside(server);
        assert!(place.run(&["tenant", "list"]).contains("rollbook tenant create"));
        let made = place.run(&["tenant", "create", "zeta", "--idp", "entra"]);
        assert!(made.contains("zeta") && made.contains("entra") && made.contains("rollbook token issue zeta"), "{made}");
        place.run(&["tenant", "create", "acme", "--idp", "okta", "--unique-group-names", "true"]);
        place.run(&["tenant", "create", "plain"]);
        let list = place.json(&["tenant", "list", "--json"]);
        let rows: Vec<Value> = list.as_array().unwrap().iter().map(|t| json!([t["name"], t["idp"], t["uniqueGroupNames"]])).collect();
        assert_eq!(json!(rows), json!([["acme", "okta", true], ["plain", "auto", false], ["zeta", "entra", true]]));
        let names: Vec<String> = place.run(&["tenant", "list"]).lines().skip(1).map(|l| words(l)[0].to_owned()).collect();
        assert_eq!(names, ["acme", "plain", "zeta"]);

        let token = place.run(&["token", "issue", "acme", "--quiet"]);
        let client = Client::new(&server.base, Some(token.trim_end()), "acme");
        client.user("anna");
        client.user("bert");
        client.group("Staff", &[]);
        let shown = place.json(&["tenant", "show", "acme", "--json"]);
        assert_eq!(json!([shown["name"], shown["idp"], shown["users"], shown["groups"], shown["liveTokens"]]), json!(["acme", "okta", 2, 1, 1]));
        assert!(shown["sources"][0]["tolerances"].as_array().unwrap().contains(&json!("string_boolean")), "{shown}");
        let text = place.run(&["tenant", "show", "acme"]);
        assert!(text.lines().any(|l| words(l) == ["users", "2"]), "{text}");
    }

    /// What cannot be done is said with the name in question and the way on.
    fn faults_name_what_is_wrong(server) {
        let place = Place::beside(server);
        place.run(&["tenant", "create", "acme"]);
        for bad in ["Acme", "a b", "a_b", "ä", ""] {
            let error = place.refused(&["tenant", "create", bad]);
            assert!(error.contains(&format!("\"{bad}\"")) && error.contains("hyphens"), "{error}");
        }
        assert!(place.refused(&["tenant", "create", "acme"]).contains("already a tenant \"acme\""));
        for args in [&["tenant", "show", "nobody"][..], &["token", "issue", "nobody"], &["token", "list", "nobody"], &["token", "revoke", "nobody", "x"], &["notes", "nobody"]] {
            let error = place.refused(args);
            assert!(error.contains("\"nobody\"") && error.contains("rollbook tenant list"), "{error}");
        }
        let error = place.refused(&["token", "revoke", "acme", "no-such-id"]);
        assert!(error.contains("no-such-id") && error.contains("rollbook token list acme"), "{error}");
        assert!(place.refused(&["token", "issue", "acme", "--scope", "scim:all"]).contains("scim:all"));
        assert!(place.refused(&["token", "issue", "acme", "--expires", "soon"]).contains("90d"));
        assert!(place.refused(&["tenant", "create", "x", "--idp", "oktta"]).contains("okta"));
        assert_eq!(place.json(&["tenant", "list", "--json"]).as_array().unwrap().len(), 1);
        assert_eq!(place.json(&["token", "list", "acme", "--json"]), json!([]));
    }

    /// R222, R229: a token is shown once, works at once, is listed without itself, and is refused soon after it is revoked.
    fn tokens_are_issued_listed_and_revoked(server) {
        let place = Place::beside(server);
        place.run(&["tenant", "create", "acme"]);
        let quiet = place.run(&["token", "issue", "acme", "--quiet", "--name", "first"]);
        let first = quiet.strip_suffix('\n').unwrap();
        assert!(first.starts_with("rbk_") && !first.contains(char::is_whitespace), "{quiet}");
        let client = |token: &str| Client::new(&server.base, Some(token), "acme");
        client(first).get("/Users").expect(200);

        let said = place.run(&["token", "issue", "acme", "--jwt", "--scope", "scim:read", "--expires", "90d", "--name", "second"]);
        let second = said.lines().next().unwrap();
        client(second).get("/Users").expect(200);
        client(second).post("/Users", &json!({"schemas": [USER], "userName": "x"})).expect_error(403, "");
        assert_eq!(said.matches(second).count(), 1);
        assert!(said.contains("cannot be shown again"), "{said}");

        let text = place.run(&["token", "list", "acme"]);
        let list = place.json(&["token", "list", "acme", "--json"]);
        for secret in [first, second] {
            assert!(!text.contains(secret) && !list.to_string().contains(secret));
            let hash = rollbook::service::tokens::hash(secret);
            assert!(!text.contains(&hash) && !list.to_string().contains(&hash));
        }
        let row = |n: usize| json!([list[n]["name"], list[n]["kind"], list[n]["scopes"], list[n]["state"], list[n]["expires"].is_string()]);
        assert_eq!(row(0), json!(["first", "opaque", "scim:read scim:write", "live", false]));
        assert_eq!(row(1), json!(["second", "jwt", "scim:read", "live", true]));
        assert!(text.contains("first") && text.contains("second") && text.contains(list[0]["id"].as_str().unwrap()), "{text}");

        let id = list[0]["id"].as_str().unwrap();
        assert!(said.contains(list[1]["id"].as_str().unwrap()), "{said}");
        place.run(&["token", "revoke", "acme", id]);
        std::thread::sleep(Duration::from_secs(1));
        client(first).get("/Users").expect_error(401, "");
        client(second).get("/Users").expect(200);
        assert_eq!(place.json(&["token", "list", "acme", "--json"])[0]["state"], "revoked");
        place.refused(&["token", "revoke", "acme", id]);
    }

    /// What was tolerated can be read, newest first, as much as is asked for.
    fn notes_show_what_was_tolerated(server) {
        let place = Place::beside(server);
        place.run(&["tenant", "create", "acme"]);
        assert!(place.run(&["notes", "acme"]).contains("nothing"));
        let client = Client::new(&server.base, Some(place.run(&["token", "issue", "acme", "--quiet"]).trim_end()), "acme");
        let reply = client.post("/Users", &json!({"schemas": [USER], "userName": "anna", "active": "True"}));
        reply.expect(201);
        client.post("/Users", &json!({"userName": "bert"})).expect(201);
        let text = place.run(&["notes", "acme"]);
        let (newer, older) = (text.find("missing_schemas").unwrap(), text.find("string_boolean").unwrap());
        assert!(newer < older, "{text}");
        assert!(text.contains("POST /scim/v2/Users") && text.contains(reply.header("x-request-id")), "{text}");
        let one = place.run(&["notes", "acme", "--limit", "1"]);
        assert!(one.contains("missing_schemas") && !one.contains("string_boolean"), "{one}");
        place.run(&["tenant", "create", "other"]);
        assert!(place.run(&["notes", "other"]).contains("nothing"));
    }
}

// -- stopping and crashing ---------------------------------------------------

/// Writes from several clients until the server is gone; the userNames that were answered with 201.
fn write_until_it_ends(running: &mut Running, token: &str, round: usize, signal: &str) -> (BTreeSet<String>, ExitStatus) {
    let acknowledged = Mutex::new(BTreeSet::new());
    let base = running.base();
    let status = std::thread::scope(|scope| {
        for writer in 0..6 {
            let (acknowledged, base) = (&acknowledged, &base);
            scope.spawn(move || {
                let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
                for n in 0.. {
                    let name = format!("{signal}-{round}-{writer}-{n}");
                    let body = json!({"schemas": [USER], "userName": name}).to_string();
                    let request = agent.post(format!("{base}/Users")).header("authorization", format!("Bearer {token}"));
                    match request.content_type("application/scim+json").send(body) {
                        Ok(reply) if reply.status() == 201 => drop(acknowledged.lock().unwrap().insert(name)),
                        Ok(reply) => panic!("{}", reply.status()),
                        Err(_) => break,
                    }
                }
            });
        }
        let (began, enough) = (Instant::now(), || acknowledged.lock().unwrap().len() > 20);
        while began.elapsed() < Duration::from_millis(400) || (!enough() && began.elapsed() < Duration::from_mins(1)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        running.signal(signal);
        running.ended()
    });
    (acknowledged.into_inner().unwrap(), status)
}

fn user_names(client: &Client) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    loop {
        let page = client.get(&format!("/Users?count=1000&attributes=userName&startIndex={}", names.len() + 1)).expect(200);
        let rows = page["Resources"].as_array().unwrap();
        names.extend(rows.iter().map(|u| u["userName"].as_str().unwrap().to_owned()));
        if rows.is_empty() {
            assert_eq!(page["totalResults"], names.len(), "the count agrees with the rows");
            return names;
        }
    }
}

/// Every 201 that a client has seen is there after a restart, whatever ended the server.
fn acknowledged_writes_survive(db: Db, signals: &[&str]) {
    let place = Place::new(db);
    let token = place.acme();
    let mut expected = BTreeSet::new();
    for (round, signal) in signals.iter().enumerate() {
        let mut running = place.serve();
        let (acknowledged, status) = write_until_it_ends(&mut running, &token, round, signal);
        assert!(acknowledged.len() > 10, "only {} writes in round {round}", acknowledged.len());
        assert_eq!(status.code(), (*signal != "KILL").then_some(0), "{signal}: {}", running.log());
        expected.extend(acknowledged);
        let mut after = place.serve();
        let present = user_names(&after.client(&token));
        let lost: Vec<_> = expected.difference(&present).collect();
        assert!(lost.is_empty(), "round {round}, {signal}: lost {lost:?}");
        after.stop();
    }
}

#[test]
fn a_crash_loses_nothing_sqlite() {
    acknowledged_writes_survive(Db::Sqlite, &["KILL"; 5]);
}

#[test]
fn a_crash_loses_nothing_postgres() {
    acknowledged_writes_survive(Db::Postgres, &["KILL"; 2]);
}

#[test]
fn a_stop_loses_nothing_sqlite() {
    acknowledged_writes_survive(Db::Sqlite, &["TERM", "INT"]);
}

#[test]
fn a_stop_loses_nothing_postgres() {
    acknowledged_writes_survive(Db::Postgres, &["TERM", "INT"]);
}

/// A request of which the server has half when it is told to stop is finished; then nothing is accepted any more.
fn a_request_under_way_is_finished(db: Db, signal: &str) {
    let place = Place::new(db);
    let token = place.acme();
    let mut running = place.serve();
    let address = running.origin.strip_prefix("http://").unwrap().to_owned();
    let body = json!({"schemas": [USER], "userName": "half"}).to_string();
    let (first, second) = body.split_at(20);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{first}").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    running.signal(signal);
    std::thread::sleep(Duration::from_millis(500));
    assert!(running.child.try_wait().unwrap().is_none(), "it did not wait for the request");
    assert!(TcpStream::connect(&address).is_err(), "it still takes new connections");
    stream.write_all(second.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(std::str::from_utf8(&answer), Ok("HTTP/1.1 201"));
    drop(stream);
    assert_eq!(running.ended().code(), Some(0), "{}", running.log());
    let mut after = place.serve();
    assert_eq!(user_names(&after.client(&token)), BTreeSet::from(["half".to_owned()]));
    after.stop();
}

#[test]
fn a_request_under_way_is_finished_sqlite() {
    a_request_under_way_is_finished(Db::Sqlite, "TERM");
}

#[test]
fn a_request_under_way_is_finished_postgres() {
    a_request_under_way_is_finished(Db::Postgres, "INT");
}

/// A client that keeps its connection open without using it does not hold up a stop.
#[test]
fn idle_connections_do_not_hold_up_a_stop() {
    let place = Place::new(Db::Sqlite);
    let mut running = place.serve();
    let address = running.origin.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(format!("GET /health HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    let began = Instant::now();
    running.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    drop(stream);
}

/// A signal that comes as soon as the server says that it listens is a clean stop, too.
#[test]
fn a_stop_may_come_at_once() {
    let place = Place::new(Db::Sqlite);
    for signal in ["TERM", "INT"].iter().cycle().take(30) {
        let mut running = place.serve();
        running.signal(signal);
        assert_eq!(running.ended().code(), Some(0), "{signal}");
    }
}

/// What is recorded at leisure is written down before the end.
#[test]
fn a_stop_writes_down_what_is_in_memory() {
    let place = Place::new(Db::Sqlite);
    let token = place.acme();
    let mut running = place.serve();
    running.client(&token).get("/Users?filter=active eq \"True\"").expect(200);
    running.stop();
    assert!(place.run(&["notes", "acme"]).contains("literal_type"));
    assert!(place.json(&["token", "list", "acme", "--json"])[0]["lastUsed"].is_string());
}
