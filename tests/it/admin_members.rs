//! Members through the admin API: looked at, added, changed, and all that is done to one of them.

use crate::admin::{Admin, EVERYTHING, NO_SECRETS, READ_ONLY, all_pages, problem};
use crate::clients::{Client, EMPLOYEE, ENTERPRISE, USER, id, user_path};
use crate::stage::{DAY, HOUR, Stage, sam, submit};
use rollbook::domain::settings::Emailless;
use serde_json::{Value, json};

/// A tenant, and an admin of it who may do everything.
fn acme(stage: &Stage) -> (Client, Admin, String) {
    let client = stage.tenant(|_| {});
    let place = format!("/tenants/{}/members", client.tenant);
    let admin = Admin::of(&stage.server, &client.tenant, EVERYTHING);
    (client, admin, place)
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|m| m["id"].as_str().unwrap()).collect()
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|l| l["event"].as_str().unwrap()).collect()
}

on_stage! {
    /// Members by filter and state, in the order of their ids, page by page; those in hiding among them.
    fn members_are_listed(stage) {
        let (scim, admin, place) = acme(stage);
        let mut users: Vec<Value> = (0..7).map(|n| scim.user_with(json!({"userName": format!("u{n}@example.com"), "title": if n < 3 { "Guide" } else { "Clerk" }}))).collect();
        users.sort_by(|a, b| id(a).cmp(id(b)));
        let all: Vec<&str> = users.iter().map(id).collect();
        assert_eq!(ids(&all_pages(&admin, &format!("{place}?limit=2"))), all);
        admin.post(&format!("{place}/{}/invitation", all[1]), &json!({})).expect(201);
        admin.put(&format!("{place}/{}/suspension", all[2]), &json!({})).expect(200);
        scim.delete(&format!("/Users/{}", all[3]));
        let named = |query: &str| ids(&all_pages(&admin, &format!("{place}?limit=3&{query}"))).iter().map(|i| all.iter().position(|a| a == i).unwrap()).collect::<Vec<_>>();
        assert_eq!(named(""), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(named("state=invited"), [1]);
        assert_eq!(named("state=quarantined"), [2, 3]);
        assert_eq!(named("state=uninvited"), [0, 4, 5, 6]);
        assert!(named("state=claimed").is_empty());
        let own = |filter: &str| format!("filter={}", form_urlencoded::byte_serialize(filter.as_bytes()).collect::<String>());
        let guides = named(&own("title eq \"guide\""));
        assert_eq!(guides.len(), 3);
        assert_eq!(named(&own(&format!("{EMPLOYEE}:state eq \"invited\""))), [1]);
        assert_eq!(named(&format!("{}&state=uninvited", own("title pr"))), [0, 4, 5, 6]);
        let name = users[5]["userName"].as_str().unwrap();
        assert_eq!(named(&own(&format!("userName eq \"{name}\""))), [5]);
        let hidden = &all_pages(&admin, &format!("{place}?state=quarantined"))[1];
        assert_eq!((&hidden["hidden"], &hidden["state"]), (&json!(true), &json!("quarantined")));
        assert!(problem(&admin.get(&format!("{place}?filter=title%20equals")), 400, "invalid").starts_with("filter: "));
        assert!(problem(&admin.get(&format!("{place}?state=here")), 400, "invalid").starts_with("state: "));
        assert!(problem(&admin.get(&format!("{place}?stat=here")), 400, "invalid").contains("stat"));
    }

    /// Somebody is added by hand, under SCIM's rules; the history names the key, and nobody uninvited hears of it.
    fn members_are_added(stage) {
        let (_, admin, place) = acme(stage);
        let made = admin.post(&place, &json!({"user": {"userName": "sam@example.com", "displayName": "Sam Example", "active": true}}));
        let body = made.expect(201);
        assert_eq!((&body["state"], &body["name"], &body["mail"]), (&json!("uninvited"), &json!("Sam Example"), &json!("sam@example.com")));
        let path = format!("{place}/{}", id(&body));
        assert_eq!(made.header("location"), format!("/admin/v1{path}"));
        let again = admin.get(&path);
        assert_eq!((again.expect(200), again.header("etag")), (body.clone(), made.header("etag")));
        assert_eq!(body["user"]["schemas"], json!([USER, EMPLOYEE]));
        let created = &body["provenance"]["created"];
        assert_eq!(json!([created["event"], created["kind"], created["token"]]), json!(["provisioned", "admin", null]));
        assert!(created["by"].as_str().unwrap().contains(&admin.key), "{created}");
        stage.settle();
        assert!(stage.take_mails().is_empty());

        let user = json!({"schemas": [USER, EMPLOYEE], "userName": "kim@example.com", "displayName": "Kim"});
        let kim = admin.post(&place, &json!({"user": user, "invite": true})).expect(201);
        assert_eq!(kim["state"], "invited");
        stage.settle();
        assert!(stage.one_mail().to.contains("kim@example.com"));
        let lou = json!({"user": {"userName": "lou@example.com", "active": false}, "invite": false});
        assert_eq!(admin.post(&place, &lou).expect(201)["holds"][0]["source"], "admin");

        let taken = admin.post(&place, &json!({"user": {"userName": "SAM@example.com"}}));
        assert!(problem(&taken, 409, "taken").contains("userName"));
        for (user, word) in [(json!({}), "userName"), (json!({"userName": {"x": 1}}), "userName"), (json!({"userName": "x", "displayNam": "y"}), "displayNam"), (json!({"userName": "x", "emails": true}), "emails")] {
            let reply = admin.post(&place, &json!({"user": user}));
            assert_eq!(reply.status, 400, "{user}");
            assert!(problem(&reply, 400, "invalid").contains(word));
        }
        assert!(problem(&admin.post(&place, &json!({"user": {}, "invte": true})), 400, "invalid").contains("invte"));
        let doubled = json!({"user": {"userName": "x@example.com", EMPLOYEE: {"invited": true}}, "invite": false});
        problem(&admin.post(&place, &doubled), 400, "invalid");
        stage.settle();
        assert!(stage.take_mails().is_empty());
    }

    /// A creation that is sent twice happens once.
    fn adding_twice(stage) {
        let (scim, admin, place) = acme(stage);
        let headers = [("idempotency-key", "a-key-of-mine")];
        let body = json!({"user": {"userName": "sam@example.com"}, "invite": true});
        let first = admin.send("POST", &place, &headers, Some(&body.to_string()));
        let second = admin.send("POST", &place, &headers, Some(&body.to_string()));
        assert_eq!(first.expect(201), second.expect(201));
        assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
        assert_eq!(second.header("etag"), first.header("etag"));
        let other = admin.send("POST", &place, &headers, Some(&json!({"user": {"userName": "kim@example.com"}}).to_string()));
        problem(&other, 409, "idempotency_key_reused");
        assert_eq!(scim.get("/Users").expect(200)["totalResults"], 1);
        stage.settle();
        stage.one_mail();
    }

    /// Who comes back by hand is the person that was there; whom a source has switched off is not brought back in passing.
    fn coming_back_by_hand(stage) {
        let (scim, admin, place) = acme(stage);
        let number = |name: &str| json!({"userName": name, ENTERPRISE: {"employeeNumber": "E-7"}});
        let user = scim.user_with(number("sam@example.com"));
        scim.delete(&user_path(&user));
        let back = admin.post(&place, &json!({"user": number("sam@example.com")})).expect(201);
        assert_eq!((&back["permanent_id"], &back["state"]), (&user["id"], &json!("uninvited")));
        scim.patch(&format!("/Users/{}", id(&back)), &json!([{"op": "replace", "path": "active", "value": false}])).expect(200);
        let held = admin.post(&place, &json!({"user": number("sam@example.com")}));
        assert!(problem(&held, 409, "forbidden_by_the_roll").starts_with("held: "));
        assert_eq!(admin.get(&format!("{place}/{}", id(&back))).expect(200)["state"], "quarantined");
    }

    /// Everything about a member, by any of its names; provenance tells source, token and the last hand.
    fn members_are_shown(stage) {
        let (scim, admin, place) = acme(stage);
        let user = scim.post("/Users", &sam()).expect(201);
        scim.group("Guides", &[id(&user)]);
        let path = format!("{place}/{}", id(&user));
        let shown = admin.get(&path).expect(200);
        for key in [shown["permanent_id"].as_str().unwrap(), "sam@example.com"] {
            assert_eq!(admin.get(&format!("{place}/{key}")).expect(200), shown);
        }
        let scim_user = scim.get(&user_path(&user)).expect(200);
        assert_eq!(shown["user"], scim_user);
        assert_eq!(json!([shown["groups"], shown["auth_method"], shown["invitation"], shown["frozen"]]), json!([["Guides"], "password", null, false]));
        let created = &shown["provenance"]["created"];
        assert_eq!(json!([created["kind"], created["source"], created["event"]]), json!(["token", "default", "provisioned"]));
        assert!(created["token"].is_string());

        stage.pass(HOUR);
        admin.put(&format!("{path}/suspension"), &json!({"reason": "left"})).expect(200);
        let after = admin.get(&path).expect(200);
        assert_eq!(after["holds"], json!([{"source": "admin", "reason": "inactive", "since": "2026-11-22T13:00:00.000000Z"}]));
        assert_eq!(json!([after["provenance"]["changed"]["kind"], after["provenance"]["changed"]["event"]]), json!(["admin", "deactivated"]));
        assert_eq!(after["provenance"]["created"], shown["provenance"]["created"]);
        assert!(after["quarantine_until"].is_string());
        let missing = admin.get(&format!("{place}/nobody"));
        assert!(problem(&missing, 404, "not_found").contains("nobody"));
        problem(&admin.get(&format!("{place}/a%00b")), 404, "not_found");
    }

    /// A merge patch changes a member under SCIM's rules, and only the version that was read.
    fn members_are_changed(stage) {
        let (scim, admin, place) = acme(stage);
        let user = scim.post("/Users", &sam()).expect(201);
        let path = format!("{place}/{}", id(&user));
        let etag = admin.get(&path).header("etag").to_owned();
        let change = |tag: &str, user: Value| admin.send("PATCH", &path, &[("if-match", tag)], Some(&json!({"user": user}).to_string()));
        let first = change(&etag, json!({"title": "Guide", "NAME": {"givenName": "Sam"}, "timezone": null}));
        let body = first.expect(200);
        assert_eq!(json!([body["user"]["title"], body["user"]["name"]["givenName"], body["user"]["externalId"]]), json!(["Guide", "Sam", "ext-1"]));
        assert_ne!(first.header("etag"), etag);
        problem(&change(&etag, json!({"title": "Clerk"})), 412, "changed_meanwhile");
        let tag = first.header("etag");
        assert_eq!(change(tag, json!({"title": null})).expect(200)["user"]["title"], Value::Null);
        assert_eq!(change("*", json!({"id": "mine", "meta": {}})).expect(200)["id"], user["id"], "what is read only stays");

        scim.user("kim@example.com");
        assert!(problem(&change("*", json!({"userName": "kim@example.com"})), 409, "taken").contains("userName"));
        assert!(problem(&change("*", json!({"userName": null})), 400, "invalid").contains("userName"));
        problem(&change("*", json!({"emails": [{"value": {"x": 7}}]})), 400, "invalid");
        problem(&admin.patch(&path, &json!({"users": {}})), 400, "invalid");
        assert!(problem(&change("*", json!({"titel": "x"})), 400, "invalid").contains("titel"));
        let shown = admin.get(&path).expect(200);
        assert_eq!(change("*", shown["user"].clone()).expect(200), shown, "what was read changes nothing");
        assert_eq!(scim.get(&user_path(&user)).expect(200)["userName"], "sam@example.com");

        let off = change("*", json!({"active": false})).expect(200);
        assert_eq!((&off["state"], &off["holds"][0]["source"]), (&json!("quarantined"), &json!("admin")));
        let on = scim.patch(&user_path(&user), &json!([{"op": "replace", "path": "active", "value": true}]));
        on.expect_error(409, "");
        assert_eq!(change("*", json!({"active": true})).expect(200)["state"], "uninvited");
        let invited = change("*", json!({EMPLOYEE: {"invited": true}})).expect(200);
        assert_eq!(invited["state"], "invited");
        scim.delete(&user_path(&user));
        problem(&change("*", json!({"title": "x"})), 409, "member_hidden");
    }

    /// The invitation of a member: made, sent again, looked at, revoked; its link is for few, and reading it is recorded.
    fn invitations(stage) {
        let (scim, admin, place) = acme(stage);
        let user = scim.post("/Users", &sam()).expect(201);
        let (member, path) = (format!("{place}/{}", id(&user)), format!("{place}/{}/invitation", id(&user)));
        problem(&admin.get(&path), 404, "not_found");
        let made = admin.send("POST", &path, &[], None);
        assert_eq!((&made.expect(201)["state"], made.header("location")), (&json!("invited"), format!("/admin/v1{path}").as_str()));
        stage.settle();
        let link = stage.one_mail().link();
        let shown = admin.get(&path).expect(200);
        assert_eq!((&shown["state"], shown["link"].as_str()), (&json!("live"), Some(link.as_str())));
        let clerk = Admin::of(&stage.server, &scim.tenant, NO_SECRETS);
        assert_eq!(clerk.get(&path).expect(200)["link"], Value::Null);
        let lines = all_pages(&admin, &format!("{member}/timeline?limit=1"));
        assert_eq!(events(&lines), ["provisioned", "invited", "link_read"]);
        assert!(lines[2]["actor"].as_str().unwrap().contains(&admin.key));

        problem(&admin.post(&path, &json!({})), 409, "too_soon");
        assert!(problem(&admin.post(&path, &json!({"who": 1})), 400, "invalid").contains("who"));
        stage.pass(2 * HOUR);
        admin.post(&path, &json!({})).expect(201);
        stage.settle();
        assert_ne!(stage.one_mail().link(), link);
        assert_eq!(admin.delete(&path).expect(200)["state"], "uninvited");
        assert_eq!(admin.get(&path).expect(200)["state"], "revoked");
        assert_eq!(admin.get(&path).expect(200)["link"], Value::Null);
        stage.settle();
        assert!(stage.take_mails().is_empty());
        problem(&admin.delete(&format!("{place}/nobody/invitation")), 404, "not_found");
    }

    /// Suspended and restored, with the reason in the history; the only admin stays.
    fn suspensions(stage) {
        let (scim, admin, place) = acme(stage);
        let user = scim.post("/Users", &sam()).expect(201);
        let path = format!("{place}/{}/suspension", id(&user));
        problem(&admin.delete(&path), 409, "not_quarantined");
        let stale = admin.send("PUT", &path, &[("if-match", "\"77\"")], Some("{}"));
        problem(&stale, 412, "changed_meanwhile");
        assert_eq!(admin.put(&path, &json!({"reason": "on leave"})).expect(200)["state"], "quarantined");
        assert_eq!(scim.get(&user_path(&user)).expect(200)["active"], false);
        let lines = all_pages(&admin, &format!("{place}/{}/timeline", id(&user)));
        let last = lines.last().unwrap();
        assert_eq!(json!([last["event"], last["detail"], last["actor_kind"], last["to"]]), json!(["deactivated", "on leave", "admin", "quarantined (uninvited)"]));
        assert_eq!(admin.delete(&path).expect(200)["holds"], json!([]));
        assert_eq!(scim.get(&user_path(&user)).expect(200)["active"], true);
        assert!(problem(&admin.put(&path, &json!({"reason": ""})), 400, "invalid").starts_with("reason"));
        let boss = scim.user_with(json!({"userName": "boss@example.com", "roles": [{"value": "admin"}]}));
        let refused = admin.put(&format!("{place}/{}/suspension", id(&boss)), &json!({}));
        assert!(problem(&refused, 409, "conflict").contains("last_admin"));
    }

    /// A claim by single sign-on is recorded, and undone; whoever is not let in is remembered.
    fn claims(stage) {
        let (scim, admin, place) = acme(stage);
        let user = scim.post("/Users", &sam()).expect(201);
        let (member, path) = (format!("{place}/{}", id(&user)), format!("{place}/{}/claim", id(&user)));
        problem(&admin.put(&path, &json!({})), 403, "denied");
        assert_eq!(events(&all_pages(&admin, &format!("{member}/timeline"))), ["provisioned", "login_refused"]);
        problem(&admin.delete(&path), 409, "forbidden_by_the_roll");
        admin.post(&format!("{member}/invitation"), &json!({})).expect(201);
        let claimed = admin.send("PUT", &path, &[], None).expect(200);
        assert_eq!(claimed["state"], "claimed");
        assert!(claimed["claimed_at"].is_string());
        stage.settle();
        stage.take_mails();
        assert_eq!(admin.delete(&path).expect(200)["state"], "invited");
        stage.settle();
        assert_eq!(submit(&stage.visitor(), &stage.one_mail().link(), &[]).status, 200);
    }

    /// Access codes are issued and revoked; only a key for secrets sees one, and that is recorded.
    fn codes(stage) {
        let (scim, admin, place) = acme(stage);
        stage.set(&scim.tenant, |s| s.emailless = Emailless::Codes);
        let kim = scim.user_with(json!({"userName": "kim", "displayName": "Kim", ENTERPRISE: {"employeeNumber": "E-7"}}));
        let path = format!("{place}/{}/code", id(&kim));
        let code = admin.get(&path).expect(200);
        assert_eq!((code["code"].as_str().unwrap().len(), &code["employee_number"]), (19, &json!("E-7")));
        let clerk = Admin::of(&stage.server, &scim.tenant, NO_SECRETS);
        problem(&clerk.get(&path), 403, "insufficient_scope");
        let blind = clerk.post(&path, &json!({})).expect(201);
        assert_eq!((&blind["code"], &blind["member"]["state"]), (&Value::Null, &json!("invited")));
        let issued = admin.post(&path, &json!({})).expect(201);
        assert_eq!(issued["code"], admin.get(&path).expect(200)["code"]);
        assert_ne!(issued["code"], code["code"]);
        let lines = all_pages(&admin, &format!("{place}/{}/timeline", id(&kim)));
        assert_eq!(events(&lines)[1..], ["code_read", "code_issued", "code_issued", "code_read", "code_read"]);
        assert_eq!(clerk.delete(&path).expect(200)["code_expires_at"], Value::Null);
        problem(&clerk.delete(&path), 404, "not_found");
        problem(&admin.get(&path), 404, "not_found");
        let sam = scim.post("/Users", &sam()).expect(201);
        problem(&admin.post(&format!("{place}/{}/code", id(&sam)), &json!({})), 400, "forbidden_by_the_roll");
    }

    /// Names are given free in quarantine, and the member stays at hand by its id; a legal hold forbids to erase it.
    fn names_holds_and_erasure(stage) {
        let (scim, admin, place) = acme(stage);
        let user = scim.post("/Users", &sam()).expect(201);
        let member = format!("{place}/{}", id(&user));
        problem(&admin.delete(&format!("{member}/names")), 409, "not_quarantined");
        admin.put(&format!("{member}/suspension"), &json!({})).expect(200);
        let free = admin.delete(&format!("{place}/sam@example.com/names")).expect(200);
        assert_eq!((&free["hidden"], &free["permanent_id"]), (&json!(true), &user["id"]));
        scim.get(&user_path(&user)).expect_error(404, "");
        assert_eq!(scim.user("sam@example.com")["userName"], "sam@example.com");

        problem(&admin.put(&format!("{member}/legal_hold"), &json!({})), 400, "invalid");
        assert_eq!(admin.put(&format!("{member}/legal_hold"), &json!({"reason": "a case"})).expect(200)["legal_hold"], "a case");
        let erasure = format!("{member}/erasure");
        problem(&admin.post(&erasure, &json!({})), 409, "confirmation_needed");
        problem(&admin.post(&erasure, &json!({"confirm": true})), 409, "forbidden_by_the_roll");
        assert_eq!(admin.delete(&format!("{member}/legal_hold")).expect(200)["legal_hold"], Value::Null);
        let gone = admin.post(&erasure, &json!({"confirm": true})).expect(200);
        assert_eq!(gone, json!({"permanent_id": id(&user), "outcome": "anonymised"}));
        let left = admin.get(&member).expect(200);
        assert_eq!(json!([left["state"], left["user"], left["mail"]]), json!(["deprovisioned", null, null]));
        let lines = all_pages(&admin, &format!("{member}/timeline"));
        assert_eq!(lines.iter().find(|l| l["event"] == "legal_hold_set").unwrap()["detail"], "erased");
    }

    /// Whoever ever claimed is deleted with a confirmation, anybody else without; the history stays under the permanent id.
    fn deletion(stage) {
        let (scim, admin, place) = acme(stage);
        let (one, other) = (scim.post("/Users", &sam()).expect(201), scim.user("kim@example.com"));
        let path = format!("{place}/{}", id(&one));
        admin.post(&format!("{path}/invitation"), &json!({})).expect(201);
        admin.put(&format!("{path}/claim"), &json!({})).expect(200);
        problem(&admin.delete(&path), 409, "confirmation_needed");
        problem(&admin.delete(&format!("{path}?confirm=yes")), 400, "invalid");
        let stale = admin.send("DELETE", &format!("{path}?confirm=true"), &[("if-match", "\"1\"")], None);
        problem(&stale, 412, "changed_meanwhile");
        assert_eq!(admin.delete(&format!("{path}?confirm=true")).expect(200)["outcome"], "anonymised");
        let path = format!("{place}/{}", id(&other));
        assert_eq!(admin.delete(&path).expect(200)["outcome"], "removed");
        problem(&admin.get(&path), 404, "not_found");
        let lines = all_pages(&admin, &format!("{path}/timeline"));
        assert_eq!(events(&lines), ["provisioned", "deleted_now"]);
        assert!(lines[1]["actor"].as_str().unwrap().contains(&admin.key), "{lines:?}");
        problem(&admin.get(&format!("{place}/nobody/timeline")), 404, "not_found");
        assert_eq!(scim.get("/Users").expect(200)["totalResults"], 0);
        stage.pass(DAY);
        assert!(stage.take_mails().is_empty());
    }

    /// A key that may only read changes nothing, and another tenant's key finds nothing.
    fn keys_open_only_what_they_should(stage) {
        let (scim, admin, place) = acme(stage);
        let user = scim.post("/Users", &sam()).expect(201);
        let member = format!("{place}/{}", id(&user));
        let reader = Admin::of(&stage.server, &scim.tenant, READ_ONLY);
        let stranger = Admin::of(&stage.server, &stage.tenant(|_| {}).tenant, EVERYTHING);
        let operator = Admin::operator(&stage.server);
        let reads = ["", "/timeline", "/invitation", "/code"];
        let writes = [
            ("POST", "/invitation"), ("DELETE", "/invitation"), ("PUT", "/suspension"), ("DELETE", "/suspension"), ("PUT", "/claim"), ("DELETE", "/claim"),
            ("PUT", "/legal_hold"), ("DELETE", "/legal_hold"), ("POST", "/erasure"), ("DELETE", "/names"), ("POST", "/code"), ("DELETE", "/code"),
            ("PATCH", ""), ("DELETE", ""),
        ];
        let body = |method: &str, part: &str| match (method, part) {
            ("DELETE", _) => None,
            ("PATCH", _) => Some(json!({"user": {"title": "x"}})),
            (_, "/erasure") => Some(json!({"confirm": true})),
            (_, "/legal_hold") => Some(json!({"reason": "x"})),
            _ => Some(json!({})),
        };
        for (method, part) in writes {
            let (path, body) = (format!("{member}{part}"), body(method, part));
            problem(&reader.send(method, &path, &[], body.as_ref().map(ToString::to_string).as_deref()), 403, "insufficient_scope");
            problem(&stranger.send(method, &path, &[], body.as_ref().map(ToString::to_string).as_deref()), 404, "not_found");
        }
        let new = json!({"user": {"userName": "x@example.com"}});
        problem(&reader.post(&place, &new), 403, "insufficient_scope");
        problem(&stranger.post(&place, &new), 404, "not_found");
        for part in reads {
            problem(&stranger.get(&format!("{member}{part}")), 404, "not_found");
        }
        problem(&stranger.get(&place), 404, "not_found");
        reader.get(&member).expect(200);
        reader.get(&place).expect(200);
        assert_eq!(operator.get(&member).expect(200), admin.get(&member).expect(200));
        assert_eq!(scim.get(&user_path(&user)).expect(200), user);
        assert_eq!(events(&all_pages(&admin, &format!("{member}/timeline"))), ["provisioned"]);
    }
}
