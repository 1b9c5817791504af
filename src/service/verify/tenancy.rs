//! Tenants and their tokens.

use super::{Known, Report};
use crate::domain::{Capabilities, Idp, Scopes, Settings, SourceState, Tenant, TenantId};
use crate::error::{Error, Result};
use crate::scim::{Quirk, Types};
use crate::service::types;
use crate::store::Conn;
use crate::store::rows::{self, Line};
use crate::store::tables::TABLES;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Checks the tenants; all of them, those that cannot be read with settings by default.
pub(super) fn tenants(conn: &mut Conn, report: &mut Report) -> Result<HashMap<i64, Tenant>> {
    const AT_ONCE: i64 = 500;
    let mut out = HashMap::new();
    let Some(table) = TABLES.iter().find(|t| t.name == "tenants") else { return Ok(out) };
    let mut last: Option<Line> = None;
    loop {
        let mut lines = rows::page(conn, table, last.as_ref(), AT_ONCE)?;
        for line in &lines {
            let tenant = tenant(line, report);
            out.insert(tenant.id.0, tenant);
        }
        match lines.pop() {
            Some(line) => last = Some(line),
            None => return Ok(out),
        }
    }
}

/// What tenants have declared. What cannot be read is as if it had not been.
pub(super) fn types<'a>(
    conn: &mut Conn,
    tenants: impl Iterator<Item = &'a Tenant>,
    report: &mut Report,
) -> Result<HashMap<i64, Arc<Types>>> {
    let mut out = HashMap::new();
    for tenant in tenants.filter(|t| t.types != 0) {
        match types::of(conn, tenant) {
            Ok(types) => drop(out.insert(tenant.id.0, types)),
            Err(Error::Internal(why)) => {
                report.add("tenant_schemas", Some(tenant.id.0), &tenant.name, "a declaration cannot be read", &why);
            }
            Err(other) => return Err(other),
        }
    }
    Ok(out)
}

fn tenant(line: &Line, report: &mut Report) -> Tenant {
    let name = line.text("name").unwrap_or_default();
    let idp = line.text("idp").unwrap_or_default().parse::<Idp>();
    if let Err(why) = &idp {
        report.add("tenants", None, name, "the identity provider is not known", why);
    }
    let read = serde_json::from_str::<Settings>(line.text("settings").unwrap_or_default());
    let settings = match read.map_err(|e| e.to_string()).and_then(|s| s.check().map(|()| s)) {
        Ok(settings) => settings,
        Err(why) => {
            report.add("tenants", None, name, "the settings are not in order", &why);
            Settings::default()
        }
    };
    Tenant {
        id: TenantId(line.number("id").unwrap_or(0)),
        name: name.to_owned(),
        idp: idp.unwrap_or(Idp::Auto),
        unique_group_names: line.flag("unique_group_names").unwrap_or(false),
        created_at: line.number("created_at").unwrap_or(0),
        settings,
        version: line.number("version").unwrap_or(1),
        suspended: line.text("suspended").map(str::to_owned),
        types: line.number("types").unwrap_or(0),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every check of rows has the same type")]
pub(super) fn tokens(_: &mut Conn, _: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    for line in lines {
        if let Err(why) = Scopes::parse(line.text("scopes").unwrap_or_default()) {
            report.add("tokens", line.number("tenant_id"), line.text("id").unwrap_or_default(), "the scopes are not known", &why);
        }
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "every check of rows has the same type")]
pub(super) fn keys(_: &mut Conn, _: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    for line in lines {
        if let Err(why) = Scopes::parse_admin(line.text("scopes").unwrap_or_default()) {
            report.add("admin_keys", line.number("tenant_id"), line.text("id").unwrap_or_default(), "the scopes are not known", &why);
        }
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "every check of rows has the same type")]
pub(super) fn sources(_: &mut Conn, _: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    for line in lines {
        let text = |name| line.text(name).unwrap_or_default();
        let tolerances = serde_json::from_str::<BTreeMap<String, bool>>(text("tolerances"));
        let sound = SourceState::of(text("state")).is_some()
            && line.text("idp").is_none_or(|i| i.parse::<Idp>().is_ok())
            && serde_json::from_str::<Capabilities>(text("capabilities")).is_ok()
            && tolerances.is_ok_and(|all| all.keys().all(|name| Quirk::named(name).is_some()));
        if !sound {
            report.add("sources", line.number("tenant_id"), text("name"), "it cannot be read", "");
        }
    }
    Ok(())
}
