//! Values that only one resource may have: exactly those of the resources that clients see.

use super::documents::{fault, parsed};
use super::{Known, Report, by_tenant};
use crate::domain::TenantId;
use crate::error::Result;
use crate::scim::Types;
use crate::service::kind_in;
use crate::store::rows::Line;
use crate::store::{Conn, Kind, unique};
use std::collections::HashSet;

/// The numbers of kinds whose rows have such values: users, groups and what tenants declare.
fn kind(line: &Line) -> Option<Kind> {
    match line.number("kind")? {
        1 => Some(Kind::User),
        2 => Some(Kind::Group),
        code => i16::try_from(code).ok().filter(|c| *c >= crate::store::types::FIRST).map(Kind::Own),
    }
}

/// Every such value of a document is listed.
pub(super) fn check_listed(conn: &mut Conn, tenant: TenantId, types: &Types, lines: &[&Line], report: &mut Report) -> Result<()> {
    if types.version() == 0 {
        return Ok(());
    }
    for line in lines {
        let (Some(kind), Some(doc), Some(id)) = (kind(line), parsed(line), line.text("id")) else { continue };
        let wanted = types.of(kind_in(kind)).traits.unique(&doc);
        if wanted.is_empty() {
            continue;
        }
        let listed: HashSet<(String, String)> = unique::of(conn, tenant, kind, &[id])?.into_iter().map(|(_, a, v)| (a, v)).collect();
        if let Some((attribute, _)) = wanted.iter().find(|w| !listed.contains(*w)) {
            fault(line, report, "a value that must be unique is not listed", attribute);
        }
    }
    Ok(())
}

/// Every value that is listed is one of a document.
pub(super) fn check(conn: &mut Conn, known: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    for (tenant, lines) in by_tenant(lines) {
        let types = known.types(tenant);
        for line in lines {
            let text = |column| line.text(column).unwrap_or_default();
            let (id, value) = (text("resource_id"), (text("attribute").to_owned(), text("value").to_owned()));
            let row = match kind(line) {
                Some(kind) => crate::store::resources::find(conn, tenant, kind, id)?,
                None => None,
            };
            let has =
                row.is_some_and(|row| types.of(kind_in(row.kind)).traits.unique(&crate::service::mapping::parsed(&row)).contains(&value));
            if !has {
                report.add("unique_values", Some(tenant.0), id, "no resource has this value", &value.0);
            }
        }
    }
    Ok(())
}
