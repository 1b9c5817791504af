//! `rollbook code`.

use super::roll_args::{CodeCommand, One};
use super::{Outcome, desk::Desk, say};
use crate::config::Config;
use crate::scim::value::write_time;
use crate::service::codes::{self, Slip};
use askama::Template;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

pub fn run(config: &Config, actor: &str, command: &CodeCommand) -> Outcome {
    let open = |tenant: &str| Desk::open(config, actor, tenant);
    match command {
        CodeCommand::Issue(one) => shown(&open(&one.tenant)?.write(|c, act| codes::issue(c, act, &one.member))?, one),
        CodeCommand::Show(one) => shown(&open(&one.tenant)?.write(|c, act| codes::show(c, act, &one.member))?, one),
        CodeCommand::Revoke(one) => {
            open(&one.tenant)?.write(|c, act| codes::revoke(c, act, &one.member))?;
            if one.json { say(&json!({"revoked": true}).to_string()) } else { say(&format!("the code of {} is dead", one.member)) }
        }
        CodeCommand::Export { tenant, to, html } => export(&mut open(tenant)?, config, to, *html),
    }
}

fn slip_json(s: &Slip) -> Value {
    json!({"id": s.id, "name": s.name, "employeeNumber": s.employee, "code": s.code, "expires": write_time(s.expires_at)})
}

fn shown(slip: &Slip, one: &One) -> Outcome {
    if one.json {
        return say(&slip_json(slip).to_string());
    }
    say(&slip.code)?;
    say(&format!("\nThis is the access code of {}, until {}. Whoever has it can open the account.", slip.name, write_time(slip.expires_at)))
}

/// A page with one slip for each person.
#[derive(Template)]
#[template(path = "codes.html")]
struct Page<'a> {
    organisation: &'a str,
    address: String,
    slips: Vec<Printed<'a>>,
}

struct Printed<'a> {
    name: &'a str,
    employee: &'a str,
    code: &'a str,
    until: String,
}

fn export(desk: &mut Desk, config: &Config, to: &Path, html: bool) -> Outcome {
    let slips = desk.write(codes::export)?;
    let address = format!("{}/claim", config.origin(&config.listen));
    let text = if html { page(desk, address, &slips)? } else { csv(&address, &slips) };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(to).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| format!("{}: {e}", to.display()))?;
    say(&format!("{} code(s) written to {}; whoever reads the file can open these accounts", slips.len(), to.display()))
}

fn page(desk: &Desk, address: String, slips: &[Slip]) -> Result<String, String> {
    Page { organisation: desk.organisation(), address, slips: slips.iter().map(printed).collect() }.render().map_err(|e| e.to_string())
}

fn printed(s: &Slip) -> Printed<'_> {
    Printed { name: &s.name, employee: s.employee.as_deref().unwrap_or(""), code: &s.code, until: day(s.expires_at) }
}

fn day(time: i64) -> String {
    write_time(time).chars().take(10).collect()
}

fn csv(address: &str, slips: &[Slip]) -> String {
    let mut out = "Name,Employee ID,Access code,Valid until,Link\r\n".to_owned();
    for s in slips {
        let link = format!("{address}/code/{}", s.code);
        let cells = [s.name.as_str(), s.employee.as_deref().unwrap_or(""), &s.code, &day(s.expires_at), &link].map(cell);
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// A quoted cell. One that a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        assert_eq!(cell("Sam \"S\" Example"), "\"Sam \"\"S\"\" Example\"");
        for text in ["=1+1", "+1", "-1", "@x", "\tx"] {
            assert!(cell(text).starts_with("\"'"), "{text}");
        }
        let slip = Slip { id: "1".into(), name: "=cmd".into(), employee: None, code: "ABCD-EFGH-JKMN-PQRS".into(), expires_at: 0 };
        let text = csv("https://x/claim", &[slip]);
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "\"'=cmd\",\"\",\"ABCD-EFGH-JKMN-PQRS\",\"1970-01-01\",\"https://x/claim/code/ABCD-EFGH-JKMN-PQRS\""
        );
    }
}
