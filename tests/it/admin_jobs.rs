//! Jobs of the admin API: the same for many members, each by itself.

use crate::admin::{Admin, EVERYTHING, READ_ONLY, all_pages, problem};
use crate::clients::{Client, EMPLOYEE, id};
use crate::stage::{HOUR, Stage};
use serde_json::{Value, json};

/// A tenant, its admin, and where its jobs are.
fn acme(stage: &Stage) -> (Client, Admin, String) {
    let client = stage.tenant(|_| {});
    let place = format!("/tenants/{}", client.tenant);
    let admin = Admin::of(&stage.server, &client.tenant, EVERYTHING);
    (client, admin, place)
}

/// Starts a job and lets it be done; the job after it.
fn done(stage: &Stage, admin: &Admin, place: &str, order: &Value) -> Value {
    let reply = admin.post(&format!("{place}/jobs"), order);
    let job = reply.expect(202);
    assert_eq!(reply.header("location"), format!("/admin/v1{place}/jobs/{}", id(&job)));
    stage.settle();
    let job = admin.get(&format!("{place}/jobs/{}", id(&job))).expect(200);
    assert_eq!((&job["state"], &job["percent"]), (&json!("ended"), &json!(100)));
    job
}

fn outcome(job: &Value) -> (i64, i64, i64) {
    let number = |name: &str| job[name].as_i64().unwrap();
    (number("total"), number("done"), number("failed"))
}

fn how_many(scim: &Client, state: &str) -> i64 {
    scim.filter("/Users", &format!("{EMPLOYEE}:state eq \"{state}\"")).expect(200)["totalResults"].as_i64().unwrap()
}

on_stage! {
    /// Five hundred are counted, invited in the background, with whom it failed is told page by page, and tried again.
    fn many_are_invited(stage) {
        let (scim, admin, place) = acme(stage);
        for n in 0..500 {
            let name = if n % 100 == 7 { format!("u{n}") } else { format!("u{n}@example.com") };
            scim.user_with(json!({"userName": name, "title": if n < 450 { "Guide" } else { "Clerk" }}));
        }
        let jobs = format!("{place}/jobs");
        let order = json!({"action": "invite", "filter": "title eq \"guide\""});
        let mut counted = order.clone();
        counted["dry_run"] = json!(true);
        assert_eq!(admin.post(&jobs, &counted).expect(200), json!({"count": 450}));
        stage.settle();
        assert!(stage.take_mails().is_empty());
        assert_eq!(admin.get(&jobs).expect(200)["items"], json!([]));

        let first = done(stage, &admin, &place, &order);
        assert_eq!(outcome(&first), (450, 445, 5));
        assert!(first["by"].as_str().unwrap().contains(&admin.key));
        assert_eq!(stage.take_mails().len(), 445);
        assert_eq!((how_many(&scim, "invited"), how_many(&scim, "uninvited")), (445, 55));
        let failures = all_pages(&admin, &format!("{jobs}/{}/failures?limit=2", id(&first)));
        assert_eq!(failures.len(), 5);
        assert!(failures.iter().all(|f| f["why"].as_str().unwrap().contains("no e-mail address")), "{failures:?}");

        let mended = failures[0]["member"].as_str().unwrap();
        let address = json!([{"op": "add", "path": "emails", "value": [{"value": "late@example.com", "primary": true}]}]);
        scim.patch(&format!("/Users/{mended}"), &address).expect(200);
        let again = done(stage, &admin, &place, &json!({"retry": id(&first)}));
        assert_eq!((&again["action"], outcome(&again)), (&json!("invite"), (5, 1, 4)));
        assert!(stage.one_mail().to.contains("late@example.com"));
        let listed: Vec<Value> = all_pages(&admin, &format!("{jobs}?limit=1"));
        assert_eq!(listed, [again, first.clone()]);
        let rest = done(stage, &admin, &place, &json!({"action": "invite", "all": true}));
        assert_eq!(outcome(&rest), (54, 50, 4));
        stage.take_mails();
        let invited = done(stage, &admin, &place, &json!({"action": "revoke", "all": true, "reason": "too early"}));
        assert_eq!(outcome(&invited), (496, 496, 0));
        problem(&admin.post(&jobs, &json!({"retry": id(&invited)})), 409, "nothing_to_retry");
        assert_eq!(how_many(&scim, "uninvited"), 500);
        stage.settle();
        assert!(stage.take_mails().is_empty());
    }

    /// What takes something away from everybody needs the number of them; each action is for those whom it fits.
    fn everybody_needs_a_confirmation(stage) {
        let (scim, admin, place) = acme(stage);
        let jobs = format!("{place}/jobs");
        let users: Vec<Value> = (0..6).map(|n| scim.user(&format!("u{n}@example.com"))).collect();
        let member = |n: usize| format!("{place}/members/{}", id(&users[n]));
        for n in [0, 1] {
            admin.post(&format!("{}/invitation", member(n)), &json!({})).expect(201);
        }
        admin.put(&format!("{}/claim", member(0)), &json!({})).expect(200);
        scim.delete(&format!("/Users/{}", id(&users[5])));
        let counts = ["invite", "resend", "revoke", "suspend", "restore", "reset", "delete"]
            .map(|action| admin.post(&jobs, &json!({"action": action, "all": true, "dry_run": true})).expect(200)["count"].as_i64().unwrap());
        assert_eq!(counts, [3, 1, 1, 5, 1, 1, 6]);
        for (action, n) in [("suspend", 5), ("reset", 1), ("delete", 6)] {
            for confirm in [Value::Null, json!(n + 1)] {
                let refused = admin.post(&jobs, &json!({"action": action, "all": true, "confirm": confirm}));
                assert!(problem(&refused, 409, "confirmation_needed").contains(&format!("\"confirm\": {n}")));
            }
        }
        let reset = done(stage, &admin, &place, &json!({"action": "reset", "all": true, "confirm": 1}));
        assert_eq!(outcome(&reset), (1, 1, 0));
        let suspended = done(stage, &admin, &place, &json!({"action": "suspend", "all": true, "confirm": 5, "reason": "the season is over"}));
        assert_eq!((outcome(&suspended), &suspended["reason"]), ((5, 5, 0), &json!("the season is over")));
        let lines = all_pages(&admin, &format!("{}/timeline", member(2)));
        let last = lines.last().unwrap();
        assert_eq!((&last["event"], &last["detail"]), (&json!("deactivated"), &json!("the season is over")));
        assert!(last["actor"].as_str().unwrap().contains(&admin.key));
        assert_eq!(outcome(&done(stage, &admin, &place, &json!({"action": "restore", "all": true}))), (6, 6, 0));
        assert_eq!((how_many(&scim, "quarantined"), scim.get("/Users").expect(200)["totalResults"].as_i64()), (0, Some(6)));
        assert_eq!(outcome(&done(stage, &admin, &place, &json!({"action": "delete", "all": true, "confirm": 6}))), (6, 6, 0));
        assert_eq!(scim.get("/Users").expect(200)["totalResults"], 0);
        let left = all_pages(&admin, &format!("{}/timeline", member(0)));
        assert_eq!(left.last().unwrap()["event"], "deleted_now");
    }

    /// One who fails leaves nothing behind and the others alone.
    fn failures_stay_by_themselves(stage) {
        let (scim, admin, place) = acme(stage);
        let boss = scim.user_with(json!({"userName": "boss@example.com", "roles": [{"value": "admin"}]}));
        let users: Vec<Value> = (0..3).map(|n| scim.user(&format!("u{n}@example.com"))).collect();
        let mut keys: Vec<&str> = users.iter().map(id).collect();
        keys.extend([id(&boss), "u0@example.com"]);
        let job = done(stage, &admin, &place, &json!({"action": "suspend", "members": keys}));
        assert_eq!(outcome(&job), (4, 3, 1));
        let failures = all_pages(&admin, &format!("{place}/jobs/{}/failures", id(&job)));
        assert_eq!(failures[0]["member"], boss["id"]);
        assert!(failures[0]["why"].as_str().unwrap().contains("last_admin"));
        // Two whose names somebody else has meanwhile.
        for n in [0, 1] {
            scim.delete(&format!("/Users/{}", id(&users[n])));
            scim.user(&format!("u{n}@example.com"));
        }
        let back = done(stage, &admin, &place, &json!({"action": "restore", "all": true}));
        assert_eq!(outcome(&back), (3, 1, 2));
        assert_eq!(how_many(&scim, "uninvited"), 4);
        let lines = all_pages(&admin, &format!("{place}/members/{}/timeline", id(&users[0])));
        assert_eq!(lines.last().unwrap()["event"], "deleted", "what failed is not in the history");
        let resent = done(stage, &admin, &place, &json!({"action": "resend", "members": [id(&users[2])]}));
        assert_eq!(outcome(&resent), (1, 0, 1));
        stage.pass(HOUR);
        assert!(stage.take_mails().is_empty());
    }

    /// Orders that make no sense are refused with the word that is wrong; a job that is sent twice is one.
    fn orders_make_sense(stage) {
        let (scim, admin, place) = acme(stage);
        let user = scim.user("u@example.com");
        let jobs = format!("{place}/jobs");
        let bad = [
            (json!({"all": true}), "action"),
            (json!({"action": "promote", "all": true}), "promote"),
            (json!({"action": "invite"}), "members"),
            (json!({"action": "invite", "all": false}), "members"),
            (json!({"action": "invite", "members": []}), "members"),
            (json!({"action": "invite", "all": true, "filter": "id pr"}), "members"),
            (json!({"action": "invite", "filter": "id is"}), "filter"),
            (json!({"action": "invite", "members": ["nobody", id(&user)]}), "nobody"),
            (json!({"action": "invite", "members": ["a\u{0}b"]}), "a"),
            (json!({"action": "invite", "all": true, "reason": "\n"}), "reason"),
            (json!({"retry": "x", "all": true}), "retry"),
            (json!({"action": "invite", "everybody": true}), "everybody"),
        ];
        for (order, word) in bad {
            let told = problem(&admin.post(&jobs, &order), 400, "invalid");
            assert!(told.contains(word), "{order}: {told}");
        }
        for path in [format!("{jobs}/nothing"), format!("{jobs}/nothing/failures"), format!("{jobs}/a%00b")] {
            problem(&admin.get(&path), 404, "not_found");
        }
        problem(&admin.post(&jobs, &json!({"retry": "nothing"})), 404, "not_found");
        let order = json!({"action": "invite", "all": true});
        let send = || admin.send("POST", &jobs, &[("idempotency-key", "one-and-the-same")], Some(&order.to_string())).expect(202);
        let job = send();
        assert_eq!(send(), job);
        assert_eq!((&job["state"], &job["percent"], &job["total"]), (&json!("under_way"), &json!(0), &json!(1)));
        problem(&admin.post(&jobs, &json!({"retry": id(&job)})), 409, "job_under_way");
        assert_eq!(all_pages(&admin, &jobs).len(), 1);
        stage.settle();
        stage.one_mail();

        let reader = Admin::of(&stage.server, &scim.tenant, READ_ONLY);
        let stranger = Admin::of(&stage.server, &stage.tenant(|_| {}).tenant, EVERYTHING);
        problem(&reader.post(&jobs, &order), 403, "insufficient_scope");
        reader.get(&format!("{jobs}/{}", id(&job))).expect(200);
        for path in [jobs.clone(), format!("{jobs}/{}", id(&job)), format!("{jobs}/{}/failures", id(&job))] {
            problem(&stranger.get(&path), 404, "not_found");
        }
        problem(&stranger.post(&jobs, &order), 404, "not_found");
        let own = format!("/tenants/{}/jobs/{}", stranger.tenant(), id(&job));
        problem(&stranger.get(&own), 404, "not_found");
    }
}

/// Every reference in a document.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str));
            map.values().for_each(|v| references(v, found));
        }
        Value::Array(list) => list.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

/// The description of the API knows members and jobs, and whatever it refers to is in it.
#[test]
fn members_and_jobs_are_described() {
    let doc = rollbook::http::admin::openapi::described();
    let mut found = Vec::new();
    references(doc, &mut found);
    let dangling: Vec<_> = found.iter().filter(|r| doc.pointer(r.trim_start_matches('#')).is_none()).collect();
    assert!(dangling.is_empty(), "{dangling:?}");
    let place = "/admin/v1/tenants/{tenant}";
    for (path, methods) in [
        ("members", &["get", "post"][..]),
        ("members/{member}", &["get", "patch", "delete"]),
        ("members/{member}/timeline", &["get"]),
        ("members/{member}/invitation", &["get", "post", "delete"]),
        ("members/{member}/suspension", &["put", "delete"]),
        ("members/{member}/claim", &["put", "delete"]),
        ("members/{member}/legal_hold", &["put", "delete"]),
        ("members/{member}/erasure", &["post"]),
        ("members/{member}/names", &["delete"]),
        ("members/{member}/code", &["get", "post", "delete"]),
        ("jobs", &["get", "post"]),
        ("jobs/{id}", &["get"]),
        ("jobs/{id}/failures", &["get"]),
    ] {
        let described = doc["paths"][format!("{place}/{path}")].as_object().unwrap_or_else(|| panic!("{path} is not described"));
        let mut known: Vec<&str> = described.keys().map(String::as_str).filter(|k| *k != "parameters").collect();
        let mut wanted = methods.to_vec();
        known.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(known, wanted, "{path}");
    }
}
