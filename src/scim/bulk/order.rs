//! In which order the operations of a bulk request are done.
//!
//! An operation that names a resource which a later one creates waits until that one is done. So does whatever comes after it and
//! is about a resource that it changes or names. Everything else is done in the order of the request. Operations that create
//! resources which name each other in a circle cannot wait for each other: they are one unit.

use super::path::Id;
use super::{Method, Operation};
use std::collections::HashMap;

/// Operations that are done together, by their place in the request, which they are sorted by. Nearly always it is one.
pub type Unit = Vec<usize>;

/// All operations, each in one unit, in the order in which the units are done.
#[must_use]
pub fn units(operations: &[Operation]) -> Vec<Unit> {
    let waits = waits(operations);
    // A unit is found after those that it waits for.
    let mut turns: HashMap<usize, Turn> = HashMap::new();
    let mut out: Vec<(Turn, Unit)> = Vec::new();
    for unit in Walk::new(&waits).units() {
        let before = unit.iter().filter_map(|at| waits.get(*at)).flatten().filter_map(|at| turns.get(at)).copied().max();
        let own = Turn { ready: unit.iter().copied().max().unwrap_or(0), step: 0 };
        let turn = match before {
            Some(before) if before.ready >= own.ready => Turn { step: before.step + 1, ..before },
            Some(_) | None => own,
        };
        turns.extend(unit.iter().map(|at| (*at, turn)));
        out.push((turn, unit));
    }
    out.sort_by(|(a, first), (b, second)| (a, first).cmp(&(b, second)));
    out.into_iter().map(|(_, unit)| unit).collect()
}

/// When a unit is done: after the operation at that place of the request, in that step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    ready: usize,
    step: usize,
}

/// For each operation, those that it has to wait for.
fn waits(operations: &[Operation]) -> Vec<Vec<usize>> {
    let creators: HashMap<&str, usize> = operations.iter().enumerate().filter_map(|(at, o)| Some((o.creates()?, at))).collect();
    // The latest operation on a resource, and those that have named one since.
    let mut latest: HashMap<(&str, &Id), usize> = HashMap::new();
    let mut naming: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut out = Vec::with_capacity(operations.len());
    for (at, operation) in operations.iter().enumerate() {
        let mut waits: Vec<usize> = operation.references.iter().filter_map(|name| creators.get(name.as_str()).copied()).collect();
        let target =
            operation.task.as_ref().ok().filter(|t| t.method != Method::Post).and_then(|t| Some((t.rt.endpoint.as_str(), t.id.as_ref()?)));
        if let Some(target) = target {
            waits.extend(latest.insert(target, at));
            if let Id::Bulk(name) = target.1 {
                waits.extend(naming.remove(name.as_str()).unwrap_or_default());
            }
        }
        for name in &operation.references {
            naming.entry(name).or_default().push(at);
        }
        out.push(waits);
    }
    out
}

/// Tarjan's search for what is connected in a circle, without recursion.
struct Walk<'a> {
    edges: &'a [Vec<usize>],
    nodes: Vec<Node>,
    /// Nodes that are not in a unit yet.
    open: Vec<usize>,
    numbers: usize,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// In the order of discovery, from 1; 0 before it.
    number: usize,
    /// The lowest number that is known to be reached from it.
    lowest: usize,
    is_open: bool,
    /// How many of its edges were followed.
    followed: usize,
}

impl<'a> Walk<'a> {
    fn new(edges: &'a [Vec<usize>]) -> Self {
        Self { edges, nodes: vec![Node::default(); edges.len()], open: Vec::new(), numbers: 0 }
    }

    fn units(mut self) -> Vec<Unit> {
        let mut out = Vec::new();
        for start in 0..self.edges.len() {
            let mut trail = Vec::new();
            self.enter(start, &mut trail);
            while let Some(at) = trail.last().copied() {
                match self.follow(at) {
                    Some(next) if self.number(next) == 0 => self.enter(next, &mut trail),
                    Some(next) => self.lower(at, self.nodes.get(next).filter(|n| n.is_open).map(|n| n.number)),
                    None => {
                        trail.pop();
                        let lowest = self.nodes.get(at).map(|n| n.lowest);
                        if let Some(before) = trail.last() {
                            self.lower(*before, lowest);
                        }
                        if lowest == Some(self.number(at)) {
                            out.push(self.close(at));
                        }
                    }
                }
            }
        }
        out
    }

    fn number(&self, at: usize) -> usize {
        self.nodes.get(at).map_or(0, |n| n.number)
    }

    fn enter(&mut self, at: usize, trail: &mut Vec<usize>) {
        let Some(node) = self.nodes.get_mut(at).filter(|n| n.number == 0) else { return };
        self.numbers += 1;
        *node = Node { number: self.numbers, lowest: self.numbers, is_open: true, followed: 0 };
        self.open.push(at);
        trail.push(at);
    }

    /// The next node that one leads to.
    fn follow(&mut self, at: usize) -> Option<usize> {
        let node = self.nodes.get_mut(at)?;
        let next = self.edges.get(at)?.get(node.followed).copied();
        node.followed += 1;
        next
    }

    fn lower(&mut self, at: usize, to: Option<usize>) {
        if let (Some(node), Some(to)) = (self.nodes.get_mut(at), to) {
            node.lowest = node.lowest.min(to);
        }
    }

    /// Ends the unit that was begun with a node.
    fn close(&mut self, first: usize) -> Unit {
        let from = self.open.iter().rposition(|at| *at == first).unwrap_or(self.open.len());
        let mut unit = self.open.split_off(from);
        for at in &unit {
            if let Some(node) = self.nodes.get_mut(*at) {
                node.is_open = false;
            }
        }
        unit.sort_unstable();
        unit
    }
}

#[cfg(test)]
mod tests {
    use super::super::BULK_REQUEST_URN;
    use super::*;
    use crate::scim::dialect::{Declared, Reading};
    use serde_json::{Map, Value, json};

    /// Operations in short: `a:b,c` creates `a` and names the others, `/a:b` changes `a`, `x:b` changes a resource that is there already.
    fn order(text: &str) -> Vec<Unit> {
        let operations: Vec<Value> = text
            .split(' ')
            .map(|word| {
                let (what, names) = word.split_once(':').unwrap();
                let members: Vec<Value> = names.split(',').filter(|n| !n.is_empty()).map(|n| json!(format!("bulkId:{n}"))).collect();
                let data = json!({"members": members});
                match what.strip_prefix('/') {
                    Some(name) => json!({"method": "PATCH", "path": format!("/Groups/bulkId:{name}"), "data": data}),
                    None if what.len() > 1 => json!({"method": "PATCH", "path": format!("/Groups/{what}"), "data": data}),
                    None => json!({"method": "POST", "path": "/Groups", "bulkId": what, "data": data}),
                }
            })
            .collect();
        let mut body = Map::new();
        body.insert("schemas".to_owned(), json!([BULK_REQUEST_URN]));
        body.insert("Operations".to_owned(), Value::Array(operations));
        units(
            &super::super::read(body, &crate::scim::types::Types::standard(), "https://host", 1000, &mut Reading::of(Declared::Rfc))
                .unwrap()
                .operations,
        )
    }

    #[test]
    fn who_names_nobody_later_is_not_moved() {
        assert_eq!(order("a: b:a c:a,b /a: /a:c xx:"), [[0], [1], [2], [3], [4], [5]]);
    }

    #[test]
    fn who_names_somebody_later_waits() {
        assert_eq!(order("a:c b: c: d:"), [[1], [2], [0], [3]]);
        assert_eq!(order("a:b b:c c:d d: e:"), [[3], [2], [1], [0], [4]]);
        assert_eq!(order("/a: b:a a:"), [[2], [0], [1]]);
    }

    #[test]
    fn order_on_one_resource_is_kept() {
        // xx waits for a, and the second change of xx for the first.
        assert_eq!(order("xx:a yy: xx: a:"), [[1], [3], [0], [2]]);
        // The change of b comes after c, which names b and waits for d.
        assert_eq!(order("b: c:b,d /b: d:"), [vec![0], vec![3], vec![1], vec![2]]);
    }

    #[test]
    fn circles_are_one_unit() {
        assert_eq!(order("a:b b:a"), [[0, 1]]);
        assert_eq!(order("x: a:b y:a b:c c:a /a:"), [vec![0], vec![1, 3, 4], vec![2], vec![5]]);
        assert_eq!(order("a:b b:a,c c:d d:c e:a"), [vec![2, 3], vec![0, 1], vec![4]]);
        assert_eq!(order("a:a"), [[0]]);
    }

    #[test]
    fn long_chains_are_no_burden() {
        let edges: Vec<Vec<usize>> = (0..100_000).map(|n| if n + 1 < 100_000 { vec![n + 1] } else { vec![0] }).collect();
        assert_eq!(Walk::new(&edges).units().len(), 1);
        let edges: Vec<Vec<usize>> = (0..100_000).map(|n| if n > 0 { vec![n - 1] } else { Vec::new() }).collect();
        assert_eq!(Walk::new(&edges).units().len(), 100_000);
    }
}
