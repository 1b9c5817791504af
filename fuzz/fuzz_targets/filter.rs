//! Any text as a filter: it is refused or it evaluates, under both the strictest and the most tolerant reading.
#![no_main]
#![allow(dead_code, reason = "only a part of the protocol is used here")]

#[path = "../../src/scim/mod.rs"]
mod scim;

use libfuzzer_sys::fuzz_target;
use scim::dialect::{Declared, Reading};
use scim::parse::Limits;
use scim::schema::resource_types;

const DOC: &str = r#"{"userName":"a","active":true,"emails":[{"value":"x","type":"work","primary":true}],
  "name":{"familyName":"y"},"displayName":"z","meta":{"created":"2026-01-01T00:00:00Z"}}"#;

fuzz_target!(|text: &str| {
    let doc: serde_json::Value = serde_json::from_str(DOC).expect("the document is JSON");
    let doc = doc.as_object().expect("the document is an object");
    for declared in [Declared::Rfc, Declared::Entra] {
        for rt in resource_types() {
            if let Ok(filter) = scim::filter::resolve(rt, text, Limits::default(), &mut Reading::of(declared)) {
                let _ = scim::matches::resource(&filter, doc);
            }
        }
    }
    let _ = scim::parse::path(text, Limits::default(), &mut Reading::of(Declared::Entra));
});
