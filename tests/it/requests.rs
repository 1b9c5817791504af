//! Plays `conformance/requests`: what identity providers really send, and what they need back.

use crate::clients::{Client, EMPLOYEE, Reply, without_roll};
use crate::harness::{Db, Server};
use base64::Engine;
use rollbook::domain::Idp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The folders of `conformance/requests`.
const CLIENTS: [&str; 12] =
    ["auth0", "authentik", "entra", "google", "jumpcloud", "keycloak", "okta", "onelogin", "pingone", "rauthy", "rippling", "sailpoint"];

#[test]
fn sqlite() {
    play_all(Db::Sqlite);
}

#[test]
fn postgres() {
    play_all(Db::Postgres);
}

fn play_all(db: Db) {
    let server = Server::start(db);
    let mut failures = Vec::new();
    let mut played = 0;
    for idp in CLIENTS {
        for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/requests").join(idp)) {
            let case: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            for declared in case["idp"].as_array().unwrap() {
                played += 1;
                let declared = declared.as_str().unwrap();
                if let Err(why) = play(&server, &case, declared.parse().unwrap()) {
                    failures.push(format!("{} ({declared}): {why}", case["case"].as_str().unwrap()));
                }
            }
        }
    }
    assert!(played > 380, "only {played} cases were found");
    assert!(failures.is_empty(), "{} of {played} cases fail:\n{}", failures.len(), failures.join("\n"));
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

/// Every client in the folder is played, and every case is named after its file.
#[test]
fn no_case_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/requests");
    let found: BTreeSet<String> = files(&root).iter().map(|f| f.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(found, CLIENTS.iter().map(|c| (*c).to_owned()).collect());
    for client in CLIENTS {
        for file in files(&root.join(client)) {
            let case: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            assert_eq!(case["case"].as_str(), file.file_stem().unwrap().to_str(), "{}", file.display());
            assert!(!case["title"].as_str().unwrap().is_empty() && !case["idp"].as_array().unwrap().is_empty(), "{}", file.display());
        }
    }
}

fn play(server: &Server, case: &Value, idp: Idp) -> Result<(), String> {
    let client = server.tenant_with_free_locations(idp);
    let token = client.token.clone().unwrap_or_default();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("scim:{token}"));
    let mut saved = BTreeMap::from([("token".to_owned(), token), ("basic".to_owned(), basic)]);
    for (n, step) in case["steps"].as_array().ok_or("no steps")?.iter().enumerate() {
        let name = step["name"].as_str().unwrap_or("");
        run(server, &client, step, &mut saved).map_err(|e| format!("step {} {name}: {e}", n + 1))?;
    }
    Ok(())
}

fn run(server: &Server, client: &Client, step: &Value, saved: &mut BTreeMap<String, String>) -> Result<(), String> {
    let request = substituted(&step["request"], saved);
    let expected = substituted(&step["expect"], saved);
    let parallel = request["parallel"].as_u64().unwrap_or(1);
    let replies = send_all(client, &request, parallel);
    let reply = &replies[0];
    let shown = || format!("\n    sent {request}\n    got {} {}", reply.status, reply.text.chars().take(1500).collect::<String>());
    if let Some(statuses) = expected["statuses"].as_object() {
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for r in &replies {
            *seen.entry(r.status.to_string()).or_default() += 1;
        }
        let wanted: BTreeMap<String, u64> = statuses.iter().map(|(k, v)| (k.clone(), v.as_u64().unwrap())).collect();
        if seen != wanted {
            return Err(format!("statuses {seen:?}, expected {wanted:?}"));
        }
    }
    check(reply, &expected).map_err(|e| format!("{e}{}", shown()))?;
    if let Some(notes) = expected["notes"].as_array() {
        let wanted: BTreeSet<String> = notes.iter().map(|n| n.as_str().unwrap().to_owned()).collect();
        let mut fired = fired_in(server, client, reply);
        // The notes of a read may be on their way into the database at this moment.
        for _ in 0..40 {
            if wanted.is_subset(&fired) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
            fired = fired_in(server, client, reply);
        }
        if fired != wanted {
            return Err(format!("notes {fired:?}, expected {wanted:?}{}", shown()));
        }
    }
    for (name, pointer) in step["save"].as_object().into_iter().flatten() {
        let body = reply.json();
        let value =
            body.pointer(pointer.as_str().unwrap()).and_then(Value::as_str).ok_or_else(|| format!("nothing to save at {pointer}"))?;
        saved.insert(name.clone(), value.to_owned());
    }
    Ok(())
}

/// The tolerances recorded for one request.
fn fired_in(server: &Server, client: &Client, reply: &Reply) -> BTreeSet<String> {
    let entries = server.notes(&client.tenant);
    entries.iter().filter(|e| e.request_id == reply.header("x-request-id")).flat_map(|e| quirks(&e.notes)).collect()
}

fn quirks(notes: &str) -> Vec<String> {
    let list: Vec<Value> = serde_json::from_str(notes).unwrap();
    list.iter().map(|n| n["quirk"].as_str().unwrap().to_owned()).collect()
}

fn send_all(client: &Client, request: &Value, parallel: u64) -> Vec<Reply> {
    if parallel == 1 {
        return vec![send(client, request)];
    }
    std::thread::scope(|s| {
        let running: Vec<_> = (0..parallel).map(|_| s.spawn(|| send(client, request))).collect();
        running.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

pub fn send(client: &Client, request: &Value) -> Reply {
    let headers: Vec<(&str, &str)> =
        request["headers"].as_object().into_iter().flatten().map(|(k, v)| (k.as_str(), v.as_str().unwrap_or(""))).collect();
    let body = match (&request["raw"], &request["body"]) {
        (Value::String(raw), _) => Some(raw.clone()),
        (_, Value::Null) => None,
        (_, body) => Some(body.to_string()),
    };
    let path = request["path"].as_str().unwrap();
    client.send(request["method"].as_str().unwrap(), path, &headers, body.as_deref())
}

fn check(reply: &Reply, expected: &Value) -> Result<(), String> {
    let status_holds = match &expected["status"] {
        Value::Array(list) => list.iter().any(|s| s.as_u64() == Some(u64::from(reply.status))),
        Value::Number(n) => n.as_u64() == Some(u64::from(reply.status)),
        _ => true,
    };
    if !status_holds {
        return Err(format!("status {}, expected {}", reply.status, expected["status"]));
    }
    for (name, value) in expected["headers"].as_object().into_iter().flatten() {
        let have = reply.header(name);
        let want = value.as_str().unwrap();
        if have.is_empty() || !(want == "*" || have.starts_with(want)) {
            return Err(format!("header {name} is \"{have}\", expected \"{want}\""));
        }
    }
    if expected["empty"] == Value::Bool(true) && !reply.text.is_empty() {
        return Err("the body is not empty".into());
    }
    let mut body: Value = serde_json::from_str(&reply.text).unwrap_or(Value::Null);
    // A case that says nothing of our extension is not about the roll.
    if !expected["body"].to_string().contains(EMPLOYEE) {
        without_roll(&mut body);
    }
    if !expected["body"].is_null() {
        subset(&expected["body"], &body, "")?;
    }
    for pointer in expected["absent"].as_array().into_iter().flatten() {
        if body.pointer(pointer.as_str().unwrap()).is_some() {
            return Err(format!("{pointer} is there"));
        }
    }
    Ok(())
}

/// Whether `have` has everything that `want` names.
pub fn subset(want: &Value, have: &Value, at: &str) -> Result<(), String> {
    let wrong = || Err(format!("{at} is {have}, expected {want}"));
    match (want, have) {
        (Value::String(any), have) if any == "*" => {
            let empty = have.is_null() || have.as_str() == Some("") || have.as_array().is_some_and(Vec::is_empty);
            if empty { wrong() } else { Ok(()) }
        }
        (Value::Object(w), Value::Object(h)) => {
            w.iter().try_for_each(|(k, v)| subset(v, h.get(k).unwrap_or(&Value::Null), &format!("{at}/{k}")))
        }
        (Value::Array(w), Value::Array(h)) if w.len() == h.len() => {
            if pairing(w, h) {
                Ok(())
            } else {
                wrong()
            }
        }
        (w, h) if w == h => Ok(()),
        _ => wrong(),
    }
}

/// Whether the elements can be matched one to one, in any order.
fn pairing(want: &[Value], have: &[Value]) -> bool {
    let Some((first, rest)) = want.split_first() else { return true };
    (0..have.len()).any(|i| {
        let mut left = have.to_vec();
        subset(first, &left.remove(i), "").is_ok() && pairing(rest, &left)
    })
}

/// A value with what was saved put in.
pub fn substituted(value: &Value, saved: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(s) => {
            let filled = saved.iter().fold(s.clone(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
            Value::String(filled)
        }
        Value::Array(list) => list.iter().map(|v| substituted(v, saved)).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), substituted(v, saved))).collect(),
        other => other.clone(),
    }
}
