//! Sorting, index pages and cursor pages: every resource once, in the right order, with an exact total.

use crate::clients::{Client, EMPLOYEE, ENTERPRISE, GROUP, SEARCH, USER, id, user_path};
use crate::harness::{Db, Server};
use rollbook::app::Clock;
use rollbook::scim::value::fold;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Runs each test on both databases; it starts its own server.
macro_rules! on_each {
    ($($(#[$doc:meta])* fn $name:ident($db:ident) $body:block)*) => { $(
        $(#[$doc])*
        mod $name {
            use super::*;
            fn check($db: Db) $body
            #[test]
            fn sqlite() { check(Db::Sqlite); }
            #[test]
            fn postgres() { check(Db::Postgres); }
        }
    )* };
}

type Params<'a> = [(&'a str, &'a str)];

/// `path?a=b&c=d`.
fn url(path: &str, params: &Params<'_>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!("{path}?{query}")
}

fn list(client: &Client, path: &str, params: &Params<'_>) -> Value {
    client.get(&url(path, params)).expect(200)
}

fn refused(client: &Client, path: &str, params: &Params<'_>, scim_type: &str) {
    client.get(&url(path, params)).expect_error(400, scim_type);
}

/// The resources of a page; its numbers must fit.
#[track_caller]
fn resources(page: &Value) -> Vec<Value> {
    let found = page["Resources"].as_array().cloned().unwrap_or_default();
    assert_eq!(page["itemsPerPage"], json!(found.len()), "{page}");
    found
}

/// What the resources are called.
fn names(page: &Value) -> Vec<String> {
    let name = |r: &Value| r.get("userName").or_else(|| r.get("displayName")).unwrap().as_str().unwrap().to_owned();
    resources(page).iter().map(name).collect()
}

fn ids(list: &[Value]) -> Vec<String> {
    list.iter().map(|r| id(r).to_owned()).collect()
}

/// Every page by startIndex, one after the other.
fn by_index(client: &Client, path: &str, params: &Params<'_>, size: usize, total: usize) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let (start, count) = ((found.len() + 1).to_string(), size.to_string());
        let page = list(client, path, &[params, &[("startIndex", &start), ("count", &count)]].concat());
        assert_eq!((&page["totalResults"], &page["startIndex"]), (&json!(total), &json!(found.len() + 1)));
        let part = resources(&page);
        assert_eq!(part.len(), size.min(total - found.len()), "{path} {params:?}");
        found.extend(ids(&part));
        if part.is_empty() || found.len() > total {
            return found;
        }
    }
}

/// Every page by cursor; only the last one has no nextCursor.
fn by_cursor(client: &Client, path: &str, params: &Params<'_>, size: usize, total: usize) -> Vec<String> {
    let (mut found, mut cursor, count) = (Vec::new(), String::new(), size.to_string());
    loop {
        let page = list(client, path, &[params, &[("cursor", &cursor), ("count", &count)]].concat());
        assert_eq!(page["totalResults"], json!(total));
        let part = resources(&page);
        assert_eq!(part.len(), size.min(total - found.len()), "{path} {params:?}");
        found.extend(ids(&part));
        match next(&page) {
            Some(next) => cursor = next,
            None => return found,
        }
        assert!(found.len() < total, "a nextCursor on the last page");
    }
}

/// The nextCursor of a page, if there is one.
fn next(page: &Value) -> Option<String> {
    page.get("nextCursor").map(|c| c.as_str().unwrap().to_owned())
}

/// Users with the given names and attributes, in this order.
fn people(client: &Client, list: &[(&str, Value)]) {
    for (name, attributes) in list {
        let mut body = json!({"schemas": [USER, ENTERPRISE, EMPLOYEE], "userName": name});
        body.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        client.post("/Users", &body).expect(201);
    }
}

/// Users sorted by an attribute: ascending as expected, descending the other way round.
#[track_caller]
fn sorts(client: &Client, path: &str, by: &str, expected: &[&str]) {
    assert_eq!(names(&list(client, path, &[("sortBy", by)])), expected, "{by}");
    assert_eq!(names(&list(client, path, &[("sortBy", by), ("sortOrder", "ascending")])), expected, "{by}");
    let backwards: Vec<&str> = expected.iter().rev().copied().collect();
    assert_eq!(names(&list(client, path, &[("sortBy", by), ("sortOrder", "descending")])), backwards, "{by} descending");
}

/// Some users and groups; few titles, so that there are ties and gaps.
fn crowd(client: &Client, users: usize, groups: usize) {
    for n in 0..users {
        let mut body = json!({"schemas": [USER, EMPLOYEE], "userName": format!("user{:02}", n * 7 % 100), "active": n % 3 != 0});
        if n % 4 != 0 {
            body["title"] = json!(["Lead", "lead", "Clerk", "Ärztin"][n % 5 % 4]);
            body[EMPLOYEE] = json!({"hireDate": format!("20{:02}-01-01T00:00:00+0{}:00", n % 6 + 10, n % 5)});
        }
        client.post("/Users", &body).expect(201);
    }
    for n in 0..groups {
        client.group(&format!("Group{}", n * 5 % 7), &[]);
    }
}

on_both! {
    /// R129: strings by folded code points, numbers in strings as strings, absent values last or first.
    fn strings(server) {
        let client = server.tenant();
        let nick = |text: &str| json!({"nickName": text});
        people(&client, &[
            ("none", json!({})), ("1", nick("beta")), ("2", nick("Alpha")), ("3", nick("alpha2")), ("4", nick("GAMMA")),
            ("5", nick("Straße")), ("6", nick("STRASSF")), ("7", nick("zoe\u{308}")), ("8", nick("zoë2")), ("9", nick("10")),
            ("A", nick("9")), ("B", nick("\u{ffff}")), ("C", nick("😀")), ("D", nick("strassd")), ("E", nick("")),
        ]);
        sorts(&client, "/Users", "nickName", &["E", "9", "A", "2", "3", "1", "4", "D", "5", "6", "7", "8", "B", "C", "none"]);
        sorts(&client, "/Users", "NICKNAME", &["E", "9", "A", "2", "3", "1", "4", "D", "5", "6", "7", "8", "B", "C", "none"]);
    }

    /// R129: attributes with columns of their own sort like the others; case counts where caseExact says so.
    fn columns(server) {
        let client = server.tenant();
        people(&client, &[
            ("b", json!({"externalId": "a", "displayName": "x"})),
            ("C", json!({"externalId": "A", "displayName": "Y"})),
            ("a", json!({"externalId": "B", "displayName": "W"})),
        ]);
        sorts(&client, "/Users", "userName", &["a", "b", "C"]);
        sorts(&client, "/Users", "externalId", &["C", "a", "b"]);
        sorts(&client, "/Users", "displayName", &["a", "b", "C"]);
        let mut by_id: Vec<(String, String)> =
            resources(&list(&client, "/Users", &[])).iter().map(|r| (id(r).to_owned(), r["userName"].as_str().unwrap().to_owned())).collect();
        by_id.sort();
        sorts(&client, "/Users", "id", &by_id.iter().map(|(_, n)| n.as_str()).collect::<Vec<_>>());
    }

    /// R129: dates of the employee record, whose order as text is that of time.
    fn dates(server) {
        let client = server.tenant();
        let hired = |text: &str| json!({EMPLOYEE: {"hireDate": text}});
        people(&client, &[
            ("new", hired("2024-01-02")), ("leap", hired("2024-02-29")), ("old", hired("1999-12-31")), ("none", json!({})),
        ]);
        sorts(&client, "/Users", &format!("{EMPLOYEE}:hireDate"), &["old", "new", "leap", "none"]);
    }

    /// R129: false before true; sub-attributes; attributes of extensions.
    fn booleans_parts_and_extensions(server) {
        let client = server.tenant();
        people(&client, &[
            ("1", json!({"active": true, "name": {"familyName": "b"}, ENTERPRISE: {"department": "Z"}})),
            ("2", json!({"active": false, "name": {"familyName": "C"}, ENTERPRISE: {"department": "y"}})),
        ]);
        sorts(&client, "/Users", "active", &["2", "1"]);
        sorts(&client, "/Users", "name.familyName", &["1", "2"]);
        sorts(&client, "/Users", "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName", &["1", "2"]);
        sorts(&client, "/Users", &format!("{ENTERPRISE}:department"), &["2", "1"]);
    }

    /// R129: a multi-valued attribute counts by its primary value, else by its first one.
    fn multi_valued(server) {
        let client = server.tenant();
        people(&client, &[
            ("primary", json!({"emails": [{"value": "z"}, {"value": "A", "primary": true}]})),
            ("none", json!({})),
            ("first", json!({"emails": [{"value": "b"}, {"value": "0"}]})),
            ("not", json!({"emails": [{"value": "c", "primary": false, "type": "x"}, {"value": "0"}]})),
        ]);
        sorts(&client, "/Users", "emails", &["primary", "first", "not", "none"]);
        sorts(&client, "/Users", "emails.value", &["primary", "first", "not", "none"]);
        assert_eq!(names(&list(&client, "/Users", &[("sortBy", "emails.type")]))[0], "not");
    }

    /// R131: equal values and absent ones are ordered by id, in both directions.
    fn ties(server) {
        let client = server.tenant();
        let same: Vec<String> = (0..8).map(|n| id(&client.user_with(json!({"userName": format!("s{}", n * 3 % 8), "title": "T"}))).to_owned()).collect();
        let none: Vec<String> = (0..8).map(|n| id(&client.user(&format!("n{}", n * 3 % 8))).to_owned()).collect();
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        let (same, none) = (sorted(same), sorted(none));
        let order = |order: &str| ids(&resources(&list(&client, "/Users", &[("sortBy", "title"), ("sortOrder", order)])));
        assert_eq!(order("ascending"), [same.clone(), none.clone()].concat());
        assert_eq!(order("descending"), [none, same].concat());
    }

    /// R129: groups and the root are sorted as well; what a type does not have counts as absent.
    fn groups_and_the_root(server) {
        let client = server.tenant();
        for name in ["beta", "Delta"] {
            client.group(name, &[]);
        }
        people(&client, &[("Alpha", json!({"title": "b"})), ("gamma", json!({"title": "a"}))]);
        sorts(&client, "/Groups", "displayName", &["beta", "Delta"]);
        sorts(&client, "", "displayName", &["Alpha", "beta", "Delta", "gamma"]);
        let titles = |order: &str| names(&list(&client, "", &[("sortBy", "title"), ("sortOrder", order)]));
        assert_eq!(titles("ascending"), ["gamma", "Alpha", "beta", "Delta"]);
        assert_eq!(titles("descending"), ["beta", "Delta", "Alpha", "gamma"]);
    }

    /// R130: what cannot be sorted by is refused; an order without a sort is ignored.
    fn bad_sorts(server) {
        let client = server.tenant();
        client.user("x");
        for by in ["nope", "name", "password", "name.nope", "members", "groups", "schemas", "meta.version", "meta", "urn:x:y", "emails[type eq \"work\"]", "'"] {
            refused(&client, "/Users", &[("sortBy", by)], "invalidValue");
            let body = json!({"schemas": [SEARCH], "sortBy": by});
            client.post("/Users/.search", &body).expect_error(400, "invalidValue");
        }
        refused(&client, "", &[("sortBy", "password")], "invalidValue");
        refused(&client, "/Groups", &[("sortBy", "userName")], "invalidValue");
        refused(&client, "/Users", &[("sortBy", "userName"), ("sortOrder", "sideways")], "invalidValue");
        assert_eq!(names(&list(&client, "/Users", &[("sortOrder", "descending")])), ["x"]);
        assert_eq!(names(&list(&client, "/Users", &[("sortBy", "userName"), ("sortOrder", "DESCENDING")])), ["x"]);
    }

    /// R132, R133: startIndex below 1 is 1, a negative count is 0, beyond the end is nothing.
    fn index_edges(server) {
        let client = server.tenant();
        crowd(&client, 5, 0);
        for filter in [None, Some("userName pr")] {
            let page = |params: &Params<'_>| {
                let filter = filter.map(|f| ("filter", f));
                let page = list(&client, "/Users", &[params, filter.as_slice()].concat());
                assert_eq!(page["totalResults"], 5);
                (page["startIndex"].as_i64().unwrap(), resources(&page).len())
            };
            assert_eq!(page(&[("startIndex", "0"), ("count", "2")]), (1, 2));
            assert_eq!(page(&[("startIndex", "-7"), ("count", "2")]), (1, 2));
            assert_eq!(page(&[("count", "0")]), (1, 0));
            assert_eq!(page(&[("count", "-3")]), (1, 0));
            assert_eq!(page(&[("startIndex", "5")]), (5, 1));
            assert_eq!(page(&[("startIndex", "6")]), (6, 0));
            assert_eq!(page(&[("startIndex", "6"), ("count", "0")]), (6, 0));
            assert_eq!(page(&[("startIndex", &i64::MAX.to_string())]), (i64::MAX, 0));
            assert_eq!(page(&[("count", &i64::MAX.to_string())]), (1, 5));
            assert_eq!(page(&[("startIndex", &i64::MIN.to_string()), ("count", &i64::MIN.to_string())]), (1, 0));
            assert_eq!(page(&[("STARTINDEX", "2"), ("Count", "3")]), (2, 3));
        }
    }

    /// R134, R147: what is no whole number is refused.
    fn bad_numbers(server) {
        let client = server.tenant();
        for bad in ["", "x", "1.5", "1e3", "0x1", "٣", "1 2"] {
            refused(&client, "/Users", &[("count", bad)], "invalidValue");
            refused(&client, "/Users", &[("startIndex", bad)], "invalidValue");
        }
        for bad in [json!({"count": "10"}), json!({"startIndex": 1.5}), json!({"cursor": 1}), json!({"sortBy": ["x"]}), json!({"filter": 1})] {
            let mut body = json!({"schemas": [SEARCH]});
            body.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
            client.post("/Users/.search", &body).expect_error(400, "invalidSyntax");
        }
    }

    /// R131, R133: any page from any place is the right part of the whole, read from whichever end is nearer.
    fn pages_from_every_place(server) {
        let client = server.tenant();
        crowd(&client, 17, 0);
        server.tenant().user("somebody else's");
        let all = ids(&resources(&list(&client, "/Users", &[])));
        assert_eq!(all.len(), 17);
        for count in [1, 4, 9, 17, 30] {
            for start in 1..=19 {
                let page = list(&client, "/Users", &[("startIndex", &start.to_string()), ("count", &count.to_string())]);
                let expected: Vec<String> = all.iter().skip(start - 1).take(count).cloned().collect();
                assert_eq!((ids(&resources(&page)), &page["totalResults"]), (expected, &json!(17)), "{start} {count}");
            }
        }
    }

    /// R131-R137: every walk over pages, by index and by cursor, meets every resource once and in order.
    fn every_walk(server) {
        let client = server.tenant();
        crowd(&client, 20, 8);
        crowd(&server.tenant(), 3, 3);
        for (path, from, to) in [("/Users", 0, 20), ("/Groups", 20, 28), ("", 0, 28)] {
            let all = resources(&list(&client, "", &[("count", "1000")]))[from..to].to_vec();
            let rank = |r: &Value| (r.get("userName").is_none(), id(r).to_owned());
            assert!(all.is_sorted_by_key(rank), "not by kind and id");
            for filter in [None, Some("displayName co \"1\" or displayName co \"2\"")] {
                let wanted = |r: &&Value| filter.is_none() || r["displayName"].as_str().unwrap().contains(['1', '2']);
                for by in [None, Some("title"), Some("displayName"), Some("active"), Some("meta.created")] {
                    if by.is_some_and(|b| path == "/Groups" && ["title", "active"].contains(&b)) {
                        continue;
                    }
                    for descending in [false, true] {
                        if by.is_none() && descending {
                            continue;
                        }
                        let mut expected: Vec<Value> = all.iter().filter(wanted).cloned().collect();
                        sort(&mut expected, by, descending);
                        let params: Vec<(&str, &str)> = [
                            filter.map(|f| ("filter", f)),
                            by.map(|b| ("sortBy", b)),
                            descending.then_some(("sortOrder", "descending")),
                            Some(("attributes", "id")),
                        ].into_iter().flatten().collect();
                        for size in if by.is_none() { vec![1, 7, 10, 100] } else { vec![3, 100] } {
                            let expected = ids(&expected);
                            assert_eq!(by_index(&client, path, &params, size, expected.len()), expected, "index {size} {params:?}");
                            assert_eq!(by_cursor(&client, path, &params, size, expected.len()), expected, "cursor {size} {params:?}");
                        }
                    }
                }
            }
        }
    }

    /// R137: a page that is exactly full is the last one all the same.
    fn a_full_last_page_has_no_cursor(server) {
        let client = server.tenant();
        crowd(&client, 6, 0);
        for size in [1, 2, 3, 6] {
            assert_eq!(by_cursor(&client, "/Users", &[], size, 6).len(), 6);
        }
        assert_eq!(next(&list(&client, "/Groups", &[("cursor", "")])), None);
        assert_eq!(next(&list(&client, "/Users", &[("count", "2")])), None, "index pages have no cursor");
    }

    /// R136, R141: a walk begins with an empty cursor, written either way; a cursor is made of unreserved characters.
    fn the_form_of_cursors(server) {
        let client = server.tenant();
        crowd(&client, 4, 0);
        let page = client.get("/Users?cursor&count=2").expect(200);
        let cursor = next(&page).unwrap();
        assert!(cursor.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)), "{cursor}");
        assert!(page.get("startIndex").is_none() && page.get("previousCursor").is_none(), "{page}");
        assert!(next(&client.get("/Users?CURSOR=&count=2").expect(200)).is_some());
        assert_eq!(resources(&client.get(&format!("/Users?cursor={cursor}")).expect(200)).len(), 2, "count may be left out");
        refused(&client, "/Users", &[("cursor", &cursor), ("startIndex", "1")], "invalidValue");
        refused(&client, "/Users", &[("cursor", ""), ("startIndex", "1")], "invalidValue");
        let zero = list(&client, "/Users", &[("cursor", ""), ("count", "0")]);
        assert_eq!((&zero["totalResults"], resources(&zero).len()), (&json!(4), 0));
    }

    /// R139, R144: a cursor serves the query, the endpoint and the tenant that it was issued for, and no other.
    fn cursors_are_bound(server) {
        let (client, other) = (server.tenant(), server.tenant());
        crowd(&client, 6, 4);
        crowd(&other, 6, 4);
        let params = [("filter", "userName pr"), ("sortBy", "userName"), ("count", "2")];
        let cursor = next(&list(&client, "/Users", &[&params[..], &[("cursor", "")]].concat())).unwrap();
        let given = ("cursor", cursor.as_str());
        assert!(next(&list(&client, "/Users", &[&params[..], &[given]].concat())).is_some());
        for changed in [
            vec![params[1], params[2], given],
            vec![("filter", "userName sw \"u\""), params[1], params[2], given],
            vec![params[0], params[2], given],
            vec![params[0], ("sortBy", "title"), params[2], given],
            vec![params[0], params[1], params[2], given, ("sortOrder", "descending")],
        ] {
            refused(&client, "/Users", &changed, "invalidCursor");
        }
        let same = [&params[..], &[given]].concat();
        refused(&other, "/Users", &same, "invalidCursor");
        refused(&client, "", &same, "invalidCursor");
        let plain = next(&list(&client, "/Users", &[("cursor", ""), ("count", "2")])).unwrap();
        refused(&client, "/Groups", &[("cursor", &plain), ("count", "2")], "invalidCursor");
    }

    /// R144: a cursor that was tampered with is refused, wherever it was touched.
    fn cursors_are_signed(server) {
        let client = server.tenant();
        crowd(&client, 4, 0);
        let cursor = next(&list(&client, "/Users", &[("cursor", ""), ("count", "2")])).unwrap();
        let refuse = |cursor: &str| refused(&client, "/Users", &[("cursor", cursor), ("count", "2")], "invalidCursor");
        for at in 0..cursor.len() - 1 {
            let with = if &cursor[at..=at] == "A" { "B" } else { "A" };
            refuse(&format!("{}{with}{}", &cursor[..at], &cursor[at + 1..]));
        }
        for bad in ["x", "AAAA", "%", "\u{fc}", &cursor[..cursor.len() - 4], &format!("{cursor}AAAA"), &format!("{cursor}="), &"A".repeat(9000)] {
            refuse(bad);
        }
    }

    /// R139: the page size cannot change under way.
    fn count_stays(server) {
        let client = server.tenant();
        crowd(&client, 6, 0);
        let cursor = next(&list(&client, "/Users", &[("cursor", ""), ("count", "2")])).unwrap();
        refused(&client, "/Users", &[("cursor", &cursor), ("count", "3")], "invalidCount");
        refused(&client, "/Users", &[("cursor", &cursor), ("count", "0")], "invalidCount");
        refused(&client, "/Users", &[("cursor", &cursor), ("count", "x")], "invalidValue");
        assert_eq!(resources(&list(&client, "/Users", &[("cursor", &cursor), ("count", "2")])).len(), 2);
    }

    /// R142, R145: a search walks by cursor like a list, and refuses what a list refuses.
    fn searches_walk_too(server) {
        let client = server.tenant();
        crowd(&client, 7, 3);
        for (path, total) in [("/Users", 7), ("/Groups", 3), ("", 10)] {
            let (mut found, mut cursor) = (Vec::new(), json!(""));
            while !cursor.is_null() {
                let body = json!({"schemas": [SEARCH], "cursor": cursor, "count": 3, "sortBy": "displayName"});
                let page = client.post(&format!("{path}/.search"), &body).expect(200);
                found.extend(ids(&resources(&page)));
                cursor = page["nextCursor"].clone();
            }
            assert_eq!(found, ids(&resources(&list(&client, path, &[("sortBy", "displayName")]))));
            assert_eq!(found.len(), total);
        }
        let search = |body: Value| client.post("/Users/.search", &body);
        search(json!({"schemas": [SEARCH], "cursor": "x"})).expect_error(400, "invalidCursor");
        search(json!({"schemas": [SEARCH], "cursor": "", "startIndex": 1})).expect_error(400, "invalidValue");
        search(json!({"schemas": [SEARCH], "sortBy": "userName", "sortOrder": "up"})).expect_error(400, "invalidValue");
        let page = search(json!({"schemas": [SEARCH], "startIndex": 6, "count": 5})).expect(200);
        assert_eq!((&page["totalResults"], &page["startIndex"], resources(&page).len()), (&json!(7), &json!(6), 2));
    }

    /// R139: what comes and goes during a walk does not make it miss or repeat what stays.
    fn a_walk_is_undisturbed(server) {
        for by in [None, Some("title"), Some("userName")] {
            let client = server.tenant();
            crowd(&client, 24, 0);
            let before = resources(&list(&client, "/Users", &[]));
            let params: Vec<(&str, &str)> = by.map(|b| ("sortBy", b)).into_iter().chain([("count", "5")]).collect();
            let (mut found, mut gone, mut cursor) = (Vec::new(), Vec::new(), String::new());
            for round in 0.. {
                let page = list(&client, "/Users", &[&params[..], &[("cursor", &cursor)]].concat());
                found.extend(ids(&resources(&page)));
                let Some(next) = next(&page) else { break };
                cursor = next;
                // The row that the cursor stands on, one that was not seen yet, and new ones on either side.
                let anchor = found.last().cloned();
                let unseen = before.iter().map(|r| id(r).to_owned()).find(|i| !found.contains(i) && !gone.contains(i));
                for victim in [anchor, unseen].into_iter().flatten() {
                    client.delete(&format!("/Users/{victim}")).expect(204);
                    gone.push(victim);
                }
                people(&client, &[(&format!("a{round}"), json!({"title": "a"})), (&format!("z{round}"), json!({"title": "z"}))]);
                assert!(round < 50, "the walk has no end");
            }
            let stayed: Vec<&str> = before.iter().map(id).filter(|i| !gone.iter().any(|g| g == i)).collect();
            for i in stayed {
                assert_eq!(found.iter().filter(|f| *f == i).count(), 1, "{by:?} {i}");
            }
            found.sort();
            assert!(found.windows(2).all(|w| w[0] != w[1]), "{by:?}: something came twice");
        }
    }
}

/// The order of R129 and R131, in memory.
fn sort(list: &mut [Value], by: Option<&str>, descending: bool) {
    let Some(by) = by else { return };
    // Both forms of meta.created are of one length, and booleans sort like their names.
    let key = |r: &Value| match r.pointer(&format!("/{}", by.replace('.', "/"))) {
        Some(Value::String(s)) => Some(fold(s).into_owned()),
        Some(other) => Some(other.to_string()),
        None => None,
    };
    list.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        let ascending = a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(&b));
        if descending { ascending.reverse() } else { ascending }
    });
}

/// A clock that stands still until it is moved.
fn clock() -> (Arc<AtomicI64>, Clock) {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000_000));
    let shown = time.clone();
    (time, Arc::new(move || shown.load(Ordering::Relaxed)))
}

on_each! {
    /// R129: meta.created and meta.lastModified sort by time, not by id.
    fn times(db) {
        let (time, clock) = clock();
        let server = Server::with(db, |_| {}, clock);
        let client = server.tenant();
        let mut users = Vec::new();
        for name in ["third", "second", "first"] {
            users.push(client.user(name));
            time.fetch_sub(1_000_001, Ordering::Relaxed);
        }
        sorts(&client, "/Users", "meta.created", &["first", "second", "third"]);
        client.patch(&user_path(&users[0]), &json!([{"op": "add", "path": "title", "value": "x"}])).expect(200);
        sorts(&client, "/Users", "meta.lastModified", &["third", "first", "second"]);
    }

    /// R139: a cursor that is too old is refused as such.
    fn cursors_expire(db) {
        let (time, clock) = clock();
        let server = Server::with(db, |c| c.limits.cursor_seconds = 60, clock);
        let client = server.tenant();
        crowd(&client, 4, 0);
        let cursor = next(&list(&client, "/Users", &[("cursor", ""), ("count", "1")])).unwrap();
        let params = [("cursor", cursor.as_str()), ("count", "1")];
        time.fetch_add(59_000_000, Ordering::Relaxed);
        assert_eq!(resources(&list(&client, "/Users", &params)).len(), 1);
        time.fetch_add(2_000_000, Ordering::Relaxed);
        refused(&client, "/Users", &params, "expiredCursor");
    }

    /// R132, R134, R140: a page has the default size, and never more than the largest, however much is asked for.
    fn sizes_are_capped(db) {
        let server = Server::with(db, |c| (c.limits.page_default, c.limits.page_max) = (10, 100), rollbook::app::system_clock());
        let client = server.tenant();
        for n in 0..105 {
            client.post("/Groups", &json!({"schemas": [GROUP], "displayName": format!("g{n}")})).expect(201);
        }
        assert_eq!(resources(&list(&client, "/Groups", &[])).len(), 10);
        let page = list(&client, "/Groups", &[("count", "500")]);
        assert_eq!((resources(&page).len(), &page["totalResults"]), (100, &json!(105)));
        assert_eq!(resources(&list(&client, "/Groups", &[("cursor", "")])).len(), 10);
        // The client repeats its count on every page, as RFC 9865 says; it was capped on the first one.
        let first = list(&client, "/Groups", &[("cursor", ""), ("count", "500")]);
        assert_eq!(resources(&first).len(), 100);
        let second = list(&client, "/Groups", &[("cursor", &next(&first).unwrap()), ("count", "500")]);
        assert_eq!((resources(&second).len(), next(&second)), (5, None));
    }
}
