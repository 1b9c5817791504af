//! Runs `conformance/patch.toml` against a server: what the client sees after each PATCH.

use crate::clients::{GROUP, PATCH, USER, id, without_roll};
use crate::harness::{Db, Server};
use rollbook::domain::Idp;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Corpus {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[expect(dead_code, reason = "for the reader")]
    #[serde(default)]
    req: Vec<String>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "rfc")]
    dialect: String,
    before: String,
    operations: String,
    after: Option<String>,
    changed: Option<bool>,
    error: Option<String>,
    status: Option<u16>,
}

fn rfc() -> String {
    "rfc".into()
}

fn run(db: Db) {
    let server = Server::start(db);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/patch.toml");
    let corpus: Corpus = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut failures = Vec::new();
    for case in &corpus.case {
        if let Err(why) = play(&server, case) {
            failures.push(format!("{} ({}): {why}", case.name, case.dialect));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), corpus.case.len(), failures.join("\n"));
}

#[test]
fn sqlite() {
    run(Db::Sqlite);
}

#[test]
fn postgres() {
    run(Db::Postgres);
}

fn play(server: &Server, case: &Case) -> Result<(), String> {
    let idp: Idp = case.dialect.parse()?;
    let client = server.tenant_with_free_locations(idp);
    let (endpoint, urn) = if case.kind == "Group" { ("/Groups", GROUP) } else { ("/Users", USER) };
    let mut body: Value = serde_json::from_str(&case.before).map_err(|e| e.to_string())?;
    let mut schemas = vec![json!(urn)];
    schemas.extend(body.as_object().unwrap().keys().filter(|k| k.starts_with("urn:")).map(|k| json!(k)));
    body["schemas"] = Value::Array(schemas);
    let made = client.post(endpoint, &body);
    if made.status != 201 {
        return Err(format!("cannot be created: {}", made.text));
    }
    let before = made.json();
    let place = format!("{endpoint}/{}", id(&before));
    let operations: Value = serde_json::from_str(&case.operations.replace("${id}", id(&before))).map_err(|e| e.to_string())?;
    let message = json!({"schemas": [PATCH], "Operations": operations});
    let reply = client.send("PATCH", &place, &[], Some(&message.to_string()));
    let now = client.get(&place).expect(200);
    if let Some(error) = &case.error {
        let got = reply.json();
        let status = case.status.unwrap_or(400);
        if reply.status != status || got["scimType"].as_str().unwrap_or("") != error {
            return Err(format!("{} {}, expected {status} {error}", reply.status, reply.text));
        }
        return if now == before { Ok(()) } else { Err(format!("changed in spite of the error: {now}")) };
    }
    if !matches!(reply.status, 200 | 204) {
        return Err(format!("{} {}", reply.status, reply.text));
    }
    let mut wanted: Value = serde_json::from_str(case.after.as_ref().ok_or("no after")?).map_err(|e| e.to_string())?;
    let mut shown = now.clone();
    settle(&mut shown, &mut wanted);
    if shown != wanted {
        return Err(format!("is {shown}, expected {wanted}"));
    }
    let touched = now["meta"]["version"] != before["meta"]["version"];
    if case.changed.is_some_and(|c| c != touched) {
        return Err(format!("changed is {touched}"));
    }
    Ok(())
}

/// Leaves out what the server adds.
fn settle(shown: &mut Value, wanted: &mut Value) {
    without_roll(shown);
    let map = shown.as_object_mut().unwrap();
    for key in ["id", "meta", "schemas", "groups", "members"] {
        map.remove(key);
    }
    for (key, own) in [("active", Some(json!(true))), ("displayName", None)] {
        if wanted.get(key).is_none() && own.is_none_or(|v| map.get(key) == Some(&v)) {
            map.remove(key);
        }
    }
    wanted.as_object_mut().unwrap().remove("schemas");
}
