//! The membership roll: uninvited, invited, claimed; what people at the desk and identity providers do to it.

use crate::clients::{GROUP, USER, group_path, id, user_path};
use crate::stage::{DAY, HOUR, SECOND, Stage, active, roll, sam, send_form, submit};
use rollbook::domain::settings::{DomainRule, Emailless, PasswordRule};
use rollbook::service::bulk::{self, Order, Whom};
use rollbook::service::{claims, codes, locations, members};
use rollbook::store::backend;
use serde_json::{Value, json};

const OWN: &str = "urn:ietf:params:scim:schemas:extension:rollbook:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

on_stage! {
    /// Scenario 1; R-UNI-1, R-UNI-4: provisioned without a word, in a group, invited, claimed, still in the group.
    fn from_push_to_claim(stage) {
        let acme = stage.tenant(|s| s.application_url = Some("https://app.example.com/start?x=1".into()));
        let user = acme.post("/Users", &sam()).expect(201);
        assert_eq!(roll(&user)["state"], "uninvited");
        assert_eq!((&roll(&user)["invited"], &roll(&user)["claimed"], &roll(&user)["canDelete"]), (&json!(false), &json!(false), &json!(true)));
        let group = acme.group("Sales", &[id(&user)]);
        stage.pass(30 * DAY);
        assert!(stage.mails().is_empty());

        stage.admin(&acme.tenant, |c, act| members::invite(c, act, "sam@example.com")).unwrap();
        stage.settle();
        let mail = stage.one_mail();
        assert!(mail.to.contains("sam@example.com") && mail.subject.contains(&acme.tenant), "{mail:?}");
        let shown = acme.get(&user_path(&user)).expect(200);
        assert_eq!(roll(&shown)["state"], "invited");
        assert!(roll(&shown)["inviteDate"].is_string());

        let visitor = stage.visitor();
        let page = visitor.get(&mail.link());
        assert_eq!(page.status, 200);
        assert!(page.text.contains("Sam Example"), "{}", page.text);
        let done = send_form(&visitor, &mail.link(), &page, &[]);
        assert_eq!(done.status, 303, "{}", done.text);
        let to = done.header("location");
        assert!(to.starts_with("https://app.example.com/start?x=1&rollbook_token="), "{to}");
        let shown = acme.get(&user_path(&user)).expect(200);
        assert_eq!((&roll(&shown)["state"], &roll(&shown)["claimed"]), (&json!("claimed"), &json!(true)));
        assert_eq!(shown["groups"][0]["value"], *id(&group));
        let members = acme.get(&group_path(&group)).expect(200)["members"].clone();
        assert_eq!(members[0]["value"], *id(&user));
    }

    /// Scenario 2: single sign-on of somebody uninvited is refused and leaves no trace but in the history.
    fn sso_while_uninvited(stage) {
        let acme = stage.tenant(|_| {});
        let user = acme.post("/Users", &sam()).expect(201);
        assert_eq!(stage.admin(&acme.tenant, |c, act| claims::by_sso(c, act, "sam@example.com")).unwrap(), None);
        stage.settle();
        assert_eq!(stage.state(&acme.tenant, id(&user)), "uninvited");
        assert!(stage.mails().is_empty());
        assert_eq!(acme.get("/Users").expect(200)["totalResults"], 1);
        assert!(stage.timeline(&acme.tenant, id(&user)).iter().any(|l| l.event == "login_refused"));
        // Nor does somebody who is not there get an account.
        assert_eq!(stage.admin(&acme.tenant, |c, act| claims::by_sso(c, act, "nobody@example.com")).unwrap(), None);
        assert_eq!(acme.get("/Users").expect(200)["totalResults"], 1);
    }

    /// Scenario 2a.
    fn provisioned_inactive(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let mut body = sam();
        body["active"] = json!(false);
        let user = acme.post("/Users", &body).expect(201);
        assert_eq!((&user["active"], &roll(&user)["state"]), (&json!(false), &json!("quarantined")));
        stage.pass(3 * DAY);
        assert!(stage.mails().is_empty());
        let back = acme.patch(&user_path(&user), &active(true)).expect(200);
        assert_eq!((&back["active"], &roll(&back)["state"]), (&json!(true), &json!("uninvited")));
        stage.settle();
        assert!(stage.mails().is_empty());
    }

    /// Scenario 3; R-INV-3, R-INV-4: a scanner's looks change nothing; of twenty claims at once, one gets through.
    fn scanners_and_races(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        stage.settle();
        let link = stage.one_mail().link();
        let scanner = stage.visitor();
        for method in ["HEAD", "GET"].repeat(5) {
            assert_eq!(scanner.send(method, &link, &[], None).status, 200);
        }
        assert_eq!(stage.state(&acme.tenant, id(&user)), "invited");
        let pages: Vec<_> = (0..20).map(|_| scanner.get(&link)).collect();
        let statuses: Vec<u16> = std::thread::scope(|s| {
            let sent: Vec<_> = pages.iter().map(|page| s.spawn(|| send_form(&stage.visitor(), &link, page, &[]).status)).collect();
            sent.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|s| **s == 410).count(), 19, "{statuses:?}");
        assert_eq!(stage.state(&acme.tenant, id(&user)), "claimed");
        assert_eq!(stage.timeline(&acme.tenant, id(&user)).iter().filter(|l| l.event == "claimed_by_link").count(), 1);
    }

    /// Scenario 4; R-INV-6, R-INV-1: reminders after three and five days, with the same link; none after a claim.
    fn reminders(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        acme.post("/Users", &sam()).expect(201);
        acme.post("/Users", &json!({"schemas": [USER], "userName": "lee@example.com"})).expect(201);
        stage.settle();
        let first = stage.take_mails();
        assert_eq!(first.len(), 2);
        let of = |mails: &[crate::stage::Mail], who: &str| mails.iter().find(|m| m.to.contains(who)).unwrap().link();
        let (sam, lee) = (of(&first, "sam@"), of(&first, "lee@"));
        let version = || acme.get("/Users").expect(200)["Resources"][0]["meta"]["version"].clone();
        let before = version();
        stage.pass(3 * DAY - HOUR);
        assert!(stage.mails().is_empty());
        stage.pass(2 * HOUR);
        assert_eq!(version(), before, "a reminder changes nothing that a client sees");
        let second = stage.take_mails();
        assert_eq!((second.len(), of(&second, "sam@"), of(&second, "lee@")), (2, sam.clone(), lee));
        stage.pass(DAY);
        assert_eq!(submit(&stage.visitor(), &sam, &[]).status, 200);
        stage.pass(DAY);
        let third = stage.take_mails();
        assert_eq!(third.len(), 1, "{third:?}");
        assert!(third[0].to.contains("lee@"));
        stage.pass(30 * DAY);
        assert!(stage.mails().is_empty(), "two reminders at most");
    }

    /// Scenario 5; R-INV-2: a new link ends the old one; an expired one does not end the invitation, single sign-on still claims.
    fn resend_and_expiry(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        stage.settle();
        let first = stage.one_mail().link();
        assert!(stage.admin(&acme.tenant, |c, act| members::resend(c, act, "sam@example.com")).is_err(), "not twice within the hour");
        stage.pass(2 * HOUR);
        stage.admin(&acme.tenant, |c, act| members::resend(c, act, "sam@example.com")).unwrap();
        stage.settle();
        let second = stage.one_mail().link();
        assert_ne!(first, second);
        assert_eq!(stage.visitor().get(&first).status, 410);
        assert_eq!(stage.visitor().get(&second).status, 200);
        stage.pass(7 * DAY + SECOND);
        stage.take_mails();
        assert_eq!(stage.visitor().get(&second).status, 410);
        assert_eq!(stage.state(&acme.tenant, id(&user)), "invited");
        assert!(stage.admin(&acme.tenant, |c, act| claims::by_sso(c, act, "SAM@example.com")).unwrap().is_some());
        assert_eq!(stage.state(&acme.tenant, id(&user)), "claimed");
        assert_eq!(stage.visitor().get(&second).status, 410);
    }

    /// R-INV-12, R-UNI-5: a revoked link answers like one that never was, and a mail that waits is not sent.
    fn revoked(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        stage.settle();
        let link = stage.one_mail().link();
        let back = acme.patch(&user_path(&user), &json!([{"op": "replace", "path": format!("{OWN}:invited"), "value": false}])).expect(200);
        assert_eq!((&roll(&back)["state"], &roll(&back)["invited"]), (&json!("uninvited"), &json!(false)));
        let (dead, never) = (stage.visitor().get(&link), stage.visitor().get(&format!("{}x", &link[..link.len() - 1])));
        assert_eq!((dead.status, &dead.text), (404, &never.text));
        let posted = submit(&stage.visitor(), &link, &[]);
        assert_eq!(posted.status, 403, "there is no form on the page");
        // Invited and taken back before the mail goes out.
        acme.patch(&user_path(&user), &json!([{"op": "replace", "path": format!("{OWN}:invited"), "value": true}])).expect(200);
        acme.patch(&user_path(&user), &json!([{"op": "replace", "path": format!("{OWN}:invited"), "value": false}])).expect(200);
        stage.settle();
        assert!(stage.mails().is_empty());
    }

    /// Scenario 14; R-EMP-5: an unknown location is blank, and filled in when it becomes known.
    fn unknown_locations(stage) {
        let acme = stage.tenant(|_| {});
        let mut body = sam();
        body[OWN] = json!({"location": " Berlin "});
        let user = acme.post("/Users", &body).expect(201);
        assert!(roll(&user).get("location").is_none(), "{user}");
        assert!(stage.timeline(&acme.tenant, id(&user)).iter().any(|l| l.event == "warning"));
        // Another change does not lose what was sent.
        acme.patch(&user_path(&user), &json!([{"op": "replace", "path": "title", "value": "Guide"}])).expect(200);
        // Neither do an invitation, a suspension and its end, which write the record themselves, show it.
        stage.admin(&acme.tenant, |c, act| members::invite(c, act, id(&user))).unwrap();
        stage.admin(&acme.tenant, |c, act| members::suspend(c, act, id(&user), None)).unwrap();
        stage.admin(&acme.tenant, |c, act| members::restore(c, act, id(&user))).unwrap();
        assert!(roll(&acme.get(&user_path(&user)).expect(200)).get("location").is_none());
        let moved = stage.admin(&acme.tenant, |c, act| locations::add(c, act, "Berlin")).unwrap();
        assert_eq!((moved.filled, moved.blanked), (1, 0));
        assert_eq!(roll(&acme.get(&user_path(&user)).expect(200))["location"], "Berlin");
        assert_eq!(acme.filter("/Users", &format!("{OWN}:location eq \"berlin\"")).expect(200)["totalResults"], 1);
        let moved = stage.admin(&acme.tenant, |c, act| locations::rename(c, act, "Berlin", "Munich")).unwrap();
        assert_eq!((moved.filled, moved.blanked), (0, 1));
        assert!(roll(&acme.get(&user_path(&user)).expect(200)).get("location").is_none());
        assert!(stage.admin(&acme.tenant, |c, act| locations::add(c, act, " Munich")).is_err(), "the same name");
        stage.admin(&acme.tenant, |c, act| locations::rename(c, act, "Munich", "Berlin")).unwrap();
        assert_eq!(roll(&acme.get(&user_path(&user)).expect(200))["location"], "Berlin");
    }

    /// Scenario 14; R-EMP-6: a manager who comes later, or would close a cycle.
    fn managers_by_address(stage) {
        let acme = stage.tenant(|_| {});
        let with_manager = |name: &str, manager: &str| json!({"schemas": [USER], "userName": name, OWN: {"managerEmail": manager}});
        let lee = acme.post("/Users", &with_manager("lee@example.com", "SAM@example.com")).expect(201);
        assert_eq!(roll(&lee)["managerEmail"], "SAM@example.com");
        assert!(lee[ENTERPRISE].get("manager").is_none());
        let sam = acme.post("/Users", &sam()).expect(201);
        stage.settle();
        let lee = acme.get(&user_path(&lee)).expect(200);
        assert_eq!(lee[ENTERPRISE]["manager"]["value"], *id(&sam));
        assert_eq!((&lee[ENTERPRISE]["manager"]["displayName"], &roll(&lee)["managerEmail"]), (&json!("Sam Example"), &json!("sam@example.com")));
        // Sam cannot report to Lee now, nor Lee to Lee.
        let sam = acme.patch(&user_path(&sam), &json!([{"op": "add", "path": format!("{OWN}:managerEmail"), "value": "lee@example.com"}])).expect(200);
        assert!(sam[ENTERPRISE].get("manager").is_none(), "{sam}");
        let own = acme.post("/Users", &with_manager("kim@example.com", "kim@example.com")).expect(201);
        stage.settle();
        assert!(acme.get(&user_path(&own)).expect(200)[ENTERPRISE].get("manager").is_none());
        assert!(stage.timeline(&acme.tenant, id(&sam)).iter().any(|l| l.reason.as_deref().is_some_and(|r| r.contains("manager_cycle"))));
    }

    /// Scenario 17; R-CODE-1, 2, 3, 8: people without an address get a code.
    fn access_codes(stage) {
        let acme = stage.tenant(|s| {
            s.emailless = Emailless::Codes;
            s.password = PasswordRule::Required;
            s.admin_emails = vec!["boss@example.com".into()];
        });
        let kim = json!({"schemas": [USER], "userName": "kim", "displayName": "Kim Example", ENTERPRISE: {"employeeNumber": "E-7"},
                         OWN: {"invited": false}});
        let user = acme.post("/Users", &kim).expect(201);
        assert_eq!(roll(&user)["state"], "invited");
        acme.post("/Users", &json!({"schemas": [USER], "userName": "lou"})).expect_error(400, "invalidValue");
        let code = stage.admin(&acme.tenant, |c, act| codes::show(c, act, id(&user))).unwrap().code;
        assert_eq!(stage.admin(&acme.tenant, |c, act| codes::show(c, act, id(&user))).unwrap().code, code, "the same slip again");
        let base = acme.base.replace("/scim/v2", "");
        let claim = format!("{base}/claim");
        let enter = |code: &str, fields: &[(&str, &str)]| {
            let visitor = stage.visitor();
            let page = visitor.get(&claim);
            let second = send_form(&visitor, &claim, &page, &[("code", code)]);
            if fields.is_empty() {
                return second;
            }
            let cookie = page.header("set-cookie").to_owned();
            let mut second = second;
            second.headers.insert("set-cookie".into(), cookie);
            let all: Vec<(&str, &str)> = [("code", code), ("step", "claim")].into_iter().chain(fields.iter().copied()).collect();
            send_form(&visitor, &claim, &second, &all)
        };
        const GOOD: &str = "correct horse battery";
        assert_eq!(enter("ABCD-EFGH-JKMN-PQRS", &[]).status, 404);
        assert_eq!(enter(&code.to_lowercase().replace('-', " "), &[]).status, 200);
        assert_eq!(enter(&code, &[("password", "short"), ("password_again", "short")]).status, 422);
        assert_eq!(stage.state(&acme.tenant, id(&user)), "invited");
        let done = enter(&code, &[("password", GOOD), ("password_again", GOOD)]);
        assert_eq!(done.status, 200, "{}", done.text);
        assert_eq!(stage.state(&acme.tenant, id(&user)), "claimed");
        assert_eq!(enter(&code, &[]).status, 404, "a code works once");
        // Recovery: a new code, the old one dead; the admins hear of it.
        let first = stage.admin(&acme.tenant, |c, act| codes::issue(c, act, "kim")).unwrap().code;
        let second = stage.admin(&acme.tenant, |c, act| codes::issue(c, act, "kim")).unwrap().code;
        assert_eq!(enter(&first, &[]).status, 404);
        stage.settle();
        assert!(stage.mails().is_empty());
        assert_eq!(enter(&second, &[("password", "another good one"), ("password_again", "another good one")]).status, 200);
        stage.settle();
        assert!(stage.one_mail().to.contains("boss@example.com"));
        // Day 91.
        let late = stage.admin(&acme.tenant, |c, act| codes::issue(c, act, "kim")).unwrap().code;
        stage.pass(90 * DAY + SECOND);
        assert_eq!(enter(&late, &[]).status, 404);
    }

    /// R-CODE-1, R-CODE-2, R-INV-5: who gets no code, and what a code does not open.
    fn refused_codes(stage) {
        let acme = stage.tenant(|s| {
            s.emailless = Emailless::Codes;
            s.sso_url = Some("https://app.example.com/sso".into());
        });
        let kim = |name: &str, number: &str| {
            json!({"schemas": [USER], "userName": name, "displayName": "Kim Example", ENTERPRISE: {"employeeNumber": number}})
        };
        acme.post("/Users", &kim("kim", "E-7")).expect(201);
        acme.post("/Users", &kim("kim2", "e-7")).expect_error(409, "uniqueness");
        acme.post("/Users", &kim("kim3", "kim@example.com")).expect_error(400, "invalidValue");
        let mut sso = kim("kim4", "E-8");
        sso[OWN] = json!({"authMethod": "sso"});
        acme.post("/Users", &sso).expect_error(400, "invalidValue");
        stage.set(&acme.tenant, |s| s.emailless = Emailless::Refuse);
        let why = acme.post("/Users", &kim("kim5", "E-9")).expect_error(400, "invalidValue");
        assert!(why.contains("email_required"), "{why}");
        assert_eq!(acme.get("/Users").expect(200)["totalResults"], 1);
        // Somebody who signs in elsewhere is sent there, whatever opens the page.
        stage.set(&acme.tenant, |s| s.emailless = Emailless::Codes);
        let code = stage.admin(&acme.tenant, |c, act| codes::show(c, act, "kim")).unwrap().code;
        let kim = stage.member(&acme.tenant, "kim").id;
        acme.patch(&format!("/Users/{kim}"), &json!([{"op": "add", "path": format!("{OWN}:authMethod"), "value": "sso"}])).expect(200);
        let claim = format!("{}/claim", acme.base.replace("/scim/v2", ""));
        let visitor = stage.visitor();
        let page = visitor.get(&claim);
        let sent = send_form(&visitor, &claim, &page, &[("code", &code), ("step", "claim")]);
        assert_eq!((sent.status, sent.header("location")), (303, "https://app.example.com/sso"));
        assert_eq!(stage.state(&acme.tenant, "kim"), "invited");
    }

    /// R-CODE-7: an address ends the code, and a mail takes its place.
    fn from_code_to_address(stage) {
        let acme = stage.tenant(|s| s.emailless = Emailless::Codes);
        let kim = json!({"schemas": [USER], "userName": "kim", "displayName": "Kim Example", ENTERPRISE: {"employeeNumber": "E-7"}});
        let user = acme.post("/Users", &kim).expect(201);
        let add = json!([{"op": "add", "path": "emails", "value": [{"value": "kim@example.com", "primary": true}]}]);
        acme.patch(&user_path(&user), &add).expect(200);
        assert!(stage.admin(&acme.tenant, |c, act| codes::show(c, act, "kim")).is_err());
        stage.settle();
        let link = stage.one_mail().link();
        stage.set(&acme.tenant, |s| s.emailless = Emailless::Wait);
        acme.patch(&user_path(&user), &json!([{"op": "remove", "path": "emails"}])).expect_error(400, "invalidValue");
        assert_eq!(submit(&stage.visitor(), &link, &[]).status, 200);
    }

    /// R-UNI-7, R-ADD-2: everybody, some by a filter, or those who are named; counted first, each once.
    fn inviting_many(stage) {
        let acme = stage.tenant(|_| {});
        for n in 0..120 {
            acme.user_with(json!({"userName": format!("u{n}@example.com"), "title": if n < 20 { "Guide" } else { "Clerk" }}));
        }
        acme.user("nobody");
        let count = |whom: &Whom| stage.admin(&acme.tenant, |c, act| bulk::count(c, act, &Order::invite(whom.clone()))).unwrap();
        let guides = Whom::Filter("title eq \"guide\"".into());
        assert_eq!((count(&Whom::All), count(&guides)), (121, 20));
        let job = stage.admin(&acme.tenant, |c, act| bulk::start(c, act, &Order::invite(guides.clone()))).unwrap();
        assert_eq!((job.total, job.done), (20, 0));
        stage.settle();
        assert_eq!(stage.take_mails().len(), 20);
        let job = stage.admin(&acme.tenant, |c, act| bulk::start(c, act, &Order::invite(Whom::All))).unwrap();
        stage.settle();
        let job = stage.admin(&acme.tenant, |c, act| bulk::find(c, act, &job.id)).unwrap();
        assert_eq!((job.total, job.done, job.failed), (101, 100, 1));
        assert!(job.ended_at.is_some());
        let failures = stage.admin(&acme.tenant, |c, act| bulk::failures(c, act, &job.id, "", 1000)).unwrap();
        assert!(failures[0].1.contains("no e-mail address"), "{failures:?}");
        assert_eq!(stage.take_mails().len(), 100);
        assert_eq!(acme.filter("/Users", &format!("{OWN}:state eq \"uninvited\"")).expect(200)["totalResults"], 1);
        assert_eq!(acme.filter("/Users", &format!("{OWN}:state eq \"invited\" and title eq \"Guide\"")).expect(200)["totalResults"], 20);
        assert!(stage.admin(&acme.tenant, |c, act| bulk::start(c, act, &Order::invite(Whom::These(vec!["missing".into()])))).is_err());
    }

    /// R-INV-9: the link and the code are shown on request only, to a token that may, for one member at a time, and that is recorded.
    fn secrets_on_request(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        stage.settle();
        let link = stage.one_mail().link();
        let path = format!("{}?attributes={OWN}:claimLink,{OWN}:state", user_path(&user));
        assert!(roll(&acme.get(&path).expect(200)).get("claimLink").is_none());
        let scopes = rollbook::domain::Scopes::parse("scim:read scim:secrets").unwrap();
        let trusted = stage.server.client(&acme.tenant, scopes);
        let shown = trusted.get(&path).expect(200);
        assert_eq!((&roll(&shown)["claimLink"], &roll(&shown)["state"]), (&json!(link), &json!("invited")));
        for other in [user_path(&user), format!("/Users?attributes={OWN}:claimLink")] {
            assert!(!trusted.get(&other).text.contains("claimLink"), "{other}");
        }
        assert_eq!(stage.timeline(&acme.tenant, id(&user)).iter().filter(|l| l.event == "link_read").count(), 1);
    }

    /// R-INV-10: what is written to `invited` is done or refused, never ignored.
    fn invited_over_scim(stage) {
        let acme = stage.tenant(|_| {});
        let user = acme.post("/Users", &sam()).expect(201);
        let set = |value: bool| json!([{"op": "replace", "path": format!("{OWN}:invited"), "value": value}]);
        assert_eq!(roll(&acme.patch(&user_path(&user), &set(true)).expect(200))["state"], "invited");
        stage.settle();
        let link = stage.one_mail().link();
        // A PUT that says nothing of it changes nothing.
        assert_eq!(roll(&acme.put(&user_path(&user), &sam()).expect(200))["state"], "invited");
        assert_eq!(submit(&stage.visitor(), &link, &[]).status, 200);
        acme.patch(&user_path(&user), &set(false)).expect_error(400, "mutability");
        acme.patch(&user_path(&user), &json!([{"op": "replace", "path": format!("{OWN}:claimed"), "value": false}])).expect_error(400, "mutability");
        let mut read_only = sam();
        read_only[OWN] = json!({"state": "uninvited", "claimed": false, "canDelete": true});
        assert_eq!(roll(&acme.put(&user_path(&user), &read_only).expect(200))["state"], "claimed");
        let nobody = acme.user("nobody");
        let why = acme.patch(&user_path(&nobody), &set(true)).expect_error(400, "invalidValue");
        assert!(why.contains("email_required"), "{why}");
    }

    /// R-DOM-4, §6: where domains must be verified, only its owner changes a claimed profile.
    fn personal_data_of_claimed_accounts(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        stage.settle();
        assert_eq!(submit(&stage.visitor(), &stage.one_mail().link(), &[]).status, 200);
        stage.set(&acme.tenant, |s| s.domains = DomainRule::Verified);
        let title = json!([{"op": "replace", "path": "title", "value": "Guide"}]);
        let name = json!([{"op": "replace", "path": "displayName", "value": "Other"}]);
        acme.patch(&user_path(&user), &title).expect(200);
        let why = acme.patch(&user_path(&user), &name).expect_error(403, "");
        assert!(why.contains("domain_not_verified"), "{why}");
        let sso = json!({"schemas": [USER], "userName": "lee@example.com", OWN: {"authMethod": "sso"}});
        acme.post("/Users", &sso).expect_error(400, "invalidValue");
        // auto_invite does not reach there, and whoever asks for it is told.
        let kim = acme.post("/Users", &json!({"schemas": [USER], "userName": "kim@example.com"})).expect(201);
        assert_eq!(roll(&kim)["state"], "uninvited");
        let invited = json!({"schemas": [USER], "userName": "lou@example.com", OWN: {"invited": true}});
        assert!(acme.post("/Users", &invited).expect_error(400, "invalidValue").contains("domain_not_eligible"));
        assert!(stage.admin(&acme.tenant, |c, act| members::invite(c, act, "kim@example.com")).is_err());
        stage.set(&acme.tenant, |s| s.verified_domains = vec!["example.com".into()]);
        acme.patch(&user_path(&user), &name).expect(200);
        acme.post("/Users", &sso).expect(201);
    }

    /// Table row 19: a claimed member's new address is told to both; an invited one's link is sent anew.
    fn changed_addresses(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        stage.settle();
        let first = stage.one_mail().link();
        let to = |address: &str| json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": address}]);
        acme.patch(&user_path(&user), &to("sam@new.example.com")).expect(200);
        stage.settle();
        let mail = stage.one_mail();
        assert!(mail.to.contains("sam@new.example.com"));
        assert_eq!(stage.visitor().get(&first).status, 410);
        assert_eq!(submit(&stage.visitor(), &mail.link(), &[]).status, 200);
        acme.patch(&user_path(&user), &to("sam@third.example.com")).expect(200);
        stage.settle();
        let mut told: Vec<String> = stage.take_mails().into_iter().map(|m| m.to).collect();
        told.sort();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("sam@new.") && told[1].contains("sam@third."), "{told:?}");
    }

    /// R-AUD-1: the history is readable, and says who.
    fn the_timeline(stage) {
        let acme = stage.server.tenant_with(rollbook::domain::Idp::Okta);
        let user = acme.post("/Users", &sam()).expect(201);
        acme.patch(&user_path(&user), &active(false)).expect(200);
        stage.admin(&acme.tenant, |c, act| members::restore(c, act, id(&user))).unwrap();
        let lines: Vec<String> = stage.timeline(&acme.tenant, id(&user)).iter().map(rollbook::service::audit::Line::sentence).collect();
        assert!(lines[0].starts_with("provisioned by Okta (token ") && lines[0].ends_with(": absent -> uninvited"), "{lines:?}");
        assert!(lines[1].starts_with("deactivated by Okta (token ") && lines[1].ends_with(": uninvited -> quarantined (uninvited)"), "{lines:?}");
        assert!(lines[2].starts_with("reactivated by the admin Test: quarantined (uninvited) -> uninvited"), "{lines:?}");
        let mut conn = stage.server.connect();
        let changed = backend::write(&mut conn, |c| rollbook::store::sql::Sql::new("UPDATE audit_events SET event = 'x'").run(c));
        assert!(changed.is_err(), "the history cannot be changed");
    }

    /// R-UNI-3, R-UNI-6: groups hold members in every state, and lose the uninvited with everybody else.
    fn groups_hold_everybody(stage) {
        let acme = stage.tenant(|_| {});
        let users: Vec<Value> = (0..3).map(|n| acme.user(&format!("u{n}@example.com"))).collect();
        let ids: Vec<&str> = users.iter().map(id).collect();
        let group = acme.post("/Groups", &json!({"schemas": [GROUP], "displayName": "All",
            "members": ids.iter().map(|i| json!({"value": i})).collect::<Vec<_>>()})).expect(201);
        acme.patch(&user_path(&users[0]), &active(false)).expect(200);
        stage.admin(&acme.tenant, |c, act| members::invite(c, act, ids[1])).unwrap();
        assert_eq!(acme.get(&group_path(&group)).expect(200)["members"].as_array().unwrap().len(), 3);
        acme.delete(&group_path(&group)).expect(204);
        stage.admin(&acme.tenant, |c, act| members::invite(c, act, ids[2])).unwrap();
        assert!(acme.get(&user_path(&users[2])).expect(200).get("groups").is_none());
    }
}

/// A tenant's settings reach the stage at once.
#[test]
fn the_stage_is_sound() {
    let stage = Stage::new(crate::harness::Db::Sqlite);
    let acme = stage.tenant(|s| s.quarantine_days = 30);
    assert_eq!(stage.act(&acme.tenant).tenant.settings.quarantine_days, 30);
}
