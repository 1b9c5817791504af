//! A database of before the roll becomes one with it.

use crate::harness::{Db, Fresh};
use diesel::connection::SimpleConnection;
use rollbook::app::system_clock;
use rollbook::domain::{Idp, State, TenantId};
use rollbook::scim::EMPLOYEE_URN;
use rollbook::store::backend::Database;
use rollbook::store::{Kind, resources};
use serde_json::Value;
use std::path::Path;

const DAY: i64 = 86_400_000_000;

fn upgraded(db: Db, folder: &str) {
    let fresh = if db == Db::Sqlite { Fresh::new(db) } else { Fresh::empty_postgres() };
    let mut conn = Database::parse(&fresh.url).unwrap().connect().unwrap();
    let up = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder).join(name).join("up.sql");
        std::fs::read_to_string(path).unwrap()
    };
    conn.batch_execute(&up("2026-11-21-000000_foundation")).unwrap();
    conn.batch_execute(&format!(
        "INSERT INTO tenants (id, name, idp, unique_group_names, created_at) VALUES (1, 'acme', '{}', FALSE, 0)",
        Idp::Auto
    ))
    .unwrap();
    let old = system_clock()() - 300 * DAY;
    let user = |id: &str, doc: &str| {
        format!(
            "INSERT INTO resources (tenant_id, kind, id, version, created_at, modified_at, member_count, unique_key, label, label_derived, doc, fdoc) \
             VALUES (1, 1, '{id}', 1, {old}, {old}, 0, '{id}', '{id}', FALSE, '{doc}', '{doc}')"
        )
    };
    let own = format!("\"{EMPLOYEE_URN}\":{{\"hireDate\":\"2020-01-01\"}}");
    let mails = r#""emails":[{"value":"first@example.com"},{"value":"second@example.com","primary":true}]"#;
    conn.batch_execute(&user(
        "a",
        &format!(r#"{{"schemas":[],"userName":"a",{own},{mails},"active":true,"roles":[{{"value":"Admin"}}]}}"#),
    ))
    .unwrap();
    conn.batch_execute(&user(
        "b",
        r#"{"schemas":[],"userName":"b@example.com","active":false,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"E-7"}}"#,
    ))
    .unwrap();
    conn.batch_execute(&user("c", r#"{"schemas":[],"userName":"c"}"#)).unwrap();
    conn.batch_execute(&up("2026-11-22-000000_roll")).unwrap();

    let mut find = |id: &str| resources::find(&mut conn, TenantId(1), Kind::User, id).unwrap().unwrap();
    let (a, b, c) = (find("a"), find("b"), find("c"));
    let member = a.member.unwrap();
    assert_eq!((member.state, member.mail.as_deref(), member.admin), (State::Uninvited, Some("second@example.com"), true));
    let doc: Value = serde_json::from_str(&a.doc).unwrap();
    assert_eq!((&doc[EMPLOYEE_URN]["hireDate"], &doc["userName"]), (&Value::from("2020-01-01"), &Value::from("a")));
    assert_eq!(doc.as_object().unwrap().keys().next_back().unwrap(), EMPLOYEE_URN);

    let member = b.member.unwrap();
    assert!(member.state.is_quarantined() && !member.is_active());
    assert_eq!((member.mail.as_deref(), member.employee_key.as_deref(), member.admin), (Some("b@example.com"), Some("e-7"), false));
    let left = member.purge_at.unwrap() - system_clock()();
    assert!(left > 6 * DAY && left <= 7 * DAY, "nobody is anonymised by an upgrade: {left}");

    let member = c.member.unwrap();
    assert_eq!((member.state, &member.mail, &member.employee_key, member.is_active()), (State::Uninvited, &None, &None, true));
}

#[test]
fn on_sqlite() {
    upgraded(Db::Sqlite, "sqlite");
}

#[test]
fn on_postgres() {
    upgraded(Db::Postgres, "postgres");
}
