//! What depends on the master key: links, codes, and what is sealed with the keys of people. Without the right key nothing of it
//! can be looked at.

use super::{Known, Report, by_tenant};
use crate::domain::TenantId;
use crate::error::Result;
use crate::service::tokens;
use crate::service::vault::Vault;
use crate::store::Conn;
use crate::store::rows::Line;
use crate::store::verify::finding;
use std::collections::{HashMap, HashSet};

fn place(line: &Line) -> (TenantId, &str) {
    (TenantId(line.number("tenant_id").unwrap_or(0)), line.text("person").unwrap_or_default())
}

#[expect(clippy::unnecessary_wraps, reason = "every check of rows has the same type")]
pub(super) fn links(_: &mut Conn, known: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    let Some(vault) = &known.vault else { return Ok(()) };
    for line in lines {
        let (tenant, person) = place(line);
        let link = vault.link(tenant, person, line.number("generation").unwrap_or(0));
        if line.text("hash") != Some(&tokens::hash(&link)) {
            report.add("invitations", Some(tenant.0), person, "the link is not the one that is sent", "");
        }
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "every check of rows has the same type")]
pub(super) fn codes(_: &mut Conn, known: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    let Some(vault) = &known.vault else { return Ok(()) };
    for line in lines {
        let ((tenant, _), id) = (place(line), line.text("id").unwrap_or_default());
        let Some(sealed) = line.text("sealed") else { continue };
        let opened = vault.open_code(tenant, id, sealed).ok();
        if opened.as_deref().map(|code| vault.code_lookup(code)).as_deref() != line.text("lookup") {
            report.add("access_codes", Some(tenant.0), id, "the copy of the code cannot be read, or is another's", "");
        }
    }
    Ok(())
}

pub(super) fn histories(conn: &mut Conn, known: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    details(conn, known, "audit_events", &lines.iter().collect::<Vec<_>>(), report)
}

/// Opens what is sealed in `detail`, where the person's key is still there.
pub(super) fn details(conn: &mut Conn, known: &Known, table: &'static str, lines: &[&Line], report: &mut Report) -> Result<()> {
    let Some(vault) = &known.vault else { return Ok(()) };
    let lines: Vec<Line> = lines.iter().filter(|line| line.text("detail").is_some()).map(|line| (*line).clone()).collect();
    for (tenant, lines) in by_tenant(&lines) {
        let people: HashSet<&str> = lines.iter().filter_map(|line| line.text("person")).collect();
        let people: Vec<&str> = people.into_iter().collect();
        let keys: HashMap<String, String> = finding::person_keys(conn, tenant, &people)?.into_iter().collect();
        for line in lines {
            if !opens(vault, tenant, line, &keys) {
                report.add(table, Some(tenant.0), line.text("id").unwrap_or_default(), "what is sealed in it cannot be read", "");
            }
        }
    }
    Ok(())
}

fn opens(vault: &Vault, tenant: TenantId, line: &Line, keys: &HashMap<String, String>) -> bool {
    let (Some(person), Some(detail)) = (line.text("person"), line.text("detail")) else { return true };
    keys.get(person).is_none_or(|key| vault.open_personal(tenant, person, key, detail).is_ok())
}
