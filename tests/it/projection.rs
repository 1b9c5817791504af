//! `attributes` and `excludedAttributes` on every verb (RFC 7644 §3.4.2.5, §3.9, §3.10).

use crate::clients::{Client, EMPLOYEE, ENTERPRISE, GROUP, PATCH, SEARCH, USER, group_path, id, user_path};
use serde_json::{Value, json};

/// A user with a bit of everything.
fn body(user_name: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE], "userName": user_name, "title": "Guide", "displayName": "Babs",
        "name": {"givenName": "Barbara", "familyName": "Jensen"},
        "emails": [{"value": "w@example.com", "type": "work"}, {"value": "h@example.com", "type": "home"}],
        ENTERPRISE: {"department": "Tours", "division": "Park", "manager": {"value": "nobody"}}
    })
}

/// The same choice of attributes on every verb that answers with a user. The user that POST creates is gone afterwards.
fn on_every_verb(c: &Client, user: &Value, query: &str) -> Vec<Value> {
    let path = format!("{}?{query}", user_path(user));
    let created = c.post(&format!("/Users?{query}"), &body("other")).expect(201);
    assert_eq!(c.delete(&user_path(&created)).status, 204);
    let touch = json!([{"op": "replace", "path": "title", "value": "Guide"}]);
    let list = c.get(&format!("/Users?{query}")).expect(200);
    let root = c.get(&format!("/?{query}&filter=userName+pr")).expect(200);
    vec![
        created,
        c.get(&path).expect(200),
        c.put(&path, &body("bjensen")).expect(200),
        c.patch(&path, &touch).expect(200),
        list["Resources"][0].clone(),
        root["Resources"][0].clone(),
    ]
}

/// A user as shown, without what is always shown.
fn chosen(shown: &Value) -> Value {
    let mut map = shown.as_object().unwrap().clone();
    assert_eq!(map.shift_remove("schemas"), Some(json!([USER, ENTERPRISE, EMPLOYEE])));
    assert!(map.shift_remove("id").is_some());
    Value::Object(map)
}

on_both! {
    /// R005 R041 R096 R097 R099 R100 R101 R102 R104: id, schemas, and exactly what is named, in every notation.
    fn attributes(server) {
        let c = server.tenant();
        let user = c.post("/Users", &body("bjensen")).expect(201);
        assert_eq!(user[EMPLOYEE]["state"], "uninvited");
        let e = ENTERPRISE;
        let lower = e.to_lowercase();
        let (work, home) = (&user["emails"][0], &user["emails"][1]);
        for (names, expected) in [
            ("TITLE".to_owned(), json!({"title": "Guide"})),
            (format!("{USER}:title"), json!({"title": "Guide"})),
            (format!("{}:TITLE", USER.to_uppercase()), json!({"title": "Guide"})),
            ("name.givenName".to_owned(), json!({"name": {"givenName": "Barbara"}})),
            (format!("{USER}:NAME.familyname"), json!({"name": {"familyName": "Jensen"}})),
            ("name".to_owned(), json!({"name": user["name"]})),
            ("emails".to_owned(), json!({"emails": [work, home]})),
            ("emails.type".to_owned(), json!({"emails": [{"type": "work"}, {"type": "home"}]})),
            ("emails.type,emails.value".to_owned(), json!({"emails": [work, home]})),
            ("title, displayName".to_owned(), json!({"title": "Guide", "displayName": "Babs"})),
            ("title&attributes=displayName".to_owned(), json!({"title": "Guide", "displayName": "Babs"})),
            (format!("{e}:department"), json!({e: {"department": "Tours"}})),
            (format!("{lower}:DIVISION"), json!({e: {"division": "Park"}})),
            (format!("{e}:manager.value"), json!({e: {"manager": {"value": "nobody"}}})),
            (format!("{e}:manager.displayName"), json!({})),
            (e.to_owned(), json!({e: user[e]})),
            (lower, json!({e: user[e]})),
            (format!("{EMPLOYEE}:STATE"), json!({EMPLOYEE: {"state": "uninvited"}})),
            (format!("{EMPLOYEE}:invited,{EMPLOYEE}:claimDate"), json!({EMPLOYEE: {"invited": false}})),
            (EMPLOYEE.to_lowercase(), json!({EMPLOYEE: user[EMPLOYEE]})),
            ("nope".to_owned(), json!({})),
            ("name.nope,urn:example:x:y,password,id,schemas".to_owned(), json!({})),
            ("meta.resourceType".to_owned(), json!({"meta": {"resourceType": "User"}})),
        ] {
            for shown in on_every_verb(&c, &user, &format!("attributes={names}")) {
                assert_eq!(chosen(&shown), expected, "{names}");
            }
        }
    }

    /// R041 R096 R097 R099 R100 R102 R103: everything but what is named; id and schemas stay.
    fn excluded_attributes(server) {
        let c = server.tenant();
        let user = c.post("/Users", &body("bjensen")).expect(201);
        let (whole, state) = (format!("{ENTERPRISE}:department"), format!("{EMPLOYEE}:state"));
        for (names, gone) in [
            ("name", vec!["/name"]), ("NAME.givenname", vec!["/name/givenName"]), ("name.givenName,name.familyName", vec!["/name"]),
            ("emails.type", vec!["/emails/0/type", "/emails/1/type"]), ("userName, meta", vec!["/userName", "/meta"]),
            (ENTERPRISE, vec!["/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]),
            (&*whole, vec!["/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department"]),
            (EMPLOYEE, vec!["/urn:ietf:params:scim:schemas:extension:rollbook:2.0:User"]),
            (&*state, vec!["/urn:ietf:params:scim:schemas:extension:rollbook:2.0:User/state"]),
            ("id,schemas,nope,password", vec![]), ("meta.created", vec!["/meta/created"]),
        ] {
            for (n, mut shown) in on_every_verb(&c, &user, &format!("excludedAttributes={names}")).into_iter().enumerate() {
                let mut expected = user.clone();
                if n == 0 {
                    expected["userName"] = json!("other");
                    expected["id"] = shown["id"].clone();
                    expected["meta"] = shown["meta"].clone();
                }
                for pointer in &gone {
                    assert!(shown.pointer(pointer).is_none(), "{names} {shown}");
                    let (parent, name) = pointer.rsplit_once('/').unwrap();
                    expected.pointer_mut(parent).unwrap().as_object_mut().unwrap().shift_remove(name);
                }
                if n == 0 {
                    expected["meta"].take();
                    shown["meta"].take();
                }
                assert_eq!(shown, expected, "{names} on verb {n}");
            }
        }
    }

    /// R096 R104 R146: a search names attributes in an array, or in one string.
    fn in_a_search(server) {
        let c = server.tenant();
        let user = c.post("/Users", &body("bjensen")).expect(201);
        let search = |path: &str, key: &str, names: Value| c.post(path, &json!({"schemas": [SEARCH],
            key: names})).expect(200)["Resources"][0].clone();
        for path in ["/Users/.search", "/.search"] {
            let expected = json!({"title": "Guide", "name": {"givenName": "Barbara"}});
            for names in [json!(["title", "name.givenName"]), json!("title, name.givenName")] {
                assert_eq!(chosen(&search(path, "attributes", names)), expected);
            }
            let mut rest = chosen(&search(path, "excludedAttributes", json!(["emails", ENTERPRISE, "name", "meta", "groups"])));
            assert_eq!(rest.as_object_mut().unwrap().shift_remove(EMPLOYEE).as_ref(), Some(&user[EMPLOYEE]));
            assert_eq!(rest, json!({"userName": "bjensen", "title": "Guide", "displayName": "Babs", "active": true}));
        }
        assert_eq!(search("/Users/.search", "attributes", json!([])), user);
    }

    /// R098: both at once are invalidValue on every verb, and nothing is done.
    fn both_at_once(server) {
        let c = server.tenant();
        let user = c.post("/Users", &body("bjensen")).expect(201);
        let query = "attributes=title&excludedAttributes=name";
        let path = format!("{}?{query}", user_path(&user));
        for reply in [
            c.get(&path), c.get(&format!("/Users?{query}")), c.get(&format!("/?{query}")), c.post(&format!("/Users?{query}"),
                &body("other")),
            c.put(&path, &body("changed")), c.patch(&path, &json!([{"op": "remove", "path": "title"}])),
            c.post("/Users/.search", &json!({"schemas": [SEARCH], "attributes": ["title"], "excludedAttributes": ["name"]})),
        ] {
            reply.expect_error(400, "invalidValue");
        }
        assert_eq!(c.get("/Users").expect(200)["Resources"], json!([user]));
    }

    /// R105: filtering and sorting work on what is not shown.
    fn filter_and_sort_on_what_is_not_shown(server) {
        let c = server.tenant();
        for (name, title) in [("a", "2"), ("b", "1"), ("c", "")] {
            c.user_with(json!({"userName": name, "title": title}));
        }
        let list = c.get("/Users?attributes=userName&filter=title+pr&sortBy=title").expect(200);
        let names: Vec<&Value> = list["Resources"].as_array().unwrap().iter().map(|u| &u["userName"]).collect();
        assert_eq!(names, ["b", "a"]);
        assert!(list["Resources"][0].get("title").is_none());
        let rest = c.get("/Users?excludedAttributes=title,userName&filter=title+eq+%221%22").expect(200);
        assert_eq!(rest["Resources"][0]["displayName"], "b");
    }

    /// R059 R096 R097 R101: groups with and without members, on every verb.
    fn groups(server) {
        let c = server.tenant();
        let user = c.user("a");
        let group = c.group("g", &[id(&user)]);
        let path = group_path(&group);
        let whole = json!({"schemas": [GROUP], "displayName": "g", "members": [{"value": id(&user)}]});
        let rename = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "displayName", "value": "g"}]}).to_string();
        for (query, expected) in [
            ("attributes=displayName", json!({"displayName": "g"})),
            ("excludedAttributes=members,meta", json!({"displayName": "g"})),
            ("attributes=members.value", json!({"members": [{"value": id(&user)}]})),
            ("attributes=MEMBERS.display,members.$ref", json!({"members": [{"$ref": user["meta"]["location"], "display": "a"}]})),
            ("attributes=members", json!({"members": group["members"]})),
            ("excludedAttributes=members.value,members.$ref,members.type,displayName,meta", json!({"members": [{"display": "a"}]})),
        ] {
            let path = format!("{path}?{query}");
            let created = c.post(&format!("/Groups?{query}"), &whole).expect(201);
            assert_eq!(c.delete(&group_path(&created)).status, 204);
            let list = c.get(&format!("/Groups?{query}")).expect(200);
            let shown = [
                created, c.get(&path).expect(200), list["Resources"][0].clone(), c.put(&path, &whole).expect(200),
                c.send("PATCH", &path, &[], Some(&rename)).expect(200),
            ];
            for (n, shown) in shown.iter().enumerate() {
                let mut expected = expected.clone();
                expected["id"] = if n == 0 { json!(id(shown)) } else { group["id"].clone() };
                expected["schemas"] = json!([GROUP]);
                assert_eq!(shown, &expected, "{query} on verb {n}");
            }
        }
    }
}
