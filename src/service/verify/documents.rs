//! The documents of users and groups, and the columns that are made of them.

use super::{Known, Report, addresses, by_tenant, roll, uniques};
use crate::domain::Tenant;
use crate::error::Result;
use crate::scim::schema::ResourceKind;
use crate::scim::{EMPLOYEE_URN, Types, value};
use crate::service::employment::{self, Facets};
use crate::service::mapping::{self, Doc, Naming};
use crate::store::rows::{Line, canonical};
use crate::store::{Conn, Record};
use serde_json::{Map, Value};

const TABLE: &str = "resources";
/// Kinds as they are stored.
const USER: i64 = 1;
const GROUP: i64 = 2;
const HIDDEN: i64 = 3;
const FORMER: i64 = 4;
/// From here on they are of types that the tenant has declared.
const OWN: i64 = crate::store::types::FIRST as i64;

/// How far a termination date may lie before the one in the document: a tenant's time zone and rule may have changed since. It may
/// lie later by any time, because that of the only admin is put off.
const LEEWAY: i64 = 3 * crate::domain::settings::DAY;

pub(super) fn check(conn: &mut Conn, known: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    for line in lines {
        roll::check(line, report);
        // Without a tenant there is no saying what should be there.
        let Some(tenant) = known.tenant(line) else { continue };
        match line.number("kind") {
            Some(USER | GROUP | HIDDEN) => document(&known.types(tenant.id), tenant, line, report),
            Some(code) if code >= OWN => own(&known.types(tenant.id), tenant, line, code, report),
            Some(FORMER) => former(line, report),
            _ => fault(line, report, "the kind is not known", ""),
        }
    }
    for (tenant, lines) in by_tenant(lines) {
        addresses::check_listed(conn, tenant, &lines, report)?;
        uniques::check_listed(conn, tenant, &known.types(tenant), &lines, report)?;
    }
    Ok(())
}

pub(super) fn fault(line: &Line, report: &mut Report, what: &'static str, detail: &str) {
    report.add(TABLE, line.number("tenant_id"), line.text("id").unwrap_or_default(), what, detail);
}

/// The document of a row, if it is one.
pub(super) fn parsed(line: &Line) -> Option<Doc> {
    serde_json::from_str::<Map<String, Value>>(line.text("doc").unwrap_or_default()).ok()
}

/// A resource of a type that the tenant has declared.
fn own(types: &Types, tenant: &Tenant, line: &Line, code: i64, report: &mut Report) {
    let Some(doc) = parsed(line) else { return fault(line, report, "doc is no JSON object", "") };
    let kind = ResourceKind::Own(i16::try_from(code).unwrap_or(0));
    let Some(rt) = types.all().iter().find(|rt| rt.kind == kind) else {
        return fault(line, report, "its resource type is not declared", "");
    };
    match mapping::record(rt, tenant, doc.clone(), Naming::AsGiven) {
        Ok(record) => columns(line, &doc, &record, report),
        Err(why) => fault(line, report, "doc would not be accepted", &why.detail),
    }
}

fn document(types: &Types, tenant: &Tenant, line: &Line, report: &mut Report) {
    let Some(doc) = parsed(line) else { return fault(line, report, "doc is no JSON object", "") };
    let user = line.number("kind") != Some(GROUP);
    // What the roll says is put in before the end of it.
    if user && doc.keys().next_back().map(String::as_str) != Some(EMPLOYEE_URN) {
        fault(line, report, "doc does not end with our extension", "");
    }
    let rt = types.of(if user { ResourceKind::User } else { ResourceKind::Group });
    if let Some(urn) = doc.keys().find(|key| key.contains(':') && rt.schema_of(key).is_none()) {
        fault(line, report, "doc has an extension that the type has not", urn);
    }
    let derived = line.flag("label_derived") == Some(true);
    let mut given = doc.clone();
    if derived {
        given.shift_remove("displayName");
    }
    match mapping::record(rt, tenant, given, if derived { Naming::Derive } else { Naming::AsGiven }) {
        Ok(record) => columns(line, &doc, &record, report),
        Err(why) => fault(line, report, "doc would not be accepted", &why.detail),
    }
    if user {
        facets(line, &doc, &employment::told(&doc, &tenant.settings), report);
    }
}

/// Compares what is stored with what would be stored of the same document.
fn columns(line: &Line, doc: &Doc, record: &Record, report: &mut Report) {
    if plain(doc) != plain(&mapping::read(&record.doc)) {
        fault(line, report, "doc is not what would be stored of it", "");
    }
    let stored: Option<Doc> = serde_json::from_str(line.text("fdoc").unwrap_or_default()).ok();
    if stored.as_ref().map(plain) != Some(plain(&mapping::read(&record.fdoc))) {
        fault(line, report, "fdoc is not made of doc", "");
    }
    // A name that nobody sees is free for others.
    let unique_key = record.unique_key.as_deref().filter(|_| line.number("kind") != Some(HIDDEN));
    let texts = [
        ("unique_key is not made of doc", "unique_key", unique_key),
        ("display_key is not made of doc", "display_key", record.display_key.as_deref()),
        ("external_id is not that of doc", "external_id", record.external_id.as_deref()),
        ("manager is not that of doc", "manager", record.manager.as_deref()),
        ("label is not made of doc", "label", Some(record.label.as_str())),
    ];
    for (what, column, expected) in texts {
        if line.text(column) != expected {
            fault(line, report, what, "");
        }
    }
}

/// A document in one form. Rows from before the roll do not name our extension when nothing is in it.
fn plain(doc: &Doc) -> String {
    let mut doc = doc.clone();
    if doc.get(EMPLOYEE_URN).and_then(Value::as_object).is_none_or(Map::is_empty) {
        doc.shift_remove(EMPLOYEE_URN);
        if let Some(Value::Array(urns)) = doc.get_mut("schemas") {
            urns.retain(|u| u.as_str().is_none_or(|u| !u.eq_ignore_ascii_case(EMPLOYEE_URN)));
        }
    }
    canonical(&Value::Object(doc).to_string())
}

/// Compares what the roll knows of a user with the document.
fn facets(line: &Line, doc: &Doc, told: &Facets, report: &mut Report) {
    if line.text("mail") != told.mail.as_deref() {
        fault(line, report, "mail is not that of doc", "");
    }
    if line.text("employee_key") != told.employee_key.as_deref() {
        fault(line, report, "employee_key is not made of doc", "");
    }
    if line.flag("admin") != Some(told.admin) {
        fault(line, report, "admin is not what doc says", "");
    }
    match (line.number("terminates_at"), told.terminates_at) {
        (Some(_), None) => fault(line, report, "terminates_at is set, but doc has no date", ""),
        (Some(at), Some(date)) if at < date - LEEWAY => fault(line, report, "terminates_at is before the date in doc", ""),
        _ => {}
    }
    if line.text("location_raw").is_some() && told.location.is_some() {
        fault(line, report, "a location that is not configured is shown", "");
    }
    if let Some(address) = line.text("manager_ref") {
        if told.manager_ref.as_deref() != Some(&value::fold(address)) {
            fault(line, report, "manager_ref is not the managerEmail of doc", "");
        }
        if mapping::manager(doc).is_some() {
            fault(line, report, "the manager is known, and waited for", "");
        }
    }
}

/// Of somebody who was anonymised nothing is left.
fn former(line: &Line, report: &mut Report) {
    let empty = |column: &str| line.text(column) == Some("{}");
    let texts = [
        "unique_key",
        "display_key",
        "external_id",
        "manager",
        "holds",
        "legal_hold",
        "employee_key",
        "location_raw",
        "manager_ref",
        "mail",
    ];
    let left: Vec<&str> = texts.into_iter().filter(|column| line.text(column).is_some()).collect();
    if !left.is_empty() {
        fault(line, report, "an anonymised member has kept something", &left.join(", "));
    }
    if !empty("doc") || !empty("fdoc") || line.text("label") != Some(crate::service::purge::FORMER) {
        fault(line, report, "an anonymised member has a document or a name", "");
    }
}
