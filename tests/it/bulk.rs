//! POST /Bulk (RFC 7644 §3.7): its form, its limits, and each operation for itself. References are in `bulk_references`, numbers and
//! rivals in `bulk_many`.

use crate::clients::{Client, ERROR, GROUP, PATCH, Reply, USER, group_path, id, user_path};
use crate::limits::raw;
use rollbook::domain::{Idp, Scopes};
use rollbook::service::tenants;
use rollbook::store::{backend, sources, tenants as kept};
use serde_json::{Value, json};

pub const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const ANSWER: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// Sends operations.
pub fn send(c: &Client, operations: &Value) -> Reply {
    c.post("/Bulk", &json!({"schemas": [BULK], "Operations": operations}))
}

/// Sends operations; what became of them.
#[track_caller]
pub fn bulk(c: &Client, operations: &Value) -> Vec<Value> {
    let answer = send(c, operations).expect(200);
    assert_eq!(answer["schemas"], json!([ANSWER]));
    answer["Operations"].as_array().unwrap().clone()
}

/// The statuses of results; each is a string.
pub fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|r| r["status"].as_str().unwrap_or_else(|| panic!("{r}"))).collect()
}

/// An operation that creates a user.
pub fn new_user(name: &str, more: &Value) -> Value {
    let mut data = json!({"schemas": [USER], "userName": name});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"method": "POST", "path": "/Users", "bulkId": name, "data": data})
}

/// An operation that creates a group with members.
pub fn new_group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|m| json!({"value": m})).collect();
    let data = json!({"schemas": [GROUP], "displayName": name, "members": members});
    json!({"method": "POST", "path": "/Groups", "bulkId": name, "data": data})
}

/// An operation that changes a resource.
pub fn change(path: &str, operations: &Value) -> Value {
    json!({"method": "PATCH", "path": path, "data": {"schemas": [PATCH], "Operations": operations}})
}

/// The resource that a result is about.
#[track_caller]
pub fn resource(c: &Client, result: &Value) -> Value {
    c.get(result["location"].as_str().unwrap_or_else(|| panic!("{result}"))).expect(200)
}

/// Fails unless the result is a SCIM error of that status and scimType; its detail.
#[track_caller]
pub fn fault(result: &Value, status: &str, scim_type: &str) -> String {
    let error = &result["response"];
    assert_eq!((&result["status"], &error["status"]), (&json!(status), &json!(status)), "{result}");
    assert_eq!((&error["schemas"], error["scimType"].as_str().unwrap_or("")), (&json!([ERROR]), scim_type), "{result}");
    assert_eq!(result.get("version"), None, "{result}");
    error["detail"].as_str().unwrap().to_owned()
}

fn count(c: &Client) -> Value {
    c.get("?count=0").expect(200)["totalResults"].clone()
}

on_both! {
    /// R192, R193, R194: every method, and what its result has: method, bulkId, version, location, the status as a string; no response.
    fn every_method(server) {
        let c = server.tenant();
        let (old, gone, group) = (c.user("old"), c.user("gone"), c.group("g", &[]));
        let results = bulk(&c, &json!([
            new_user("new", &json!({"title": "t"})),
            {"method": "PUT", "path": user_path(&old), "bulkId": "put", "data": {"schemas": [USER], "userName": "renamed"}},
            change(&group_path(&group), &json!([{"op": "add", "path": "members", "value": [{"value": id(&old)}]}])),
            {"method": "DELETE", "path": user_path(&gone)},
        ]));
        let made = resource(&c, &results[0]);
        assert_eq!((&made["userName"], &made["title"]), (&json!("new"), &json!("t")));
        let base = &c.base;
        let expected = [
            json!({"method": "POST", "bulkId": "new", "version": made["meta"]["version"], "location": format!("{base}/Users/{}", id(&made)), "status": "201"}),
            json!({"method": "PUT", "bulkId": "put", "version": "W/\"2\"", "location": format!("{base}{}", user_path(&old)), "status": "200"}),
            json!({"method": "PATCH", "version": "W/\"2\"", "location": format!("{base}{}", group_path(&group)), "status": "200"}),
            json!({"method": "DELETE", "location": format!("{base}{}", user_path(&gone)), "status": "204"}),
        ];
        assert_eq!(results, expected);
        assert_eq!(c.get(&user_path(&old)).expect(200)["userName"], "renamed");
        assert_eq!(c.get(&group_path(&group)).expect(200)["members"][0]["value"], old["id"]);
        c.get(&user_path(&gone)).expect_error(404, "");
    }

    /// R193, R195: a failure between successes takes nothing with it, and the results are in the order of the request.
    fn failures_take_nothing_with_them(server) {
        let c = server.tenant();
        c.user("taken");
        let results = bulk(&c, &json!([
            new_user("a", &json!({})),
            new_user("taken", &json!({})),
            new_user("b", &json!({"emails": "nonsense", "active": {}})),
            {"method": "DELETE", "path": "/Users/nobody"},
            new_user("c", &json!({})),
        ]));
        assert_eq!(statuses(&results), ["201", "409", "400", "404", "201"]);
        fault(&results[1], "409", "uniqueness");
        fault(&results[2], "400", "invalidValue");
        fault(&results[3], "404", "");
        assert_eq!((results[1].get("location"), &results[1]["bulkId"]), (None, &json!("taken")));
        assert_eq!(results[3]["location"], format!("{}/Users/nobody", c.base));
        assert_eq!(count(&c), 3);
    }

    /// R193: the request is answered with 200 also when everything in it has failed.
    fn all_can_fail(server) {
        let c = server.tenant();
        let results = bulk(&c, &json!([{"method": "DELETE", "path": "/Users/x"}, {"method": "DELETE", "path": "/Groups/y"}]));
        assert_eq!(statuses(&results), ["404", "404"]);
    }

    /// R201: an operation is done as a whole or not at all.
    fn an_operation_is_atomic(server) {
        let c = server.tenant_with(Idp::Rfc);
        let (user, group) = (c.user("a"), c.group("g", &[]));
        let results = bulk(&c, &json!([
            change(&user_path(&user), &json!([{"op": "replace", "path": "title", "value": "t"}, {"op": "remove", "path": "userName"}])),
            change(&group_path(&group), &json!([
                {"op": "add", "path": "members", "value": [{"value": id(&user)}]},
                {"op": "add", "path": "members", "value": [{"value": "nobody"}]},
            ])),
            new_group("half", &[id(&user), "nobody"]),
            change(&user_path(&user), &json!([{"op": "replace", "path": "nickName", "value": "n"}])),
        ]));
        assert_eq!(statuses(&results), ["400", "400", "400", "200"]);
        let after = c.get(&user_path(&user)).expect(200);
        assert_eq!((after.get("title"), &after["nickName"], after.get("groups")), (None, &json!("n"), None));
        assert_eq!(c.get(&group_path(&group)).expect(200), group);
        assert_eq!(count(&c), 2);
    }

    /// R192: what an operation lacks, or has wrongly, is a fault of that operation: 400, or what the single request would get.
    fn odd_operations(server) {
        let c = server.tenant();
        let user = user_path(&c.user("a"));
        let data = json!({"schemas": [USER], "userName": "b"});
        for (operation, status, scim_type) in [
            (json!({"method": "GET", "path": user}), "400", "invalidValue"),
            (json!({"method": "HEAD", "path": user}), "400", "invalidValue"),
            (json!({"path": "/Users", "bulkId": "x", "data": data}), "400", "invalidValue"),
            (json!({"method": 1, "path": "/Users", "bulkId": "x", "data": data}), "400", "invalidSyntax"),
            (json!({"method": "POST", "path": "/Users", "data": data}), "400", "invalidValue"),
            (json!({"method": "POST", "path": "/Users", "bulkId": "", "data": data}), "400", "invalidValue"),
            (json!({"method": "POST", "path": "/Users", "bulkId": 1, "data": data}), "400", "invalidSyntax"),
            (json!({"method": "POST", "path": "/Users", "bulkId": "x"}), "400", "invalidValue"),
            (json!({"method": "POST", "path": "/Users", "bulkId": "x", "data": null}), "400", "invalidValue"),
            (json!({"method": "POST", "path": "/Users", "bulkId": "x", "data": [data]}), "400", "invalidSyntax"),
            (json!({"method": "POST", "bulkId": "x", "data": data}), "400", "invalidValue"),
            (json!({"method": "POST", "path": user, "bulkId": "x", "data": data}), "405", ""),
            (json!({"method": "POST", "path": "/Groups", "bulkId": "x", "data": data}), "400", "invalidSyntax"),
            (json!({"method": "PUT", "path": "/Users", "data": data}), "405", ""),
            (json!({"method": "PUT", "path": user}), "400", "invalidValue"),
            (json!({"method": "PUT", "path": "/Users/nobody", "data": data}), "404", ""),
            (json!({"method": "PUT", "path": user, "version": 1, "data": data}), "400", "invalidSyntax"),
            (json!({"method": "PATCH", "path": user, "data": {"schemas": [PATCH]}}), "400", "invalidSyntax"),
            (json!({"method": "PATCH", "path": user, "data": {"Operations": [{"op": "add", "path": "nothing", "value": 1}]}}), "400", "invalidPath"),
            (json!({"method": "DELETE", "path": "/Users"}), "405", ""),
            (json!({"method": "DELETE"}), "400", "invalidValue"),
        ] {
            let results = bulk(&c, &json!([operation, new_user("after", &json!({}))]));
            fault(&results[0], status, scim_type);
            assert_eq!(results[1]["status"], "201", "{operation}");
            c.delete(results[1]["location"].as_str().unwrap()).expect(204);
        }
        assert_eq!(c.get(&user).expect(200)["userName"], "a");
    }

    /// R201: paths to what is no resource, with a query, or to elsewhere are refused; a URL below the base URL is as good as a path.
    fn paths(server) {
        let c = server.tenant();
        let user = c.user("a");
        let own = format!("{}{}", c.base, user_path(&user));
        for (path, status) in [
            ("/Bulk", "404"), ("/.search", "404"), ("/Users/.search", "404"), ("/Me", "404"), ("/Schemas", "404"), ("/", "404"), ("", "404"),
            ("/Nothing", "404"), ("/Nothing/1", "404"), ("/users", "404"), ("/Users?count=1", "400"), ("/Users/1?attributes=x", "400"),
            ("https://elsewhere.example.com/scim/v2/Users", "400"), ("//elsewhere.example.com/Users", "400"), ("/Users/1/2", "404"),
            ("../v2/Users", "404"), ("/scim/v2/Users", "404"), ("/admin/v1/tenants", "404"),
        ] {
            for method in ["POST", "DELETE"] {
                let data = json!({"schemas": [USER], "userName": "x"});
                let results = bulk(&c, &json!([{"method": method, "path": path, "bulkId": "x", "data": data}]));
                assert_eq!(results[0]["status"], status, "{method} {path}");
                assert_eq!(results[0].get("location").is_some(), method == "DELETE", "{path}");
            }
        }
        assert_eq!(count(&c), 1);
        let results = bulk(&c, &json!([{"method": "POST", "path": "Users/", "bulkId": "x", "data": {"schemas": [USER], "userName": "x"}},
            change(&own, &json!([{"op": "add", "path": "title", "value": "t"}])), {"method": "DELETE", "path": own}]));
        assert_eq!(statuses(&results), ["201", "200", "204"]);
    }

    /// R195: after as many errors as are accepted nothing more is done, and what was done stays; without a number all is done.
    fn fail_on_errors(server) {
        let c = server.tenant();
        let bad = json!({"method": "DELETE", "path": "/Users/nobody"});
        let request = |most: Value, prefix: &str| {
            let user = |n: usize| new_user(&format!("{prefix}{n}"), &json!({}));
            let operations = json!([user(1), bad, user(2), bad, user(3), bad]);
            c.post("/Bulk", &json!({"schemas": [BULK], "failOnErrors": most, "Operations": operations}))
        };
        for (most, expected) in [(1, 2), (2, 4), (3, 6), (4, 6), (1_000_000, 6)] {
            let answer = request(json!(most), &format!("f{most}-")).expect(200);
            let results = answer["Operations"].as_array().unwrap();
            assert_eq!(statuses(results), ["201", "404", "201", "404", "201", "404"][..expected], "{most}");
        }
        assert_eq!(request(Value::Null, "n").expect(200)["Operations"].as_array().unwrap().len(), 6);
        let before = count(&c);
        for (most, scim_type) in [(json!(0), "invalidValue"), (json!(-1), "invalidValue"), (json!("1"), "invalidSyntax"),
            (json!(1.5), "invalidSyntax"), (json!(true), "invalidSyntax"), (json!([1]), "invalidSyntax")] {
            request(most, "x").expect_error(400, scim_type);
        }
        assert_eq!(count(&c), before, "a refused request does nothing");
    }

    /// R192, R201: the version of each operation is checked for itself, before its data is read; a POST has none.
    fn versions(server) {
        let c = server.tenant();
        let user = user_path(&c.user("a"));
        let put = |version: &str, name: &str| json!({"method": "PUT", "path": user, "version": version, "data": {"schemas": [USER], "userName": name}});
        let mut new = new_user("new", &json!({}));
        new["version"] = json!("W/\"9\"");
        let results = bulk(&c, &json!([put("W/\"9\"", "x"), put("W/\"1\"", "b"), put("W/\"1\"", "x"), put("W/\"2\"", "c"), put("*", "d"), put("4", "x"), new]));
        assert_eq!(statuses(&results), ["412", "200", "412", "200", "200", "412", "201"]);
        let versions: Vec<&Value> = results.iter().filter_map(|r| r.get("version")).collect();
        assert_eq!(versions[..3], [&json!("W/\"2\""), &json!("W/\"3\""), &json!("W/\"4\"")]);
        assert_eq!(c.get(&user).expect(200)["userName"], "d");
        let broken = json!({"method": "PATCH", "path": user, "version": "W/\"1\"", "data": {}});
        let gone = json!({"method": "DELETE", "path": user, "version": "W/\"1\""});
        assert_eq!(statuses(&bulk(&c, &json!([broken, gone]))), ["412", "412"]);
        assert_eq!(statuses(&bulk(&c, &json!([{"method": "DELETE", "path": user, "version": "W/\"4\""}]))), ["204"]);
    }

    /// R199: a bulkId that is given twice makes the whole request wrong, and nothing is done.
    fn a_bulk_id_given_twice(server) {
        let c = server.tenant();
        let mut second = new_user("b", &json!({}));
        second["bulkId"] = json!("a");
        let detail = send(&c, &json!([new_user("a", &json!({})), second])).expect_error(400, "invalidValue");
        assert!(detail.contains("\"a\""), "{detail}");
        assert_eq!(count(&c), 0);
    }

    /// R202, R216: what is no bulk request is refused as a whole.
    fn what_is_no_bulk_request(server) {
        let c = server.tenant_with(Idp::Rfc);
        let one = json!([new_user("a", &json!({}))]);
        for body in [
            json!({"schemas": [BULK]}), json!({"schemas": [BULK], "Operations": null}), json!({"schemas": [BULK], "Operations": []}),
            json!({"schemas": [BULK], "Operations": {}}), json!({"schemas": [BULK], "Operations": [1]}), json!({"schemas": [PATCH], "Operations": one}),
            json!({"Operations": one}), json!([]), json!({"schemas": [BULK], "Operations": one, "more": 1}),
        ] {
            c.post("/Bulk", &body).expect_error(400, "invalidSyntax");
        }
        for text in ["", "{", "null", "{} x", r#"{"schemas":[],"schemas":[]}"#] {
            c.send("POST", "/Bulk", &[], Some(text)).expect_error(400, "invalidSyntax");
        }
        c.send("POST", "/Bulk", &[("content-type", "text/plain")], Some("{}")).expect_error(415, "");
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            let reply = c.send(method, "/Bulk", &[], None);
            assert_eq!((reply.status, reply.header("allow")), (405, "POST"), "{method}");
        }
        assert_eq!(count(&c), 0);
    }

    /// R200: the limits are announced; one operation or one byte more is 413, which names the limit, and nothing is done.
    fn limits_are_announced_and_held(server) {
        let c = server.tenant();
        let announced = c.get("/ServiceProviderConfig").expect(200)["bulk"].clone();
        let (operations, bytes) = (announced["maxOperations"].as_u64().unwrap(), announced["maxPayloadSize"].as_u64().unwrap());
        assert_eq!((&announced["supported"], operations, bytes), (&json!(true), 1000, 4 << 20));
        let users = |n: u64| (0..n).map(|n| new_user(&format!("u{n}"), &json!({}))).collect::<Value>();
        let detail = send(&c, &users(operations + 1)).expect_error(413, "");
        assert!(detail.contains("maxOperations") && detail.contains("1000"), "{detail}");
        let body = json!({"schemas": [BULK], "Operations": users(2)}).to_string();
        let padded = |length: u64| format!("{body}{}", " ".repeat(usize::try_from(length).unwrap() - body.len()));
        let detail = c.send("POST", "/Bulk", &[], Some(&padded(bytes + 1))).expect_error(413, "");
        assert!(detail.contains("maxPayloadSize") && detail.contains("4194304"), "{detail}");
        assert_eq!(count(&c), 0);
        c.send("POST", "/Bulk", &[], Some(&padded(bytes))).expect(200);
        assert_eq!(count(&c), 2);
    }

    /// R200: without a length the limits hold while the body comes in: it is refused before its end has come.
    fn limits_hold_while_the_body_comes_in(server) {
        let c = server.tenant();
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let head = format!(r#"{{"schemas":["{BULK}"],"Operations":["#);
        let many = format!("{}{}", chunk(&head), chunk(&"{},".repeat(1001)));
        let detail = raw(&c, "POST", "/Bulk", "Transfer-Encoding: chunked\r\n", many.as_bytes()).expect_error(413, "");
        assert!(detail.contains("maxOperations"), "{detail}");
        let large = format!("{}{}", chunk(&head), chunk(&" ".repeat(4 << 20)));
        let detail = raw(&c, "POST", "/Bulk", "Transfer-Encoding: chunked\r\n", large.as_bytes()).expect_error(413, "");
        assert!(detail.contains("maxPayloadSize"), "{detail}");
        let announced = format!("Content-Length: {}\r\n", (4 << 20) + 1);
        assert!(raw(&c, "POST", "/Bulk", &announced, b"").expect_error(413, "").contains("maxPayloadSize"));
        let body = json!({"schemas": [BULK], "Operations": [new_user("a", &json!({}))]}).to_string();
        let halves = body.split_at(body.len() / 2);
        let body = format!("{}{}0\r\n\r\n", chunk(halves.0), chunk(halves.1));
        assert_eq!(raw(&c, "POST", "/Bulk", "Transfer-Encoding: chunked\r\n", body.as_bytes()).status, 200);
        assert_eq!(count(&c), 1);
    }

    /// R201, R221: a token that may not write does nothing; a source does what its capabilities allow, operation by operation.
    fn each_operation_is_authorised(server) {
        let c = server.tenant();
        let (user, group) = (c.user("a"), c.group("g", &[]));
        let operations = json!([
            new_user("new", &json!({})),
            change(&user_path(&user), &json!([{"op": "add", "path": "title", "value": "t"}])),
            change(&group_path(&group), &json!([{"op": "add", "path": "members", "value": [{"value": id(&user)}]}])),
            {"method": "DELETE", "path": user_path(&user)},
        ]);
        let reader = server.client(&c.tenant, Scopes { read: true, write: false, secrets: false });
        let reply = send(&reader, &operations);
        reply.expect_error(403, "");
        assert!(reply.header("www-authenticate").contains("insufficient_scope"));
        send(&c.with_token(None), &operations).expect_error(401, "");
        let mut conn = server.connect();
        let tenant = tenants::named(&mut conn, &c.tenant).unwrap();
        let mut source = sources::list(&mut conn, tenant.id).unwrap().pop().unwrap();
        (source.capabilities.create, source.capabilities.groups, source.capabilities.deactivate) = (false, false, false);
        backend::write(&mut conn, |conn| {
            sources::save(conn, &source)?;
            kept::bump_auth_epoch(conn)
        })
        .unwrap();
        server.app.refresh_auth().unwrap();
        let results = bulk(&c, &operations);
        assert_eq!(statuses(&results), ["403", "200", "403", "403"]);
        assert!(fault(&results[0], "403", "").contains("create users"));
        assert_eq!(count(&c), 2);
    }

    /// R231: the resources of another tenant are not there, and a bulkId means nothing to another request.
    fn tenants_do_not_cross(server) {
        let (c, other) = (server.tenant(), server.tenant());
        let (user, group) = (other.user("a"), other.group("g", &[]));
        let results = bulk(&c, &json!([
            {"method": "DELETE", "path": user_path(&user)},
            {"method": "PUT", "path": group_path(&group), "data": {"schemas": [GROUP], "displayName": "x"}},
            new_group("mine", &[id(&user)]),
            new_user("a", &json!({})),
        ]));
        assert_eq!(statuses(&results), ["404", "404", "201", "201"]);
        assert_eq!(resource(&c, &results[2]).get("members").and_then(|m| m.get(0)), None);
        assert_eq!((other.get(&user_path(&user)).expect(200), other.get(&group_path(&group)).expect(200)), (user, group));
        assert_eq!(statuses(&bulk(&c, &json!([new_group("again", &["bulkId:a"])]))), ["400"]);
    }

    /// What is tolerated in an operation is recorded as if it were a request of its own; what is strict is strict here too.
    fn tolerances_are_those_of_single_requests(server) {
        let operations = json!([
            new_user("a", &json!({"active": "True"})),
            {"method": "post", "path": "/Groups", "bulkId": "g", "data": {"displayName": "g"}},
        ]);
        let c = server.tenant();
        assert_eq!(statuses(&bulk(&c, &operations)), ["201", "201"]);
        let notes: Vec<_> = server.notes(&c.tenant).into_iter().map(|n| (n.method, n.target, n.notes)).collect();
        let has = |method: &str, target: &str, quirk: &str| notes.iter().any(|(m, t, n)| m == method && t == target && n.contains(quirk));
        assert!(has("POST", "/scim/v2/Users", "string_boolean"), "{notes:?}");
        assert!(has("POST", "/scim/v2/Groups", "missing_schemas"), "{notes:?}");
        assert!(has("POST", "/scim/v2/Bulk", "operation_case"), "{notes:?}");
        assert_eq!(statuses(&bulk(&server.tenant_with(Idp::Rfc), &operations)), ["400", "400"]);
    }
}
