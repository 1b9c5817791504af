//! The HTTP frame: methods, media types, versions, paths and errors (RFC 7644 §3.2, §3.8, §3.12, §3.13).

use crate::clients::{Client, USER, group_path, id, user_path};
use serde_json::json;

const SCIM: &str = "application/scim+json";
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Scheme, host and port of the server.
fn origin(c: &Client) -> &str {
    c.base.strip_suffix("/scim/v2").unwrap()
}

on_both! {
    /// R073 R074 R075 R148: a method that a path does not have is 405, and Allow names those it has.
    fn wrong_methods(server) {
        let c = server.tenant();
        let (user, group) = (user_path(&c.user("a")), group_path(&c.group("g", &[])));
        let one = "GET, PUT, PATCH, DELETE";
        let schema = format!("/Schemas/{USER}");
        let paths = [
            ("", "GET"), ("/Users", "GET, POST"), ("/Groups", "GET, POST"), (&*user, one), (&*group, one),
            ("/.search", "POST"), ("/Bulk", "POST"), ("/Users/.search", "POST"), ("/Groups/.search", "POST"),
            ("/ServiceProviderConfig", "GET"), ("/ResourceTypes", "GET"), ("/ResourceTypes/User", "GET"),
            ("/Schemas", "GET"), (&*schema, "GET"), ("/Schemas/.search", "GET"), ("/ResourceTypes/.search", "GET"),
        ];
        for (path, allowed) in paths {
            for method in METHODS.iter().filter(|m| !allowed.split(", ").any(|a| a == **m)) {
                let reply = c.send(method, path, &[], None);
                assert_eq!((reply.status, reply.header("allow")), (405, allowed), "{method} {path}");
                reply.expect_error(405, "");
            }
        }
        c.get(&user).expect(200);
        c.get(&group).expect(200);
    }

    /// R075: HEAD answers as GET does, without the body.
    fn head_follows_get(server) {
        let c = server.tenant();
        let user = user_path(&c.user("a"));
        for path in ["", "/Users", &*user, "/Schemas", "/ResourceTypes/User", "/ServiceProviderConfig"] {
            let (get, head) = (c.get(path), c.send("HEAD", path, &[], None));
            assert_eq!((get.status, head.status), (200, 200), "{path}");
            for name in ["content-type", "etag", "content-location"] {
                assert_eq!(head.header(name), get.header(name), "{path} {name}");
            }
            assert!(head.text.is_empty(), "{path}");
        }
        assert_eq!(c.send("HEAD", "/Users/none", &[], None).status, 404);
        assert_eq!(c.send("HEAD", "/Users/.search", &[], None).status, 405);
    }

    /// R076 R077: both JSON types are read, whatever their case and parameters, and so is a body without a type.
    fn json_bodies(server) {
        let c = server.tenant();
        let types = [SCIM, "application/json", "APPLICATION/Json", "application/scim+json; charset=utf-8",
            "application/json;charset=UTF-8", ""];
        for (n, media) in types.into_iter().enumerate() {
            let body = json!({"schemas": [USER], "userName": format!("u{n}")}).to_string();
            let reply = c.send("POST", "/Users", &[("content-type", media)], Some(&body));
            assert_eq!((reply.status, reply.header("content-type")), (201, SCIM), "{media}");
        }
    }

    /// R077: a body of another type is 415, the answer says what is read, and nothing is done.
    fn other_bodies(server) {
        let c = server.tenant();
        let user = c.user("a");
        let path = user_path(&user);
        let body = json!({"schemas": [USER], "userName": "b"}).to_string();
        for media in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            for (method, path) in [("POST", "/Users"), ("PUT", &*path), ("PATCH", &*path), ("POST", "/Groups"), ("POST", "/.search")] {
                let reply = c.send(method, path, &[("content-type", media)], Some(&body));
                reply.expect_error(415, "");
                assert_eq!(reply.header("accept"), "application/scim+json, application/json");
            }
        }
        assert_eq!(c.get(&path).expect(200), user);
        assert_eq!(c.get("").expect(200)["totalResults"], 1);
    }

    /// R076 R077: the client that only takes application/json gets it; everybody else gets application/scim+json.
    fn accept(server) {
        let c = server.tenant();
        let user = user_path(&c.user("a"));
        let json = "application/json";
        for (accept, expected) in [
            ("", SCIM), ("*/*", SCIM), ("application/*", SCIM), (SCIM, SCIM), (json, json), ("application/json; q=0.5", json),
            ("application/json, application/scim+json", SCIM), ("text/html", SCIM),
        ] {
            for path in ["/Users", &*user, "/Schemas", "/ServiceProviderConfig"] {
                let reply = c.send("GET", path, &[("accept", accept)], None);
                assert_eq!((reply.status, reply.header("content-type")), (200, expected), "{accept} {path}");
            }
        }
        c.send("GET", "/Users/none", &[("accept", json)], None).expect_error(404, "");
    }

    /// R076: JSON goes in and out in UTF-8.
    fn utf_8(server) {
        let c = server.tenant();
        let name = "Jürgen 陈 𝒳 \u{1f389} \u{0301}";
        let user = c.user_with(json!({"userName": "a", "nickName": name}));
        let reply = c.get(&user_path(&user));
        assert_eq!(reply.expect(200)["nickName"], name);
        assert!(reply.text.contains("Jürgen"), "{}", reply.text);
    }

    /// R079: without a version the latest one answers; another version is invalidVers.
    fn versions(server) {
        let c = server.tenant();
        let user = c.user("a");
        let latest = c.get(&format!("{}/scim/Users/{}", origin(&c), id(&user)));
        assert_eq!(latest.expect(200), user);
        for version in ["v1", "v3", "v2.1", "v99"] {
            for method in ["GET", "POST", "DELETE"] {
                for path in ["", "/Users", "/Users/x"] {
                    let url = format!("{}/scim/{version}{path}", origin(&c));
                    c.send(method, &url, &[], None).expect_error(400, "invalidVers");
                }
            }
        }
    }

    /// R075: a slash at the end, or one too many, changes nothing.
    fn slashes(server) {
        let c = server.tenant();
        let user = c.post("/Users/", &json!({"schemas": [USER], "userName": "a"})).expect(201);
        for path in [format!("/Users/{}/", id(&user)), format!("//Users/{}", id(&user)), format!("/Users//{}", id(&user))] {
            assert_eq!(c.get(&path).expect(200), user, "{path}");
        }
        for path in ["/", "/Users/", "//Users", "/.search/"] {
            let body = json!({"schemas": [crate::clients::SEARCH]});
            let reply = if path.contains("search") { c.post(path, &body) } else { c.get(path) };
            assert_eq!(reply.expect(200)["totalResults"], 1, "{path}");
        }
        assert_eq!(c.get("/Schemas/").expect(200), c.get("/Schemas").expect(200));
    }

    /// R078 R213 R215: a path that leads nowhere is a SCIM 404, whatever the method.
    fn unrouted_paths(server) {
        let c = server.tenant();
        let user = user_path(&c.user("a"));
        let o = origin(&c);
        let paths = [
            "/Nothing".to_owned(), "/users".to_owned(), "/Users.scim".to_owned(), format!("{user}.scim"), format!("{user}/name"),
            "/Me/x".to_owned(), "/Bulk/x".to_owned(), "/Schemas/x/y".to_owned(), "/Nothing/.search".to_owned(),
            o.to_owned(), format!("{o}/nothing"), format!("{o}/scimmy"), format!("{o}/scim/vx/Users"), format!("{o}/v2/Users"),
        ];
        for path in &paths {
            for method in ["GET", "POST", "DELETE"] {
                let reply = c.send(method, path, &[], None);
                // Below /Users/ there is a path for one segment, and it has no POST.
                let status = if method == "POST" && path.starts_with(&user) && !path.ends_with("name") { 405 } else { 404 };
                assert_eq!(reply.status, status, "{method} {path}");
                reply.expect_error(status, "");
            }
        }
        c.get(&user).expect(200);
    }

    /// R080: unknown query parameters are ignored on every verb.
    fn unknown_query_parameters(server) {
        let c = server.tenant();
        let query = "?unknown=1&&x=%20&trace";
        let user = c.post(&format!("/Users{query}"), &json!({"schemas": [USER], "userName": "a"})).expect(201);
        let path = format!("{}{query}", user_path(&user));
        assert_eq!(c.get(&path).expect(200), user);
        assert_eq!(c.get(&format!("/Users{query}")).expect(200)["totalResults"], 1);
        assert_eq!(c.put(&path, &json!({"schemas": [USER], "userName": "b"})).expect(200)["userName"], "b");
        assert_eq!(c.patch(&path, &json!([{"op": "add", "path": "title", "value": "t"}])).expect(200)["title"], "t");
        assert_eq!(c.delete(&path).status, 204);
    }

    /// R081: a filter is percent-decoded, and a plus is a space.
    fn percent_decoding(server) {
        let c = server.tenant();
        let user = c.user("a+b c@example.com");
        for filter in ["userName+eq+%22a%2Bb+c%40example.com%22", "userName%20eq%20%22a%2bb%20c@example.com%22"] {
            assert_eq!(c.get(&format!("/Users?filter={filter}")).expect(200)["Resources"], json!([user]), "{filter}");
        }
        assert_eq!(c.get("/Users?filter=userName+eq+%22a+b+c%40example.com%22").expect(200)["totalResults"], 0);
    }

    /// R001 R087 R147 R156 R216: a body that is no JSON object is invalidSyntax on every verb, and nothing is done.
    fn broken_bodies(server) {
        let c = server.tenant();
        let (user, group) = (c.user("a"), c.group("g", &[]));
        let (u, g) = (user_path(&user), group_path(&group));
        let requests = [
            ("POST", "/Users"), ("POST", "/Groups"), ("PUT", &*u), ("PATCH", &*u), ("PUT", &*g), ("PATCH", &*g),
            ("POST", "/.search"), ("POST", "/Users/.search"), ("POST", "/Groups/.search"), ("POST", "/Bulk"),
        ];
        for (method, path) in requests {
            for body in ["", " ", "{", "[]", "\"x\"", "null", "{} x", r#"{"a":1,"a":2}"#, "{'a':1}", r#"{"userName":"\ud800"}"#] {
                let reply = c.send(method, path, &[], Some(body));
                assert_eq!(reply.status, 400, "{method} {path} {body}");
                reply.expect_error(400, "invalidSyntax");
            }
        }
        assert_eq!(c.get(&u).expect(200), user);
        assert_eq!(c.get(&g).expect(200), group);
        assert_eq!(c.get("").expect(200)["totalResults"], 2);
    }

    /// R082 R083 R209 R213: without a token every path of SCIM but discovery is 401, also those that do not exist.
    fn no_token(server) {
        let c = server.tenant();
        let path = user_path(&c.user("a"));
        let nobody = server.nobody();
        for (method, path) in [
            ("GET", ""), ("GET", "/Users"), ("POST", "/Users"), ("GET", &*path), ("PUT", &*path), ("PATCH", &*path), ("DELETE", &*path),
            ("POST", "/.search"), ("GET", "/Nothing"), ("PUT", "/Users"), ("POST", "/Bulk"), ("GET", "/Me"),
        ] {
            let reply = nobody.send(method, path, &[("if-match", "\"no\"")], Some("{"));
            assert_eq!(reply.status, 401, "{method} {path}");
            reply.expect_error(401, "");
            assert!(reply.header("www-authenticate").starts_with("Bearer "), "{method} {path}");
        }
        c.get(&path).expect(200);
    }

    /// R213 R215: an error tells the request's id and nothing of the inside of the server.
    fn errors_tell_no_secrets(server) {
        let c = server.tenant();
        c.user("a");
        let replies = [c.get("/Users/none"), c.post("/Users", &json!({"schemas": [USER], "userName": "a"})), c.get("/Users?filter=x")];
        for reply in &replies {
            let body = reply.json();
            let known = ["schemas", "status", "scimType", "detail"];
            assert!(body.as_object().unwrap().keys().all(|k| known.contains(&k.as_str())), "{body}");
            for inside in ["SELECT", "UNIQUE constraint", "sqlite", "postgres", "src/"] {
                assert!(!reply.text.contains(inside), "{body}");
            }
        }
        let ids: std::collections::BTreeSet<&str> = replies.iter().map(|r| r.header("x-request-id")).collect();
        assert_eq!(ids.len(), 3);
    }
}
