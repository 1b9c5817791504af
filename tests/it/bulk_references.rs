//! bulkIds in bulk requests: wherever a reference may stand, backwards, forwards, in circles, and to what was not created.

use crate::bulk::{bulk, change, fault, new_group, new_user, resource, statuses};
use crate::clients::{Client, ENTERPRISE, GROUP, USER, group_path, id, user_path};
use crate::concurrency::{member_ids, miscounted};
use crate::harness::Server;
use rollbook::domain::Idp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A new tenant that takes the RFC to the letter, so that a member that does not exist is an error.
fn strict(server: &Server) -> Client {
    server.tenant_with(Idp::Rfc)
}

/// A new user with a manager.
fn managed(name: &str, manager: &str) -> Value {
    new_user(name, &json!({"schemas": [USER, ENTERPRISE], ENTERPRISE: {"manager": {"value": manager}}}))
}

fn manager(user: &Value) -> &Value {
    &user[ENTERPRISE]["manager"]["value"]
}

fn ids(resources: &[&Value]) -> BTreeSet<String> {
    resources.iter().map(|r| id(r).to_owned()).collect()
}

fn count(c: &Client) -> Value {
    c.get("?count=0").expect(200)["totalResults"].clone()
}

/// Every result's resource.
#[track_caller]
fn resources(c: &Client, results: &[Value]) -> Vec<Value> {
    results.iter().map(|r| resource(c, r)).collect()
}

on_both! {
    /// R196: members, the manager, `$ref`, PATCH values and filters, PUT, and the path: everywhere the id stands in the bulkId's place.
    fn wherever_a_reference_may_stand(server) {
        let c = strict(server);
        let (old, there) = (c.group("old", &[]), c.user("there"));
        let link = json!({"$ref": format!("{}/Users/bulkId:b", c.base)});
        let results = bulk(&c, &json!([
            new_user("a", &json!({})),
            managed("b", "bulkId:a"),
            new_group("g", &["bulkId:a"]),
            {"method": "POST", "path": "/Groups", "bulkId": "linked", "data": {"schemas": [GROUP], "displayName": "linked", "members": [link]}},
            {"method": "PUT", "path": group_path(&old), "data": {"schemas": [GROUP], "displayName": "put", "members": [{"value": "bulkId:a"}, {"value": "bulkId:b"}]}},
            change(&group_path(&old), &json!([{"op": "remove", "path": "members[value eq \"bulkId:a\"]"}])),
            change("/Groups/bulkId:g", &json!([{"op": "add", "path": "members", "value": [{"value": "bulkId:b"}]}])),
            change("/Groups/bulkId:g", &json!([{"op": "add", "value": {"members": [{"value": "bulkId:linked"}]}}])),
            change(&user_path(&there), &json!([{"op": "replace", "path": format!("{ENTERPRISE}:manager.value"), "value": "bulkId:b"}])),
            {"method": "PUT", "path": "/Users/bulkId:a", "data": {"schemas": [USER], "userName": "renamed"}},
        ]));
        assert!(results.iter().all(|r| r["status"] == "200" || r["status"] == "201"), "{results:#?}");
        let all = resources(&c, &results);
        let (a, b) = (&all[0], &all[1]);
        assert_eq!((manager(b), &a["userName"]), (&a["id"], &json!("renamed")));
        assert_eq!(member_ids(&all[2]), ids(&[a, b, &all[3]]));
        assert_eq!(member_ids(&all[3]), ids(&[b]));
        assert_eq!((member_ids(&all[4]), &all[4]["displayName"]), (ids(&[b]), &json!("put")));
        assert_eq!(manager(&all[8]), &b["id"]);
        assert_eq!(results[6]["location"], results[2]["location"], "the location has the id");
        assert_eq!(miscounted(&mut server.connect()), []);
    }

    /// R196: a resource is deleted under its bulkId; whoever names it after that names nobody.
    fn what_is_created_can_be_deleted(server) {
        let c = strict(server);
        let results = bulk(&c, &json!([new_user("a", &json!({})), {"method": "DELETE", "path": "/Users/bulkId:a"}, new_group("g", &["bulkId:a"])]));
        assert_eq!(statuses(&results), ["201", "204", "400"]);
        c.get(results[0]["location"].as_str().unwrap()).expect_error(404, "");
    }

    /// R198: what is created later in the request can be named before; the results are in the order of the request all the same.
    fn forward_references(server) {
        let c = strict(server);
        let (user, group) = (c.user("there"), c.group("old", &[]));
        let results = bulk(&c, &json!([
            new_group("outer", &["bulkId:inner", "bulkId:u"]),
            change(&group_path(&group), &json!([{"op": "add", "path": "members", "value": [{"value": "bulkId:u"}]}])),
            change("/Groups/bulkId:inner", &json!([{"op": "add", "path": "members", "value": [{"value": id(&user)}]}])),
            managed("report", "bulkId:boss"),
            new_group("inner", &["bulkId:u"]),
            managed("boss", "bulkId:u"),
            new_user("u", &json!({})),
        ]));
        assert_eq!(statuses(&results), ["201", "200", "200", "201", "201", "201", "201"]);
        let all = resources(&c, &results);
        let (outer, report, inner, boss, u) = (&all[0], &all[3], &all[4], &all[5], &all[6]);
        assert_eq!(member_ids(outer), ids(&[inner, u]));
        assert_eq!((member_ids(&all[1]), member_ids(inner)), (ids(&[u]), ids(&[u, &user])));
        assert_eq!((manager(report), manager(boss)), (&boss["id"], &u["id"]));
        assert_eq!(results[0]["version"], outer["meta"]["version"]);
        assert_eq!(report["meta"]["version"].as_str().unwrap().split('-').next(), Some("W/\"1"), "it was created once, and not changed");
    }

    /// R198: moving an operation back does not change what the request means: what is about one resource stays in its order.
    fn waiting_keeps_the_order_on_a_resource(server) {
        let c = strict(server);
        let (group, user) = (c.group("g", &[]), c.user("there"));
        let path = group_path(&group);
        c.user("reused");
        let reused = c.filter("/Users", "userName eq \"reused\"").expect(200)["Resources"][0].clone();
        let results = bulk(&c, &json!([
            change(&path, &json!([{"op": "add", "path": "members", "value": [{"value": id(&user)}, {"value": "bulkId:late"}]}])),
            change(&path, &json!([{"op": "remove", "path": "members"}])),
            change(&path, &json!([{"op": "replace", "path": "displayName", "value": "last"}])),
            new_group("named", &["bulkId:reused", "bulkId:late"]),
            {"method": "DELETE", "path": user_path(&reused)},
            new_user("reused", &json!({})),
            new_user("late", &json!({})),
            {"method": "DELETE", "path": "/Users/bulkId:late"},
        ]));
        assert_eq!(statuses(&results), ["200", "200", "200", "201", "204", "201", "201", "204"]);
        let after = c.get(&path).expect(200);
        assert_eq!((member_ids(&after), &after["displayName"]), (BTreeSet::new(), &json!("last")));
        assert_eq!(member_ids(&resource(&c, &results[3])), ids(&[&resource(&c, &results[5])]));
    }

    /// R197: two groups that contain each other, and a circle of three with others hanging on it.
    fn circles_of_groups(server) {
        let c = strict(server);
        let results = bulk(&c, &json!([new_group("a", &["bulkId:b"]), new_group("b", &["bulkId:a"])]));
        assert_eq!(statuses(&results), ["201", "201"]);
        let all = resources(&c, &results);
        assert_eq!((member_ids(&all[0]), member_ids(&all[1])), (ids(&[&all[1]]), ids(&[&all[0]])));
        assert_eq!((&results[0]["version"], &results[1]["version"]), (&all[0]["meta"]["version"], &all[1]["meta"]["version"]));
        let results = bulk(&c, &json!([
            new_group("outside", &["bulkId:x"]),
            new_group("x", &["bulkId:y", "bulkId:u"]),
            change("/Groups/bulkId:z", &json!([{"op": "add", "path": "members", "value": [{"value": "bulkId:outside"}]}])),
            new_group("y", &["bulkId:z"]),
            new_user("u", &json!({})),
            new_group("z", &["bulkId:x", "bulkId:u"]),
        ]));
        assert_eq!(statuses(&results), ["201", "201", "200", "201", "201", "201"]);
        let all = resources(&c, &results);
        let members: Vec<_> = all.iter().map(member_ids).collect();
        assert_eq!(members[0], ids(&[&all[1]]));
        assert_eq!(members[1], ids(&[&all[3], &all[4]]));
        assert_eq!(members[3], ids(&[&all[5]]));
        assert_eq!(members[5], ids(&[&all[1], &all[4], &all[0]]));
        assert_eq!(miscounted(&mut server.connect()), []);
    }

    /// R197: what closes no circle for a single request closes none here: whoever would report to themselves has no manager.
    fn circles_of_managers(server) {
        let c = server.tenant();
        let results = bulk(&c, &json!([managed("a", "bulkId:b"), managed("b", "bulkId:a"), managed("own", "bulkId:own")]));
        assert_eq!(statuses(&results), ["201", "201", "201"]);
        let all = resources(&c, &results);
        let both = [manager(&all[0]), manager(&all[1])];
        assert!(both == [&Value::Null, &all[0]["id"]] || both == [&all[1]["id"], &Value::Null], "{both:?}");
        assert_eq!(manager(&all[2]), &Value::Null);
        let single = c.user("single");
        c.patch(&user_path(&single), &json!([{"op": "add", "path": format!("{ENTERPRISE}:manager"), "value": {"value": id(&single)}}])).expect(200);
        assert_eq!(manager(&c.get(&user_path(&single)).expect(200)), &Value::Null);
    }

    /// R197: a group that contains itself is refused as it is alone, and leaves nothing behind.
    fn a_group_in_itself(server) {
        let c = server.tenant();
        let results = bulk(&c, &json!([new_group("a", &["bulkId:a"]), new_group("b", &["bulkId:a"]), new_user("u", &json!({}))]));
        assert_eq!(statuses(&results), ["400", "409", "201"]);
        assert!(fault(&results[0], "400", "invalidValue").contains("itself"));
        assert_eq!(count(&c), 1);
    }

    /// R199: when one of a circle fails, none of them is created, and each says so.
    fn a_circle_fails_as_a_whole(server) {
        let c = strict(server);
        let results = bulk(&c, &json!([
            new_user("before", &json!({})),
            new_group("a", &["bulkId:b", "bulkId:before"]),
            new_group("b", &["bulkId:a", "nobody"]),
            new_group("after", &["bulkId:a"]),
            new_user("last", &json!({})),
        ]));
        assert_eq!(statuses(&results), ["201", "409", "400", "409", "201"]);
        assert!(fault(&results[1], "409", "").contains("bulkId:b"));
        assert!(fault(&results[2], "400", "invalidValue").contains("nobody"));
        assert!(fault(&results[3], "409", "").contains("bulkId:a"));
        assert_eq!(count(&c), 2);
        assert_eq!(c.get("/Groups").expect(200)["totalResults"], 0);
    }

    /// R199: a bulkId that no POST has is invalidValue, wherever it stands, and only for that operation.
    fn unknown_bulk_ids(server) {
        let c = server.tenant();
        let group = c.group("g", &[]);
        let results = bulk(&c, &json!([
            new_group("a", &["bulkId:nobody"]),
            managed("b", "bulkId:nobody"),
            {"method": "DELETE", "path": "/Users/bulkId:nobody"},
            change(&group_path(&group), &json!([{"op": "remove", "path": "members[value eq \"bulkId:nobody\"]"}])),
            {"method": "PUT", "path": group_path(&group), "bulkId": "put", "data": {"schemas": [GROUP], "displayName": "p", "members": [{"$ref": "../Users/bulkId:nobody"}]}},
            new_group("c", &["bulkId:put"]),
            new_user("d", &json!({"nickName": "see /Users/bulkId:nobody"})),
        ]));
        assert_eq!(statuses(&results), ["400", "400", "400", "400", "400", "400", "201"]);
        for result in &results[..5] {
            assert!(fault(result, "400", "invalidValue").contains("bulkId:nobody"), "{result}");
        }
        assert_eq!(c.get(&group_path(&group)).expect(200), group);
        assert_eq!(resource(&c, &results[6])["nickName"], "see /Users/bulkId:nobody");
    }

    /// R195, R199: whoever names what was not created fails too, forwards and backwards and through others, and that counts as an error.
    fn references_to_failures(server) {
        let c = server.tenant();
        c.user("taken");
        let operations = json!([
            new_group("ahead", &["bulkId:taken"]),
            new_user("taken", &json!({})),
            new_group("behind", &["bulkId:taken"]),
            change("/Users/bulkId:taken", &json!([{"op": "add", "path": "title", "value": "t"}])),
            new_group("through", &["bulkId:behind"]),
            {"method": "POST", "path": "/Nowhere", "bulkId": "lost", "data": {}},
            managed("led", "bulkId:lost"),
            new_user("fine", &json!({})),
        ]);
        let results = bulk(&c, &operations);
        assert_eq!(statuses(&results), ["409", "409", "409", "409", "409", "404", "409", "201"]);
        fault(&results[1], "409", "uniqueness");
        for at in [0, 2, 3] {
            assert!(fault(&results[at], "409", "").contains("bulkId:taken was not created"), "{}", results[at]);
        }
        assert_eq!(results[3]["location"], format!("{}/Users/bulkId:taken", c.base));
        assert_eq!((c.get("/Groups").expect(200)["totalResults"].clone(), count(&c)), (json!(0), json!(2)));
        let body = json!({"schemas": [crate::bulk::BULK], "failOnErrors": 2, "Operations": operations});
        let stopped = c.post("/Bulk", &body).expect(200);
        assert_eq!(statuses(stopped["Operations"].as_array().unwrap()), ["409", "409"]);
    }

    /// R198, R195: what still waits when the request ends early was not processed, and has no result.
    fn what_waits_is_not_processed_when_the_request_ends(server) {
        let c = server.tenant();
        let bad = json!({"method": "DELETE", "path": "/Users/nobody"});
        let body = json!({"schemas": [crate::bulk::BULK], "failOnErrors": 1, "Operations": [new_group("g", &["bulkId:u"]), bad, new_user("u", &json!({}))]});
        let results = c.post("/Bulk", &body).expect(200)["Operations"].clone();
        assert_eq!(results.as_array().unwrap().iter().map(|r| &r["method"]).collect::<Vec<_>>(), ["DELETE"]);
        assert_eq!(count(&c), 0);
    }

    /// R196: somebody who comes back has the id from before; so has the reference.
    fn references_to_who_comes_back(server) {
        let c = server.tenant();
        let back = json!({"externalId": "x1", "emails": [{"value": "back@example.com", "primary": true}]});
        let results = bulk(&c, &json!([new_user("back", &back)]));
        let user = resource(&c, &results[0]);
        c.patch(&user_path(&user), &json!([{"op": "replace", "path": "active", "value": false}])).expect(200);
        let results = bulk(&c, &json!([new_group("g", &["bulkId:back"]), new_user("back", &back), new_group("circle", &["bulkId:other", "bulkId:back"]),
            new_group("other", &["bulkId:circle"])]));
        assert_eq!(statuses(&results), ["201", "200", "201", "201"]);
        let all = resources(&c, &results);
        assert_eq!((&all[1]["id"], &all[1]["active"]), (&user["id"], &json!(true)));
        assert_eq!((member_ids(&all[0]), member_ids(&all[2])), (ids(&[&user]), ids(&[&user, &all[3]])));
    }

    /// R196: a bulkId may be any text.
    fn odd_bulk_ids(server) {
        let c = strict(server);
        let group = c.group("g", &[]);
        for name in ["a b", "\"quoted\\\"", "a/b", "ü€𝒳", "bulkId:x", "1"] {
            let mut user = new_user(&format!("for {name}"), &json!({}));
            user["bulkId"] = json!(name);
            let filter = format!("members[value eq {}]", json!(format!("bulkId:{name}")));
            let results = bulk(&c, &json!([
                user,
                change(&group_path(&group), &json!([{"op": "add", "path": "members", "value": [{"value": format!("bulkId:{name}")}]}])),
                change(&group_path(&group), &json!([{"op": "remove", "path": filter}])),
                {"method": "DELETE", "path": format!("/Users/bulkId:{name}")},
            ]));
            assert_eq!(statuses(&results), ["201", "200", "200", "204"], "{name}");
            assert_eq!(results[0]["bulkId"], name);
            assert_eq!(member_ids(&c.get(&group_path(&group)).expect(200)), BTreeSet::new(), "{name}");
        }
    }
}
