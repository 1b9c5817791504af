//! Deactivated, deleted, terminated: quarantine, the ways back, and the end of it.

use crate::clients::{USER, group_path, id, user_path};
use crate::stage::{DAY, HOUR, SECOND, active, roll, sam, submit};
use rollbook::domain::lifecycle::{Event, Release};
use rollbook::domain::settings::DeleteRule;
use rollbook::domain::{Hold, Reason, Source, State};
use rollbook::service::audit::Note;
use rollbook::service::members;
use rollbook::service::roll as rules;
use serde_json::{Value, json};

const OWN: &str = "urn:ietf:params:scim:schemas:extension:rollbook:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

on_stage! {
    /// Scenario 6; R-DEP-9: Okta's deactivation and re-assignment.
    fn posted_again_after_deactivation(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        let group = acme.group("Sales", &[id(&user)]);
        stage.settle();
        assert_eq!(submit(&stage.visitor(), &stage.one_mail().link(), &[]).status, 200);
        let off = acme.patch(&user_path(&user), &active(false)).expect(200);
        assert_eq!((&off["active"], &roll(&off)["state"]), (&json!(false), &json!("quarantined")));
        assert!(roll(&off)["quarantineUntil"].is_string());
        assert_eq!(acme.get(&group_path(&group)).expect(200)["members"][0]["value"], *id(&user));
        let mut body = sam();
        body["title"] = json!("Guide");
        let again = acme.post("/Users", &body);
        assert_eq!(again.status, 200, "{}", again.text);
        let again = again.expect(200);
        assert_eq!((id(&again), &again["active"], &roll(&again)["state"]), (id(&user), &json!(true), &json!("claimed")));
        assert_eq!((&again["title"], &again["groups"][0]["value"]), (&json!("Guide"), &json!(id(&group))));
        assert_eq!(acme.get("/Users").expect(200)["totalResults"], 1);
        // An active one, or another's name, is a conflict as ever.
        acme.post("/Users", &sam()).expect_error(409, "uniqueness");
        acme.patch(&user_path(&user), &active(false)).expect(200);
        let mut other = sam();
        other["externalId"] = json!("ext-2");
        acme.post("/Users", &other).expect_error(409, "uniqueness");
    }

    /// Scenario 7.
    fn posted_again_after_delete(stage) {
        let acme = stage.tenant(|_| {});
        let user = acme.user_with(json!({"userName": "sam@example.com"}));
        acme.delete(&user_path(&user)).expect(204);
        acme.get(&user_path(&user)).expect_error(404, "");
        acme.delete(&user_path(&user)).expect_error(404, "");
        acme.patch(&user_path(&user), &active(true)).expect_error(404, "");
        assert_eq!(acme.get("/Users").expect(200)["totalResults"], 0);
        assert_eq!(acme.filter("/Users", "userName eq \"sam@example.com\"").expect(200)["totalResults"], 0);
        let again = acme.post("/Users", &json!({"schemas": [USER], "userName": "sam@example.com"})).expect(201);
        assert_ne!(id(&again), id(&user));
        assert_eq!(acme.get("/Users").expect(200)["totalResults"], 1);
    }

    /// R-DEP-9: deleted and pushed again by the same key and name, it is the same person under a new id: claimed, in the groups,
    /// with the people who report to it.
    fn the_person_comes_back_under_a_new_id(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        let group = acme.group("Sales", &[id(&user)]);
        let report = acme.user_with(json!({"userName": "lee@example.com", ENTERPRISE: {"manager": {"value": id(&user)}}}));
        stage.settle();
        let link = stage.take_mails().into_iter().find(|m| m.to.contains("sam@")).unwrap().link();
        assert_eq!(submit(&stage.visitor(), &link, &[]).status, 200);
        acme.delete(&user_path(&user)).expect(204);
        assert!(acme.get(&group_path(&group)).expect(200)["members"].as_array().is_none_or(Vec::is_empty));
        stage.pass(2 * DAY);
        let again = acme.post("/Users", &sam()).expect(201);
        assert_ne!(id(&again), id(&user));
        assert_eq!(roll(&again)["state"], "claimed");
        assert_eq!(again["groups"][0]["value"], *id(&group));
        assert_eq!(acme.get(&group_path(&group)).expect(200)["members"][0]["value"], *id(&again));
        assert_eq!(acme.get(&user_path(&report)).expect(200)[ENTERPRISE]["manager"]["value"], *id(&again));
        acme.get(&user_path(&user)).expect_error(404, "");
        // The history is one.
        let events: Vec<String> = stage.timeline(&acme.tenant, id(&user)).into_iter().map(|l| l.event).collect();
        assert_eq!(events.iter().filter(|e| *e == "provisioned").count(), 2, "{events:?}");
        stage.pass(30 * DAY);
        assert_eq!(stage.state(&acme.tenant, id(&again)), "claimed");
    }

    /// Scenario 8; R-DEP-2: the clock starts once.
    fn the_clock_starts_once(stage) {
        let acme = stage.tenant(|_| {});
        let user = acme.post("/Users", &sam()).expect(201);
        for _ in 0..3 {
            acme.patch(&user_path(&user), &active(false)).expect(200);
            stage.pass(2 * DAY);
        }
        stage.pass(DAY - SECOND);
        assert_eq!(acme.get(&user_path(&user)).expect(200)["active"], false);
        stage.pass(2 * SECOND);
        acme.get(&user_path(&user)).expect_error(404, "");
        let lines = stage.timeline(&acme.tenant, id(&user));
        let last = lines.last().unwrap();
        assert_eq!((last.event.as_str(), last.to.as_str()), ("quarantine_elapsed", "deprovisioned"));
        // R-ANON-4: the name is free.
        let again = acme.post("/Users", &sam()).expect(201);
        assert_ne!(id(&again), id(&user));
        assert_eq!(roll(&again)["state"], "uninvited");
    }

    /// Scenario 9; R-SRC-2, R-SRC-3: what one source holds another does not let go.
    fn holds_of_others(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        let hold = Hold { source: Source::Workday, reason: Reason::Terminated, since: stage.now() };
        let row = stage.member(&acme.tenant, id(&user));
        stage.admin(&acme.tenant, |c, act| rules::happen(c, act, &row, Event::Deactivate(hold), &Note::default())).unwrap();
        let refused = acme.patch(&user_path(&user), &active(true)).expect_error(409, "");
        assert!(refused.contains("held") && refused.contains("Workday"), "{refused}");
        assert_eq!(acme.get(&user_path(&user)).expect(200)["active"], false);
        // Other changes go on, and so does the identity provider's own word.
        acme.patch(&user_path(&user), &json!([{"op": "replace", "path": "title", "value": "Guide"}])).expect(200);
        acme.patch(&user_path(&user), &active(false)).expect(200);
        let row = stage.member(&acme.tenant, id(&user));
        let release = Release::One(Source::Workday, Reason::Terminated);
        let remaining = row.member.as_ref().unwrap().holds.iter().find(|h| !release.covers(h)).copied();
        let event = Event::TerminationMoved { source: Source::Workday, held: true, remaining };
        stage.admin(&acme.tenant, |c, act| rules::happen(c, act, &row, event, &Note::default())).unwrap();
        assert_eq!(stage.state(&acme.tenant, id(&user)), "quarantined (invited)");
        let back = acme.patch(&user_path(&user), &active(true)).expect(200);
        assert_eq!(roll(&back)["state"], "invited");
    }

    /// Scenario 13; R-EMP-9: a new hire with the leaver's address never gets into the leaver's account.
    fn recycled_addresses(stage) {
        let acme = stage.tenant(|_| {});
        let with_number = |number: &str| {
            let mut body = sam();
            body[ENTERPRISE] = json!({"employeeNumber": number});
            body
        };
        let leaver = acme.post("/Users", &with_number("1")).expect(201);
        acme.patch(&user_path(&leaver), &active(false)).expect(200);
        acme.post("/Users", &with_number("2")).expect_error(409, "uniqueness");
        assert_eq!(stage.state(&acme.tenant, id(&leaver)), "quarantined (uninvited)");
        // An admin gives the names free; then the new hire is somebody new.
        stage.admin(&acme.tenant, |c, act| members::release(c, act, id(&leaver))).unwrap();
        let hire = acme.post("/Users", &with_number("2")).expect(201);
        assert_ne!(id(&hire), id(&leaver));
        assert!(stage.admin(&acme.tenant, |c, act| members::restore(c, act, id(&leaver))).is_err(), "the name is taken now");
        // Deleted, another employee id under the same key and name is another person too.
        acme.delete(&user_path(&hire)).expect(204);
        let third = acme.post("/Users", &with_number("3")).expect(201);
        assert_eq!(roll(&third)["state"], "uninvited");
        let hire = stage.member(&acme.tenant, id(&hire));
        assert!(hire.member.unwrap().state.is_hidden());
    }

    /// Scenario 19; R-BRK-5: a mass deactivation takes effect at once, but nobody is anonymised before an admin has confirmed it.
    fn mass_deactivation(stage) {
        let acme = stage.tenant(|s| s.admin_emails = vec!["boss@example.com".into()]);
        let users: Vec<Value> = (0..30).map(|n| acme.user(&format!("u{n}@example.com"))).collect();
        for user in &users[..12] {
            assert_eq!(acme.patch(&user_path(user), &active(false)).expect(200)["active"], false);
        }
        stage.settle();
        let told = stage.one_mail();
        assert!(told.to.contains("boss@") && told.text.contains("12"), "{told:?}");
        for user in &users[12..14] {
            acme.patch(&user_path(user), &active(false)).expect(200);
        }
        stage.pass(20 * DAY);
        assert_eq!(acme.get("/Users").expect(200)["totalResults"], 30, "nobody is anonymised");
        assert_eq!(stage.admin(&acme.tenant, members::confirm).unwrap(), 1);
        stage.settle();
        assert_eq!(acme.get("/Users").expect(200)["totalResults"], 16);
    }

    /// Scenario 22; R-TERM-1, R-TERM-3: access ends at midnight where the person is; a date that is taken back gives it back.
    fn termination_dates(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let with_date = |date: &str| json!([{"op": "replace", "path": format!("{OWN}:terminationDate"), "value": date}]);
        let mut body = sam();
        body["timezone"] = json!("Australia/Melbourne");
        // It is 23:00 on the 22nd in Melbourne.
        body[OWN] = json!({"hireDate": "2020-01-01", "terminationDate": "2026-11-22"});
        let user = acme.post("/Users", &body).expect(201);
        stage.pass(59 * 60 * SECOND);
        assert_eq!(acme.get(&user_path(&user)).expect(200)["active"], true);
        stage.pass(2 * 60 * SECOND);
        let off = acme.get(&user_path(&user)).expect(200);
        assert_eq!((&off["active"], &roll(&off)["state"]), (&json!(false), &json!("quarantined")));
        let refused = acme.patch(&user_path(&user), &active(true)).expect_error(409, "");
        assert!(refused.contains("termination date"), "{refused}");
        let back = acme.patch(&user_path(&user), &with_date("2027-01-31")).expect(200);
        assert_eq!((&back["active"], &roll(&back)["state"]), (&json!(true), &json!("invited")));
        // A date in the past takes effect at once.
        assert_eq!(acme.patch(&user_path(&user), &with_date("2026-11-01")).expect(200)["active"], false);
        let cleared = acme.patch(&user_path(&user), &json!([{"op": "remove", "path": format!("{OWN}:terminationDate")}])).expect(200);
        assert_eq!(cleared["active"], true);
    }

    /// R-DEP-3: restored by an admin, whoever held it: the state, the groups and the manager are those of before.
    fn restored_exactly(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        let group = acme.group("Sales", &[id(&user)]);
        let before = acme.get(&user_path(&user)).expect(200);
        acme.delete(&user_path(&user)).expect(204);
        stage.pass(3 * DAY);
        stage.admin(&acme.tenant, |c, act| members::restore(c, act, id(&user))).unwrap();
        let after = acme.get(&user_path(&user)).expect(200);
        for key in ["userName", "emails", "groups", "active", "displayName", "externalId"] {
            assert_eq!(after[key], before[key], "{key}");
        }
        assert_eq!(roll(&after)["state"], "invited");
        assert_eq!(acme.get(&group_path(&group)).expect(200)["members"][0]["value"], *id(&user));
        // The link stays dead until it is sent again.
        stage.settle();
        stage.take_mails();
        stage.pass(2 * HOUR);
        stage.admin(&acme.tenant, |c, act| members::resend(c, act, id(&user))).unwrap();
        stage.settle();
        assert_eq!(submit(&stage.visitor(), &stage.one_mail().link(), &[]).status, 200);
    }

    /// R-DEP-4.
    fn the_last_admin(stage) {
        let acme = stage.tenant(|_| {});
        let admin = |name: &str| acme.user_with(json!({"userName": name, "roles": [{"value": "Admin"}]}));
        let (first, second) = (admin("first@example.com"), admin("second@example.com"));
        acme.patch(&user_path(&second), &active(false)).expect(200);
        let why = acme.patch(&user_path(&first), &active(false)).expect_error(409, "");
        assert!(why.contains("last_admin"), "{why}");
        acme.delete(&user_path(&first)).expect_error(409, "");
        assert!(stage.admin(&acme.tenant, |c, act| members::suspend(c, act, id(&first), None)).is_err());
        assert!(stage.admin(&acme.tenant, |c, act| members::delete(c, act, id(&first), true, None)).is_err());
        acme.patch(&user_path(&second), &active(true)).expect(200);
        acme.patch(&user_path(&first), &active(false)).expect(200);
    }

    /// R-DEP-6: the digest comes two days ahead, once, and a legal hold keeps the member.
    fn digest_and_legal_hold(stage) {
        let acme = stage.tenant(|s| s.admin_emails = vec!["boss@example.com".into()]);
        let user = acme.post("/Users", &sam()).expect(201);
        acme.patch(&user_path(&user), &active(false)).expect(200);
        stage.pass(5 * DAY - HOUR);
        assert!(stage.mails().is_empty());
        stage.pass(2 * HOUR);
        let digest = stage.one_mail();
        assert!(digest.to.contains("boss@") && digest.text.contains("Sam Example") && digest.text.contains(id(&user)), "{digest:?}");
        stage.admin(&acme.tenant, |c, act| members::hold(c, act, id(&user), Some("a lawsuit".into()))).unwrap();
        stage.pass(30 * DAY);
        assert_eq!(stage.state(&acme.tenant, id(&user)), "quarantined (uninvited)");
        assert!(stage.mails().is_empty());
        assert!(stage.admin(&acme.tenant, |c, act| members::delete(c, act, id(&user), true, None)).is_err());
        stage.admin(&acme.tenant, |c, act| members::hold(c, act, id(&user), None)).unwrap();
        stage.settle();
        acme.get(&user_path(&user)).expect_error(404, "");
    }

    /// R-BRK-5: neither does a mass deletion get past the freeze where deleting means anonymising at once.
    fn mass_deletion(stage) {
        let acme = stage.tenant(|s| s.scim_delete = DeleteRule::Immediate);
        let users: Vec<Value> = (0..40).map(|n| acme.user(&format!("u{n}@example.com"))).collect();
        for user in &users[..30] {
            acme.delete(&user_path(user)).expect(204);
            stage.settle();
        }
        let tally = || stage.admin(&acme.tenant, |c, act| Ok(rollbook::store::roll::tally(c, act.tenant.id)?)).unwrap();
        let gone = |tally: &[(State, i64)]| tally.iter().find(|(s, _)| *s == State::Deprovisioned).map_or(0, |(_, n)| *n);
        assert_eq!(gone(&tally()), 10, "as many as are usual");
        stage.pass(10 * DAY);
        assert_eq!(gone(&tally()), 10);
        stage.admin(&acme.tenant, members::confirm).unwrap();
        stage.settle();
        assert_eq!(gone(&tally()), 30);
    }

    /// R-TERM-3, R-DEP-3: what an admin restores after a termination stays, until another date is sent.
    fn restored_after_a_termination(stage) {
        const OWN: &str = "urn:ietf:params:scim:schemas:extension:rollbook:2.0:User";
        let acme = stage.tenant(|_| {});
        let mut body = sam();
        body[OWN] = json!({"terminationDate": "2026-11-20"});
        let user = acme.post("/Users", &body).expect(201);
        assert_eq!((&user["active"], &roll(&user)["state"]), (&json!(false), &json!("quarantined")));
        stage.admin(&acme.tenant, |c, act| members::restore(c, act, id(&user))).unwrap();
        let changed = acme.patch(&user_path(&user), &json!([{"op": "replace", "path": "title", "value": "Guide"}])).expect(200);
        assert_eq!(changed["active"], true);
        assert_eq!(acme.put(&user_path(&user), &body).expect(200)["active"], true);
        let moved = json!([{"op": "replace", "path": format!("{OWN}:terminationDate"), "value": "2026-11-19"}]);
        assert_eq!(acme.patch(&user_path(&user), &moved).expect(200)["active"], false);
    }

    /// R-DEP-4: giving the role up in the same breath does not help.
    fn the_last_admin_without_the_role(stage) {
        let acme = stage.tenant(|_| {});
        let admin = acme.user_with(json!({"userName": "first@example.com", "roles": [{"value": "admin"}]}));
        let both = json!([{"op": "remove", "path": "roles"}, {"op": "replace", "path": "active", "value": false}]);
        assert!(acme.patch(&user_path(&admin), &both).expect_error(409, "").contains("last_admin"));
        assert_eq!(acme.get(&user_path(&admin)).expect(200)["active"], true);
    }
}
