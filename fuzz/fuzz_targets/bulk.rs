//! Any bytes as a bulk request: it is refused, or every operation has its turn after those that it names, and no reference is left.
#![no_main]
#![allow(dead_code, reason = "only a part of the protocol is used here")]

#[path = "../../src/scim/mod.rs"]
mod scim;

use libfuzzer_sys::fuzz_target;
use scim::bulk::count::Counter;
use scim::bulk::{Method, Request, order, references};
use scim::dialect::{Declared, Reading};
use std::collections::HashMap;

const MOST: usize = 100;

fuzz_target!(|body: &[u8]| {
    let counted = Counter::default().feed(body);
    let Ok(map) = scim::json::object(body, 32) else { return };
    let Ok(mut request) = scim::bulk::read(map, &scim::types::Types::standard(), "https://host/scim/v2", MOST, &mut Reading::of(Declared::Auto)) else { return };
    // A name with an escape in it is not recognised while the body comes in.
    assert!(counted == request.operations.len() || body.contains(&b'\\'), "{counted} operations were counted");
    in_turn(&request);
    for operation in &mut request.operations {
        let Ok(task) = &mut operation.task else { continue };
        let (patch, names) = (task.method == Method::Patch, &operation.references);
        let mut rest = task.data.clone();
        references::each(&mut task.data, patch, &mut |name, _| names.iter().any(|n| n == name).then(|| "id".to_owned()));
        references::each(&mut task.data, patch, &mut |name, _| {
            assert!(!names.iter().any(|n| n == name), "{name} is left");
            None
        });
        references::leave_out(&mut rest, &|name| names.iter().any(|n| n == name));
    }
});

/// Every operation is in one unit, and the unit comes after those of the operations that it names.
fn in_turn(request: &Request) {
    let units = order::units(&request.operations);
    let turns: HashMap<usize, usize> = units.iter().enumerate().flat_map(|(turn, unit)| unit.iter().map(move |at| (*at, turn))).collect();
    assert_eq!((turns.len(), units.iter().map(Vec::len).sum()), (request.operations.len(), request.operations.len()));
    let creators: HashMap<&str, usize> = request.operations.iter().enumerate().filter_map(|(at, o)| Some((o.creates()?, at))).collect();
    for (at, operation) in request.operations.iter().enumerate() {
        for name in &operation.references {
            assert!(turns[&creators[name.as_str()]] <= turns[&at], "operation {at} does not wait for {name}");
        }
    }
}
