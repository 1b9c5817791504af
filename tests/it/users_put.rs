//! Changing and deleting users: PUT, the frame of PATCH, DELETE (RFC 7644 §3.5, §3.6).

use crate::clients::{EMPLOYEE, ENTERPRISE, GROUP, USER, group_path, id, user_path, without_roll};
use crate::users::everything;
use rollbook::domain::Idp;
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

/// Long enough for a later timestamp.
fn tick() {
    sleep(Duration::from_millis(2));
}

on_both! {
    /// R149: PUT never creates.
    fn put_of_nobody(server) {
        let c = server.tenant();
        let group = c.group("g", &[]);
        for unknown in ["none", id(&group)] {
            c.put(&format!("/Users/{unknown}"), &json!({"schemas": [USER], "userName": "a"})).expect_error(404, "");
        }
        assert_eq!(c.get("/Users").expect(200)["totalResults"], 0);
    }

    /// R023 R150 R153 R155: what a PUT leaves out, or has as null or [], is cleared, extensions too; schemas follow the data.
    fn put_replaces(server) {
        let c = server.tenant_with_free_locations(Idp::Auto);
        let path = user_path(&c.post("/Users", &everything()).expect(201));
        let cleared = json!({"schemas": [USER, ENTERPRISE], "userName": "New", "title": null, "emails": [], "displayName": "Newer",
            "roles": [{"value": "r"}]});
        let user = c.put(&path, &cleared).expect(200);
        let names: Vec<&str> = user.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["id", "schemas", "userName", "displayName", "roles", "active", EMPLOYEE, "meta"], "{user}");
        let roles = json!([{"value": "r"}]);
        assert_eq!((&user["schemas"], &user["userName"], &user["roles"]), (&json!([USER, EMPLOYEE]), &json!("New"), &roles));
        let mut own = user.clone();
        without_roll(&mut own);
        assert_eq!((&own["schemas"], own.get(EMPLOYEE)), (&json!([USER]), None), "the employee record is cleared too");
        assert_eq!(c.get(&path).expect(200), user);
    }

    /// R150: `active` keeps its value when a PUT leaves it out.
    fn put_keeps_active(server) {
        let c = server.tenant();
        let path = user_path(&c.user_with(json!({"userName": "a", "active": false})));
        let put = |body: Value| c.put(&path, &body).expect(200)["active"].clone();
        assert_eq!(put(json!({"schemas": [USER], "userName": "b"})), false);
        assert_eq!(put(json!({"schemas": [USER], "userName": "b", "active": true})), true);
        assert_eq!(put(json!({"schemas": [USER], "userName": "c"})), true);
    }

    /// R033 R036 R051 R060 R152: read-only values in a PUT are ignored, whatever they are.
    fn put_of_read_only_values(server) {
        let c = server.tenant();
        let (boss, other) = (c.user("boss"), c.user("other"));
        let user = c.user_with(json!({"userName": "a", ENTERPRISE: {"manager": {"value": id(&boss)}}}));
        c.group("g", &[id(&user)]);
        let path = user_path(&user);
        let before = c.get(&path).expect(200);
        let mut body = before.clone();
        body["id"] = other["id"].clone();
        body["meta"] = json!({"resourceType": "Group", "version": "W/\"77\"", "created": "2001-01-01T00:00:00Z"});
        body["groups"] = json!([]);
        body["title"] = json!("t");
        body[ENTERPRISE]["manager"]["displayName"] = json!("Somebody");
        let after = c.put(&path, &body).expect(200);
        for name in ["id", "groups", ENTERPRISE] {
            assert_eq!(after[name], before[name], "{name}");
        }
        assert_eq!((&after["title"], &after["meta"]["created"], &after["meta"]["resourceType"]), (&json!("t"), &before["meta"]["created"],
            &json!("User")));
        assert_eq!(c.get(&user_path(&other)).expect(200), other);
    }

    /// R036 R038 R039 R040 R154 R203: PUT and PATCH answer with the whole resource, its place and its new version.
    fn what_a_change_answers(server) {
        let c = server.tenant();
        let user = c.user("a");
        let path = user_path(&user);
        let url = format!("{}{path}", c.base);
        let mut before = user.clone();
        for n in 0..2 {
            tick();
            let reply = match n {
                0 => c.put(&path, &json!({"schemas": [USER], "userName": "a", "title": "t"})),
                _ => c.patch(&path, &json!([{"op": "add", "path": "nickName", "value": "n"}])),
            };
            let after = reply.expect(200);
            assert_eq!((&after["id"], &after["userName"], &after["title"]), (&user["id"], &json!("a"), &json!("t")));
            assert_eq!((reply.header("content-location"), &after["meta"]["location"]), (&*url, &json!(url)));
            assert_eq!(reply.header("etag"), after["meta"]["version"]);
            assert_ne!(after["meta"]["version"], before["meta"]["version"]);
            assert_eq!(after["meta"]["created"], user["meta"]["created"]);
            assert!(after["meta"]["lastModified"].as_str() > before["meta"]["lastModified"].as_str());
            assert_eq!(c.get(&path).expect(200), after);
            before = after;
        }
    }

    /// R154 R204: a PUT that changes nothing leaves version and lastModified alone.
    fn put_of_the_same(server) {
        let c = server.tenant_with_free_locations(Idp::Auto);
        let user = c.post("/Users", &everything()).expect(201);
        tick();
        for body in [user.clone(), everything()] {
            assert_eq!(c.put(&user_path(&user), &body).expect(200), user);
        }
        assert_eq!(c.get(&user_path(&user)).expect(200), user);
    }

    /// R154: a PUT of what was read changes nothing, also when the server made up the displayName.
    fn put_of_what_was_read(server) {
        let c = server.tenant();
        let user = c.user("a");
        tick();
        assert_eq!(c.put(&user_path(&user), &user).expect(200), user);
    }

    /// R020 R087 R090 R153 R216: a PUT is checked as a create is, and a refused one changes nothing.
    fn refused_puts(server) {
        let c = server.tenant_with_free_locations(Idp::Rfc);
        let user = c.post("/Users", &everything()).expect(201);
        let path = user_path(&user);
        let two = json!([{"value": "a", "primary": true}, {"value": "b", "primary": true}]);
        for (body, scim_type) in [
            (json!({"schemas": [USER]}), "invalidValue"), (json!({"schemas": [USER], "userName": null}), "invalidValue"),
            (json!({"schemas": [USER], "userName": ""}), "invalidValue"), (json!({"schemas": [USER], "userName": "a", "emails": two}),
            "invalidValue"),
            (json!({"schemas": [USER], "userName": "a", "active": "no"}), "invalidValue"), (json!({"userName": "a"}), "invalidSyntax"),
            (json!({"schemas": [USER, EMPLOYEE], "userName": "a", EMPLOYEE: {"hireDate": 2024}}), "invalidValue"),
            (json!({"schemas": [GROUP], "userName": "a", "displayName": "a"}), "invalidSyntax"),
        ] {
            let reply = c.put(&path, &body);
            assert_eq!(reply.status, 400, "{body}");
            reply.expect_error(400, scim_type);
        }
        assert_eq!(c.get(&path).expect(200), user);
    }

    /// R028 R154 R188 R217: a userName that another user has is refused on PUT and PATCH; the user's own is not.
    fn taken_user_names(server) {
        let c = server.tenant();
        let (user, path) = (c.user("a"), user_path(&c.user("b")));
        let b = c.get(&path).expect(200);
        c.put(&path, &json!({"schemas": [USER], "userName": "A", "title": "t"})).expect_error(409, "uniqueness");
        let both = json!([{"op": "add", "path": "title", "value": "t"}, {"op": "replace", "path": "userName", "value": "A"}]);
        c.patch(&path, &both).expect_error(409, "uniqueness");
        assert_eq!(c.get(&path).expect(200), b);
        assert_eq!(c.put(&path, &json!({"schemas": [USER], "userName": "B"})).expect(200)["userName"], "B");
        assert_eq!(c.delete(&user_path(&user)).status, 204);
        assert_eq!(c.put(&path, &json!({"schemas": [USER], "userName": "a"})).expect(200)["userName"], "a");
        c.user("b");
    }

    /// R157 R158 R166: PATCH of nobody is 404, and a failing operation undoes those before it.
    fn patch_frame(server) {
        let c = server.tenant();
        let user = c.user("a");
        let add = json!({"op": "add", "path": "title", "value": "t"});
        c.patch("/Users/none", &json!([add])).expect_error(404, "");
        c.patch(&user_path(&user), &json!([add, {"op": "replace", "path": "userName", "value": ""}])).expect_error(400, "invalidValue");
        c.patch(&user_path(&user), &json!([add, {"op": "remove"}])).expect_error(400, "noTarget");
        assert_eq!(c.get(&user_path(&user)).expect(200), user);
    }

    /// R107 R189 R191: DELETE answers 204 without a body, whatever it was sent; then nothing finds the user.
    fn delete(server) {
        let c = server.tenant();
        let user = c.user_with(json!({"userName": "a", "emails": [{"value": "a@example.com"}]}));
        let path = user_path(&user);
        let reply = c.send("DELETE", &path, &[("content-type", "text/plain")], Some("{ignored"));
        assert_eq!((reply.status, &*reply.text), (204, ""));
        let body = json!({"schemas": [USER], "userName": "a"});
        for reply in [c.get(&path), c.put(&path, &body), c.patch(&path, &json!([{"op": "remove", "path": "title"}])), c.delete(&path)] {
            reply.expect_error(404, "");
        }
        for list in [c.get("/Users"), c.get(""), c.filter("/Users", "userName eq \"a\""), c.filter("/Users",
            "emails.value eq \"a@example.com\"")] {
            let list = list.expect(200);
            assert_eq!((&list["totalResults"], &list["Resources"]), (&json!(0), &json!([])));
        }
        c.delete("/Users/none").expect_error(404, "");
        c.delete(&format!("/Users/{}", id(&c.group("g", &[])))).expect_error(404, "");
        assert_eq!(c.get("/Groups").expect(200)["totalResults"], 1);
    }

    /// R033 R189: the name of a deleted user is free again, and the new user has another id and nothing of the old one.
    fn create_again(server) {
        let c = server.tenant();
        let old = c.user_with(json!({"userName": "a", "title": "t"}));
        let group = c.group("g", &[id(&old)]);
        assert_eq!(c.delete(&user_path(&old)).status, 204);
        let new = c.user("A");
        assert_ne!(new["id"], old["id"]);
        assert!(new.get("title").is_none() && new.get("groups").is_none());
        c.get(&user_path(&old)).expect_error(404, "");
        assert_eq!(c.get(&group_path(&group)).expect(200)["members"], json!([]));
    }

    /// R016 R190: a deleted manager leaves neither a URL nor a name behind, and the version tells.
    fn deleted_manager(server) {
        let c = server.tenant();
        let boss = c.user("boss");
        let user = c.user_with(json!({"userName": "a", ENTERPRISE: {"manager": {"value": id(&boss)}}}));
        assert_eq!(c.delete(&user_path(&boss)).status, 204);
        let after = c.get(&user_path(&user)).expect(200);
        let manager = &after[ENTERPRISE]["manager"];
        assert!(manager.get("$ref").is_none() && manager.get("displayName").is_none(), "{after}");
        assert_ne!(after["meta"]["version"], user["meta"]["version"]);
    }
}
