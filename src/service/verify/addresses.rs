//! The list of addresses: exactly those of the users whom identity providers see.

use super::documents::{fault, parsed};
use super::{Known, Report, by_tenant};
use crate::domain::TenantId;
use crate::error::Result;
use crate::service::mapping;
use crate::store::Conn;
use crate::store::rows::Line;
use crate::store::verify::finding;
use std::collections::{HashMap, HashSet};

/// Every address of a document is listed.
pub(super) fn check_listed(conn: &mut Conn, tenant: TenantId, lines: &[&Line], report: &mut Report) -> Result<()> {
    let users = lines.iter().filter(|line| line.number("kind") == Some(1));
    let wanted: Vec<(&Line, Vec<String>)> = users.filter_map(|line| Some((*line, mapping::emails(&parsed(line)?)))).collect();
    let keys: Vec<&str> = wanted.iter().flat_map(|(_, emails)| emails).map(String::as_str).collect();
    let listed: HashSet<(String, String)> = finding::listed(conn, tenant, &keys)?.into_iter().collect();
    for (line, emails) in &wanted {
        let id = line.text("id").unwrap_or_default();
        if emails.iter().any(|key| !listed.contains(&(key.clone(), id.to_owned()))) {
            fault(line, report, "an address of doc is not listed", "");
        }
    }
    Ok(())
}

/// Every address that is listed is one of a document.
pub(super) fn check(conn: &mut Conn, _: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    for (tenant, lines) in by_tenant(lines) {
        let ids: HashSet<&str> = lines.iter().filter_map(|line| line.text("resource_id")).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let docs = finding::documents(conn, tenant, &ids)?;
        let emails: HashMap<String, Vec<String>> = docs.into_iter().map(|(id, doc)| (id, mapping::emails(&mapping::read(&doc)))).collect();
        for line in lines {
            let (id, key) = (line.text("resource_id").unwrap_or_default(), line.text("value_key").unwrap_or_default());
            if !emails.get(id).is_some_and(|list| list.iter().any(|e| e == key)) {
                report.add("resource_emails", Some(tenant.0), id, "no user has this address", "");
            }
        }
    }
    Ok(())
}
