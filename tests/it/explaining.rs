//! What a request would do, and why: told without doing it.

use crate::admin::{Admin, EVERYTHING, READ_ONLY, problem};
use crate::clients::{Client, EMPLOYEE, GROUP, PATCH, SEARCH, USER, group_path, id, user_path};
use crate::harness::{Db, Server};
use crate::program::{Place, failed, succeeded};
use crate::requests::{send, substituted};
use crate::stage::{Stage, active, sam};
use rollbook::domain::{Idp, Settings};
use rollbook::service::explain::{self, Explained, Ground, Request};
use rollbook::store::rows::{self, Line};
use rollbook::store::tables::TABLES;
use rollbook::store::{Conn, backend};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

/// Every row of every table.
fn everything(conn: &mut Conn) -> Vec<Vec<Line>> {
    TABLES.iter().map(|table| rows::page(conn, table, None, 100_000).unwrap()).collect()
}

/// Explains a request, and fails when anything is left of it.
#[track_caller]
fn explained(stage: &Stage, tenant: &str, request: &Value) -> Explained {
    let act = stage.act(tenant);
    let app = &stage.server.app;
    let place = rollbook::service::Place { base: app.base.clone(), limits: app.limits };
    let ground = Ground { place, secret: app.secret.clone() };
    let request = Request::read(request).unwrap();
    let mut conn = stage.server.connect();
    // What other requests have left to be written down is not to come in between.
    drop(stage.server.notes(tenant));
    drop(app.auth.take_uses());
    let before = everything(&mut conn);
    let found = backend::write(&mut conn, |c| explain::explain(c, &act, &ground, "default", &request)).unwrap();
    let after = everything(&mut conn);
    for ((table, was), is) in TABLES.iter().zip(&before).zip(&after) {
        assert!(was == is, "{} is another than before", table.name);
    }
    assert_eq!(app.log_waiting(), 0);
    found
}

fn status(found: &Explained) -> u16 {
    match &found.result {
        Ok(answer) => answer.status,
        Err(e) => actix_web::ResponseError::status_code(e).as_u16(),
    }
}

fn changes(found: &Explained) -> Vec<Value> {
    found.changes.iter().map(rollbook::service::delta::Delta::json).collect()
}

fn patch(path: &str, operations: &Value) -> Value {
    json!({"method": "PATCH", "path": path, "body": {"schemas": [PATCH], "Operations": operations}})
}

/// A tenant where much happens: whoever is pushed is invited, and groups tell their members.
fn busy(settings: &mut Settings) {
    settings.auto_invite = true;
    settings.group_mails = true;
    settings.admin_emails = vec!["boss@example.com".into()];
}

on_stage! {
    /// Nothing is left of an explanation in any table: no change, no mail, no count, no row of the log, no key.
    fn nothing_is_left_of_it(stage) {
        let client = stage.tenant(busy);
        let user = client.post("/Users", &sam()).expect(201);
        let group = client.group("Sales", &[id(&user)]);
        let (at, of) = (user_path(&user), group_path(&group));
        let new = json!({"schemas": [USER], "userName": "new@example.com", "emails": [{"value": "new@example.com"}], "active": "True",
                         "password": "secret-word"});
        for (request, wanted) in [
            (json!({"method": "POST", "path": "/Users", "body": new}), 201),
            (json!({"method": "POST", "path": "/scim/v2/Users", "body": sam()}), 409),
            (json!({"method": "POST", "path": "/Users", "raw": "{"}), 400),
            (json!({"method": "POST", "path": "/Users", "headers": {"Content-Type": "text/plain"}, "raw": "x"}), 415),
            (json!({"method": "PUT", "path": at, "body": {"schemas": [USER], "userName": "sam@example.com", "title": "Chief"}}), 200),
            (json!({"method": "PUT", "path": at, "headers": {"If-Match": "W/\"77\""}, "body": sam()}), 412),
            (patch(&at, &active(false)), 200),
            (patch(&at, &json!([{"op": "replace", "path": "emails", "value": [{"value": "other@example.com"}]}])), 200),
            (json!({"method": "DELETE", "path": at}), 204),
            (json!({"method": "GET", "path": at}), 200),
            (json!({"method": "GET", "path": "/Users/nobody"}), 404),
            (json!({"method": "GET", "path": "/Users?filter=userName%20eq%20%22sam@example.com%22"}), 200),
            (json!({"method": "GET", "path": "/Users?filter=nothing%20is"}), 400),
            (json!({"method": "POST", "path": "/.search", "body": {"schemas": [SEARCH]}}), 200),
            (json!({"method": "POST", "path": "/Groups", "body": {"schemas": [GROUP], "displayName": "Shop", "members": [{"value": id(&user)}]}}), 201),
            (patch(&of, &json!([{"op": "remove", "path": "members"}])), 200),
            (json!({"method": "DELETE", "path": of}), 204),
            (json!({"method": "GET", "path": "/Schemas"}), 200),
            (json!({"method": "GET", "path": "/Nothing"}), 404),
            (json!({"method": "PUT", "path": "/Users", "body": {}}), 405),
        ] {
            let found = explained(stage, &client.tenant, &request);
            assert_eq!(status(&found), wanted, "{request}: {:?}", found.result);
        }
        stage.settle();
        assert_eq!(client.get(&at).expect(200)["userName"], "sam@example.com");
    }

    /// What is told is what happens then: status, answer, tolerances, changes, events and mails.
    fn it_happens_as_told(stage) {
        let client = stage.tenant(busy);
        let user = client.post("/Users", &sam()).expect(201);
        let operations = json!([{"op": "Replace", "path": "active", "value": "False"}, {"op": "replace", "path": "title", "value": "Chief"}]);
        let request = patch(&user_path(&user), &operations);
        let found = explained(stage, &client.tenant, &request);
        let told = found.result.as_ref().unwrap().clone();
        let reply = send(&client, &request);
        let mut shown = reply.expect(200);
        assert_eq!(told.etag.as_deref(), Some(reply.header("etag")));
        let mut said = told.body;
        for body in [&mut shown, &mut said] {
            body["meta"]["lastModified"].take();
        }
        assert_eq!(said, shown);
        let entry = stage.server.notes(&client.tenant).remove(0);
        let noted: Vec<Value> = serde_json::from_str(&entry.notes).unwrap();
        let told: Vec<Value> = found.notes.iter().map(|n| json!({"quirk": n.quirk.name(), "text": n.text})).collect();
        assert_eq!(told, noted);
        assert!(told.contains(&json!({"quirk": "string_boolean", "text": "active: the string \"False\" read as false"})));
        let admin = Admin::of(&stage.server, &client.tenant, EVERYTHING);
        let logged = admin.get(&format!("/tenants/{}/requests/{}", client.tenant, reply.header("x-request-id"))).expect(200);
        assert_eq!(json!(changes(&found)), logged["changes"]);
        assert!(changes(&found).contains(&json!({"path": "active", "old": true, "new": false})));
        let event = found.events.last().unwrap();
        let line = stage.timeline(&client.tenant, id(&user)).pop().unwrap();
        assert_eq!((&event.event, &event.from, &event.to), (&line.event, &line.from, &line.to));
        assert!(event.from.starts_with("invited") && event.to.starts_with("quarantined"), "{event:?}");
    }

    /// Mails that would go out are named.
    fn mails_are_named(stage) {
        let client = stage.tenant(busy);
        let found = explained(stage, &client.tenant, &json!({"method": "POST", "path": "/Users", "body": sam()}));
        assert_eq!(found.mails.iter().map(|m| m.kind.as_str()).collect::<Vec<_>>(), ["invitation"]);
        assert!(changes(&found).contains(&json!({"path": format!("{EMPLOYEE}:state"), "new": "invited"})), "{:?}", found.changes);
        stage.settle();
        assert!(stage.mails().is_empty());
    }

    /// Who sent it, what the source declares and what was switched by hand decide how it is read, and are told.
    fn the_profile_is_told(stage) {
        let client = stage.tenant(|_| {});
        let mut request = json!({"method": "GET", "path": "/Users"});
        let found = explained(stage, &client.tenant, &request);
        assert_eq!((found.profile.declared, found.profile.provider), (Idp::Auto, None));
        assert!(!found.profile.tolerances.contains(&"create_from_filter"));
        request["headers"] = json!({"ADSCIMVersion": "2.0"});
        let found = explained(stage, &client.tenant, &request);
        assert_eq!(found.profile.provider.as_deref(), Some("entra"));
        assert!(found.profile.tolerances.contains(&"create_from_filter"));
        let operator = Admin::operator(&stage.server);
        let source = format!("/tenants/{}/sources/default", client.tenant);
        operator.patch(&source, &json!({"provider": "rfc", "tolerances": {"string_boolean": true}})).expect(200);
        let found = explained(stage, &client.tenant, &request);
        assert_eq!(found.profile.declared, Idp::Rfc);
        assert_eq!(found.profile.tolerances, ["string_boolean", "unknown_attribute", "password_dropped"]);
        operator.patch(&source, &json!({"state": "paused"})).expect(200);
        assert_eq!(status(&explained(stage, &client.tenant, &request)), 503);
    }
}

on_both! {
    /// The admin API tells the same; it needs a key that may write, because it takes a write's place, and knows no other tenant.
    fn over_the_admin_api(server) {
        let (client, other) = (server.tenant(), server.tenant());
        let admin = Admin::of(server, &client.tenant, EVERYTHING);
        let user = other.user("first@example.com");
        let at = format!("/tenants/{}/explanations", client.tenant);
        let body = json!({"schemas": [USER], "userName": "first@example.com", "active": "True", "password": "secret-word"});
        let request = json!({"method": "POST", "path": format!("{}/Users", client.base), "headers": {"User-Agent": "Okta SCIM Client 1.0.0"}, "body": body});
        let reply = admin.post(&at, &request);
        let told = reply.expect(200);
        assert_eq!((&told["status"], &told["profile"]["provider"], &told["profile"]["source"]), (&json!(201), &json!("okta"), &json!("default")));
        assert_eq!(told["body"]["userName"], "first@example.com");
        assert!(told["changes"].as_array().unwrap().contains(&json!({"path": "userName", "new": "first@example.com"})));
        assert_eq!(told["tolerated"][0]["quirk"], "string_boolean");
        assert!(!reply.text.contains("secret-word"));
        assert_eq!(client.get("/Users").expect(200)["totalResults"], 0);
        let gone = admin.post(&at, &json!({"method": "GET", "path": user_path(&user)})).expect(200);
        assert_eq!((&gone["status"], &gone["body"]["status"]), (&json!(404), &json!("404")));
        problem(&admin.post(&format!("/tenants/{}/explanations", other.tenant), &request), 404, "not_found");
        problem(&admin.post(&format!("{at}?source=nothing"), &request), 404, "not_found");
        problem(&admin.post(&at, &json!({"path": "/Users"})), 400, "invalid");
        problem(&admin.post(&at, &json!({"method": "POST", "path": "/Bulk", "body": {}})), 400, "invalid");
        let reader = Admin::of(server, &client.tenant, READ_ONLY);
        assert_eq!(reader.post(&at, &request).status, 403);
    }

    /// The command line tells it in words, or as JSON, from a file or from standard input.
    fn on_the_command_line(server) {
        let place = Place::beside(server);
        let client = server.tenant();
        let body = json!({"schemas": [USER], "userName": "first@example.com", "active": "True"});
        let step = json!({"name": "a step", "request": {"method": "POST", "path": "/Users", "body": body}, "expect": {"status": 201}});
        place.write("request.json", &step.to_string());
        let text = place.run(&["explain", "--tenant", &client.tenant, "request.json"]);
        for part in ["would answer 201; nothing was done", "read as    auto", "string_boolean", "userName: nothing -> \"first@example.com\"", "absent -> uninvited", "\"userName\": \"first@example.com\""] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let mut command = place.command(&["explain", "--tenant", &client.tenant, "--json", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(br#"{"method": "GET", "path": "/Users/x"}"#).unwrap();
        let told: Value = serde_json::from_str(&succeeded(&child.wait_with_output().unwrap())).unwrap();
        assert_eq!((&told["status"], told["detail"].as_str().is_some()), (&json!(404), true));
        assert!(place.refused(&["explain", "--tenant", &client.tenant, "nothing.json"]).contains("nothing.json"));
        assert!(place.refused(&["explain", "--tenant", "nobody", "request.json"]).contains("tenant list"));
        place.write("request.json", "{\"steps\": []}");
        let why = failed(&place.command(&["explain", "--tenant", &client.tenant, "request.json"]).output().unwrap());
        assert!(why.contains("one of its steps"), "{why}");
        assert_eq!(client.get("/Users").expect(200)["totalResults"], 0);
    }
}

/// Everything that was recorded of providers is answered as it was told before.
fn recorded_requests(db: Db) {
    let server = Server::start(db);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/requests");
    let mut failures = Vec::new();
    let mut told = 0;
    for idp in ["okta", "entra", "onelogin"] {
        let mut files: Vec<_> = std::fs::read_dir(folder.join(idp)).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        for file in files {
            let case: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            let declared = case["idp"].as_array().unwrap().last().unwrap().as_str().unwrap();
            let client = server.tenant_with_free_locations(declared.parse().unwrap());
            let mut saved = BTreeMap::new();
            for step in case["steps"].as_array().unwrap() {
                let request = substituted(&step["request"], &saved);
                let before = tell(&server, &client, &request);
                let reply = send(&client, &request);
                told += usize::from(before.is_some());
                if before.as_ref().is_some_and(|(status, _)| *status != reply.status) {
                    failures.push(format!("{} {}: told {before:?}, then {} {}", case["case"], request, reply.status, reply.text));
                }
                for (name, pointer) in step["save"].as_object().into_iter().flatten() {
                    let body = reply.json();
                    saved.insert(name.clone(), body.pointer(pointer.as_str().unwrap()).unwrap().as_str().unwrap().to_owned());
                }
            }
        }
    }
    assert!(told > 300, "only {told} requests were told");
    assert!(failures.is_empty(), "{} of {told}:\n{}", failures.len(), failures.join("\n"));
}

/// The status and the detail that are told; nothing of what cannot be told.
fn tell(server: &Server, client: &Client, request: &Value) -> Option<(u16, Option<String>)> {
    let by_itself = request["parallel"].as_u64().unwrap_or(1) == 1 && request["headers"].get("Authorization").is_none();
    let request = Request::read(request).ok().filter(|_| by_itself)?;
    let mut conn = server.connect();
    let tenant = rollbook::service::tenants::named(&mut conn, &client.tenant).unwrap();
    let actor = rollbook::domain::Actor::Admin("test".into());
    let act = rollbook::service::Act {
        tenant: tenant.into(),
        vault: server.app.vault.clone(),
        actor,
        now: server.app.now(),
        request_id: None,
        ledger: None,
    };
    let place = rollbook::service::Place { base: server.app.base.clone(), limits: server.app.limits };
    let ground = Ground { place, secret: server.app.secret.clone() };
    let found = backend::write(&mut conn, |c| explain::explain(c, &act, &ground, "default", &request)).ok()?;
    let detail = found.result.as_ref().err().map(ToString::to_string);
    Some((status(&found), detail))
}

#[test]
fn recorded_requests_on_sqlite() {
    recorded_requests(Db::Sqlite);
}

#[test]
fn recorded_requests_on_postgres() {
    recorded_requests(Db::Postgres);
}
