//! Resource types that a tenant declares: they can do what users and groups can.

use crate::admin::{Admin, problem};
use crate::clients::{Client, LIST, SEARCH, id};
use crate::custom::{BADGE, admin, badge, declare, is_sound};
use crate::harness::{Db, Server};
use crate::program::Place;
use serde_json::{Value, json};

pub const DEVICE: &str = "urn:example:params:scim:schemas:core:2.0:Device";
const WARRANTY: &str = "urn:example:params:scim:schemas:extension:warranty:2.0:Device";

/// Attributes with the names of others that mean something for users and groups.
fn device() -> Value {
    json!({"id": DEVICE, "name": "Device", "attributes": [
        {"name": "displayName", "required": true}, {"name": "userName"}, {"name": "serial", "caseExact": true, "uniqueness": "server"},
        {"name": "members", "multiValued": true}, {"name": "groups"}, {"name": "active"}, {"name": "weight", "type": "decimal"},
        {"name": "owner", "type": "complex", "subAttributes": [{"name": "value"}, {"name": "$ref", "type": "reference",
            "referenceTypes": ["User"]}]},
        {"name": "emails", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "primary"}]},
        {"name": "secret", "mutability": "writeOnly"},
        {"name": "created_at", "type": "string"}
    ]})
}

fn device_type() -> Value {
    json!({"name": "Device", "endpoint": "/Devices", "description": "Something with a plug", "schema": DEVICE,
           "schemaExtensions": [{"schema": WARRANTY, "required": false}]})
}

fn declare_devices(server: &Server, client: &Client) {
    declare(server, client, &device(), "");
    declare(server, client, &json!({"id": WARRANTY, "attributes": [{"name": "until", "type": "dateTime", "required": true}]}), "");
    let (admin, at) = admin(server, client);
    admin.post(&format!("{at}/resource_types"), &device_type()).expect(201);
    server.app.refresh_auth().unwrap();
}

pub fn with_devices(server: &Server) -> Client {
    let client = server.tenant();
    declare_devices(server, &client);
    client
}

fn named(name: &str) -> Value {
    json!({"schemas": [DEVICE], "displayName": name})
}

fn path(device: &Value) -> String {
    format!("/Devices/{}", id(device))
}

fn names(list: &Value) -> Vec<&str> {
    list["Resources"].as_array().unwrap().iter().map(|d| d["displayName"].as_str().unwrap()).collect()
}

on_both! {
    /// R237: everything that a discovery client reads, with one extension and one type of the tenant's own.
    fn discovery_has_them(server) {
        let client = with_devices(server);
        declare(server, &client, &badge(), "User");
        let shown = json!({
            "types": client.get("/ResourceTypes").expect(200), "type": client.get("/ResourceTypes/Device").expect(200),
            "base": client.get(&format!("/Schemas/{DEVICE}")).expect(200),
                "extension": client.get(&format!("/Schemas/{BADGE}")).expect(200),
            "urns": client.get("/Schemas").expect(200)["Resources"].as_array().unwrap().iter().map(|s| s["id"].clone()).collect::<Vec<_>>(),
        });
        let shown = shown.to_string().replace(&client.base, "{base}");
        let shown: Value = serde_json::from_str(&shown).unwrap();
        insta::assert_json_snapshot!("own_types", shown);
    }

    /// R237: create, read, replace, change, delete, with versions and conditions.
    fn live_and_die(server) {
        let client = with_devices(server);
        let body = json!({"schemas": [DEVICE, WARRANTY], "displayName": "Lamp", "externalId": "ext", "userName": "not a user",
            "members": ["a", "b"],
            "groups": "g", "active": "maybe", "weight": 1.5, "owner": {"value": "x", "$ref": "https://example.com/Users/x"},
            "emails": [{"value": "a@example.com", "primary": "first"}], "secret": "s", WARRANTY: {"until": "2030-01-01T00:00:00Z"}});
        let reply = client.post("/Devices", &body);
        let made = reply.expect(201);
        let mut expected = body.clone();
        expected.as_object_mut().unwrap().shift_remove("secret");
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&made[key], value, "{key}");
        }
        assert_eq!(made["meta"]["resourceType"], "Device");
        assert_eq!(made["meta"]["location"], format!("{}{}", client.base, path(&made)));
        assert_eq!((reply.header("location"), reply.header("etag")), (made["meta"]["location"].as_str().unwrap(), "W/\"1\""));
        assert!(made.get("secret").is_none());
        let read = client.get(&path(&made));
        assert_eq!(read.expect(200), made);
        assert_eq!(client.send("GET", &path(&made), &[("if-none-match", "W/\"1\"")], None).status, 304);
        assert_eq!(client.send("HEAD", &path(&made), &[], None).status, 200);

        let change = json!([{"op": "replace", "path": "weight", "value": 2}, {"op": "add", "path": "members", "value": ["c"]},
            {"op": "remove", "path": "members[value eq \"a\"]"},
            {"op": "replace", "path": "emails[value eq \"a@example.com\"].value", "value": "b@example.com"}, {"op": "replace",
                "path": format!("{WARRANTY}:until"), "value": "2031-01-01T00:00:00Z"}]);
        let after = client.patch(&path(&made), &change).expect(200);
        assert_eq!(
            (&after["weight"], &after["members"], &after["emails"][0]["value"]),
            (&json!(2), &json!(["b", "c"]), &json!("b@example.com"))
        );
        assert_eq!(client.send("PUT", &path(&made), &[("if-match", "W/\"1\"")], Some(&named("x").to_string())).status, 412);
        client.patch(&path(&made), &json!([{"op": "remove", "path": "displayName"}])).expect_error(400, "mutability");
        let put = client.put(&path(&made), &named("Bulb")).expect(200);
        assert_eq!((&put["displayName"], put.get("weight"), put.get(WARRANTY)), (&json!("Bulb"), None, None));
        assert_eq!(put["meta"]["version"], "W/\"3\"");
        client.post("/Devices", &json!({"schemas": [DEVICE]})).expect_error(400, "invalidValue");
        client.post("/Devices", &json!({"schemas": [crate::clients::USER], "userName": "x"})).expect_error(400, "invalidSyntax");
        assert_eq!(client.send("PATCH", "/Devices", &[], Some("{}")).status, 405);
        assert_eq!(client.send("POST", &path(&made), &[], Some("{}")).header("allow"), "GET, PUT, PATCH, DELETE");
        is_sound(server);
        client.delete(&path(&made)).expect(204);
        client.get(&path(&made)).expect_error(404, "");
        client.delete(&path(&made)).expect_error(404, "");
        is_sound(server);
    }

    /// R237: lists, searches at the endpoint and at the root, cursors, sorting, projection.
    fn are_listed(server) {
        let client = with_devices(server);
        client.user("anna@example.com");
        for (name, weight) in [("b", 2.5), ("a", 10.0), ("C", 0.1), ("d", 2.0), ("e", 1e-7)] {
            client.post("/Devices", &json!({"schemas": [DEVICE], "displayName": name, "weight": weight,
                "emails": [{"value": format!("{name}@example.com")}]})).expect(201);
        }
        let list = client.get("/Devices?sortBy=displayName").expect(200);
        assert_eq!((list["totalResults"].clone(), names(&list)), (json!(5), vec!["a", "b", "C", "d", "e"]));
        // By cursor, in the order of a number with a point.
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = client.get(&format!("/Devices?sortBy=weight&sortOrder=descending&count=2&cursor={cursor}")).expect(200);
            found.extend(names(&page).into_iter().map(str::to_owned));
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(found, ["a", "b", "d", "C", "e"]);
        let hits = |filter: &str| names(&client.filter("/Devices", &format!("{filter} and displayName pr")).expect(200)).len();
        assert_eq!(hits("weight ge 2"), 3);
        assert_eq!(hits("emails.value ew \"@EXAMPLE.com\""), 5);
        assert_eq!(hits("emails[value eq \"a@example.com\"]"), 1);
        assert_eq!(hits("meta.resourceType eq \"Device\""), 5);
        assert_eq!(hits("meta.resourceType eq \"User\""), 0);
        assert_eq!(hits("meta.created pr"), 5);
        client.filter("/Devices", "userName eq \"anna@example.com\"").expect(200);
        client.filter("/Devices", "name.givenName pr").expect_error(400, "invalidFilter");

        let search = json!({"schemas": [SEARCH], "filter": "weight gt 2", "attributes": ["displayName"], "sortBy": "weight"});
        let found = client.post("/Devices/.search", &search).expect(200);
        assert_eq!((found["schemas"].clone(), names(&found)), (json!([LIST]), vec!["b", "a"]));
        assert_eq!(found["Resources"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "schemas", "displayName"]);
        // At the root they are among all others.
        assert_eq!(client.get("").expect(200)["totalResults"], 6);
        let root =
            |filter: &str| client.post("/.search", &json!({"schemas": [SEARCH], "filter": filter})).expect(200)["totalResults"].clone();
        assert_eq!(root("meta.resourceType eq \"Device\""), 5);
        assert_eq!(root("meta.resourceType eq \"User\" or weight lt 1"), 3);
        assert_eq!(root("weight pr"), 5);
        // userName is a text here and there; active is of two types, and cannot order both.
        client.get("/?sortBy=userName").expect(200);
        client.get("/?sortBy=active").expect_error(400, "invalidValue");
        is_sound(server);
    }

    /// The endpoint is there for the tenant that has declared it, and for nobody else; own resources are no members of groups.
    fn are_the_tenants_own(server) {
        let (client, other) = (with_devices(server), server.tenant());
        let made = client.post("/Devices", &named("Lamp")).expect(201);
        for reply in [
            other.get("/Devices"),
            other.get(&path(&made)),
            other.post("/Devices", &named("x")),
            other.delete(&path(&made)),
            other.post("/Devices/.search", &json!({"schemas": [SEARCH]})),
            other.put(&path(&made), &named("x")),
            other.send("PATCH", "/Devices", &[], Some("{}")),
        ] {
            reply.expect_error(404, "");
        }
        assert_eq!(server.nobody().get("/Devices").status, 401);
        assert_eq!(other.get("/ResourceTypes").expect(200)["totalResults"], 2);
        // The same name may be another thing elsewhere.
        declare(server, &other, &json!({"id": DEVICE, "attributes": [{"name": "displayName", "type": "integer"}]}), "");
        let (admin, _) = admin(server, &client);
        let body = json!({"name": "Device", "endpoint": "/Devices", "schema": DEVICE});
        admin.post(&format!("/tenants/{}/resource_types", other.tenant), &body).expect(201);
        server.app.refresh_auth().unwrap();
        other.post("/Devices", &json!({"schemas": [DEVICE], "displayName": 7})).expect(201);
        assert_eq!(other.get("/Devices").expect(200)["totalResults"], 1);
        let group = json!({"schemas": [crate::clients::GROUP], "displayName": "G", "members": [{"value": id(&made)}]});
        assert!(
            client.post("/Groups", &group).status >= 400
                || client.get("/Groups").expect(200)["Resources"][0].get("members").is_none_or(|m| m == &json!([]))
        );
        is_sound(server);
    }

    /// Uniqueness of a type is its own; a name is free again after a delete.
    fn have_unique_values(server) {
        let client = with_devices(server);
        let with = |serial: &str| client.post("/Devices", &json!({"schemas": [DEVICE], "displayName": "x", "serial": serial}));
        let made = with("1").expect(201);
        assert!(with("1").expect_error(409, "uniqueness").contains("serial"));
        let second = with("2").expect(201);
        client.patch(&path(&second), &json!([{"op": "replace", "path": "serial", "value": "1"}])).expect_error(409, "uniqueness");
        client.delete(&path(&made)).expect(204);
        client.patch(&path(&second), &json!([{"op": "replace", "path": "serial", "value": "1"}])).expect(200);
        is_sound(server);
    }

    /// A type is changed and removed by an admin; with resources by force only.
    fn are_changed_and_removed(server) {
        let client = with_devices(server);
        let (admin, at) = admin(server, &client);
        let place = format!("{at}/resource_types/Device");
        let made = client
            .post(
                "/Devices",
                &json!({"schemas": [DEVICE, WARRANTY], "displayName": "Lamp", "serial": "1", WARRANTY: {"until": "2030-01-01T00:00:00Z"}}),
            )
            .expect(201);
        client.post("/Devices", &named("Other")).expect(201);
        let shown = admin.get(&place).expect(200);
        assert_eq!(shown, client.get("/ResourceTypes/Device").expect(200));
        // What is served can be sent back.
        admin.put(&place, &shown).expect(200);
        let with = |key: &str, value: Value| {
            let mut body = shown.clone();
            body[key] = value;
            body
        };
        admin.put(&place, &with("endpoint", json!("/Things"))).expect(200);
        server.app.refresh_auth().unwrap();
        client.get("/Devices").expect_error(404, "");
        assert_eq!(client.get("/Things").expect(200)["totalResults"], 2);
        problem(&admin.put(&place, &with("schema", json!(WARRANTY))), 400, "invalid");
        let fault = problem(&admin.put(&place, &with("schemaExtensions", json!([]))), 409, "in_use");
        assert!(fault.contains("1 resource(s)"), "{fault}");
        admin.put(&format!("{place}?force=true"), &with("schemaExtensions", json!([]))).expect(200);
        server.app.refresh_auth().unwrap();
        assert!(client.get(&path(&made)).expect(200).get(WARRANTY).is_none());
        is_sound(server);

        let fault = problem(&admin.delete(&format!("{at}/schemas/{DEVICE}")), 409, "schema_in_use");
        assert!(fault.contains("Device"), "{fault}");
        let fault = problem(&admin.delete(&place), 409, "in_use");
        assert!(fault.contains("2 resource(s)"), "{fault}");
        admin.delete(&format!("{place}?force=true")).expect(204);
        admin.delete(&format!("{at}/schemas/{DEVICE}")).expect(204);
        admin.delete(&format!("{at}/schemas/{WARRANTY}")).expect(204);
        server.app.refresh_auth().unwrap();
        client.get("/Devices").expect_error(404, "");
        assert_eq!(client.get("/ResourceTypes").expect(200)["totalResults"], 2);
        is_sound(server);
        declare_devices(server, &client);
        assert_eq!(client.get("/Devices").expect(200)["totalResults"], 0);
        client.post("/Devices", &json!({"schemas": [DEVICE], "displayName": "Lamp", "serial": "1"})).expect(201);
        // With the tenant everything goes.
        erase(&admin, &client.tenant);
        is_sound(server);
    }

    /// What makes no sense is refused with the place of the fault.
    fn faults_are_named(server) {
        let client = with_devices(server);
        let (admin, at) = admin(server, &client);
        let with = |key: &str, value: Value| {
            let mut body = json!({"name": "Thing", "endpoint": "/Things", "schema": DEVICE});
            body[key] = value;
            body
        };
        let cases = [
            (with("name", json!("1")), 400, "name:"),
            (with("name", json!("Schema")), 400, "name:"),
            (with("name", json!("device")), 409, "resource type"),
            (with("name", json!("User")), 409, "resource type"),
            (with("endpoint", json!("Things")), 400, "endpoint:"),
            (with("endpoint", json!("/Things/x")), 400, "endpoint:"),
            (with("endpoint", json!("/users")), 400, "endpoint:"),
            (with("endpoint", json!("/Bulk")), 400, "endpoint:"),
            (with("endpoint", json!("/SchemasX")), 400, "endpoint:"),
            (with("endpoint", json!("/v2")), 400, "endpoint:"),
            (with("endpoint", json!("/devices")), 409, "/Devices"),
            (with("schema", json!("urn:example:none")), 400, "schema:"),
            (with("schemaExtensions", json!([{"schema": DEVICE}])), 400, "schemaExtensions[0].schema:"),
            (with("schemaExtensions", json!([{"schema": WARRANTY, "needed": true}])), 400, "schemaExtensions[0].needed:"),
            (with("more", json!(1)), 400, "more:"),
        ];
        for (body, status, place) in cases {
            let reply = admin.post(&format!("{at}/resource_types"), &body);
            assert_eq!(reply.status, status, "{body}: {}", reply.text);
            assert!(reply.text.contains(place), "{} lacks {place}", reply.text);
        }
        declare(server, &client, &json!({"id": "urn:example:id", "attributes": [{"name": "ID"}]}), "");
        let reply = admin.post(&format!("{at}/resource_types"), &with("schema", json!("urn:example:id")));
        assert!(problem(&reply, 400, "invalid").contains("ID"), "{}", reply.text);
        problem(&admin.delete(&format!("{at}/resource_types/User")), 409, "built_in");
        let mut user = admin.get(&format!("{at}/resource_types/User")).expect(200);
        user["endpoint"] = json!("/People");
        assert!(problem(&admin.put(&format!("{at}/resource_types/User"), &user), 400, "invalid").contains("endpoint:"));
    }
}

/// The command line declares, shows, changes and removes what the admin API does.
#[test]
fn the_command_line_declares() {
    for db in [Db::Sqlite, Db::Postgres] {
        let place = Place::new(db);
        place.acme();
        place.write("badge.json", &badge().to_string());
        place.write("device.json", &device().to_string());
        place.write("type.json", &json!({"name": "Device", "endpoint": "/Devices", "schema": DEVICE}).to_string());
        place.run(&["schema", "add", "acme", "badge.json", "--for", "User"]);
        place.run(&["schema", "add", "acme", "device.json"]);
        place.run(&["type", "add", "acme", "type.json"]);
        assert!(place.refused(&["schema", "add", "acme", "device.json", "--for", "Group"]).contains("rollbook type add"));
        let shown = place.json(&["schema", "list", "acme", "--json"]);
        assert_eq!((&shown[0]["id"], &shown[1]["id"]), (&json!(BADGE), &json!(DEVICE)));
        assert!(place.run(&["schema", "list", "acme"]).contains(BADGE));
        let user = place.json(&["type", "show", "acme", "User"]);
        assert!(user["schemaExtensions"].to_string().contains(BADGE), "{user}");
        assert_eq!(place.json(&["type", "list", "acme", "--json"]).as_array().unwrap().len(), 3);
        // What is shown can be sent back, changed.
        let mut fewer = place.json(&["schema", "show", "acme", BADGE]);
        fewer["attributes"].as_array_mut().unwrap().truncate(3);
        place.write("badge.json", &fewer.to_string());
        assert!(place.run(&["schema", "add", "acme", "badge.json"]).contains("3 attribute(s)"));
        assert!(place.refused(&["schema", "remove", "acme", DEVICE]).contains("Device"));
        place.run(&["type", "remove", "acme", "Device"]);
        place.run(&["schema", "remove", "acme", DEVICE, "--force"]);
        assert!(place.refused(&["schema", "show", "acme", DEVICE]).contains(DEVICE));
        place.write("broken.json", "{");
        assert!(place.refused(&["schema", "add", "acme", "broken.json"]).contains("broken.json"));
    }
}

fn erase(admin: &Admin, tenant: &str) {
    let plan = admin.get(&format!("/tenants/{tenant}/deletion")).expect(200);
    let confirmation = plan["confirmation"].as_str().unwrap();
    let reply = admin.delete(&format!("/tenants/{tenant}?confirmation={confirmation}"));
    assert!(reply.status < 300, "{plan}: {}", reply.text);
}
