//! Every route, with every kind of token that must not open it.

use crate::admin::Admin;
use crate::clients::{Client, GROUP, PATCH, Reply, SEARCH, USER, group_path, id, user_path};
use crate::custom::declare;
use crate::harness::{Db, Server};
use rollbook::app::system_clock;
use rollbook::domain::{Actor, Scopes};
use rollbook::service::{Hand, tenants, tokens};
use rollbook::store::backend;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Who may use a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opens {
    Everyone,
    /// Everyone, unless the configuration says otherwise; but nobody with a token that is refused.
    Discovery,
    Tenant,
    /// Members with a token of their own.
    Member,
}

struct Route {
    /// As it stands in `src/http/mod.rs`.
    pattern: &'static str,
    /// A path that it matches, below `/scim/v2` when the route is. `{user}` and `{group}` stand for ids.
    paths: &'static [&'static str],
    /// What [`only`] allows there; empty where the source has no list.
    methods: &'static [&'static str],
    opens: Opens,
}

const DEVICE: &str = "urn:example:params:scim:schemas:core:2.0:Device";

const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];
const GET_POST: &[&str] = &["GET", "POST"];
const ONE: &[&str] = &["GET", "PUT", "PATCH", "DELETE"];

const fn route(pattern: &'static str, paths: &'static [&'static str], methods: &'static [&'static str], opens: Opens) -> Route {
    Route { pattern, paths, methods, opens }
}

/// All routes.
const ROUTES: [Route; 29] = [
    route("/health", &["/health"], &[], Opens::Everyone),
    route("/ready", &["/ready"], &[], Opens::Everyone),
    route("/.well-known/jwks.json", &["/.well-known/jwks.json"], &[], Opens::Everyone),
    route("/.well-known/oauth-authorization-server", &["/.well-known/oauth-authorization-server"], GET, Opens::Everyone),
    route("/oauth/token", &["/oauth/token"], POST, Opens::Everyone),
    route("/claim", &["/claim"], GET_POST, Opens::Everyone),
    route("/claim/code/{code}", &["/claim/code/abcd"], GET, Opens::Everyone),
    route("/claim/{token}", &["/claim/unknown"], GET_POST, Opens::Everyone),
    route("/claim/{rest:.*}", &["/claim/a/b"], &[], Opens::Everyone),
    route("/scim/v{version:[0-9.]+}{rest:(/.*)?}", &["/scim/v1/Users", "/scim/v3"], &[], Opens::Everyone),
    route("/scim/v2", &[], &[], Opens::Tenant),
    route("/scim", &[], &[], Opens::Tenant),
    route("/ServiceProviderConfig", &["/ServiceProviderConfig"], GET, Opens::Discovery),
    route("/ServiceProviderConfigs", &["/ServiceProviderConfigs"], GET, Opens::Discovery),
    route("/ResourceTypes", &["/ResourceTypes"], GET, Opens::Discovery),
    route("/ResourceTypes/{name}", &["/ResourceTypes/User"], GET, Opens::Discovery),
    route("/Schemas", &["/Schemas"], GET, Opens::Discovery),
    route("/Schemas/{urn}", &["/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"], GET, Opens::Discovery),
    route("/.search", &["/.search"], POST, Opens::Tenant),
    route("/Bulk", &["/Bulk"], POST, Opens::Tenant),
    route("/Me", &["/Me"], &["GET", "POST", "PUT", "PATCH", "DELETE"], Opens::Member),
    route("/Users", &[], &[], Opens::Tenant),
    route("/Groups", &[], &[], Opens::Tenant),
    route("{path}", &["/Users", "/Groups"], GET_POST, Opens::Tenant),
    route("{path}/.search", &["/Users/.search", "/Groups/.search"], POST, Opens::Tenant),
    route("{path}/{{id}}", &["/Users/{user}", "/Groups/{group}"], ONE, Opens::Tenant),
    route("/{endpoint}", &["/Devices"], GET_POST, Opens::Tenant),
    route("/{endpoint}/.search", &["/Devices/.search"], POST, Opens::Tenant),
    route("/{endpoint}/{id}", &["/Devices/{device}"], ONE, Opens::Tenant),
];

/// The root, whose pattern is empty.
const ROOT: Route = route("", &[""], GET, Opens::Tenant);

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What the source of the route table has: path patterns, and the methods that `only` lists for them.
fn in_source() -> BTreeMap<String, BTreeSet<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/mod.rs");
    let text = std::fs::read_to_string(file).unwrap();
    let text: String = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let (table, _) = text.split_once("\nfn get()").unwrap();
    // Every string literal there is a path.
    let mut found: BTreeMap<String, BTreeSet<String>> =
        table.split('"').skip(1).step_by(2).map(|l| (l.to_owned(), BTreeSet::new())).collect();
    for call in table.split("only(").skip(1) {
        let (path, rest) = call.split_once("&[").unwrap();
        let pattern = path.split('"').nth(1).map_or("{path}", |literal| literal);
        let methods = rest.split(']').next().unwrap().split(", ").map(|m| m.trim_start_matches("Method::").to_owned());
        found.entry(pattern.to_owned()).or_default().extend(methods);
    }
    found
}

/// Fails when `src/http/mod.rs` has a path or a method that the table of this file does not know, or the other way round.
#[test]
fn the_table_is_complete() {
    let known = ROUTES.iter().chain([&ROOT]).map(|r| (r.pattern.to_owned(), r.methods.iter().map(|m| (*m).to_owned()).collect()));
    assert_eq!(in_source(), known.collect());
}

/// One attempt.
struct Attempt {
    route: &'static Route,
    method: &'static str,
    path: String,
}

impl Attempt {
    /// Whether the route takes the method.
    fn exists(&self) -> bool {
        let method = if self.method == "HEAD" { "GET" } else { self.method };
        self.route.methods.contains(&method) || self.route.methods.is_empty() && self.route.opens == Opens::Tenant
    }

    /// Whether it reads, as scopes have it.
    fn reads(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS") || self.path.ends_with(".search")
    }

    fn send(&self, client: &Client) -> Reply {
        let body = match self.method {
            _ if self.path.ends_with(".search") => Some(json!({"schemas": [SEARCH]})),
            "PATCH" => Some(json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "displayName", "value": "changed"}]})),
            "POST" | "PUT" if self.path.contains("/Devices") => Some(json!({"schemas": [DEVICE], "displayName": "changed"})),
            "POST" | "PUT" if self.path.contains("/Groups") => Some(json!({"schemas": [GROUP], "displayName": "changed"})),
            "POST" | "PUT" => Some(json!({"schemas": [USER], "userName": "changed"})),
            _ => None,
        };
        let reply = client.send(self.method, &self.path, &[], body.map(|b| b.to_string()).as_deref());
        assert!(reply.status < 500 || reply.status == 501, "{self}: {}", reply.text);
        reply
    }
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Every route with every method, at `/scim/v2` and at `/scim`, on the resources of one tenant.
fn attempts(server: &Server, user: &str, group: &str, device: &str) -> Vec<Attempt> {
    let origin = server.base.strip_suffix("/scim/v2").unwrap();
    let mut out = Vec::new();
    for route in ROUTES.iter().chain([&ROOT]) {
        for path in route.paths {
            let path = path.replace("{user}", user).replace("{group}", group).replace("{device}", device);
            let prefixes: &[&str] = if route.opens == Opens::Everyone { &[""] } else { &["/scim/v2", "/scim"] };
            for prefix in prefixes {
                out.extend(METHODS.map(|method| Attempt { route, method, path: format!("{origin}{prefix}{path}") }));
            }
        }
    }
    out
}

/// A tenant with a user in a group.
struct Victim {
    client: Client,
    user: Value,
    group: Value,
    device: Value,
}

/// A tenant with a resource type of its own.
fn tenant_with_devices(server: &Server) -> Client {
    let client = server.tenant();
    declare(server, &client, &json!({"id": DEVICE, "attributes": [{"name": "displayName"}]}), "");
    let device = json!({"name": "Device", "endpoint": "/Devices", "schema": DEVICE});
    Admin::operator(server).post(&format!("/tenants/{}/resource_types", client.tenant), &device).expect(201);
    server.app.refresh_auth().unwrap();
    client
}

impl Victim {
    fn new(server: &Server) -> Self {
        let client = tenant_with_devices(server);
        let user = client.user("anna");
        let group = client.group("Staff", &[id(&user)]);
        let user = client.get(&user_path(&user)).expect(200);
        let device = client.post("/Devices", &json!({"schemas": [DEVICE], "displayName": "Staff"})).expect(201);
        Self { client, user, group, device }
    }

    fn ids(&self) -> [&str; 3] {
        [&self.user, &self.group, &self.device].map(id)
    }

    fn attempts(&self, server: &Server) -> Vec<Attempt> {
        attempts(server, id(&self.user), id(&self.group), id(&self.device))
    }

    /// Fails unless everything is as it was.
    #[track_caller]
    fn is_unharmed(&self) {
        assert_eq!(self.client.get(&user_path(&self.user)).expect(200), self.user);
        assert_eq!(self.client.get(&group_path(&self.group)).expect(200), self.group);
        assert_eq!(self.client.get("").expect(200)["totalResults"], 3);
        assert_eq!(self.client.get(&format!("/Devices/{}", id(&self.device))).expect(200), self.device);
    }

    /// As [`tells_nothing`], for a client that may see resources of its own.
    #[track_caller]
    fn shows_nothing_to(&self, reply: &Reply, attempt: &Attempt) {
        for secret in ["anna", "Staff"] {
            assert!(!reply.text.contains(secret), "{attempt}: {}", reply.text);
        }
        let asked = self.ids().iter().any(|id| attempt.path.contains(id));
        let told = self.ids().iter().any(|id| reply.text.contains(id));
        assert!(asked || !told, "{attempt}: {}", reply.text);
    }
}

/// Fails when an answer to an attempt tells anything of a [`Victim`].
#[track_caller]
fn tells_nothing(reply: &Reply, attempt: &Attempt) {
    let told = ["anna", "Staff"].iter().any(|secret| reply.text.contains(secret));
    assert!(!told && !reply.headers.contains_key("etag"), "{attempt}: {} {}", reply.status, reply.text);
}

on_both! {
    /// R221, R223: without a token nothing but discovery and the operator's probes answers, and no error code is given.
    fn without_a_token(server) {
        let victim = Victim::new(server);
        for attempt in victim.attempts(server) {
            let reply = attempt.send(&server.nobody());
            tells_nothing(&reply, &attempt);
            match attempt.route.opens {
                Opens::Everyone => assert_ne!(reply.status, 401, "{attempt}"),
                Opens::Discovery if attempt.exists() => assert_eq!(reply.status, 200, "{attempt}"),
                Opens::Discovery => assert_eq!(reply.status, 405, "{attempt}"),
                Opens::Tenant | Opens::Member => {
                    assert_eq!(reply.status, 401, "{attempt}");
                    assert!(!reply.header("www-authenticate").contains("error"), "{attempt}");
                }
            }
        }
        victim.is_unharmed();
    }

    /// R223: a wrong token and a revoked one open nothing, discovery included.
    fn with_a_token_that_is_refused(server) {
        let victim = Victim::new(server);
        let revoked = server.client(&victim.client.tenant, Scopes::ALL);
        revoked.get("/Users").expect(200);
        let kept = tokens::list(&mut server.connect(), &victim.client.tenant).unwrap().pop().unwrap();
        backend::write(&mut server.connect(), |c| tokens::revoke(c, &victim.client.tenant, &kept.id, 0)).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(1));
        let wrong = revoked.with_token(Some("rbk_wrong"));
        for attempt in victim.attempts(server) {
            for client in [&wrong, &revoked] {
                let reply = attempt.send(client);
                tells_nothing(&reply, &attempt);
                if attempt.route.opens == Opens::Everyone {
                    assert_ne!(reply.status, 401, "{attempt}");
                } else {
                    assert_eq!(reply.status, 401, "{attempt}");
                    assert!(reply.header("www-authenticate").contains("error=\"invalid_token\""), "{attempt}");
                }
            }
        }
        victim.is_unharmed();
    }

    /// R230: another tenant's token finds none of this tenant's resources: 404, as if there were nothing.
    fn with_another_tenants_token(server) {
        let victim = Victim::new(server);
        let stranger = tenant_with_devices(server);
        let nowhere = "00000000-0000-7000-8000-000000000000";
        for attempt in victim.attempts(server) {
            let reply = attempt.send(&stranger);
            victim.shows_nothing_to(&reply, &attempt);
            if victim.ids().iter().any(|id| attempt.path.contains(id)) {
                assert_eq!(reply.status, if attempt.exists() { 404 } else { 405 }, "{attempt}");
                let without = |text: &str| victim.ids().iter().fold(text.to_owned(), |text, id| text.replace(id, nowhere));
                let path = without(&attempt.path);
                let absent = Attempt { path, ..attempt }.send(&stranger);
                let same = without(&reply.text);
                assert_eq!((reply.status, same), (absent.status, absent.text), "what exists must not be told from what does not");
            } else if attempt.route.opens == Opens::Member && attempt.exists() {
                assert_eq!(reply.status, 404, "{attempt}: the token is no member's");
            } else if attempt.route.opens != Opens::Everyone {
                assert_ne!(reply.status, 404, "{attempt}: a path that leads nowhere proves nothing");
            }
        }
        victim.is_unharmed();
    }

    /// R221, R223: a token that may read reads everything and writes nothing.
    fn with_a_token_that_may_only_read(server) {
        let victim = Victim::new(server);
        let reader = server.client(&victim.client.tenant, Scopes { read: true, write: false, secrets: false });
        for attempt in victim.attempts(server).iter().filter(|a| a.route.opens != Opens::Everyone) {
            let reply = attempt.send(&reader);
            let nobodys = attempt.route.opens == Opens::Member;
            match (attempt.exists(), attempt.reads()) {
                (false, _) => assert_eq!(reply.status, 405, "{attempt}"),
                (true, true) if nobodys => assert_eq!(reply.status, 404, "{attempt}"),
                (true, true) => assert_eq!(reply.status, 200, "{attempt}"),
                (true, false) => {
                    assert_eq!(reply.status, 403, "{attempt}");
                    assert!(reply.header("www-authenticate").contains("error=\"insufficient_scope\""), "{attempt}");
                }
            }
        }
        victim.is_unharmed();
    }

    /// R219 R220: a member's own token opens `/Me` and what everybody may know, and nothing else; after the deactivation nothing at all.
    fn with_a_members_own_token(server) {
        let victim = Victim::new(server);
        let order = tokens::Order { member: Some(id(&victim.user).to_owned()), ..tokens::Order::default() };
        let mut conn = server.connect();
        let hand = Hand { actor: Actor::Admin("test".to_owned()), now: server.app.now(), request_id: None };
        let act = hand.on(tenants::named(&mut conn, &victim.client.tenant).unwrap(), server.app.vault.clone());
        let (_, token) = backend::write(&mut conn, |c| tokens::issue_for(c, &act, &order)).unwrap();
        let own = victim.client.with_token(Some(&token));
        for attempt in victim.attempts(server).iter().filter(|a| a.route.opens != Opens::Everyone && a.method != "PATCH") {
            let reply = attempt.send(&own);
            match attempt.route.opens {
                Opens::Member if attempt.method == "POST" => assert_eq!(reply.status, 501, "{attempt}"),
                Opens::Member if attempt.exists() && attempt.reads() => assert_eq!(reply.status, 200, "{attempt}"),
                Opens::Member if attempt.exists() => assert_eq!(reply.status, 403, "{attempt}"),
                Opens::Member | Opens::Discovery => assert_eq!(reply.status, if attempt.exists() { 200 } else { 405 }, "{attempt}"),
                Opens::Tenant | Opens::Everyone => {
                    assert_eq!(reply.status, 403, "{attempt}");
                    tells_nothing(&reply, attempt);
                }
            }
        }
        victim.is_unharmed();
        victim.client.delete(&user_path(&victim.user)).expect(204);
        for attempt in victim.attempts(server).iter().filter(|a| a.route.opens != Opens::Everyone) {
            let reply = attempt.send(&own);
            assert_eq!(reply.status, 401, "{attempt}");
            tells_nothing(&reply, attempt);
        }
    }

    /// R221: a token that may write reads nothing.
    fn with_a_token_that_may_only_write(server) {
        let victim = Victim::new(server);
        let writer = server.client(&victim.client.tenant, Scopes { read: false, write: true, secrets: false });
        for attempt in victim.attempts(server).iter().filter(|a| a.route.opens == Opens::Tenant && a.exists() && a.reads()) {
            let reply = attempt.send(&writer);
            assert_eq!(reply.status, 403, "{attempt}");
            tells_nothing(&reply, attempt);
        }
        victim.is_unharmed();
    }

    /// R221: no way of writing a path leads past the check.
    fn with_odd_paths(server) {
        let victim = Victim::new(server);
        let origin = server.base.strip_suffix("/scim/v2").unwrap();
        for path in [
            "/scim/v2/Users/",
            "/scim/v2//Users",
            "//scim//v2//Users",
            "/scim/v2/./Users",
            "/scim/v2/Schemas/../Users",
            "/scim/v2/Schemas/%2e%2e/Users",
            "/scim/v2/Schemas/..%2fUsers",
            "/scim/v2/ServiceProviderConfig/../../Users",
            "/scim/v2/%55sers",
            "/scim/v2/Users?/ServiceProviderConfig",
            "/scim/v2/Users%3f/Schemas",
            "/scim/v2/Users;/Schemas",
            "/scim/v2.0/Users",
            "/scim/v1/../v2/Users",
            "/scim/v02/Users",
            "/scim/v2/SchemasUsers",
            "/health/../scim/v2/Users",
            "/SCIM/v2/Users",
        ] {
            let attempt = Attempt { route: &ROOT, method: "GET", path: format!("{origin}{path}") };
            let reply = attempt.send(&server.nobody());
            tells_nothing(&reply, &attempt);
            assert!([400, 401, 404].contains(&reply.status), "{attempt}: {}", reply.status);
        }
        victim.is_unharmed();
    }
}

/// Where the configuration says so, discovery needs a token as well.
fn discovery_can_be_closed(db: Db) {
    let server = Server::with(db, |config| config.discovery.anonymous = false, system_clock());
    let victim = Victim::new(&server);
    for attempt in victim.attempts(&server).iter().filter(|a| a.route.opens != Opens::Everyone) {
        assert_eq!(attempt.send(&server.nobody()).status, 401, "{attempt}");
    }
    for attempt in victim.attempts(&server).iter().filter(|a| a.route.opens == Opens::Discovery && a.exists()) {
        assert_eq!(attempt.send(&victim.client).status, 200, "{attempt}");
    }
}

#[test]
fn discovery_can_be_closed_sqlite() {
    discovery_can_be_closed(Db::Sqlite);
}

#[test]
fn discovery_can_be_closed_postgres() {
    discovery_can_be_closed(Db::Postgres);
}
