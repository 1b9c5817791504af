//! User names and passwords as RFC 8265 prepares them.

use crate::admin::{Admin, EVERYTHING, problem};
use crate::clients::{USER, id, user_path};
use rollbook::domain::Idp;
use rollbook::domain::settings::{Passwords, Usernames};
use serde_json::json;

on_both! {
    /// R042 R086 R232 R233: one name, in whatever width, case and normal form it is written; and it is kept as it was sent.
    fn names_are_one_however_they_are_written(server) {
        for (names, sent) in [
            (["bjensen", "BJensen", "ＢＪＥＮＳＥＮ", "ｂjensen"], "ＢＪＥＮＳＥＮ"),
            (["jos\u{e9}", "JOS\u{c9}", "jose\u{301}", "JOSE\u{301}"], "jose\u{301}"),
            (["ナカ", "ﾅｶ", "ﾅカ", "ナｶ"], "ﾅｶ"),
        ] {
            for usernames in [Usernames::Any, Usernames::Precis] {
                let c = server.tenant_set(Idp::Auto, |s| s.usernames = usernames);
                let user = c.user(sent);
                assert_eq!(user["userName"], sent);
                let other = c.user("other");
                for name in names {
                    let body = json!({"schemas": [USER], "userName": name});
                    c.post("/Users", &body).expect_error(409, "uniqueness");
                    c.put(&user_path(&other), &body).expect_error(409, "uniqueness");
                    let change = json!([{"op": "replace", "path": "userName", "value": name}]);
                    c.patch(&user_path(&other), &change).expect_error(409, "uniqueness");
                    for filter in [format!("userName eq \"{name}\""), format!("userName sw \"{name}\""), format!("userName co \"{name}\"")] {
                        let found = c.filter("/Users", &filter).expect(200);
                        assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &user["id"]), "{filter}");
                    }
                    // One's own name in another spelling is no conflict.
                    assert_eq!(c.put(&user_path(&user), &body).expect(200)["userName"], *name);
                }
            }
        }
    }

    /// R232 R233: where the tenant says so, names outside the class are refused, and the character is named. Who is there stays, and can be changed.
    fn names_outside_the_class(server) {
        let c = server.tenant();
        let odd = c.user("heart\u{2665}");
        let operator = Admin::operator(server);
        let path = format!("/tenants/{}", c.tenant);
        operator.patch(&path, &json!({"settings": {"usernames": "precis"}})).expect(200);
        std::thread::sleep(std::time::Duration::from_millis(1200));
        for (name, said) in [
            ("a\u{2665}", "U+2665"), ("a\u{200b}b", "U+200B"), ("\u{2460}", "U+2460"), ("a  b", "two in a row"), ("\u{5d0}a", "directions"),
        ] {
            let body = json!({"schemas": [USER], "userName": name});
            let detail = c.post("/Users", &body).expect_error(400, "invalidValue");
            assert!(detail.contains("userName") && detail.contains(said), "{detail}");
            c.put(&user_path(&odd), &body).expect_error(400, "invalidValue");
            c.patch(&user_path(&odd), &json!([{"op": "replace", "path": "userName", "value": name}])).expect_error(400, "invalidValue");
            let by_hand = json!({"user": {"userName": name}});
            problem(&Admin::of(server, &c.tenant, EVERYTHING).post(&format!("{path}/members"), &by_hand), 400, "invalid");
        }
        for name in ["sam@example.com", "Sam Example", "мария", "\u{5d0}\u{5d1}", "o'neill+x"] {
            c.user(name);
        }
        let kept = c.patch(&user_path(&odd), &json!([{"op": "replace", "path": "title", "value": "x"}])).expect(200);
        assert_eq!(kept["userName"], "heart\u{2665}");
        assert_eq!(c.filter("/Users", "userName eq \"HEART\u{2665}\"").expect(200)["Resources"][0]["id"], *id(&odd));
        server.tenant().user("a\u{2665}");
    }

    /// R232: so are passwords; spaces and normal forms make no difference anywhere.
    fn passwords_outside_the_class(server) {
        let c = server.tenant_set(Idp::Auto, |s| (s.usernames, s.passwords) = (Usernames::Precis, Passwords::Keep));
        let body = |password: &str| json!({"schemas": [USER], "userName": "sam", "password": password});
        let detail = c.post("/Users", &body("tab\tcanary")).expect_error(400, "invalidValue");
        assert!(detail.contains("U+0009") && !detail.contains("canary"), "{detail}");
        let user = c.post("/Users", &body("caf\u{e9} au lait")).expect(201);
        let same = c.put(&user_path(&user), &body("cafe\u{301}\u{a0}au\u{3000}lait")).expect(200);
        assert_eq!(same["meta"]["version"], user["meta"]["version"]);
        assert_ne!(c.put(&user_path(&user), &body("Caf\u{e9} au lait")).expect(200)["meta"]["version"], user["meta"]["version"]);
        let easy = server.tenant_set(Idp::Auto, |s| s.passwords = Passwords::Keep);
        easy.post("/Users", &body("tab\tcanary")).expect(201);
    }
}
