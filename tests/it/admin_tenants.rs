//! The admin API: tenants, their sources, their tokens, and its own keys.

use crate::admin::{Admin, EVERYTHING, READ_ONLY, problem};
use crate::clients::Client;
use crate::harness::Server;
use crate::stage::{DAY, Stage};
use rollbook::domain::Scopes;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than a server believes what it knows of tokens.
fn noticed() {
    std::thread::sleep(Duration::from_millis(1100));
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect()
}

/// A tenant made by the API, with a client of it.
fn acme(server: &Server, operator: &Admin) -> Client {
    operator.post("/tenants", &json!({"name": "acme"})).expect(201);
    let token = operator.post("/tenants/acme/tokens", &json!({})).expect(201);
    Client::new(&server.base, Some(token["token"].as_str().unwrap()), "acme")
}

on_both! {
    fn tenants_are_made_listed_and_changed(server) {
        let operator = Admin::operator(server);
        let made = operator.post("/tenants", &json!({"name": "acme", "provider": "entra", "settings": {"quarantine_days": 14}}));
        assert_eq!((made.header("location"), made.header("etag")), ("/admin/v1/tenants/acme", "\"2\""));
        let made = made.expect(201);
        assert_eq!(made["unique_group_names"], true, "as Entra wants it");
        assert_eq!((&made["settings"]["quarantine_days"], &made["settings"]["invite_days"]), (&json!(14), &json!(7)));
        for name in ["beta", "gamma", "delta"] {
            operator.post("/tenants", &json!({"name": name})).expect(201);
        }
        let first = operator.get("/tenants?limit=3").expect(200);
        assert_eq!(names(&first), ["acme", "beta", "delta"]);
        let rest = operator.get(&format!("/tenants?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).expect(200);
        assert_eq!((names(&rest), &rest["next_cursor"]), (vec!["gamma"], &Value::Null));

        let shown = operator.get("/tenants/acme");
        let version = shown.header("etag").to_owned();
        assert_eq!(shown.expect(200)["live_tokens"], 0);
        let changed = operator.send("PATCH", "/tenants/acme", &[("if-match", &version)], Some("{\"provider\":\"okta\",\"settings\":{\"quarantine_days\":null}}"));
        let newer = changed.header("etag").to_owned();
        assert_ne!(newer, version);
        let changed = changed.expect(200);
        assert_eq!((&changed["provider"], &changed["settings"]["quarantine_days"]), (&json!("okta"), &json!(7)));
        problem(&operator.send("PATCH", "/tenants/acme", &[("if-match", &version)], Some("{}")), 412, "changed-meanwhile");
        problem(&operator.send("PATCH", "/tenants/acme", &[("if-match", "\"what\"")], Some("{}")), 412, "changed-meanwhile");
        operator.send("PATCH", "/tenants/acme", &[("if-match", &format!("W/{newer}"))], Some("{}")).expect(200);
        let again = operator.patch("/tenants/acme", &json!({"provider": "okta"}));
        assert_eq!(again.header("etag"), operator.get("/tenants/acme").header("etag"), "what changes nothing is no change");
    }

    /// A fault is named, and nothing is changed.
    fn faults_are_named(server) {
        let operator = Admin::operator(server);
        operator.post("/tenants", &json!({"name": "acme"})).expect(201);
        problem(&operator.post("/tenants", &json!({"name": "acme"})), 409, "tenant-exists");
        let invalid = |reply, word: &str| {
            let detail = problem(&reply, 400, "invalid");
            assert!(detail.contains(word), "{detail}");
        };
        invalid(operator.post("/tenants", &json!({"name": "Acme Inc"})), "Acme Inc");
        invalid(operator.post("/tenants", &json!({"nam": "x"})), "nam");
        invalid(operator.post("/tenants", &json!({"name": "x", "provider": "ping"})), "provider");
        invalid(operator.post("/tenants", &json!({"name": "x", "settings": {"invite_days": "many"}})), "invite_days");
        invalid(operator.post("/tenants", &json!({"name": "x", "settings": {"colour": "red"}})), "colour");
        invalid(operator.send("POST", "/tenants", &[], Some("{\"name\":")), "EOF");
        invalid(operator.send("POST", "/tenants", &[], Some("{\"name\":\"x\"} more")), "body");
        invalid(operator.get("/tenants?limt=3"), "limt");
        invalid(operator.get("/tenants?cursor=***"), "cursor");
        problem(&operator.send("POST", "/tenants", &[("content-type", "text/plain")], Some("x")), 415, "media-type");
        problem(&operator.get("/tenants/x"), 404, "not-found");
        problem(&operator.get("/nowhere"), 404, "not-found");
        let reply = operator.put("/tenants", &json!({}));
        assert_eq!((reply.status, reply.header("allow")), (405, "GET, POST"));
        assert_eq!(names(&operator.get("/tenants").expect(200)), ["acme"]);
    }

    /// A suspended tenant is answered 403 by SCIM, and comes back with everything it had.
    fn suspension_loses_nothing(server) {
        let operator = Admin::operator(server);
        let client = acme(server, &operator);
        let user = client.user("sam@example.com");
        operator.patch("/tenants/acme", &json!({"status": "suspended", "suspension_reason": "the contract has ended"})).expect(200);
        noticed();
        let detail = client.get("/Users").expect_error(403, "");
        assert!(detail.contains("the contract has ended"), "{detail}");
        client.post("/Users", &json!({"schemas": [crate::clients::USER], "userName": "x"})).expect_error(403, "");
        let shown = operator.patch("/tenants/acme", &json!({"status": "active"})).expect(200);
        assert_eq!((&shown["status"], &shown["suspension_reason"]), (&json!("active"), &Value::Null));
        noticed();
        assert_eq!(client.get(&crate::clients::user_path(&user)).expect(200), user);
        let detail = problem(&operator.patch("/tenants/acme", &json!({"suspension_reason": "x"})), 400, "invalid");
        assert!(detail.contains("suspension_reason"), "{detail}");
    }

    /// Deleting takes two steps; nothing is lost before the second, and nothing of others with it.
    fn a_tenant_is_deleted_in_two_steps(server) {
        let operator = Admin::operator(server);
        let client = acme(server, &operator);
        let other = server.tenant();
        let kept = other.user("sam@example.com");
        let user = client.user("sam@example.com");
        client.group("Staff", &[crate::clients::id(&user)]);
        let theirs = Admin::of(server, "acme", EVERYTHING);
        let detail = problem(&operator.delete("/tenants/acme"), 409, "confirmation-needed");
        assert!(detail.contains("1 members") && detail.contains("1 groups"), "{detail}");
        let shown = operator.get("/tenants/acme/deletion").expect(200);
        assert_eq!((&shown["members"], &shown["groups"], &shown["live_tokens"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!((&shown["live_clients"], &shown["issuers"]), (&json!(0), &json!(0)));
        operator.post("/tenants/acme/clients", &json!({"name": "nightly", "auth": "secret"})).expect(201);
        let counted = operator.get("/tenants/acme/deletion").expect(200);
        assert_eq!(counted["live_clients"], 1);
        assert_ne!(counted["confirmation"], shown["confirmation"]);
        client.user("late@example.com");
        let stale = format!("/tenants/acme?confirmation={}", shown["confirmation"].as_str().unwrap());
        problem(&operator.delete(&stale), 409, "confirmation-needed");
        client.get("/Users").expect(200);
        let shown = operator.get("/tenants/acme/deletion").expect(200);
        let lost = operator.delete(&format!("/tenants/acme?confirmation={}", shown["confirmation"].as_str().unwrap())).expect(200);
        assert_eq!(lost["members"], 2);
        problem(&operator.get("/tenants/acme"), 404, "not-found");
        noticed();
        assert_eq!(client.get("/Users").status, 401);
        assert_eq!(theirs.get("/tenants/acme").status, 401);
        assert_eq!(other.get(&crate::clients::user_path(&kept)).expect(200), kept);
        let again = acme(server, &operator);
        assert_eq!(again.get("/Users").expect(200)["totalResults"], 0);
    }

    /// The same creation sent twice happens once; the same key with something else is refused.
    fn creations_are_idempotent(server) {
        let operator = Admin::operator(server);
        let send = |path: &str, body: &Value| operator.send("POST", path, &[("idempotency-key", "0123456789")], Some(&body.to_string()));
        let first = send("/tenants", &json!({"name": "acme"}));
        let second = send("/tenants", &json!({"name": "acme"}));
        assert_eq!((first.expect(201), first.header("etag"), first.header("location")), (second.expect(201), second.header("etag"), second.header("location")));
        assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
        problem(&send("/tenants", &json!({"name": "beta"})), 409, "idempotency-key-reused");
        let token = |key: &str| operator.send("POST", "/tenants/acme/tokens", &[("idempotency-key", key)], Some("{}")).expect(201);
        let (a, b, c) = (token("another-key"), token("another-key"), token("a-third-key"));
        assert_eq!(a, b, "the token too, which is stored nowhere in clear");
        assert_ne!(a["id"], c["id"]);
        assert_eq!(operator.get("/tenants/acme/tokens").expect(200)["items"].as_array().unwrap().len(), 2);
        let detail = problem(&operator.send("POST", "/tenants", &[("idempotency-key", "short")], Some("{}")), 400, "invalid");
        assert!(detail.contains("Idempotency-Key"), "{detail}");
        // Somebody else's key is not this one's.
        let other = Admin::operator(server);
        problem(&other.send("POST", "/tenants", &[("idempotency-key", "0123456789")], Some("{\"name\":\"acme\"}")), 409, "tenant-exists");
    }

    /// R-DEP-10: a source that is paused is answered 503, one that is detached 403, and nobody is deactivated.
    fn sources_are_paused_and_detached(server) {
        let operator = Admin::operator(server);
        acme(server, &operator);
        let made = operator.post("/tenants/acme/sources", &json!({"name": "okta", "provider": "okta"})).expect(201);
        assert_eq!((&made["state"], &made["provider_is_the_tenants"]), (&json!("active"), &json!(false)));
        problem(&operator.post("/tenants/acme/sources", &json!({"name": "okta"})), 409, "source-exists");
        let token = operator.post("/tenants/acme/tokens", &json!({"source": "okta"})).expect(201);
        let client = Client::new(&server.base, token["token"].as_str(), "acme");
        let user = client.user("sam@example.com");
        let state = |state: &str| operator.patch("/tenants/acme/sources/okta", &json!({"state": state})).expect(200);
        problem(&operator.delete("/tenants/acme/sources/okta"), 409, "source-in-use");
        state("paused");
        noticed();
        let reply = client.get("/Users");
        reply.expect_error(503, "");
        assert_eq!(reply.header("retry-after"), "300");
        state("detached");
        noticed();
        client.delete(&crate::clients::user_path(&user)).expect_error(403, "");
        operator.delete("/tenants/acme/sources/okta").expect(204);
        noticed();
        assert_eq!(client.get("/Users").status, 401);
        problem(&operator.delete("/tenants/acme/sources/default"), 409, "default-source");
        let rest = acme_again(server, &operator);
        assert_eq!(rest.get(&crate::clients::user_path(&user)).expect(200)["active"], true);
        problem(&operator.post("/tenants/acme/tokens", &json!({"source": "okta"})), 404, "not-found");
    }

    /// R-SCIM-1: what a source may not do is refused, and changes nothing.
    fn capabilities_are_held(server) {
        let operator = Admin::operator(server);
        let client = acme(server, &operator);
        let user = client.user("sam@example.com");
        let group = client.group("Staff", &[]);
        let path = crate::clients::user_path(&user);
        let none = json!({"capabilities": {"create": false, "deactivate": false, "reactivate": false, "groups": false}});
        operator.patch("/tenants/acme/sources/default", &none).expect(200);
        noticed();
        let refused = |reply: crate::clients::Reply, what: &str| {
            let detail = reply.expect_error(403, "");
            assert!(detail.contains(what), "{detail}");
        };
        refused(client.post("/Users", &json!({"schemas": [crate::clients::USER], "userName": "new"})), "create users");
        refused(client.patch(&path, &json!([{"op": "replace", "path": "active", "value": false}])), "deactivate users");
        refused(client.delete(&path), "delete users");
        refused(client.patch(&crate::clients::group_path(&group), &json!([{"op": "add", "path": "members", "value": [{"value": crate::clients::id(&user)}]}])), "change groups");
        refused(client.delete(&crate::clients::group_path(&group)), "change groups");
        client.patch(&path, &json!([{"op": "replace", "path": "displayName", "value": "Sam"}])).expect(200);
        assert_eq!(client.get(&path).expect(200)["active"], true);
        operator.patch("/tenants/acme/sources/default", &json!({"capabilities": {"reactivate": false}})).expect(200);
        noticed();
        client.patch(&path, &json!([{"op": "replace", "path": "active", "value": false}])).expect(200);
        refused(client.patch(&path, &json!([{"op": "replace", "path": "active", "value": true}])), "bring users back");
    }

    /// A tenant has limits of its own, which the discovery tells its clients.
    fn limits_are_the_tenants_own(server) {
        let operator = Admin::operator(server);
        let client = acme(server, &operator);
        operator.patch("/tenants/acme", &json!({"settings": {"page_default": 2, "page_max": 100, "patch_operations": 1}})).expect(200);
        noticed();
        let user = client.user("a@example.com");
        client.user("b@example.com");
        client.user("c@example.com");
        assert_eq!(client.get("/Users").expect(200)["itemsPerPage"], 2);
        assert_eq!(client.get("/ServiceProviderConfig").expect(200)["pagination"]["maxPageSize"], 100);
        let one = json!({"op": "replace", "path": "title", "value": "x"});
        client.patch(&crate::clients::user_path(&user), &json!([one])).expect(200);
        client.patch(&crate::clients::user_path(&user), &json!([one, one])).expect_error(413, "");
        let detail = problem(&operator.patch("/tenants/acme", &json!({"settings": {"page_max": 99}})), 400, "invalid");
        assert!(detail.contains("page_max"), "{detail}");
        assert_eq!(server.tenant().get("/ServiceProviderConfig").expect(200)["pagination"]["maxPageSize"], 1000);
    }

    /// Tolerances are switched by name, for each source by itself.
    fn tolerances_are_switched_by_name(server) {
        let operator = Admin::operator(server);
        let client = acme(server, &operator);
        let user = client.user("sam@example.com");
        let odd = || client.patch(&crate::clients::user_path(&user), &json!([{"op": "replace", "path": "active", "value": "True"}]));
        odd().expect(200);
        let after = operator.patch("/tenants/acme/sources/default", &json!({"tolerances": {"string_boolean": false}})).expect(200);
        assert_eq!(after["tolerances"], json!({"string_boolean": false}));
        assert!(!after["tolerances_in_force"].as_array().unwrap().contains(&json!("string_boolean")));
        noticed();
        odd().expect_error(400, "invalidValue");
        operator.patch("/tenants/acme/sources/default", &json!({"tolerances": {"string_boolean": null}})).expect(200);
        noticed();
        odd().expect(200);
        let detail = problem(&operator.patch("/tenants/acme/sources/default", &json!({"tolerances": {"magic": true}})), 400, "invalid");
        assert!(detail.contains("magic"), "{detail}");
        operator.patch("/tenants/acme/sources/default", &json!({"provider": "rfc"})).expect(200);
        noticed();
        odd().expect_error(400, "invalidValue");
    }

    /// R229, R-SCIM-2: two live tokens during a rotation, one after it.
    fn tokens_are_rotated_with_overlap(server) {
        let operator = Admin::operator(server);
        operator.post("/tenants", &json!({"name": "acme"})).expect(201);
        let first = operator.post("/tenants/acme/tokens", &json!({"name": "okta", "kind": "jwt", "scopes": ["scim:read"]})).expect(201);
        let place = format!("/tenants/acme/tokens/{}", first["id"].as_str().unwrap());
        let rotation = format!("{place}/rotation");
        let old = Client::new(&server.base, first["token"].as_str(), "acme");
        problem(&operator.get(&rotation), 404, "not-found");
        let second = operator.post(&rotation, &json!({})).expect(201);
        assert_eq!((&second["replaces"], &second["kind"], &second["scopes"], &second["name"]), (&first["id"], &json!("jwt"), &json!(["scim:read"]), &json!("okta")));
        let new = Client::new(&server.base, second["token"].as_str(), "acme");
        problem(&operator.post(&rotation, &json!({})), 409, "rotation-exists");
        assert_eq!((old.get("/Users").status, new.get("/Users").status), (200, 200));
        assert_eq!(operator.get(&rotation).expect(200)["id"], second["id"]);
        operator.delete(&rotation).expect(204);
        noticed();
        assert_eq!((old.get("/Users").status, new.get("/Users").status), (200, 401), "cancelled");

        let third = operator.post(&rotation, &json!({"expires_at": "2099-01-01T00:00:00Z"})).expect(201);
        let newest = Client::new(&server.base, third["token"].as_str(), "acme");
        let after = operator.patch(&rotation, &json!({"state": "complete"})).expect(200);
        assert_eq!((&after["id"], &after["replaces"]), (&third["id"], &Value::Null));
        noticed();
        assert_eq!((old.get("/Users").status, newest.get("/Users").status), (401, 200), "completed");
        assert_eq!(operator.get(&place).expect(200)["state"], "revoked");
        problem(&operator.post(&rotation, &json!({})), 404, "not-found");
        problem(&operator.patch(&rotation, &json!({"state": "complete"})), 404, "not-found");
        operator.delete(&format!("/tenants/acme/tokens/{}", third["id"].as_str().unwrap())).expect(204);
        noticed();
        assert_eq!(newest.get("/Users").status, 401);
        let audit = operator.get("/tenants/acme/audit?about=admin").expect(200);
        let events: Vec<&str> = audit["items"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
        let started = ["rotation_completed", "rotation_started", "rotation_cancelled", "rotation_started", "token_issued"];
        assert_eq!(events, [&["token_revoked"], started.as_slice(), &["tenant_created"]].concat());
    }

    /// A key gives nothing away that it has not got, and opens one tenant if it is of one.
    fn keys_are_bounded(server) {
        let operator = Admin::operator(server);
        acme(server, &operator);
        server.tenant();
        let theirs = Admin::of(server, "acme", Scopes::ALL);
        assert_eq!(names(&theirs.get("/tenants").expect(200)), ["acme"]);
        problem(&theirs.post("/tenants", &json!({"name": "mine"})), 403, "denied");
        problem(&theirs.post("/keys", &json!({"name": "mine"})), 403, "denied");
        problem(&theirs.get("/tenants/t0"), 404, "not-found");
        problem(&theirs.patch("/tenants/acme", &json!({"status": "active"})), 403, "denied");
        problem(&theirs.patch("/tenants/acme", &json!({"settings": {"domains": "trusted"}})), 403, "denied");
        theirs.patch("/tenants/acme", &json!({"settings": {"invite_days": 6}})).expect(200);
        problem(&theirs.post("/tenants/acme/tokens", &json!({"scopes": ["scim:secrets"]})), 403, "denied");
        problem(&theirs.post("/tenants/acme/keys", &json!({"name": "more", "scopes": ["admin:secrets"]})), 403, "denied");
        problem(&theirs.post("/tenants/acme/keys", &json!({"name": "more", "scopes": ["scim:read"]})), 400, "invalid");
        let made = theirs.post("/tenants/acme/keys", &json!({"name": "reader", "scopes": ["admin:read"]})).expect(201);
        let reader = Admin::with_key(server, made["key"].as_str());
        reader.get("/tenants/acme").expect(200);
        problem(&reader.patch("/tenants/acme", &json!({})), 403, "insufficient-scope");
        let listed = theirs.get("/tenants/acme/keys").expect(200);
        assert!(listed["items"].as_array().unwrap().iter().all(|k| k.get("key").is_none()), "{listed}");
        theirs.delete(&format!("/tenants/acme/keys/{}", made["id"].as_str().unwrap())).expect(204);
        assert_eq!(reader.get("/tenants/acme").status, 401);
        // An operator's key is not among a tenant's, whatever its id.
        let id = operator.get("/keys").expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        problem(&theirs.delete(&format!("/tenants/acme/keys/{id}")), 404, "not-found");
        operator.delete(&format!("/keys/{id}")).expect(204);
        assert_eq!(operator.get("/keys").status, 401, "its own");
        let token = server.client("acme", EVERYTHING);
        assert_eq!(Admin::with_key(server, token.token.as_deref()).get("/tenants").status, 401, "a SCIM token is no key");
        assert_eq!(Client::new(&server.base, made["key"].as_str(), "").get("/Users").status, 401, "nor the other way round");
        assert_eq!(Admin::of(server, "acme", READ_ONLY).get("/tenants/acme/codes").status, 403);
    }
}

/// Another client of the tenant.
fn acme_again(server: &Server, operator: &Admin) -> Client {
    let token = operator.post("/tenants/acme/tokens", &json!({})).expect(201);
    Client::new(&server.base, token["token"].as_str(), "acme")
}

on_stage! {
    /// R-SCIM-2: admins are told with 90, 30 and 7 days left, once each, and of no more days than a token ever had.
    fn expiring_tokens_are_announced(stage) {
        let operator = Admin::operator(&stage.server);
        operator.post("/tenants", &json!({"name": "acme", "settings": {"admin_emails": ["it@example.com"]}})).expect(201);
        let issue = |days: i64, name: &str| {
            let at = rollbook::scim::value::write_time(stage.now() + days * DAY);
            operator.post("/tenants/acme/tokens", &json!({"name": name, "expires_at": at})).expect(201)
        };
        let long = issue(365, "long");
        issue(20, "short");
        let told = |stage: &Stage| stage.take_mails().into_iter().map(|m| m.subject).collect::<Vec<_>>();
        stage.settle();
        assert_eq!(told(stage), Vec::<String>::new(), "nothing is close to its end");
        stage.pass(14 * DAY);
        assert_eq!(told(stage), ["acme: the token short expires soon"]);
        stage.pass(DAY);
        assert_eq!(told(stage), Vec::<String>::new(), "once");
        for (days, left) in [(261, 89), (60, 29), (23, 6)] {
            stage.pass(days * DAY);
            let mails = stage.take_mails();
            assert_eq!(mails.iter().map(|m| m.subject.as_str()).collect::<Vec<_>>(), ["acme: the token long expires soon"], "{left}");
            assert!(mails[0].text.contains(&format!("rollbook token rotate acme {}", long["id"].as_str().unwrap())));
            let shown = operator.get(&format!("/tenants/acme/tokens/{}", long["id"].as_str().unwrap())).expect(200);
            assert_eq!(shown["expires_in_days"], left);
        }
        stage.pass(30 * DAY);
        assert_eq!(told(stage), Vec::<String>::new(), "it is over");
    }

    /// The letters of a suspended tenant wait, and its links rest.
    fn a_suspended_tenant_sends_nothing(stage) {
        let operator = Admin::operator(&stage.server);
        let client = stage.tenant(|s| s.auto_invite = true);
        let path = format!("/tenants/{}", client.tenant);
        client.user_with(json!({"userName": "sam@example.com", "emails": [{"value": "sam@example.com"}]}));
        stage.settle();
        let link = stage.take_mails().pop().unwrap().link();
        client.user_with(json!({"userName": "kim@example.com", "emails": [{"value": "kim@example.com"}]}));
        operator.patch(&path, &json!({"status": "suspended"})).expect(200);
        stage.settle();
        assert!(stage.take_mails().is_empty());
        assert_eq!(stage.visitor().get(&link).status, 410);
        operator.patch(&path, &json!({"status": "active"})).expect(200);
        stage.settle();
        assert_eq!(stage.take_mails().len(), 1);
        assert_eq!(stage.visitor().get(&link).status, 200);
    }
}
