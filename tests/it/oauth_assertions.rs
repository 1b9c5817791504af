//! OAuth clients that sign: private_key_jwt (RFC 7523).

use crate::clients::{Reply, id};
use crate::harness::Server;
use crate::oauth::{Admin, fetch, refused};
use crate::signers::{KeyServer, Signer, confused, forged};
use crate::stage::{SECOND, Stage};
use jsonwebtoken::Algorithm;
use rollbook::jobs::housekeeping::Housekeeping;
use rollbook::store::sql::Sql;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn send(server: &Server, assertion: &str) -> Reply {
    fetch(server, &[], &[("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", assertion)])
}

/// Claims of a good assertion, each with an id of its own.
fn claims(stage: &Stage, client: &str) -> Value {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (now, jti) = (stage.now() / SECOND, format!("a{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let endpoint = format!("{}/oauth/token", stage.server.app.origin);
    json!({"iss": client, "sub": client, "aud": endpoint, "iat": now, "exp": now + 300, "jti": jti})
}

/// A client with these keys; its id.
fn client(server: &Server, keys: &Value) -> (String, String) {
    let tenant = server.tenant().tenant;
    let made = Admin::operator(server).client(&tenant, &json!({"auth": "private_key_jwt", "key_set": keys}));
    (tenant, id(&made).to_owned())
}

fn assertions(stage: &Stage) -> i64 {
    let rows: Vec<i64> =
        Sql::new("SELECT COUNT(*) FROM used_assertions").load::<diesel::sql_types::BigInt, _>(&mut stage.server.connect()).unwrap();
    rows[0]
}

on_stage! {
    /// R228: every algorithm that is announced, with the key as it says itself and without.
    fn every_algorithm(stage) {
        for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
            let signer = Signer::new("k1", algorithm);
            let mut bare = signer.set();
            bare["keys"][0].as_object_mut().unwrap().shift_remove("alg");
            for keys in [signer.set(), bare] {
                let (_, client) = client(&stage.server, &keys);
                let answer = send(&stage.server, &signer.sign(&claims(stage, &client)));
                assert_eq!(answer.status, 200, "{algorithm:?}: {}", answer.text);
                let mut to_issuer = claims(stage, &client);
                to_issuer["aud"] = json!(["https://other.example.com", &*stage.server.app.origin]);
                send(&stage.server, &signer.sign_without_kid(&to_issuer)).expect(200);
            }
        }
    }

    /// RFC 7523 §3: an assertion with one thing wrong is refused, and what is wrong is said.
    fn one_thing_wrong(stage) {
        let signer = Signer::new("k1", Algorithm::ES256);
        let now = stage.now() / SECOND;
        let spoilt: [(&str, &dyn Fn(&mut Value)); 13] = [
            ("aud", &|c| c["aud"] = json!("https://other.example.com/oauth/token")),
            ("aud", &|c| drop(c.as_object_mut().unwrap().shift_remove("aud"))),
            ("iss", &|c| c["iss"] = json!("another")),
            ("expired", &|c| c["exp"] = json!(now - 60)),
            ("exp", &|c| drop(c.as_object_mut().unwrap().shift_remove("exp"))),
            ("10 minutes", &|c| c["exp"] = json!(now + 661)),
            ("10 minutes", &|c| c["exp"] = json!(1e300)),
            ("not yet", &|c| c["nbf"] = json!(now + 61)),
            ("not yet", &|c| c["iat"] = json!(now + 61)),
            ("jti", &|c| drop(c.as_object_mut().unwrap().shift_remove("jti"))),
            ("jti", &|c| c["jti"] = json!("")),
            ("jti", &|c| c["jti"] = json!("x".repeat(257))),
            ("jti", &|c| c["jti"] = json!("a\u{0}b")),
        ];
        for (n, (word, spoil)) in spoilt.iter().enumerate() {
            // Each with a client of its own, so that none has to wait for having failed before.
            let (_, client) = client(&stage.server, &signer.set());
            let mut spoilt = claims(stage, &client);
            spoil(&mut spoilt);
            let why = refused(&send(&stage.server, &signer.sign(&spoilt)), 401, "invalid_client");
            assert!(why.contains(word), "{n}: {why}");
            send(&stage.server, &signer.sign(&claims(stage, &client))).expect(200);
        }
        assert_eq!(send(&stage.server, &signer.sign(&json!({"iss": "x"}))).status, 401);
    }

    /// Every signature that is not one of the client's keys.
    fn bad_signatures(stage) {
        let server = &stage.server;
        let (signer, other) = (Signer::new("k1", Algorithm::RS256), Signer::new("k1", Algorithm::RS256));
        let (_, client_id) = client(server, &signer.set());
        let good = claims(stage, &client_id);
        let modulus = signer.jwk["n"].as_str().unwrap();
        let probes = [
            forged(&json!({"alg": "none", "kid": "k1"}), &good, ""),
            forged(&json!({"alg": "none", "kid": "k1"}), &good, "AAAA"),
            confused(&signer, &good, modulus.as_bytes()),
            confused(&signer, &good, signer.set().to_string().as_bytes()),
            other.sign(&good),
            Signer::new("k2", Algorithm::RS256).sign(&good),
            "not.a.token".to_owned(),
        ];
        for probe in &probes {
            assert!([400, 401].contains(&send(server, probe).status), "{probe}");
        }
        // A good one with other claims, and with a shorter signature.
        let token = signer.sign(&good);
        let (head, signature) = (token.split('.').next().unwrap(), token.rsplit('.').next().unwrap());
        let mut more = good.clone();
        more["exp"] = json!(stage.now() / SECOND + 400);
        let altered = forged(&json!({}), &more, signature).replacen("e30", head, 1);
        refused(&send(server, &altered), 401, "invalid_client");
        send(server, &token).expect(200);
        // The key says which algorithm: PS256 by a key for RS256 is none.
        let strict = Signer::new("p", Algorithm::PS256);
        let mut keys = strict.set();
        keys["keys"][0]["alg"] = json!("RS256");
        let (_, third) = client(server, &keys);
        refused(&send(server, &strict.sign(&claims(stage, &third))), 401, "invalid_client");
    }

    /// RFC 7523 §3: an assertion is good once, also when it comes twice at the same time; then it is forgotten.
    fn an_assertion_is_used_once(stage) {
        let server = &stage.server;
        let signer = Signer::new("k1", Algorithm::EdDSA);
        let (_, client_id) = client(server, &signer.set());
        let (_, other) = client(server, &signer.set());
        let claims_of = claims(stage, &client_id);
        let token = signer.sign(&claims_of);
        send(server, &token).expect(200);
        let why = refused(&send(server, &token), 401, "invalid_client");
        assert!(why.contains("used before"), "{why}");
        // The same id at another client is another assertion.
        let mut same = claims(stage, &other);
        same["jti"] = claims_of["jti"].clone();
        send(server, &signer.sign(&same)).expect(200);
        let race = signer.sign(&claims(stage, &client_id));
        let won: Vec<u16> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| send(server, &race).status)).collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(won.iter().filter(|s| **s == 200).count(), 1, "{won:?}");
        assert_eq!(assertions(stage), 3);
        stage.pass_quietly(3600 * SECOND);
        refused(&send(server, &token), 401, "invalid_client");
        drop(Housekeeping::start(server.app.clone()).unwrap());
        let began = Instant::now();
        let _again = Housekeeping::start(server.app.clone()).unwrap();
        while assertions(stage) > 0 {
            assert!(began.elapsed() < Duration::from_secs(5), "nothing was pruned");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// An assertion of one client is none of another, and the parameters must fit.
    fn an_assertion_belongs_to_its_client(stage) {
        let server = &stage.server;
        let (one, two) = (Signer::new("k", Algorithm::ES256), Signer::new("k", Algorithm::ES256));
        let ((_, first), (_, second)) = (client(server, &one.set()), client(server, &two.set()));
        refused(&send(server, &two.sign(&claims(stage, &first))), 401, "invalid_client");
        refused(&send(server, &one.sign(&claims(stage, &second))), 401, "invalid_client");
        refused(&send(server, &one.sign(&claims(stage, "nobody"))), 401, "invalid_client");
        let token = one.sign(&claims(stage, &first));
        let grant = ("grant_type", "client_credentials");
        let with = |more: &[(&str, &str)]| fetch(server, &[], &[&[grant, ("client_assertion", token.as_str())], more].concat());
        refused(&with(&[]), 400, "invalid_request");
        refused(&with(&[("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")]), 400, "invalid_request");
        refused(&with(&[("client_assertion_type", TYPE), ("client_id", &second)]), 400, "invalid_request");
        refused(&fetch(server, &[], &[grant, ("client_assertion_type", TYPE)]), 400, "invalid_request");
        with(&[("client_assertion_type", TYPE), ("client_id", &first)]).expect(200);
        // A client with keys has no secret.
        let secret = fetch(server, &[], &[grant, ("client_id", &first), ("client_secret", "rbs_x")]);
        let why = refused(&secret, 401, "invalid_client");
        assert!(why.contains("private_key_jwt"), "{why}");
    }

    /// Keys at an address are fetched, remembered, and looked for again when they are rotated.
    fn keys_at_an_address(stage) {
        let server = &stage.server;
        let (old, new) = (Signer::new("old", Algorithm::ES256), Signer::new("new", Algorithm::ES256));
        let keys = KeyServer::start(&old.set());
        let tenant = server.tenant().tenant;
        let made = Admin::operator(server).client(&tenant, &json!({"auth": "private_key_jwt", "key_set_url": keys.url}));
        let sign = |signer: &Signer| signer.sign(&claims(stage, id(&made)));
        send(server, &sign(&old)).expect(200);
        send(server, &sign(&old)).expect(200);
        assert_eq!(keys.asked(), 1);
        keys.tell(&new.set());
        refused(&send(server, &sign(&new)), 401, "invalid_client");
        assert_eq!(keys.asked(), 1, "an unknown key is looked for once a minute");
        stage.pass_quietly(60 * SECOND);
        send(server, &sign(&new)).expect(200);
        assert_eq!(keys.asked(), 2);
        // Nobody there from the beginning: try again later.
        let gone = KeyServer::start(&old.set());
        gone.answer("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let made = Admin::operator(server).client(&tenant, &json!({"auth": "private_key_jwt", "key_set_url": gone.url}));
        let reply = send(server, &old.sign(&claims(stage, id(&made))));
        refused(&reply, 503, "temporarily_unavailable");
        assert!(!reply.header("retry-after").is_empty());
    }
}
