//! Random days in the life of a tenant: several clients, one after the other, on SQLite, on PostgreSQL and in the model.
//! Every answer is compared, and everything that is stored in the end.

use crate::clients::{Client, EMPLOYEE, GROUP, Reply, USER};
use crate::harness::{Db, Server};
use crate::model::{Answer, Edit, GroupEdit, World};
use crate::model_questions::Question;
use rollbook::domain::{Actor, Idp, Scopes};
use rollbook::service::{Hand, sources, tenants, tokens, verify};
use rollbook::store::backend;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Operations of one run. There are eight runs, each on both databases.
const OPERATIONS: usize = 1250;

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

/// Random numbers that are the same for the same seed (splitmix64).
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of them, if there are any.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { Some(&all[self.below(all.len())]) }
    }

    pub fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// Something that a client does. Ids stand in braces.
#[derive(Debug, Clone)]
enum Operation {
    CreateUser(Map<String, Value>),
    ReplaceUser(String, Map<String, Value>),
    PatchUser(String, Vec<Edit>),
    CreateGroup(Map<String, Value>, Vec<String>),
    ReplaceGroup(String, Map<String, Value>, Vec<String>),
    PatchGroup(String, Vec<GroupEdit>),
    Delete(String),
    Get(String),
    /// A write with a version that is not in force.
    Stale(String),
    List(Question),
    /// Everybody, by cursor, so many at a time.
    Walk(usize),
    /// Several writes in one bulk request.
    Together(Vec<Operation>),
}

/// How the clients are declared.
const CLIENTS: [Idp; 4] = [Idp::Auto, Idp::Rfc, Idp::Entra, Idp::Okta];

fn names(dice: &mut Dice) -> Map<String, Value> {
    let mut doc = Map::new();
    let user_name = format!("{}{}@example.com", dice.pick(&["ann", "bo", "cy", "Dee", "eve"]), dice.below(8));
    doc.insert("userName".into(), json!(user_name));
    if dice.one_in(2) {
        doc.insert("externalId".into(), json!(format!("x-{user_name}")));
    }
    if dice.one_in(2) {
        doc.insert("displayName".into(), json!(dice.pick(&["Ann", "BO", "Cy de C", "ÉVE"])));
    }
    if dice.one_in(2) {
        doc.insert("title".into(), json!(dice.pick(&["Guide", "lead", "Cook"])));
    }
    if dice.one_in(2) {
        doc.insert("name".into(), json!({"givenName": dice.pick(&["Ann", "Bo"]), "familyName": dice.pick(&["Ash", "birch"])}));
    }
    let emails: Vec<Value> =
        [("work", 2), ("home", 3)].into_iter().filter(|(_, n)| dice.one_in(*n)).map(|(kind, _)| email(kind, &user_name)).collect();
    if !emails.is_empty() {
        doc.insert("emails".into(), Value::Array(emails));
    }
    match dice.below(5) {
        0 => drop(doc.insert("active".into(), json!(false))),
        1 => drop(doc.insert("active".into(), json!(true))),
        _ => {}
    }
    doc
}

fn email(kind: &str, user_name: &str) -> Value {
    let host = if kind == "work" { "" } else { ".home.example.org" };
    json!({"type": kind, "value": format!("{user_name}{host}")})
}

fn group_names(dice: &mut Dice) -> Map<String, Value> {
    let mut doc = Map::new();
    doc.insert("displayName".into(), json!(format!("{} {}", dice.pick(&["Sales", "crew", "Ops"]), dice.below(20))));
    if dice.one_in(3) {
        doc.insert("externalId".into(), json!(format!("g-{}", dice.below(9))));
    }
    doc
}

fn edits(dice: &mut Dice) -> Vec<Edit> {
    (0..=dice.below(3))
        .map(|_| match dice.below(12) {
            0..=2 => Edit::Active(dice.one_in(2)),
            3 => Edit::Set("title", dice.pick(&["Guide", "lead", "Cook"]).into()),
            4 => Edit::Set("displayName", dice.pick(&["Ann", "Zoe"]).into()),
            5 => Edit::Set("userName", format!("{}{}@EXAMPLE.com", dice.pick(&["ann", "bo", "fay"]), dice.below(8))),
            6 => Edit::Unset(["title", "displayName", "externalId"][dice.below(3)]),
            7 => Edit::SetFamilyName(dice.pick(&["Ash", "Cedar"]).into()),
            8 => Edit::AddEmail(email(dice.pick(&["work", "home", "other"]), &format!("new{}@example.com", dice.below(3)))),
            9 => Edit::SetEmail(["work", "home"][dice.below(2)], format!("set{}@example.com", dice.below(3))),
            10 => Edit::RemoveEmail(["work", "home"][dice.below(2)]),
            _ => {
                let broken = [
                    (json!({"op": "replace", "path": "nonsense", "value": 1}), "invalidPath"),
                    (json!({"op": "replace", "path": "active", "value": "perhaps"}), "invalidValue"),
                    (json!({"op": "remove", "path": "userName"}), "mutability"),
                    (json!({"op": "replace", "path": "id", "value": "x"}), "mutability"),
                    (json!({"op": "remove"}), "noTarget"),
                    (json!({"op": "replace", "path": "emails[type eq", "value": "x"}), "invalidPath"),
                ];
                let (operation, scim_type) = broken[dice.below(broken.len())].clone();
                Edit::Broken(operation, scim_type)
            }
        })
        .collect()
}

/// Somebody who is there, or, now and then, was or never was.
fn somebody(dice: &mut Dice, all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    if dice.one_in(15) { "u0".to_owned() } else { dice.of(&all).cloned().unwrap_or_else(|| "u0".to_owned()) }
}

fn several(dice: &mut Dice, world: &World) -> Vec<String> {
    (0..dice.below(5)).map(|_| somebody(dice, world.users.keys().chain(world.groups.keys()).cloned())).collect()
}

fn operation(dice: &mut Dice, world: &World) -> Operation {
    let user = somebody(dice, world.users.keys().cloned());
    let group = somebody(dice, world.groups.keys().cloned());
    match dice.below(40) {
        0..=6 => Operation::CreateUser(names(dice)),
        7..=9 => Operation::ReplaceUser(user, names(dice)),
        // What was read is sent back: nothing may change.
        10 if world.users.contains_key(&user) => {
            let mut doc = world.show_user(&user).as_object().unwrap().clone();
            doc.retain(|key, _| !matches!(key.as_str(), "id" | "schemas" | "groups"));
            Operation::ReplaceUser(user, doc)
        }
        // Somebody who was deactivated comes back.
        11 if world.users.contains_key(&user) => {
            let mut doc = world.users[&user].doc.clone();
            doc.insert("active".into(), json!(true));
            Operation::CreateUser(doc)
        }
        10..=17 => Operation::PatchUser(user, edits(dice)),
        18 => Operation::Delete(user),
        19..=20 => Operation::CreateGroup(group_names(dice), several(dice, world)),
        21 => Operation::ReplaceGroup(group, group_names(dice), several(dice, world)),
        22..=26 => {
            let steps = (0..=dice.below(2)).map(|_| match dice.below(7) {
                0 => GroupEdit::Rename(format!("Renamed {}", dice.below(30))),
                1..=3 => GroupEdit::Add(several(dice, world)),
                4 => GroupEdit::Remove(somebody(dice, world.users.keys().cloned())),
                5 => GroupEdit::Replace(several(dice, world)),
                _ => GroupEdit::Clear,
            });
            let steps = steps.collect();
            Operation::PatchGroup(group, steps)
        }
        27 => Operation::Delete(group),
        28..=30 => Operation::Get(user),
        31 => Operation::Get(group),
        32 => Operation::Stale(user),
        34 => Operation::Together((0..2 + dice.below(4)).map(|_| bulk_write(dice, world)).collect()),
        33 => Operation::Walk(1 + dice.below(5)),
        _ => Operation::List(Question::any(dice, world)),
    }
}

/// A write that can be a part of a bulk request.
fn bulk_write(dice: &mut Dice, world: &World) -> Operation {
    loop {
        let one = operation(dice, world);
        let unfit =
            matches!(one, Operation::Get(_) | Operation::List(_) | Operation::Walk(_) | Operation::Stale(_) | Operation::Together(_));
        if !unfit {
            return one;
        }
    }
}

/// What the model says to a write.
fn write(world: &mut World, operation: &Operation, client: Idp) -> Option<Answer> {
    // One that takes the RFC to the letter is told of members that do not exist.
    let strict = client == Idp::Rfc;
    Some(match operation.clone() {
        Operation::CreateUser(doc) => world.create_user(doc),
        Operation::ReplaceUser(id, doc) => world.replace_user(&id, doc),
        Operation::PatchUser(id, edits) => world.patch_user(&id, &edits, client == Idp::Entra),
        Operation::CreateGroup(doc, members) => world.create_group(doc, &members, strict),
        Operation::ReplaceGroup(id, doc, members) => world.replace_group(&id, doc, &members, strict),
        Operation::PatchGroup(id, edits) => world.patch_group(&id, &edits, strict),
        Operation::Delete(id) if id.starts_with('g') => world.delete_group(&id),
        Operation::Delete(id) => world.delete_user(&id),
        Operation::Stale(id) if world.users.contains_key(&id) => Answer::Refused(412, ""),
        Operation::Get(id) if world.users.contains_key(&id) || world.groups.contains_key(&id) => {
            Answer::Shown { status: 200, name: id, changed: false }
        }
        Operation::Get(_) | Operation::Stale(_) => Answer::Refused(404, ""),
        Operation::List(_) | Operation::Walk(_) | Operation::Together(_) => return None,
    })
}

fn path(id: &str) -> String {
    format!("/{}/{{{id}}}", if id.starts_with('g') { "Groups" } else { "Users" })
}

/// Method, path, headers and body.
fn request(operation: &Operation) -> (&'static str, String, Vec<(&'static str, &'static str)>, Option<Value>) {
    let user = |doc: &Map<String, Value>| {
        let mut doc = doc.clone();
        doc.insert("schemas".into(), json!([USER]));
        Some(Value::Object(doc))
    };
    let group = |doc: &Map<String, Value>, members: &[String]| {
        let mut doc = doc.clone();
        doc.insert("schemas".into(), json!([GROUP]));
        doc.insert("members".into(), members.iter().map(|id| json!({"value": format!("{{{id}}}")})).collect());
        Some(Value::Object(doc))
    };
    let patch = |steps: Vec<Value>| Some(json!({"schemas": [crate::clients::PATCH], "Operations": steps}));
    match operation {
        Operation::CreateUser(doc) => ("POST", "/Users".into(), vec![], user(doc)),
        Operation::ReplaceUser(id, doc) => ("PUT", path(id), vec![], user(doc)),
        Operation::PatchUser(id, edits) => ("PATCH", path(id), vec![], patch(edits.iter().map(Edit::operation).collect())),
        Operation::CreateGroup(doc, members) => ("POST", "/Groups".into(), vec![], group(doc, members)),
        Operation::ReplaceGroup(id, doc, members) => ("PUT", path_in("Groups", id), vec![], group(doc, members)),
        Operation::PatchGroup(id, edits) => {
            ("PATCH", path_in("Groups", id), vec![], patch(edits.iter().map(GroupEdit::operation).collect()))
        }
        Operation::Delete(id) => ("DELETE", path(id), vec![], None),
        Operation::Get(id) => ("GET", path(id), vec![], None),
        Operation::Stale(id) => {
            ("PATCH", path(id), vec![("if-match", "W/\"999999\"")], patch(vec![json!({"op": "replace", "path": "active", "value": false})]))
        }
        Operation::List(question) => ("GET", format!("/Users{}", question.query()), vec![], None),
        Operation::Walk(count) => ("GET", format!("/Users?cursor&count={count}"), vec![], None),
        Operation::Together(all) => {
            let list = all.iter().enumerate().map(|(n, one)| {
                let (method, place, _, data) = request(one);
                let mut out = json!({"method": method, "path": place});
                out["data"] = data.unwrap_or_default();
                if method == "POST" {
                    out["bulkId"] = json!(format!("n{n}"));
                }
                out
            });
            let list: Vec<Value> = list.collect();
            ("POST", "/Bulk".into(), vec![], Some(json!({"schemas": [BULK], "Operations": list})))
        }
    }
}

fn path_in(endpoint: &str, id: &str) -> String {
    format!("/{endpoint}/{{{id}}}")
}

/// A server with the clients of one tenant, and which id stands for which name.
struct Player {
    server: Server,
    clients: Vec<Client>,
    ids: HashMap<String, String>,
    names: HashMap<String, String>,
    /// What each entity tag of a resource has stood for.
    tags: HashMap<(String, String), Value>,
    latest: HashMap<String, String>,
}

impl Player {
    fn new(db: Db) -> Self {
        let server = Server::start(db);
        let first = server.tenant();
        let (tenant, now) = (first.tenant.clone(), server.app.now());
        let mut conn = server.connect();
        let hand = Hand { actor: Actor::Admin("test".into()), now, request_id: None };
        let act = hand.on(tenants::named(&mut conn, &tenant).unwrap(), server.app.vault.clone());
        let clients = CLIENTS.iter().map(|idp| {
            let name = idp.as_str();
            let change = sources::Change { idp: Some(Some(*idp)), ..sources::Change::default() };
            let order = tokens::Order { source: name.into(), scopes: Scopes::ALL, ..tokens::Order::default() };
            let issued = backend::write(&mut conn, |c| {
                sources::create(c, &act, name, &change)?;
                tokens::issue(c, &tenant, &order, now)
            });
            Client::new(&server.base, Some(&issued.unwrap().1), &tenant)
        });
        let clients = clients.collect();
        Self { server, clients, ids: HashMap::new(), names: HashMap::new(), tags: HashMap::new(), latest: HashMap::new() }
    }

    /// A text with ids for the names in braces; an unknown name is an id that nobody has.
    fn with_ids(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..at]);
            let name = rest[at + 1..].split('}').next().unwrap_or_default();
            let is_name = name.len() > 1 && name.starts_with(['u', 'g']) && name[1..].bytes().all(|b| b.is_ascii_digit());
            if is_name {
                out.push_str(self.ids.get(name).map_or("00000000-0000-7000-8000-000000000000", String::as_str));
                rest = &rest[at + name.len() + 2..];
            } else {
                out.push('{');
                rest = &rest[at + 1..];
            }
        }
        out + rest
    }

    /// An answer with names for ids.
    fn with_names(&self, text: &str) -> String {
        let mut out = text.replace(&self.server.base, "BASE");
        let mut at = 0;
        while let Some(found) = out.get(at..).and_then(|rest| rest.find("-7")) {
            // A UUID of version 7 has this at its fourteenth place.
            let start = (at + found).saturating_sub(13);
            match out.get(start..start + 36).and_then(|id| self.names.get(id)) {
                Some(name) => {
                    out.replace_range(start..start + 36, name);
                    at = start + name.len();
                }
                None => at = at + found + 2,
            }
        }
        out
    }

    fn send(&self, client: usize, operation: &Operation) -> Reply {
        let (method, path, headers, body) = request(operation);
        let body = body.map(|b| self.with_ids(&b.to_string()));
        self.clients[client].send(method, &self.with_ids(&path), &headers, body.as_deref())
    }

    fn learn(&mut self, reply: &Reply, name: &str) {
        let body = reply.json();
        let id = body["id"].as_str().unwrap().to_owned();
        let before = self.ids.insert(name.into(), id.clone());
        assert!(before.is_none() && self.names.insert(id, name.into()).is_none(), "an id twice");
    }

    /// The resource in an answer, as the model has it, after what the model does not know was checked.
    fn plain(&mut self, mut shown: Value, world: &World) -> Value {
        let map = shown.as_object_mut().unwrap();
        let meta = map.remove("meta").unwrap();
        let name = map["id"].as_str().unwrap().to_owned();
        let is_user = name.starts_with('u');
        let endpoint = if is_user { "Users" } else { "Groups" };
        assert_eq!(meta["location"], format!("BASE/{endpoint}/{name}"));
        assert_eq!(meta["resourceType"], if is_user { "User" } else { "Group" });
        if is_user {
            let own = map.remove(EMPLOYEE).unwrap();
            let active = world.users[&name].active;
            assert_eq!(own["state"], if active { "uninvited" } else { "quarantined" });
            assert_eq!((&own["claimed"], &own["canDelete"]), (&json!(false), &json!(true)));
            assert_eq!(own.get("quarantineUntil").is_some(), !active);
            map["schemas"].as_array_mut().unwrap().retain(|urn| urn != EMPLOYEE);
        }
        for list in ["members", "groups"] {
            if let Some(Value::Array(list)) = map.get_mut(list) {
                list.sort_by_key(|m| m["value"].to_string());
            }
        }
        let tag = meta["version"].as_str().unwrap().to_owned();
        let stood_for = self.tags.entry((name.clone(), tag.clone())).or_insert_with(|| shown.clone());
        assert_eq!(*stood_for, shown, "one entity tag for two things");
        self.latest.insert(name, tag);
        shown
    }

    fn check(&mut self, reply: &Reply, answer: &Answer, client: usize, world: &World) {
        match answer {
            Answer::Empty(status) => assert_eq!((reply.status, reply.text.as_str()), (*status, "")),
            Answer::Refused(status, scim_type) => drop(reply.expect_error(*status, scim_type)),
            Answer::Shown { status, name, changed } => {
                if *status == 201 {
                    self.learn(reply, name);
                }
                let tag_before = self.latest.get(name).cloned();
                if CLIENTS[client] == Idp::Entra && reply.status == 204 {
                    assert!(name.starts_with('g') && *status == 200, "only a PATCH of a group is answered so");
                    return;
                }
                assert_eq!(reply.status, *status, "{}", reply.text);
                let shown: Value = serde_json::from_str(&self.with_names(&reply.text)).unwrap();
                assert_eq!(shown["meta"]["version"], reply.header("etag"));
                let shown = self.plain(shown, world);
                assert_eq!(shown, sorted(world.show(name)));
                let tag = &self.latest[name];
                assert!(!changed || tag_before.as_ref() != Some(tag), "a change that leaves the version");
            }
        }
    }

    fn check_list(&mut self, reply: &Reply, question: &Question, world: &World) {
        let list: Value = serde_json::from_str(&self.with_names(&reply.expect(200).to_string())).unwrap();
        let (total, page) = question.answer(world);
        assert_eq!(list["totalResults"], total);
        let shown = list["Resources"].as_array().cloned().unwrap_or_default();
        let names: Vec<&str> = shown.iter().map(|u| u["id"].as_str().unwrap()).collect();
        assert_eq!(names, page);
        assert_eq!(list["itemsPerPage"], page.len());
        for user in shown {
            let name = user["id"].as_str().unwrap().to_owned();
            assert_eq!(self.plain(user, world), sorted(world.show_user(&name)));
        }
    }

    /// Each operation has its result, and what is there afterwards is what the model has.
    fn check_bulk(&mut self, reply: &Reply, answers: &[Answer], client: usize, world: &World) {
        let body = reply.expect(200);
        let results = body["Operations"].as_array().unwrap();
        assert_eq!(results.len(), answers.len());
        for (result, answer) in results.iter().zip(answers) {
            let (status, scim_type) = match answer {
                Answer::Shown { status, .. } | Answer::Empty(status) => (status, ""),
                Answer::Refused(status, scim_type) => (status, *scim_type),
            };
            assert_eq!(result["status"], status.to_string(), "{result}");
            assert_eq!(result["response"]["scimType"].as_str().unwrap_or_default(), scim_type, "{result}");
            if let Answer::Shown { status: 201, name, .. } = answer {
                let id = result["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
                assert!(self.ids.insert(name.clone(), id.clone()).is_none() && self.names.insert(id, name.clone()).is_none());
            }
        }
        for answer in answers {
            let Answer::Shown { name, .. } = answer else { continue };
            if world.users.contains_key(name) || world.groups.contains_key(name) {
                let shown = Answer::Shown { status: 200, name: name.clone(), changed: false };
                let reply = self.send(client, &Operation::Get(name.clone()));
                self.check(&reply, &shown, client, world);
            }
        }
    }

    /// Follows the cursors to the end.
    fn check_walk(&mut self, client: usize, count: usize, endpoint: &str, all: Vec<String>, world: &World) {
        let mut found = Vec::new();
        let mut query = "cursor".to_owned();
        loop {
            let reply = self.clients[client].get(&format!("/{endpoint}?{query}&count={count}"));
            let page: Value = serde_json::from_str(&self.with_names(&reply.expect(200).to_string())).unwrap();
            for one in page["Resources"].as_array().cloned().unwrap_or_default() {
                let name = one["id"].as_str().unwrap().to_owned();
                assert_eq!(self.plain(one, world), sorted(world.show(&name)));
                found.push(name);
            }
            match page["nextCursor"].as_str() {
                Some(next) => query = format!("cursor={next}"),
                None => break,
            }
        }
        found.sort();
        let mut all = all;
        all.sort();
        assert_eq!(found, all);
    }
}

fn sorted(mut shown: Value) -> Value {
    for list in ["members", "groups"] {
        if let Some(Value::Array(list)) = shown.get_mut(list) {
            list.sort_by_key(|m| m["value"].to_string());
        }
    }
    shown
}

#[expect(clippy::print_stdout, reason = "a run that fails says where it was")]
fn play(seed: u64) {
    let mut dice = Dice(seed);
    let mut world = World::default();
    let mut players = [Player::new(Db::Sqlite), Player::new(Db::Postgres)];
    for n in 0..OPERATIONS {
        let operation = operation(&mut dice, &world);
        let client = dice.below(CLIENTS.len());
        let answer = write(&mut world, &operation, CLIENTS[client]);
        let answers: Vec<Answer> = match &operation {
            Operation::Together(all) => all.iter().filter_map(|one| write(&mut world, one, CLIENTS[client])).collect(),
            _ => Vec::new(),
        };
        for (player, database) in players.iter_mut().zip(["SQLite", "PostgreSQL"]) {
            let told = || println!("run {seed}, operation {n}, {database}, as {}: {operation:?}\n{answer:?}", CLIENTS[client]);
            let on_failure = OnFailure(&told);
            match (&operation, &answer) {
                (Operation::List(question), _) => {
                    let reply = player.send(client, &operation);
                    player.check_list(&reply, question, &world);
                }
                (Operation::Together(_), _) => {
                    let reply = player.send(client, &operation);
                    player.check_bulk(&reply, &answers, client, &world);
                }
                (Operation::Walk(count), _) => player.check_walk(client, *count, "Users", world.users.keys().cloned().collect(), &world),
                (_, Some(answer)) => {
                    let reply = player.send(client, &operation);
                    player.check(&reply, answer, client, &world);
                }
                (_, None) => unreachable!(),
            }
            drop(on_failure);
        }
    }
    for mut player in players {
        player.check_walk(0, 7, "Users", world.users.keys().cloned().collect(), &world);
        player.check_walk(1, 7, "Groups", world.groups.keys().cloned().collect(), &world);
        let found = verify::run(&mut player.server.connect(), None, &mut |_, _, _| {}).unwrap();
        assert_eq!(found.total, 0, "{found:?}");
    }
}

/// Says where a run was when it failed.
struct OnFailure<'a>(&'a dyn Fn());

impl Drop for OnFailure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0();
        }
    }
}

macro_rules! runs {
    ($($name:ident = $seed:literal),*) => { $( #[test] fn $name() { play($seed); } )* };
}

runs!(first = 1, second = 2, third = 3, fourth = 4, fifth = 5, sixth = 6, seventh = 7, eighth = 8);
