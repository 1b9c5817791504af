//! Client certificates end to end: sources that demand them, tokens that are bound to them, clients that fetch tokens with them.

use crate::authority::{Answer, Authority, BOTH, Issued, ask, client};
use crate::harness::Db;
use crate::program::{Place, Running};
use rollbook::service::certificates::thumbprint;
use serde_json::Value;

/// A server that asks clients for certificates, with a tenant.
struct Door {
    place: Place,
    authority: Authority,
    running: Running,
}

impl Door {
    fn open() -> Self {
        let (place, authority) = (Place::new(Db::Sqlite), Authority::new("Server"));
        let own = authority.server();
        place.write("certificate.pem", &own.pem);
        place.write("key.pem", &own.key.serialize_pem());
        let files = [
            ("ROLLBOOK_TLS_CERTIFICATE", "certificate.pem"),
            ("ROLLBOOK_TLS_KEY", "key.pem"),
            ("ROLLBOOK_TLS_CLIENT_CERTIFICATES", "optional"),
        ];
        let running = place.serve_with(&files, &[]);
        place.run(&["tenant", "create", "acme"]);
        Self { place, authority, running }
    }

    fn ask(&self, own: Option<&Issued>, line: &str, headers: &[&str], body: &str) -> Answer {
        let at = self.running.origin.strip_prefix("https://").unwrap();
        let shown = own.map(|o| o.shown(vec![o.der.clone()]));
        ask(at, &client(&self.authority, BOTH, shown), line, headers, body).unwrap()
    }

    fn close(&mut self) {
        self.running.signal("TERM");
        assert_eq!(self.running.ended().code(), Some(0), "{}", self.running.log());
    }

    /// The status of a look at the users.
    fn status(&self, own: Option<&Issued>, token: &str) -> u16 {
        let answer = self.ask(own, "GET /scim/v2/Users", &[&format!("authorization: Bearer {token}")], "");
        answer.text.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// Where a source names authorities, only clients with a certificate under one of them are let in.
#[test]
fn a_source_demands_certificates() {
    let mut door = Door::open();
    let partner = Authority::new("Partner");
    door.place.write("partner.pem", &partner.pem());
    let token = door.place.run(&["token", "issue", "acme", "--quiet"]);
    let token = token.trim_end();
    assert_eq!(door.status(None, token), 200);
    let error = door.place.refused(&["source", "set", "acme", "default", "client_ca=key.pem"]);
    assert!(error.contains("client_ca"), "{error}");
    door.place.run(&["source", "set", "acme", "default", "client_ca=partner.pem"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let (theirs, other) = (partner.client(), Authority::new("Other").client());
    assert_eq!([door.status(Some(&theirs), token), door.status(Some(&other), token), door.status(None, token)], [200, 403, 403]);
    assert_eq!(door.status(Some(&partner.server()), token), 403, "a server's certificate is no client's");
    door.place.run(&["source", "set", "acme", "default", "client_ca="]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(door.status(None, token), 200);
    door.close();
}

/// R227: a token that is bound to a certificate opens nothing without it.
#[test]
fn tokens_are_bound_to_certificates() {
    let mut door = Door::open();
    let (own, other) = (Authority::new("Partner").client(), Issued::by_itself());
    let bound = door.place.run(&["token", "issue", "acme", "--quiet", "--certificate", &thumbprint(&own.der)]);
    let bound = bound.trim_end();
    assert_eq!([door.status(Some(&own), bound), door.status(Some(&other), bound), door.status(None, bound)], [200, 401, 401]);
    let answer = door.ask(None, "GET /scim/v2/Users", &[&format!("authorization: Bearer {bound}")], "");
    assert!(answer.text.to_lowercase().contains("error=\"invalid_token\""), "{}", answer.text);
    assert!(door.place.refused(&["token", "issue", "acme", "--certificate", "short"]).contains("certificate"));
    door.close();
}

/// R227, R228: a client that proves who it is by its certificate gets a token that is bound to it.
#[test]
fn a_client_fetches_a_token_with_its_certificate() {
    let mut door = Door::open();
    let (own, other) = (Issued::by_itself(), Issued::by_itself());
    let key = door.place.run(&["key", "create", "--quiet"]);
    let new = format!("{{\"name\":\"robot\",\"auth\":\"tls_client_auth\",\"certificate\":\"{}\"}}", thumbprint(&own.der));
    let json = ["content-type: application/json", &format!("authorization: Bearer {}", key.trim_end())];
    let made = door.ask(None, "POST /admin/v1/tenants/acme/clients", &json, &new);
    let made: Value = serde_json::from_str(made.body()).unwrap();
    let form = format!("grant_type=client_credentials&client_id={}", made["id"].as_str().unwrap_or_else(|| panic!("{made}")));
    let fetch = |own| door.ask(own, "POST /oauth/token", &["content-type: application/x-www-form-urlencoded"], &form);
    for refused in [fetch(None), fetch(Some(&other))] {
        assert!(refused.text.starts_with("HTTP/1.1 401 ") && refused.body().contains("invalid_client"), "{}", refused.text);
    }
    let granted: Value = serde_json::from_str(fetch(Some(&own)).body()).unwrap();
    let token = granted["access_token"].as_str().unwrap_or_else(|| panic!("{granted}"));
    assert_eq!([door.status(Some(&own), token), door.status(Some(&other), token), door.status(None, token)], [200, 401, 401]);
    door.close();
}
