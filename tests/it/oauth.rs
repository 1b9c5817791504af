//! OAuth clients: how they are registered, how they fetch tokens with a secret, and what those open.

use crate::clients::{Client, Reply, id, user_path};
use crate::harness::{Db, Server};
use crate::program::Place;
use crate::signers::Signer;
use crate::stage::SECOND;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use rollbook::domain::{Scopes, Tenant};
use rollbook::service::oauth::{self, Proof, Wish};
use rollbook::service::{admin_keys, tenants};
use rollbook::store::{backend, clients};
use serde_json::{Value, json};
use std::time::Duration;

const EVERYTHING: Scopes = Scopes { read: true, write: true, secrets: true };
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// A client of the admin API.
pub struct Admin(pub Client);

impl Admin {
    pub fn operator(server: &Server) -> Self {
        Self::with(server, None, EVERYTHING)
    }

    pub fn of(server: &Server, tenant: &str, scopes: Scopes) -> Self {
        let tenant = tenants::named(&mut server.connect(), tenant).unwrap();
        Self::with(server, Some(&tenant), scopes)
    }

    fn with(server: &Server, tenant: Option<&Tenant>, scopes: Scopes) -> Self {
        let order = admin_keys::Order { name: "test".into(), scopes, expires_at: None };
        let now = server.app.now();
        let (_, key) = backend::write(&mut server.connect(), |c| admin_keys::issue(c, tenant, &order, now)).unwrap();
        Self(Client::new(&format!("{}/admin/v1", server.app.origin), Some(&key), ""))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.0.get(path)
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.0.send("POST", path, &[("content-type", "application/json")], Some(&body.to_string()))
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.0.delete(path)
    }

    /// Registers a client; the whole answer.
    pub fn client(&self, tenant: &str, more: &Value) -> Value {
        let mut body = json!({"name": "test", "auth": "secret"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post(&format!("/tenants/{tenant}/clients"), &body).expect(201)
    }
}

/// Sends a form to the token endpoint.
pub fn fetch(server: &Server, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Reply {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    let headers = [&[form_type], headers].concat();
    server.nobody().send("POST", &format!("{}/oauth/token", server.app.origin), &headers, Some(&form.finish()))
}

/// Fetches with a secret in the body.
fn post_secret(server: &Server, client: &Value, more: &[(&str, &str)]) -> Reply {
    let own = [GRANT, ("client_id", id(client)), ("client_secret", client["secret"].as_str().unwrap())];
    fetch(server, &[], &[&own, more].concat())
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A token of a client with a secret.
fn token(server: &Server, client: &Value) -> String {
    post_secret(server, client, &[]).expect(200)["access_token"].as_str().unwrap().to_owned()
}

/// Fails unless a request was refused with that error; the description.
#[track_caller]
pub fn refused(reply: &Reply, status: u16, error: &str) -> String {
    let body = reply.expect(status);
    assert_eq!(body["error"], error, "{body}");
    assert!(reply.header("cache-control").contains("no-store"));
    assert_eq!(reply.header("www-authenticate").starts_with("Basic realm="), status == 401);
    let description = body["error_description"].as_str().unwrap().to_owned();
    assert!(!description.is_empty() && description.chars().all(|c| (' '..='~').contains(&c) && c != '"' && c != '\\'), "{description}");
    description
}

/// Part of a JWT, as JSON.
fn part(token: &str, n: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap()
}

on_both! {
    /// R225, R228: a client with a secret, from registration to a whole day of SCIM and to its end.
    fn a_day_with_a_token(server) {
        let tenant = server.tenant().tenant;
        let admin = Admin::of(server, &tenant, Scopes::ALL);
        let made = admin.client(&tenant, &json!({"name": "Nightly sync"}));
        assert!(made["secret"].as_str().unwrap().starts_with("rbs_"));
        let shown = admin.get(&format!("/tenants/{tenant}/clients/{}", id(&made))).expect(200);
        assert_eq!((&shown["auth"], &shown["live"], &shown["token_seconds"]), (&json!("secret"), &json!(true), &json!(3600)));
        assert_eq!((&shown["secret"], &shown["last_used_at"]), (&Value::Null, &Value::Null));

        let reply = post_secret(server, &made, &[]);
        let answer = reply.expect(200);
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(3600)));
        assert_eq!(answer["scope"], "scim:read scim:write");
        let token = answer["access_token"].as_str().unwrap();
        let (header, claims) = (part(token, 0), part(token, 1));
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(&*server.app.origin), &json!(&*server.app.base)));
        assert_eq!((&claims["sub"], &claims["client_id"], &claims["tenant"]), (&made["id"], &made["id"], &json!(tenant)));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
        assert!(claims["jti"].is_string() && claims["cnf"].is_null());

        let scim = Client::new(&server.base, Some(token), &tenant);
        let anna = scim.user("anna");
        scim.patch(&user_path(&anna), &json!([{"op": "replace", "path": "displayName", "value": "Anna Example"}])).expect(200);
        assert_eq!(scim.filter("/Users", "displayName eq \"anna example\"").expect(200)["totalResults"], 1);
        let group = scim.group("Staff", &[id(&anna)]);
        scim.delete(&format!("/Groups/{}", id(&group))).expect(204);
        std::thread::sleep(Duration::from_millis(1500));
        let shown = admin.get(&format!("/tenants/{tenant}/clients/{}", id(&made))).expect(200);
        assert!(shown["last_used_at"].is_string(), "{shown}");

        admin.delete(&format!("/tenants/{tenant}/clients/{}", id(&made))).expect(204);
        std::thread::sleep(Duration::from_secs(1));
        let challenge = scim.get("/Users");
        challenge.expect_error(401, "");
        assert!(challenge.header("www-authenticate").contains("invalid_token"));
        refused(&post_secret(server, &made, &[]), 401, "invalid_client");
        admin.delete(&format!("/tenants/{tenant}/clients/{}", id(&made))).expect(404);
        let shown = admin.get(&format!("/tenants/{tenant}/clients/{}", id(&made))).expect(200);
        assert!(shown["live"] == false && shown["revoked_at"].is_string());
    }

    /// RFC 6749 §2.3.1: a secret comes by Basic, percent-encoded or not, or in the body.
    fn a_secret_comes_in_two_ways(server) {
        let tenant = server.tenant().tenant;
        let made = Admin::operator(server).client(&tenant, &json!({}));
        let (id, secret) = (id(&made), made["secret"].as_str().unwrap());
        post_secret(server, &made, &[]).expect(200);
        fetch(server, &[("authorization", &basic(id, secret))], &[GRANT]).expect(200);
        fetch(server, &[("authorization", &basic(id, secret))], &[GRANT, ("client_id", id)]).expect(200);
        let encoded: String = secret.bytes().map(|b| format!("%{b:02x}")).collect();
        fetch(server, &[("authorization", &basic(id, &encoded))], &[GRANT]).expect(200);

        refused(&fetch(server, &[("authorization", &basic(id, "rbs_wrong"))], &[GRANT]), 401, "invalid_client");
        refused(&fetch(server, &[("authorization", &basic("nobody", secret))], &[GRANT]), 401, "invalid_client");
        refused(&fetch(server, &[("authorization", &basic("\u{0}", secret))], &[GRANT]), 401, "invalid_client");
        refused(&fetch(server, &[("authorization", "Bearer x")], &[GRANT]), 401, "invalid_client");
        refused(&fetch(server, &[], &[GRANT, ("client_id", id)]), 401, "invalid_client");
        refused(&fetch(server, &[], &[GRANT]), 401, "invalid_client");
        refused(&fetch(server, &[], &[GRANT, ("client_secret", secret)]), 400, "invalid_request");
        // Two ways at once, or two ids.
        let both = [GRANT, ("client_id", id), ("client_secret", secret)];
        refused(&fetch(server, &[("authorization", &basic(id, secret))], &both), 400, "invalid_request");
        let jwt = [("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), ("client_assertion", "a.b.c")];
        refused(&fetch(server, &[], &[&both[..], &jwt].concat()), 400, "invalid_request");
        refused(&fetch(server, &[("authorization", &basic(id, secret))], &[GRANT, ("client_id", "other")]), 400, "invalid_request");
    }

    /// RFC 6749 §3.2 and §5.2: what makes no sense is refused by name.
    fn requests_that_make_no_sense(server) {
        let tenant = server.tenant().tenant;
        let made = Admin::operator(server).client(&tenant, &json!({}));
        let (id, secret) = (id(&made), made["secret"].as_str().unwrap());
        let own = [("client_id", id), ("client_secret", secret)];
        refused(&fetch(server, &[], &own), 400, "invalid_request");
        refused(&fetch(server, &[], &[&own[..], &[("grant_type", "password")]].concat()), 400, "unsupported_grant_type");
        let twice = refused(&fetch(server, &[], &[&own[..], &[GRANT, ("scope", "scim"), ("scope", "scim")]].concat()), 400, "invalid_request");
        assert!(twice.contains("scope"), "{twice}");
        let send = |path: &str, media: &str, body: &str| {
            server.nobody().send("POST", &format!("{}{path}", server.app.origin), &[("content-type", media)], Some(body))
        };
        let form = "application/x-www-form-urlencoded";
        let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        send("/oauth/token", &format!("{form}; charset=utf-8"), &body).expect(200);
        refused(&send(&format!("/oauth/token?{body}"), form, &body), 400, "invalid_request");
        refused(&send("/oauth/token", "application/json", &body), 400, "invalid_request");
        refused(&send("/oauth/token", form, &format!("{body}&x={}", "x".repeat(70_000))), 400, "invalid_request");
        assert_eq!(server.nobody().get(&format!("{}/oauth/token", server.app.origin)).status, 405);
    }

    /// RFC 6749 §3.3: a client gets at most what it is registered for, and less when it asks for less.
    fn scopes_are_narrowed(server) {
        let client = server.tenant();
        let admin = Admin::operator(server);
        let all = admin.client(&client.tenant, &json!({"scopes": ["scim:read", "scim:write", "scim:secrets"]}));
        let reader = admin.client(&client.tenant, &json!({"scopes": ["scim:read"]}));
        let ask = |made: &Value, scope: &str| post_secret(server, made, &[("scope", scope)]);
        assert_eq!(ask(&all, "scim").expect(200)["scope"], "scim:read scim:write");
        assert_eq!(ask(&all, "").expect(200)["scope"], "scim:read scim:write scim:secrets");
        assert_eq!(ask(&all, "scim:secrets scim:read").expect(200)["scope"], "scim:read scim:secrets");
        let narrow = ask(&all, "scim:read").expect(200)["access_token"].as_str().unwrap().to_owned();
        for token in [narrow, ask(&reader, "scim:read").expect(200)["access_token"].as_str().unwrap().to_owned()] {
            let reading = client.with_token(Some(&token));
            reading.get("/Users").expect(200);
            let reply = reading.post("/Users", &json!({}));
            reply.expect_error(403, "");
            assert!(reply.header("www-authenticate").contains("insufficient_scope"));
        }
        for (made, scope) in [(&reader, "scim"), (&reader, "scim:write"), (&all, "admin:read"), (&all, "everything"), (&all, " ")] {
            refused(&ask(made, scope), 400, "invalid_scope");
        }
    }

    /// R223: a token of a client is refused within a second of the client's revocation; at another issuer, at once.
    fn revocation_takes_a_second(server) {
        let client = server.tenant();
        let admin = Admin::operator(server);
        let made = admin.client(&client.tenant, &json!({}));
        let second = server.beside();
        let token = token(server, &made);
        let here = client.with_token(Some(&token));
        here.get("/Users").expect(200);
        // Another origin: another issuer, whose tokens these are not.
        assert_eq!(Client::new(&second.base, Some(&token), "").get("/Users").status, 401);
        admin.delete(&format!("/tenants/{}/clients/{}", client.tenant, id(&made))).expect(204);
        std::thread::sleep(Duration::from_secs(1));
        here.get("/Users").expect_error(401, "");
    }

    /// R230: nobody sees, revokes or makes a client of another tenant; a token opens its own tenant only.
    fn nothing_crosses_tenants(server) {
        let (mine, other) = (server.tenant(), server.tenant());
        let admin = Admin::of(server, &mine.tenant, Scopes::ALL);
        let made = Admin::operator(server).client(&other.tenant, &json!({}));
        for tenant in [&mine.tenant, &other.tenant] {
            admin.get(&format!("/tenants/{tenant}/clients/{}", id(&made))).expect(404);
            admin.delete(&format!("/tenants/{tenant}/clients/{}", id(&made))).expect(404);
        }
        admin.get(&format!("/tenants/{}/clients", other.tenant)).expect(404);
        admin.post(&format!("/tenants/{}/clients", other.tenant), &json!({"name": "x", "auth": "secret"})).expect(404);
        let anna = mine.user("anna");
        let theirs = mine.with_token(Some(&token(server, &made)));
        theirs.get(&user_path(&anna)).expect(404);
        assert_eq!(theirs.get("/Users").expect(200)["totalResults"], 0);
        // A claim's token, or one for the admin API, is none for SCIM; nor the other way round.
        assert_eq!(Admin(Client::new(&admin.0.base, Some(&token(server, &made)), "")).get("/tenants").status, 401);
    }

    /// Registration names what makes no sense, and gives nothing away that the key has not.
    fn registration_is_checked(server) {
        let tenant = server.tenant().tenant;
        let path = format!("/tenants/{tenant}/clients");
        let admin = Admin::of(server, &tenant, Scopes::ALL);
        let signer = Signer::new("a", Algorithm::EdDSA);
        let mut private = signer.set();
        private["keys"][0]["d"] = json!("AAAA");
        let thumbprint = "A".repeat(43);
        for (body, word) in [
            (json!({"name": "x"}), "auth"),
            (json!({"name": "", "auth": "secret"}), "name"),
            (json!({"name": "x", "auth": "basic"}), "auth"),
            (json!({"name": "x", "auth": "secret", "source": "none"}), "source"),
            (json!({"name": "x", "auth": "secret", "scopes": ["admin:read"]}), "scopes"),
            (json!({"name": "x", "auth": "secret", "token_seconds": 59}), "token_seconds"),
            (json!({"name": "x", "auth": "secret", "token_seconds": 86401}), "token_seconds"),
            (json!({"name": "x", "auth": "secret", "certificate": thumbprint}), "auth"),
            (json!({"name": "x", "auth": "private_key_jwt"}), "key_set"),
            (json!({"name": "x", "auth": "private_key_jwt", "key_set": signer.set(), "key_set_url": "https://idp.example.com/"}), "key_set"),
            (json!({"name": "x", "auth": "private_key_jwt", "key_set": {}}), "key_set"),
            (json!({"name": "x", "auth": "private_key_jwt", "key_set": private}), "private"),
            (json!({"name": "x", "auth": "private_key_jwt", "key_set_url": "http://idp.example.com/"}), "key_set_url"),
            (json!({"name": "x", "auth": "private_key_jwt", "key_set_url": "https://10.1.2.3/"}), "key_set_url"),
            (json!({"name": "x", "auth": "private_key_jwt", "key_set_url": "https://a:b@idp.example.com/"}), "key_set_url"),
            (json!({"name": "x", "auth": "tls_client_auth", "certificate": "short"}), "certificate"),
            (json!({"name": "x", "auth": "tls_client_auth"}), "certificate"),
        ] {
            let reply = admin.post(&path, &body);
            assert!([400, 404].contains(&reply.status), "{body}: {}", reply.text);
            assert!(reply.text.contains(word), "{body}: {}", reply.text);
        }
        assert_eq!(admin.get(&path).expect(200)["items"], json!([]));
        admin.post(&path, &json!({"name": "x", "auth": "secret", "scopes": ["scim:secrets"]})).expect(403);
        let reader = Admin::of(server, &tenant, Scopes { write: false, ..Scopes::ALL });
        reader.post(&path, &json!({"name": "x", "auth": "secret"})).expect(403);
    }

    /// Lists are read page by page, oldest first.
    fn clients_are_listed_in_pages(server) {
        let tenant = server.tenant().tenant;
        let admin = Admin::operator(server);
        let made: Vec<Value> = (0..5).map(|_| admin.client(&tenant, &json!({}))["id"].clone()).collect();
        let (mut seen, mut path) = (Vec::new(), format!("/tenants/{tenant}/clients?limit=2"));
        loop {
            let page = admin.get(&path).expect(200);
            seen.extend(page["items"].as_array().unwrap().iter().map(|c| c["id"].clone()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            path = format!("/tenants/{tenant}/clients?limit=2&cursor={next}");
        }
        assert_eq!(seen, made);
    }

    /// A suspended tenant and a detached source get no tokens, and are told why; a paused source does.
    fn whoever_is_not_served_gets_no_token(server) {
        let client = server.tenant();
        let admin = Admin::operator(server);
        admin.post(&format!("/tenants/{}/sources", client.tenant), &json!({"name": "second"})).expect(201);
        let made = admin.client(&client.tenant, &json!({"source": "second"}));
        let set = |path: &str, body: &Value| {
            let path = format!("/tenants/{}{path}", client.tenant);
            admin.0.send("PATCH", &path, &[("content-type", "application/json")], Some(&body.to_string())).expect(200);
        };
        set("/sources/second", &json!({"state": "paused"}));
        let fetched = token(server, &made);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(client.with_token(Some(&fetched)).get("/Users").status, 503);
        set("/sources/second", &json!({"state": "detached"}));
        let why = refused(&post_secret(server, &made, &[]), 400, "unauthorized_client");
        assert!(why.contains("detached"), "{why}");
        admin.delete(&format!("/tenants/{}/sources/second", client.tenant)).expect(204);
        refused(&post_secret(server, &made, &[]), 401, "invalid_client");
        let other = admin.client(&client.tenant, &json!({}));
        set("", &json!({"status": "suspended"}));
        // It has proved who it is: asking again and again is no guessing.
        for _ in 0..12 {
            let why = refused(&post_secret(server, &other, &[]), 401, "invalid_client");
            assert!(why.contains("suspended"), "{why}");
        }
    }

    /// RFC 8414: the server describes itself.
    fn the_metadata_is_there(server) {
        let reply = server.nobody().get(&format!("{}/.well-known/oauth-authorization-server", server.app.origin));
        let doc = reply.expect(200);
        let origin = &*server.app.origin;
        assert_eq!((&doc["issuer"], &doc["token_endpoint"]), (&json!(origin), &json!(format!("{origin}/oauth/token"))));
        assert_eq!((&doc["response_types_supported"], &doc["grant_types_supported"]), (&json!([]), &json!(["client_credentials"])));
        assert_eq!(doc["tls_client_certificate_bound_access_tokens"], true);
        for (list, word) in [
            ("token_endpoint_auth_methods_supported", "client_secret_basic"),
            ("token_endpoint_auth_methods_supported", "private_key_jwt"),
            ("token_endpoint_auth_methods_supported", "tls_client_auth"),
            ("token_endpoint_auth_signing_alg_values_supported", "ES384"),
            ("scopes_supported", "scim"),
        ] {
            assert!(doc[list].as_array().unwrap().contains(&json!(word)), "{list} lacks {word}");
        }
        let tenant = server.tenant().tenant;
        let fetched = token(server, &Admin::operator(server).client(&tenant, &json!({})));
        let keys = server.nobody().get(doc["jwks_uri"].as_str().unwrap()).expect(200);
        assert_eq!(keys["keys"][0]["kid"], part(&fetched, 0)["kid"], "an application can check the token");
    }
}

on_stage! {
    /// R225: a token expires, by the server's clock.
    fn tokens_expire(stage) {
        let client = stage.server.tenant();
        let made = Admin::operator(&stage.server).client(&client.tenant, &json!({"token_seconds": 60}));
        let scim = client.with_token(Some(&token(&stage.server, &made)));
        scim.get("/Users").expect(200);
        stage.pass_quietly(59 * SECOND);
        scim.get("/Users").expect(200);
        stage.pass_quietly(SECOND);
        scim.get("/Users").expect_error(401, "");
    }

    /// Whoever fails ten times has to wait, each client by itself.
    fn guessing_is_throttled(stage) {
        let server = &stage.server;
        let tenant = server.tenant().tenant;
        let admin = Admin::operator(server);
        let (made, other) = (admin.client(&tenant, &json!({})), admin.client(&tenant, &json!({})));
        let wrong = |id: &str| fetch(server, &[], &[GRANT, ("client_id", id), ("client_secret", "rbs_wrong")]);
        for _ in 0..10 {
            refused(&wrong(id(&made)), 401, "invalid_client");
        }
        let reply = post_secret(server, &made, &[]);
        reply.expect(429);
        assert!((1..=901).contains(&reply.header("retry-after").parse::<u32>().unwrap()));
        post_secret(server, &other, &[]).expect(200);
        for n in 0..10 {
            assert_eq!(wrong(&format!("nobody-{n}")).status, 401);
        }
        assert_eq!(wrong("nobody-10").status, 429);
        stage.pass_quietly(900 * SECOND);
        post_secret(server, &made, &[]).expect(200);
    }

    /// R227: a token is bound to the certificate that was presented when it was fetched, and a client is known by its own.
    fn certificates(stage) {
        let server = &stage.server;
        let client = server.tenant();
        let (own, foreign) = ("A".repeat(43), "B".repeat(43));
        let made = Admin::operator(server).client(&client.tenant, &json!({"auth": "tls_client_auth", "certificate": own}));
        assert_eq!((&made["secret"], &made["certificate"]), (&Value::Null, &json!(own)));
        let names = server.app.auth.names();
        let kept = clients::find_by_id(&mut server.connect(), id(&made)).unwrap().unwrap();
        let prove = |proof: Proof| oauth::prove(&kept, &proof, None, names, stage.now());
        assert!(prove(Proof::Certificate(own.clone())).is_ok());
        assert!(prove(Proof::Certificate(foreign.clone())).is_err());
        assert!(prove(Proof::Secret(own.clone())).is_err() && prove(Proof::Assertion(own.clone())).is_err());

        let wish = Wish { scope: None, presented: Some(own.clone()), once: None };
        let granted = backend::write(&mut server.connect(), |c| oauth::grant(c, names, id(&made), &wish, stage.now())).unwrap().unwrap();
        let token = serde_json::to_value(granted).unwrap()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(part(&token, 1)["cnf"], json!({"x5t#S256": own}));
        let principal = server.app.auth.check(&mut server.connect(), &token, stage.now()).unwrap();
        assert!(principal.bound_to(Some(&own)).is_ok());
        assert!(principal.bound_to(Some(&foreign)).is_err() && principal.bound_to(None).is_err());
        let reply = client.with_token(Some(&token)).get("/Users");
        reply.expect_error(401, "");
        assert!(reply.header("www-authenticate").contains("invalid_token"));
    }

    /// R225: what looks like a token of a client but is none opens nothing.
    fn other_tokens_of_ours_open_nothing(stage) {
        let server = &stage.server;
        let client = server.tenant();
        let made = Admin::operator(server).client(&client.tenant, &json!({}));
        let good = token(server, &made);
        let claims = part(&good, 1);
        let own = rollbook::store::keys::signing_keys(&mut server.connect()).unwrap().pop().unwrap();
        let key = jsonwebtoken::EncodingKey::from_ed_der(&STANDARD.decode(&own.private_key).unwrap());
        let sign = |typ: &str, change: &dyn Fn(&mut Value)| {
            let mut claims = claims.clone();
            change(&mut claims);
            let header =
                jsonwebtoken::Header { typ: Some(typ.into()), kid: Some(own.kid.clone()), ..jsonwebtoken::Header::new(Algorithm::EdDSA) };
            jsonwebtoken::encode(&header, &claims, &key).unwrap()
        };
        let status = |token: &str| client.with_token(Some(token)).get("/Users").status;
        assert_eq!(status(&sign("at+jwt", &|_| {})), 200);
        for typ in ["JWT", "rollbook-claim+jwt"] {
            assert_eq!(status(&sign(typ, &|_| {})), 401, "{typ}");
        }
        let spoilt: [&dyn Fn(&mut Value); 8] = [
            &|c| c["aud"] = json!("rollbook-scim"),
            &|c| c["iss"] = json!("rollbook"),
            &|c| c["client_id"] = json!("another"),
            &|c| drop(c.as_object_mut().unwrap().shift_remove("client_id")),
            &|c| drop(c.as_object_mut().unwrap().shift_remove("exp")),
            &|c| c["sub"] = json!("another"),
            &|c| c["tenant"] = json!("another"),
            &|c| c["scope"] = json!("everything"),
        ];
        for (n, spoil) in spoilt.iter().enumerate() {
            assert_eq!(status(&sign("at+jwt", spoil)), 401, "{n}");
        }
        // More scopes than the client has are no use.
        let wide = sign("at+jwt", &|c| c["scope"] = json!("scim:read scim:write scim:secrets"));
        let principal = server.app.auth.check(&mut server.connect(), &wide, stage.now()).unwrap();
        assert_eq!(principal.scopes, Scopes::ALL);
        // Signed by somebody else under our name.
        let forger = Signer::new(&own.kid, Algorithm::EdDSA);
        assert_eq!(status(&forger.sign_as("at+jwt", &claims)), 401);
    }
}

/// What an operator types.
#[test]
fn clients_from_the_command_line() {
    let place = Place::new(Db::Sqlite);
    place.acme();
    let made = place.run(&["client", "create", "acme", "--name", "sync", "--scope", "scim:read", "--quiet"]);
    let (id, secret) = made.trim_end().split_once('\n').unwrap();
    let mut running = place.serve();
    let http = running.client("none");
    let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "")];
    let fetched = http.send("POST", &format!("{}/oauth/token", running.origin), &headers, Some(&body)).expect(200);
    assert_eq!(fetched["scope"], "scim:read");
    let scim = running.client(fetched["access_token"].as_str().unwrap());
    scim.get("/Users").expect(200);
    let listed = place.json(&["client", "list", "acme", "--json"]);
    assert_eq!((&listed[0]["id"], &listed[0]["auth"], &listed[0]["live"]), (&json!(id), &json!("secret"), &json!(true)));
    assert!(place.run(&["client", "list", "acme"]).contains("sync"));
    place.run(&["client", "revoke", "acme", id]);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(scim.get("/Users").status, 401);
    running.stop();

    place.write("keys.json", &Signer::new("k", Algorithm::ES256).set().to_string());
    assert!(place.run(&["client", "create", "acme", "--key-set", "keys.json"]).contains("private_key_jwt"));
    assert!(place.refused(&["client", "create", "acme", "--key-set", "keys.json", "--certificate", "x"]).contains("cannot be used"));
    assert!(place.refused(&["client", "create", "acme", "--key-set-url", "https://10.0.0.1/"]).contains("key_set_url"));
    assert!(place.refused(&["client", "revoke", "acme", id]).contains(id));
    for args in [&["client", "--help"][..], &["client", "create", "--help"], &["issuer", "add", "--help"]] {
        assert!(place.run(args).contains("Usage"), "{args:?}");
    }
}
