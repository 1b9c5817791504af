//! Any bytes as a PATCH body: it is refused, or the result is a resource that can be read again.
#![no_main]
#![allow(dead_code, reason = "only a part of the protocol is used here")]

#[path = "../../src/scim/mod.rs"]
mod scim;

use libfuzzer_sys::fuzz_target;
use scim::ResourceType;
use scim::dialect::{Declared, Reading};
use scim::schema::ResourceKind;

const DOC: &[u8] = br#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a",
  "emails":[{"value":"x","type":"work","primary":true},{"value":"y"}],"name":{"familyName":"f"}}"#;

fuzz_target!(|body: &[u8]| {
    let Ok(map) = scim::json::object(body, 32) else { return };
    let user = ResourceType::of(ResourceKind::User);
    let group = ResourceType::of(ResourceKind::Group);
    let mut reading = Reading::of(Declared::Entra);
    if let Ok(operations) = scim::message::patch_op(group, map.clone(), 100, &mut reading) {
        let _ = scim::members::split(group, operations, &mut reading);
    }
    let Ok(operations) = scim::message::patch_op(user, map, 100, &mut reading) else { return };
    let start = scim::json::object(DOC, 32).expect("the document is JSON");
    let mut doc = scim::resource::read(user, start, &mut Reading::of(Declared::Rfc)).expect("the document is a user");
    if scim::patch::apply(user, "id", &mut doc, operations, &mut reading).is_ok() {
        let again = scim::resource::read(user, doc.clone(), &mut Reading::of(Declared::Rfc)).expect("a patched user is a user");
        assert_eq!(doc, again, "a patched user is canonical");
    }
});
