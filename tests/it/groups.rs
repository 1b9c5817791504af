//! Groups and their members (RFC 7643 §4.2), and what users show of them.

use crate::clients::{Client, GROUP, Reply, USER, group_path, id, user_path};
use crate::users::fired;
use rollbook::domain::Idp;
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

/// The ids of a group's members, in order of the ids.
fn members(group: &Value) -> Vec<String> {
    let mut ids: Vec<String> = group["members"].as_array().unwrap().iter().map(|m| m["value"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// The groups that a user shows: display and type, in order of the display.
fn groups_of(c: &Client, user: &Value) -> Vec<(String, String)> {
    let user = c.get(&user_path(user)).expect(200);
    let text = |g: &Value, key: &str| g[key].as_str().unwrap().to_owned();
    let mut list: Vec<_> = user["groups"].as_array().into_iter().flatten().map(|g| (text(g, "display"), text(g, "type"))).collect();
    list.sort();
    list
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn add(c: &Client, group: &Value, member: &Value) -> Reply {
    c.patch(&group_path(group), &json!([{"op": "add", "path": "members", "value": [{"value": id(member)}]}]))
}

fn rename(c: &Client, path: &str, name: &str) {
    assert!(c.patch(path, &json!([{"op": "replace", "path": "displayName", "value": name}])).status < 300);
}

/// The whole group with one more wanted thing.
fn body(name: &str, members: &Value) -> Value {
    json!({"schemas": [GROUP], "displayName": name, "members": members})
}

/// Fails unless the group has another version than before; the group as it is now.
#[track_caller]
fn changed(c: &Client, before: &Value) -> Value {
    let now = c.get(&group_path(before)).expect(200);
    assert_ne!(now["meta"]["version"], before["meta"]["version"]);
    assert!(now["meta"]["lastModified"].as_str() > before["meta"]["lastModified"].as_str());
    now
}

on_both! {
    /// R037 R039 R040 R054 R059 R085: a group is created with its place and version, with or without members.
    fn create(server) {
        let c = server.tenant();
        for given in [json!([]), json!(null)] {
            let reply = c.post("/Groups", &body("Staff", &given));
            let group = reply.expect(201);
            let url = format!("{}/Groups/{}", c.base, id(&group));
            assert_eq!((reply.header("location"), reply.header("content-location"), &group["meta"]["location"]), (&*url, &*url,
                &json!(url)));
            assert_eq!((&group["schemas"], &group["displayName"], &group["members"]), (&json!([GROUP]), &json!("Staff"), &json!([])));
            assert_eq!((&group["meta"]["resourceType"], reply.header("etag")), (&json!("Group"),
                group["meta"]["version"].as_str().unwrap()));
            assert_eq!(c.get(&group_path(&group)).expect(200), group);
        }
        assert_eq!(c.get("/Groups").expect(200)["totalResults"], 2);
    }

    /// R054 R087 R153: displayName is required and not empty, on create and on PUT.
    fn required_display_name(server) {
        let c = server.tenant();
        let group = c.group("g", &[]);
        for name in [json!(null), json!(""), json!("  "), json!([])] {
            let wrong = json!({"schemas": [GROUP], "displayName": name});
            for reply in [c.post("/Groups", &wrong), c.put(&group_path(&group), &wrong)] {
                assert!(reply.expect_error(400, "invalidValue").contains("displayName"));
            }
        }
        c.post("/Groups", &json!({"schemas": [GROUP]})).expect_error(400, "invalidValue");
        assert_eq!(c.get("/Groups").expect(200)["Resources"], json!([group]));
    }

    /// R016 R055 R057: type, $ref and display of a member are the server's, and $ref leads to the member.
    fn what_a_member_shows(server) {
        let c = server.tenant();
        let (user, inner) = (c.user_with(json!({"userName": "a", "displayName": "Ann"})), c.group("inner", &[]));
        let group = c.group("g", &[id(&user), id(&inner)]);
        for (resource, kind, display) in [(&user, "User", "Ann"), (&inner, "Group", "inner")] {
            let list = group["members"].as_array().unwrap();
            let member = list.iter().find(|m| m["value"] == resource["id"]).unwrap();
            assert_eq!(member, &json!({"value": resource["id"], "$ref": resource["meta"]["location"], "type": kind, "display": display}));
        }
        assert_eq!(c.get(user["meta"]["location"].as_str().unwrap()).expect(200)["id"], user["id"]);
        assert_eq!(c.get(&group_path(&group)).expect(200), group);
        let list = c.get("/Groups?filter=displayName+eq+%22g%22").expect(200);
        assert_eq!(list["Resources"], json!([group]));
    }

    /// R021 R057: a member may be named by its id or by any URL of it, with what else it shows, which is not taken from the client.
    fn ways_to_name_a_member(server) {
        let c = server.tenant_with(Idp::Rfc);
        let user = c.user("a");
        let url = user["meta"]["location"].as_str().unwrap();
        for (n, member) in [
            json!({"value": id(&user)}), json!({"$ref": url}), json!({"value": id(&user), "$ref": url, "type": "User",
            "display": "Nonsense"}),
            json!({"value": id(&user), "$ref": url.replace("/v2/", "/")}), json!({"value": id(&user), "$ref": format!("../Users/{}",
            id(&user))}),
            json!({"VALUE": id(&user), "TYPE": "user", "display": null}),
        ].into_iter().enumerate() {
            let group = c.post("/Groups", &body(&format!("g{n}"), &json!([member]))).expect(201);
            assert_eq!(group["members"], json!([{"value": id(&user), "$ref": url, "type": "User", "display": "a"}]));
        }
    }

    /// R055 R057: a member whose type or $ref is not its own, or that has no id, is invalidValue on every verb.
    fn contradictory_members(server) {
        let c = server.tenant();
        let (user, other, group) = (c.user("a"), c.user("b"), c.group("g", &[]));
        for member in [
            json!({"value": id(&user), "type": "Group"}), json!({"value": id(&user), "type": "Device"}), json!({"value": id(&group),
            "type": "User"}),
            json!({"value": id(&user), "$ref": other["meta"]["location"]}), json!({"type": "User"}), json!({"value": ""}),
            json!({"value": {"x": 1}}),
        ] {
            let path = group_path(&group);
            for reply in [
                c.post("/Groups", &body("h", &json!([member]))), c.put(&path, &body("g", &json!([member]))),
                c.patch(&path, &json!([{"op": "add", "path": "members", "value": [member]}])),
            ] {
                assert_eq!(reply.status, 400, "{member}");
                reply.expect_error(400, "invalidValue");
            }
        }
        assert_eq!(c.get("/Groups").expect(200)["Resources"], json!([group]));
    }

    /// R057: a $ref below the wrong endpoint disagrees with the id.
    fn ref_below_the_wrong_endpoint(server) {
        let c = server.tenant();
        let user = c.user("a");
        let member = json!({"value": id(&user), "$ref": format!("{}/Groups/{}", c.base, id(&user))});
        c.post("/Groups", &body("g", &json!([member]))).expect_error(400, "invalidValue");
    }

    /// R057: a member that does not exist is left out with a note, or refused where the RFC is taken to the letter.
    fn unknown_members(server) {
        for idp in [Idp::Auto, Idp::Rfc] {
            let c = server.tenant_with(idp);
            let user = c.user("a");
            let group = c.group("g", &[id(&user)]);
            let path = group_path(&group);
            let list = json!([{"value": id(&user)}, {"value": "nobody"}]);
            let replies = [
                c.put(&path, &body("g", &list)), c.patch(&path, &json!([{"op": "add", "path": "members", "value": list}])),
                c.patch(&path, &json!([{"op": "replace", "path": "members", "value": list}])), c.post("/Groups", &body("h", &list)),
            ];
            for (n, reply) in replies.iter().enumerate() {
                match idp {
                    Idp::Rfc => assert!(reply.expect_error(400, "invalidValue").contains("nobody")),
                    _ => assert_eq!(members(&reply.expect(if n == 3 { 201 } else { 200 })), [id(&user)]),
                }
            }
            assert_eq!(c.get(&path).expect(200), group);
            assert_eq!(c.get("/Groups").expect(200)["totalResults"], if idp == Idp::Rfc { 1 } else { 2 });
            let notes = if idp == Idp::Rfc { vec![] } else { vec!["unknown_member"; 4] };
            assert_eq!(fired(server, &c), notes);
        }
    }

    /// R058 R170 R204: a member is there once, and adding it again changes nothing.
    fn members_added_twice(server) {
        let c = server.tenant();
        let user = c.user("a");
        let group = c.group("g", &[id(&user), id(&user)]);
        assert_eq!(members(&group), [id(&user)]);
        sleep(Duration::from_millis(2));
        assert_eq!(add(&c, &group, &user).expect(200), group);
        assert_eq!(c.get(&group_path(&group)).expect(200), group);
        assert_eq!(groups_of(&c, &user), pairs(&[("g", "direct")]));
    }

    /// R058: a group cannot be a member of itself, on no verb.
    fn self_membership(server) {
        let c = server.tenant();
        let (user, group) = (c.user("a"), c.group("g", &[]));
        add(&c, &group, &group).expect_error(400, "invalidValue");
        let list = json!([{"value": id(&user)}, {"value": id(&group)}]);
        c.put(&group_path(&group), &body("g", &list)).expect_error(400, "invalidValue");
        c.patch(&group_path(&group), &json!([{"op": "replace", "path": "members", "value": list}])).expect_error(400, "invalidValue");
        assert_eq!(c.get(&group_path(&group)).expect(200), group);
        assert_eq!(groups_of(&c, &user), []);
    }

    /// R051 R056: a user shows the groups it is in directly and those around them, with their URLs; direct wins.
    fn nested_groups(server) {
        let c = server.tenant();
        let user = c.user("a");
        let inner = c.group("inner", &[id(&user)]);
        let middle = c.group("middle", &[id(&inner)]);
        let outer = c.group("outer", &[id(&middle)]);
        assert_eq!(groups_of(&c, &user), pairs(&[("inner", "direct"), ("middle", "indirect"), ("outer", "indirect")]));
        let shown = c.get(&user_path(&user)).expect(200);
        for group in shown["groups"].as_array().unwrap() {
            assert_eq!(c.get(group["$ref"].as_str().unwrap()).expect(200)["id"], group["value"]);
        }
        assert_eq!(c.get("/Users").expect(200)["Resources"], json!([shown]));
        add(&c, &outer, &user).expect(200);
        assert_eq!(groups_of(&c, &user), pairs(&[("inner", "direct"), ("middle", "indirect"), ("outer", "direct")]));
        assert_eq!(members(&c.get(&group_path(&middle)).expect(200)), [id(&inner)]);
        assert_eq!(c.delete(&group_path(&middle)).status, 204);
        assert_eq!(groups_of(&c, &user), pairs(&[("inner", "direct"), ("outer", "direct")]));
        assert!(c.get(&group_path(&inner)).expect(200).get("groups").is_none());
    }

    /// R058: groups may contain each other in a circle, and everything still answers.
    fn circles(server) {
        let c = server.tenant();
        let user = c.user("u");
        let (a, b, last) = (c.group("a", &[id(&user)]), c.group("b", &[]), c.group("c", &[]));
        for (group, member) in [(&b, &a), (&last, &b), (&a, &last)] {
            add(&c, group, member).expect(200);
        }
        let all = [("a", "direct"), ("b", "indirect"), ("c", "indirect")];
        assert_eq!(groups_of(&c, &user), pairs(&all));
        let path = user_path(&user);
        assert_eq!(c.patch(&path, &json!([{"op": "add", "path": "title", "value": "t"}])).expect(200)["groups"].as_array().unwrap().len(),
            3);
        assert_eq!(c.get("/Users").expect(200)["Resources"][0]["groups"].as_array().unwrap().len(), 3);
        assert_eq!(c.get(&group_path(&a)).expect(200)["members"].as_array().unwrap().len(), 2);
        assert_eq!(c.delete(&group_path(&b)).status, 204);
        assert_eq!(groups_of(&c, &user), pairs(&[("a", "direct")][..]));
    }

    /// R051 R204: groups change only by way of the group.
    fn groups_of_a_user_are_read_only(server) {
        let c = server.tenant();
        let user = c.user("a");
        let (group, other) = (c.group("g", &[id(&user)]), c.group("h", &[]));
        let path = user_path(&user);
        c.put(&path, &json!({"schemas": [USER], "userName": "a", "groups": [{"value": id(&other)}]})).expect(200);
        let operation = json!([{"op": "add", "path": "groups", "value": [{"value": id(&other)}]}]);
        c.patch(&path, &operation).expect_error(400, "mutability");
        assert_eq!(groups_of(&c, &user), pairs(&[("g", "direct")]));
        assert_eq!(c.get(&group_path(&group)).expect(200), group);
        assert_eq!(c.get(&group_path(&other)).expect(200), other);
    }

    /// R189 R190 R204: a deleted user, or group, leaves every group, whose version tells.
    fn deleted_members(server) {
        let c = server.tenant();
        let (user, stays) = (c.user("a"), c.user("b"));
        let inner = c.group("inner", &[id(&stays)]);
        let groups = [c.group("g", &[id(&user), id(&stays)]), c.group("h", &[id(&user), id(&inner)]), c.group("i", &[id(&stays)])];
        sleep(Duration::from_millis(2));
        assert_eq!(c.delete(&user_path(&user)).status, 204);
        assert_eq!(members(&changed(&c, &groups[0])), [id(&stays)]);
        let without_user = changed(&c, &groups[1]);
        assert_eq!(members(&without_user), [id(&inner)]);
        assert_eq!(c.get(&group_path(&groups[2])).expect(200), groups[2]);
        sleep(Duration::from_millis(2));
        assert_eq!(c.delete(&group_path(&inner)).status, 204);
        assert_eq!(members(&changed(&c, &without_user)), Vec::<String>::new());
        assert_eq!(groups_of(&c, &stays), pairs(&[("g", "direct"), ("i", "direct")]));
        c.get(&group_path(&inner)).expect_error(404, "");
    }

    /// R057 R204: a renamed user is renamed in its groups, however it was renamed, and their version tells.
    fn renamed_users(server) {
        let c = server.tenant();
        let user = c.user("a");
        let mut group = c.group("g", &[id(&user)]);
        let path = user_path(&user);
        let name = json!([{"op": "add", "path": "name", "value": {"givenName": "Ann", "familyName": "Lee"}}]);
        for (n, expected) in ["Ann Lee", "Annie", "Anna"].into_iter().enumerate() {
            sleep(Duration::from_millis(2));
            match n {
                0 => drop(c.patch(&path, &name).expect(200)),
                1 => rename(&c, &path, "Annie"),
                _ => drop(c.put(&path, &json!({"schemas": [USER], "userName": "a", "displayName": "Anna"})).expect(200)),
            }
            group = changed(&c, &group);
            assert_eq!(group["members"][0]["display"], expected);
            assert_eq!(c.get("/Groups").expect(200)["Resources"][0], group);
        }
        let title = json!([{"op": "add", "path": "title", "value": "t"}]);
        c.patch(&path, &title).expect(200);
        assert_eq!(c.get(&group_path(&group)).expect(200), group);
    }

    /// R051 R057 R204: a renamed group is renamed in its members and in the groups around it.
    fn renamed_groups(server) {
        let c = server.tenant();
        let user = c.user("a");
        let inner = c.group("inner", &[id(&user)]);
        let outer = c.group("outer", &[id(&inner)]);
        sleep(Duration::from_millis(2));
        rename(&c, &group_path(&inner), "core");
        assert_eq!(changed(&c, &outer)["members"][0]["display"], "core");
        rename(&c, &group_path(&outer), "shell");
        assert_eq!(groups_of(&c, &user), pairs(&[("core", "direct"), ("shell", "indirect")]));
    }

    /// R150 R153 R154: a PUT without members, or with null or [], empties the group.
    fn put_without_members(server) {
        let c = server.tenant();
        let user = c.user("a");
        let group = c.group("g", &[id(&user)]);
        let path = group_path(&group);
        for body in [json!({"schemas": [GROUP], "displayName": "g"}), body("g", &json!(null)), body("g", &json!([]))] {
            add(&c, &group, &user).expect(200);
            let emptied = c.put(&path, &body).expect(200);
            assert_eq!(emptied["members"], json!([]));
            assert_eq!(c.get(&path).expect(200), emptied);
            assert_eq!(groups_of(&c, &user), []);
        }
    }

    /// R151 R154 R204: a PUT of the same members, in any order and form, keeps the version; a PUT of others replaces them.
    fn put_of_members(server) {
        let c = server.tenant();
        let (a, b, new) = (c.user("a"), c.user("b"), c.user("c"));
        let group = c.group("g", &[id(&a), id(&b)]);
        let path = group_path(&group);
        sleep(Duration::from_millis(2));
        let (forth, back) = (json!([{"value": id(&a)}, {"value": id(&b)}]), json!([{"value": id(&b), "display": "x"}, {"value": id(&a)},
            {"value": id(&b)}]));
        for body in [group.clone(), body("g", &forth), body("g", &back)] {
            assert_eq!(c.put(&path, &body).expect(200), group);
        }
        c.put(&path, &body("g", &json!([{"value": id(&new)}, {"value": id(&b)}]))).expect(200);
        let mut expected = [id(&b), id(&new)];
        expected.sort_unstable();
        assert_eq!(members(&changed(&c, &group)), expected);
        assert_eq!((groups_of(&c, &a), groups_of(&c, &new)), (vec![], pairs(&[("g", "direct")])));
        c.put("/Groups/none", &body("g", &forth)).expect_error(404, "");
    }

    /// R054: two groups may have one name; not in a tenant of Entra, whatever the case, on no verb.
    fn display_names(server) {
        for idp in [Idp::Auto, Idp::Okta, Idp::OneLogin, Idp::Rfc, Idp::Entra] {
            let c = server.tenant_with(idp);
            let (first, other) = (c.group("Staff", &[]), c.group("other", &[]));
            let path = group_path(&other);
            let name = json!([{"op": "replace", "path": "displayName", "value": "STAFF"}]);
            let replies = [c.post("/Groups", &body("STAFF", &json!([]))), c.put(&path, &body("staff", &json!([]))), c.patch(&path, &name)];
            if idp == Idp::Entra {
                for reply in &replies {
                    reply.expect_error(409, "uniqueness");
                }
                assert_eq!(c.get("/Groups").expect(200)["Resources"].as_array().unwrap().len(), 2);
                assert_eq!(c.get(&path).expect(200), other);
                assert_eq!(c.put(&group_path(&first), &body("STAFF", &json!([]))).status, 200);
                assert_eq!(c.delete(&group_path(&first)).status, 204);
                c.group("staff", &[]);
                c.user("Staff");
            } else {
                assert_eq!(replies.map(|r| r.status), [201, 200, 200], "{idp}");
            }
        }
    }

    /// R158 R203: a PATCH answers with the group up to 100 members; above, 204 with the version, unless attributes are chosen.
    fn patch_of_a_large_group(server) {
        let c = server.tenant();
        let users: Vec<Value> = (0..101).map(|n| c.user(&format!("u{n}"))).collect();
        let ids: Vec<&str> = users.iter().take(99).map(id).collect();
        let group = c.group("g", &ids);
        let path = group_path(&group);
        assert_eq!(add(&c, &group, &users[99]).expect(200)["members"].as_array().unwrap().len(), 100);
        let brief = add(&c, &group, &users[100]);
        assert_eq!((brief.status, &*brief.text), (204, ""));
        let now = c.get(&path).expect(200);
        assert_eq!(now["members"].as_array().unwrap().len(), 101);
        assert_eq!((brief.header("etag"), brief.header("content-location")), (now["meta"]["version"].as_str().unwrap(), format!("{}{path}",
            c.base).as_str()));
        let nothing = json!([{"op": "replace", "path": "displayName", "value": "g"}]);
        assert_eq!(c.patch(&path, &nothing).header("etag"), now["meta"]["version"]);
        let chosen = c.patch(&format!("{path}?attributes=displayName"), &nothing).expect(200);
        assert_eq!(chosen, json!({"id": id(&group), "schemas": [GROUP], "displayName": "g"}));
        let rest = c.patch(&format!("{path}?excludedAttributes=members"), &nothing).expect(200);
        assert!(rest.get("members").is_none() && rest["displayName"] == "g");
        assert_eq!(c.put(&path, &now).expect(200)["members"].as_array().unwrap().len(), 101);
    }

    /// R158: a tenant of Entra gets 204 for every PATCH of a group, unless attributes are chosen; for users 200.
    fn patch_for_entra(server) {
        let c = server.tenant_with(Idp::Entra);
        let user = c.user("a");
        let group = c.group("g", &[]);
        let reply = add(&c, &group, &user);
        assert_eq!((reply.status, &*reply.text), (204, ""));
        let now = c.get(&group_path(&group)).expect(200);
        assert_eq!((members(&now), reply.header("etag")), (vec![id(&user).to_owned()], now["meta"]["version"].as_str().unwrap()));
        let nothing = json!([{"op": "replace", "path": "displayName", "value": "g"}]);
        assert_eq!(c.patch(&group_path(&group), &nothing).status, 204);
        let query = format!("{}?excludedAttributes=members", group_path(&group));
        assert!(c.patch(&query, &nothing).expect(200).get("members").is_none());
        assert_eq!(c.patch(&user_path(&user), &json!([{"op": "add", "path": "title", "value": "t"}])).expect(200)["title"], "t");
        c.patch("/Groups/none", &nothing).expect_error(404, "");
    }

    /// R059 R097: excludedAttributes=members leaves out the members and nothing else, also in a list.
    fn excluded_members(server) {
        let c = server.tenant();
        let group = c.group("g", &[id(&c.user("a"))]);
        let mut expected = group.clone();
        expected.as_object_mut().unwrap().shift_remove("members");
        assert_eq!(c.get(&format!("{}?excludedAttributes=members", group_path(&group))).expect(200), expected);
        assert_eq!(c.get("/Groups?excludedAttributes=members").expect(200)["Resources"], json!([expected]));
        assert_eq!(c.get("/Groups").expect(200)["Resources"], json!([group]));
    }

    /// R189: a deleted group is gone on every verb, and from its members.
    fn delete(server) {
        let c = server.tenant();
        let user = c.user("a");
        let group = c.group("g", &[id(&user)]);
        let path = group_path(&group);
        let reply = c.delete(&path);
        assert_eq!((reply.status, &*reply.text), (204, ""));
        let nothing = json!([{"op": "remove", "path": "members"}]);
        for reply in [c.get(&path), c.put(&path, &body("g", &json!([]))), c.patch(&path, &nothing), c.delete(&path)] {
            reply.expect_error(404, "");
        }
        assert_eq!(c.get(&user_path(&user)).expect(200), user);
        assert_eq!(c.get("/Groups").expect(200)["totalResults"], 0);
        assert_ne!(c.group("g", &[])["id"], group["id"]);
    }

    /// R108: the root lists users and groups.
    fn root(server) {
        let c = server.tenant();
        let user = c.user("a");
        let group = c.group("g", &[]);
        let list = c.get("").expect(200);
        assert_eq!(list["totalResults"], 2);
        let all = list["Resources"].as_array().unwrap();
        assert!(all.contains(&user) && all.contains(&group));
    }
}
