//! Versions and conditions (RFC 7644 §3.14, RFC 9110 §13).

use crate::clients::{Client, ENTERPRISE, Reply, USER, group_path, id, user_path};
use rollbook::domain::Idp;
use serde_json::{Value, json};

/// The version that a resource shows.
fn version(resource: &Value) -> &str {
    resource["meta"]["version"].as_str().unwrap()
}

/// PUT, PATCH and DELETE, each with one condition. `n` tells the requests apart.
fn write(c: &Client, path: &str, method: &str, (header, value): (&str, &str), n: usize) -> Reply {
    let body = match method {
        "PUT" => json!({"schemas": [USER], "userName": "a", "title": format!("put {n}")}).to_string(),
        "PATCH" => {
            json!({"schemas": [crate::clients::PATCH], "Operations": [{"op": "add", "path": "title", "value": format!("patch {n}")}]})
                .to_string()
        }
        _ => return c.send(method, path, &[(header, value)], None),
    };
    c.send(method, path, &[(header, value)], Some(&body))
}

/// The tag in forms that all mean it: weak, strong, among others, and `*`.
fn same(tag: &str) -> [String; 5] {
    let strong = tag.strip_prefix("W/").unwrap();
    [tag.to_owned(), strong.to_owned(), format!("\"x\", {tag}"), format!("W/\"x\",{strong} , \"y\""), "*".to_owned()]
}

/// Values that mean no version: another one, an empty one, and text that is no tag.
fn others(tag: &str) -> [String; 5] {
    let bare = tag.strip_prefix("W/").unwrap().trim_matches('"');
    ["W/\"stale\"".to_owned(), "\"a\", \"b\"".to_owned(), "\"\"".to_owned(), bare.to_owned(), format!("\"{bare}")]
}

on_both! {
    /// R040 R203 R204: every answer with one resource, or for one, has the tag that meta.version shows, byte for byte.
    fn tags_everywhere(server) {
        let c = server.tenant_with(Idp::Entra);
        let created = c.post("/Users", &json!({"schemas": [USER], "userName": "a"}));
        let path = user_path(&created.expect(201));
        let put = c.put(&path, &json!({"schemas": [USER], "userName": "b"}));
        let patched = c.patch(&path, &json!([{"op": "add", "path": "title", "value": "t"}]));
        let read = c.get(&path);
        let tags = [&created, &put, &patched].map(|r| r.header("etag").to_owned());
        for reply in [&created, &put, &patched, &read] {
            assert_eq!(reply.header("etag"), version(&reply.json()));
            assert!(reply.header("etag").starts_with("W/\"") && reply.header("etag").ends_with('"'));
        }
        assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
        assert_eq!(read.header("etag"), tags[2]);
        let group = group_path(&c.group("g", &[]));
        let brief = c.patch(&group, &json!([{"op": "replace", "path": "displayName", "value": "h"}]));
        assert_eq!((brief.status, &*brief.text), (204, ""));
        assert_eq!(brief.header("etag"), version(&c.get(&group).expect(200)));
    }

    /// R205: a GET of what the client has already is 304, with tag and place and without a body.
    fn not_modified(server) {
        let c = server.tenant();
        for resource in [c.user("a"), c.group("g", &[])] {
            let url = resource["meta"]["location"].as_str().unwrap();
            for value in same(version(&resource)) {
                for method in ["GET", "HEAD"] {
                    let reply = c.send(method, url, &[("if-none-match", &value)], None);
                    assert_eq!((reply.status, &*reply.text), (304, ""), "{value}");
                    assert_eq!((reply.header("etag"), reply.header("content-location")), (version(&resource), url));
                }
            }
            for value in others(version(&resource)) {
                assert_eq!(c.send("GET", url, &[("if-none-match", &value)], None).expect(200), resource, "{value}");
            }
        }
        c.send("GET", "/Users/none", &[("if-none-match", "*")], None).expect_error(404, "");
    }

    /// R166 R191 R206 R207: If-Match with the present version, weak or strong, in a list, or as *, lets a write through.
    fn if_match_holds(server) {
        let c = server.tenant();
        let mut user = c.user("a");
        for method in ["PUT", "PATCH", "DELETE"] {
            for n in 0..5 {
                let path = user_path(&user);
                let value = same(version(&user))[n].clone();
                let reply = write(&c, &path, method, ("if-match", &value), n);
                assert_eq!(reply.status, if method == "DELETE" { 204 } else { 200 }, "{method} {value}: {}", reply.text);
                user = if method == "DELETE" { c.user("a") } else { reply.json() };
            }
        }
    }

    /// R206 R210: If-Match with another version, or with what is no tag, is 412, and nothing is done.
    fn if_match_fails(server) {
        let c = server.tenant();
        let old = c.user("a");
        let path = user_path(&old);
        let user = c.patch(&path, &json!([{"op": "add", "path": "title", "value": "t"}])).expect(200);
        for value in others(version(&user)).into_iter().chain([version(&old).to_owned()]) {
            for (n, method) in ["PUT", "PATCH", "DELETE"].into_iter().enumerate() {
                let reply = write(&c, &path, method, ("if-match", &value), n);
                assert_eq!(reply.status, 412, "{method} {value}");
                reply.expect_error(412, "");
            }
            c.send("GET", &path, &[("if-match", &value)], None).expect_error(412, "");
        }
        assert_eq!(c.get(&path).expect(200), user);
    }

    /// R208: If-None-Match with the present version, or *, is 412 on a write; with another one the write is done.
    fn if_none_match_on_writes(server) {
        let c = server.tenant();
        let user = c.user("a");
        let path = user_path(&user);
        for value in same(version(&user)) {
            for (n, method) in ["PUT", "PATCH", "DELETE"].into_iter().enumerate() {
                write(&c, &path, method, ("if-none-match", &value), n).expect_error(412, "");
            }
        }
        assert_eq!(c.get(&path).expect(200), user);
        for (n, method) in ["PUT", "PATCH"].into_iter().enumerate() {
            assert_eq!(write(&c, &path, method, ("if-none-match", "\"stale\""), n).status, 200);
        }
        assert_eq!(write(&c, &path, "DELETE", ("if-none-match", "\"stale\""), 0).status, 204);
    }

    /// R209: no resource is 404 before any condition, and a failed condition is 412 before the body is looked at.
    fn order_of_faults(server) {
        let c = server.tenant();
        let (user, group) = (c.user("a"), c.group("g", &[]));
        for value in ["*", "\"stale\""] {
            for method in ["PUT", "PATCH", "DELETE"] {
                for body in ["{", "{}"] {
                    c.send(method, "/Users/none", &[("if-match", value)], Some(body)).expect_error(404, "");
                }
            }
            c.send("GET", "/Users/none", &[("if-match", value)], None).expect_error(404, "");
            c.send("POST", &user_path(&user), &[("if-match", value)], Some("{")).expect_error(405, "");
        }
        for path in [user_path(&user), group_path(&group)] {
            for method in ["PUT", "PATCH"] {
                for body in ["", "{", "[]", "{}", "{\"schemas\":[5]}"] {
                    let reply = c.send(method, &path, &[("if-match", "\"stale\"")], Some(body));
                    assert_eq!(reply.status, 412, "{method} {path} {body}");
                    reply.expect_error(412, "");
                    c.send(method, &path, &[("if-none-match", "*")], Some(body)).expect_error(412, "");
                }
                c.send(method, &path, &[("if-match", "*")], Some("{")).expect_error(400, "invalidSyntax");
            }
        }
        let taken = json!({"schemas": [USER], "userName": "b"}).to_string();
        c.user("b");
        c.send("PUT", &user_path(&user), &[("if-match", "\"stale\"")], Some(&taken)).expect_error(412, "");
        assert_eq!(c.get(&user_path(&user)).expect(200), user);
    }

    /// R167 R187: a PATCH that changes nothing keeps version and lastModified.
    fn patch_of_the_same(server) {
        let c = server.tenant();
        let user = c.user_with(json!({"userName": "a", "title": "t", "emails": [{"value": "e"}]}));
        std::thread::sleep(std::time::Duration::from_millis(2));
        for operation in [
            json!({"op": "replace", "path": "title", "value": "t"}), json!({"op": "add", "path": "emails", "value": [{"value": "e"}]}),
            json!({"op": "remove", "path": "nickName"}), json!({"op": "replace", "value": {"active": true, "userName": "a"}}),
        ] {
            assert_eq!(c.patch(&user_path(&user), &json!([operation])).expect(200), user, "{operation}");
        }
        assert_eq!(c.get(&user_path(&user)).expect(200), user);
    }

    /// R204: a user's version changes with whatever it shows of its groups and its manager.
    fn what_a_user_shows_of_others(server) {
        let c = server.tenant();
        let boss = c.user("boss");
        let user = c.user_with(json!({"userName": "a", ENTERPRISE: {"manager": {"value": id(&boss)}}}));
        let path = user_path(&user);
        let inner = c.group("inner", &[]);
        let outer = c.group("outer", &[id(&inner)]);
        let mut seen = vec![version(&user).to_owned()];
        let rename = json!([{"op": "replace", "path": "displayName", "value": "renamed"}]);
        let join = json!([{"op": "add", "path": "members", "value": [{"value": id(&user)}]}]);
        let leave = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", id(&user))}]);
        for (what, path_of, operations) in [
            ("joins", group_path(&inner), &join), ("a group is renamed", group_path(&inner), &rename),
            ("an outer group is renamed", group_path(&outer), &rename), ("joins the outer group too", group_path(&outer), &join),
            ("the manager is renamed", user_path(&boss), &rename), ("leaves", group_path(&inner), &leave),
        ] {
            c.patch(&path_of, operations).expect(200);
            let reply = c.get(&path);
            let now = version(&reply.expect(200)).to_owned();
            assert_eq!(reply.header("etag"), now);
            assert!(!seen.contains(&now), "{what}");
            c.send("GET", &path, &[("if-none-match", seen.last().unwrap())], None).expect(200);
            write(&c, &path, "PUT", ("if-match", seen.last().unwrap()), 0).expect_error(412, "");
            seen.push(now);
        }
        assert_eq!(c.delete(&group_path(&outer)).status, 204);
        assert!(!seen.contains(&version(&c.get(&path).expect(200)).to_owned()), "a group is deleted");
    }

    /// R040 R204: the version in a list, in a search and in a projection is that of the resource.
    fn one_version_everywhere(server) {
        let c = server.tenant();
        let boss = c.user("boss");
        let user = c.user_with(json!({"userName": "a", ENTERPRISE: {"manager": {"value": id(&boss)}}}));
        c.group("g", &[id(&user)]);
        let path = user_path(&user);
        let tag = c.get(&path).header("etag").to_owned();
        let list = c.filter("/Users", "userName eq \"a\"").expect(200);
        assert_eq!(version(&list["Resources"][0]), tag);
        let root = c.filter("", "userName eq \"a\"").expect(200);
        assert_eq!(version(&root["Resources"][0]), tag);
        for query in ["attributes=meta", "excludedAttributes=groups"] {
            let reply = c.get(&format!("{path}?{query}"));
            assert_eq!((reply.header("etag"), version(&reply.json())), (&*tag, &*tag));
        }
        assert_eq!(c.get(&format!("{path}?attributes=id")).header("etag"), tag);
    }

    /// R212: a list has no tag, and conditions do not touch it.
    fn lists_have_no_tag(server) {
        let c = server.tenant();
        c.user("a");
        for path in ["", "/Users", "/Groups", "/Schemas", "/ResourceTypes"] {
            let reply = c.send("GET", path, &[("if-none-match", "*"), ("if-match", "\"stale\"")], None);
            assert_eq!((reply.status, reply.header("etag"), reply.header("content-location")), (200, "", ""), "{path}");
        }
    }
}
