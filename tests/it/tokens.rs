//! Tokens: what they look like, where they are kept, when they are accepted, and what a refusal looks like.

use crate::clients::{Client, SEARCH, USER};
use crate::harness::{Db, Server};
use crate::program::Place;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rollbook::app::{Clock, system_clock};
use rollbook::domain::{Scopes, Token, TokenKind};
use rollbook::service::tokens::{self, Order};
use rollbook::store::keys::SigningKey;
use rollbook::store::sql::Sql;
use rollbook::store::{Dialect, backend, keys, tenants};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const READ: Scopes = Scopes { read: true, write: false, secrets: false };
const WRITE: Scopes = Scopes { read: false, write: true, secrets: false };
const SECOND: i64 = 1_000_000;

/// Issues a token; what is kept of it, and the token.
fn issue(server: &Server, tenant: &str, kind: TokenKind, expires_at: Option<i64>) -> (Token, String) {
    let order = Order { kind, name: "test".into(), scopes: Scopes::ALL, expires_at, ..Order::default() };
    backend::write(&mut server.connect(), |c| tokens::issue(c, tenant, &order, server.app.now())).unwrap()
}

fn revoke(server: &Server, tenant: &str, id: &str) {
    backend::write(&mut server.connect(), |c| tokens::revoke(c, tenant, id, server.app.now())).unwrap();
}

/// What is kept of a tenant's tokens, oldest first.
fn kept(server: &Server, tenant: &str) -> Vec<Token> {
    tokens::list(&mut server.connect(), tenant).unwrap()
}

/// The status that a token gets.
fn status(client: &Client, token: &str) -> u16 {
    client.with_token(Some(token)).get("/Users").status
}

/// Fails unless a request with this Authorization header is refused as a bad token.
#[track_caller]
fn refused(client: &Client, authorization: &str) {
    let reply = client.send("GET", "/Users", &[("authorization", authorization)], None);
    reply.expect_error(401, "");
    let challenge = reply.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=") && challenge.contains("error=\"invalid_token\""), "{challenge}");
}

/// Everything that is stored, as bytes.
fn stored(server: &Server) -> Vec<u8> {
    let mut conn = server.connect();
    if conn.dialect() == Dialect::Sqlite {
        let file = server.config.database.url.strip_prefix("sqlite://").unwrap();
        return ["", "-wal"].iter().flat_map(|end| std::fs::read(format!("{file}{end}")).unwrap()).collect();
    }
    let names = Sql::new("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'");
    let names: Vec<String> = names.load::<diesel::sql_types::Text, _>(&mut conn).unwrap();
    let rows = |name: &String| -> Vec<String> {
        let sql = Sql::new("SELECT x::text FROM ").made(name.clone()).sql(" x").uncached();
        sql.load::<diesel::sql_types::Text, _>(&mut conn).unwrap()
    };
    names.iter().flat_map(rows).collect::<Vec<_>>().join("\n").into_bytes()
}

fn has(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle.as_bytes())
}

on_both! {
    /// R222, R229: an opaque token is a prefix that scanners know and 256 random bits.
    fn opaque_tokens_cannot_be_guessed(server) {
        let tenant = server.tenant().tenant;
        let all: BTreeSet<String> = (0..50).map(|_| issue(server, &tenant, TokenKind::Opaque, None).1).collect();
        assert_eq!(all.len(), 50);
        for token in &all {
            let secret = token.strip_prefix("rbk_").unwrap();
            assert!(URL_SAFE_NO_PAD.decode(secret).unwrap().len() * 8 >= 256, "{token}");
        }
        // No bit is the same in all of them.
        let bytes: Vec<Vec<u8>> = all.iter().map(|t| URL_SAFE_NO_PAD.decode(&t[4..]).unwrap()).collect();
        for place in 0..bytes[0].len() {
            let (and, or) = bytes.iter().fold((255, 0), |(and, or), b| (and & b[place], or | b[place]));
            assert_eq!((and, or), (0, 255), "byte {place}");
        }
    }

    /// R229: the SHA-256 of a token is stored, the token nowhere.
    fn tokens_are_stored_as_hashes(server) {
        let client = server.tenant();
        for kind in [TokenKind::Opaque, TokenKind::Jwt] {
            let (token, secret) = issue(server, &client.tenant, kind, None);
            assert_eq!(status(&client, &secret), 200);
            assert_eq!(token.hash, tokens::hash(&secret));
            let everything = stored(server);
            assert!(has(&everything, &token.hash), "the hash is stored");
            let part = secret.strip_prefix("rbk_").or_else(|| secret.rsplit('.').next()).unwrap();
            assert!(part.len() > 40);
            assert!(!has(&everything, &secret) && !has(&everything, part), "the {} token is stored", kind.as_str());
            assert!(!format!("{:?}", kept(server, &client.tenant)).contains(part), "a list shows the token");
        }
    }

    /// R229: two tokens of a tenant are live at a time, so that one can take over from the other.
    fn two_tokens_can_be_live(server) {
        let client = server.tenant();
        let (first, old) = issue(server, &client.tenant, TokenKind::Opaque, None);
        let (_, new) = issue(server, &client.tenant, TokenKind::Opaque, None);
        assert_eq!((status(&client, &old), status(&client, &new)), (200, 200));
        revoke(server, &client.tenant, &first.id);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!((status(&client, &old), status(&client, &new)), (401, 200));
    }

    /// R223: a revoked token is refused within a second, by every server, also by those that have just accepted it.
    fn revocation_reaches_every_server(server) {
        let client = server.tenant();
        let second = server.beside();
        let there = Client::new(&second.base, None, &client.tenant);
        for kind in [TokenKind::Opaque, TokenKind::Jwt] {
            let (token, secret) = issue(server, &client.tenant, kind, None);
            assert_eq!((status(&client, &secret), status(&there, &secret)), (200, 200));
            revoke(server, &client.tenant, &token.id);
            std::thread::sleep(Duration::from_secs(1));
            refused(&client, &format!("Bearer {secret}"));
            refused(&there, &format!("Bearer {secret}"));
        }
    }

    /// R223: nobody revokes another tenant's token, and none twice.
    fn only_live_tokens_of_the_tenant_are_revoked(server) {
        let (mine, other) = (server.tenant(), server.tenant());
        let id = kept(server, &other.tenant)[0].id.clone();
        let again = |tenant: &str| backend::write(&mut server.connect(), |c| tokens::revoke(c, tenant, &id, 1));
        assert!(again(&mine.tenant).unwrap_err().to_string().contains(&id));
        assert_eq!(other.get("/Users").status, 200);
        again(&other.tenant).unwrap();
        assert!(again(&other.tenant).is_err());
    }

    /// R222: when a token was last used is recorded, without a write for every request.
    fn the_last_use_is_recorded(server) {
        let client = server.tenant();
        let began = server.app.now();
        assert_eq!(kept(server, &client.tenant)[0].last_used_at, None);
        client.get("/Users").expect(200);
        let used = until(|| kept(server, &client.tenant)[0].last_used_at);
        assert!((began..=server.app.now()).contains(&used));
        std::thread::sleep(Duration::from_millis(1100));
        client.get("/Users").expect(200);
        until(|| kept(server, &client.tenant)[0].last_used_at.filter(|at| *at > used));
    }

    /// R223: without credentials the challenge names no error.
    fn no_token(server) {
        let reply = server.nobody().get("/Users");
        reply.expect_error(401, "");
        assert!(reply.header("www-authenticate").starts_with("Bearer realm="));
        assert!(!reply.header("www-authenticate").contains("error"));
    }

    /// R223, OK-29: whatever is no token is answered with 401 and a SCIM body, never with 400.
    fn wrong_tokens(server) {
        let client = server.tenant();
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let forms = ["non-token", "Bearer non-token", "Bearer", "Bearer rbk_", "Basic !!!", "Basic", "token x y", "x"].map(str::to_owned);
        let token = client.token.clone().unwrap();
        let more = [basic("user:wrong"), basic(&token), basic(&format!("{token}:")), format!("Bearer {token}x"), format!("Bearer x {token}")];
        for form in forms.iter().chain(&more) {
            refused(&client, form);
        }
    }

    /// R224, rule 33: a token comes behind any scheme word, in any case, bare, or as the password of Basic.
    fn ways_to_send_a_token(server) {
        let client = server.tenant();
        let token = client.token.clone().unwrap();
        let basic = STANDARD.encode(format!("user:{token}"));
        let anonymous = STANDARD.encode(format!(":{token}"));
        for form in [
            format!("Bearer {token}"),
            format!("bearer {token}"),
            format!("BEARER  {token}"),
            format!("token {token}"),
            token.clone(),
            format!("Basic {basic}"),
            format!("basic {anonymous}"),
        ] {
            let reply = client.send("GET", "/Users", &[("authorization", &form)], None);
            assert_eq!(reply.status, 200, "{form}: {}", reply.text);
        }
    }

    /// R223: a header that is given twice is a malformed request.
    fn two_headers(server) {
        let client = server.tenant();
        let bearer = format!("Bearer {}", client.token.as_ref().unwrap());
        for second in [bearer.as_str(), "Bearer wrong"] {
            client.send("GET", "/Users", &[("authorization", &bearer), ("authorization", second)], None).expect_error(400, "");
        }
    }

    /// R224: a token in the query string, where logs and histories see it, is not accepted.
    fn a_token_in_the_query_string(server) {
        let client = server.tenant();
        let token = client.token.as_ref().unwrap();
        for name in ["access_token", "token", "bearer"] {
            client.with_token(None).get(&format!("/Users?{name}={token}")).expect_error(401, "");
        }
    }

    /// R221, R223: a token that may read may search with POST, and may change nothing.
    fn reading_tokens(server) {
        let full = server.tenant();
        let reader = server.client(&full.tenant, READ);
        let user = full.user("anna");
        let path = crate::clients::user_path(&user);
        reader.get(&path).expect(200);
        for path in ["/.search", "/Users/.search", "/Groups/.search"] {
            reader.post(path, &json!({"schemas": [SEARCH]})).expect(200);
        }
        let replies = [
            reader.post("/Users", &json!({"schemas": [USER], "userName": "new"})),
            reader.put(&path, &json!({"schemas": [USER], "userName": "new"})),
            reader.patch(&path, &json!([{"op": "replace", "path": "title", "value": "x"}])),
            reader.delete(&path),
        ];
        for reply in replies {
            reply.expect_error(403, "");
            let challenge = reply.header("www-authenticate");
            assert!(challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"scim:write\""), "{challenge}");
        }
        assert_eq!(full.get(&path).json(), user);
        assert_eq!(full.get("/Users").json()["totalResults"], 1);
    }

    /// R221, R223: a token that may write may not read, not by searching either.
    fn writing_tokens(server) {
        let full = server.tenant();
        let writer = server.client(&full.tenant, WRITE);
        let user = full.user("anna");
        let path = crate::clients::user_path(&user);
        let search = json!({"schemas": [SEARCH]});
        for reply in [writer.get(&path), writer.get("/Users"), writer.get(""), writer.post("/.search", &search), writer.post("/Users/.search", &search)] {
            reply.expect_error(403, "");
            let challenge = reply.header("www-authenticate");
            assert!(challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"scim:read\""), "{challenge}");
        }
        assert_eq!(writer.send("HEAD", &path, &[], None).status, 403);
        writer.post("/Users", &json!({"schemas": [USER], "userName": "new"})).expect(201);
        assert_eq!(writer.delete(&path).status, 204);
    }

    /// R225: a signed token is accepted, carries the claims of RFC 9068, and is revoked by its id.
    fn signed_tokens(server) {
        let client = server.tenant();
        let now = server.app.now();
        let (token, secret) = issue(server, &client.tenant, TokenKind::Jwt, Some(now + 60 * SECOND));
        assert_eq!(status(&client, &secret), 200);
        let (header, claims) = opened(&secret);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
        assert_eq!((claims["jti"].as_str(), claims["sub"].as_str()), (Some(token.id.as_str()), Some(client.tenant.as_str())));
        assert_eq!((&claims["exp"], &claims["scope"]), (&json!((now + 60 * SECOND) / SECOND), &json!("scim:read scim:write")));
        revoke(server, &client.tenant, &token.id);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(status(&client, &secret), 401);
    }

    /// R225: a signed token of which a single part was changed is refused.
    fn tampered_tokens(server) {
        let client = server.tenant();
        let (_, secret) = issue(server, &client.tenant, TokenKind::Jwt, None);
        let parts: Vec<&str> = secret.split('.').collect();
        let (_, mut claims) = opened(&secret);
        claims["sub"] = json!(server.tenant().tenant);
        let mut signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        signature[0] ^= 1;
        for forged in [
            format!("{}.{}.{}", parts[0], encoded(&claims), parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(signature)),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
        ] {
            refused(&client, &format!("Bearer {forged}"));
            known(server, &client.tenant, &forged);
            refused(&client, &format!("Bearer {forged}"));
        }
    }

    /// R225: the signature, type, issuer, audience and time are checked even of a token whose hash is stored.
    fn forged_tokens(server) {
        let client = server.tenant();
        let (_, secret) = issue(server, &client.tenant, TokenKind::Jwt, None);
        let (_, claims) = opened(&secret);
        let with = |name: &str, value: Value| {
            let mut changed = claims.clone();
            changed[name] = value;
            changed
        };
        let key = keys::signing_keys(&mut server.connect()).unwrap().remove(0);
        let good = |claims: &Value| signed(&key, claims, Some("at+jwt"));
        let now = server.app.now() / SECOND;
        let other = SigningKey { private_key: fresh_key(), ..key.clone() };
        let unknown = SigningKey { kid: "unknown".into(), ..key.clone() };
        let mut without_aud = claims.clone();
        without_aud.as_object_mut().unwrap().remove("aud");

        let accepted = [
            good(&with("jti", json!("another"))),
            signed(&key, &claims, Some("application/at+jwt")),
            good(&with("exp", json!(now + 60))),
        ];
        for token in accepted {
            refused(&client, &format!("Bearer {token}"));
            known(server, &client.tenant, &token);
            assert_eq!(status(&client, &token), 200, "the forger's tools work");
        }
        let none = format!("{}.{}.", encoded(&json!({"alg": "none", "typ": "at+jwt", "kid": key.kid})), encoded(&claims));
        for (what, token) in [
            ("no signature", none),
            ("HS256 with the public key", symmetric(&key, &claims, key.public_key.as_bytes())),
            ("HS256 with its bytes", symmetric(&key, &claims, &URL_SAFE_NO_PAD.decode(&key.public_key).unwrap())),
            ("another key", signed(&other, &claims, Some("at+jwt"))),
            ("a key that is not known", signed(&unknown, &claims, Some("at+jwt"))),
            ("typ JWT", signed(&key, &claims, Some("JWT"))),
            ("no typ", signed(&key, &claims, None)),
            ("iss", good(&with("iss", json!("someone")))),
            ("aud", good(&with("aud", json!("something")))),
            ("no aud", good(&without_aud)),
            ("exp", good(&with("exp", json!(now - 60)))),
        ] {
            known(server, &client.tenant, &token);
            assert_eq!(status(&client, &token), 401, "{what}");
        }
    }
}

/// R229: the SHA-256 is the real one.
#[test]
fn the_hash_is_sha_256() {
    assert_eq!(tokens::hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/// Waits for a value; a second is too short on a busy machine.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(began.elapsed() < Duration::from_secs(10), "it did not happen"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Header and claims.
fn opened(token: &str) -> (Value, Value) {
    let part = |n: usize| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap();
    (part(0), part(1))
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// A private key like that of a [`SigningKey`].
fn fresh_key() -> String {
    let pair = Ed25519KeyPair::generate().unwrap();
    assert_eq!(pair.public_key().as_ref().len(), 32);
    STANDARD.encode(pair.to_pkcs8v1().unwrap().as_ref())
}

fn signed(key: &SigningKey, claims: &Value, typ: Option<&str>) -> String {
    let header = Header { typ: typ.map(str::to_owned), kid: Some(key.kid.clone()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&STANDARD.decode(&key.private_key).unwrap())).unwrap()
}

fn symmetric(key: &SigningKey, claims: &Value, secret: &[u8]) -> String {
    let header = Header { typ: Some("at+jwt".into()), kid: Some(key.kid.clone()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// Stores a token's hash, so that only what the token itself says stands in its way.
fn known(server: &Server, tenant: &str, token: &str) {
    let mut conn = server.connect();
    let tenant = tenants::find(&mut conn, tenant).unwrap().unwrap().id;
    let token = Token {
        source: "default".into(),
        replaces: None,
        certificate: None,
        member: None,
        id: rollbook::domain::new_id(),
        tenant,
        kind: TokenKind::Jwt,
        name: "forged".into(),
        hash: tokens::hash(token),
        scopes: Scopes::ALL,
        created_at: 0,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    backend::write(&mut conn, |c| rollbook::store::tokens::insert(c, &token)).unwrap();
}

/// R222, R225: a token is refused from the moment of its expiry on, by the server's own clock, cached or not.
fn tokens_expire(db: Db) {
    let time = Arc::new(AtomicI64::new(system_clock()()));
    let clock: Clock = Arc::new({
        let time = time.clone();
        move || time.load(Ordering::SeqCst)
    });
    let server = Server::with(db, |_| {}, clock);
    let client = server.tenant();
    let end = (server.app.now() / SECOND + 90) * SECOND;
    let expiring = [TokenKind::Opaque, TokenKind::Jwt].map(|kind| issue(&server, &client.tenant, kind, Some(end)).1);
    for (at, expected) in [(end - 1, 200), (end, 401), (end + SECOND, 401)] {
        time.store(at, Ordering::SeqCst);
        for token in &expiring {
            assert_eq!(status(&client, token), expected, "{} microseconds after the end", at - end);
        }
    }
    refused(&client, &format!("Bearer {}", expiring[0]));
    assert_eq!(client.get("/Users").status, 200, "a token without an end has none");
}

#[test]
fn tokens_expire_sqlite() {
    tokens_expire(Db::Sqlite);
}

#[test]
fn tokens_expire_postgres() {
    tokens_expire(Db::Postgres);
}

/// R224: no token reaches the log, however it is sent and however much is logged.
#[test]
fn tokens_are_not_logged() {
    let place = Place::new(Db::Sqlite);
    place.run(&["tenant", "create", "acme"]);
    let tokens = [vec![], vec!["--jwt"]]
        .map(|kind| place.run(&[&["token", "issue", "acme", "--quiet"], kind.as_slice()].concat()).trim().to_owned());
    for filter in ["info", "debug", "trace"] {
        let mut running = place.serve_with(&[("ROLLBOOK_LOG_FILTER", filter)], &[]);
        for token in tokens.iter().chain([&"rbk_wrong_but_secret".to_owned()]) {
            let client = Client::new(&running.base(), None, "");
            let basic = STANDARD.encode(format!("user:{token}"));
            for form in [format!("Bearer {token}"), token.clone(), format!("Basic {basic}")] {
                client.send("GET", "/Users", &[("authorization", &form)], None);
            }
            client.get(&format!("/Users?access_token={token}")).expect(401);
        }
        running.stop();
        let log = running.log();
        assert!(log.matches("status=200").count() >= 6 && log.contains("status=401"), "{log}");
        for token in tokens.iter().map(String::as_str).chain(["rbk_wrong_but_secret"]) {
            let basic = STANDARD.encode(format!("user:{token}"));
            for secret in [token, &basic] {
                let line = log.lines().find(|l| l.contains(secret));
                assert_eq!(line, None, "with the filter {filter}");
            }
        }
    }
}
