//! Letters that wait or were sent.

use super::{Known, Report, sealed};
use crate::error::Result;
use crate::service::letters::Kind;
use crate::store::Conn;
use crate::store::rows::Line;

pub(super) fn check(conn: &mut Conn, known: &Known, lines: &[Line], report: &mut Report) -> Result<()> {
    for line in lines {
        let fault = match line.text("kind").and_then(Kind::of) {
            None => Some("the kind is not known"),
            Some(Kind::Member(_)) if line.text("person").is_none() => Some("it is to a member, but names none"),
            Some(Kind::Digest | Kind::Frozen | Kind::TokenExpires) if line.text("person").is_some() => {
                Some("it is to the admins, but names a member")
            }
            Some(Kind::Member(_) | Kind::Digest | Kind::Frozen | Kind::Recovered | Kind::TokenExpires) => None,
        };
        if let Some(what) = fault {
            report.add("outbox", line.number("tenant_id"), line.text("id").unwrap_or_default(), what, "");
        }
    }
    let to_members = |line: &&Line| matches!(line.text("kind").and_then(Kind::of), Some(Kind::Member(_)));
    let to_members: Vec<&Line> = lines.iter().filter(to_members).collect();
    sealed::details(conn, known, "outbox", &to_members, report)
}
