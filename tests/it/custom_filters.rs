//! Filters and orders on declared attributes of every type: both databases must find what the in-memory evaluator finds.

use crate::clients::{Client, USER, id};
use crate::custom::declare;
use crate::harness::{Db, Server};
use rollbook::domain::TenantId;
use rollbook::scim::dialect::{Declared, Reading};
use rollbook::scim::parse::Limits;
use rollbook::scim::schema::Kind as Type;
use rollbook::scim::value::{date_time, fold};
use rollbook::scim::{ResourceType, Types, filter, matches};
use rollbook::service::{tenants, types};
use rollbook::store::list::{self, Part, Query, Window};
use rollbook::store::{Conn, Kind};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::fmt::Write;
use std::sync::Arc;

const X: &str = "urn:example:all:2.0:User";
const THING: &str = "urn:example:all:2.0:Thing";

fn attributes() -> Value {
    json!([
        {"name": "text"}, {"name": "exact", "caseExact": true}, {"name": "flag", "type": "boolean"}, {"name": "whole", "type": "integer"},
        {"name": "point", "type": "decimal"}, {"name": "moment", "type": "dateTime"}, {"name": "bytes", "type": "binary"},
        {"name": "link", "type": "reference", "caseExact": false}, {"name": "texts", "multiValued": true},
        {"name": "wholes", "type": "integer", "multiValued": true}, {"name": "points", "type": "decimal", "multiValued": true},
        {"name": "flags", "type": "boolean", "multiValued": true}, {"name": "moments", "type": "dateTime", "multiValued": true},
        {"name": "one", "type": "complex", "subAttributes": [{"name": "text"}, {"name": "whole", "type": "integer"}, {"name": "point",
            "type": "decimal"}]},
        {"name": "many", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "whole", "type": "integer"},
            {"name": "point", "type": "decimal"}, {"name": "moment", "type": "dateTime"}, {"name": "primary", "type": "boolean"}]},
        {"name": "odd", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "primary"}]},
        {"name": "created_at"}
    ])
}

/// Values that are easily taken for one another.
fn values() -> Vec<Value> {
    vec![
        json!({}),
        json!({"text": "", "created_at": ""}),
        json!({"text": "Abc", "exact": "Abc", "flag": true, "whole": 1, "point": 1, "moment": "2024-01-01T00:00:00Z", "bytes": "YWJj",
            "link": "https://Example.com/A"}),
        json!({"text": "aBC", "exact": "aBC", "flag": false, "whole": -1, "point": 1.0, "moment": "2024-01-01T01:00:00+01:00",
            "bytes": "YWJK", "link": "https://example.com/a"}),
        json!({"text": "Straße", "exact": "10", "whole": 9_007_199_254_740_993_i64, "point": 9_007_199_254_740_993_i64,
            "moment": "2024-01-01T00:00:00.0000001Z"}),
        json!({"text": "'; --", "exact": "9", "whole": 9_007_199_254_740_992_i64, "point": 9_007_199_254_740_992.0, "created_at": "x"}),
        json!({"whole": i64::MAX, "point": 1e300, "texts": ["a", "B"], "wholes": [1, 10], "points": [0.1, 2], "flags": [true],
            "moments": ["2024-01-01T00:00:00Z"]}),
        json!({"whole": i64::MIN, "point": -1e-300, "texts": ["", "b"], "wholes": [9], "points": [0.3], "flags": [false, true],
            "moments": ["2025-01-01T00:00:00+02:00"]}),
        json!({"point": 0.1, "one": {"text": "x", "whole": 2, "point": 2.5}, "many": [{"value": "a", "whole": 1}, {"value": "b",
            "whole": 2, "primary": true, "point": 0.5}]}),
        json!({"point": 0.2, "one": {"whole": 10}, "many": [{"value": "B", "whole": 10, "point": 3, "moment": "2024-06-01T00:00:00Z"}],
            "odd": [{"value": "o", "primary": "yes"}]}),
        json!({"point": 0.300_000_000_000_000_04, "one": {"text": ""}, "many": [{"whole": 2}], "odd": [{"value": "p"}, {"primary": "no"}]}),
        json!({"point": 0.3, "texts": ["Straße"], "many": [{"value": "", "primary": false}]}),
    ]
}

const LEAVES: [(&str, Type); 25] = [
    ("text", Type::String),
    ("exact", Type::String),
    ("flag", Type::Boolean),
    ("whole", Type::Integer),
    ("point", Type::Decimal),
    ("moment", Type::DateTime),
    ("bytes", Type::Binary),
    ("link", Type::Reference),
    ("texts", Type::String),
    ("wholes", Type::Integer),
    ("points", Type::Decimal),
    ("flags", Type::Boolean),
    ("moments", Type::DateTime),
    ("one.text", Type::String),
    ("one.whole", Type::Integer),
    ("one.point", Type::Decimal),
    ("many.value", Type::String),
    ("many.whole", Type::Integer),
    ("many.point", Type::Decimal),
    ("many.moment", Type::DateTime),
    ("many.primary", Type::Boolean),
    ("odd.value", Type::String),
    ("odd.primary", Type::String),
    ("created_at", Type::String),
    ("many", Type::String),
];

fn operators(kind: Type) -> &'static [&'static str] {
    match kind {
        Type::String | Type::Reference => &["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"],
        Type::Boolean | Type::Binary => &["eq", "ne"],
        _ => &["eq", "ne", "gt", "ge", "lt", "le"],
    }
}

fn literals(kind: Type) -> Vec<String> {
    match kind {
        Type::String | Type::Reference => ["", "a", "ABC", "abc", "b", "STRASSE", "10", "9", "'; --", "https://example.com/", "x", "yes"]
            .map(|s| json!(s).to_string())
            .into(),
        Type::Binary => vec!["\"YWJj\"".into(), "\"ywjj\"".into()],
        Type::Boolean => vec!["true".into(), "false".into()],
        Type::Integer => ["0", "1", "2", "10", "9007199254740992", "9007199254740993", "9223372036854775807", "-9223372036854775808"]
            .map(str::to_owned)
            .into(),
        Type::Decimal => {
            ["0", "1", "1.0", "0.1", "0.3", "0.30000000000000004", "2.5", "1e300", "-1e-300", "9007199254740993"].map(str::to_owned).into()
        }
        Type::DateTime => {
            ["2024-01-01T00:00:00Z", "2023-12-31T19:00:00-05:00", "2024-12-31T22:00:00Z"].map(|s| json!(s).to_string()).into()
        }
        Type::Complex => Vec::new(),
    }
}

struct World {
    _server: Server,
    conn: Conn,
    tenant: TenantId,
    types: Arc<Types>,
    client: Client,
    docs: Vec<Value>,
}

/// Users with the extension, and things whose base schema has the same attributes; each with every value.
fn world(db: Db, kind: Kind) -> World {
    let server = Server::start(db);
    let client = server.tenant();
    if kind == Kind::User {
        declare(&server, &client, &json!({"id": X, "attributes": attributes()}), "User");
    } else {
        declare(&server, &client, &json!({"id": THING, "attributes": attributes()}), "");
        let admin = crate::admin::Admin::operator(&server);
        let body = json!({"name": "Thing", "endpoint": "/Things", "schema": THING});
        admin.post(&format!("/tenants/{}/resource_types", client.tenant), &body).expect(201);
        server.app.refresh_auth().unwrap();
    }
    let make = |(i, value): (usize, &Value)| {
        if kind == Kind::User {
            let user = json!({"schemas": [USER, X], "userName": format!("u{i}@example.com"), X: value});
            return client.post("/Users", &user).expect(201);
        }
        let mut body = value.clone();
        body["schemas"] = json!([THING]);
        client.post("/Things", &body).expect(201)
    };
    let docs = values().iter().enumerate().map(make).collect();
    let mut conn = server.connect();
    let tenant = tenants::named(&mut conn, &client.tenant).unwrap();
    let types = types::of(&mut conn, &tenant).unwrap();
    World { _server: server, conn, tenant: tenant.id, types, client, docs }
}

impl World {
    fn rt(&self, kind: Kind) -> &ResourceType {
        self.types.of(rollbook::service::kind_in(kind))
    }

    fn agrees(&mut self, kind: Kind, text: &str) -> Result<usize, String> {
        let resolved =
            filter::resolve(self.rt(kind), text, Limits::default(), &mut Reading::of(Declared::Rfc)).map_err(|e| format!("{text}: {e}"))?;
        let mut expected: Vec<&str> = self.docs.iter().filter(|d| matches::resource(&resolved, d.as_object().unwrap())).map(id).collect();
        expected.sort_unstable();
        let query = Query { parts: vec![Part { kind, filter: Some(resolved) }], sort: None };
        let rows = list::page(&mut self.conn, self.tenant, &query, &Window::Offset { skip: 0, limit: 1000, total: None })
            .map_err(|e| format!("{text}: {e}"))?;
        let found: Vec<&str> = rows.iter().map(|(row, _)| row.id.as_str()).collect();
        if found == expected { Ok(found.len()) } else { Err(format!("{text}: {} found, {} expected", found.len(), expected.len())) }
    }
}

fn kinds() -> [(Kind, String); 2] {
    [(Kind::User, format!("{X}:")), (Kind::Own(100), String::new())]
}

fn filters_agree(db: Db) {
    for (kind, prefix) in kinds() {
        let mut world = world(db, kind);
        let (mut failures, mut telling, mut tried) = (Vec::new(), 0, 0);
        let mut texts: Vec<String> = Vec::new();
        for (name, of) in LEAVES {
            texts.push(format!("{prefix}{name} pr"));
            texts.push(format!("not ({prefix}{name} pr)"));
            for op in operators(of) {
                texts.extend(literals(of).iter().map(|literal| format!("{prefix}{name} {op} {literal}")));
            }
        }
        for inner in
            ["whole gt 1", "value eq \"b\" and whole eq 2", "not (point pr)", "primary eq true", "moment ge \"2024-01-01T00:00:00Z\""]
        {
            texts.push(format!("{prefix}many[{inner}]"));
        }
        texts.extend([
            format!("{prefix}texts[value eq \"strasse\"]"),
            format!("{prefix}wholes[value ge 9]"),
            format!("{prefix}points[value lt 0.2]"),
            format!("{prefix}one pr"),
            format!("{prefix}many pr"),
            format!("{prefix}odd pr"),
            format!("{prefix}text eq null"),
        ]);
        for text in &texts {
            tried += 1;
            match world.agrees(kind, text) {
                Ok(n) => telling += usize::from(n > 0 && n < world.docs.len()),
                Err(why) => failures.push(why),
            }
        }
        assert!(failures.is_empty(), "{kind:?} on {db:?}: {failures:#?}");
        assert!(telling * 2 > tried, "only {telling} of {tried} filters tell documents apart");
    }
}

/// R237: every operator on every type, on SQLite.
#[test]
fn filters_agree_on_sqlite() {
    filters_agree(Db::Sqlite);
}

/// R237: every operator on every type, on PostgreSQL.
#[test]
fn filters_agree_on_postgres() {
    filters_agree(Db::Postgres);
}

/// What a document is sorted by.
fn key(doc: &Value, name: &str, of: Type, exact: bool) -> Option<Value> {
    let (name, sub) = name.split_once('.').map_or((name, None), |(n, s)| (n, Some(s)));
    let mut value = doc.get(name)?;
    if let Value::Array(list) = value {
        value = list.iter().find(|e| e["primary"] == true).or(list.first())?;
    }
    if let Some(sub) = sub {
        value = value.get(sub)?;
    }
    Some(match value {
        Value::String(s) if of == Type::DateTime => json!(date_time(s)?.0),
        Value::String(s) if !exact => json!(fold(s)),
        Value::Bool(b) => json!(i64::from(*b)),
        other => other.clone(),
    })
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) if a.is_i64() && b.is_i64() => a.as_i64().cmp(&b.as_i64()),
        (a, b) => a.as_f64().unwrap().partial_cmp(&b.as_f64().unwrap()).unwrap(),
    }
}

fn orders_agree(db: Db) {
    for (kind, prefix) in kinds() {
        let world = world(db, kind);
        let endpoint = if kind == Kind::User { "/Users" } else { "/Things" };
        for (name, of) in LEAVES.into_iter().filter(|(name, _)| *name != "many") {
            let exact = name == "exact" || of == Type::Binary;
            for order in ["ascending", "descending"] {
                let mut expected: Vec<(Option<Value>, &str)> = world
                    .docs
                    .iter()
                    .map(|d| {
                        let holder = if kind == Kind::User { d.get(X).unwrap_or(&Value::Null) } else { d };
                        let decimal = |v: Value| if of == Type::Decimal { json!(v.as_f64().unwrap()) } else { v };
                        (key(holder, name, of, exact).map(decimal), id(d))
                    })
                    .collect();
                expected.sort_by(|(x, a), (y, b)| {
                    let by_key = match (x, y) {
                        (Some(x), Some(y)) => compare(x, y),
                        (x, y) => x.is_none().cmp(&y.is_none()),
                    };
                    let by_key = if order == "descending" { by_key.reverse() } else { by_key };
                    by_key.then_with(|| a.cmp(b))
                });
                let (mut found, mut cursor) = (Vec::new(), String::new());
                loop {
                    let mut query = String::new();
                    let _ = write!(query, "{endpoint}?sortBy={prefix}{name}&sortOrder={order}&count=2&attributes=id&cursor={cursor}");
                    let page = world.client.get(&query).expect(200);
                    found.extend(page["Resources"].as_array().unwrap().iter().map(|r| id(r).to_owned()));
                    match page["nextCursor"].as_str() {
                        Some(next) => next.clone_into(&mut cursor),
                        None => break,
                    }
                    assert!(found.len() <= world.docs.len(), "{name} {order}: the walk has no end");
                }
                let expected: Vec<&str> = expected.into_iter().map(|(_, id)| id).collect();
                assert_eq!(found, expected, "{name} {order} of {kind:?} on {db:?}");
            }
        }
    }
}

/// R129 for declared attributes of every type, page by page, on SQLite.
#[test]
fn orders_agree_on_sqlite() {
    orders_agree(Db::Sqlite);
}

/// R129 for declared attributes of every type, page by page, on PostgreSQL.
#[test]
fn orders_agree_on_postgres() {
    orders_agree(Db::Postgres);
}
