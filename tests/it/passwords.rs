//! Passwords that clients send, where the tenant keeps them.

use crate::admin::{Admin, EVERYTHING, problem};
use crate::clients::{Client, Reply, USER, id, user_path};
use crate::harness::{Db, Server};
use crate::stage::{DAY, active, submit};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordVerifier};
use rollbook::domain::settings::{DomainRule, PasswordRule, Passwords};
use rollbook::domain::{Idp, TokenKind};
use rollbook::service::members;
use rollbook::service::tokens::{self, Order};
use rollbook::store::codes;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const SECRET: &str = "canary battery staple";

/// A client of a tenant that keeps passwords.
pub fn keeping(server: &Server) -> Client {
    server.tenant_set(Idp::Auto, |s| s.passwords = Passwords::Keep)
}

/// The hash that is kept of somebody.
fn kept(server: &Server, client: &Client, person: &str) -> Option<String> {
    let mut conn = server.connect();
    let tenant = rollbook::service::tenants::named(&mut conn, &client.tenant).unwrap().id;
    codes::password(&mut conn, tenant, person).unwrap()
}

/// Checks which password somebody has.
#[track_caller]
pub fn is(server: &Server, client: &Client, person: &str, password: Option<&str>) {
    let hash = kept(server, client, person);
    let Some(password) = password else { return assert_eq!(hash, None) };
    let hash = hash.expect("there is a password");
    assert!(hash.starts_with("$argon2id$") && !hash.contains(password));
    Argon2::default().verify_password(password.as_bytes(), &PasswordHash::new(&hash).unwrap()).unwrap();
}

#[track_caller]
fn silent(reply: &Reply) -> Value {
    assert!(reply.status < 300, "{}", reply.text);
    assert!(!reply.text.contains("password") && !reply.text.contains("canary") && !reply.text.contains("$argon2"), "{}", reply.text);
    if reply.text.is_empty() { Value::Null } else { reply.json() }
}

fn replace(value: &Value) -> Value {
    json!([{"op": "replace", "path": "password", "value": value}])
}

fn version(user: &Value) -> &str {
    user["meta"]["version"].as_str().unwrap()
}

on_both! {
    /// R027 R044 R232 R234: a password is kept as a hash, and no answer shows it or the hash, however it is asked for.
    fn a_password_is_hashed_and_never_shown(server) {
        let c = keeping(server);
        let body = json!({"schemas": [USER], "userName": "sam", "password": SECRET});
        let user = silent(&c.post("/Users?attributes=password,userName", &body));
        let path = user_path(&user);
        is(server, &c, id(&user), Some(SECRET));
        for reply in [
            c.get(&path), c.get(&format!("{path}?attributes=password")), c.get("/Users"), c.put(&path, &body),
            c.post("/Users/.search", &json!({"schemas": [crate::clients::SEARCH], "attributes": ["password", "userName"]})),
            c.patch(&path, &replace(&json!("canary 2"))), c.patch(&path, &json!([{"op": "add", "value": {"Password": "canary 3", "title": "t"}}])),
        ] {
            silent(&reply);
        }
        is(server, &c, id(&user), Some("canary 3"));
        assert!(server.notes(&c.tenant).iter().all(|e| !e.notes.contains("password") && !e.notes.contains("canary")));
        let admin = Admin::of(server, &c.tenant, EVERYTHING);
        for path in ["", "/timeline"] {
            let told = admin.get(&format!("/tenants/{}/members/{}{path}", c.tenant, id(&user)));
            assert!(!told.text.contains("canary") && !told.text.contains("$argon2"), "{}", told.text);
        }
    }

    /// R046: nothing can be found out about a password by filtering or sorting.
    fn passwords_cannot_be_searched(server) {
        let c = keeping(server);
        c.post("/Users", &json!({"schemas": [USER], "userName": "sam", "password": SECRET})).expect(201);
        for filter in [format!("password eq \"{SECRET}\""), "password pr".into(), "not (password sw \"c\")".into(), format!("{USER}:password co \"c\"")] {
            let reply = c.filter("/Users", &filter);
            assert!([400, 403].contains(&reply.status), "{filter}: {}", reply.text);
        }
        let sorted = c.get("/Users?sortBy=password");
        assert!([400, 403].contains(&sorted.status), "{}", sorted.text);
    }

    /// R150: what is not mentioned stays; null and a remove take it away; the same one again is no change.
    fn a_password_stays_until_it_is_changed(server) {
        let c = keeping(server);
        let with = |password: Value| json!({"schemas": [USER], "userName": "sam", "password": password});
        let user = c.post("/Users", &with(json!(SECRET))).expect(201);
        let (path, who) = (user_path(&user), id(&user));
        let hash = kept(server, &c, who);
        let same = c.put(&path, &with(json!(SECRET))).expect(200);
        assert_eq!((version(&same), kept(server, &c, who)), (version(&user), hash.clone()));
        assert_eq!(version(&c.patch(&path, &replace(&json!(SECRET))).expect(200)), version(&user));
        let renamed = c.put(&path, &json!({"schemas": [USER], "userName": "sam", "title": "t"})).expect(200);
        assert_eq!(kept(server, &c, who), hash);
        let changed = c.put(&path, &json!({"schemas": [USER], "userName": "sam", "title": "t", "password": "canary 2"})).expect(200);
        assert_ne!(version(&changed), version(&renamed));
        is(server, &c, who, Some("canary 2"));
        c.send("PATCH", &path, &[("if-match", version(&renamed))], Some("{}")).expect(412);
        let two = json!([{"op": "replace", "path": "password", "value": "canary 3"}, {"op": "replace", "path": "title", "value": "u"}]);
        assert_eq!(c.patch(&path, &two).expect(200)["title"], "u");
        is(server, &c, who, Some("canary 3"));
        let gone = c.patch(&path, &json!([{"op": "remove", "path": format!("{USER}:password")}])).expect(200);
        is(server, &c, who, None);
        assert_eq!(version(&c.patch(&path, &json!([{"op": "remove", "path": "password"}])).expect(200)), version(&gone));
        c.patch(&path, &json!([{"op": "add", "path": "password", "value": SECRET}])).expect(200);
        is(server, &c, who, Some(SECRET));
        c.put(&path, &with(Value::Null)).expect(200);
        is(server, &c, who, None);
        c.patch(&path, &json!([{"op": "replace", "path": "password", "value": SECRET}, {"op": "replace", "path": "userName", "value": ""}])).expect(400);
        is(server, &c, who, None);
    }

    /// OK-14: what cannot be a password is refused with its reason, which does not repeat it.
    fn what_is_no_password(server) {
        let c = keeping(server);
        let user = c.user("sam");
        let long = "x".repeat(1025);
        for value in [json!(""), json!(17), json!(["canary"]), json!({"value": "canary"}), json!(long)] {
            for reply in [
                c.post("/Users", &json!({"schemas": [USER], "userName": "new", "password": value})),
                c.put(&user_path(&user), &json!({"schemas": [USER], "userName": "sam", "password": value})),
                c.patch(&user_path(&user), &replace(&value)),
                c.patch(&user_path(&user), &json!([{"op": "replace", "value": {"password": value}}])),
            ] {
                let detail = reply.expect_error(400, "invalidValue");
                assert!(detail.contains("password") && !detail.contains("canary") && !detail.contains("xxx"), "{detail}");
            }
        }
        let twice = format!("{{\"schemas\": [\"{USER}\"], \"userName\": \"new\", \"password\": \"a\", \"PASSWORD\": \"b\"}}");
        c.send("POST", "/Users", &[], Some(&twice)).expect_error(400, "invalidSyntax");
        c.patch(&user_path(&user), &replace(&json!("x".repeat(1024)))).expect(200);
        assert_eq!(c.get("/Users").expect(200)["totalResults"], 1);
    }

    /// R063: whether a password can be changed is announced to those for whom it is so.
    fn it_is_announced(server) {
        let announced = |c: &Client| c.get("/ServiceProviderConfig").expect(200)["changePassword"]["supported"].clone();
        assert_eq!(announced(&keeping(server)), true);
        assert_eq!((announced(&server.tenant()), announced(&server.nobody())), (json!(false), json!(false)));
        let admin = Admin::operator(server);
        let c = keeping(server);
        let user = c.user("sam");
        let given = json!({"user": {"password": SECRET}});
        assert!(problem(&admin.patch(&format!("/tenants/{}/members/{}", c.tenant, id(&user)), &given), 400, "invalid").contains("password"));
        is(server, &c, id(&user), None);
    }

    /// Whoever writes at the same time leaves one password, and the members' row counts each change.
    fn two_at_once(server) {
        let c = keeping(server);
        let user = c.user("sam");
        let path = user_path(&user);
        std::thread::scope(|scope| {
            for n in 0..4 {
                let (c, path) = (&c, &path);
                scope.spawn(move || c.patch(path, &replace(&json!(format!("canary {n}")))).expect(200));
            }
        });
        let hash = kept(server, &c, id(&user)).unwrap();
        let hash = PasswordHash::new(&hash).unwrap();
        let found = (0..4).filter(|n| Argon2::default().verify_password(format!("canary {n}").as_bytes(), &hash).is_ok());
        assert_eq!(found.count(), 1);
        server.assert_sound();
    }
}

on_stage! {
    /// R235: the history says that a password was changed, by whom, and not which.
    fn the_history_knows_of_it(stage) {
        let client = stage.tenant(|s| s.passwords = Passwords::Keep);
        let user = client.post("/Users", &json!({"schemas": [USER], "userName": "sam@example.com", "password": SECRET})).expect(201);
        let path = user_path(&user);
        client.patch(&path, &replace(&json!(SECRET))).expect(200);
        client.patch(&path, &replace(&json!("canary 2"))).expect(200);
        client.patch(&path, &json!([{"op": "remove", "path": "password"}])).expect(200);
        let lines = stage.timeline(&client.tenant, id(&user));
        let events: Vec<&str> = lines.iter().map(|l| l.event.as_str()).collect();
        assert_eq!(events, ["provisioned", "password_changed", "password_removed"]);
        assert!(lines.iter().all(|l| !l.sentence().contains("canary")));
    }

    /// R-ANON-1: it survives the quarantine, is forgotten with an undone claim, and goes with the person.
    fn it_lives_as_long_as_the_account(stage) {
        let client = stage.tenant(|s| (s.passwords, s.quarantine_days, s.auto_invite, s.password) = (Passwords::Keep, 1, true, PasswordRule::Required));
        let body = json!({
            "schemas": [USER], "userName": "sam@example.com", "externalId": "e", "password": SECRET,
            "emails": [{"value": "sam@example.com", "primary": true}]
        });
        let user = client.post("/Users", &body).expect(201);
        let (path, who, server) = (user_path(&user), id(&user), &stage.server);
        is(server, &client, who, Some(SECRET));
        // Before the account is claimed.
        server.assert_sound();
        stage.settle();
        let chosen = "chosen by the member";
        assert!(submit(&stage.visitor(), &stage.one_mail().link(), &[("password", chosen), ("password_again", chosen)]).status < 400);
        is(server, &client, who, Some(chosen));
        client.patch(&path, &active(false)).expect(200);
        is(server, &client, who, Some(chosen));
        client.patch(&path, &active(true)).expect(200);
        is(server, &client, who, Some(chosen));
        client.patch(&path, &replace(&json!(SECRET))).expect(200);
        is(server, &client, who, Some(SECRET));
        stage.admin(&client.tenant, |c, act| members::reset(c, act, who)).unwrap();
        is(server, &client, who, None);
        client.patch(&path, &replace(&json!(SECRET))).expect(200);
        client.delete(&path).expect(204);
        is(server, &client, who, Some(SECRET));
        // Back under another id, with another one.
        let mut again = body.clone();
        again["password"] = json!("canary 2");
        let back = client.post("/Users", &again).expect(201);
        assert_ne!(back["id"], user["id"]);
        is(server, &client, who, Some("canary 2"));
        client.delete(&user_path(&back)).expect(204);
        stage.pass(2 * DAY);
        is(server, &client, who, None);
        server.assert_sound();
    }

    /// R-DOM-1: a provider that does not own the domain cannot take over a claimed account by its password; the member can change it.
    fn a_claimed_account_is_not_taken_over(stage) {
        let client = stage.tenant(|s| (s.passwords, s.auto_invite) = (Passwords::Keep, true));
        let body = json!({"schemas": [USER], "userName": "sam@example.com", "password": SECRET, "emails": [{"value": "sam@example.com", "primary": true}]});
        let user = client.post("/Users", &body).expect(201);
        stage.settle();
        assert!(submit(&stage.visitor(), &stage.one_mail().link(), &[]).status < 400);
        stage.set(&client.tenant, |s| s.domains = DomainRule::Verified);
        for wish in [replace(&json!("canary 2")), json!([{"op": "remove", "path": "password"}])] {
            let detail = client.patch(&user_path(&user), &wish).expect_error(403, "");
            assert!(detail.contains("domain_not_verified: password"), "{detail}");
        }
        // What is so already is no change.
        client.patch(&user_path(&user), &replace(&json!(SECRET))).expect(200);
        is(&stage.server, &client, id(&user), Some(SECRET));
        let order = Order { member: Some(id(&user).to_owned()), ..Order::default() };
        let (_, secret) = stage.admin(&client.tenant, |c, act| tokens::issue_for(c, act, &order)).unwrap();
        client.with_token(Some(&secret)).patch("/Me", &replace(&json!("canary 3"))).expect(200);
        is(&stage.server, &client, id(&user), Some("canary 3"));
        stage.set(&client.tenant, |s| s.verified_domains = vec!["example.com".into()]);
        client.patch(&user_path(&user), &replace(&json!("canary 4"))).expect(200);
    }

    /// R220: members choose their own, unless the tenant says otherwise.
    fn members_change_their_own(stage) {
        let client = stage.tenant(|s| s.passwords = Passwords::Keep);
        let user = client.user("sam@example.com");
        let order = Order { member: Some(id(&user).to_owned()), kind: TokenKind::Opaque, ..Order::default() };
        let (_, secret) = stage.admin(&client.tenant, |c, act| tokens::issue_for(c, act, &order)).unwrap();
        let me = client.with_token(Some(&secret));
        silent(&me.patch("/Me", &replace(&json!(SECRET))));
        is(&stage.server, &client, id(&user), Some(SECRET));
        stage.set(&client.tenant, |s| s.self_service.retain(|name| name != "password"));
        for wish in [replace(&json!("canary 2")), json!([{"op": "remove", "path": "password"}])] {
            assert!(me.patch("/Me", &wish).expect_error(403, "").contains("password"));
        }
        is(&stage.server, &client, id(&user), Some(SECRET));
    }
}

/// However many passwords come at once, others are served meanwhile.
#[test]
fn hashing_starves_nobody() {
    let server = Server::start(Db::Sqlite);
    let c = keeping(&server);
    let user = c.user("sam");
    std::thread::scope(|scope| {
        let busy: Vec<_> = (0..8)
            .map(|n| {
                let (c, body) = (&c, json!({"schemas": [USER], "userName": format!("u{n}"), "password": SECRET}));
                // Who would have to wait too long is told to come again.
                scope.spawn(move || assert!([201, 503].contains(&c.post("/Users", &body).status)))
            })
            .collect();
        let mut slowest = Duration::ZERO;
        while busy.iter().any(|b| !b.is_finished()) {
            let began = Instant::now();
            c.get(&user_path(&user)).expect(200);
            slowest = slowest.max(began.elapsed());
        }
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    });
}
