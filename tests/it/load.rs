//! Clients that write as fast as they can, remember what was acknowledged, and bear it when the server dies.

use crate::clients::{GROUP, PATCH, USER};
use diesel::sql_types::{BigInt, Nullable, Text};
use rollbook::store::Database;
use rollbook::store::sql::Sql;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What must be in the database: users with their titles, groups with members that they must have, and what was deleted.
#[derive(Debug, Default, Clone)]
pub struct Acknowledged {
    pub users: BTreeMap<String, String>,
    pub groups: BTreeMap<String, BTreeSet<String>>,
    pub deleted: BTreeSet<String>,
    pub writes: usize,
}

/// One client.
#[derive(Default, Clone)]
pub struct Writer {
    pub acknowledged: Arc<Mutex<Acknowledged>>,
}

struct Line<'a> {
    agent: ureq::Agent,
    base: &'a str,
    token: &'a str,
}

impl Line<'_> {
    /// The answer; `None` when there was none.
    fn send(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("authorization", format!("Bearer {}", self.token)).header("content-type", "application/scim+json");
        let mut response = if body.is_null() {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body.to_string()).unwrap())
        }
        .ok()?;
        let text = response.body_mut().read_to_string().ok()?;
        let status = response.status().as_u16();
        // A server that is being killed may be busy, never wrong.
        assert!(status < 300 || status == 503, "{method} {path}: {status} {text}");
        (status < 300).then(|| serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

impl Writer {
    /// Writes until the server is gone, or it is told to stop. No two may have the same name.
    pub fn run(&self, base: &str, token: &str, name: &str, stop: &AtomicBool) {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let line = Line { agent, base, token };
        for n in 0.. {
            if stop.load(Ordering::Relaxed) || self.step(&line, name, n).is_none() {
                return;
            }
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Acknowledged> {
        self.acknowledged.lock().unwrap()
    }

    fn step(&self, line: &Line, name: &str, n: usize) -> Option<()> {
        match n % 7 {
            0..=2 => self.create(line, name, n)?,
            3 => self.rename(line, n)?,
            4 => self.group(line, name, n)?,
            5 => self.join(line)?,
            _ => self.delete(line)?,
        }
        self.known().writes += 1;
        Some(())
    }

    fn create(&self, line: &Line, name: &str, n: usize) -> Option<()> {
        let title = format!("t{n}");
        let address = format!("{name}-{n}@example.com");
        let user =
            line.send("POST", "/Users", &json!({"schemas": [USER], "userName": address, "title": title, "emails": [{"value": address}]}))?;
        self.known().users.insert(user["id"].as_str()?.to_owned(), title);
        Some(())
    }

    fn rename(&self, line: &Line, n: usize) -> Option<()> {
        // What is under way may be there or not.
        let Some((id, _)) = self.known().users.pop_last() else { return Some(()) };
        let title = format!("r{n}");
        line.send(
            "PATCH",
            &format!("/Users/{id}"),
            &json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": title}]}),
        )?;
        self.known().users.insert(id, title);
        Some(())
    }

    fn group(&self, line: &Line, name: &str, n: usize) -> Option<()> {
        let members: Vec<String> = self.known().users.keys().rev().take(3).cloned().collect();
        let list: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let group = line.send("POST", "/Groups", &json!({"schemas": [GROUP], "displayName": format!("{name}-{n}"), "members": list}))?;
        self.known().groups.insert(group["id"].as_str()?.to_owned(), members.into_iter().collect());
        Some(())
    }

    fn join(&self, line: &Line) -> Option<()> {
        let (group, user) = {
            let known = self.known();
            let (Some(group), Some(user)) = (known.groups.keys().next_back(), known.users.keys().next()) else { return Some(()) };
            (group.clone(), user.clone())
        };
        let add = json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": [{"value": user}]}]});
        line.send("PATCH", &format!("/Groups/{group}"), &add)?;
        self.known().groups.get_mut(&group)?.insert(user);
        Some(())
    }

    fn delete(&self, line: &Line) -> Option<()> {
        let id = {
            let mut known = self.known();
            let Some((id, _)) = known.users.pop_first() else { return Some(()) };
            known.groups.values_mut().for_each(|members| {
                members.remove(&id);
            });
            id
        };
        line.send("DELETE", &format!("/Users/{id}"), &Value::Null)?;
        self.known().deleted.insert(id);
        Some(())
    }
}

/// Fails unless everything that was acknowledged is in a database. With `whole`, what was deleted must be gone, too.
pub fn check(url: &str, known: &Acknowledged, whole: bool) {
    let mut conn = Database::parse(url).unwrap().connect().unwrap();
    let rows: Vec<(String, String)> = Sql::new("SELECT id, doc FROM resources WHERE kind = 1").load::<(Text, Text), _>(&mut conn).unwrap();
    let users: BTreeMap<String, String> = rows.into_iter().collect();
    for (id, title) in &known.users {
        let doc = users.get(id).unwrap_or_else(|| panic!("user {id} is lost"));
        assert!(!whole || doc.contains(&format!("\"title\":\"{title}\"")), "{id} should be {title}: {doc}");
    }
    for id in known.deleted.iter().filter(|_| whole) {
        assert!(!users.contains_key(id), "user {id} is there again");
    }
    let rows: Vec<(String, Option<String>)> = Sql::new(
        "SELECT r.id, m.member_id FROM resources r LEFT JOIN group_members m ON m.tenant_id = r.tenant_id AND m.group_id = r.id WHERE r.kind = 2",
    )
    .load::<(Text, Nullable<Text>), _>(&mut conn)
    .unwrap();
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (group, member) in rows {
        groups.entry(group).or_default().extend(member);
    }
    for (id, members) in &known.groups {
        let there = groups.get(id).unwrap_or_else(|| panic!("group {id} is lost"));
        assert!(!whole || members.is_subset(there), "group {id}: {members:?} are not all in {there:?}");
    }
    let counted: Vec<i64> = Sql::new("SELECT COUNT(*) FROM resources WHERE kind = 1").load::<BigInt, _>(&mut conn).unwrap();
    assert_eq!(usize::try_from(counted[0]).unwrap(), users.len());
}

/// Everything that some clients were told.
pub fn together(writers: &[Writer]) -> Acknowledged {
    let mut all = Acknowledged::default();
    for writer in writers {
        let known = writer.known().clone();
        all.users.extend(known.users);
        all.groups.extend(known.groups);
        all.deleted.extend(known.deleted);
        all.writes += known.writes;
    }
    all
}
