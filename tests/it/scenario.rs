//! A deployment in which everything has happened once: for tests of what concerns all of the data.

use crate::clients::{Client, GROUP, USER, id, user_path};
use crate::harness::Db;
use crate::stage::{DAY, HOUR, Stage, active, submit};
use rollbook::domain::settings::{Emailless, PasswordRule};
use rollbook::domain::{Idp, Scopes, TokenKind};
use rollbook::service::bulk::{self, Whom};
use rollbook::service::{codes, declarations, locations, members, tokens};
use rollbook::store::backend;
use serde_json::{Value, json};

const OWN: &str = "urn:ietf:params:scim:schemas:extension:rollbook:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GOOD: &str = "a long sentence of words";

fn person(name: &str) -> Value {
    json!({"userName": format!("{name}@example.com"), "externalId": format!("ext-{name}"),
           "name": {"givenName": name, "familyName": "Example"},
           "emails": [{"value": format!("{name}@Example.com"), "primary": true, "type": "work"}, {"value": format!("{name}@home.example")}],
           ENTERPRISE: {"employeeNumber": format!("E-{name}")}})
}

/// The deployment. Its first tenant is `t0`; the server does nothing by itself.
pub fn everything(db: Db) -> Stage {
    let stage = Stage::new(db);
    let acme = stage.tenant(|s| {
        s.auto_invite = true;
        s.group_mails = true;
        s.emailless = Emailless::Codes;
        s.password = PasswordRule::Optional;
        s.admin_emails = vec!["desk@example.com".into()];
        s.application_url = Some("https://app.example.com/start".into());
    });
    let tenant = acme.tenant.clone();
    stage.admin(&tenant, |c, act| locations::add(c, act, "Dorf")).unwrap();
    let new = |name: &str| acme.user_with(person(name));
    let claim = |name: &str| {
        stage.settle();
        let mails = stage.take_mails();
        let link = mails.iter().find(|m| m.to.contains(&format!("{name}@")) && m.text.contains("/claim/")).unwrap().link();
        assert_eq!(submit(&stage.visitor(), &link, &[("password", GOOD), ("password_again", GOOD)]).status, 303, "{name}");
    };

    // Long ago: somebody who is anonymised, and somebody who never was in and is simply gone.
    let old = new("old");
    claim("old");
    acme.group("Alumni", &[id(&old)]);
    let report = acme.user_with(json!({"userName": "report", "emails": [{"value": "report@example.com"}],
        ENTERPRISE: {"manager": {"value": id(&old)}}}));
    acme.delete(&user_path(&old)).expect(204);
    stage.pass(8 * DAY);
    let gone = new("gone");
    stage.admin(&tenant, |c, act| members::delete(c, act, id(&gone), true, Some("a mistake".into()))).unwrap();
    assert_eq!(stage.state(&tenant, id(&old)), "deprovisioned");

    // Claimed, invited, by code, by address; with a manager who is known and one who is waited for.
    let sam = new("sam");
    claim("sam");
    let boss = acme.user_with(json!({"userName": "boss@example.com", "roles": [{"value": "admin"}], "displayName": "The Boss",
        "emails": [{"value": "boss@example.com"}], OWN: {"managerEmail": "nobody@example.com", "location": "Elsewhere"}}));
    let pat = acme.user_with(json!({"userName": "pat@example.com", "emails": [{"value": "pat@example.com"}], "timezone": "Europe/Zurich",
        OWN: {"managerEmail": "boss@example.com", "terminationDate": "2027-06-30", "hireDate": "2020-01-01", "location": "Dorf"}}));
    acme.patch(&user_path(&report), &json!([{"op": "replace", "path": format!("{ENTERPRISE}:manager.value"), "value": id(&boss)}]))
        .expect(200);
    let kim = acme.user_with(json!({"userName": "kim", "displayName": "Kim Example", ENTERPRISE: {"employeeNumber": "K1"}}));
    let lee = acme.user_with(json!({"userName": "lee", "displayName": "Lee Example", ENTERPRISE: {"employeeNumber": "L1"}}));
    stage.admin(&tenant, |c, act| codes::issue(c, act, id(&lee))).unwrap();
    let sales = acme.group("Sales", &[id(&sam), id(&pat), id(&kim)]);
    acme.group("All", &[id(&sales), id(&boss)]);
    acme.post("/Groups", &json!({"schemas": [GROUP], "displayName": "Nobody", "externalId": "g-1"})).expect(201);
    acme.patch(&user_path(&sam), &json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "sam2@example.com"}]))
        .expect(200);
    stage.settle();

    // In quarantine: by the provider, by an admin, deleted; come back under a new id; undone and invited again.
    let off = new("off");
    acme.patch(&user_path(&off), &active(false)).expect(200);
    let barred = new("barred");
    stage.admin(&tenant, |c, act| members::suspend(c, act, id(&barred), Some("asked by the works council".into()))).unwrap();
    stage.admin(&tenant, |c, act| members::hold(c, act, id(&barred), Some("a law suit".into()))).unwrap();
    let hidden = new("hidden");
    acme.group("Kept", &[id(&hidden)]);
    acme.delete(&user_path(&hidden)).expect(204);
    let back = new("back");
    acme.delete(&user_path(&back)).expect(204);
    let again = new("back");
    assert_ne!(id(&again), id(&back));
    let reset = new("reset");
    claim("reset");
    stage.admin(&tenant, |c, act| members::reset(c, act, id(&reset))).unwrap();
    stage.pass(HOUR);
    // Reactivated.
    let on = new("on");
    for value in [false, true] {
        acme.patch(&user_path(&on), &active(value)).expect(200);
    }
    own_types(&stage, &acme);
    many(&stage);
    // What the server would write at leisure is not written: from here on nothing changes by itself.
    drop((stage.server.app.auth.take_uses(), stage.server.app.take_later(), stage.server.app.take_log()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    stage
}

/// Attributes and a resource type of the tenant's own, with values that must be unique.
fn own_types(stage: &Stage, acme: &Client) {
    let own = |urn: &str| json!({"id": urn, "attributes": [{"name": "tag", "uniqueness": "server"}, {"name": "share", "type": "decimal"}]});
    let (extension, base) = ("urn:example:own:2.0:User", "urn:example:own:2.0:Device");
    stage
        .admin(&acme.tenant, |c, act| {
            declarations::create_schema(c, act, own(extension).as_object().unwrap(), Some("User"))?;
            declarations::create_schema(c, act, own(base).as_object().unwrap(), None)?;
            let device = json!({"name": "Device", "endpoint": "/Devices", "schema": base});
            declarations::create_type(c, act, device.as_object().unwrap())
        })
        .unwrap();
    stage.server.app.refresh_auth().unwrap();
    let user = json!({"schemas": [USER, extension], "userName": "own@example.com", extension: {"tag": "Ärger", "share": 1e2}});
    acme.post("/Users", &user).expect(201);
    acme.post("/Devices", &json!({"schemas": [base], "tag": "Ärger", "share": 0.5})).expect(201);
}

/// A tenant with unique group names, an invitation of many that is done, one that is under way, and a signed token.
fn many(stage: &Stage) {
    let other = stage.server.tenant_with(Idp::Entra);
    for n in 0..5 {
        other.user(&format!("u{n}@example.com"));
    }
    let nowhere = other.post("/Users", &json!({"schemas": [USER], "userName": "nowhere"})).expect(201);
    other.group("Unique Name", &[id(&nowhere)]);
    let these = |names: &[&str]| Whom::These(names.iter().map(|n| (*n).to_owned()).collect());
    let vault = stage.server.app.vault.clone();
    let done =
        stage.admin(&other.tenant, |c, act| bulk::start(c, act, &bulk::Order::invite(these(&["u0@example.com", "nowhere"])))).unwrap();
    stage.admin(&other.tenant, |c, act| bulk::work(c, &vault, &done, act.now)).unwrap();
    stage.admin(&other.tenant, |c, act| bulk::start(c, act, &bulk::Order::invite(these(&["u1@example.com", "u2@example.com"])))).unwrap();
    let order = tokens::Order { kind: TokenKind::Jwt, name: "signed".into(), scopes: Scopes::ALL, ..tokens::Order::default() };
    backend::write(&mut stage.server.connect(), |c| tokens::issue(c, &other.tenant, &order, stage.now())).unwrap();
}
