//! A member with a telephone: opens the mail, follows the link, claims.

use crate::browser::Browser;
use crate::clients::{USER, id, user_path};
use crate::harness::Db;
use crate::stage::{Stage, roll};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rollbook::domain::settings::PasswordRule;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;

/// The application that a member is led to.
fn application() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 8192];
            let _ = stream.read(&mut request);
            let page = "<!doctype html><title>The application</title><h1>Welcome</h1>";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    origin
}

fn claims_with(browser: &Browser) {
    let stage = Stage::new(Db::Sqlite);
    let application = application();
    let acme = stage.tenant(|s| {
        s.auto_invite = true;
        s.organisation = Some("Acme Corporation".into());
        s.application_url = Some(format!("{application}/start"));
        s.password = PasswordRule::Required;
    });
    let user = acme.post("/Users", &json!({"schemas": [USER], "userName": "sam@example.com", "displayName": "Sam Example"})).expect(201);
    stage.settle();
    let link = stage.one_mail().link();

    browser.open(&link);
    let text = browser.text();
    assert!(text.contains("Acme Corporation") && text.contains("Sam Example"), "{text}");
    assert_eq!(roll(&acme.get(&user_path(&user)).expect(200))["state"], "invited", "looking changes nothing");
    browser.fill("#password", "correct horse battery");
    browser.fill("#password_again", "correct horse batterx");
    browser.click("#claim");
    assert!(browser.has("[role=alert]"), "{}", browser.text());
    browser.fill("#password", "correct horse battery");
    browser.fill("#password_again", "correct horse battery");
    browser.click("#claim");
    assert_eq!(browser.title(), "The application", "{}", browser.text());
    assert_eq!(roll(&acme.get(&user_path(&user)).expect(200))["state"], "claimed");

    let url = browser.url();
    let token = url.split("rollbook_token=").nth(1).unwrap_or_else(|| panic!("{url}"));
    let keys: Value = stage.visitor().get(&format!("{}/.well-known/jwks.json", acme.base.replace("/scim/v2", ""))).expect(200);
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|k| k["kid"] == kid).unwrap();
    let key = DecodingKey::from_ed_components(key["x"].as_str().unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_audience(&[&application]);
    rules.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(token, &key, &rules).unwrap().claims;
    assert_eq!((&claims["sub"], &claims["tenant"]), (&json!(id(&user)), &json!(acme.tenant)));
    assert_eq!((&claims["user_name"], claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()), (&json!("sam@example.com"), 120));
    // It is no key to SCIM.
    assert_eq!(acme.with_token(Some(token)).get("/Users").status, 401);

    browser.open(&link);
    assert!(browser.text().to_lowercase().contains("already"), "{}", browser.text());
}

/// The whole way, with scripts allowed.
#[test]
fn claims() {
    claims_with(&Browser::start());
}

/// The whole way without JavaScript.
#[test]
fn claims_without_javascript() {
    claims_with(&Browser::start_without_javascript());
}
