//! Requests that are too large, too deep, broken or odd: a clear SCIM error, never a 500.

use crate::clients::{Client, ENTERPRISE, GROUP, PATCH, Reply, USER, id, user_path};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Sends bytes as they are. The server may answer and close before it has read them all.
pub fn raw(client: &Client, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
    let (host, base) = client.base.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let token = client.token.as_deref().unwrap();
    let head = format!(
        "{method} /{base}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/scim+json\r\n{headers}\r\n"
    );
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    // The connection may stay open for a while after an early answer.
    while !complete(&answer) {
        match stream.read(&mut part) {
            Ok(n) if n > 0 => answer.extend_from_slice(&part[..n]),
            _ => break,
        }
    }
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {method} {path}: {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let headers = head.lines().skip(1).filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned())).collect();
    Reply { status, headers, text: body.to_owned() }
}

/// Whether all of an answer with a length has come.
fn complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
    length.is_some_and(|n| body.len() >= n.parse::<usize>().unwrap())
}

/// POSTs a text to `/Users`.
fn post(client: &Client, body: &str) -> Reply {
    client.send("POST", "/Users", &[], Some(body))
}

/// A user with one more member of the body, written out.
fn user_text(more: &str) -> String {
    format!(r#"{{"schemas":["{USER}"],"userName":"x",{more}}}"#)
}

/// Letters that no compression makes shorter.
fn noise(length: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b"abcdefghijklmnopqrstuvwxyz012345"[usize::try_from(state >> 59).unwrap()])
    })
    .take(length)
    .collect()
}

on_both! {
    /// R236: a body that is announced as too large is refused before it is sent.
    fn a_large_content_length_is_refused(server) {
        let client = server.tenant();
        let most = server.config.limits.body_bytes;
        let reply = raw(&client, "POST", "/Users", &format!("Content-Length: {}\r\n", most + 1), b"");
        let detail = reply.expect_error(413, "");
        assert!(detail.contains(&most.to_string()) && detail.contains("body_bytes"), "{detail}");
    }

    /// R236: a body without a length is refused when it has become too large.
    fn a_large_chunked_body_is_refused(server) {
        let client = server.tenant();
        let most = server.config.limits.body_bytes;
        let mut body = Vec::new();
        for length in [most / 2, most - most / 2, 1] {
            body.extend(format!("{length:x}\r\n").bytes());
            body.extend(std::iter::repeat_n(b' ', length));
            body.extend(b"\r\n");
        }
        let detail = raw(&client, "POST", "/Users", "Transfer-Encoding: chunked\r\n", &body).expect_error(413, "");
        assert!(detail.contains(&most.to_string()), "{detail}");
    }

    /// A chunked body of the right size is as good as any.
    fn a_small_chunked_body_is_read(server) {
        let client = server.tenant();
        let text = user_text(r#""title":"y""#);
        let body = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
        assert_eq!(raw(&client, "POST", "/Users", "Transfer-Encoding: chunked\r\n", body.as_bytes()).status, 201);
    }

    /// R127: nesting is bounded, also where it would break a naive parser.
    fn deep_json_is_refused(server) {
        let client = server.tenant();
        let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        let detail = post(&client, &user_text(&format!(r#""x":{}"#, nested(40)))).expect_error(400, "invalidSyntax");
        assert!(detail.contains("too deeply"), "{detail}");
        post(&client, &nested(100_000)).expect_error(400, "invalidSyntax");
        post(&client, &"[".repeat(100_000)).expect_error(400, "invalidSyntax");
        post(&client, &r#"{"a":"#.repeat(100_000)).expect_error(400, "invalidSyntax");
        post(&client, &user_text(&format!(r#""x":{}"#, nested(30)))).expect(201);
    }

    /// R213: a body that is no JSON object is named as such.
    fn broken_bodies_are_refused(server) {
        let client = server.tenant();
        let path = user_path(&client.user("kept"));
        for body in ["", " ", "{", "nope", "{\"a\":1,}", "[]", "[{\"userName\":\"x\"}]", "null", "1", "\"x\"", "{} {}", "\u{feff}{}", "{'a':1}"] {
            post(&client, body).expect_error(400, "invalidSyntax");
            for (method, target) in [("PUT", path.as_str()), ("PATCH", &path), ("POST", "/Users/.search")] {
                client.send(method, target, &[], Some(body)).expect_error(400, "invalidSyntax");
            }
        }
        assert_eq!(client.get("/Users").expect(200)["totalResults"], 1);
    }

    /// A member that is given twice is refused, in the same case or another.
    fn duplicate_members_are_refused(server) {
        let client = server.tenant();
        for more in [
            r#""userName":"y""#, r#""USERNAME":"y""#, r#""title":"a","Title":"b""#, r#""name":{"givenName":"a","GIVENNAME":"b"}"#,
            r#""emails":[{"value":"a","value":"b"}]"#,
        ] {
            let detail = post(&client, &user_text(more)).expect_error(400, "invalidSyntax");
            assert!(detail.contains("twice"), "{detail}");
        }
    }

    /// U+0000 cannot be stored by PostgreSQL; both databases refuse it alike, wherever it stands.
    fn nul_is_refused(server) {
        let client = server.tenant();
        let path = user_path(&client.user("kept"));
        for more in [r#""title":"a\u0000b""#, r#""ti\u0000tle":"x""#, r#""name":{"givenName":"\u0000"}"#, r#""unknown":["\u0000"]"#] {
            post(&client, &user_text(more)).expect_error(400, "invalidValue");
        }
        for filter in [r#"userName eq "a\u0000""#, r#"title co "\u0000""#, r#"emails[value eq "\u0000"]"#, "userName eq \"\0\"", "\0"] {
            client.filter("/Users", filter).expect_error(400, "invalidFilter");
        }
        let remove = json!([{"op": "remove", "path": r#"emails[value eq "\u0000"]"#}]);
        client.patch(&path, &remove).expect_error(400, "invalidFilter");
        client.get("/Users?sortBy=%00").expect_error(400, "invalidValue");
        client.get("/Users?cursor=%00").expect_error(400, "invalidCursor");
        assert!(client.get("/Users?attributes=%00").status < 500);
    }

    /// R127: a filter has a longest length and a deepest nesting; the limit itself is fine.
    fn large_filters_are_refused(server) {
        let client = server.tenant();
        let long = |n: usize| format!("title eq \"{}\"", "x".repeat(n - 11));
        let detail = client.filter("/Users", &long(8193)).expect_error(400, "invalidFilter");
        assert!(detail.contains("8192"), "{detail}");
        client.filter("/Users", &long(8192)).expect(200);
        let deep = |n: usize| format!("{}title pr{}", "(".repeat(n), ")".repeat(n));
        let detail = client.filter("/Users", &deep(33)).expect_error(400, "invalidFilter");
        assert!(detail.contains("deep"), "{detail}");
        client.filter("/Users", &deep(32)).expect(200);
        client.filter("/Users", &"not (".repeat(1600)).expect_error(400, "invalidFilter");
    }

    /// R127: a filter of as many terms as fit is answered or refused, but never keeps the database busy.
    fn wide_filters_are_cheap(server) {
        let client = server.tenant();
        client.user_with(json!({"userName": "x", "title": "t"}));
        let wide = |term: &str, word: &str| vec![term; 8000 / (term.len() + word.len())].join(word);
        let mut slow = Vec::new();
        for term in ["title pr", "emails[type pr]", "emails.value eq \"x\"", "name pr", "groups pr", "groups.value eq \"x\""] {
            for word in [" or ", " and "] {
                let began = Instant::now();
                let reply = client.filter("/Users", &wide(term, word));
                if reply.status != 200 {
                    reply.expect_error(400, "invalidFilter");
                }
                if began.elapsed() > Duration::from_secs(10) {
                    slow.push(format!("{term}{word}…: {:?}", began.elapsed()));
                }
            }
        }
        assert!(slow.is_empty(), "{slow:?}");
    }

    /// R236: too many operations of one PATCH are refused with 413, which names the limit.
    fn many_operations_are_refused(server) {
        let client = server.tenant();
        let path = user_path(&client.user("x"));
        let operations = |n: usize| Value::from(vec![json!({"op": "replace", "path": "title", "value": "t"}); n]);
        let detail = client.patch(&path, &operations(1001)).expect_error(413, "");
        assert!(detail.contains("1000") && detail.contains("patch_operations"), "{detail}");
        client.patch(&path, &operations(1000)).expect(200);
    }

    /// R236: an attribute has a thousand values at most, however they come.
    fn many_values_are_refused(server) {
        let client = server.tenant();
        let emails = |from: usize, n: usize| (from..from + n).map(|i| json!({"value": format!("{i}@x")})).collect::<Value>();
        let body = |n| json!({"schemas": [USER], "userName": "x", "emails": emails(0, n)});
        let detail = client.post("/Users", &body(1001)).expect_error(400, "invalidValue");
        assert!(detail.contains("emails") && detail.contains("1000"), "{detail}");
        let path = user_path(&client.post("/Users", &body(1000)).expect(201));
        for operation in ["add", "replace"] {
            let many = json!([{"op": operation, "path": "emails", "value": emails(1000, 1001)}]);
            client.patch(&path, &many).expect_error(400, "invalidValue");
        }
        let one_more = json!([{"op": "add", "path": "emails", "value": emails(1000, 1)}]);
        client.patch(&path, &one_more).expect_error(400, "invalidValue");
        assert_eq!(client.get(&path).expect(200)["emails"].as_array().unwrap().len(), 1000);
    }

    /// A body of another media type is refused with 415.
    fn other_media_types_are_refused(server) {
        let client = server.tenant();
        let path = user_path(&client.user("x"));
        let change = json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "title", "value": "t"}]}).to_string();
        for media in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/jsonx"] {
            let headers = [("content-type", media)];
            client.send("POST", "/Users", &headers, Some(&user_text("\"title\":\"t\""))).expect_error(415, "");
            client.send("PATCH", &path, &headers, Some(&change)).expect_error(415, "");
        }
        for media in ["application/scim+json", "APPLICATION/JSON; charset=utf-8", "application/scim+json;charset=UTF-8"] {
            client.send("PATCH", &path, &[("content-type", media)], Some(&change)).expect(200);
        }
    }

    /// A body that is not UTF-8 is refused.
    fn bodies_must_be_utf8(server) {
        let client = server.tenant();
        for bad in [b"\xff".as_slice(), b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"] {
            let mut body = format!(r#"{{"schemas":["{USER}"],"userName":"x"#).into_bytes();
            body.extend_from_slice(bad);
            body.extend_from_slice(b"\"}");
            let reply = raw(&client, "POST", "/Users", &format!("Content-Length: {}\r\n", body.len()), &body);
            reply.expect_error(400, "invalidSyntax");
        }
        post(&client, &user_text(r#""title":"\ud800""#)).expect_error(400, "invalidSyntax");
    }

    /// A userName that no index can hold is refused by both databases alike.
    fn a_long_user_name_is_refused(server) {
        let client = server.tenant();
        let path = user_path(&client.user("short"));
        let long = noise(10_000);
        let body = json!({"schemas": [USER], "userName": long});
        for reply in [
            client.post("/Users", &body),
            client.put(&path, &body),
            client.patch(&path, &json!([{"op": "replace", "path": "userName", "value": long}])),
        ] {
            let detail = reply.expect_error(400, "invalidValue");
            assert!(detail.contains("userName"), "{detail}");
        }
        assert_eq!(client.get(&path).expect(200)["userName"], "short");
    }

    /// A very long value is kept as it is or refused by name.
    fn long_values_are_kept_or_refused(server) {
        let client = server.tenant();
        let mut failures = Vec::new();
        for length in [10_000, 1_000_000] {
            let long = noise(length);
            for (n, (name, value)) in [
                ("displayName", json!({"displayName": long})),
                ("externalId", json!({"externalId": long})),
                ("title", json!({"title": long})),
                ("name", json!({"name": {"formatted": long}})),
                ("emails", json!({"emails": [{"value": long}]})),
                ("manager", json!({ENTERPRISE: {"manager": {"value": long}}})),
            ].into_iter().enumerate() {
                let mut body = json!({"schemas": [USER, ENTERPRISE], "userName": format!("u{length}-{n}")});
                body.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
                failures.extend(neither_kept_nor_refused(&client, "/Users", &body, name));
            }
            let group = json!({"schemas": [GROUP], "displayName": long});
            failures.extend(neither_kept_nor_refused(&client, "/Groups", &group, "displayName"));
        }
        assert!(failures.is_empty(), "{failures:#?}");
    }

    /// R213: an id that is no id leads to a 404, whatever its characters.
    fn odd_ids_lead_nowhere(server) {
        let client = server.tenant();
        let mut failures = Vec::new();
        let long = "x".repeat(60_000);
        let user = json!({"schemas": [USER, GROUP], "userName": "x"}).to_string();
        for odd in [
            "a%2Fb", "%2F", "..", "%2e%2e", "../../etc/passwd", "%C3%BC", "%F0%9F%98%80", "%FF", "%00", "a%00b", "%", "%zz", "a%20b", "'",
            "%22", ";", "null", "0", "-1", "*", "a:b", "%0d%0aX:y", "%E2%80%AE", &long,
        ] {
            for endpoint in ["Users", "Groups"] {
                for (method, body) in [("GET", ""), ("DELETE", ""), ("PUT", user.as_str()), ("PATCH", "{}")] {
                    let headers = format!("Content-Length: {}\r\n", body.len());
                    let reply = raw(&client, method, &format!("/{endpoint}/{odd}"), &headers, body.as_bytes());
                    if reply.status == 404 {
                        reply.expect_error(404, "");
                    } else {
                        failures.push(format!("{method} {endpoint}/{odd:.40}: {}", reply.text));
                    }
                }
            }
        }
        assert!(failures.is_empty(), "{failures:#?}");
    }
}

/// Creates a resource and reads it again; what is wrong, unless it is the same or the attribute was refused by name.
fn neither_kept_nor_refused(client: &Client, path: &str, body: &Value, name: &str) -> Option<String> {
    let reply = client.post(path, body);
    if reply.status != 201 {
        let refused = [400, 413].contains(&reply.status) && reply.json()["detail"].as_str().is_some_and(|d| d.contains(name));
        return (!refused).then(|| format!("{path} {name}: {:.200}", reply.text));
    }
    let made = client.get(&format!("{path}/{}", id(&reply.json()))).expect(200);
    let given = |v: &Value| v.get(name).or_else(|| v.get(ENTERPRISE)?.get(name)).cloned();
    (given(&made) != given(body)).then(|| format!("{path} {name} was changed"))
}
