//! The roll from the command line.

use crate::clients::{USER, id};
use crate::harness::Db;
use crate::program::{Place, Running};
use serde_json::{Value, json};

fn place() -> (Place, Running, crate::clients::Client) {
    let place = Place::new(Db::Sqlite);
    let token = place.acme();
    let running = place.serve();
    let client = running.client(&token);
    (place, running, client)
}

/// Everything that an admin does, on both forms of output.
#[test]
fn a_day_at_the_desk() {
    let (place, mut running, acme) = place();
    let sam = acme.user_with(json!({"userName": "sam@example.com", "displayName": "Sam Example"}));
    acme.user_with(json!({"userName": "lee@example.com", "title": "Guide"}));
    let list = place.run(&["member", "list", "acme"]);
    assert!(list.contains("Sam Example") && list.contains("uninvited") && list.lines().count() == 3, "{list}");
    let lines: Vec<Value> = place.run(&["member", "list", "acme", "--json"]).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["state"], &lines[0]["name"]), (&json!("uninvited"), &json!("Sam Example")));

    assert!(place.run(&["member", "invite", "acme", "--all", "--count"]).contains("2 member(s)"));
    assert!(place.refused(&["member", "invite", "acme", "--all"]).contains("--yes"));
    assert!(place.refused(&["member", "invite", "acme"]).contains("--filter"));
    let job = place.json(&["member", "invite", "acme", "--filter", "title eq \"guide\"", "--yes", "--json"]);
    assert_eq!((&job["total"], &job["done"]), (&json!(1), &json!(1)));
    assert!(place.run(&["member", "invite", "acme", "sam@example.com"]).contains("is invited"));
    assert!(place.refused(&["member", "resend", "acme", "sam@example.com"]).contains("within the last hour"));
    assert_eq!(place.run(&["member", "list", "acme", "--state", "invited"]).lines().count(), 3);
    assert!(place.refused(&["member", "list", "acme", "--state", "gone"]).contains("quarantined"));
    assert!(place.run(&["member", "jobs", "acme"]).contains("1 of 1 invited"));
    assert!(place.refused(&["member", "invite", "acme", "--filter", "title = x", "--yes"]).contains("operator"));

    assert_eq!(place.json(&["tenant", "show", "acme", "--json"])["members"], json!({"invited": 2}));
    assert!(place.run(&["tenant", "show", "acme"]).contains("  invited           2"));
    assert!(place.run(&["member", "revoke", "acme", id(&sam)]).contains("no longer invited"));
    assert_eq!(place.json(&["member", "show", "acme", id(&sam), "--json"])["state"], "uninvited");
    assert!(place.refused(&["member", "sso", "acme", "sam@example.com"]).contains("not let in"));
    assert!(place.run(&["member", "sso", "acme", "lee@example.com"]).contains("claimed"));

    let by = ["--actor", "Kim"];
    place.run(&[&["member", "suspend", "acme", "lee@example.com", "--reason", "on leave"], &by[..]].concat());
    let shown = place.run(&["member", "show", "acme", "lee@example.com"]);
    assert!(shown.contains("quarantined (claimed)") && shown.contains("an admin has switched the account off"), "{shown}");
    place.run(&["member", "restore", "acme", "lee@example.com"]);
    let timeline = place.run(&["member", "timeline", "acme", "lee@example.com"]);
    assert!(timeline.contains("deactivated by the admin Kim: claimed -> quarantined (claimed) [on leave]"), "{timeline}");
    assert!(timeline.contains("reactivated by the admin command line: quarantined (claimed) -> claimed"), "{timeline}");
    assert!(place.refused(&["member", "restore", "acme", "lee@example.com"]).contains("not in quarantine"));

    assert!(place.refused(&["member", "delete", "acme", "lee@example.com"]).contains("--yes"));
    assert!(place.refused(&["member", "erase", "acme", "lee@example.com"]).contains("--yes"));
    place.run(&["member", "hold", "acme", "lee@example.com", "--reason", "a lawsuit"]);
    assert!(place.refused(&["member", "erase", "acme", "lee@example.com", "--yes"]).contains("legal hold"));
    place.run(&["member", "hold", "acme", "lee@example.com", "--lift"]);
    assert!(place.run(&["member", "erase", "acme", "lee@example.com", "--yes"]).contains("anonymised"));
    assert!(place.run(&["member", "delete", "acme", id(&sam)]).contains("removed"));
    assert_eq!(acme.get("/Users").expect(200)["totalResults"], 0);
    assert!(place.refused(&["member", "show", "acme", "sam@example.com"]).contains("no member"));
    assert!(place.refused(&["member", "show", "nowhere", "x"]).contains("nowhere"));
    assert!(place.run(&["member", "confirm", "acme"]).contains("nothing was frozen"));
    running.stop();
}

#[test]
fn settings_are_listed_changed_and_refused() {
    let (place, mut running, acme) = place();
    let all = place.json(&["tenant", "set", "acme", "--json"]);
    assert_eq!((&all["quarantine_days"], &all["auto_invite"], &all["remind_days"]), (&json!(7), &json!(false), &json!([3, 5])));
    let set = [
        "tenant",
        "set",
        "acme",
        "auto_invite=true",
        "organisation=Acme Corporation",
        "remind_days=1,2",
        "admin_emails=a@example.com,b@example.com",
    ];
    let shown = place.run(&set);
    assert!(shown.contains("Acme Corporation") && shown.contains("1,2") && shown.contains("a@example.com,b@example.com"), "{shown}");
    for (change, word) in [
        ("quarantine_days=366", "0 to 365"),
        ("quarantine_days=x", "no whole number"),
        ("auto_invite=maybe", "neither true nor false"),
        ("colour=red", "auto_invite"),
        ("application_url=ftp://x", "https"),
        ("time_zone=Mars/Base", "time zone"),
        ("password=perhaps", "perhaps"),
        ("nothing", "NAME=VALUE"),
    ] {
        let why = place.refused(&["tenant", "set", "acme", "locale=de", change]);
        assert!(why.contains(word), "{change}: {why}");
    }
    assert_eq!(place.json(&["tenant", "set", "acme", "--json"])["locale"], "en", "a refused change changes nothing");
    assert_eq!(place.json(&["tenant", "set", "acme", "remind_days=", "--json"])["remind_days"], json!([3, 5]));
    // The server notices.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let user = acme.user("sam@example.com");
    assert_eq!(user["urn:ietf:params:scim:schemas:extension:rollbook:2.0:User"]["state"], "invited");
    running.stop();
}

#[test]
fn codes_places_and_mails() {
    let (place, mut running, acme) = place();
    place.run(&["tenant", "set", "acme", "emailless=codes", "organisation=Acme <Corporation>"]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for (name, shown) in [("kim", "=Kim Example"), ("lou", "Lou Example")] {
        acme.post("/Users", &json!({"schemas": [USER], "userName": name, "displayName": shown, enterprise: {"employeeNumber": name}}))
            .expect(201);
    }
    let code = place.json(&["code", "show", "acme", "kim", "--json"])["code"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 19);
    assert!(place.run(&["code", "issue", "acme", "kim"]).lines().next().unwrap() != code);
    place.run(&["code", "export", "acme", "codes.csv"]);
    let csv = std::fs::read_to_string(place.dir.path().join("codes.csv")).unwrap();
    assert_eq!(csv.lines().count(), 3);
    assert!(csv.contains("\"'=Kim Example\""), "{csv}");
    assert!(place.refused(&["code", "export", "acme", "codes.csv"]).contains("codes.csv"), "nothing is overwritten");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(place.dir.path().join("codes.csv")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    place.run(&["code", "export", "acme", "codes.html", "--html"]);
    let page = std::fs::read_to_string(place.dir.path().join("codes.html")).unwrap();
    assert!(page.contains("Lou Example") && page.contains("&#60;Corporation&#62;") && !page.contains("<Corporation>"), "{page}");
    place.run(&["code", "revoke", "acme", "lou"]);
    assert!(place.refused(&["code", "show", "acme", "lou"]).contains("no live access code"));

    assert!(place.run(&["location", "list", "acme"]).contains("no location"));
    assert!(place.run(&["location", "add", "acme", "Berlin"]).contains("added"));
    assert!(place.refused(&["location", "add", "acme", "Berlin"]).contains("already"));
    place.run(&["location", "rename", "acme", "Berlin", "Munich"]);
    assert_eq!(place.json(&["location", "list", "acme", "--json"]), json!(["Munich"]));
    assert!(place.refused(&["location", "remove", "acme", "Berlin"]).contains("no location"));
    place.run(&["location", "remove", "acme", "Munich"]);

    acme.user("sam@example.com");
    place.run(&["member", "invite", "acme", "sam@example.com"]);
    let sent = || place.run(&["mail", "list", "acme"]).contains("sent");
    for _ in 0..100 {
        if sent() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(sent(), "{}", place.run(&["mail", "list", "acme"]));
    assert!(place.run(&["mail", "list", "acme", "--dead"]).contains("no such mail"));
    assert!(place.run(&["mail", "retry", "acme"]).contains("0 mail(s)"));
    running.stop();
    assert!(running.log().contains("mail.url is not set"));
}

/// A database is opened with the key that it was first used with, or not at all.
#[test]
fn another_master_key_is_refused() {
    let place = Place::new(Db::Sqlite);
    let with = |key: &str, args: &[&str]| place.command(args).env("ROLLBOOK_MASTER_KEY", key).output().unwrap();
    let (first, second) = ("a".repeat(32), "b".repeat(32));
    place.run(&["tenant", "create", "acme"]);
    assert!(with(&first, &["member", "list", "acme"]).status.success());
    assert!(with(&first, &["member", "list", "acme"]).status.success());
    for (key, args) in [(&second, ["member", "list", "acme"]), (&second, ["serve", "--listen", "127.0.0.1:0"])] {
        let refused = crate::program::failed(&with(key, &args));
        assert!(refused.contains("master_key"), "{refused}");
    }
    assert!(place.refused(&["member", "list", "acme"]).contains("master_key"));
    assert!(crate::program::failed(&with(&second, &["check"])).contains("first used with"));
    let mail =
        place.command(&["check"]).env("ROLLBOOK_MASTER_KEY", &first).env("ROLLBOOK_MAIL_URL", "smtp://u:hunter2@x:1?tls=none").output();
    let refused = crate::program::failed(&mail.unwrap());
    assert!(refused.contains("mail") && !refused.contains("hunter2"), "{refused}");
    assert!(crate::program::failed(&with("short", &["tenant", "list"])).contains("32 characters"));
}
