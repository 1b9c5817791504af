//! How far a bulk request has come: what is done, and what is to be done next.

use super::{Body, Done, Ids, Part, body_of};
use crate::error::Error;
use crate::scim::bulk::order::{self, Unit};
use crate::scim::bulk::{Operation, Request};
use crate::service::Ctx;
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Most operations of one transaction, so that other writers get their turn.
const MOST_OPERATIONS: usize = 50;
/// About how many JSON values they have at most.
const MOST_VALUES: usize = 5000;

/// A bulk request under way.
#[derive(Debug)]
pub struct Progress {
    request: Arc<Request>,
    /// In the order in which they are to be done.
    waiting: VecDeque<Unit>,
    /// How many of these have to be done by themselves, because together they failed.
    alone: usize,
    ids: Ids,
    done: Vec<Done>,
}

impl Progress {
    /// Nothing is done yet.
    #[must_use]
    pub fn new(request: Request) -> Self {
        let waiting = order::units(&request.operations).into();
        Self { request: Arc::new(request), waiting, alone: 0, ids: HashMap::new(), done: Vec::new() }
    }

    /// Whether anything is done.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.done.is_empty()
    }

    /// The operations of the next transaction; `None` when there is nothing more to do, or too much has failed.
    pub fn next(&mut self, ctx: &Ctx) -> Option<Part> {
        let errors = self.done.iter().filter(|d| d.outcome.is_err()).count();
        let most_errors = self.request.fail_on_errors.unwrap_or(usize::MAX).saturating_sub(errors);
        let units = if most_errors == 0 { Vec::new() } else { self.next_units() };
        let bodies = units.iter().flatten().filter_map(|at| Some((*at, self.body(ctx, *at)?))).collect();
        let (ctx, request, ids) = (ctx.clone(), self.request.clone(), self.ids.clone());
        (!units.is_empty()).then_some(Part { ctx, request, units, ids, bodies, most_errors })
    }

    fn next_units(&mut self) -> Vec<Unit> {
        if self.alone > 0 {
            self.alone -= 1;
            return self.waiting.pop_front().into_iter().collect();
        }
        let (mut units, mut operations, mut values) = (Vec::new(), 0, 0);
        while let Some(unit) = self.waiting.front() {
            let size: usize = unit.iter().filter_map(|at| self.request.operations.get(*at)).map(size).sum();
            if operations > 0 && (operations + unit.len() > MOST_OPERATIONS || values + size > MOST_VALUES) {
                break;
            }
            operations += unit.len();
            values += size;
            units.extend(self.waiting.pop_front());
        }
        units
    }

    /// What an operation sends, when nothing in it has to wait. What cannot be read is read again in its turn, which says why.
    fn body(&self, ctx: &Ctx, at: usize) -> Option<Body> {
        let operation = self.request.operations.get(at)?;
        let task = operation.task.as_ref().ok()?;
        // What is tolerated is told when it is done.
        let ctx = &Ctx { trace: Arc::default(), ..ctx.clone() };
        let known = operation.references.iter().all(|name| self.ids.get(name).is_some_and(Option::is_some));
        if known { body_of(ctx, task, &self.ids).ok() } else { None }
    }

    /// Takes what a transaction has brought about. It may have stopped early.
    pub fn take(&mut self, done: Vec<Done>) {
        for one in &done {
            self.request.learn(&mut self.ids, one);
        }
        self.done.extend(done);
    }

    /// A transaction has failed as a whole: its units are tried again, each by itself; one that was by itself has failed.
    pub fn failed(&mut self, part: &Part, why: &Error) {
        if let [unit] = part.units.as_slice() {
            let copy = || match why {
                Error::Busy(text) => Error::Busy(text.clone()),
                other => Error::Internal(other.to_string()),
            };
            return self.take(unit.iter().map(|at| Done { at: *at, ctx: part.ctx_of(*at, None), outcome: Err(copy()) }).collect());
        }
        self.alone = part.units.len();
        for unit in part.units.iter().rev() {
            self.waiting.push_front(unit.clone());
        }
    }

    /// The request, and what became of its operations, in the order of the request; those that were not done are missing.
    #[must_use]
    pub fn end(mut self) -> (Arc<Request>, Vec<Done>) {
        self.done.sort_by_key(|d| d.at);
        (self.request, self.done)
    }
}

fn size(operation: &Operation) -> usize {
    operation.task.as_ref().map_or(0, |task| values(&task.data))
}

fn values(map: &Map<String, Value>) -> usize {
    fn of(value: &Value) -> usize {
        match value {
            Value::Array(list) => 1 + list.iter().map(of).sum::<usize>(),
            Value::Object(map) => 1 + values(map),
            _ => 1,
        }
    }
    map.values().map(of).sum()
}
