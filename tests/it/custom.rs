//! Extensions that a tenant declares: every characteristic of an attribute, from the declaration to its removal.

use crate::admin::{Admin, problem};
use crate::clients::{Client, ENTERPRISE, PATCH, Reply, USER, id, user_path};
use crate::harness::Server;
use rollbook::service::verify;
use serde_json::{Value, json};
use std::sync::Barrier;

/// What Entra calls an extension of a tenant's own.
pub const BADGE: &str = "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User";

/// A schema with an attribute of every kind.
pub fn badge() -> Value {
    json!({
        "id": BADGE, "name": "Badge", "description": "What the reception knows",
        "attributes": [
            {"name": "CustomAttribute", "description": "A string like any other", "canonicalValues": ["red", "green"]},
            {"name": "number", "caseExact": true, "uniqueness": "server"},
            {"name": "mail", "uniqueness": "global"},
            {"name": "floor", "type": "integer"},
            {"name": "share", "type": "decimal"},
            {"name": "guest", "type": "boolean"},
            {"name": "since", "type": "dateTime"},
            {"name": "picture", "type": "binary"},
            {"name": "page", "type": "reference", "referenceTypes": ["external"]},
            {"name": "issued", "mutability": "immutable"},
            {"name": "seen", "type": "dateTime", "mutability": "readOnly"},
            {"name": "pin", "mutability": "writeOnly"},
            {"name": "note", "returned": "request"},
            {"name": "colour", "returned": "always"},
            {"name": "tags", "multiValued": true},
            {"name": "levels", "type": "integer", "multiValued": true},
            {"name": "department", "description": "Has the name of another attribute"},
            {"name": "desk", "type": "complex", "subAttributes": [
                {"name": "room", "required": true}, {"name": "seat", "type": "integer"}, {"name": "key", "returned": "never"}]},
            {"name": "keys", "type": "complex", "multiValued": true, "subAttributes": [
                {"name": "value", "uniqueness": "server"}, {"name": "type", "canonicalValues": ["door", "locker"]},
                {"name": "primary", "type": "boolean"}, {"name": "serial", "mutability": "immutable"}]},
        ]
    })
}

/// An operator, and the tenant's path in the admin API.
pub fn admin(server: &Server, client: &Client) -> (Admin, String) {
    (Admin::operator(server), format!("/tenants/{}", client.tenant))
}

/// Declares a schema, as an extension of a type if one is named, and lets the server hear of it.
#[track_caller]
pub fn declare(server: &Server, client: &Client, schema: &Value, extends: &str) {
    let (admin, at) = admin(server, client);
    let extends = if extends.is_empty() { String::new() } else { format!("?extends={extends}") };
    admin.post(&format!("{at}/schemas{extends}"), schema).expect(201);
    server.app.refresh_auth().unwrap();
}

/// A tenant whose users have badges.
fn with_badges(server: &Server) -> Client {
    let client = server.tenant();
    declare(server, &client, &badge(), "User");
    client
}

fn user(name: &str, badge: &Value) -> Value {
    json!({"schemas": [USER, BADGE], "userName": name, BADGE: badge})
}

/// Fails unless everything that is stored is sound.
#[track_caller]
pub fn is_sound(server: &Server) {
    let report = verify::run(&mut server.connect(), None, &mut |_, _, _| {}).unwrap();
    assert!(report.faults.is_empty(), "{report:?}");
}

#[track_caller]
fn refused(reply: &Reply, scim_type: &str, words: &str) {
    let detail = reply.expect_error(if scim_type == "uniqueness" { 409 } else { 400 }, scim_type);
    assert!(detail.contains(words), "{detail}");
}

on_both! {
    /// R237: a declared extension is found where clients look for it.
    fn is_discovered(server) {
        let client = with_badges(server);
        let found = client.get(&format!("/Schemas/{BADGE}")).expect(200);
        assert_eq!(found["attributes"].as_array().unwrap().len(), 19);
        let number = &found["attributes"][1];
        let said = json!({"name": "number", "type": "string", "multiValued": false, "description": "", "required": false,
            "caseExact": true, "mutability": "readWrite", "returned": "default", "uniqueness": "server"});
        assert_eq!(number, &said);
        assert_eq!(client.get("/Schemas").expect(200)["totalResults"], 8);
        let users = client.get("/ResourceTypes/User").expect(200);
        assert!(users["schemaExtensions"].as_array().unwrap().contains(&json!({"schema": BADGE, "required": false})), "{users}");
        // Without a token discovery belongs to no tenant.
        assert_eq!(server.nobody().get("/Schemas").expect(200)["totalResults"], 7);
        server.nobody().get(&format!("/Schemas/{BADGE}")).expect(404);
    }

    /// EN-08, OK-35: a value arrives with its URN in `schemas` or without, by PUT, and by PATCH paths with the URN.
    fn is_written_and_read(server) {
        let client = with_badges(server);
        let body = json!({"schemas": [USER, ENTERPRISE], "userName": "en08@example.com", BADGE: {"CustomAttribute": "701984"}});
        let headers = [("adscimversion", "6.0")];
        let made = client.send("POST", "/Users", &headers, Some(&body.to_string())).expect(201);
        assert_eq!(made[BADGE]["CustomAttribute"], "701984");
        assert!(made["schemas"].as_array().unwrap().contains(&json!(BADGE)), "{made}");
        let path = user_path(&made);
        let change = json!([{"op": "Replace", "path": format!("{BADGE}:CustomAttribute"), "value": "2"}]);
        let body = json!({"schemas": [PATCH], "Operations": change});
        let after = client.send("PATCH", &path, &headers, Some(&body.to_string())).expect(200);
        assert_eq!(after[BADGE]["CustomAttribute"], "2");
        let after = client.patch(&path, &json!([
            {"op": "add", "value": {format!("{BADGE}:floor"): 3, BADGE: {"guest": true}}},
            {"op": "add", "path": format!("{BADGE}:keys"), "value": [{"value": "k1", "type": "door"}, {"value": "k2", "type": "locker"}]},
            {"op": "replace", "path": format!("{}:keys[type eq \"locker\"].value", BADGE.to_uppercase()), "value": "k3"},
            {"op": "add", "path": format!("{BADGE}:desk.seat"), "value": 7},
            {"op": "add", "path": format!("{BADGE}:desk.room"), "value": "A"},
            {"op": "add", "path": format!("{BADGE}:tags"), "value": ["a", "b"]},
            {"op": "remove", "path": format!("{BADGE}:tags[value eq \"A\"]")},
        ])).expect(200);
        let mut badge = after[BADGE].clone();
        let keys = badge.as_object_mut().unwrap().shift_remove("keys").unwrap();
        assert_eq!(keys, json!([{"value": "k1", "type": "door"}, {"value": "k3", "type": "locker"}]));
        assert_eq!(badge, json!({"CustomAttribute": "2", "floor": 3, "guest": true, "desk": {"seat": 7, "room": "A"}, "tags": ["b"]}));
        assert_eq!(client.get(&path).expect(200), after);
        // Okta replaces the whole, and lists the URN.
        let put = client.put(&path, &user("en08@example.com", &json!({"CustomAttribute": "3"}))).expect(200);
        assert_eq!(put[BADGE], json!({"CustomAttribute": "3"}));
        client.patch(&path, &json!([{"op": "remove", "path": BADGE}])).expect(200);
        let after = client.get(&path).expect(200);
        assert!(after.get(BADGE).is_none() && !after["schemas"].as_array().unwrap().contains(&json!(BADGE)), "{after}");
        is_sound(server);
    }

    /// R239: attributes of the same name stay apart; a bare name means the core one.
    fn names_stay_apart(server) {
        let client = server.tenant();
        let schema = json!({"id": "urn:example:x:2.0:User", "attributes": [{"name": "title"}, {"name": "userName", "type": "integer"}]});
        declare(server, &client, &schema, "User");
        let body = json!({"schemas": [USER], "userName": "a", "title": "core", "urn:example:x:2.0:User": {"title": "own", "userName": 5}});
        let made = client.post("/Users", &body).expect(201);
        let hits = |filter: &str| client.filter("/Users", filter).expect(200)["totalResults"].clone();
        assert_eq!(hits("title eq \"core\""), 1);
        assert_eq!(hits("title eq \"own\""), 0);
        assert_eq!(hits("urn:example:x:2.0:User:title eq \"own\""), 1);
        assert_eq!(hits("urn:example:x:2.0:User:userName gt 4"), 1);
        assert_eq!(hits("userName eq \"a\""), 1);
        let after = client.patch(&user_path(&made), &json!([{"op": "replace", "path": "title", "value": "new"}])).expect(200);
        assert_eq!((&after["title"], &after["urn:example:x:2.0:User"]["title"]), (&json!("new"), &json!("own")));
        let shown = client.get(&format!("{}?attributes=title", user_path(&made))).expect(200);
        assert!(shown.get("urn:example:x:2.0:User").is_none(), "{shown}");
    }

    /// R137-R142 for declared attributes: what is asked for, what always comes, what only on request, what never.
    fn is_shown_as_declared(server) {
        let client = with_badges(server);
        let all = json!({"CustomAttribute": "x", "pin": "1234", "note": "n", "colour": "red", "desk": {"room": "1", "key": "secret"}});
        let made = client.post("/Users", &user("a@example.com", &all)).expect(201);
        let path = user_path(&made);
        let by_default = json!({"CustomAttribute": "x", "colour": "red", "desk": {"room": "1"}});
        assert_eq!(made[BADGE], by_default);
        assert_eq!(client.get(&path).expect(200)[BADGE], by_default);
        let shown = |query: &str| client.get(&format!("{path}?{query}")).expect(200)[BADGE].clone();
        assert_eq!(shown(&format!("attributes={BADGE}:note")), json!({"note": "n", "colour": "red"}));
        assert_eq!(shown("attributes=userName"), json!({"colour": "red"}));
        assert_eq!(shown(&format!("excludedAttributes={BADGE}:colour,{BADGE}:desk")), json!({"CustomAttribute": "x", "colour": "red"}));
        assert_eq!(shown(&format!("excludedAttributes={BADGE}")), json!({"colour": "red"}));
        assert_eq!(
            shown(&format!("attributes={BADGE}:pin,{BADGE}:desk.key,{BADGE}:desk")),
            json!({"desk": {"room": "1"}, "colour": "red"})
        );
        let list = client.get(&format!("/Users?attributes={BADGE}:note")).expect(200);
        assert_eq!(list["Resources"][0][BADGE], json!({"note": "n", "colour": "red"}));
        refused(&client.filter("/Users", &format!("{BADGE}:pin eq \"1234\"")), "invalidFilter", "pin");
        refused(&client.get(&format!("/Users?sortBy={BADGE}:pin")), "invalidValue", "pin");
        // What no client can read a PUT need not repeat; what is on request is cleared like all else.
        client.put(&path, &user("a@example.com", &json!({"CustomAttribute": "y"}))).expect(200);
        assert_eq!(shown(&format!("attributes={BADGE}:note,{BADGE}:CustomAttribute")), json!({"CustomAttribute": "y"}));
        let admin = admin(server, &client);
        let seen = admin.0.get(&format!("{}/members/{}", admin.1, id(&made))).expect(200).to_string();
        assert!(!seen.contains("1234") && !seen.contains("secret"), "{seen}");
        is_sound(server);
    }

    /// Mutability: immutable values are given once, readOnly ones never by a client.
    fn is_changed_as_declared(server) {
        let client = with_badges(server);
        let keys = json!([{"value": "k", "serial": "s1"}]);
        let made = client
            .post("/Users", &user("a@example.com", &json!({"issued": "2024", "seen": "2024-01-01T00:00:00Z", "keys": keys})))
            .expect(201);
        assert_eq!(made[BADGE], json!({"issued": "2024", "keys": keys}));
        let path = user_path(&made);
        let at = |name: &str| format!("{BADGE}:{name}");
        let change = |op: Value| client.patch(&path, &json!([op]));
        change(json!({"op": "replace", "path": at("issued"), "value": "2024"})).expect(200);
        refused(&change(json!({"op": "replace", "path": at("issued"), "value": "2025"})), "mutability", "issued");
        refused(&change(json!({"op": "remove", "path": at("issued")})), "mutability", "issued");
        refused(&change(json!({"op": "remove", "path": BADGE})), "mutability", "issued");
        refused(&change(json!({"op": "replace", "path": at("seen"), "value": "2024-01-01T00:00:00Z"})), "mutability", "seen");
        refused(&change(json!({"op": "replace", "path": at("keys[value eq \"k\"].serial"), "value": "s2"})), "mutability", "serial");
        change(json!({"op": "replace", "path": at("keys[value eq \"k\"].type"), "value": "door"})).expect(200);
        refused(&client.put(&path, &user("a@example.com", &json!({"issued": "2025"}))), "mutability", "issued");
        let put = client.put(&path, &user("a@example.com", &json!({"floor": 1}))).expect(200);
        assert_eq!(put[BADGE], json!({"floor": 1, "issued": "2024"}));
        // It may be given later.
        let later = client.user("b@example.com");
        let set = json!([{"op": "add", "path": at("issued"), "value": "2026"}]);
        client.patch(&user_path(&later), &set).expect(200);
        // Not by an admin either.
        let (admin, place) = admin(server, &client);
        let changed = admin.patch(&format!("{place}/members/{}", id(&made)), &json!({"user": {BADGE: {"issued": "1"}}}));
        assert!(problem(&changed, 400, "invalid").contains("issued"));
        admin.patch(&format!("{place}/members/{}", id(&made)), &json!({"user": {BADGE: {"floor": 9}}})).expect(200);
        assert_eq!(client.get(&path).expect(200)[BADGE], json!({"floor": 9, "issued": "2024"}));
        is_sound(server);
    }

    /// Types: what does not fit is refused, with the path of the attribute.
    fn is_checked_by_type(server) {
        let client = with_badges(server);
        for (name, bad) in [
            ("floor", json!("x")),
            ("floor", json!(1.5)),
            ("share", json!("much")),
            ("guest", json!("perhaps")),
            ("since", json!("yesterday")),
            ("picture", json!("!")),
            ("page", json!({"a": 1})),
            ("tags", json!([{"x": 1}])),
            ("levels", json!(["x"])),
            ("desk", json!(5)),
            ("desk", json!({"seat": "x", "room": "1"})),
        ] {
            refused(&client.post("/Users", &user("a@example.com", &json!({name: bad}))), "invalidValue", &format!("{BADGE}:{name}"));
        }
        // Canonical values are suggestions.
        client
            .post(
                "/Users",
                &user("a@example.com", &json!({"CustomAttribute": "blue", "share": 1e300, "floor": -9_007_199_254_740_993_i64})),
            )
            .expect(201);
        is_sound(server);
    }

    /// R240: what an extension requires binds those who have it, and everybody only when the extension itself is required.
    fn requires_as_declared(server) {
        let client = server.tenant();
        let before = client.user("before@example.com");
        const X: &str = "urn:example:cost:2.0:User";
        let schema = json!({"id": X, "attributes": [{"name": "centre", "required": true}, {"name": "pin", "required": true,
            "mutability": "writeOnly"}, {"name": "note"}]});
        declare(server, &client, &schema, "User");
        client.user("without@example.com");
        let with = |name: &str, value: Value| json!({"schemas": [USER, X], "userName": name, X: value});
        refused(&client.post("/Users", &with("a@example.com", json!({"note": "n"}))), "invalidValue", &format!("{X}:centre is required"));
        refused(&client.post("/Users", &with("a@example.com", json!({"centre": "c"}))), "invalidValue", &format!("{X}:pin is required"));
        refused(&client.post("/Users", &with("a@example.com", json!({"centre": " ", "pin": "1"}))), "invalidValue", "must not be empty");
        let made = client.post("/Users", &with("a@example.com", json!({"centre": "c", "pin": "1"}))).expect(201);
        let path = user_path(&made);
        refused(&client.patch(&path, &json!([{"op": "replace", "path": format!("{X}:centre"), "value": null}])), "invalidValue", "centre");
        client.put(&path, &with("a@example.com", json!({"centre": "d"}))).expect(200);
        client.patch(&path, &json!([{"op": "remove", "path": X}])).expect(200);

        let (admin, at) = admin(server, &client);
        let mut users = admin.get(&format!("{at}/resource_types/User")).expect(200);
        let extensions = users["schemaExtensions"].as_array_mut().unwrap();
        extensions.iter_mut().filter(|e| e["schema"] == X).for_each(|e| e["required"] = json!(true));
        admin.put(&format!("{at}/resource_types/User"), &users).expect(200);
        server.app.refresh_auth().unwrap();
        assert!(
            client.get("/ResourceTypes/User").expect(200)["schemaExtensions"]
                .as_array()
                .unwrap()
                .contains(&json!({"schema": X, "required": true}))
        );
        refused(
            &client.post("/Users", &json!({"schemas": [USER], "userName": "b@example.com"})),
            "invalidValue",
            &format!("{X} is required"),
        );
        // Whoever was there before can still be changed, and above all be switched off.
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        assert_eq!(client.patch(&user_path(&before), &off).expect(200)["active"], false);
        refused(&client.put(&user_path(&before), &json!({"schemas": [USER], "userName": "before@example.com"})), "invalidValue", X);
    }

    /// Uniqueness: once in the tenant, by the form in which values are compared, and free again when it is given up.
    fn is_unique_as_declared(server) {
        let client = with_badges(server);
        let first = client
            .post(
                "/Users",
                &user("a@example.com", &json!({"number": "A1", "mail": "X@example.com", "keys": [{"value": "k1"}, {"value": "k2"}]})),
            )
            .expect(201);
        refused(&client.post("/Users", &user("b@example.com", &json!({"number": "A1"}))), "uniqueness", &format!("{BADGE}:number"));
        refused(&client.post("/Users", &user("b@example.com", &json!({"mail": "x@EXAMPLE.com"}))), "uniqueness", &format!("{BADGE}:mail"));
        refused(
            &client.post("/Users", &user("b@example.com", &json!({"keys": [{"value": "K2"}]}))),
            "uniqueness",
            &format!("{BADGE}:keys.value"),
        );
        assert_eq!(client.filter("/Users", "userName sw \"b\"").expect(200)["totalResults"], 0);
        // Case counts in the number.
        let second = client.post("/Users", &user("b@example.com", &json!({"number": "a1"}))).expect(201);
        let set = |who: &Value, value: &str| {
            client.patch(&user_path(who), &json!([{"op": "replace", "path": format!("{BADGE}:number"), "value": value}]))
        };
        refused(&set(&second, "A1"), "uniqueness", "number");
        set(&first, "A2").expect(200);
        set(&second, "A1").expect(200);
        set(&second, "A1").expect(200);
        // What is deleted, or moved to somebody else, is free.
        client.delete(&user_path(&second)).expect(204);
        is_sound(server);
        set(&first, "A1").expect(200);
        // Another tenant has values of its own.
        let other = with_badges(server);
        other.post("/Users", &user("a@example.com", &json!({"number": "A1"}))).expect(201);
        // Somebody who comes back takes the number again, or cannot.
        let (admin, at) = admin(server, &client);
        let back = admin.delete(&format!("{at}/members/{}/suspension", id(&second)));
        assert_eq!(back.status, 409, "{}", back.text);
        set(&first, "A3").expect(200);
        let back = admin.delete(&format!("{at}/members/{}/suspension", id(&second)));
        assert!(back.status < 300, "{}", back.text);
        refused(&set(&first, "A1"), "uniqueness", "number");
        is_sound(server);
    }

    /// Of many at once that want the same value, one gets it.
    fn one_of_many_gets_it(server) {
        let client = with_badges(server);
        let start = Barrier::new(8);
        let replies: Vec<Reply> = std::thread::scope(|s| {
            let threads: Vec<_> = (0..8)
                .map(|i| {
                    let (client, start) = (client.clone(), &start);
                    s.spawn(move || {
                        start.wait();
                        client.post("/Users", &user(&format!("u{i}@example.com"), &json!({"number": "same"})))
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(replies.iter().filter(|r| r.status == 201).count(), 1);
        replies.iter().filter(|r| r.status != 201).for_each(|r| refused(r, "uniqueness", "number"));
        is_sound(server);
    }

    /// Attributes can be added at any time; one in use is taken away by force only, and its type stays.
    fn is_changed_and_removed(server) {
        let client = with_badges(server);
        let made = client.post("/Users", &user("a@example.com", &json!({"floor": 3, "number": "1", "tags": ["x"], "keys": [{"value": "k",
            "type": "door"}, {"type": "locker"}], "desk": {"room": "r", "seat": 1}}))).expect(201);
        client.post("/Users", &user("b@example.com", &json!({"floor": 3, "mail": "Gone@example.com"}))).expect(201);
        let gone = client.filter("/Users", "userName eq \"b@example.com\"").expect(200)["Resources"][0].clone();
        client.delete(&user_path(&gone)).expect(204);
        let (admin, at) = admin(server, &client);
        let place = format!("{at}/schemas/{BADGE}");
        let without = |names: &[&str]| {
            let mut schema = badge();
            schema["attributes"].as_array_mut().unwrap().retain(|a| !names.iter().any(|n| a["name"] == *n));
            schema
        };
        let mut more = badge();
        more["attributes"].as_array_mut().unwrap().push(json!({"name": "added"}));
        let reply = admin.put(&place, &more);
        reply.expect(200);
        assert_eq!(reply.header("etag"), "\"2\"");
        assert_eq!(admin.send("PUT", &place, &[("if-match", "\"1\"")], Some(&badge().to_string())).status, 412);
        // Nobody has these.
        admin.put(&place, &without(&["since", "guest"])).expect(200);
        // Two have a floor; one of them is hidden from clients.
        let fault = problem(&admin.put(&place, &without(&["floor"])), 409, "in_use");
        assert!(fault.contains("2 resource(s)") && fault.contains("floor"), "{fault}");
        let typed = |name: &str, key: &str, value: Value| {
            let mut schema = badge();
            schema["attributes"].as_array_mut().unwrap().iter_mut().filter(|a| a["name"] == name).for_each(|a| a[key] = value.clone());
            schema
        };
        for (name, key, value) in [("floor", "type", json!("string")), ("tags", "multiValued", json!(false))] {
            let fault = problem(&admin.put(&format!("{place}?force=true"), &typed(name, key, value)), 409, "in_use");
            assert!(fault.contains(name), "{fault}");
        }
        admin.put(&format!("{place}?force=true"), &without(&["floor"])).expect(200);
        server.app.refresh_auth().unwrap();
        let after = client.get(&user_path(&made)).expect(200);
        assert!(after[BADGE].get("floor").is_none(), "{after}");
        assert_ne!(after["meta"]["version"], made["meta"]["version"]);
        is_sound(server);

        // Sub-attributes in the same way.
        let mut fewer = without(&["floor"]);
        for (name, sub) in [("keys", "type"), ("desk", "seat")] {
            let list = fewer["attributes"].as_array_mut().unwrap();
            let attr = list.iter_mut().find(|a| a["name"] == name).unwrap();
            attr["subAttributes"].as_array_mut().unwrap().retain(|s| s["name"] != sub);
        }
        problem(&admin.put(&place, &fewer), 409, "in_use");
        admin.put(&format!("{place}?force=true"), &fewer).expect(200);
        server.app.refresh_auth().unwrap();
        let after = client.get(&user_path(&made)).expect(200);
        assert_eq!((&after[BADGE]["keys"], &after[BADGE]["desk"]), (&json!([{"value": "k"}]), &json!({"room": "r"})));
        is_sound(server);

        // The whole.
        let fault = problem(&admin.delete(&place), 409, "in_use");
        assert!(fault.contains("2 resource(s)") && fault.contains("force=true"), "{fault}");
        admin.delete(&format!("{place}?force=true")).expect(204);
        server.app.refresh_auth().unwrap();
        let after = client.get(&user_path(&made)).expect(200);
        assert!(after.get(BADGE).is_none() && !after["schemas"].as_array().unwrap().contains(&json!(BADGE)), "{after}");
        admin.get(&place).expect(404);
        client.get(&format!("/Schemas/{BADGE}")).expect(404);
        let told: Vec<Value> = crate::admin::all_pages(&admin, &format!("{at}/audit"));
        assert!(
            told.iter().any(|e| e["event"] == "schema_removed" && e.to_string().contains("values of 2 resource(s) removed")),
            "{told:?}"
        );
        is_sound(server);
        // It can come back as something else.
        let other = json!({"id": BADGE, "attributes": [{"name": "floor"}]});
        declare(server, &client, &other, "User");
        client.put(&user_path(&made), &user("a@example.com", &json!({"floor": "top"}))).expect(200);
        is_sound(server);
    }

    /// What comes to be unique later is looked at then; how case counts can change while values are there.
    fn becomes_unique(server) {
        let client = server.tenant();
        const X: &str = "urn:example:u:2.0:User";
        let schema = |attr: Value| json!({"id": X, "attributes": [attr]});
        declare(server, &client, &schema(json!({"name": "n", "caseExact": true})), "User");
        let with = |name: &str, n: &str| client.post("/Users", &json!({"schemas": [USER, X], "userName": name, X: {"n": n}}));
        let first = with("a@example.com", "x").expect(201);
        with("b@example.com", "X").expect(201);
        let (admin, at) = admin(server, &client);
        let change = |attr: Value| admin.put(&format!("{at}/schemas/{X}"), &schema(attr));
        problem(&change(json!({"name": "n", "uniqueness": "server"})), 409, "taken");
        change(json!({"name": "n", "caseExact": true, "uniqueness": "server"})).expect(200);
        server.app.refresh_auth().unwrap();
        is_sound(server);
        refused(&with("c@example.com", "x"), "uniqueness", "n");
        client.delete(&user_path(&first)).expect(204);
        change(json!({"name": "n", "uniqueness": "server"})).expect(200);
        server.app.refresh_auth().unwrap();
        refused(&with("c@example.com", "x"), "uniqueness", "n");
        assert_eq!(client.filter("/Users", &format!("{X}:n eq \"x\"")).expect(200)["totalResults"], 1);
        is_sound(server);
    }

    /// A tenant sees nothing of what another one has declared, though both use the same URN.
    fn tenants_are_apart(server) {
        let (one, two, none) = (server.tenant(), server.tenant(), server.tenant());
        const X: &str = "urn:example:x:2.0:User";
        declare(server, &one, &json!({"id": X, "attributes": [{"name": "size", "type": "integer"}]}), "User");
        declare(server, &two, &json!({"id": X, "attributes": [{"name": "size"}, {"name": "only"}]}), "User");
        let body = |size: Value| json!({"schemas": [USER, X], "userName": "a@example.com", X: {"size": size}});
        one.post("/Users", &body(json!(5))).expect(201);
        two.post("/Users", &body(json!("large"))).expect(201);
        assert_eq!(one.filter("/Users", &format!("{X}:size gt 4")).expect(200)["totalResults"], 1);
        assert_eq!(two.filter("/Users", &format!("{X}:size sw \"LAR\"")).expect(200)["totalResults"], 1);
        refused(&one.filter("/Users", &format!("{X}:only pr")), "invalidFilter", "only");
        none.get(&format!("/Schemas/{X}")).expect(404);
        refused(&none.filter("/Users", &format!("{X}:size pr")), "invalidFilter", X);
        let plain = none.post("/Users", &json!({"schemas": [USER], "userName": "a@example.com", X: {"size": 5}})).expect(201);
        assert!(plain.get(X).is_none(), "{plain}");
        is_sound(server);
    }

    /// Another server on the same database hears of a change, and writes nothing by what it knew before.
    fn two_servers_agree(server) {
        let client = server.tenant();
        let beside = server.beside();
        let there = Client::new(&beside.base, client.token.as_deref(), &client.tenant);
        there.user("first@example.com");
        declare(server, &client, &badge(), "User");
        let made = client.post("/Users", &user("a@example.com", &json!({"floor": 1}))).expect(201);
        // What it does not know yet it does not take away either.
        let title = json!([{"op": "replace", "path": "title", "value": "t"}]);
        let reply = there.patch(&user_path(&made), &title);
        assert!([200, 503].contains(&reply.status), "{}", reply.text);
        beside.app.refresh_auth().unwrap();
        there.patch(&user_path(&made), &title).expect(200);
        let after = there.patch(&user_path(&made), &json!([{"op": "replace", "path": format!("{BADGE}:floor"), "value": 2}])).expect(200);
        assert_eq!(after[BADGE]["floor"], 2);
        // An attribute that goes here is not written there.
        let (admin, at) = admin(server, &client);
        let mut fewer = badge();
        fewer["attributes"].as_array_mut().unwrap().retain(|a| a["name"] != "floor");
        admin.put(&format!("{at}/schemas/{BADGE}?force=true"), &fewer).expect(200);
        let late = there.patch(&user_path(&made), &json!([{"op": "replace", "path": format!("{BADGE}:floor"), "value": 3}]));
        assert!(late.status == 503 || late.status == 400 || !late.text.contains("\"floor\""), "{}", late.text);
        beside.app.refresh_auth().unwrap();
        refused(&there.filter("/Users", &format!("{BADGE}:floor pr")), "invalidFilter", "floor");
        is_sound(server);
    }

    /// What makes no sense is refused with the place of the fault.
    fn faults_are_named(server) {
        let client = server.tenant();
        let (admin, at) = admin(server, &client);
        let attr = |attr: Value| json!({"id": "urn:example:x:2.0:User", "attributes": [{"name": "good"}, attr]});
        let cases = [
            (json!({"attributes": [{"name": "a"}]}), "id:"),
            (json!({"id": "urn:x", "attributes": [{"name": "a"}]}), "id:"),
            (json!({"id": "urn:example:a'b", "attributes": [{"name": "a"}]}), "id:"),
            (json!({"id": "http://example.com/x", "attributes": [{"name": "a"}]}), "id:"),
            (json!({"id": USER, "attributes": [{"name": "a"}]}), "built in"),
            (json!({"id": format!("{USER}:userName"), "attributes": [{"name": "a"}]}), "cannot be told"),
            (json!({"id": ENTERPRISE.replace("2.0", "3.0"), "attributes": [{"name": "a"}]}), "reserved"),
            (json!({"id": "urn:example:x", "attributes": []}), "attributes:"),
            (json!({"id": "urn:example:x", "attributes": [{"name": "a"}], "more": 1}), "more:"),
            (attr(json!("x")), "attributes[1]:"),
            (attr(json!({})), "attributes[1].name:"),
            (attr(json!({"name": "1a"})), "attributes[1].name:"),
            (attr(json!({"name": "a'b"})), "attributes[1].name:"),
            (attr(json!({"name": "$ref"})), "attributes[1].name:"),
            (attr(json!({"name": "GOOD"})), "attributes[1].name:"),
            (attr(json!({"name": "a", "type": "text"})), "attributes[1].type:"),
            (attr(json!({"name": "a", "multivalued": true})), "attributes[1].multivalued:"),
            (attr(json!({"name": "a", "multiValued": "yes"})), "attributes[1].multiValued:"),
            (attr(json!({"name": "a", "mutability": "never"})), "attributes[1].mutability:"),
            (attr(json!({"name": "a", "mutability": "writeOnly", "returned": "default"})), "attributes[1].returned:"),
            (attr(json!({"name": "a", "uniqueness": "always"})), "attributes[1].uniqueness:"),
            (attr(json!({"name": "a", "canonicalValues": ["x", 1]})), "attributes[1].canonicalValues[1]:"),
            (attr(json!({"name": "a", "referenceTypes": ["User"]})), "attributes[1].referenceTypes:"),
            (attr(json!({"name": "a", "type": "complex"})), "attributes[1].subAttributes:"),
            (attr(json!({"name": "a", "subAttributes": [{"name": "b"}]})), "attributes[1].subAttributes:"),
            (
                attr(json!({"name": "a", "type": "complex", "uniqueness": "server", "subAttributes": [{"name": "b"}]})),
                "attributes[1].uniqueness:",
            ),
            (
                attr(json!({"name": "a", "type": "complex", "subAttributes": [{"name": "b", "type": "complex"}]})),
                "attributes[1].subAttributes[0].type:",
            ),
            (
                attr(json!({"name": "a", "type": "complex", "subAttributes": [{"name": "b"}, {"name": "B"}]})),
                "attributes[1].subAttributes[1].name:",
            ),
        ];
        for (schema, place) in cases {
            let fault = problem(&admin.post(&format!("{at}/schemas"), &schema), 400, "invalid");
            assert!(fault.contains(place), "{fault} lacks {place}");
        }
        let many: Vec<Value> = (0..101).map(|i| json!({"name": format!("a{i}")})).collect();
        problem(&admin.post(&format!("{at}/schemas"), &json!({"id": "urn:example:many", "attributes": many})), 400, "invalid");
        for i in 0..20 {
            admin.post(&format!("{at}/schemas"), &json!({"id": format!("urn:example:n{i}"), "attributes": [{"name": "a"}]})).expect(201);
        }
        problem(&admin.post(&format!("{at}/schemas"), &json!({"id": "urn:example:n20", "attributes": [{"name": "a"}]})), 409, "too_many");
        problem(
            &admin.post(&format!("{at}/schemas"), &json!({"id": "urn:example:N1", "attributes": [{"name": "a"}]})),
            409,
            "schema_exists",
        );
        problem(&admin.post(&format!("{at}/schemas?extends=Nothing"), &badge()), 404, "not_found");
    }
}
