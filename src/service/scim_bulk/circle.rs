//! Resources that name each other in a circle: all of them are created, or none.
//!
//! Each is created without the references to those that do not exist yet. When all exist, each of these is replaced by what its
//! operation really says.

use super::{Body, Done, Guard, Ids, Part, Success, body_of, success};
use crate::error::{Error, Result};
use crate::scim;
use crate::scim::bulk::order::Unit;
use crate::scim::bulk::{Operation, Task, references};
use crate::scim::error::shown;
use crate::service::etag::Conditions;
use crate::service::{Ctx, etag, kind_of, read, render, write};
use crate::store::{Conn, resources};

/// One operation of the circle.
struct Link<'a> {
    at: usize,
    name: &'a str,
    task: &'a Task,
    ctx: Ctx,
}

/// Does the operations of a unit together. The error gives up the transaction.
pub(super) fn close(conn: &mut Conn, part: &Part, unit: &Unit, ids: &Ids, guard: &Guard) -> Result<Vec<Done>> {
    let mut links = Vec::new();
    for at in unit {
        let operation = part.operation(*at)?;
        match Part::ready(operation, ids) {
            Ok(task) => {
                let name = operation.creates().unwrap_or_default();
                links.push(Link { at: *at, name, task, ctx: part.ctx_of(*at, guard.ledger()) });
            }
            Err(why) => return Ok(failed(part, unit, *at, why)),
        }
    }
    // Where it goes wrong, if it does.
    let mut under_way = links.first().map_or(0, |link| link.at);
    let outcome = guard.run(conn, |conn| all(conn, &links, ids, &mut under_way))?;
    Ok(match outcome {
        Ok(successes) => {
            links.into_iter().zip(successes).map(|(link, success)| Done { at: link.at, ctx: link.ctx, outcome: Ok(success) }).collect()
        }
        Err(why) => failed(part, unit, under_way, why),
    })
}

fn all(conn: &mut Conn, links: &[Link<'_>], ids: &Ids, under_way: &mut usize) -> Result<Vec<Success>> {
    let mut ids = ids.clone();
    let (mut successes, mut incomplete) = (Vec::new(), Vec::new());
    for link in links {
        *under_way = link.at;
        let missing = |name: &str| links.iter().any(|l| l.name == name) && !ids.contains_key(name);
        let mut task = link.task.clone();
        references::leave_out(&mut task.data, &missing);
        let Body::New(wanted) = body_of(&link.ctx, &task, &ids)? else { return Err(no_post()) };
        let saved = write::create(conn, &link.ctx, &task.rt, &wanted)?;
        if task.data != link.task.data {
            incomplete.push((link, saved.row.id.clone()));
        }
        ids.insert(link.name.to_owned(), Some(saved.row.id.clone()));
        successes.push(success(&link.ctx, &saved));
    }
    for (link, id) in incomplete {
        *under_way = link.at;
        let Body::New(mut wanted) = body_of(&link.ctx, link.task, &ids)? else { return Err(no_post()) };
        // They were recorded when it was created.
        wanted.reading.notes.clear();
        write::replace(conn, &link.ctx, &link.task.rt, &id, &wanted, &Conditions::default())?;
    }
    // One of them may show something of another.
    for (link, success) in links.iter().zip(&mut successes) {
        success.etag = Some(tag(conn, link, &success.id)?);
    }
    Ok(successes)
}

fn no_post() -> Error {
    Error::Internal("an operation in a circle is no POST".to_owned())
}

fn tag(conn: &mut Conn, link: &Link<'_>, id: &str) -> Result<String> {
    let row = read::found(resources::find(conn, link.ctx.tenant_id(), kind_of(link.task.rt.kind), id)?, &link.task.rt, id)?;
    let extras = render::extras(conn, &link.ctx, &row)?;
    Ok(etag::of(&row, &extras))
}

/// One operation has failed, and all of them with it.
fn failed(part: &Part, unit: &Unit, culprit: usize, why: Error) -> Vec<Done> {
    let name = part.operation(culprit).ok().and_then(Operation::creates).unwrap_or_default();
    let undone = format!("undone: it and bulkId:{0} name each other, if only through others, and bulkId:{0} failed", shown(name));
    let others = unit.iter().filter(|at| **at != culprit).map(|at| (*at, Error::Scim(scim::Error::status(409, undone.clone()))));
    std::iter::once((culprit, why)).chain(others).map(|(at, why)| Done { at, ctx: part.ctx_of(at, None), outcome: Err(why) }).collect()
}
