//! Tolerances: each one is documented, switched for each connection by itself, and says why it is on or off.

use crate::admin::Admin;
use crate::clients::{Client, USER, user_path};
use crate::harness::Server;
use crate::program::Place;
use rollbook::domain::Idp;
use rollbook::scim::dialect::{Declared, Quirk, Quirks};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// A change of a source is noticed.
fn noticed() {
    std::thread::sleep(Duration::from_millis(1100));
}

/// A source of the tenant acme, with a client of it.
fn source(server: &Server, operator: &Admin, name: &str, provider: &str) -> Client {
    operator.post("/tenants/acme/sources", &json!({"name": name, "provider": provider})).expect(201);
    let token = operator.post("/tenants/acme/tokens", &json!({"source": name})).expect(201);
    Client::new(&server.base, token["token"].as_str(), "acme")
}

fn switches(view: &Value, name: &str) -> Value {
    let list = view["tolerances_explained"].as_array().unwrap();
    let one = list.iter().find(|t| t["name"] == name).unwrap();
    json!([one["switch"], one["by"]])
}

/// Where docs/tolerances.md says that a tolerance is on.
fn on_under(quirk: Quirk) -> &'static str {
    let on = |declared| Quirks::of(declared).has(quirk);
    match (on(Declared::Rfc), on(Declared::Okta)) {
        (true, _) => "auto, okta, entra, onelogin, rfc",
        (false, true) => "auto, okta, entra, onelogin",
        (false, false) => "entra; auto by evidence",
    }
}

#[test]
fn every_tolerance_is_in_the_documentation() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tolerances.md")).unwrap();
    let text = text.split("\n## ").find(|part| part.starts_with("Tolerances\n")).unwrap();
    let rows: Vec<Vec<&str>> =
        text.lines().filter(|l| l.starts_with("| `")).map(|l| l.trim_matches('|').split(" | ").map(str::trim).collect()).collect();
    for quirk in Quirk::ALL {
        let row: Vec<_> = rows.iter().filter(|r| r[0] == format!("`{}`", quirk.name())).collect();
        assert_eq!(row.len(), 1, "{}", quirk.name());
        assert_eq!(row[0].last().copied(), Some(on_under(*quirk)), "{}", quirk.name());
        assert!(row[0].len() == 4 && row[0].iter().all(|cell| !cell.is_empty()), "{row:?}");
        assert!(!quirk.about().is_empty(), "{}", quirk.name());
    }
    assert_eq!(rows.len(), Quirk::ALL.len());
    assert!(Quirk::ALL.len() <= 64, "a set of them is 64 bits");
}

#[test]
fn profiles_have_the_tolerances_that_they_say() {
    let count = |declared| Quirks::of(declared).iter().count();
    assert_eq!((count(Declared::Interop), count(Declared::Ipsie)), (0, 0));
    assert_eq!((count(Declared::Rfc), count(Declared::Entra)), (2, Quirk::ALL.len()));
    assert_eq!(Quirks::by_evidence(Declared::Auto).iter().collect::<Vec<_>>(), [Quirk::CreateFromFilter, Quirk::RemoveValueList]);
    assert!(Quirks::by_evidence(Declared::Okta).is_empty());
}

on_both! {
    /// R258: two connections of one tenant keep different profiles, and discovery knows whose token it is.
    fn each_connection_has_its_own_profile(server) {
        let operator = Admin::operator(server);
        operator.post("/tenants", &json!({"name": "acme"})).expect(201);
        let (strict, plain) = (source(server, &operator, "strict", "interop"), source(server, &operator, "plain", "okta"));
        let announced = |c: &Client| c.get("/ServiceProviderConfig").expect(200)["interopProfileConformant"].clone();
        assert_eq!((announced(&strict), announced(&plain), announced(&server.nobody())), (json!(true), Value::Null, Value::Null));
        let user = plain.post("/Users", &json!({"schemas": [USER], "userName": "sam@example.com", "shoeSize": 9})).expect(201);
        let pathless = json!([{"op": "replace", "value": {"title": "T"}}]);
        strict.patch(&user_path(&user), &pathless).expect_error(400, "invalidSyntax");
        plain.patch(&user_path(&user), &pathless).expect(200);

        let place = "/tenants/acme/sources/strict";
        assert_eq!(operator.get(place).expect(200)["interop_conformant"], true);
        let after = operator.patch(place, &json!({"tolerances": {"unknown_attribute": true}})).expect(200);
        assert_eq!((&after["interop_conformant"], switches(&after, "unknown_attribute")), (&json!(false), json!(["on", "hand"])));
        noticed();
        assert_eq!(announced(&strict), Value::Null, "it is not kept any more");
        strict.post("/Users", &json!({"schemas": [USER], "userName": "other@example.com", "shoeSize": 9})).expect(201);
        operator.patch(place, &json!({"tolerances": {"unknown_attribute": false}})).expect(200);
        noticed();
        assert_eq!(announced(&strict), json!(true), "switched off by hand, it is kept");
    }

    /// What is tolerated under every other declaration can be switched off as well, and then it is refused, not dropped.
    fn nothing_is_dropped_in_silence(server) {
        let operator = Admin::operator(server);
        operator.post("/tenants", &json!({"name": "acme"})).expect(201);
        let c = source(server, &operator, "own", "rfc");
        let send = |name: &str, more: Value| {
            let mut body = json!({"schemas": [USER], "userName": name});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            c.post("/Users", &body)
        };
        send("a", json!({"shoeSize": 9})).expect(201);
        send("b", json!({"password": "secret-1"})).expect(201);
        assert!(c.get(&format!("/Schemas/{USER}")).expect(200).to_string().contains("\"password\""));
        let off = json!({"tolerances": {"unknown_attribute": false, "password_dropped": false}});
        operator.patch("/tenants/acme/sources/own", &off).expect(200);
        noticed();
        assert!(send("c", json!({"shoeSize": 9})).expect_error(400, "invalidSyntax").contains("shoeSize"));
        assert!(send("d", json!({"password": "secret-1"})).expect_error(400, "invalidSyntax").contains("password"));
        assert!(!c.get(&format!("/Schemas/{USER}")).expect(200).to_string().contains("\"password\""));
    }

    /// The admin API, `rollbook tenant show` and `rollbook source show` say which are on, and why.
    fn it_is_said_which_are_on_and_why(server) {
        let operator = Admin::operator(server);
        operator.post("/tenants", &json!({"name": "acme"})).expect(201);
        let on_and_off = json!({"tolerances": {"remove_value_list": true, "string_boolean": false}});
        let view = operator.patch("/tenants/acme/sources/default", &on_and_off).expect(200);
        let expected = [("remove_value_list", json!(["on", "hand"])), ("string_boolean", json!(["off", "hand"])),
            ("create_from_filter", json!(["by_evidence", "profile"])), ("path_key", json!(["on", "profile"]))];
        for (name, switch) in &expected {
            assert_eq!(&switches(&view, name), switch, "{name}");
        }
        assert_eq!(view["tolerances_explained"].as_array().unwrap().len(), Quirk::ALL.len());

        let place = Place::beside(server);
        let shown = place.json(&["source", "show", "acme", "default", "--json"]);
        assert_eq!(shown["tolerances"], view["tolerances_explained"]);
        assert_eq!((&shown["provider"], &shown["providerIsTheTenants"]), (&json!("auto"), &json!(true)));
        let text = place.run(&["source", "show", "acme", "default"]);
        let line = |name: &str| text.lines().find(|l| l.trim_start().starts_with(name)).unwrap().to_owned();
        assert!(line("remove_value_list").contains("on by hand") && line("string_boolean").contains("off by hand"), "{text}");
        assert!(line("create_from_filter").contains("by evidence") && line("path_key").contains(Quirk::PathKey.about()), "{text}");
        assert!(place.refused(&["source", "show", "acme", "none"]).contains("rollbook source list acme"));

        let shown = &place.json(&["tenant", "show", "acme", "--json"])["sources"][0];
        assert_eq!((&shown["byHand"], &shown["byEvidence"]), (&on_and_off["tolerances"], &json!(["create_from_filter"])));
        let text = place.run(&["tenant", "show", "acme"]);
        let line = |start: &str| text.lines().map(str::trim).find(|l| l.starts_with(start)).unwrap().to_owned();
        assert_eq!((&*line("on by hand"), &*line("off by hand")), ("on by hand      remove_value_list", "off by hand     string_boolean"));
        assert!(line("by profile").contains("path_key") && !line("by profile").contains("remove_value_list"), "{text}");
        assert!(line("by evidence").contains("create_from_filter"), "{text}");
    }

    /// A profile is chosen for a tenant or a source, from the command line too.
    fn profiles_are_chosen_from_the_command_line(server) {
        let place = Place::beside(server);
        place.run(&["tenant", "create", "acme", "--idp", "ipsie"]);
        let shown = place.json(&["tenant", "show", "acme", "--json"]);
        assert_eq!((&shown["idp"], &shown["uniqueGroupNames"]), (&json!("ipsie"), &json!(true)));
        assert_eq!(shown["sources"][0]["interopConformant"], true);
        place.run(&["source", "create", "acme", "other", "--idp", "interop"]);
        place.run(&["source", "set", "acme", "other", "tolerance.unknown_attribute=true"]);
        let text = place.run(&["source", "show", "acme", "other"]);
        assert!(text.contains("not announced") && text.contains("unknown_attribute          on by hand"), "{text}");
        assert!(place.run(&["source", "show", "acme", "default"]).contains("kept and announced"));
        let refused = place.refused(&["source", "set", "acme", "other", "provider=lax"]);
        assert!(Idp::ALL.iter().all(|idp| refused.contains(idp.as_str())), "{refused}");
    }
}
