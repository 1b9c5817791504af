//! Outside issuers: which of their tokens open SCIM.

use crate::clients::{Client, id};
use crate::harness::{Db, Server};
use crate::oauth::Admin;
use crate::program::Place;
use crate::signers::{KeyServer, Signer, confused, forged, ok};
use crate::stage::{HOUR, SECOND};
use jsonwebtoken::Algorithm;
use rollbook::domain::Scopes;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const ISSUER: &str = "https://sts.windows.net/11111111-2222-3333-4444-555555555555/";
const AUDIENCE: &str = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621";
const SUBJECT: &str = "99999999-8888-7777-6666-555555555555";

/// A tenant that trusts an issuer, its keys, and where they are.
struct Trust {
    client: Client,
    signer: Signer,
    keys: KeyServer,
    /// As the admin API shows it.
    shown: Value,
}

fn order(url: &str, more: &Value) -> Value {
    let mut body = json!({"issuer": ISSUER, "audience": AUDIENCE, "subject": SUBJECT, "key_set_url": url});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

impl Trust {
    fn new(server: &Server, more: &Value) -> Self {
        let (client, signer) = (server.tenant(), Signer::new("k1", Algorithm::RS256));
        let keys = KeyServer::start(&signer.set());
        let path = format!("/tenants/{}/issuers", client.tenant);
        let shown = Admin::operator(server).post(&path, &order(&keys.url, more)).expect(201);
        Self { client, signer, keys, shown }
    }

    fn status(&self, token: &str) -> u16 {
        self.client.with_token(Some(token)).get("/Users").status
    }
}

/// Claims such as Microsoft Entra ID makes them.
fn claims(now: i64) -> Value {
    let now = now / SECOND;
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "oid": SUBJECT, "appid": "an-app", "appidacr": "2", "ver": "1.0",
           "iat": now - 5, "nbf": now - 5, "exp": now + 3600})
}

/// The claims with one of them changed, or left out.
fn changed(now: i64, name: &str, value: Value) -> Value {
    let mut out = claims(now);
    match value {
        Value::Null => drop(out.as_object_mut().unwrap().shift_remove(name)),
        value => out[name] = value,
    }
    out
}

on_stage! {
    /// EN-55: the tokens of a trusted issuer open SCIM for a tenant, from creation to removal.
    fn a_day_with_a_foreign_token(stage) {
        let server = &stage.server;
        let trust = Trust::new(server, &json!({}));
        assert_eq!((&trust.shown["subject"], &trust.shown["scopes"]), (&json!(SUBJECT), &json!(["scim:read", "scim:write"])));
        let token = trust.signer.sign(&claims(stage.now()));
        let scim = trust.client.with_token(Some(&token));
        let anna = scim.user("anna");
        assert_eq!(trust.client.get(&format!("/Users/{}", id(&anna))).expect(200)["userName"], "anna");
        assert_eq!(trust.status(&trust.signer.sign_as("at+jwt", &claims(stage.now()))), 200);
        assert_eq!(trust.keys.asked(), 1);
        let admin = Admin::operator(server);
        let path = format!("/tenants/{}/issuers/{}", trust.client.tenant, id(&trust.shown));
        let began = Instant::now();
        while admin.get(&path).expect(200)["last_used_at"].is_null() {
            assert!(began.elapsed() < Duration::from_secs(5), "the use is not written down");
            std::thread::sleep(Duration::from_millis(100));
        }
        // It expires, with a minute for clocks that differ.
        stage.pass_quietly(HOUR + 59 * SECOND);
        assert_eq!(trust.status(&token), 200);
        stage.pass_quietly(SECOND);
        assert_eq!(trust.status(&token), 401);
        let fresh = trust.signer.sign(&claims(stage.now()));
        assert_eq!(trust.status(&fresh), 200);
        admin.delete(&path).expect(204);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(trust.status(&fresh), 401);
        admin.delete(&path).expect(404);
    }

    /// Nothing but the very issuer, audience and subject will do.
    fn one_thing_wrong(stage) {
        let trust = Trust::new(&stage.server, &json!({"scopes": ["scim:read"]}));
        let now = stage.now();
        let soon = json!(now / SECOND + 61);
        let probes = [
            ("iss", json!("https://sts.windows.net/11111111-2222-3333-4444-555555555555")),
            ("iss", json!("https://other.example.com/")),
            ("iss", json!("rollbook")),
            ("iss", json!(&*stage.server.app.origin)),
            ("iss", Value::Null),
            ("iss", json!("a\u{0}")),
            ("aud", json!("00000003-0000-0000-c000-000000000000")),
            ("aud", json!([])),
            ("aud", Value::Null),
            ("sub", json!("another")),
            ("sub", json!("*")),
            ("sub", Value::Null),
            ("sub", json!([SUBJECT])),
            ("exp", json!(now / SECOND - 60)),
            ("exp", Value::Null),
            ("exp", json!("tomorrow")),
            ("nbf", soon.clone()),
            ("iat", soon),
        ];
        for (name, value) in probes {
            let token = trust.signer.sign(&changed(now, name, value.clone()));
            assert_eq!(trust.status(&token), 401, "{name}: {value}");
        }
        assert_eq!(trust.status(&trust.signer.sign(&changed(now, "aud", json!(["other", AUDIENCE])))), 200);
        assert_eq!(trust.status(&trust.signer.sign(&changed(now, "nbf", json!(now / SECOND + 59)))), 200);
        for typ in ["rollbook-claim+jwt", "logout+jwt", "dpop+jwt"] {
            assert_eq!(trust.status(&trust.signer.sign_as(typ, &claims(now))), 401, "{typ}");
        }
        let reply = trust.client.with_token(Some(&trust.signer.sign(&claims(now)))).post("/Users", &json!({}));
        reply.expect_error(403, "");
    }

    /// The key decides about the algorithm, and nobody else's key is one.
    fn keys_are_not_confused(stage) {
        let trust = Trust::new(&stage.server, &json!({}));
        let good = claims(stage.now());
        let modulus = trust.signer.jwk["n"].as_str().unwrap();
        let probes = [
            forged(&json!({"alg": "none", "kid": "k1", "typ": "JWT"}), &good, "AAAA"),
            forged(&json!({"alg": "none", "kid": "k1", "typ": "JWT"}), &good, ""),
            confused(&trust.signer, &good, modulus.as_bytes()),
            confused(&trust.signer, &good, trust.signer.jwk.to_string().as_bytes()),
            Signer::new("k1", Algorithm::RS256).sign(&good),
            Signer::new("k1", Algorithm::ES256).sign(&good),
            Signer::new("unknown", Algorithm::RS256).sign(&good),
        ];
        for (n, probe) in probes.iter().enumerate() {
            let reply = trust.client.with_token(Some(probe)).get("/Users");
            reply.expect_error(401, "");
            assert!(reply.header("www-authenticate").contains("invalid_token"), "{n}");
        }
        assert_eq!(trust.status(&trust.signer.sign(&good)), 200);
        // A secret or a key for encryption in the set is no key for signatures.
        let server = &stage.server;
        let odd = Trust::new(server, &json!({"audience": "odd"}));
        let mut encrypting = odd.signer.jwk.clone();
        encrypting["use"] = json!("enc");
        let secret = json!({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAA", "alg": "HS256", "kid": "k1"});
        odd.keys.tell(&json!({"keys": [secret, encrypting, {"kty": "unheard-of"}]}));
        let for_odd = changed(stage.now(), "aud", json!("odd"));
        assert_eq!(odd.status(&odd.signer.sign(&for_odd)), 401);
        assert_eq!(odd.status(&confused(&odd.signer, &for_odd, &[0; 16])), 401);
    }

    /// A key that is new is looked for at once, an invented one not again for a minute.
    fn keys_are_rotated(stage) {
        let trust = Trust::new(&stage.server, &json!({}));
        let sign = |signer: &Signer| signer.sign(&claims(stage.now()));
        assert_eq!(trust.status(&sign(&trust.signer)), 200);
        stage.pass_quietly(60 * SECOND);
        let next = Signer::new("k2", Algorithm::ES256);
        trust.keys.tell(&json!({"keys": [trust.signer.jwk, next.jwk]}));
        assert_eq!((trust.status(&sign(&next)), trust.keys.asked()), (200, 2));
        for n in 0..5 {
            assert_eq!(trust.status(&sign(&Signer::new(&format!("x{n}"), Algorithm::EdDSA))), 401);
        }
        assert_eq!(trust.keys.asked(), 2);
        // Taken out of the set, a key is good for ten minutes more.
        trust.keys.tell(&next.set());
        assert_eq!(trust.status(&sign(&trust.signer)), 200);
        stage.pass_quietly(600 * SECOND);
        assert_eq!(trust.status(&sign(&trust.signer)), 401);
        assert_eq!(trust.keys.asked(), 3);
    }

    /// When the keys cannot be fetched, the old ones are good for a day; without any, the provider is asked to try again.
    fn an_endpoint_that_is_down(stage) {
        let trust = Trust::new(&stage.server, &json!({}));
        let sign = || trust.signer.sign(&claims(stage.now()));
        assert_eq!(trust.status(&sign()), 200);
        for bad in ["HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", &ok("[]"), &ok("x"), &ok(&format!("\"{}\"", "x".repeat(300_000)))] {
            trust.keys.answer(bad);
            stage.pass_quietly(5 * HOUR);
            assert_eq!(trust.status(&sign()), 200, "{}", &bad[..20]);
        }
        stage.pass_quietly(4 * HOUR);
        let reply = trust.client.with_token(Some(&sign())).get("/Users");
        reply.expect_error(503, "");
        assert!(!reply.header("retry-after").is_empty());
        trust.keys.tell(&trust.signer.set());
        stage.pass_quietly(5 * SECOND);
        assert_eq!(trust.status(&sign()), 200);
        // A redirect to another server is not followed, whatever is there.
        let elsewhere = KeyServer::start(&trust.signer.set());
        trust.keys.answer(&format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", elsewhere.url));
        stage.pass_quietly(25 * HOUR);
        assert_eq!((trust.status(&sign()), elsewhere.asked()), (503, 0));
    }

    /// Whoever waits for keys holds nobody else up, and everybody who waits shares one fetch.
    fn a_slow_endpoint_blocks_nobody(stage) {
        let server = &stage.server;
        let trust = Trust::new(server, &json!({}));
        trust.keys.wait(Duration::from_secs(3));
        let tokens: Vec<String> = (0..6).map(|n| trust.signer.sign(&changed(stage.now(), "jti", json!(n)))).collect();
        std::thread::scope(|scope| {
            let waiting: Vec<_> = tokens.iter().map(|t| scope.spawn(|| trust.status(t))).collect();
            std::thread::sleep(Duration::from_millis(200));
            let began = Instant::now();
            for _ in 0..10 {
                trust.client.get("/Users").expect(200);
            }
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
            assert_eq!(waiting.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>(), [200; 6]);
        });
        assert_eq!(trust.keys.asked(), 1);
        // Too slow for us: five seconds are the end of it.
        let never = Trust::new(server, &json!({"audience": "never"}));
        never.keys.wait(Duration::from_secs(8));
        let began = Instant::now();
        assert_eq!(never.status(&never.signer.sign(&changed(stage.now(), "aud", json!("never")))), 503);
        assert!((4..7).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    }

    /// EN-55: the subject can be another claim, but a subject that only looks like one is none.
    fn other_claims_as_the_subject(stage) {
        let server = &stage.server;
        let now = stage.now();
        let by_app = Trust::new(server, &json!({"subject": "appid:an-app"}));
        assert_eq!(by_app.status(&by_app.signer.sign(&claims(now))), 200);
        assert_eq!(by_app.status(&by_app.signer.sign(&changed(now, "appid", json!("other")))), 401);
        let mut sly = changed(now, "appid", Value::Null);
        sly["sub"] = json!("appid:an-app");
        assert_eq!(by_app.status(&by_app.signer.sign(&sly)), 401);
        // A token that two tenants take is nobody's.
        let path = format!("/tenants/{}/issuers", by_app.client.tenant);
        let by_sub = order(&by_app.keys.url, &json!({"subject": format!("oid:{SUBJECT}")}));
        Admin::operator(server).post(&path, &by_sub).expect(201);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(by_app.status(&by_app.signer.sign(&claims(now))), 401);
    }

    /// R227: a foreign token that is bound to a certificate needs it too.
    fn a_bound_token_needs_its_certificate(stage) {
        let trust = Trust::new(&stage.server, &json!({}));
        let bound = changed(stage.now(), "cnf", json!({"x5t#S256": "A".repeat(43)}));
        assert_eq!(trust.status(&trust.signer.sign(&bound)), 401);
    }
}

on_both! {
    /// Only operators say whose tokens are taken, nothing is taken twice, and nobody sees another tenant's.
    fn operators_decide(server) {
        let trust = Trust::new(server, &json!({}));
        let other = server.tenant();
        let (operator, admin) = (Admin::operator(server), Admin::of(server, &trust.client.tenant, Scopes::ALL));
        let path = format!("/tenants/{}/issuers", trust.client.tenant);
        let url = trust.keys.url.as_str();
        admin.post(&path, &order(url, &json!({"audience": "x"}))).expect(403);
        admin.delete(&format!("{path}/{}", id(&trust.shown))).expect(403);
        assert_eq!(admin.get(&path).expect(200)["items"][0]["id"], trust.shown["id"]);
        admin.get(&format!("{path}/{}", id(&trust.shown))).expect(200);
        let theirs = Admin::of(server, &other.tenant, Scopes::ALL);
        theirs.get(&path).expect(404);
        theirs.get(&format!("/tenants/{}/issuers/{}", other.tenant, id(&trust.shown))).expect(404);
        operator.delete(&format!("/tenants/{}/issuers/{}", other.tenant, id(&trust.shown))).expect(404);
        let taken = operator.post(&format!("/tenants/{}/issuers", other.tenant), &order(url, &json!({})));
        assert_eq!(taken.expect(409)["type"], "urn:rollbook:problem:issuer-taken");
        for (more, word) in [
            (json!({"subject": "*"}), "subject"),
            (json!({"subject": "appid:*"}), "subject"),
            (json!({"subject": "oid:"}), "subject"),
            (json!({"subject": ""}), "subject"),
            (json!({"audience": ""}), "audience"),
            (json!({"issuer": " x"}), "issuer"),
            (json!({"key_set_url": "http://idp.example.com/"}), "key_set_url"),
            (json!({"key_set_url": "https://192.168.0.1/"}), "key_set_url"),
            (json!({"source": "none"}), "source"),
            (json!({"scopes": ["all"]}), "scopes"),
            (json!({"more": 1}), "more"),
        ] {
            let reply = operator.post(&path, &order(url, &more));
            assert!([400, 404].contains(&reply.status) && reply.text.contains(word), "{more}: {}", reply.text);
        }
    }

    /// An outside issuer goes with the source whose tokens it brings.
    fn it_goes_with_its_source(server) {
        let tenant = server.tenant().tenant;
        let operator = Admin::operator(server);
        operator.post(&format!("/tenants/{tenant}/sources"), &json!({"name": "entra", "state": "detached"})).expect(201);
        let body = order("https://login.example.com/keys", &json!({"source": "entra"}));
        operator.post(&format!("/tenants/{tenant}/issuers"), &body).expect(201);
        operator.delete(&format!("/tenants/{tenant}/sources/entra")).expect(204);
        assert_eq!(operator.get(&format!("/tenants/{tenant}/issuers")).expect(200)["items"], json!([]));
    }
}

/// What an operator types.
#[test]
fn issuers_from_the_command_line() {
    let place = Place::new(Db::Sqlite);
    place.run(&["tenant", "create", "acme"]);
    let url = "https://login.example.com/keys";
    let add = ["issuer", "add", "acme", "--issuer", ISSUER, "--audience", AUDIENCE, "--subject", SUBJECT, "--key-set-url", url];
    assert!(place.run(&add).contains("is trusted"));
    assert!(place.refused(&add).contains("already"));
    let listed = place.json(&["issuer", "list", "acme", "--json"]);
    assert_eq!((&listed[0]["issuer"], &listed[0]["keySetUrl"]), (&json!(ISSUER), &json!(url)));
    assert!(place.run(&["issuer", "list", "acme"]).contains(SUBJECT));
    place.run(&["issuer", "remove", "acme", id(&listed[0])]);
    assert!(place.run(&["issuer", "list", "acme"]).contains("rollbook issuer add"));
    assert!(place.refused(&["issuer", "remove", "acme", id(&listed[0])]).contains("no trusted issuer"));
}
