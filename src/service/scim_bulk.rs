//! The operations of a bulk request (RFC 7644 §3.7): some in each transaction, each in a savepoint of its own, by the functions that
//! do single requests.

mod circle;
mod progress;

pub use progress::Progress;

use super::etag::{self, Conditions, Tags};
use super::passwords::{self, Wish};
use super::write::{self, Change, Saved, Wanted};
use super::{Ctx, Ledger, kind_of, read, render};
use crate::error::{Error, Result};
use crate::scim::bulk::order::Unit;
use crate::scim::bulk::path::Id;
use crate::scim::bulk::{Method, Operation, Request, Task, references};
use crate::scim::{self, error::shown};
use crate::store::{Conn, backend, turns};
use std::collections::HashMap;
use std::sync::Arc;

/// The ids that belong to bulkIds so far; `None` when the operation has failed.
type Ids = HashMap<String, Option<String>>;

/// What became of an operation, by its place in the request.
#[derive(Debug)]
pub struct Done {
    pub at: usize,
    /// The operation as a request of its own.
    pub ctx: Ctx,
    pub outcome: Result<Success>,
}

/// What an operation has brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    pub status: u16,
    pub id: String,
    pub location: String,
    /// None when the resource is gone.
    pub etag: Option<String>,
}

/// The operations of one transaction.
#[derive(Debug)]
pub struct Part {
    ctx: Ctx,
    request: Arc<Request>,
    units: Vec<Unit>,
    ids: Ids,
    /// The bodies that could be read without waiting for an operation of the same part.
    bodies: HashMap<usize, Body>,
    /// After how many errors nothing more is done.
    most_errors: usize,
}

/// What an operation sends, its references resolved.
#[derive(Debug)]
enum Body {
    New(Wanted),
    Whole(Wanted),
    Change(Change),
    Nothing,
}

/// Does the operations of a part, in the transaction under way. An operation that fails leaves nothing behind, and the others are kept.
///
/// # Errors
/// When the transaction has to be given up, because the database failed or others were in the way.
pub fn run(conn: &mut Conn, part: &Part) -> Result<Vec<Done>> {
    turns::take(conn, part.ctx.tenant_id())?;
    // Mostly nothing fails: then it takes half the statements.
    let together = backend::savepoint(conn, |conn| {
        let ledger = Arc::new(Ledger::default());
        let done = part.all(conn, &Guard::Together(ledger.clone()))?;
        ledger.write(conn, part.ctx.tenant_id())?;
        Ok(done)
    });
    match together {
        Err(e) if !gives_up(&e) => part.all(conn, &Guard::Each),
        done => done,
    }
}

/// What is undone when an operation fails.
#[derive(Debug)]
enum Guard {
    /// All of the part. The failure is the part's. Until the end some of what is written is only in the ledger.
    Together(Arc<Ledger>),
    /// The operation.
    Each,
}

impl Guard {
    /// Does what belongs together.
    fn run<T>(&self, conn: &mut Conn, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<Result<T>> {
        match self {
            Self::Together(_) => work(conn).map(Ok),
            Self::Each => settled(backend::savepoint(conn, work)),
        }
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        match self {
            Self::Together(ledger) => Some(ledger.clone()),
            Self::Each => None,
        }
    }
}

impl Request {
    /// Remembers the id that an operation has given to its bulkId.
    fn learn(&self, ids: &mut Ids, done: &Done) {
        if let Some(name) = self.operations.get(done.at).and_then(Operation::creates) {
            ids.insert(name.to_owned(), done.outcome.as_ref().ok().map(|s| s.id.clone()));
        }
    }
}

impl Part {
    fn all(&self, conn: &mut Conn, guard: &Guard) -> Result<Vec<Done>> {
        let mut ids = self.ids.clone();
        let mut all: Vec<Done> = Vec::new();
        for unit in &self.units {
            if all.iter().filter(|d| d.outcome.is_err()).count() >= self.most_errors {
                break;
            }
            for done in self.unit(conn, unit, &ids, guard)? {
                self.request.learn(&mut ids, &done);
                all.push(done);
            }
        }
        Ok(all)
    }

    fn unit(&self, conn: &mut Conn, unit: &Unit, ids: &Ids, guard: &Guard) -> Result<Vec<Done>> {
        match unit.as_slice() {
            [at] if !self.operation(*at)?.names_itself() => {
                let ctx = self.ctx_of(*at, guard.ledger());
                Ok(vec![Done { at: *at, outcome: self.one(conn, &ctx, *at, ids, guard)?, ctx }])
            }
            _ => circle::close(conn, self, unit, ids, guard),
        }
    }

    fn operation(&self, at: usize) -> Result<&Operation> {
        self.request.operations.get(at).ok_or_else(|| Error::Internal(format!("there is no operation {at}")))
    }

    /// One operation that is in no circle. The outer error is the part's.
    fn one(&self, conn: &mut Conn, ctx: &Ctx, at: usize, ids: &Ids, guard: &Guard) -> Result<Result<Success>> {
        let operation = self.operation(at)?;
        let task = match Self::ready(operation, ids) {
            Ok(task) => task,
            Err(why) => return Ok(Err(why)),
        };
        guard.run(conn, |conn| {
            let id = task.id.as_ref().map(|id| real(id, ids)).transpose()?;
            if let Some(body) = self.bodies.get(&at) {
                return perform(conn, ctx, task, id, body);
            }
            match body_of(ctx, task, ids) {
                Ok(body) => perform(conn, ctx, task, id, &body),
                Err(fault) => refuse(conn, ctx, task, id, fault),
            }
        })
    }

    /// What an operation asks for, unless it cannot be read, or names what was not created.
    fn ready<'a>(operation: &'a Operation, ids: &Ids) -> Result<&'a Task> {
        let task = operation.task.as_ref().map_err(|fault| Error::Scim(fault.clone()))?;
        match operation.references.iter().find(|name| ids.get(*name) == Some(&None)) {
            Some(name) => Err(not_created(name)),
            None => Ok(task),
        }
    }

    /// The request as if the operation were all of it.
    fn ctx_of(&self, at: usize, ledger: Option<Arc<Ledger>>) -> Ctx {
        let operation = self.request.operations.get(at);
        let path = operation.and_then(|o| o.path.as_deref()).unwrap_or_default();
        let path = path.strip_prefix(&*self.ctx.base).unwrap_or(path).trim_start_matches('/');
        let root = self.ctx.target.strip_suffix("/Bulk").unwrap_or(&self.ctx.target);
        let method = operation.and_then(|o| o.task.as_ref().ok()).map_or("BULK", |task| task.method.name());
        Ctx { method, target: format!("{root}/{path}"), ledger, trace: Arc::new(self.ctx.trace.part()), ..self.ctx.clone() }
    }

    /// The operations with a password to be hashed, with the id of the user whose it is if there is one already.
    #[must_use]
    pub fn passwords(&self) -> Vec<(usize, Option<String>)> {
        let id = |at: usize| match self.request.operations.get(at)?.task.as_ref().ok()?.id.as_ref()? {
            Id::Known(id) => Some(id.clone()),
            Id::Bulk(name) => self.ids.get(name).cloned().flatten(),
        };
        self.bodies.iter().filter(|(_, body)| body.password().is_some_and(Wish::is_unhashed)).map(|(at, _)| (*at, id(*at))).collect()
    }

    /// Hashes them. `kept` are the hashes that are kept already, by operation.
    ///
    /// # Errors
    /// When one cannot be hashed.
    pub fn hash(&mut self, kept: &HashMap<usize, String>) -> Result<()> {
        for (at, body) in &mut self.bodies {
            if let Some(wish) = body.password_mut().filter(|wish| wish.is_unhashed()) {
                wish.hash(kept.get(at).map(String::as_str))?;
            }
        }
        Ok(())
    }
}

impl Body {
    fn password(&self) -> Option<&Wish> {
        match self {
            Self::New(wanted) | Self::Whole(wanted) => Some(&wanted.password),
            Self::Change(change) => Some(&change.password),
            Self::Nothing => None,
        }
    }

    fn password_mut(&mut self) -> Option<&mut Wish> {
        match self {
            Self::New(wanted) | Self::Whole(wanted) => Some(&mut wanted.password),
            Self::Change(change) => Some(&mut change.password),
            Self::Nothing => None,
        }
    }
}

/// The hashes that are kept of users, by operation.
///
/// # Errors
/// When the database fails.
pub fn kept(conn: &mut Conn, ctx: &Ctx, owners: &[(usize, Option<String>)]) -> Result<HashMap<usize, String>> {
    let mut all = HashMap::new();
    for (at, id) in owners {
        if let Some(hash) = id.as_ref().map(|id| passwords::kept(conn, ctx, id)).transpose()?.flatten() {
            all.insert(*at, hash);
        }
    }
    Ok(all)
}

impl Operation {
    fn names_itself(&self) -> bool {
        self.creates().is_some_and(|own| self.references.iter().any(|name| name == own))
    }
}

/// Parts the failures of an operation from those that give up the transaction.
fn settled<T>(outcome: Result<T>) -> Result<Result<T>> {
    match outcome {
        Err(e) if gives_up(&e) => Err(e),
        other => Ok(other),
    }
}

/// Whether a failure says nothing of the operation.
fn gives_up(e: &Error) -> bool {
    matches!(e, Error::Busy(_) | Error::Internal(_))
}

fn not_created(name: &str) -> Error {
    Error::Scim(scim::Error::status(409, format!("bulkId:{} was not created, because its operation failed", shown(name))))
}

fn real<'a>(id: &'a Id, ids: &'a Ids) -> Result<&'a str> {
    match id {
        Id::Known(id) => Ok(id),
        Id::Bulk(name) => ids.get(name).and_then(Option::as_deref).ok_or_else(|| not_created(name)),
    }
}

/// Reads what an operation sends.
fn body_of(ctx: &Ctx, task: &Task, ids: &Ids) -> Result<Body> {
    let mut data = task.data.clone();
    references::each(&mut data, task.method == Method::Patch, &mut |name, _| ids.get(name)?.clone());
    Ok(match task.method {
        Method::Post => Body::New(write::wanted(ctx, &task.rt, data)?),
        Method::Put => Body::Whole(write::wanted(ctx, &task.rt, data)?),
        Method::Patch => Body::Change(write::change(ctx, &task.rt, data)?),
        Method::Delete => Body::Nothing,
    })
}

fn conditions(task: &Task) -> Conditions {
    Conditions { if_match: task.version.as_deref().map(Tags::parse), if_none_match: None }
}

fn perform(conn: &mut Conn, ctx: &Ctx, task: &Task, id: Option<&str>, body: &Body) -> Result<Success> {
    let (rt, conditions, id) = (&*task.rt, conditions(task), id.unwrap_or_default());
    let saved = match body {
        Body::New(wanted) => write::create(conn, ctx, rt, wanted)?,
        Body::Whole(wanted) => write::replace(conn, ctx, rt, id, wanted, &conditions)?,
        Body::Change(change) => write::patch(conn, ctx, rt, id, change, &conditions)?,
        Body::Nothing => {
            write::delete(conn, ctx, rt, id, &conditions)?;
            let location = render::location(ctx, kind_of(rt.kind), id);
            return Ok(Success { status: 204, id: id.to_owned(), location, etag: None });
        }
    };
    Ok(success(ctx, &saved))
}

fn success(ctx: &Ctx, saved: &Saved) -> Success {
    Success {
        status: if saved.created { 201 } else { 200 },
        id: saved.row.id.clone(),
        location: render::location(ctx, saved.row.kind, &saved.row.id),
        etag: Some(etag::of(&saved.row, &saved.extras)),
    }
}

/// Why an operation fails whose data cannot be read.
fn refuse(conn: &mut Conn, ctx: &Ctx, task: &Task, id: Option<&str>, fault: Error) -> Result<Success> {
    let Some(id) = id else { return Err(fault) };
    match read::before_body(conn, ctx, &task.rt, id, &conditions(task), fault)? {}
}
