//! Runs `conformance/filters.toml` through three engines: memory, SQLite and PostgreSQL.

use crate::clients::{Client, GROUP, USER, id};
use crate::harness::{Db, Server};
use rollbook::domain::Idp;
use rollbook::scim::dialect::{Declared, Reading};
use rollbook::scim::parse::{self, Limits};
use rollbook::scim::schema::{ResourceKind, resource_types};
use rollbook::scim::{ResourceType, filter, matches};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Corpus {
    fixture: Vec<Fixture>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Fixture {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    json: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    filter: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "match")]
    matching: Option<BTreeSet<String>>,
    error: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "for the reader")]
    req: Vec<String>,
    #[serde(default = "rfc")]
    dialect: String,
}

fn rfc() -> String {
    "rfc".into()
}

fn corpus() -> Corpus {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/filters.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The fixtures on a tenant; their ids.
fn load(client: &Client, fixtures: &[Fixture]) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for f in fixtures {
        let mut body: Value = serde_json::from_str(&filled(&f.json, &ids)).unwrap();
        let group = f.kind == "Group";
        let mut schemas = vec![json!(if group { GROUP } else { USER })];
        schemas.extend(body.as_object().unwrap().keys().filter(|k| k.starts_with("urn:")).map(|k| json!(k)));
        body["schemas"] = Value::Array(schemas);
        let made = client.post(if group { "/Groups" } else { "/Users" }, &body).expect(201);
        ids.insert(f.name.clone(), id(&made).to_owned());
    }
    ids
}

fn filled(text: &str, ids: &BTreeMap<String, String>) -> String {
    ids.iter().fold(text.to_owned(), |t, (name, id)| t.replace(&format!("${{{name}}}"), id))
}

fn run(db: Db) {
    let server = Server::start(db);
    let corpus = corpus();
    let mut failures = Vec::new();
    for dialect in ["rfc", "auto"] {
        let client = server.tenant_with_free_locations(if dialect == "rfc" { Idp::Rfc } else { Idp::Auto });
        let ids = load(&client, &corpus.fixture);
        let names: BTreeMap<&str, &str> = ids.iter().map(|(n, i)| (i.as_str(), n.as_str())).collect();
        for case in corpus.case.iter().filter(|c| c.dialect == dialect) {
            let path = match case.kind.as_str() {
                "User" => "/Users",
                "Group" => "/Groups",
                _ => "",
            };
            let reply = client.filter(path, &filled(&case.filter, &ids));
            let outcome = if reply.status == 200 {
                let found = reply.json()["Resources"].as_array().unwrap().iter().map(|r| names[id(r)].to_owned()).collect();
                Ok::<BTreeSet<String>, String>(found)
            } else {
                Err(reply.json()["scimType"].as_str().unwrap_or("").to_owned())
            };
            let expected = case.matching.clone().ok_or_else(|| case.error.clone().unwrap());
            if outcome != expected {
                failures.push(format!(
                    "{dialect} {} {}: {outcome:?}, expected {expected:?} {}",
                    case.kind,
                    case.filter,
                    if reply.status == 200 { "" } else { &reply.text }
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} filters fail:\n{}", failures.len(), corpus.case.len(), failures.join("\n"));
}

#[test]
fn sqlite() {
    run(Db::Sqlite);
}

#[test]
fn postgres() {
    run(Db::Postgres);
}

/// The in-memory evaluator, on the resources as the server shows them.
#[test]
fn memory() {
    let server = Server::start(Db::Sqlite);
    let corpus = corpus();
    let mut failures = Vec::new();
    for (dialect, idp, declared) in [("rfc", Idp::Rfc, Declared::Rfc), ("auto", Idp::Auto, Declared::Auto)] {
        let client = server.tenant_with_free_locations(idp);
        let ids = load(&client, &corpus.fixture);
        let docs: Vec<(String, Value)> = [("Users", "User"), ("Groups", "Group")]
            .iter()
            .flat_map(|(path, kind)| {
                let list = client.get(&format!("/{path}")).expect(200)["Resources"].as_array().unwrap().clone();
                list.into_iter().map(|d| ((*kind).to_owned(), d))
            })
            .collect();
        for case in corpus.case.iter().filter(|c| c.dialect == dialect) {
            let mut reading = Reading::of(declared);
            let outcome = evaluate(&filled(&case.filter, &ids), &case.kind, &docs, &mut reading);
            let outcome =
                outcome.map(|set| set.iter().map(|i| ids.iter().find(|(_, v)| *v == i).unwrap().0.clone()).collect::<BTreeSet<_>>());
            let expected = case.matching.clone().ok_or_else(|| case.error.clone().unwrap());
            if outcome != expected {
                failures.push(format!("{} {}: {outcome:?}, expected {expected:?}", case.kind, case.filter));
            }
        }
    }
    assert!(failures.is_empty(), "{} filters fail:\n{}", failures.len(), failures.join("\n"));
}

fn evaluate(text: &str, kind: &str, docs: &[(String, Value)], reading: &mut Reading) -> Result<BTreeSet<String>, String> {
    let fault = |e: rollbook::scim::Error| e.scim_type.map_or("", rollbook::scim::ScimType::as_str).to_owned();
    let types: Vec<&ResourceType> = match kind {
        "User" => vec![ResourceType::of(ResourceKind::User)],
        "Group" => vec![ResourceType::of(ResourceKind::Group)],
        _ => resource_types().to_vec(),
    };
    let mut found = BTreeSet::new();
    for rt in &types {
        let resolved = if types.len() == 1 {
            filter::resolve(rt, text, Limits::default(), reading).map_err(fault)?
        } else {
            let expr = parse::filter(text, Limits::default(), reading).map_err(fault)?;
            filter::resolve_shared(rt, &expr, reading).map_err(fault)?
        };
        let hits = docs.iter().filter(|(k, d)| *k == rt.name && matches::resource(&resolved, d.as_object().unwrap()));
        found.extend(hits.map(|(_, d)| id(d).to_owned()));
    }
    Ok(found)
}
