//! A SCIM client for tests.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use ureq::http::{Method, Request};

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const EMPLOYEE: &str = "urn:ietf:params:scim:schemas:extension:rollbook:2.0:User";
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
pub const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Talks to one server with one token.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    pub base: String,
    pub token: Option<String>,
    pub tenant: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(&name.to_ascii_lowercase()).map_or("", String::as_str)
    }

    /// Fails unless the status is the expected one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Fails unless it is a SCIM error of that status and scimType ("" for none).
    #[track_caller]
    pub fn expect_error(&self, status: u16, scim_type: &str) -> String {
        let body = self.expect(status);
        assert_eq!(body["schemas"], json!([ERROR]), "{body}");
        assert_eq!(body["status"], json!(status.to_string()), "{body}");
        assert_eq!(body["scimType"].as_str().unwrap_or(""), scim_type, "{body}");
        assert_eq!(self.header("content-type"), "application/scim+json");
        assert!(!self.header("x-request-id").is_empty());
        let detail = body["detail"].as_str().unwrap_or("").to_owned();
        assert!(!detail.is_empty(), "{body}");
        detail
    }
}

impl Client {
    pub fn new(base: &str, token: Option<&str>, tenant: &str) -> Self {
        let agent =
            ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).max_redirects(0).build().new_agent();
        Self { agent, base: base.into(), token: token.map(str::to_owned), tenant: tenant.into() }
    }

    /// The same client with another token.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// Sends anything. A header with an empty value is left out; `path` is below the base URL unless it is a whole URL.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Reply {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(encoded(&url));
        let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if let Some(token) = self.token.as_ref().filter(|_| !given("authorization")) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() && !given("content-type") {
            request = request.header("content-type", "application/scim+json");
        }
        if !given("user-agent") {
            request = request.header("user-agent", "");
        }
        for (name, value) in headers.iter().filter(|(_, v)| !v.is_empty()) {
            request = request.header(*name, *value);
        }
        let sent = match body {
            Some(body) => self.agent.run(request.body(body.to_owned()).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut response = sent.unwrap();
        let headers = response.headers().iter().map(|(n, v)| (n.as_str().to_owned(), v.to_str().unwrap_or("").to_owned())).collect();
        let text = response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
        Reply { status: response.status().as_u16(), headers, text }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[], Some(&body.to_string()))
    }

    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, &[], Some(&body.to_string()))
    }

    /// PATCH with these operations.
    pub fn patch(&self, path: &str, operations: &Value) -> Reply {
        let body = json!({"schemas": [PATCH], "Operations": operations});
        self.send("PATCH", path, &[], Some(&body.to_string()))
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], None)
    }

    /// Lists with a filter.
    pub fn filter(&self, path: &str, filter: &str) -> Reply {
        let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        self.get(&format!("{path}?filter={filter}"))
    }

    /// A new user with just a userName; the whole resource.
    pub fn user(&self, user_name: &str) -> Value {
        self.user_with(json!({"userName": user_name}))
    }

    /// A new user.
    pub fn user_with(&self, mut body: Value) -> Value {
        body["schemas"] = json!([USER]);
        self.post("/Users", &body).expect(201)
    }

    /// A new group with members.
    pub fn group(&self, display_name: &str, members: &[&str]) -> Value {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        self.post("/Groups", &json!({"schemas": [GROUP], "displayName": display_name, "members": members})).expect(201)
    }
}

/// What the roll itself says of a member, in our own extension.
const ROLL: [&str; 8] = ["state", "invited", "inviteDate", "claimed", "claimDate", "deactivateDate", "canDelete", "quarantineUntil"];

/// Takes the roll's own part out of every user in an answer: what the roll says of the member, the address of a manager that
/// it knows by id, and our extension with its URN when nothing else is in it. A user that does not name our extension is a fault.
#[track_caller]
pub fn without_roll(answer: &mut Value) {
    match answer {
        Value::Array(list) => list.iter_mut().for_each(without_roll),
        Value::Object(map) => {
            map.values_mut().for_each(without_roll);
            let Some(urns) = map.get("schemas").and_then(Value::as_array).filter(|urns| urns.iter().any(|u| u == USER)) else { return };
            let mut urns = urns.clone();
            assert!(urns.iter().any(|u| u == EMPLOYEE), "a user that does not name {EMPLOYEE}: {map:?}");
            let managed = map.get(ENTERPRISE).and_then(|e| e.get("manager")).is_some_and(|m| m.get("$ref").is_some());
            let own = map.get_mut(EMPLOYEE).and_then(Value::as_object_mut);
            let others = own.is_some_and(|own| {
                own.retain(|name, _| !(ROLL.contains(&name.as_str()) || managed && name == "managerEmail"));
                !own.is_empty()
            });
            if !others {
                map.shift_remove(EMPLOYEE);
                urns.retain(|u| u != EMPLOYEE);
                map["schemas"] = Value::Array(urns);
            }
        }
        _ => {}
    }
}

/// The id of a resource.
pub fn id(resource: &Value) -> &str {
    resource["id"].as_str().unwrap()
}

/// The path of a user.
pub fn user_path(resource: &Value) -> String {
    format!("/Users/{}", id(resource))
}

/// The path of a group.
pub fn group_path(resource: &Value) -> String {
    format!("/Groups/{}", id(resource))
}

/// Encodes what cannot stand in a request line, and nothing else.
fn encoded(url: &str) -> String {
    let mut out = String::new();
    for c in url.chars() {
        match c {
            ' ' | '"' | '<' | '>' | '^' | '`' | '{' | '}' | '|' | '\\' => {
                let _ = write!(out, "%{:02X}", u32::from(c));
            }
            c if c.is_ascii() => out.push(c),
            c => out.extend(form_urlencoded::byte_serialize(c.to_string().as_bytes())),
        }
    }
    out
}
