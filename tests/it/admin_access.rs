//! Every route of the admin API, with every kind of key that must not open it.

use crate::admin::{Admin, EVERYTHING, READ_ONLY, problem};
use crate::clients::Reply;
use crate::harness::Server;
use rollbook::domain::Scopes;
use rollbook::http::admin::openapi;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opens {
    /// Operators.
    Operator,
    /// Operators, and the tenant's own admins.
    Tenant,
    /// The same, with the scope for what opens accounts.
    Secrets,
}
use Opens::{Operator, Secrets, Tenant};

/// All routes: method, path, who may use it, and a body that makes sense.
const ROUTES: &[(&str, &str, Opens, &str)] = &[
    ("GET", "/keys", Operator, ""),
    ("POST", "/keys", Operator, r#"{"name":"x"}"#),
    ("DELETE", "/keys/{id}", Operator, ""),
    ("GET", "/setup", Operator, ""),
    ("PUT", "/setup", Operator, r#"{"tenants":[]}"#),
    ("GET", "/tenants", Tenant, ""),
    ("POST", "/tenants", Operator, r#"{"name":"new"}"#),
    ("GET", "/tenants/{tenant}", Tenant, ""),
    ("PATCH", "/tenants/{tenant}", Tenant, r#"{"unique_group_names":true}"#),
    ("DELETE", "/tenants/{tenant}", Operator, ""),
    ("GET", "/tenants/{tenant}/deletion", Operator, ""),
    ("GET", "/tenants/{tenant}/keys", Tenant, ""),
    ("POST", "/tenants/{tenant}/keys", Tenant, r#"{"name":"x","scopes":["admin:write"]}"#),
    ("DELETE", "/tenants/{tenant}/keys/{id}", Tenant, ""),
    ("GET", "/tenants/{tenant}/sources", Tenant, ""),
    ("POST", "/tenants/{tenant}/sources", Tenant, r#"{"name":"new"}"#),
    ("GET", "/tenants/{tenant}/sources/{source}", Tenant, ""),
    ("PATCH", "/tenants/{tenant}/sources/{source}", Tenant, r#"{"state":"detached"}"#),
    ("DELETE", "/tenants/{tenant}/sources/{source}", Tenant, ""),
    ("GET", "/tenants/{tenant}/tokens", Tenant, ""),
    ("POST", "/tenants/{tenant}/tokens", Tenant, r#"{"scopes":["scim:write"]}"#),
    ("GET", "/tenants/{tenant}/tokens/{id}", Tenant, ""),
    ("DELETE", "/tenants/{tenant}/tokens/{id}", Tenant, ""),
    ("GET", "/tenants/{tenant}/tokens/{id}/rotation", Tenant, ""),
    ("POST", "/tenants/{tenant}/tokens/{id}/rotation", Tenant, ""),
    ("PATCH", "/tenants/{tenant}/tokens/{id}/rotation", Tenant, r#"{"state":"complete"}"#),
    ("DELETE", "/tenants/{tenant}/tokens/{id}/rotation", Tenant, ""),
    ("GET", "/tenants/{tenant}/groups", Tenant, ""),
    ("GET", "/tenants/{tenant}/groups/{id}", Tenant, ""),
    ("GET", "/tenants/{tenant}/groups/{id}/members", Tenant, ""),
    ("GET", "/tenants/{tenant}/locations", Tenant, ""),
    ("POST", "/tenants/{tenant}/locations", Tenant, r#"{"name":"Zurich"}"#),
    ("PATCH", "/tenants/{tenant}/locations/{name}", Tenant, r#"{"name":"Basel"}"#),
    ("DELETE", "/tenants/{tenant}/locations/{name}", Tenant, ""),
    ("GET", "/tenants/{tenant}/schemas", Tenant, ""),
    ("POST", "/tenants/{tenant}/schemas", Tenant, r#"{"id":"urn:example:new","attributes":[{"name":"a"}]}"#),
    ("GET", "/tenants/{tenant}/schemas/{urn}", Tenant, ""),
    ("PUT", "/tenants/{tenant}/schemas/{urn}", Tenant, r#"{"attributes":[{"name":"b"}]}"#),
    ("DELETE", "/tenants/{tenant}/schemas/{urn}", Tenant, ""),
    ("GET", "/tenants/{tenant}/resource_types", Tenant, ""),
    ("POST", "/tenants/{tenant}/resource_types", Tenant, r#"{"name":"New","endpoint":"/News","schema":"urn:example:here"}"#),
    ("GET", "/tenants/{tenant}/resource_types/{name}", Tenant, ""),
    ("PUT", "/tenants/{tenant}/resource_types/{name}", Tenant, r#"{"endpoint":"/News","schema":"urn:example:here"}"#),
    ("DELETE", "/tenants/{tenant}/resource_types/{name}", Tenant, ""),
    ("GET", "/tenants/{tenant}/audit", Tenant, ""),
    ("GET", "/tenants/{tenant}/tolerances", Tenant, ""),
    ("GET", "/tenants/{tenant}/requests", Tenant, ""),
    ("GET", "/tenants/{tenant}/requests/{id}", Tenant, ""),
    ("POST", "/tenants/{tenant}/explanations", Tenant, r#"{"method":"GET","path":"/Users"}"#),
    ("GET", "/tenants/{tenant}/codes", Secrets, ""),
    ("GET", "/tenants/{tenant}/mails", Tenant, ""),
    ("PATCH", "/tenants/{tenant}/mails", Tenant, r#"{"state":"queued"}"#),
    ("GET", "/tenants/{tenant}/mails/{id}", Tenant, ""),
    ("PATCH", "/tenants/{tenant}/mails/{id}", Tenant, r#"{"state":"queued"}"#),
    ("GET", "/tenants/{tenant}/freezes", Tenant, ""),
    ("PUT", "/tenants/{tenant}/freezes/confirmation", Tenant, ""),
    ("GET", "/tenants/{tenant}/members", Tenant, ""),
    ("POST", "/tenants/{tenant}/members", Tenant, r#"{"user":{"userName":"new@example.com"}}"#),
    ("GET", "/tenants/{tenant}/members/{member}", Tenant, ""),
    ("PATCH", "/tenants/{tenant}/members/{member}", Tenant, r#"{"user":{"title":"x"}}"#),
    ("DELETE", "/tenants/{tenant}/members/{member}", Tenant, ""),
    ("GET", "/tenants/{tenant}/members/{member}/timeline", Tenant, ""),
    ("GET", "/tenants/{tenant}/members/{member}/invitation", Tenant, ""),
    ("POST", "/tenants/{tenant}/members/{member}/invitation", Tenant, ""),
    ("DELETE", "/tenants/{tenant}/members/{member}/invitation", Tenant, ""),
    ("PUT", "/tenants/{tenant}/members/{member}/suspension", Tenant, ""),
    ("DELETE", "/tenants/{tenant}/members/{member}/suspension", Tenant, ""),
    ("PUT", "/tenants/{tenant}/members/{member}/claim", Tenant, ""),
    ("DELETE", "/tenants/{tenant}/members/{member}/claim", Tenant, ""),
    ("PUT", "/tenants/{tenant}/members/{member}/legal_hold", Tenant, r#"{"reason":"x"}"#),
    ("DELETE", "/tenants/{tenant}/members/{member}/legal_hold", Tenant, ""),
    ("POST", "/tenants/{tenant}/members/{member}/erasure", Tenant, r#"{"confirm":true}"#),
    ("DELETE", "/tenants/{tenant}/members/{member}/names", Tenant, ""),
    ("GET", "/tenants/{tenant}/members/{member}/code", Secrets, ""),
    ("POST", "/tenants/{tenant}/members/{member}/code", Tenant, ""),
    ("DELETE", "/tenants/{tenant}/members/{member}/code", Tenant, ""),
    ("GET", "/tenants/{tenant}/jobs", Tenant, ""),
    ("POST", "/tenants/{tenant}/jobs", Tenant, r#"{"action":"invite","all":true}"#),
    ("GET", "/tenants/{tenant}/jobs/{id}", Tenant, ""),
    ("GET", "/tenants/{tenant}/jobs/{id}/failures", Tenant, ""),
    ("GET", "/tenants/{tenant}/clients", Tenant, ""),
    ("POST", "/tenants/{tenant}/clients", Tenant, r#"{"name":"x","auth":"secret","scopes":["scim:write"]}"#),
    ("GET", "/tenants/{tenant}/clients/{id}", Tenant, ""),
    ("DELETE", "/tenants/{tenant}/clients/{id}", Tenant, ""),
    ("GET", "/tenants/{tenant}/issuers", Tenant, ""),
    (
        "POST",
        "/tenants/{tenant}/issuers",
        Operator,
        r#"{"issuer":"https://issuer.example.com","audience":"a","subject":"s","key_set_url":"https://issuer.example.com/keys"}"#,
    ),
    ("GET", "/tenants/{tenant}/issuers/{id}", Tenant, ""),
    ("DELETE", "/tenants/{tenant}/issuers/{id}", Operator, ""),
];

const OF_TENANT: &str = "/tenants/{tenant}";

/// Every route that the description has.
fn described() -> BTreeSet<(String, String)> {
    let paths = openapi::described()["paths"].as_object().unwrap();
    let of = |(path, operations): (&String, &Value)| {
        let path = path.strip_prefix("/admin/v1").unwrap().to_owned();
        operations.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

/// Every route that the source of the route table has.
fn in_source() -> BTreeSet<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/admin/mod.rs");
    let text = std::fs::read_to_string(file).unwrap();
    let text: String = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for function in text.split("\nfn ").skip(1) {
        let prefix = if function.starts_with("versioned") { "" } else { OF_TENANT };
        for call in function.split("only(\"").skip(1).filter(|c| !c.starts_with("/admin")) {
            let (path, rest) = call.split_once('"').unwrap();
            let (methods, _) = rest.split_once("&[").unwrap().1.split_once(']').unwrap();
            let methods = methods.split(", ").map(|m| m.trim_start_matches("Method::").to_owned());
            found.extend(methods.map(|m| (m, format!("{prefix}{path}"))));
        }
    }
    found
}

/// Fails when the route table, the description and the table of this file do not agree.
#[test]
fn the_tables_agree() {
    let here: BTreeSet<_> = ROUTES.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(described(), here, "the description, and the table of this file");
    assert_eq!(in_source(), here, "src/http/admin/mod.rs, and the table of this file");
}

/// The documentation has a row for every path.
#[test]
fn the_documentation_lists_every_route() {
    let text = include_str!("../../docs/admin-api.md");
    for (method, path, opens, _) in ROUTES {
        let short = path.strip_prefix(OF_TENANT).filter(|rest| !rest.is_empty()).unwrap_or(path);
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with(&format!("| `{short}` |"))).collect();
        let cell = rows.iter().flat_map(|row| row.split("; ")).find(|cell| cell.contains(&format!("{method}: ")));
        let cell = cell.unwrap_or_else(|| panic!("{method} {path} is not in docs/admin-api.md"));
        let mark = match opens {
            Operator => "**O**",
            Secrets => "**S**",
            Tenant => "",
        };
        assert!(cell.contains(mark), "{method} {path}: {cell} lacks {mark}");
    }
}

/// Every operation says what it does, how it ends well, and that a key is needed.
#[test]
fn the_description_is_complete() {
    for (path, operations) in openapi::described()["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{place} has no summary");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|s| s.starts_with('2')), "{place} says of no success");
            assert!(answers.contains_key("401") && answers.contains_key("403"), "{place}");
        }
    }
}

/// A path to something of a tenant.
fn path(pattern: &str, tenant: &str, things: &Value) -> String {
    let parts = pattern.split('/').collect::<Vec<_>>();
    let kind = parts.get(3).copied().unwrap_or_default();
    let thing = things.get(kind).and_then(Value::as_str).unwrap_or("0198c1f2-1111-7000-8000-000000000001");
    let mut out =
        pattern.replace("{tenant}", tenant).replace("{source}", "default").replace("{name}", "Here").replace("{urn}", "urn:example:here");
    for name in ["{id}", "{member}"] {
        out = out.replace(name, thing);
    }
    out
}

fn send(admin: &Admin, method: &str, path: &str, body: &str) -> Reply {
    let reply = admin.send(method, path, &[], (!body.is_empty()).then_some(body));
    assert!(reply.status < 500, "{method} {path}: {}", reply.text);
    reply
}

/// A tenant with one of everything.
struct Victim {
    name: String,
    things: Value,
    operator: Admin,
    before: Value,
}

impl Victim {
    fn new(server: &Server) -> Self {
        let client = server.tenant_set(rollbook::domain::Idp::Auto, |s| s.auto_invite = true);
        let operator = Admin::operator(server);
        let user = client.user_with(json!({"userName": "anna@example.com", "emails": [{"value": "anna@example.com"}]}));
        let group = client.group("Staff", &[crate::clients::id(&user)]);
        let at = format!("/tenants/{}", client.tenant);
        operator.post(&format!("{at}/locations"), &json!({"name": "Here"})).expect(201);
        operator.post(&format!("{at}/schemas"), &json!({"id": "urn:example:here", "attributes": [{"name": "a"}]})).expect(201);
        let here = json!({"name": "Here", "endpoint": "/Heres", "schema": "urn:example:here"});
        operator.post(&format!("{at}/resource_types"), &here).expect(201);
        let token = operator.post(&format!("{at}/tokens"), &json!({})).expect(201);
        let mail = operator.get(&format!("{at}/mails")).expect(200)["items"][0]["id"].clone();
        let key = operator.post(&format!("{at}/keys"), &json!({"name": "theirs"})).expect(201);
        let job = operator.post(&format!("{at}/jobs"), &json!({"action": "invite", "all": true})).expect(202);
        let robot = operator.post(&format!("{at}/clients"), &json!({"name": "robot", "auth": "secret"})).expect(201);
        let keys = "https://issuer.example.com/keys";
        let issuer = json!({"issuer": "https://issuer.example.com", "audience": client.tenant, "subject": "anna", "key_set_url": keys});
        let issuer = operator.post(&format!("{at}/issuers"), &issuer).expect(201);
        let logged = operator.get(&format!("{at}/requests")).expect(200)["items"][0]["id"].clone();
        let things = json!({"requests": logged, "jobs": job["id"], "clients": robot["id"], "issuers": issuer["id"], "tokens": token["id"], "groups": group["id"], "mails": mail, "keys": key["id"], "members": user["id"]});
        let mut victim = Self { name: client.tenant, things, operator, before: Value::Null };
        victim.before = victim.state();
        victim
    }

    fn state(&self) -> Value {
        let at = format!("/tenants/{}", self.name);
        let of = |what: &str| {
            let mut shown = self.operator.get(&format!("{at}{what}")).expect(200);
            // When something was last used is no change of it.
            for item in shown["items"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
                item.remove("last_used_at");
            }
            shown
        };
        ["", "/sources", "/tokens", "/keys", "/groups", "/locations", "/mails", "/jobs", "/clients", "/issuers", "/audit"]
            .map(of)
            .to_vec()
            .into()
    }

    /// Fails unless everything is as it was.
    #[track_caller]
    fn is_unharmed(&self) {
        assert_eq!(self.state(), self.before);
    }

    fn path(&self, pattern: &str) -> String {
        path(pattern, &self.name, &self.things)
    }
}

#[track_caller]
fn tells_nothing(reply: &Reply, place: &str) {
    assert!(!["anna", "Staff", "Here"].iter().any(|secret| reply.text.contains(secret)), "{place}: {}", reply.text);
}

on_both! {
    /// R221, R223: without a key, with a wrong one, and with a SCIM token nothing answers.
    fn without_a_key(server) {
        let mut victim = Victim::new(server);
        let token = server.client(&victim.name, EVERYTHING).token;
        victim.before = victim.state();
        let nobodies = [None, Some("rbo_wrong"), Some("rba_wrong"), token.as_deref()];
        for (method, pattern, _, body) in ROUTES {
            for key in nobodies {
                let place = format!("{method} {pattern} with {key:?}");
                let reply = send(&Admin::with_key(server, key), method, &victim.path(pattern), body);
                problem(&reply, 401, "unauthorized");
                let challenge = reply.header("www-authenticate");
                assert_eq!(challenge.contains("error=\"invalid_token\""), key.is_some(), "{place}: {challenge}");
                tells_nothing(&reply, &place);
            }
        }
        victim.is_unharmed();
    }

    /// A key that may read writes nothing, one that may write reads nothing.
    fn with_too_little_scope(server) {
        let victim = Victim::new(server);
        let reader = Admin::operator_with(server, READ_ONLY);
        let writer = Admin::operator_with(server, Scopes { read: false, write: true, secrets: false });
        for (method, pattern, _, body) in ROUTES {
            let who = if *method == "GET" { &writer } else { &reader };
            let reply = send(who, method, &victim.path(pattern), body);
            let detail = problem(&reply, 403, "insufficient-scope");
            assert!(detail.contains(if *method == "GET" { "admin:read" } else { "admin:write" }), "{method} {pattern}: {detail}");
            assert!(reply.header("www-authenticate").contains("insufficient_scope"));
            tells_nothing(&reply, pattern);
        }
        victim.is_unharmed();
    }

    /// R230: a key of another tenant finds nothing of this one's, and cannot tell it from a tenant that does not exist.
    fn with_another_tenants_key(server) {
        let victim = Victim::new(server);
        let stranger = server.tenant();
        let stranger = Admin::of(server, &stranger.tenant, EVERYTHING);
        for (method, pattern, opens, body) in ROUTES.iter().filter(|(_, p, ..)| p.starts_with(OF_TENANT)) {
            let place = format!("{method} {pattern}");
            let reply = send(&stranger, method, &victim.path(pattern), body);
            let absent = send(&stranger, method, &path(pattern, "no-such-tenant", &victim.things), body);
            assert_eq!(reply.status, if *opens == Operator { 403 } else { 404 }, "{place}: {}", reply.text);
            assert_eq!((reply.status, reply.text.replace(&victim.name, "no-such-tenant")), (absent.status, absent.text), "{place}");
            tells_nothing(&reply, &place);
        }
        victim.is_unharmed();
    }

    /// Ids of another tenant's things are not there, under one's own name.
    fn with_another_tenants_ids(server) {
        let victim = Victim::new(server);
        let own = server.tenant().tenant;
        let stranger = Admin::of(server, &own, EVERYTHING);
        for (method, pattern, opens, body) in ROUTES.iter().filter(|(_, p, ..)| p.contains("{id}") || p.contains("{member}")) {
            if *opens == Operator {
                continue;
            }
            let reply = send(&stranger, method, &path(pattern, &own, &victim.things), body);
            problem(&reply, 404, "not-found");
            tells_nothing(&reply, pattern);
        }
        victim.is_unharmed();
    }

    /// What is the operator's is not the tenant's admins', nor what opens accounts without its scope.
    fn with_the_tenants_own_key(server) {
        let mut victim = Victim::new(server);
        let admin = Admin::of(server, &victim.name, Scopes::ALL);
        victim.before = victim.state();
        for (method, pattern, opens, body) in ROUTES {
            let kind = match opens {
                Operator => "denied",
                Secrets => "insufficient-scope",
                Tenant => continue,
            };
            problem(&send(&admin, method, &victim.path(pattern), body), 403, kind);
        }
        victim.is_unharmed();
        // And what is theirs answers.
        for (method, pattern, opens, _) in ROUTES.iter().filter(|(m, _, o, _)| *m == "GET" && *o == Tenant) {
            let reply = send(&admin, method, &victim.path(pattern), "");
            let absent = pattern.ends_with("/rotation") && reply.status == 404;
            assert!(reply.status == 200 || absent, "{pattern} {opens:?}: {} {}", reply.status, reply.text);
        }
    }

    /// The description and its page need no key, and the page no other host.
    fn the_description_is_open(server) {
        let origin = server.base.strip_suffix("/scim/v2").unwrap();
        let nobody = server.nobody();
        let document = nobody.get(&format!("{origin}/admin/openapi.json")).expect(200);
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        assert_eq!(nobody.get(&format!("{origin}/admin")).header("location"), "/admin/docs/index.html");
        let page = nobody.get(&format!("{origin}/admin/docs/index.html"));
        assert_eq!(page.status, 200);
        for part in page.text.split(['"', '\'']).filter(|p| p.starts_with("./") || p.starts_with("http") || p.starts_with("//")) {
            assert!(part.starts_with("./"), "the page asks another host: {part}");
            if part.contains("favicon") {
                continue;
            }
            let file = nobody.get(&format!("{origin}/admin/docs/{}", part.trim_start_matches("./")));
            assert_eq!(file.status, 200, "{part}");
        }
        assert_ne!(nobody.get(&format!("{origin}/admin/docs/../v1/tenants")).status, 200);
        assert_eq!(nobody.get(&format!("{origin}/admin/docs/nothing.js")).status, 404);
    }
}
