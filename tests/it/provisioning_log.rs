//! The provisioning log: a row for every SCIM request, in the transaction of its change, without secrets.

use crate::admin::{Admin, EVERYTHING, all_pages, problem};
use crate::clients::{Client, EMPLOYEE, ENTERPRISE, GROUP, Reply, SEARCH, USER, group_path, id, user_path};
use crate::harness::Server;
use crate::program::Place;
use crate::stage::{DAY, active, sam};
use rollbook::domain::{Idp, Scopes, Settings};
use rollbook::jobs::journal as jobs;
use rollbook::service::tenants;
use rollbook::store::journal::{self, Entry, Query};
use rollbook::store::{backend, tenants as kept};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The rows of a tenant, oldest first; those in memory not among them.
pub fn stored(server: &Server, tenant: &str) -> Vec<Entry> {
    let mut conn = server.connect();
    let tenant = tenants::named(&mut conn, tenant).unwrap();
    let mut rows = journal::page(&mut conn, tenant.id, &Query::default(), "", 10_000).unwrap();
    rows.reverse();
    rows
}

/// The row of an answer, once it is written.
#[track_caller]
fn row(server: &Server, client: &Client, reply: &Reply) -> Entry {
    let began = Instant::now();
    loop {
        drop(server.notes(&client.tenant));
        let mut found = stored(server, &client.tenant);
        found.retain(|e| e.request_id == reply.header("x-request-id"));
        assert!(found.len() < 2, "{found:#?}");
        if let Some(row) = found.pop() {
            return row;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "no row for {} {}", reply.status, reply.text);
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn list(text: Option<&String>) -> Vec<Value> {
    text.map(|t| serde_json::from_str(t).unwrap()).unwrap_or_default()
}

/// What changed of one path: old and new.
fn change(e: &Entry, path: &str) -> Option<(Value, Value)> {
    let found = list(e.changes.as_ref()).into_iter().find(|c| c["path"] == path)?;
    Some((found["old"].clone(), found["new"].clone()))
}

fn texts(e: &Entry) -> String {
    format!("{e:?}")
}

fn set(server: &Server, tenant: &str, change: impl FnOnce(&mut Settings)) {
    let mut conn = server.connect();
    let mut tenant = tenants::named(&mut conn, tenant).unwrap();
    change(&mut tenant.settings);
    backend::write(&mut conn, |c| {
        kept::save(c, &tenant)?;
        kept::bump_auth_epoch(c)
    })
    .unwrap();
    server.app.refresh_auth().unwrap();
}

on_both! {
    /// R235: a write leaves a row with what it changed, attribute by attribute, at the moment when it is answered.
    fn writes_say_what_they_changed(server) {
        let client = server.tenant();
        let headers = [("user-agent", "Okta SCIM Client 1.0.0")];
        let body = json!({"schemas": [USER, ENTERPRISE], "userName": "first@example.com", "title": "Clerk", "active": "True",
                          "name": {"givenName": "Sam"}, ENTERPRISE: {"department": "Tools"}});
        let made = client.send("POST", "/Users", &headers, Some(&body.to_string()));
        let user = made.expect(201);
        let rows = stored(server, &client.tenant);
        let [e] = rows.as_slice() else { panic!("{rows:#?}") };
        assert_eq!((e.status, e.method.as_str(), e.path.as_str(), e.source.as_str()), (201, "POST", "/scim/v2/Users", "default"));
        assert_eq!((e.request_id.as_str(), e.target.as_deref()), (made.header("x-request-id"), user["id"].as_str()));
        assert_eq!((e.client.as_deref(), e.provider.as_deref(), e.signal.is_some()), (Some("Okta SCIM Client 1.0.0"), Some("okta"), true));
        assert!(e.micros > 0 && !e.token_id.is_empty() && e.scim_type.is_none() && e.detail.is_none());
        assert_eq!(change(e, "userName"), Some((Value::Null, json!("first@example.com"))));
        assert_eq!(change(e, "name.givenName"), Some((Value::Null, json!("Sam"))));
        assert_eq!(change(e, &format!("{ENTERPRISE}:department")), Some((Value::Null, json!("Tools"))));
        assert_eq!(change(e, &format!("{EMPLOYEE}:state")), Some((Value::Null, json!("uninvited"))));
        assert_eq!(list(e.notes.as_ref()), [json!({"quirk": "string_boolean", "text": "active: the string \"True\" read as true"})]);

        let path = user_path(&user);
        let operations = json!([{"op": "Replace", "path": "title", "value": "Chief"}, {"op": "remove", "path": "name.givenName"}]);
        let patched = client.patch(&path, &operations);
        patched.expect(200);
        let e = stored(server, &client.tenant).pop().unwrap();
        assert_eq!((e.request_id.as_str(), e.status, e.path.as_str()), (patched.header("x-request-id"), 200, format!("/scim/v2{path}").as_str()));
        assert_eq!(change(&e, "title"), Some((json!("Clerk"), json!("Chief"))));
        assert_eq!(change(&e, "name.givenName"), Some((json!("Sam"), Value::Null)));
        assert_eq!(list(e.changes.as_ref()).len(), 2, "{e:?}");
        assert!(e.notes.as_ref().unwrap().contains("operation_case"));

        client.put(&path, &json!({"schemas": [USER], "userName": "first@example.com", "title": "Chief", "nickName": "S"})).expect(200);
        let e = stored(server, &client.tenant).pop().unwrap();
        assert_eq!((change(&e, "nickName"), change(&e, "title"), e.status), (Some((Value::Null, json!("S"))), None, 200));
        assert!(change(&e, &format!("{ENTERPRISE}:department")).is_some(), "{e:?}");

        client.patch(&path, &active(false)).expect(200);
        let e = stored(server, &client.tenant).pop().unwrap();
        assert_eq!(change(&e, "active"), Some((json!(true), json!(false))));
        assert!(change(&e, &format!("{EMPLOYEE}:state")).unwrap().1.as_str().unwrap().starts_with("quarantined"), "{e:?}");
        client.delete(&path).expect(204);
        let e = stored(server, &client.tenant).pop().unwrap();
        assert_eq!((e.status, e.method.as_str()), (204, "DELETE"));
        assert!(change(&e, &format!("{EMPLOYEE}:state")).is_some(), "{e:?}");
        let subjects: BTreeSet<_> = stored(server, &client.tenant).into_iter().map(|e| e.subject).collect();
        assert_eq!(subjects.len(), 1, "{subjects:?}");
    }

    /// R235: reads, refusals, and writes that change nothing come a moment later, in batches, and say nothing of a change.
    fn everything_else_comes_later(server) {
        let client = server.tenant();
        let user = client.user("first@example.com");
        let path = user_path(&user);
        for (reply, status) in [
            (client.get(&path), 200),
            (client.get("/Users?startIndex=1&count=10"), 200),
            (client.post("/Users/.search", &json!({"schemas": [SEARCH]})), 200),
            (client.get("/Users/00000000-0000-7000-8000-000000000000"), 404),
            (client.get("/Nothing"), 404),
            (client.get("/ServiceProviderConfig"), 200),
            (client.send("PUT", "/Users", &[], None), 405),
            (client.patch(&path, &json!([{"op": "add", "path": "active", "value": true}])), 200),
            (client.patch(&path, &json!([{"op": "replace", "path": "nothing", "value": 1}])), 400),
            (client.send("POST", "/Users", &[("content-type", "text/plain")], Some("x")), 415),
            (client.send("POST", "/Users", &[], Some("{")), 400),
            (client.post("/Users", &json!({"schemas": [USER], "userName": "FIRST@example.com"})), 409),
            (client.send("PUT", &path, &[("if-match", "W/\"77\"")], Some("{}")), 412),
            (server.client(&client.tenant, Scopes { read: true, write: false, secrets: false }).delete(&path), 403),
        ] {
            assert_eq!(reply.status, status, "{}", reply.text);
            let e = row(server, &client, &reply);
            assert_eq!((e.status, e.changes.as_deref()), (i16::try_from(status).unwrap(), None), "{e:?}");
            let body: Value = serde_json::from_str(&reply.text).unwrap_or_default();
            assert_eq!(e.scim_type.as_deref(), body["scimType"].as_str(), "{e:?}");
            assert!(status < 400 || status == 405 || e.detail.is_some(), "{e:?}");
            if e.path.contains(id(&user)) {
                assert_eq!(e.subject.as_deref(), Some(id(&user)), "{e:?}");
            }
        }
        let rows = stored(server, &client.tenant);
        let times: Vec<_> = rows.iter().map(|e| e.id.clone()).collect();
        assert!(times.is_sorted());
    }

    /// A refused request whose tenant is known leaves a row too; without a tenant there is none.
    fn refusals_are_logged_where_somebody_can_read_them(server) {
        let client = server.tenant();
        let rows = || stored(server, &client.tenant).len();
        client.with_token(None).get("/Users").expect_error(401, "");
        client.with_token(Some("wrong")).get("/Users").expect_error(401, "");
        server.nobody().get("/ServiceProviderConfig").expect(200);
        drop(server.notes(&client.tenant));
        assert_eq!(rows(), 0);
        let operator = Admin::operator(server);
        operator.patch(&format!("/tenants/{}/sources/default", client.tenant), &json!({"state": "paused"})).expect(200);
        server.app.refresh_auth().unwrap();
        let reply = client.get("/Users");
        assert_eq!(reply.status, 503);
        let e = row(server, &client, &reply);
        assert_eq!((e.status, e.detail.as_deref()), (503, Some("the source \"…\" is paused; try again later")));
        operator.patch(&format!("/tenants/{}", client.tenant), &json!({"status": "suspended"})).expect(200);
        server.app.refresh_auth().unwrap();
        let reply = client.get("/Users");
        assert_eq!((reply.status, row(server, &client, &reply).status), (403, 403));
    }

    /// A write that fails half-way leaves a row that says so, and none that says something was changed.
    fn a_write_that_fails_has_changed_nothing(server) {
        let client = server.tenant_with(Idp::Rfc);
        let (first, second) = (client.user("first@example.com"), client.user("second@example.com"));
        let group = client.group("Sales", &[id(&first)]);
        let path = group_path(&group);
        let before = stored(server, &client.tenant).len();
        let halfway = client.patch(&path, &json!([
            {"op": "add", "path": "members", "value": [{"value": id(&second)}]},
            {"op": "add", "path": "members", "value": [{"value": "00000000-0000-7000-8000-000000000000"}]},
        ]));
        halfway.expect_error(400, "invalidValue");
        let taken = client.patch(&user_path(&second), &json!([{"op": "replace", "path": "userName", "value": "first@example.com"}]));
        taken.expect_error(409, "uniqueness");
        for reply in [&halfway, &taken] {
            let e = row(server, &client, reply);
            assert_eq!((e.changes, e.notes), (None, None));
        }
        assert_eq!(stored(server, &client.tenant).len(), before + 2);
        assert_eq!(client.get(&path).expect(200)["members"].as_array().unwrap().len(), 1);
    }

    /// Passwords and other secrets come into no row, and values of filters and errors neither.
    fn nothing_secret_is_logged(server) {
        let client = server.tenant();
        let user = client.user_with(json!({"userName": "first@example.com", "password": "canarypassword", "displayName": "canaryname"}));
        client.patch(&user_path(&user), &json!([{"op": "replace", "value": {"password": "canarypassword"}}])).expect(200);
        let quiet = [
            client.filter("/Users", "userName eq \"canaryuser@example.com\""),
            client.filter("/Users", "displayName eq canaryuser"),
            client.filter("/Users", "emails[type eq \"work\" and value co \"canaryuser\"]"),
            client.filter("/Users", "canaryuser"),
            client.get("/Users/canaryuser@example.com"),
            client.get("/Users/canaryuser"),
            client.get("/Users?startIndex=canaryuser"),
            client.get("/Users?sortBy=canaryuser+x"),
            client.get("/canaryuser@example.com"),
            client.get("/Users/canaryuser/canaryuser"),
            client.post("/Users/.search", &json!({"schemas": [SEARCH], "filter": "userName eq \"canaryuser\""})),
            client.post("/Users", &json!({"schemas": [USER], "userName": "first@example.com", "title": "canaryuser"})),
            client.post("/Users", &json!({"schemas": [USER], "userName": ["canaryuser"], "active": "canaryuser"})),
            client.post("/Users", &json!({"schemas": [USER], "userName": "x@example.com", "active": "canaryuser"})),
            client.post("/Groups", &json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": "canaryuser"}]})),
            client.post("/Groups", &json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": "canaryuser", "$ref": "x/canaryuser2"}]})),
            client.patch(&user_path(&user), &json!([{"op": "canaryuser", "path": "title"}])),
            client.patch(&user_path(&user), &json!([{"op": "replace", "path": "emails[value eq \"canaryuser\"].value", "value": "x"}])),
            client.put(&user_path(&user), &json!({"schemas": [USER], "userName": "first@example.com", EMPLOYEE: {"managerEmail": "canaryuser@example.com"}})),
        ];
        for reply in &quiet {
            let e = row(server, &client, reply);
            assert!(!texts(&e).to_lowercase().contains("canaryuser"), "{e:?}");
        }
        let all: Vec<String> = stored(server, &client.tenant).iter().map(texts).collect();
        assert!(all.iter().any(|e| e.contains("canaryname")), "what was set is there");
        assert!(!all.iter().any(|e| e.contains("canarypassword")), "{all:#?}");
        let first = row(server, &client, &quiet[0]);
        assert_eq!(first.path, "/scim/v2/Users?filter=userName eq \"…\"");
    }

    /// Of a group the members are named by id, the first twenty; its name is no secret.
    fn groups_count_their_members(server) {
        let client = server.tenant();
        let users: Vec<String> = (0..30).map(|n| id(&client.user(&format!("u{n}@example.com"))).to_owned()).collect();
        let all: Vec<&str> = users.iter().map(String::as_str).collect();
        let group = client.group("Sales", &all);
        let path = group_path(&group);
        let e = stored(server, &client.tenant).pop().unwrap();
        assert_eq!((e.subject.as_deref(), change(&e, "displayName")), (Some(id(&group)), Some((Value::Null, json!("Sales")))));
        let members = list(e.changes.as_ref()).into_iter().find(|c| c["path"] == "members").unwrap();
        assert_eq!((members["added"].as_array().unwrap().len(), &members["more"]), (20, &json!(10)));
        let operations = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", users[3])}, {"op": "replace", "path": "displayName", "value": "Shop"}]);
        client.patch(&path, &operations);
        let e = stored(server, &client.tenant).pop().unwrap();
        assert_eq!(change(&e, "displayName"), Some((json!("Sales"), json!("Shop"))));
        let members = list(e.changes.as_ref()).into_iter().find(|c| c["path"] == "members").unwrap();
        assert_eq!((&members["removed"], &members["added"], &members["more"]), (&json!([users[3]]), &json!([]), &json!(0)));
        client.patch(&path, &json!([{"op": "add", "path": "members", "value": [{"value": users[3]}, {"value": users[4]}]}]));
        let members = list(stored(server, &client.tenant).pop().unwrap().changes.as_ref());
        assert_eq!(members, [json!({"path": "members", "added": [users[3]], "removed": [], "more": 0})], "who was there already is none");
        client.patch(&path, &json!([{"op": "replace", "path": "members", "value": []}]));
        let members = list(stored(server, &client.tenant).pop().unwrap().changes.as_ref());
        assert_eq!((members[0]["removed"].as_array().unwrap().len(), &members[0]["more"]), (20, &json!(10)));
        client.delete(&path).expect(204);
        let e = stored(server, &client.tenant).pop().unwrap();
        assert_eq!(change(&e, "displayName"), Some((json!("Shop"), Value::Null)));
    }

    /// A tenant that wants no log has none.
    fn zero_days_are_no_log(server) {
        let client = server.tenant_set(Idp::Auto, |s| s.log_days = Some(0));
        client.user("first@example.com");
        client.get("/Users").expect(200);
        client.get("/Nothing").expect_error(404, "");
        drop(server.notes(&client.tenant));
        assert!(stored(server, &client.tenant).is_empty());
    }

    /// A flood does not fill the memory: the oldest rows are given up, and counted.
    fn a_flood_is_bounded(server) {
        let client = server.tenant();
        let tenant = tenants::named(&mut server.connect(), &client.tenant).unwrap();
        for n in 0..10_050 {
            server.app.log_later(tenant.id, Entry { id: format!("{n:05}"), request_id: "flood".into(), status: 200, ..Entry::default() });
        }
        let rows = server.app.take_log();
        assert!(rows.len() <= 10_000, "{}", rows.len());
        assert_eq!(rows.back().unwrap().1.id, "10049", "the newest stay");
        // Housekeeping may have written some meanwhile; nothing is lost but what was given up.
        backend::write(&mut server.connect(), |c| journal::insert_all(c, &rows.into_iter().collect::<Vec<_>>())).unwrap();
    }

    /// The rows of a tenant that is gone meanwhile keep nobody else's from being written.
    fn a_deleted_tenant_is_in_nobodys_way(server) {
        let (gone, here) = (server.tenant(), server.tenant());
        gone.user("first@example.com");
        let mut conn = server.connect();
        let ids = [&gone, &here].map(|c| tenants::named(&mut conn, &c.tenant).unwrap().id);
        let operator = Admin::operator(server);
        let path = format!("/tenants/{}", gone.tenant);
        let confirmation = operator.get(&format!("{path}/deletion")).expect(200)["confirmation"].as_str().unwrap().to_owned();
        operator.delete(&format!("{path}?confirmation={confirmation}")).expect(200);
        let rows: Vec<_> = ids.iter().map(|id| (*id, Entry { id: "x".into(), status: 200, ..Entry::default() })).collect();
        backend::write(&mut conn, |c| journal::insert_all(c, &rows)).unwrap();
        assert_eq!(stored(server, &here.tenant).len(), 1);
        assert!(journal::oldest(&mut conn).unwrap().iter().all(|(tenant, _)| *tenant != ids[0]));
    }

    /// The admin API reads the log, newest first, by member, source, status, time and request.
    fn admins_read_it(server) {
        let (client, other) = (server.tenant(), server.tenant());
        let admin = Admin::of(server, &client.tenant, EVERYTHING);
        let (first, second) = (client.user("first@example.com"), client.user("second@example.com"));
        let made = client.group("Sales", &[id(&first)]);
        let failed = client.get("/Nothing");
        drop(row(server, &client, &failed));
        other.user("first@example.com");
        let base = format!("/tenants/{}/requests", client.tenant);
        let all = all_pages(&admin, &format!("{base}?limit=2"));
        assert_eq!(all.len(), 4, "{all:#?}");
        assert!(all.iter().all(|e| e.get("changes").is_none()));
        let times: Vec<_> = all.iter().map(|e| e["id"].as_str().unwrap()).collect();
        assert!(times.iter().rev().is_sorted(), "{times:?}");
        let of = |query: &str| {
            let page = admin.get(&format!("{base}?{query}")).expect(200);
            page["items"].as_array().unwrap().iter().map(|e| (e["method"].as_str().unwrap().to_owned(), e["status"].as_i64().unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(of("member=first%40example.com"), [("POST".to_owned(), 201)]);
        assert_eq!(of(&format!("member={}", id(&second))), of(&format!("member={}", id(&made))));
        assert_eq!(of("status=failed"), [("GET".to_owned(), 404)]);
        assert_eq!((of("status=404").len(), of("status=2xx").len(), of("status=5xx").len()), (1, 3, 0));
        assert_eq!((of("changed=true").len(), of("source=default").len(), of("source=other").len()), (3, 4, 0));
        assert_eq!((of("since=2020-01-01T00:00:00Z").len(), of("since=2120-01-01T00:00:00Z").len()), (4, 0));
        for (query, word) in [("status=x", "status"), ("since=x", "since"), ("changed=x", "changed"), ("nothing=1", "nothing")] {
            assert!(problem(&admin.get(&format!("{base}?{query}")), 400, "invalid").contains(word));
        }
        problem(&admin.get(&format!("{base}?member=nobody%40example.com")), 404, "not_found");
        let shown = admin.get(&format!("{base}/{}", failed.header("x-request-id"))).expect(200);
        assert_eq!((&shown["status"], &shown["changes"], &shown["changed"]), (&json!(404), &json!([]), &json!(false)));
        let by_id = admin.get(&format!("{base}/{}", all[3]["id"].as_str().unwrap())).expect(200);
        assert!(by_id["changes"].as_array().unwrap().contains(&json!({"path": "userName", "new": "first@example.com"})), "{by_id}");
        let foreign = stored(server, &other.tenant).pop().unwrap();
        for key in [foreign.id.as_str(), foreign.request_id.as_str(), "x", "00000000-0000-7000-8000-000000000000"] {
            problem(&admin.get(&format!("{base}/{key}")), 404, "not_found");
        }
    }

    /// The command line reads the same.
    fn operators_read_it(server) {
        let place = Place::beside(server);
        let client = server.tenant();
        let made = client.post("/Users", &json!({"schemas": [USER], "userName": "first@example.com", "active": "False"}));
        made.expect(201);
        let refused = client.post("/Users", &json!({"schemas": [USER], "userName": "first@example.com"}));
        assert_eq!(refused.status, 409);
        drop(row(server, &client, &refused));
        let text = place.run(&["log", &client.tenant]);
        let (older, newer) = (text.find(" 201 POST /scim/v2/Users").unwrap(), text.find(" 409 POST /scim/v2/Users").unwrap());
        assert!(older < newer, "{text}");
        for part in ["string_boolean", "the string \"False\" read as false", "userName: nothing -> \"first@example.com\"", "uniqueness: "] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!place.run(&["log", &client.tenant, "--failed"]).contains(" 201 "));
        assert!(!place.run(&["log", &client.tenant, "--member", "first@example.com", "--changed"]).contains(" 409 "));
        let lines = place.run(&["log", &client.tenant, "--json", "-n", "1"]);
        let shown: Value = serde_json::from_str(lines.trim()).unwrap();
        assert_eq!((&shown["status"], &shown["request_id"]), (&json!(409), &json!(refused.header("x-request-id"))));
        let one = place.run(&["log", &client.tenant, "--id", made.header("x-request-id")]);
        assert!(one.contains(" 201 ") && !one.contains(" 409 "), "{one}");
        assert!(place.run(&["log", &client.tenant, "--since", "2120-01-01T00:00:00Z"]).contains("no such request"));
        assert!(place.refused(&["log", &client.tenant, "--id", "x"]).contains("no request"));
        assert!(place.refused(&["log", "nobody"]).contains("tenant list"));
    }

    /// What waits is written before a server ends.
    fn nothing_is_lost_with_a_stop(server) {
        let place = Place::beside(server);
        let client = server.tenant();
        let mut running = place.serve();
        let beside = running.client(client.token.as_deref().unwrap());
        let replies: Vec<Reply> = (0..20).map(|_| beside.get("/Nothing")).collect();
        running.stop();
        let rows: BTreeSet<String> = stored(server, &client.tenant).into_iter().map(|e| e.request_id).collect();
        assert!(replies.iter().all(|r| rows.contains(r.header("x-request-id"))), "{} of 20", rows.len());
    }
}

on_stage! {
    /// Rows go when they are as old as the tenant wants them, and no sooner.
    fn old_rows_go(stage) {
        let (usual, short) = (stage.tenant(|_| {}), stage.tenant(|s| s.log_days = Some(2)));
        for client in [&usual, &short] {
            client.user("first@example.com");
        }
        let count = |client: &Client| stored(&stage.server, &client.tenant).len();
        let prune = || jobs::prune(&stage.server.app, stage.now()).unwrap();
        stage.pass_quietly(DAY);
        for client in [&usual, &short] {
            client.user("second@example.com");
        }
        stage.pass_quietly(DAY + DAY / 2);
        prune();
        assert_eq!((count(&usual), count(&short)), (2, 1));
        stage.pass_quietly(30 * DAY);
        prune();
        assert_eq!((count(&usual), count(&short)), (0, 0));
        usual.user("third@example.com");
        set(&stage.server, &usual.tenant, |s| s.log_days = Some(0));
        stage.pass_quietly(1);
        prune();
        assert_eq!(count(&usual), 0);
    }

    /// Of somebody who was anonymised the log says that there were requests, and nothing else. One who came back under another id
    /// is the same person.
    fn anonymisation_empties_rows(stage) {
        let client = stage.tenant(|s| s.quarantine_days = 1);
        let user = client.post("/Users", &sam()).expect(201);
        client.delete(&user_path(&user)).expect(204);
        let back = client.post("/Users", &sam()).expect(201);
        assert_ne!(id(&back), id(&user));
        client.patch(&user_path(&back), &active(false)).expect(200);
        let other = client.user("other@example.com");
        let rows = stored(&stage.server, &client.tenant);
        assert!(rows.iter().any(|e| texts(e).contains("sam@example.com")));
        stage.pass(DAY + 1);
        stage.pass(1);
        let rows = stored(&stage.server, &client.tenant);
        assert!(!rows.iter().any(|e| texts(e).contains("sam@example.com")), "{rows:#?}");
        let emptied: Vec<_> = rows.iter().filter(|e| e.subject.as_deref() == Some(id(&user))).collect();
        assert_eq!(emptied.len(), 4, "{rows:#?}");
        assert!(emptied.iter().all(|e| e.changes.as_deref() == Some("[]") && e.notes.is_none()), "{emptied:#?}");
        assert!(rows.iter().any(|e| e.subject.as_deref() == Some(id(&other)) && e.changes.as_deref() != Some("[]")));
        assert!(Place::beside(&stage.server).run(&["verify"]).contains("no fault"));
    }
}
