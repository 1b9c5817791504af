//! `/Me`: members with a token of their own.

use crate::admin::{Admin, EVERYTHING, problem};
use crate::clients::{Client, EMPLOYEE, ENTERPRISE, PATCH, USER, id, user_path};
use crate::stage::{DAY, Stage, active, submit};
use rollbook::domain::{Scopes, TokenKind};
use rollbook::service::members;
use rollbook::service::tokens::{self, Order};
use serde_json::{Value, json};

/// A client with a token of that member.
fn own(stage: &Stage, client: &Client, member: &str, kind: TokenKind) -> Client {
    own_with(stage, client, member, Order { kind, ..Order::default() })
}

fn own_with(stage: &Stage, client: &Client, member: &str, order: Order) -> Client {
    let order = Order { member: Some(member.to_owned()), ..order };
    let (_, secret) = stage.admin(&client.tenant, |c, act| tokens::issue_for(c, act, &order)).unwrap();
    client.with_token(Some(&secret))
}

/// Somebody with everything that a member may not change.
fn anna() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE, EMPLOYEE], "userName": "anna@example.com", "externalId": "ext-7", "displayName": "Anna", "nickName": "An",
        "title": "Engineer", "emails": [{"value": "anna@example.com", "type": "work", "primary": true}], "roles": [{"value": "Reader"}],
        "entitlements": [{"value": "e"}], "name": {"givenName": "Anna", "familyName": "Example"}, "locale": "de-CH",
        ENTERPRISE: {"department": "Sales", "employeeNumber": "7"}, EMPLOYEE: {"location": "Nowhere", "hireDate": "2026-01-01"}
    })
}

fn pushed(stage: &Stage) -> (Client, Value) {
    let client = stage.tenant(|_| {});
    let user = client.post("/Users", &anna()).expect(201);
    client.group("Staff", &[id(&user)]);
    let user = client.get(&user_path(&user)).expect(200);
    (client, user)
}

/// How a token opens a member, and nothing else.
#[track_caller]
fn opens(me: &Client, user: &Value) {
    let shown = me.get("/Me");
    assert_eq!(shown.expect(200), *user);
    assert_eq!(shown.header("location"), user["meta"]["location"].as_str().unwrap());
    assert_eq!(shown.header("etag"), user["meta"]["version"].as_str().unwrap());
    assert_eq!(me.get("/Me?attributes=nickName").expect(200), json!({"schemas": user["schemas"], "id": user["id"], "nickName": "An"}));
}

on_stage! {
    /// R218: what `/Me` answers is the resource at its permanent address, which the Location header tells.
    fn me_is_the_resource_itself(stage) {
        let (client, user) = pushed(stage);
        for kind in [TokenKind::Opaque, TokenKind::Jwt] {
            let me = own(stage, &client, "anna@example.com", kind);
            opens(&me, &user);
            let head = me.send("HEAD", "/Me", &[], None);
            assert_eq!((head.status, head.header("location")), (200, user["meta"]["location"].as_str().unwrap()));
            let tag = user["meta"]["version"].as_str().unwrap();
            let same = me.send("GET", "/Me", &[("if-none-match", tag)], None);
            assert_eq!((same.status, same.header("location")), (304, user["meta"]["location"].as_str().unwrap()));
            opens(&me.with_token(me.token.as_deref()), &user);
        }
        let me = own(stage, &client, id(&user), TokenKind::Opaque);
        let origin = stage.server.base.strip_suffix("/v2").unwrap();
        me.get(&format!("{origin}/Me")).expect(200);
        me.get("/ServiceProviderConfig").expect(200);
        me.get("/Schemas").expect(200);
    }

    /// R218 R220: a member changes what the tenant leaves to members, by PATCH and by PUT, and the history says who it was.
    fn members_change_what_is_left_to_them(stage) {
        let (client, user) = pushed(stage);
        let me = own(stage, &client, id(&user), TokenKind::Opaque);
        let patched = me.patch("/Me", &json!([
            {"op": "replace", "path": "nickName", "value": "Anni"}, {"op": "add", "value": {"timezone": "Europe/Zurich"}},
            {"op": "add", "path": "phoneNumbers", "value": [{"value": "+41 44 000 00 00", "type": "work"}]}, {"op": "remove", "path": "locale"}
        ]));
        let after = patched.expect(200);
        assert_eq!((&after["nickName"], &after["timezone"], &after["locale"]), (&json!("Anni"), &json!("Europe/Zurich"), &Value::Null));
        assert_eq!(patched.header("location"), user["meta"]["location"].as_str().unwrap());
        assert_eq!(client.get(&user_path(&user)).expect(200), after);
        // What was read is sent back, changed a little; or only what the member may change at all.
        let mut whole = after.clone();
        whole["nickName"] = json!("Ann");
        assert_eq!(me.put("/Me", &whole).expect(200)["nickName"], "Ann");
        let little = me.put("/Me", &json!({"schemas": [USER], "userName": "anna@example.com", "nickName": "A"})).expect(200);
        assert_eq!((&little["nickName"], &little["timezone"]), (&json!("A"), &Value::Null));
        for kept in ["userName", "externalId", "emails", "roles", "entitlements", "title", "name", "displayName", "active", "groups", ENTERPRISE, EMPLOYEE] {
            assert_eq!(little[kept], after[kept], "{kept}");
        }
        let stale = me.send("PATCH", "/Me", &[("if-match", "W/\"0\"")], Some(&json!({"schemas": [PATCH], "Operations": []}).to_string()));
        assert_eq!(stale.status, 412, "{}", stale.text);
        let told: Vec<String> = stage.timeline(&client.tenant, id(&user)).iter().map(rollbook::service::audit::Line::sentence).collect();
        assert!(told.contains(&"profile updated by the member".to_owned()), "{told:?}");
        stage.server.assert_sound();
    }

    /// R220: nobody raises their own rights: what members may not change is refused by name, all of it, and nothing is changed.
    fn nobody_raises_their_own_rights(stage) {
        let (client, user) = pushed(stage);
        let me = own(stage, &client, id(&user), TokenKind::Opaque);
        for (path, value) in [
            ("active", json!(false)), ("userName", json!("boss@example.com")), ("externalId", json!("x")), ("displayName", json!("Boss")),
            ("emails", json!([{"value": "boss@example.com"}])), ("roles", json!([{"value": "admin"}])), ("title", json!("Boss")),
            ("entitlements", json!([{"value": "all"}])), ("x509Certificates", json!([{"value": "AAAA"}])), ("userType", json!("Boss")),
            ("name.familyName", json!("Boss")), ("emails[type eq \"work\"].value", json!("boss@example.com")),
        ] {
            let operations = json!([{"op": "replace", "path": "nickName", "value": "x"}, {"op": "replace", "path": path, "value": value}]);
            let detail = me.patch("/Me", &operations).expect_error(403, "");
            assert!(detail.contains(path.split(['.', '[']).next().unwrap()) && !detail.contains("nickName"), "{path}: {detail}");
        }
        for (urn, name, value) in [
            (ENTERPRISE, "department", json!("Board")), (ENTERPRISE, "manager", json!({"value": id(&user)})), (EMPLOYEE, "invited", json!(true)),
            (EMPLOYEE, "terminationDate", json!("2030-01-01")), (EMPLOYEE, "authMethod", json!("sso")),
        ] {
            let detail = me.patch("/Me", &json!([{"op": "add", "path": format!("{urn}:{name}"), "value": value}])).expect_error(403, "");
            assert!(detail.contains(&format!("{urn}:{name}")), "{detail}");
            let mut body = user.clone();
            body[urn][name] = value;
            me.put("/Me", &body).expect_error(403, "");
        }
        me.patch("/Me", &json!([{"op": "remove", "path": ENTERPRISE}])).expect_error(403, "");
        me.patch("/Me", &json!([{"op": "replace", "path": "groups", "value": []}])).expect_error(400, "mutability");
        let detail = me.put("/Me", &json!({"schemas": [USER], "userName": "boss@example.com", "roles": [{"value": "admin"}]})).expect_error(403, "");
        assert!(detail.contains("userName") && detail.contains("roles") && !detail.contains("emails"), "{detail}");
        assert_eq!(client.get(&user_path(&user)).expect(200), user);
        // What is left to members is the tenant's to say.
        stage.set(&client.tenant, |s| s.self_service = vec!["title".into()]);
        me.patch("/Me", &json!([{"op": "replace", "path": "title", "value": "Boss"}])).expect(200);
        me.patch("/Me", &json!([{"op": "replace", "path": "nickName", "value": "x"}])).expect_error(403, "");
    }

    /// R219 R220: a member's own token opens `/Me` and nothing else, a token that is nobody's own finds nothing there.
    fn own_tokens_open_nothing_else(stage) {
        let (client, user) = pushed(stage);
        let me = own(stage, &client, id(&user), TokenKind::Opaque);
        let path = user_path(&user);
        for (method, path) in [
            ("GET", "/Users"), ("GET", path.as_str()), ("PATCH", path.as_str()), ("DELETE", path.as_str()), ("POST", "/Users"), ("GET", "/Groups"),
            ("POST", "/.search"), ("GET", ""), ("POST", "/Bulk"), ("GET", "/Me/x"), ("GET", "/nowhere"),
        ] {
            let detail = me.send(method, path, &[], Some("{}")).expect_error(403, "");
            assert!(detail.contains("/Me"), "{method} {path}: {detail}");
        }
        me.post("/Me", &anna()).expect_error(501, "");
        let detail = me.delete("/Me").expect_error(403, "");
        assert!(detail.contains("organisation"), "{detail}");
        assert_eq!(me.send("OPTIONS", "/Me", &[], None).header("allow"), "GET, POST, PUT, PATCH, DELETE");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            client.send(method, "/Me", &[], Some("{}")).expect_error(404, "");
            stage.server.nobody().send(method, "/Me", &[], Some("{}")).expect_error(401, "");
        }
        let reader = own_with(stage, &client, id(&user), Order { scopes: Scopes { read: true, write: false, secrets: false }, ..Order::default() });
        reader.get("/Me").expect(200);
        reader.patch("/Me", &json!([{"op": "replace", "path": "nickName", "value": "x"}])).expect_error(403, "");
        let secrets = Order { scopes: EVERYTHING, member: Some(id(&user).to_owned()), ..Order::default() };
        assert!(stage.admin(&client.tenant, |c, act| tokens::issue_for(c, act, &secrets)).is_err());
    }

    /// R-DEP-1: access ends with the request that deactivates, is back with a restoration, and is over for good with the anonymisation.
    fn access_ends_at_once(stage) {
        let (client, user) = pushed(stage);
        stage.set(&client.tenant, |s| s.quarantine_days = 1);
        let (me, path) = (own(stage, &client, id(&user), TokenKind::Jwt), user_path(&user));
        me.get("/Me").expect(200);
        client.patch(&path, &active(false)).expect(200);
        me.get("/Me").expect_error(401, "");
        me.get("/ServiceProviderConfig").expect_error(401, "");
        me.patch("/Me", &json!([{"op": "replace", "path": "nickName", "value": "x"}])).expect_error(401, "");
        let again = Order { member: Some(id(&user).to_owned()), ..Order::default() };
        assert!(stage.admin(&client.tenant, |c, act| tokens::issue_for(c, act, &again)).unwrap_err().to_string().contains("no access"));
        client.patch(&path, &active(true)).expect(200);
        me.get("/Me").expect(200);
        // Deleted and sent again: another SCIM id, the same person, and the same token.
        client.delete(&path).expect(204);
        me.get("/Me").expect_error(401, "");
        let back = client.post("/Users", &anna()).expect(201);
        assert_ne!(back["id"], user["id"]);
        assert_eq!(me.get("/Me").expect(200)["id"], back["id"]);
        client.delete(&user_path(&back)).expect(204);
        stage.pass(2 * DAY);
        me.get("/Me").expect_error(401, "");
        let left = tokens::list(&mut stage.server.connect(), &client.tenant).unwrap();
        assert!(left.iter().all(|t| t.member.is_none()), "{left:?}");
        stage.server.assert_sound();
    }

    /// Whoever's claim is undone is not let in any more by tokens from before.
    fn an_undone_claim_ends_its_tokens(stage) {
        let client = stage.tenant(|s| s.auto_invite = true);
        let user = client.post("/Users", &anna()).expect(201);
        stage.settle();
        let link = stage.one_mail().link();
        assert!(submit(&stage.visitor(), &link, &[]).status < 400);
        let me = own(stage, &client, id(&user), TokenKind::Opaque);
        me.get("/Me").expect(200);
        stage.admin(&client.tenant, |c, act| members::reset(c, act, id(&user))).unwrap();
        stage.server.app.refresh_auth().unwrap();
        me.get("/Me").expect_error(401, "");
        let renewed = own(stage, &client, id(&user), TokenKind::Opaque);
        renewed.get("/Me").expect(200);
    }
}

on_both! {
    /// Admins issue tokens of members, see whose they are, and rotate them.
    fn admins_issue_them(server) {
        let client = server.tenant();
        let user = client.user("anna@example.com");
        let admin = Admin::of(server, &client.tenant, EVERYTHING);
        let path = format!("/tenants/{}/tokens", client.tenant);
        let made = admin.post(&path, &json!({"name": "phone", "member": "anna@example.com", "kind": "jwt"})).expect(201);
        assert_eq!(made["member"], user["id"]);
        let me = client.with_token(made["token"].as_str());
        assert_eq!(me.get("/Me").expect(200)["id"], user["id"]);
        let next = admin.post(&format!("{path}/{}/rotation", made["id"].as_str().unwrap()), &json!({})).expect(201);
        assert_eq!(next["member"], user["id"]);
        assert_eq!(client.with_token(next["token"].as_str()).get("/Me").expect(200)["id"], user["id"]);
        assert_eq!(admin.get(&format!("{path}/{}", next["id"].as_str().unwrap())).expect(200)["member"], user["id"]);
        problem(&admin.post(&path, &json!({"member": "nobody@example.com"})), 404, "not-found");
        problem(&admin.post(&path, &json!({"member": "anna@example.com", "scopes": ["scim:secrets"]})), 400, "invalid");
        client.patch(&user_path(&user), &active(false)).expect(200);
        problem(&admin.post(&path, &json!({"member": "anna@example.com"})), 409, "no-access");
        let other = server.tenant();
        other.user("anna@example.com");
        let stranger = json!({"member": id(&user)});
        let elsewhere = Admin::of(server, &other.tenant, EVERYTHING);
        problem(&elsewhere.post(&format!("/tenants/{}/tokens", other.tenant), &stranger), 404, "not-found");
        let settings = json!({"settings": {"self_service": ["nickName", "roles"]}});
        assert!(problem(&admin.patch(&format!("/tenants/{}", client.tenant), &settings), 400, "invalid").contains("roles"));
    }
}
