//! Random documents and random filters: both databases must find what the in-memory evaluator finds, and sort as R129 says.
//!
//! The seed is fixed; `PROPTEST_CASES` says how many filters are tried.

use crate::clients::{Client, EMPLOYEE, ENTERPRISE, USER, id, user_path};
use crate::harness::{Db, Server};
use crate::roll_filters::claim;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rollbook::domain::{Idp, TenantId};
use rollbook::scim::dialect::{Declared, Reading};
use rollbook::scim::parse::Limits;
use rollbook::scim::path::{self, AttrRef, Target};
use rollbook::scim::schema::ResourceKind;
use rollbook::scim::value::{date_time, fold};
use rollbook::scim::{ResourceType, filter, matches};
use rollbook::service::tenants;
use rollbook::store::list::{self, Part, Query, Window};
use rollbook::store::sort::Sort;
use rollbook::store::{Conn, Kind};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

const DOCUMENTS: usize = 150;

/// Strings that SQL, JSON or a careless comparison could mistake.
const WORDS: [&str; 48] = [
    "",
    "a",
    "A",
    "b",
    "ab",
    "Ab",
    "aB",
    "abc",
    "%",
    "_",
    "a%b",
    "a_b",
    "100%",
    "'",
    "it's",
    "\"",
    "say \"x\"",
    "\\",
    "a\\b",
    "\\\"",
    "😀",
    "👍🏽",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{d7ff}",
    "\u{e000}",
    "é",
    "e\u{301}",
    "É",
    "E\u{301}",
    "\u{301}",
    "ß",
    "ẞ",
    "ss",
    "SS",
    "ſ",
    "Straße",
    "STRASSE",
    "ﬁ",
    "FI",
    "İ",
    "Σς",
    "'; DROP TABLE resources; --",
    " ",
    "true",
    "10",
    "9",
    "null",
];
const KINDS: [&str; 5] = ["work", "Work", "home", "WORK ", ""];
const TIMES: [&str; 9] = [
    "2024-01-01T00:00:00Z",
    "2024-01-01T01:00:00+01:00",
    "2023-12-31T19:00:00.0000000-05:00",
    "2024-01-01T00:00:00.0000001Z",
    "2023-12-31T23:59:59.9999999Z",
    "0001-01-03T00:00:00.0000000Z",
    "9999-12-31T23:59:59Z",
    "2024-06-30T12:00:00.5-05:30",
    "1969-12-31T23:59:59.9Z",
];

const STRINGS: [&str; 25] = [
    "userName",
    "externalId",
    "displayName",
    "nickName",
    "title",
    "userType",
    "profileUrl",
    "locale",
    "USERNAME",
    "name.familyName",
    "name.givenName",
    "emails.value",
    "emails.type",
    "emails",
    "phoneNumbers.value",
    "phoneNumbers.display",
    "roles",
    "roles.display",
    "urn:ietf:params:scim:schemas:core:2.0:User:title",
    "{e}:department",
    "{e}:employeeNumber",
    "{e}:manager.value",
    "{r}:location",
    "{r}:state",
    "id",
];
const BOOLEANS: [&str; 7] =
    ["active", "emails.primary", "phoneNumbers.primary", "roles.primary", "{r}:invited", "{r}:claimed", "{r}:canDelete"];
const MOMENTS: [&str; 8] = [
    "{r}:hireDate",
    "{r}:terminationDate",
    "meta.created",
    "meta.lastModified",
    "{r}:inviteDate",
    "{r}:claimDate",
    "{r}:deactivateDate",
    "{r}:quarantineUntil",
];
const PRESENT: [&str; 5] = ["name", "{e}:manager", "x509Certificates", "groups", "meta.resourceType"];

const STRING_OPERATORS: [&str; 10] = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ"];

fn full(name: &str) -> String {
    name.replace("{e}", ENTERPRISE).replace("{r}", EMPLOYEE)
}

/// A string: one word, or two of them.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(&WORDS[..]).prop_map(str::to_owned),
        2 => (select(&WORDS[..]), select(&WORDS[..])).prop_map(|(a, b)| format!("{a}{b}")),
        1 => any::<String>().prop_map(|s| s.replace('\0', "0")),
    ]
}

/// The elements of a multi-valued attribute, the one at `primary` being primary.
fn elements() -> impl Strategy<Value = Value> {
    let element = (word(), prop::option::of(select(&KINDS[..])), prop::option::of(word()));
    (prop::collection::vec(element, 1..4), 0..6usize).prop_map(|(list, primary)| {
        let one = |(n, (value, kind, display)): (usize, (String, Option<&str>, Option<String>))| {
            let mut out = json!({"value": value});
            if let Some(kind) = kind {
                out["type"] = json!(kind);
            }
            if let Some(display) = display {
                out["display"] = json!(display);
            }
            if primary < 4 && (n == primary || primary == 3) {
                out["primary"] = json!(n == primary);
            }
            out
        };
        list.into_iter().enumerate().map(one).collect::<Value>()
    })
}

/// A user, without the userName's number.
fn document() -> impl Strategy<Value = Value> {
    let maybe = || prop::option::of(word());
    let nonempty = prop::option::of(word().prop_map(|w| format!("m{w}")));
    let time = || prop::option::of(select(&TIMES[..]));
    let list = || prop::option::of(elements());
    let names = ["externalId", "displayName", "nickName", "title", "userType", "profileUrl", "locale"];
    (
        word(),
        prop::collection::vec(maybe(), names.len()),
        (maybe(), maybe(), prop::option::of(any::<bool>())),
        (list(), list(), list()),
        (maybe(), maybe(), maybe(), nonempty, time(), time()),
    )
        .prop_map(move |(user_name, simple, (family, given, active), (emails, phones, roles), extended)| {
            let (department, number, location, manager, hired, ended) = extended;
            let mut doc = Map::from_iter([("userName".to_owned(), json!(user_name))]);
            for (name, value) in names.iter().zip(simple) {
                doc.insert((*name).to_owned(), json!(value));
            }
            doc.insert("name".to_owned(), json!({"familyName": family, "givenName": given}));
            for (name, value) in
                [("active", json!(active)), ("emails", json!(emails)), ("phoneNumbers", json!(phones)), ("roles", json!(roles))]
            {
                doc.insert(name.to_owned(), value);
            }
            let manager = manager.map(|m| json!({"value": m}));
            doc.insert(ENTERPRISE.to_owned(), json!({"department": department, "employeeNumber": number, "manager": manager}));
            doc.insert(EMPLOYEE.to_owned(), json!({"location": location, "hireDate": hired, "terminationDate": ended}));
            Value::Object(doc)
        })
}

/// `name op literal` for a string, a boolean or a moment, and `name pr`.
fn test(strings: &[String], booleans: &[String], times: &[String], moments: Vec<String>) -> BoxedStrategy<String> {
    let literal = |text: &str| json!(text).to_string();
    let of_string =
        (select(strings.to_vec()), select(&STRING_OPERATORS[..]), word()).prop_map(move |(n, op, w)| format!("{n} {op} {}", literal(&w)));
    let of_kind = (select(strings.to_vec()), select(&KINDS[..])).prop_map(move |(n, k)| format!("{n} eq {}", literal(k)));
    let of_boolean = (select(booleans.to_vec()), select(&["eq", "ne"][..]), any::<bool>()).prop_map(|(n, op, b)| format!("{n} {op} {b}"));
    let all: Vec<String> = [strings, booleans, times].into_iter().flatten().cloned().collect();
    let present = (select(all), select(&["pr", "eq null", "ne null", "PR"][..])).prop_map(|(n, p)| format!("{n} {p}"));
    if times.is_empty() {
        return prop_oneof![4 => of_string, 2 => of_kind, 1 => of_boolean, 1 => present].boxed();
    }
    let of_time = (select(times.to_vec()), select(&["eq", "ne", "gt", "ge", "lt", "le"][..]), select(moments))
        .prop_map(|(n, op, t)| format!("{n} {op} \"{t}\""));
    prop_oneof![6 => of_string, 1 => of_kind, 1 => of_boolean, 2 => present, 2 => of_time].boxed()
}

/// `and`, `or` and `not` around tests, some in parentheses and some not.
fn combined(test: BoxedStrategy<String>, depth: u32) -> BoxedStrategy<String> {
    test.prop_recursive(depth, 10, 3, |inner| {
        prop_oneof![
            (inner.clone(), select(&["and", "or"][..]), inner.clone()).prop_map(|(a, w, b)| format!("({a}) {w} ({b})")),
            (inner.clone(), select(&["and", "or", "AND"][..]), inner.clone()).prop_map(|(a, w, b)| format!("{a} {w} {b}")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
    .boxed()
}

/// A filter as text. `docs` lend it some values that are there.
fn filters(docs: &[Value]) -> BoxedStrategy<String> {
    let names = |list: &[&str]| list.iter().map(|n| full(n)).collect::<Vec<_>>();
    let created = docs.iter().take(9).map(|d| d["meta"]["created"].as_str().unwrap().to_owned());
    let moments: Vec<String> = TIMES.iter().map(|t| (*t).to_owned()).chain(created).collect();
    let plain = test(&names(&STRINGS), &names(&BOOLEANS), &names(&MOMENTS), moments);
    let inside = combined(test(&names(&["value", "type", "display"]), &names(&["primary"]), &[], Vec::new()), 2);
    let element = (select(&["emails", "phoneNumbers", "roles", "EMAILS"][..]), inside).prop_map(|(n, f)| format!("{n}[{f}]"));
    let present = select(names(&PRESENT)).prop_map(|n| format!("{n} pr"));
    let known = select(docs.iter().flat_map(known).collect::<Vec<_>>());
    combined(prop_oneof![8 => plain, 3 => element, 1 => present, 2 => known].boxed(), 4)
}

/// Filters that this document satisfies.
fn known(doc: &Value) -> Vec<String> {
    let mut out =
        vec![format!("id eq {}", doc["id"]), format!("userName eq {}", doc["userName"]), format!("displayName ge {}", doc["displayName"])];
    for email in doc["emails"].as_array().into_iter().flatten() {
        out.push(format!("emails.value eq {}", email["value"]));
        out.push(format!("emails[value eq {} and not (type eq \"x\")]", email["value"]));
    }
    for name in ["state", "invited", "inviteDate", "quarantineUntil"] {
        out.extend(doc[EMPLOYEE].get(name).map(|value| format!("{EMPLOYEE}:{name} eq {value}")));
    }
    out
}

/// A database, and its documents as clients see them.
struct World {
    _server: Server,
    conn: std::cell::RefCell<Conn>,
    tenant: TenantId,
    docs: Vec<Value>,
}

fn runner() -> TestRunner {
    let config = Config { failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn world(db: Db) -> World {
    let server = Server::start(db);
    let client = server.tenant_with_free_locations(Idp::Rfc);
    let other = server.tenant_with_free_locations(Idp::Rfc);
    let mut runner = runner();
    for n in 0..DOCUMENTS {
        let mut doc = document().new_tree(&mut runner).unwrap().current();
        doc["schemas"] = json!([USER, ENTERPRISE, EMPLOYEE]);
        doc["userName"] = json!(format!("{}{n}", doc["userName"].as_str().unwrap()));
        // A third of them can be invited, and some of those claim.
        if n % 3 == 0 {
            let address = json!({"value": format!("person{n}@example.com")});
            let emails = doc["emails"].as_array().into_iter().flatten().cloned().chain([address]);
            doc["emails"] = emails.collect();
            doc[EMPLOYEE]["invited"] = json!(true);
        }
        let user = load(&client, &doc);
        if user[EMPLOYEE]["state"] == "invited" && n % 2 == 0 {
            claim(&server, &client, &user);
        }
        if n % 9 == 0 {
            let leave = json!([{"op": "replace", "path": "active", "value": false}]);
            client.patch(&user_path(&user), &leave).expect(200);
        }
        if n % 5 == 0 {
            load(&other, &doc);
        }
    }
    let docs = client.get("/Users?count=1000").expect(200)["Resources"].as_array().unwrap().clone();
    assert_eq!(docs.len(), DOCUMENTS);
    let mut conn = server.connect();
    let tenant = tenants::named(&mut conn, &client.tenant).unwrap().id;
    World { _server: server, conn: conn.into(), tenant, docs }
}

fn load(client: &Client, doc: &Value) -> Value {
    let made = client.post("/Users", doc).expect(201);
    // An empty displayName is as good as none: the server shows one that it made up.
    for (key, value) in doc.as_object().unwrap().iter().filter(|(k, v)| v.is_string() && (*k != "displayName" || *v != "")) {
        assert_eq!(&made[key], value, "what is stored comes back as it was sent");
    }
    made
}

fn user() -> &'static ResourceType {
    ResourceType::of(ResourceKind::User)
}

impl World {
    /// The ids that the database finds, in its order.
    fn find(&self, query: &Query) -> Result<Vec<String>, TestCaseError> {
        let window = Window::Offset { skip: 0, limit: 10_000, total: None };
        let rows = list::page(&mut self.conn.borrow_mut(), self.tenant, query, &window);
        let rows = rows.map_err(|e| TestCaseError::fail(e.to_string()))?;
        Ok(rows.into_iter().map(|(row, _)| row.id).collect())
    }

    /// Compares the database with memory on one filter; how many documents it selects.
    fn agree(&self, text: &str) -> Result<usize, TestCaseError> {
        let filter = filter::resolve(user(), text, Limits::default(), &mut Reading::of(Declared::Rfc));
        let filter = filter.map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        let mut expected: Vec<String> =
            self.docs.iter().filter(|d| matches::resource(&filter, d.as_object().unwrap())).map(|d| id(d).to_owned()).collect();
        expected.sort();
        let query = Query { parts: vec![Part { kind: Kind::User, filter: Some(filter) }], sort: None };
        let found = self.find(&query)?;
        let shown = |list: &[String], without: &[String]| -> Vec<Value> {
            self.docs.iter().filter(|d| list.iter().any(|i| i == id(d)) && !without.iter().any(|i| i == id(d))).take(2).cloned().collect()
        };
        prop_assert!(
            found == expected,
            "{text}\nfound by mistake: {:?}\nnot found: {:?}",
            shown(&found, &expected),
            shown(&expected, &found)
        );
        let counted = list::count(&mut self.conn.borrow_mut(), self.tenant, &query).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(counted, i64::try_from(found.len()).unwrap(), "{}", text);
        Ok(found.len())
    }
}

fn filters_agree(db: Db) {
    let world = world(db);
    let mut runner = runner();
    let telling = std::cell::Cell::new(0);
    let tried = std::cell::Cell::new(0);
    let both = prop::collection::vec(filters(&world.docs), 2);
    let result = runner.run(&both, |texts| {
        for text in texts {
            let found = world.agree(&text)?;
            tried.set(tried.get() + 1);
            telling.set(telling.get() + u32::from(found > 0 && found < DOCUMENTS));
        }
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.unwrap_err());
    assert!(telling.get() * 2 > tried.get(), "only {} of {} filters tell documents apart", telling.get(), tried.get());
}

/// R114-R127: random filters on SQLite.
#[test]
fn filters_agree_on_sqlite() {
    filters_agree(Db::Sqlite);
}

/// R114-R127: random filters on PostgreSQL.
#[test]
fn filters_agree_on_postgres() {
    filters_agree(Db::Postgres);
}

/// R114-R119: every operator on every string attribute with the empty string, which absent values do not have either.
fn empty_literals_agree(db: Db) {
    let world = world(db);
    let texts = STRINGS.iter().flat_map(|name| STRING_OPERATORS.iter().map(move |op| format!("{} {op} \"\"", full(name))));
    let failures: Vec<String> = texts.filter(|text| world.agree(text).is_err()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The empty string on SQLite.
#[test]
fn empty_literals_agree_on_sqlite() {
    empty_literals_agree(Db::Sqlite);
}

/// The empty string on PostgreSQL.
#[test]
fn empty_literals_agree_on_postgres() {
    empty_literals_agree(Db::Postgres);
}

/// A sort key by the rules of R129.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Bool(bool),
    Ticks(i64),
    Text(String),
}

/// The attribute of that name.
pub fn attr(name: &str) -> AttrRef {
    match path::resolve(user(), &full(name), &mut Reading::of(Declared::Rfc)) {
        Some(Target::Attr(attr)) => attr,
        other => panic!("{name} is {other:?}"),
    }
}

/// What a user is sorted by.
pub fn key(doc: &Value, attr: &AttrRef) -> Option<Key> {
    let holder = attr.extension.as_ref().map_or(Some(doc), |e| doc.get(&e.id))?;
    let mut value = holder.get(&attr.attr.name)?;
    if let Value::Array(list) = value {
        value = list.iter().find(|e| e["primary"] == true).or(list.first())?;
    }
    if let Some(sub) = &attr.sub {
        value = value.get(&sub.name)?;
    }
    Some(match value {
        Value::Bool(b) => Key::Bool(*b),
        Value::String(s) => match date_time(s) {
            Some((ticks, _)) if attr.leaf().kind == rollbook::scim::schema::Kind::DateTime => Key::Ticks(ticks),
            _ if attr.leaf().case_exact => Key::Text(s.clone()),
            _ => Key::Text(fold(s).into_owned()),
        },
        other => panic!("{other} in {attr}"),
    })
}

fn orders_agree(db: Db) {
    let world = world(db);
    let mut failures = Vec::new();
    for name in STRINGS.iter().chain(&MOMENTS).copied().chain(["active", "{r}:invited", "{r}:claimed", "{r}:canDelete"]) {
        // A list without a sub-attribute is sorted by its values.
        let by = attr(if ["emails", "roles"].contains(&name) { "emails.value" } else { name });
        for descending in [false, true] {
            let mut expected: Vec<&Value> = world.docs.iter().collect();
            expected.sort_by(|a, b| {
                let (x, y) = (key(a, &by), key(b, &by));
                let order = x.is_none().cmp(&y.is_none()).then_with(|| x.cmp(&y));
                let order = if descending { order.reverse() } else { order };
                if order == Ordering::Equal { id(a).cmp(id(b)) } else { order }
            });
            let query = Query {
                parts: vec![Part { kind: Kind::User, filter: None }],
                sort: Some(Sort { by: vec![(Kind::User, by.clone())], mixed: false, descending }),
            };
            let expected: Vec<&str> = expected.into_iter().map(id).collect();
            if world.find(&query).unwrap() != expected || walk(&world, &query) != expected {
                failures.push((name, descending));
            }
        }
    }
    assert!(failures.is_empty(), "not in the order of R129, descending or not: {failures:?}");
}

/// The ids page by page, each going on after the last row of the one before.
fn walk(world: &World, query: &Query) -> Vec<String> {
    let (mut found, mut last) = (Vec::new(), None);
    loop {
        let page = list::page(&mut world.conn.borrow_mut(), world.tenant, query, &Window::After { last: last.clone(), limit: 7 }).unwrap();
        let Some((_, position)) = page.last() else { return found };
        last = Some(position.clone());
        found.extend(page.into_iter().map(|(row, _)| row.id));
        assert!(found.len() <= DOCUMENTS, "the walk has no end");
    }
}

/// R129, R131: every order on SQLite.
#[test]
fn orders_agree_on_sqlite() {
    orders_agree(Db::Sqlite);
}

/// R129, R131: every order on PostgreSQL.
#[test]
fn orders_agree_on_postgres() {
    orders_agree(Db::Postgres);
}
