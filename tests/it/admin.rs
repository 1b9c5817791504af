//! A client of the admin API for tests.

use crate::clients::{Client, Reply};
use crate::harness::Server;
use rollbook::domain::Scopes;
use rollbook::service::admin_keys::{self, Order};
use rollbook::service::tenants;
use rollbook::store::backend;
use serde_json::Value;

/// Everything that a key can be allowed.
pub const EVERYTHING: Scopes = Scopes { read: true, write: true, secrets: true };
/// What a key allows that is not to see what opens accounts.
pub const NO_SECRETS: Scopes = Scopes::ALL;
/// Reading alone.
pub const READ_ONLY: Scopes = Scopes { read: true, write: false, secrets: false };

/// Somebody with a key of the admin API.
#[derive(Clone)]
pub struct Admin {
    pub client: Client,
    /// The id of the key.
    pub key: String,
}

impl Admin {
    /// An operator who may do everything.
    pub fn operator(server: &Server) -> Self {
        Self::operator_with(server, EVERYTHING)
    }

    /// An operator who may do some things.
    pub fn operator_with(server: &Server, scopes: Scopes) -> Self {
        Self::issued(server, None, scopes)
    }

    /// An admin of one tenant.
    pub fn of(server: &Server, tenant: &str, scopes: Scopes) -> Self {
        Self::issued(server, Some(tenant), scopes)
    }

    fn issued(server: &Server, tenant: Option<&str>, scopes: Scopes) -> Self {
        let mut conn = server.connect();
        let owner = tenant.map(|name| tenants::named(&mut conn, name).unwrap());
        let order = Order { name: "trial".into(), scopes, expires_at: None };
        let now = server.app.now();
        let (key, secret) = backend::write(&mut conn, |c| admin_keys::issue(c, owner.as_ref(), &order, now)).unwrap();
        let mut admin = Self::with_key(server, Some(&secret));
        tenant.unwrap_or_default().clone_into(&mut admin.client.tenant);
        Self { key: key.id, ..admin }
    }

    /// Whoever has this key, or none.
    pub fn with_key(server: &Server, key: Option<&str>) -> Self {
        let origin = server.base.strip_suffix("/scim/v2").unwrap();
        Self { client: Client::new(&format!("{origin}/admin/v1"), key, ""), key: String::new() }
    }

    /// The tenant of the key; empty for an operator.
    pub fn tenant(&self) -> &str {
        &self.client.tenant
    }

    /// Sends anything. A body is JSON unless a header says otherwise.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Reply {
        let mut all = headers.to_vec();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            all.push(("content-type", "application/json"));
        }
        self.client.send(method, path, &all, body)
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

    pub fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send("PATCH", path, &[], Some(&body.to_string()))
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], None)
    }
}

/// Fails unless an answer is a problem of that status and kind; its detail.
#[track_caller]
pub fn problem(reply: &Reply, status: u16, kind: &str) -> String {
    let body = reply.expect(status);
    assert_eq!(reply.header("content-type"), "application/problem+json", "{body}");
    assert_eq!(body["type"], format!("urn:rollbook:problem:{}", kind.replace('_', "-")), "{body}");
    assert_eq!(body["status"], status, "{body}");
    assert!(!reply.header("x-request-id").is_empty());
    let detail = body["detail"].as_str().unwrap_or("").to_owned();
    assert!(!detail.is_empty(), "{body}");
    detail
}

/// Every page of a list, as one.
pub fn all_pages(admin: &Admin, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let joint = if path.contains('?') { '&' } else { '?' };
        let page = admin.get(&format!("{path}{joint}cursor={cursor}")).expect(200);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return items,
        }
    }
}
