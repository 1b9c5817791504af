//! Many clients at once: nothing is lost, nothing is doubled, nobody reads what is not there.

use crate::clients::{Client, GROUP, USER, group_path, id, user_path};
use crate::harness::{Db, Fresh, Server};
use diesel::sql_types::{BigInt, Text};
use futures_util::FutureExt;
use futures_util::future::join3;
use rollbook::app::system_clock;
use rollbook::domain::Idp;
use rollbook::store::backend::{self, Database};
use rollbook::store::sql::Sql;
use rollbook::store::writer::Writer;
use rollbook::store::{self, Conn, keys};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

/// Runs `work` on threads that begin together; what each of them returns.
pub fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    let (start, work) = (&start, &work);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|n| {
                scope.spawn(move || {
                    start.wait();
                    work(n)
                })
            })
            .collect();
        running.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// How often each status occurs.
fn tally(statuses: impl IntoIterator<Item = u16>) -> BTreeMap<u16, usize> {
    statuses.into_iter().fold(BTreeMap::new(), |mut all, s| {
        *all.entry(s).or_default() += 1;
        all
    })
}

/// `word` with some letters in upper case, differently for every `n`.
fn recased(word: &str, n: usize) -> String {
    word.chars().enumerate().map(|(i, c)| if n >> i & 1 == 1 { c.to_ascii_uppercase() } else { c }).collect()
}

fn post_user(client: &Client, user_name: &str) -> u16 {
    client.post("/Users", &json!({"schemas": [USER], "userName": user_name})).status
}

pub fn member_ids(group: &Value) -> BTreeSet<String> {
    group["members"].as_array().into_iter().flatten().map(|m| m["value"].as_str().unwrap().to_owned()).collect()
}

/// Groups whose count of members is not the number of their rows.
pub fn miscounted(conn: &mut Conn) -> Vec<(String, i64, i64)> {
    Sql::new(
        "SELECT r.id, r.member_count, (SELECT count(*) FROM group_members m WHERE m.tenant_id = r.tenant_id AND m.group_id = r.id) \
         FROM resources r WHERE r.kind = 2 AND r.member_count <> \
         (SELECT count(*) FROM group_members m WHERE m.tenant_id = r.tenant_id AND m.group_id = r.id)",
    )
    .load::<(Text, BigInt, BigInt), _>(conn)
    .unwrap()
}

/// Memberships of what no longer exists.
fn dangling(conn: &mut Conn) -> Vec<String> {
    Sql::new(
        "SELECT m.member_id FROM group_members m WHERE NOT EXISTS (SELECT 1 FROM resources r WHERE r.tenant_id = m.tenant_id \
         AND r.kind = m.member_kind AND r.id = m.member_id)",
    )
    .load::<Text, _>(conn)
    .unwrap()
}

on_both! {
    /// R22: of fifty simultaneous creations of one userName one succeeds.
    fn one_user_name_is_given_once(server) {
        let client = server.tenant();
        let statuses = at_once(50, |_| post_user(&client, "only.one@example.com"));
        assert_eq!(tally(statuses), BTreeMap::from([(201, 1), (409, 49)]));
        assert_eq!(client.get("/Users").expect(200)["totalResults"], 1);
    }

    /// R22: userNames that differ in case only are the same one.
    fn one_user_name_is_given_once_whatever_its_case(server) {
        let client = server.tenant();
        let statuses = at_once(50, |n| post_user(&client, &recased("only.one", n)));
        assert_eq!(tally(statuses), BTreeMap::from([(201, 1), (409, 49)]));
        assert_eq!(client.get("/Users").expect(200)["totalResults"], 1);
    }

    /// Where group names are unique, one of many simultaneous creations succeeds.
    fn one_group_name_is_given_once(server) {
        let client = server.tenant_with(Idp::Entra);
        let statuses =
            at_once(20, |n| client.post("/Groups", &json!({"schemas": [GROUP], "displayName": recased("admins", n)})).status);
        assert_eq!(tally(statuses), BTreeMap::from([(201, 1), (409, 19)]));
    }

    /// R188: of two renames to one userName one succeeds, and the loser keeps its name.
    fn one_user_name_is_taken_once(server) {
        let client = server.tenant();
        let users: Vec<Value> = (0..10).map(|n| client.user(&format!("u{n}"))).collect();
        let rename = json!([{"op": "replace", "path": "userName", "value": "wanted"}]);
        let statuses = at_once(10, |n| client.patch(&user_path(&users[n]), &rename).status);
        assert_eq!(tally(statuses), BTreeMap::from([(200, 1), (409, 9)]));
        assert_eq!(client.filter("/Users", "userName sw \"u\"").expect(200)["totalResults"], 9);
    }

    /// R211: of two PUTs with one tag exactly one wins.
    fn one_tag_serves_one_put(server) {
        let client = server.tenant();
        let user = client.user("contested");
        let path = user_path(&user);
        for round in 0..20 {
            let tag = client.get(&path).header("etag").to_owned();
            let statuses = at_once(2, |n| {
                let body = json!({"schemas": [USER], "userName": "contested", "title": format!("{round}-{n}")}).to_string();
                client.send("PUT", &path, &[("if-match", &tag)], Some(&body)).status
            });
            assert_eq!(tally(statuses), BTreeMap::from([(200, 1), (412, 1)]), "round {round}");
        }
    }

    /// R189: of many deletions of one user one succeeds, the rest find nothing.
    fn one_deletion_of_a_user_succeeds(server) {
        let client = server.tenant();
        let path = user_path(&client.user("doomed"));
        assert_eq!(tally(at_once(12, |_| client.delete(&path).status)), BTreeMap::from([(204, 1), (404, 11)]));
        assert_eq!(client.get("/Users").expect(200)["totalResults"], 0);
    }

    /// R170: members that are added at the same time are all there, and counted.
    fn no_added_member_is_lost(server) {
        let client = server.tenant();
        let users: Vec<Vec<Value>> =
            (0..16).map(|t| (0..20).map(|n| client.user(&format!("m{t}-{n}"))).collect()).collect();
        let group = group_path(&client.group("crowd", &[]));
        at_once(16, |t| {
            for user in &users[t] {
                let reply = client.patch(&group, &json!([{"op": "add", "path": "members", "value": [{"value": id(user)}]}]));
                assert!(matches!(reply.status, 200 | 204), "{}", reply.text);
            }
        });
        let all: BTreeSet<String> = users.iter().flatten().map(|u| id(u).to_owned()).collect();
        assert_eq!(member_ids(&client.get(&group).expect(200)), all);
        assert_eq!(miscounted(&mut server.connect()), []);
    }

    /// R171: changes to different attributes of one user are all there.
    fn no_changed_attribute_is_lost(server) {
        const PATHS: [&str; 8] = ["title", "nickName", "userType", "locale", "timezone", "name.givenName", "name.familyName", "profileUrl"];
        let client = server.tenant();
        let path = user_path(&client.user("busy"));
        at_once(PATHS.len(), |t| {
            for n in 0..10 {
                client.patch(&path, &json!([{"op": "replace", "path": PATHS[t], "value": format!("{t}-{n}")}])).expect(200);
            }
        });
        let user = client.get(&path).expect(200);
        for (t, name) in PATHS.iter().enumerate() {
            assert_eq!(user.pointer(&format!("/{}", name.replace('.', "/"))), Some(&json!(format!("{t}-9"))), "{name}");
        }
    }

    /// R170: values that are added at the same time to one attribute are all there, and found by a filter.
    fn no_added_value_is_lost(server) {
        let client = server.tenant();
        let path = user_path(&client.user("letters"));
        at_once(12, |t| {
            for n in 0..5 {
                client.patch(&path, &json!([{"op": "add", "path": "emails", "value": [{"value": format!("{t}-{n}@x")}]}])).expect(200);
            }
        });
        assert_eq!(client.get(&path).expect(200)["emails"].as_array().unwrap().len(), 60);
        for t in 0..12 {
            assert_eq!(client.filter("/Users", &format!("emails.value eq \"{t}-4@x\"")).expect(200)["totalResults"], 1);
        }
    }

    /// R190: a deleted user is in no group, however the deletion and the addition meet.
    fn no_deleted_user_stays_a_member(server) {
        let client = server.tenant();
        let users: Vec<Value> = (0..40).map(|n| client.user(&format!("m{n}"))).collect();
        let groups: Vec<String> = (0..2).map(|n| group_path(&client.group(&format!("g{n}"), &[]))).collect();
        let statuses = at_once(8, |t| {
            let share = users.iter().skip(t / 2 * 10).take(10);
            share.map(|user| {
                if t % 2 == 0 {
                    return client.delete(&user_path(user)).status;
                }
                let add = json!([{"op": "add", "path": "members", "value": [{"value": id(user)}]}]);
                groups.iter().map(|g| client.patch(g, &add).status).max().unwrap()
            }).collect::<Vec<_>>()
        });
        assert!(statuses.iter().flatten().all(|s| matches!(s, 200 | 204)), "{statuses:?}");
        for group in &groups {
            assert_eq!(member_ids(&client.get(group).expect(200)), BTreeSet::new());
        }
        assert_eq!(dangling(&mut server.connect()), [""; 0]);
        assert_eq!(miscounted(&mut server.connect()), []);
    }

    /// R190: a member that leaves and is deleted at the same time is counted off once.
    fn no_member_is_counted_off_twice(server) {
        let client = server.tenant();
        let users: Vec<Value> = (0..60).map(|n| client.user(&format!("m{n}"))).collect();
        let ids: Vec<&str> = users.iter().map(id).collect();
        let group = group_path(&client.group("leavers", &ids));
        for user in &users {
            let remove = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", id(user))}]);
            let statuses = at_once(3, |t| if t == 0 { client.delete(&user_path(user)).status } else { client.patch(&group, &remove).status });
            assert!(statuses.iter().all(|s| matches!(s, 200 | 204)), "{statuses:?}");
        }
        assert_eq!(member_ids(&client.get(&group).expect(200)), BTreeSet::new());
        assert_eq!(miscounted(&mut server.connect()), []);
    }

    /// R133: totalResults is exact at every moment, also while users come and go.
    fn totals_are_exact_at_every_moment(server) {
        let client = server.tenant();
        let done = AtomicBool::new(false);
        at_once(7, |t| {
            if t == 0 {
                while !done.load(Ordering::Relaxed) {
                    let list = client.get("/Users?count=1000&attributes=id").expect(200);
                    assert_eq!(list["totalResults"].as_u64(), Some(list["Resources"].as_array().unwrap().len() as u64));
                }
                return;
            }
            for n in 0..15 {
                let user = client.user(&format!("u{t}-{n}"));
                if n % 3 == 0 {
                    client.delete(&user_path(&user)).expect(204);
                }
            }
            if t == 6 {
                done.store(true, Ordering::Relaxed);
            }
        });
        let list = client.get("/Users?count=1000").expect(200);
        assert_eq!((list["totalResults"].as_u64(), list["Resources"].as_array().unwrap().len()), (Some(60), 60));
    }

    /// What a 201 promised is there for the next request, by id, in the list and by filter.
    fn a_write_is_seen_by_the_next_read(server) {
        let client = server.tenant();
        for n in 1..=200 {
            let user = client.user(&format!("seen{n}"));
            assert_eq!(client.get(&user_path(&user)).expect(200)["userName"], json!(format!("seen{n}")));
            assert_eq!(client.get("/Users?count=0").expect(200)["totalResults"], json!(n));
            assert_eq!(client.filter("/Users", &format!("userName eq \"seen{n}\"")).expect(200)["totalResults"], 1);
        }
    }
}

/// Two servers on one PostgreSQL database behave as one.
#[test]
fn two_servers_share_a_database() {
    let first = Server::start(Db::Postgres);
    let second = Server::with(Db::Postgres, |c| c.database.url.clone_from(&first.config.database.url), system_clock());
    let a = first.tenant();
    let b = Client::new(&second.base, a.token.as_deref(), &a.tenant);
    let either = |n: usize| if n.is_multiple_of(2) { &a } else { &b };
    let statuses = at_once(20, |n| post_user(either(n), &recased("shared", n)));
    assert_eq!(tally(statuses), BTreeMap::from([(201, 1), (409, 19)]));
    let users: Vec<Value> = (0..40).map(|n| either(n).user(&format!("u{n}"))).collect();
    let group = group_path(&a.group("both", &[]));
    at_once(8, |t| {
        for user in users.iter().skip(t * 5).take(5) {
            either(t).patch(&group, &json!([{"op": "add", "path": "members", "value": [{"value": id(user)}]}])).expect(200);
            assert_eq!(either(t + 1).get(&user_path(user)).expect(200)["groups"].as_array().unwrap().len(), 1);
        }
    });
    assert_eq!(member_ids(&b.get(&group).expect(200)).len(), 40);
    assert_eq!(b.get("/Users?count=0").expect(200)["totalResults"], 41);
    assert_eq!(miscounted(&mut first.connect()), []);
}

/// A writer on a new SQLite database.
fn writer() -> (Fresh, Database, Writer, std::thread::JoinHandle<()>) {
    let fresh = Fresh::new(Db::Sqlite);
    let database = Database::parse(&fresh.url).unwrap();
    backend::migrate(&mut database.connect().unwrap()).unwrap();
    let (writer, thread) = Writer::start(&database, Box::new(|_| {})).unwrap();
    (fresh, database, writer, thread)
}

/// The names of the secrets in a database.
fn secrets(database: &Database) -> Vec<String> {
    Sql::new("SELECT name FROM secrets ORDER BY name").load::<Text, _>(&mut database.connect().unwrap()).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// A write that panics is undone, and the others of its commit are kept.
#[test]
fn a_panicking_write_takes_nothing_with_it() {
    let (_fresh, database, writer, _) = writer();
    let (a, b, c) = run(join3(
        writer.write(|conn| {
            // The other two are in the queue when this one is done: they share its commit.
            std::thread::sleep(Duration::from_millis(100));
            keys::secret(conn, "before", "1")
        }),
        writer.write(|conn| {
            keys::secret(conn, "panicked", "2")?;
            panic!("on purpose");
            #[expect(unreachable_code, reason = "it gives the closure its type")]
            Ok::<(), store::Error>(())
        }),
        writer.write(|conn| keys::secret(conn, "after", "3")),
    ));
    assert_eq!((a.unwrap().as_str(), c.unwrap().as_str()), ("1", "3"));
    assert!(b.unwrap_err().to_string().contains("panicked"));
    assert_eq!(secrets(&database), ["after", "before"]);
}

/// A write that fails half-way is undone, and the others of its commit are kept.
#[test]
fn a_failing_write_takes_nothing_with_it() {
    let (_fresh, database, writer, _) = writer();
    let failing = |conn: &mut Conn| {
        keys::secret(conn, "failed", "2")?;
        Err::<(), _>(store::Error::Db("on purpose".to_owned()))
    };
    let (a, b, c) = run(join3(
        writer.write(|conn| keys::secret(conn, "before", "1")),
        writer.write(failing),
        writer.write(|conn| keys::secret(conn, "after", "3")),
    ));
    assert!(a.is_ok() && b.is_err() && c.is_ok());
    assert_eq!(secrets(&database), ["after", "before"]);
}

/// When too many writes wait, the next one is told so at once; those that were accepted are done.
#[test]
fn a_full_queue_answers_busy() {
    let (_fresh, _, writer, thread) = writer();
    let (release, gate) = mpsc::channel::<()>();
    let (tell, began) = mpsc::channel::<()>();
    let held = writer.write(move |_| {
        tell.send(()).unwrap();
        gate.recv().unwrap();
        Ok::<_, store::Error>(())
    });
    assert!(held.now_or_never().is_none());
    began.recv().unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    let mut accepted = 0;
    let refused = loop {
        let ran = ran.clone();
        let job = writer.write(move |_| {
            ran.fetch_add(1, Ordering::Relaxed);
            Ok::<_, store::Error>(())
        });
        match job.now_or_never() {
            None => accepted += 1,
            Some(answer) => break answer.unwrap_err(),
        }
        assert!(accepted < 100_000, "the queue has no end");
    };
    assert!(refused.is_transient(), "{refused}");
    assert!(accepted > 100);
    release.send(()).unwrap();
    drop(writer);
    thread.join().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), accepted);
}
