//! Bulk requests of a thousand operations, several at once, and beside single requests.

use crate::bulk::{bulk, change, new_group, new_user, send, statuses};
use crate::clients::{ENTERPRISE, USER, group_path, id};
use crate::concurrency::{at_once, member_ids, miscounted};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

on_both! {
    /// R192, R200: a thousand creations in one request: all are there, each with an id of its own, in order, counted.
    fn a_thousand_users(server) {
        let c = server.tenant();
        let users: Value = (0..1000).map(|n| new_user(&format!("u{n}@example.com"), &json!({"title": n.to_string()}))).collect();
        let results = bulk(&c, &users);
        assert!(statuses(&results).iter().all(|s| *s == "201"));
        let ids: BTreeSet<&str> = results.iter().map(|r| r["location"].as_str().unwrap()).collect();
        assert_eq!((results.len(), ids.len()), (1000, 1000));
        for n in [0, 49, 50, 51, 999] {
            assert_eq!(results[n]["bulkId"], format!("u{n}@example.com"));
            assert_eq!(c.get(results[n]["location"].as_str().unwrap()).expect(200)["title"], n.to_string());
        }
        let list = c.get("/Users?count=1000").expect(200);
        assert_eq!((&list["totalResults"], list["Resources"].as_array().unwrap().len()), (&json!(1000), 1000));
        assert!(statuses(&bulk(&c, &users)).iter().all(|s| *s == "409"));
    }

    /// R196, R198: references reach over all the transactions of a large request, forwards and backwards.
    fn references_over_a_large_request(server) {
        let c = server.tenant();
        let names: Vec<String> = (0..300).map(|n| format!("u{n}")).collect();
        let members: Vec<String> = names.iter().map(|n| format!("bulkId:{n}")).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        let mut operations = vec![new_group("first", &members)];
        // Each one's manager comes right after, so that the last is created first.
        operations.extend(names.iter().enumerate().map(|(n, name)| match names.get(n + 1) {
            Some(next) => new_user(name, &json!({"schemas": [USER, ENTERPRISE], ENTERPRISE: {"manager": {"value": format!("bulkId:{next}")}}})),
            None => new_user(name, &json!({})),
        }));
        operations.push(new_group("last", &members));
        operations.push(change("/Groups/bulkId:first", &json!([{"op": "remove", "path": "members[value eq \"bulkId:u0\"]"}])));
        let results = bulk(&c, &json!(operations));
        assert!(statuses(&results[..302]).iter().all(|s| *s == "201"), "{results:?}");
        let at = |n: usize| c.get(results[n].get("location").and_then(Value::as_str).unwrap()).expect(200);
        assert_eq!((member_ids(&at(0)).len(), member_ids(&at(301)).len(), &results[302]["status"]), (299, 300, &json!("200")));
        assert_eq!((at(1)[ENTERPRISE]["manager"]["value"].clone(), at(300).get(ENTERPRISE)), (at(2)["id"].clone(), None));
        assert_eq!(miscounted(&mut server.connect()), []);
    }

    /// R195: the number of errors is counted over all the transactions of a large request.
    fn errors_are_counted_over_a_large_request(server) {
        let c = server.tenant();
        let operations: Value = (0..200)
            .map(|n| if n % 4 == 3 { json!({"method": "DELETE", "path": "/Users/nobody"}) } else { new_user(&format!("u{n}"), &json!({})) })
            .collect();
        let answer = c.post("/Bulk", &json!({"schemas": [crate::bulk::BULK], "failOnErrors": 30, "Operations": operations})).expect(200);
        assert_eq!(answer["Operations"].as_array().unwrap().len(), 120);
        assert_eq!(c.get("/Users?count=0").expect(200)["totalResults"], 90);
    }

    /// R201: several requests at once that change the same groups, in different orders: nothing is lost, and all is done.
    fn several_at_once_on_the_same_groups(server) {
        let c = server.tenant();
        let groups: Vec<Value> = (0..6).map(|n| c.group(&format!("g{n}"), &[])).collect();
        let answers = at_once(4, |t| {
            let user = |n: usize| new_user(&format!("u{t}-{n}"), &json!({}));
            let mut operations: Vec<Value> = (0..60).map(user).collect();
            for n in 0..60 {
                let group = if t % 2 == 0 { &groups[n % 6] } else { &groups[5 - n % 6] };
                operations.push(change(&group_path(group), &json!([{"op": "add", "path": "members", "value": [{"value": format!("bulkId:u{t}-{n}")}]}])));
            }
            bulk(&c, &json!(operations))
        });
        assert!(answers.iter().flat_map(|a| statuses(a)).all(|s| s == "201" || s == "200"), "{answers:?}");
        let members: Vec<usize> = groups.iter().map(|g| member_ids(&c.get(&group_path(g)).expect(200)).len()).collect();
        assert_eq!(members, [40; 6]);
        assert_eq!(c.get("/Users?count=0").expect(200)["totalResults"], 240);
        assert_eq!(miscounted(&mut server.connect()), []);
    }

    /// R201: of the same creations in several requests at once each succeeds once.
    fn several_at_once_with_the_same_users(server) {
        let c = server.tenant();
        let answers = at_once(3, |t| {
            let mut users: Vec<Value> = (0..120).map(|n| new_user(&format!("u{n}"), &json!({}))).collect();
            if t == 1 {
                users.reverse();
            }
            bulk(&c, &json!(users))
        });
        let made = answers.iter().flat_map(|a| statuses(a)).filter(|s| *s == "201").count();
        let refused = answers.iter().flat_map(|a| statuses(a)).filter(|s| *s == "409").count();
        assert_eq!((made, refused, &c.get("/Users?count=0").expect(200)["totalResults"]), (120, 240, &json!(120)));
    }

    /// A large request does not keep single writes waiting, in its tenant or in another.
    fn single_writes_go_on(server) {
        let (c, other) = (server.tenant(), server.tenant());
        let group = c.group("g", &[]);
        let done = AtomicBool::new(false);
        let slowest = at_once(3, |t| {
            let mut slowest = Duration::ZERO;
            if t == 0 {
                let users: Value = (0..1000).map(|n| new_user(&format!("u{n}"), &json!({}))).collect();
                assert_eq!(send(&c, &users).status, 200);
                done.store(true, Ordering::Relaxed);
            }
            for n in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let client = if t == 1 { &c } else { &other };
                let began = Instant::now();
                let user = client.user(&format!("single{n}"));
                if t == 1 {
                    let reply = client.patch(&group_path(&group), &json!([{"op": "add", "path": "members", "value": [{"value": id(&user)}]}]));
                    assert!(matches!(reply.status, 200 | 204), "{}", reply.text);
                }
                slowest = slowest.max(began.elapsed());
            }
            slowest
        });
        assert!(slowest.iter().all(|s| *s < Duration::from_secs(2)), "{slowest:?}");
        assert_eq!(miscounted(&mut server.connect()), []);
    }
}
