//! `rollbook verify`: a sound database is sound, and every kind of fault is found.

use crate::harness::{Db, Fresh};
use crate::program::Place;
use crate::scenario::everything;
use diesel::connection::SimpleConnection;
use rollbook::error::Error;
use rollbook::service::verify::{self, Report};
use rollbook::store::verify as statements;
use rollbook::store::{Conn, Database, Dialect, backend};
use std::path::Path;

fn report(conn: &mut Conn) -> Report {
    verify::run(conn, None, &mut |_, _, _| {}).unwrap()
}

/// What is found after a change, which is taken back.
fn after(conn: &mut Conn, sql: &str) -> Report {
    let mut found = None;
    let undone = backend::write(conn, |c| {
        c.batch_execute(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
        found = Some(report(c));
        Err::<(), Error>(Error::Invalid("undone".into()))
    });
    assert!(undone.is_err());
    found.unwrap()
}

/// Lets the database take what it would refuse.
fn unguarded(conn: &mut Conn) {
    let sql = match conn.dialect() {
        Dialect::Sqlite => "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; DROP TRIGGER audit_events_stay",
        Dialect::Postgres => "SET session_replication_role = replica",
    };
    conn.batch_execute(sql).unwrap();
}

/// One row of a kind.
fn one(kind: i64, and: &str) -> String {
    format!("kind = {kind} AND id = (SELECT MIN(id) FROM resources WHERE kind = {kind} AND {and})")
}

/// Somebody's permanent id.
fn somebody(and: &str) -> String {
    format!("(SELECT MIN(person) FROM resources WHERE kind IN (1, 3, 4) AND {and})")
}

/// Changes, with the table and the line that each must bring about.
fn changes() -> Vec<(String, &'static str, &'static str)> {
    let set = |what: &str, kind: i64, and: &str| format!("UPDATE resources SET {what} WHERE {}", one(kind, and));
    let member = |what: &str| set(what, 1, "state = 2");
    let event = |person: &str, from: &str, to: &str| {
        format!(
            "INSERT INTO audit_events (id, tenant_id, person, at, actor_kind, actor, event, from_state, to_state) \
             SELECT 'x', tenant_id, person, 1, 'admin', 'x', 'x', '{from}', '{to}' FROM resources WHERE kind = 1 AND person = {person}"
        )
    };
    let r = "resources";
    let mut all = vec![
        (member("doc = '['"), r, "doc is no JSON object"),
        (member("doc = '{\"userName\": \"x\"}'"), r, "doc does not end with our extension"),
        (set("doc = replace(doc, 'core:2.0:Group', 'core:2.0:Other')", 2, "1 = 1"), r, "doc is not what would be stored of it"),
        (set(&format!("doc = '{{\"displayName\": \"{}\"}}'", "x".repeat(1001)), 2, "1 = 1"), r, "doc would not be accepted"),
        (member("fdoc = '{}'"), r, "fdoc is not made of doc"),
        (member("unique_key = 'x'"), r, "unique_key is not made of doc"),
        (set("unique_key = 'x'", 3, "1 = 1"), r, "unique_key is not made of doc"),
        (set("display_key = NULL", 2, "1 = 1"), r, "display_key is not made of doc"),
        (member("external_id = 'x'"), r, "external_id is not that of doc"),
        (member("manager = 'x'"), r, "manager is not that of doc"),
        (member("label = 'x'"), r, "label is not made of doc"),
        (set("label_derived = (1 = 1)", 2, "1 = 1"), r, "label is not made of doc"),
        (member("mail = 'x@example.com'"), r, "mail is not that of doc"),
        (member("employee_key = 'x'"), r, "employee_key is not made of doc"),
        (set("admin = (1 = 0)", 1, "admin"), r, "admin is not what doc says"),
        (set("terminates_at = 5", 1, "terminates_at IS NULL"), r, "terminates_at is set, but doc has no date"),
        (set("terminates_at = 5", 1, "terminates_at IS NOT NULL"), r, "terminates_at is before the date in doc"),
        (set("location_raw = 'x'", 1, "doc LIKE '%Dorf%'"), r, "a location that is not configured is shown"),
        (set("manager_ref = 'x'", 1, "manager_ref IS NOT NULL"), r, "manager_ref is not the managerEmail of doc"),
        (set("manager_ref = 'boss@example.com'", 1, "doc LIKE '%Dorf%'"), r, "the manager is known, and waited for"),
        (set("mail = 'x@example.com'", 4, "1 = 1"), r, "an anonymised member has kept something"),
        (set("label = 'x'", 4, "1 = 1"), r, "an anonymised member has a document or a name"),
        (set("kind = 7", 1, "state = 2"), r, "the kind is not known"),
        (set("state = 1", 2, "1 = 1"), r, "it is on the roll, and is no user"),
        (member("person = NULL"), r, "it has no person"),
        (member("state = 5"), r, "kind and state do not go together"),
        (member("prior = 1"), r, "prior is not that of the state"),
        (set("purge_at = NULL", 3, "1 = 1"), r, "quarantined_at and purge_at are not those of the state"),
        (member("warned_at = 1"), r, "warned_at is set outside quarantine"),
        (set("holds = NULL", 1, "state = 4"), r, "holds are not those of the state"),
        (set("holds = '[1]'", 1, "state = 4"), r, "holds cannot be read"),
        (
            set("doc = replace(doc, 'false', 'true')", 1, "state = 4 AND doc LIKE '%\"active\":false%'"),
            r,
            "active in doc is not what the roll says",
        ),
        (member("invited = (1 = 0)"), r, "invited is not that of the state"),
        (member("invited_at = NULL"), r, "it has been invited at no time"),
        (set("claimed_at = NULL", 1, "state = 3"), r, "it has been claimed at no time"),
        (member("generation = generation + 1"), r, "generation is not that of the last link"),
        (set("member_count = 7", 2, "member_count > 0"), r, "member_count is wrong"),
        ("DELETE FROM resource_emails WHERE value_key = 'pat@example.com'".into(), r, "an address of doc is not listed"),
        (
            "UPDATE resource_emails SET value_key = 'x' WHERE value_key = 'pat@example.com'".into(),
            "resource_emails",
            "no user has this address",
        ),
        ("UPDATE tenants SET idp = 'x' WHERE name = 't0'".into(), "tenants", "the identity provider is not known"),
        ("UPDATE tenants SET settings = '{\"invite_days\": 99}' WHERE name = 't0'".into(), "tenants", "the settings are not in order"),
        ("DELETE FROM resource_counts WHERE slot = 3 AND kind = 1".into(), "tenants", "a counter of its users or groups is missing"),
        ("UPDATE resource_counts SET total = total + 1 WHERE slot = 3 AND kind = 2".into(), "resource_counts", "the total is wrong"),
        (
            "UPDATE group_members SET group_id = 'x' WHERE member_id = (SELECT MIN(member_id) FROM group_members)".into(),
            "group_members",
            "the group is not there",
        ),
        ("UPDATE group_members SET member_kind = 2 WHERE member_kind = 1".into(), "group_members", "a member is not there"),
        ("UPDATE group_members SET member_id = group_id WHERE member_kind = 2".into(), "group_members", "the group is in itself"),
        (
            format!("INSERT INTO former_groups SELECT tenant_id, {}, 'x' FROM former_groups", somebody("state = 2")),
            "former_groups",
            "groups are kept aside",
        ),
        ("UPDATE tokens SET scopes = 'x'".into(), "tokens", "the scopes are not known"),
        ("UPDATE tokens SET source = 'x'".into(), "tokens", "its source is not there"),
        ("UPDATE tokens SET replaces = 'x'".into(), "tokens", "it follows a token that is not there"),
        ("UPDATE sources SET name = 'x'".into(), "sources", "the tenant has no source \"default\""),
        ("UPDATE sources SET tolerances = '{\"magic\": true}'".into(), "sources", "it cannot be read"),
        (
            "INSERT INTO admin_keys (id, name, hash, scopes, created_at) VALUES ('k', 'x', 'x', 'scim:read', 0)".into(),
            "admin_keys",
            "the scopes are not known",
        ),
        (
            "INSERT INTO oauth_clients (id, tenant_id, source, name, scopes, token_seconds, created_at) \
             SELECT 'c', id, 'x', 'x', 'scim:read', 60, 0 FROM tenants WHERE name = 't0'"
                .into(),
            "oauth_clients",
            "its source is not there",
        ),
        (
            "INSERT INTO trusted_issuers (id, tenant_id, source, issuer, audience, subject, key_set_url, scopes, created_at) \
             SELECT 'i', id, 'x', 'x', 'x', 'x', 'x', 'scim:read', 0 FROM tenants WHERE name = 't0'"
                .into(),
            "trusted_issuers",
            "its source is not there",
        ),
        ("UPDATE tokens SET tenant_id = 99".into(), "tokens", "its tenant is not there"),
        (set("kind = 150", 100, "1 = 1"), r, "its resource type is not declared"),
        (
            set("doc = replace(doc, 'own:2.0:User', 'other:2.0:User')", 1, "doc LIKE '%own:2.0:User%'"),
            r,
            "doc has an extension that the type has not",
        ),
        ("DELETE FROM unique_values".into(), r, "a value that must be unique is not listed"),
        ("UPDATE unique_values SET value = 'x'".into(), "unique_values", "no resource has this value"),
        ("UPDATE tenant_schemas SET document = '{'".into(), "tenant_schemas", "a declaration cannot be read"),
        ("DELETE FROM auth_epoch".into(), "auth_epoch", "the row is missing"),
        ("UPDATE signing_keys SET public_key = 'x'".into(), "signing_keys", "the key cannot be used"),
        ("UPDATE secrets SET value = 'x' WHERE name = 'root'".into(), "secrets", "the master key is not the one"),
        ("DELETE FROM secrets WHERE name = 'root'".into(), "secrets", "master_key is not set"),
        ("UPDATE bulk_items SET job_id = 'x' WHERE outcome = 'ok'".into(), "bulk_items", "the job is not there"),
        ("UPDATE bulk_jobs SET done = 0 WHERE ended_at IS NOT NULL".into(), "bulk_jobs", "the counts are not those of the list"),
        ("UPDATE bulk_jobs SET ended_at = NULL".into(), "bulk_jobs", "it has ended and is under way"),
        (event(&somebody("state = 2"), "invited", "claimed"), "audit_events", "the history does not lead to the member's state"),
        (
            format!("DELETE FROM person_keys WHERE person = {}", somebody("legal_hold IS NOT NULL")),
            "audit_events",
            "the key to what is sealed in it is gone",
        ),
        (
            "UPDATE audit_events SET detail = '1.AAAA' WHERE detail IS NOT NULL".into(),
            "audit_events",
            "what is sealed in it cannot be read",
        ),
    ];
    all.extend(openings());
    all
}

fn openings() -> Vec<(String, &'static str, &'static str)> {
    let (links, codes, passwords, letters, steps) = ("invitations", "access_codes", "credentials", "outbox", "purge_steps");
    let former = somebody("kind = 4");
    let left = |table: &str| format!("UPDATE {table} SET person = {former} WHERE person = (SELECT MIN(person) FROM {table})");
    vec![
        (
            format!("UPDATE {links} SET person = 'x' WHERE hash = (SELECT MIN(hash) FROM {links} WHERE state = 'live')"),
            links,
            "the member is not there",
        ),
        (
            format!(
                "UPDATE {links} SET state = 'live', ended_at = NULL WHERE state = 'used' AND person IN (SELECT person FROM resources WHERE state = 3)"
            ),
            links,
            "the link is live, but the member is not invited",
        ),
        (format!("UPDATE {links} SET ended_at = 1 WHERE state = 'live'"), links, "it has ended and is live"),
        (format!("UPDATE {links} SET remind_at = 1 WHERE state = 'used'"), links, "a reminder is due for a link that is not live"),
        (format!("UPDATE {links} SET hash = hash || 'x'"), links, "the link is not the one that is sent"),
        (format!("UPDATE {codes} SET person = 'x' WHERE id = (SELECT MIN(id) FROM {codes})"), codes, "the member is not there"),
        (
            format!("UPDATE {codes} SET person = {} WHERE id = (SELECT MAX(id) FROM {codes} WHERE state = 'live')", somebody("kind = 3")),
            codes,
            "the code is live, but",
        ),
        (format!("UPDATE {codes} SET ended_at = 1 WHERE state = 'live'"), codes, "it has ended and is live"),
        (format!("UPDATE {codes} SET sealed = NULL WHERE state = 'live'"), codes, "a copy is kept of a code"),
        (format!("UPDATE {codes} SET sealed = '1.AAAA' WHERE state = 'live'"), codes, "the copy of the code cannot be read"),
        (
            format!("UPDATE {passwords} SET person = {} WHERE person = (SELECT MIN(person) FROM {passwords})", somebody("state = 2")),
            passwords,
            "a password of somebody who has not claimed",
        ),
        (format!("UPDATE {passwords} SET hash = 'x'"), passwords, "the hash cannot be read"),
        ("UPDATE tokens SET member = 'x'".into(), "tokens", "the member whose own it is is not there, or was anonymised"),
        (format!("UPDATE tokens SET member = {former}"), "tokens", "the member whose own it is is not there, or was anonymised"),
        (format!("UPDATE {letters} SET kind = 'x'"), letters, "the kind is not known"),
        (format!("UPDATE {letters} SET person = NULL WHERE kind = 'invitation'"), letters, "it is to a member, but names none"),
        (format!("UPDATE {letters} SET kind = 'digest' WHERE kind = 'invitation'"), letters, "it is to the admins, but names a member"),
        (format!("UPDATE {letters} SET person = 'x' WHERE person IS NOT NULL"), letters, "the member whom it is about is not there"),
        (format!("UPDATE {letters} SET ended_at = NULL WHERE state = 'sent'"), letters, "it has ended and is queued"),
        (format!("UPDATE {letters} SET leased_until = 1 WHERE state = 'sent'"), letters, "somebody has it who could send it"),
        (
            format!("UPDATE {letters} SET detail = '1.AAAA' WHERE kind IN ('invitation', 'group_changed', 'address_changed')"),
            letters,
            "what is sealed in it cannot be read",
        ),
        (format!("DELETE FROM {steps} WHERE step = 'anonymise'"), steps, "an anonymisation that is done, or not done"),
        (format!("DELETE FROM {steps} WHERE step = 'purge_copies'"), steps, "the last step of an anonymisation"),
        (format!("UPDATE {steps} SET step = 'x' WHERE step = 'leave_groups'"), steps, "a step of somebody who is not there"),
        (left(links), links, "a link of somebody who was anonymised"),
        (left(codes), codes, "a code of somebody who was anonymised"),
        (left(passwords), passwords, "a password of somebody who was anonymised"),
        (left(letters), letters, "a letter of somebody who was anonymised"),
        (left("person_keys"), "person_keys", "the key of somebody who was anonymised"),
        (
            format!(
                "UPDATE provisioning_log SET subject = {former}, changes = '[1]' WHERE id = (SELECT MIN(id) FROM provisioning_log WHERE tenant_id = 1)"
            ),
            "provisioning_log",
            "changes of somebody who was anonymised",
        ),
    ]
}

/// Every sentence in the checks' own text; each is a fault that some change must bring about.
fn sentences() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service/verify");
    let mut out: Vec<String> = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()) {
        if ["mod.rs", "report.rs"].iter().any(|name| file.ends_with(name)) {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        for line in text.lines().filter(|l| !["//", "#["].iter().any(|mark| l.trim_start().starts_with(mark))) {
            out.extend(line.split('"').skip(1).step_by(2).filter(|part| part.trim().contains(' ')).map(str::to_owned));
        }
    }
    out.extend(statements::checks().map(|check| check.what.to_owned()));
    out
}

fn checked(db: Db) {
    let stage = everything(db);
    let mut conn = stage.server.connect();
    let sound = report(&mut conn);
    assert!(sound.faults.is_empty(), "{:#?}", sound.faults);
    assert!(sound.size().0 > 300 && sound.size().1 > 20, "{:?}", sound.size());
    unguarded(&mut conn);
    let (mut tripped, mut missed): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (sql, table, what) in changes() {
        let found = after(&mut conn, &sql);
        let hit = found.faults.iter().find(|f| f.table == table && f.what.starts_with(what));
        match hit.map(|hit| (hit, hit.to_string())) {
            Some((hit, line)) => assert!(line.starts_with(table) && line.contains(&format!("id={}: {what}", hit.id)), "{line}"),
            None => missed.push(format!("{sql} brings about {:?}", found.faults.iter().take(3).collect::<Vec<_>>())),
        }
        tripped.extend(found.faults.iter().map(|f| f.what.clone()));
    }
    assert!(missed.is_empty(), "{missed:#?}");
    if db == Db::Sqlite {
        let changes = ["UPDATE tokens SET kind = 'x'; PRAGMA ignore_check_constraints = OFF", "UPDATE tokens SET tenant_id = 99"];
        tripped.extend(changes.iter().flat_map(|sql| after(&mut conn, sql).faults.into_iter().map(|f| f.what)));
        let idle: Vec<String> = sentences().into_iter().filter(|s| !tripped.iter().any(|t| t.starts_with(s))).collect();
        assert!(idle.is_empty(), "no change trips these: {idle:#?}");
    }
    assert_eq!(report(&mut conn).total, 0);
}

#[test]
fn every_fault_on_sqlite() {
    checked(Db::Sqlite);
}

#[test]
fn every_fault_on_postgres() {
    checked(Db::Postgres);
}

/// The command: what it says, that it fails, and that it makes nothing.
#[test]
fn the_command() {
    let place = Place::new(Db::Sqlite);
    assert!(place.refused(&["verify"]).contains("there is no database"));
    assert!(!Path::new(place.url.strip_prefix("sqlite://").unwrap()).exists(), "a look makes no file");
    place.acme();
    assert!(place.run(&["verify"]).contains("tables: no fault"));
    let json = place.json(&["verify", "--json"]);
    assert_eq!((&json["faults"], json["rows"].as_i64().unwrap() > 100), (&0.into(), true), "{json}");
    let mut conn = Database::parse(&place.url).unwrap().connect().unwrap();
    conn.batch_execute("UPDATE resource_counts SET total = 1 WHERE slot = 5").unwrap();
    let output = place.command(&["verify"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("resource_counts tenant=acme id=users: the total is wrong (it says 1, there are 0)\n"), "{said}");
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().lines().last()), (Some(1), Some("error: 2 faults")));
    let output = place.command(&["verify", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["faults"].as_i64(), json["listed"][0]["tenant"].as_str()), (Some(2), Some("acme")));
    conn.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version LIKE '20261122%'").unwrap();
    assert!(place.refused(&["verify"]).contains("lacks 1 migration(s)"));
    conn.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000000')").unwrap();
    assert!(place.refused(&["verify"]).contains("later version"));
}

/// Of many faults of a kind the first are told, and all are counted.
#[test]
fn many_faults_of_a_kind() {
    let fresh = Fresh::new(Db::Sqlite);
    let mut conn = Database::parse(&fresh.url).unwrap().connect().unwrap();
    backend::migrate(&mut conn).unwrap();
    for n in 0..30 {
        conn.batch_execute(&format!("INSERT INTO former_groups VALUES (1, 'p{n}', 'g')")).unwrap();
    }
    let found = report(&mut conn);
    assert_eq!((found.total, found.faults.len()), (60, 40), "{:#?}", found.faults);
    assert_eq!(found.untold().iter().map(|(table, _, n)| (*table, *n)).collect::<Vec<_>>(), [("former_groups", 10), ("former_groups", 10)]);
}
