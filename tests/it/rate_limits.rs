//! Too many requests.

use crate::admin::{Admin, EVERYTHING, problem};
use crate::clients::{Client, Reply, USER, id, user_path};
use crate::harness::{Db, Server};
use crate::stage::{NOON, SECOND};
use rollbook::domain::{Idp, Scopes};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A server with these limits, and its clock.
fn limited(db: Db, tenant: u32, token: u32, burst: u32) -> (Server, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(NOON));
    let clock = time.clone();
    let change = |config: &mut rollbook::config::Config| {
        let l = &mut config.limits;
        (l.requests_per_second_tenant, l.requests_per_second_token, l.request_burst) = (tenant, token, burst);
    };
    let server = Server::with(db, change, Arc::new(move || clock.load(Ordering::SeqCst)));
    (server, time)
}

/// How many of so many requests get through.
fn through(client: &Client, path: &str, times: usize) -> usize {
    (0..times).filter(|_| client.get(path).status == 200).count()
}

#[track_caller]
fn refused(reply: &Reply, setting: &str) {
    let detail = reply.expect_error(429, "");
    assert!(detail.contains(setting), "{detail}");
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    assert!(seconds >= 1, "{seconds}");
}

fn both(check: fn(Db)) {
    check(Db::Sqlite);
    check(Db::Postgres);
}

/// R259: a token has its burst, then its rate; who has to wait is told how long, in SCIM's own words; discovery counts.
#[test]
fn a_token_has_a_limit() {
    both(|db| {
        let (server, time) = limited(db, 0, 2, 10);
        let c = server.tenant();
        assert_eq!(through(&c, "/Users", 9) + through(&c, "/ServiceProviderConfig", 9), 10);
        refused(&c.get("/Users"), "requests_per_second_token");
        refused(&c.get("/Schemas"), "requests_per_second_token");
        refused(&c.post("/Users", &json!({"schemas": [USER], "userName": "sam"})), "requests_per_second_token");
        // Another token of the tenant is another's, and nobody is limited without one.
        let beside = server.client(&c.tenant, Scopes::ALL);
        assert_eq!(beside.get("/Users").expect(200)["totalResults"], 0, "what was refused was not done");
        assert_eq!(through(&server.nobody(), "/ServiceProviderConfig", 30), 30);
        assert_eq!(c.with_token(Some("rbk_wrong")).get("/Users").status, 401);
        time.fetch_add(SECOND, Ordering::SeqCst);
        assert_eq!(through(&c, "/Users", 5), 2);
        time.fetch_add(60 * SECOND, Ordering::SeqCst);
        assert_eq!(through(&c, "/Users", 20), 10);
    });
}

/// R231 R259: the tokens of a tenant share its limit, and other tenants have theirs.
#[test]
fn a_tenant_has_a_limit() {
    both(|db| {
        let (server, _) = limited(db, 2, 0, 10);
        let (c, other) = (server.tenant(), server.tenant());
        let beside = server.client(&c.tenant, Scopes::ALL);
        assert_eq!(through(&c, "/Users", 6) + through(&beside, "/Users", 6), 10);
        refused(&c.get("/Users"), "requests_per_second_tenant");
        refused(&beside.get("/Users"), "requests_per_second_tenant");
        assert_eq!(through(&other, "/Users", 12), 10);
    });
}

/// An operator gives a tenant limits of its own, and takes them away; the tenant's admins do not.
#[test]
fn a_tenant_has_limits_of_its_own() {
    let (server, time) = limited(Db::Sqlite, 0, 0, 10);
    let c = server.tenant();
    let path = format!("/tenants/{}", c.tenant);
    let settings = |value: Value| json!({"settings": {"requests_per_second_token": value, "request_burst": 3}});
    problem(&Admin::of(&server, &c.tenant, EVERYTHING).patch(&path, &settings(json!(5))), 403, "denied");
    let operator = Admin::operator(&server);
    operator.patch(&path, &settings(json!(5))).expect(200);
    server.app.refresh_auth().unwrap();
    assert_eq!(through(&c, "/Users", 5), 3);
    refused(&c.get("/Users"), "5 per second and 3 at once");
    time.fetch_add(10 * SECOND, Ordering::SeqCst);
    operator.patch(&path, &settings(json!(0))).expect(200);
    server.app.refresh_auth().unwrap();
    assert_eq!(through(&c, "/Users", 30), 30);
    assert!(problem(&operator.patch(&path, &json!({"settings": {"request_burst": 0}})), 400, "invalid").contains("request_burst"));
}

/// The admin API has the same limit for each key, and its own way of saying so.
#[test]
fn a_key_has_a_limit() {
    both(|db| {
        let (server, time) = limited(db, 0, 2, 10);
        let (admin, other) = (Admin::operator(&server), Admin::operator(&server));
        assert_eq!(through(&admin.client, "/tenants", 15), 10);
        let reply = admin.get("/tenants");
        assert!(problem(&reply, 429, "too-many-requests").contains("this key"));
        assert_eq!(reply.header("retry-after"), "1");
        other.get("/tenants").expect(200);
        time.fetch_add(SECOND, Ordering::SeqCst);
        assert_eq!(through(&admin.client, "/tenants", 5), 2);
    });
}

/// R236 R259 EN-56 SP-03: with the defaults a whole cycle of a provider gets through at once, and a large PATCH is one request. Refusals
/// are counted.
#[test]
fn the_defaults_are_out_of_the_way() {
    let time = Arc::new(AtomicI64::new(NOON));
    let clock = time.clone();
    let server = Server::with(Db::Sqlite, |_| {}, Arc::new(move || clock.load(Ordering::SeqCst)));
    let c = server.tenant_with(Idp::Entra);
    let people: Vec<Value> = (0..40).map(|n| c.user(&format!("u{n}@example.com"))).collect();
    let group = c.group("Staff", &[]);
    let adds: Vec<Value> =
        (0..1000).map(|n| json!({"op": "Add", "path": "members", "value": [{"value": id(&people[n % people.len()])}]})).collect();
    assert!(c.patch(&crate::clients::group_path(&group), &json!(adds)).status < 300);
    // The clock stands still: 3,000 more at once, and still 25 a second, and ten times that, for a minute.
    assert_eq!(through(&c, &user_path(&people[0]), 3000), 3000);
    for _ in 0..60 {
        time.fetch_add(SECOND, Ordering::SeqCst);
        assert_eq!(through(&c, &user_path(&people[0]), 25), 25);
    }
    let refusals = |server: &Server| server.app.rates.refused().map(|(_, times)| times).sum::<u64>();
    assert_eq!(refusals(&server), 0);
    let (small, _) = limited(Db::Sqlite, 0, 1, 1);
    let c = small.tenant();
    assert_eq!(through(&c, "/Users", 5), 1);
    assert_eq!(refusals(&small), 4);
    let scrape = actix_web::rt::System::new().block_on(small.app.scrape());
    assert!(scrape.contains("rollbook_requests_limited_total{limit=\"token\"} 4"), "{scrape}");
}
