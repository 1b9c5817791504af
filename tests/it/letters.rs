//! Who is written to, when, and what happens when it cannot be delivered.

use crate::clients::{USER, group_path, id, user_path};
use crate::mail::{Receiver, header};
use crate::stage::{DAY, HOUR, SECOND, active, roll, sam, submit};
use rollbook::domain::State;
use rollbook::domain::lifecycle::Letter;
use rollbook::jobs::post;
use rollbook::service::letters::{self, Detail, Kind};
use rollbook::service::members;
use serde_json::{Value, json};

const LETTERS: [Letter; 4] = [Letter::Invitation, Letter::Reminder, Letter::AddressChanged, Letter::GroupChanged];

on_stage! {
    /// R-UNI-1, invariant 2: no letter of any kind is put into the outbox for whoever must not hear anything.
    fn every_kind_is_refused(stage) {
        let acme = stage.tenant(|_| {});
        let user = acme.post("/Users", &sam()).expect(201);
        let allowed = |expected: bool| {
            let member = *stage.member(&acme.tenant, id(&user)).member.unwrap();
            for letter in LETTERS {
                for detail in [None, Some(Detail { to: Some("sam@example.com".into()), ..Detail::default() })] {
                    let kind = Kind::Member(letter);
                    let queued = stage.admin(&acme.tenant, |c, act| letters::enqueue(c, act, &member, kind, detail.as_ref())).unwrap();
                    assert_eq!(queued, expected, "{letter:?} to somebody {}", member.state);
                }
            }
            member.state
        };
        assert_eq!(allowed(false), State::Uninvited);
        acme.patch(&user_path(&user), &active(false)).expect(200);
        allowed(false);
        acme.patch(&user_path(&user), &active(true)).expect(200);
        acme.delete(&user_path(&user)).expect(204);
        assert!(allowed(false).is_hidden());
        stage.settle();
        assert!(stage.mails().is_empty());
        assert!(stage.admin(&acme.tenant, |c, act| members::outbox(c, act, None, 100)).unwrap().is_empty());
        stage.admin(&acme.tenant, |c, act| members::restore(c, act, id(&user))).unwrap();
        stage.admin(&acme.tenant, |c, act| members::invite(c, act, id(&user))).unwrap();
        assert_eq!(allowed(true), State::Invited);
        assert_eq!(Kind::ALL.iter().filter(|k| matches!(k, Kind::Member(_))).count(), LETTERS.len(), "every kind was tried");
    }

    /// R-UNI-2: what happens while somebody is uninvited is not told later either.
    fn notifications_are_dropped(stage) {
        let acme = stage.tenant(|s| s.group_mails = true);
        let user = acme.post("/Users", &sam()).expect(201);
        let group = acme.group("Sales", &[id(&user)]);
        acme.group("Support", &[id(&user)]);
        stage.admin(&acme.tenant, |c, act| members::invite(c, act, id(&user))).unwrap();
        stage.settle();
        let mail = stage.one_mail();
        assert_eq!(submit(&stage.visitor(), &mail.link(), &[]).status, 200);
        stage.settle();
        assert!(stage.mails().is_empty(), "the old groups are not told");
        acme.group("Managers", &[id(&user)]);
        stage.settle();
        assert!(stage.one_mail().text.contains("Managers"));
        // The same again is no news; leaving is.
        let again = json!([{"op": "add", "path": "members", "value": [{"value": id(&user)}]}]);
        acme.patch(&group_path(&group), &again);
        stage.settle();
        assert!(stage.mails().is_empty());
        acme.patch(&group_path(&group), &json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", id(&user))}]));
        stage.settle();
        assert!(stage.one_mail().text.contains("Sales"));
        stage.set(&acme.tenant, |s| s.group_mails = false);
        acme.group("Quiet", &[id(&user)]);
        stage.settle();
        assert!(stage.mails().is_empty());
    }

    /// R-INV-6: a letter that waits is looked at again before it goes out.
    fn letters_are_looked_at_again(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        acme.patch(&user_path(&user), &active(false)).expect(200);
        acme.patch(&user_path(&user), &active(true)).expect(200);
        stage.settle();
        assert!(stage.mails().is_empty(), "the link died with the deactivation");
        let letters = stage.admin(&acme.tenant, |c, act| members::outbox(c, act, None, 10)).unwrap();
        assert_eq!((letters.len(), letters[0].state.as_str()), (1, "cancelled"));
    }

    /// R-INV-7: what cannot be delivered now is tried again, less and less often, and given up in the end; an admin can send it
    /// once more.
    fn a_server_that_is_down(stage) {
        let acme = stage.tenant(|s| { s.auto_invite = true; s.invite_days = 30; s.remind_days = vec![]; });
        acme.post("/Users", &sam()).expect(201);
        let server = Receiver::start(&["--mode", "plain", "--rcpt", "sam=451 4.3.0"]);
        let mailer = server.mailer("smtp://127.0.0.1:{}?tls=none", false);
        let tries = |n: i16| {
            post::run_due(&stage.server.app, &mailer, &|| false);
            let letter = stage.admin(&acme.tenant, |c, act| members::outbox(c, act, None, 10)).unwrap().remove(0);
            assert_eq!(letter.attempts, n);
            letter
        };
        let letter = tries(1);
        assert!(letter.state == "queued" && letter.error.unwrap().contains("451"));
        tries(1);
        let pass = |time| stage.pass_quietly(time);
        pass(31 * SECOND);
        tries(2);
        pass(31 * SECOND);
        tries(2);
        pass(30 * SECOND);
        tries(3);
        pass(80 * HOUR);
        assert_eq!(tries(4).state, "dead");
        pass(DAY);
        assert_eq!(tries(4).state, "dead");
        drop(server);
        assert_eq!(stage.admin(&acme.tenant, |c, act| members::retry(c, act, None)).unwrap(), 1);
        let server = Receiver::start(&["--mode", "plain"]);
        let mailer = server.mailer("smtp://127.0.0.1:{}?tls=none", false);
        post::run_due(&stage.server.app, &mailer, &|| false);
        assert_eq!(server.messages().len(), 1);
        assert!(header(&server.messages()[0], "To").contains("sam@example.com"));
    }

    /// R-INV-7: a hard bounce is recorded on the invitation; there is no reminder, and the member stays invited.
    fn a_hard_bounce(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        let server = Receiver::start(&["--mode", "plain", "--rcpt", "sam=550 5.1.1"]);
        let mailer = server.mailer("smtp://127.0.0.1:{}?tls=none", false);
        post::run_due(&stage.server.app, &mailer, &|| false);
        let shown = stage.admin(&acme.tenant, |c, act| members::show(c, act, id(&user))).unwrap();
        let why = shown.invitation.unwrap().undeliverable.unwrap();
        assert!(why.contains("550") && !why.contains("sam"), "{why}");
        assert_eq!((shown.letters[0].state.as_str(), shown.member.state), ("dead", State::Invited));
        stage.pass(6 * DAY);
        assert!(stage.mails().is_empty());
        // A new link by hand may be sent at once.
        stage.admin(&acme.tenant, |c, act| members::resend(c, act, id(&user))).unwrap();
    }

    /// Nobody hears of two tenants' members with the same address but their own.
    fn tenants_do_not_meet(stage) {
        let (acme, other) = (stage.tenant(|s| s.auto_invite = true), stage.tenant(|s| s.organisation = Some("Other".into())));
        let mine = acme.post("/Users", &sam()).expect(201);
        let theirs = other.post("/Users", &sam()).expect(201);
        stage.settle();
        let mail = stage.one_mail();
        assert_eq!(submit(&stage.visitor(), &mail.link(), &[]).status, 200);
        assert_eq!(roll(&acme.get(&user_path(&mine)).expect(200))["state"], "claimed");
        assert_eq!(roll(&other.get(&user_path(&theirs)).expect(200))["state"], "uninvited");
        for key in [id(&mine), "sam@example.com"] {
            let found = stage.admin(&other.tenant, |c, act| members::show(c, act, key));
            assert!(found.is_err() || found.unwrap().row.id == id(&theirs), "{key}");
        }
        assert!(stage.admin(&other.tenant, |c, act| members::invite(c, act, id(&mine))).is_err());
    }

    /// Table row 15: a record without an account is removed; an account, even one that was reset, is anonymised, on confirmation.
    fn deleted_by_an_admin(stage) {
        let acme = stage.tenant(|_| {});
        let user = acme.post("/Users", &sam()).expect(201);
        let group = acme.group("Sales", &[id(&user)]);
        let delete = |yes: bool, key: &str| stage.admin(&acme.tenant, |c, act| members::delete(c, act, key, yes, None));
        assert_eq!(delete(false, id(&user)).unwrap(), State::Absent);
        acme.get(&user_path(&user)).expect_error(404, "");
        assert!(acme.get(&group_path(&group)).expect(200)["members"].as_array().is_none_or(Vec::is_empty));
        assert!(stage.admin(&acme.tenant, |c, act| members::show(c, act, id(&user))).is_err());

        stage.set(&acme.tenant, |s| s.auto_invite = true);
        let user = acme.post("/Users", &sam()).expect(201);
        stage.settle();
        assert_eq!(submit(&stage.visitor(), &stage.one_mail().link(), &[]).status, 200);
        stage.admin(&acme.tenant, |c, act| members::reset(c, act, id(&user))).unwrap();
        let shown = acme.get(&user_path(&user)).expect(200);
        assert_eq!((&roll(&shown)["state"], &roll(&shown)["canDelete"]), (&json!("invited"), &json!(false)));
        assert!(delete(false, id(&user)).unwrap_err().to_string().contains("confirmed"));
        assert_eq!(delete(true, id(&user)).unwrap(), State::Deprovisioned);
        acme.get(&user_path(&user)).expect_error(404, "");
        assert_eq!(stage.state(&acme.tenant, id(&user)), "deprovisioned");
        assert_eq!(acme.get("/Users").expect(200)["totalResults"], 0);
        assert_eq!(acme.post("/Users", &sam()).status, 201);
    }

    /// R-EMP-3: dates are dates; what is none has no effect, and is refused where nothing is tolerated.
    fn dates(stage) {
        const OWN: &str = "urn:ietf:params:scim:schemas:extension:rollbook:2.0:User";
        let acme = stage.tenant(|_| {});
        let with = |name: &str, own: Value| json!({"schemas": [USER, OWN], "userName": name, OWN: own});
        let cut = acme.post("/Users", &with("a", json!({"hireDate": "2024-03-01T00:00:00Z"}))).expect(201);
        assert_eq!(roll(&cut)["hireDate"], "2024-03-01");
        let kept = acme.post("/Users", &with("b", json!({"terminationDate": "soon"}))).expect(201);
        assert_eq!((&roll(&kept)["terminationDate"], &kept["active"]), (&json!("soon"), &json!(true)));
        assert!(stage.server.notes(&acme.tenant).iter().any(|n| n.notes.contains("free_text_date")));
        let again = acme.post("/Users", &with("c", json!({"hireDate": "2026-12-01", "terminationDate": "2026-01-01"}))).expect(201);
        assert_eq!(again["active"], true, "hired again after the termination");
        let strict = stage.server.tenant_with(rollbook::domain::Idp::Rfc);
        for bad in ["soon", "2023-02-29", "2024-1-1"] {
            strict.post("/Users", &with("a", json!({"terminationDate": bad}))).expect_error(400, "invalidValue");
        }
        strict.post("/Users", &with("a", json!({"authMethod": "fax"}))).expect_error(400, "invalidValue");
    }

    /// A letter that cannot be written holds up nobody else's, and one that was given up is written as before when it is tried again.
    fn a_broken_letter(stage) {
        let acme = stage.tenant(|s| s.auto_invite = true);
        let broken = acme.post("/Users", &sam()).expect(201);
        let member = *stage.member(&acme.tenant, id(&broken)).member.unwrap();
        stage.settle();
        stage.take_mails();
        let kind = Kind::Member(Letter::AddressChanged);
        let detail = Detail { to: Some("old@example.com".into()), old: Some("old@example.com".into()), new: Some("new@example.com".into()), ..Detail::default() };
        stage.admin(&acme.tenant, |c, act| letters::enqueue(c, act, &member, kind, Some(&detail))).unwrap();
        let key = |sql: &str| {
            let sql = rollbook::store::sql::Sql::default().made(sql.to_owned());
            rollbook::store::backend::write(&mut stage.server.connect(), |c| sql.run(c)).unwrap()
        };
        assert_eq!(key("UPDATE person_keys SET value = 'x' || value"), 1);
        acme.user("lee@example.com");
        stage.settle();
        assert!(stage.one_mail().to.contains("lee@example.com"));
        stage.pass_quietly(73 * HOUR);
        stage.settle();
        stage.take_mails();
        let dead = |c: &mut _, act: &_| members::outbox(c, act, Some("dead"), 10);
        assert_eq!(stage.admin(&acme.tenant, dead).unwrap().len(), 1);
        key("UPDATE person_keys SET value = substr(value, 2)");
        assert_eq!(stage.admin(&acme.tenant, |c, act| members::retry(c, act, None)).unwrap(), 1);
        stage.settle();
        let mail = stage.one_mail();
        assert!(mail.to.contains("old@example.com") && mail.text.contains("new@example.com"), "{mail:?}");
    }
}
