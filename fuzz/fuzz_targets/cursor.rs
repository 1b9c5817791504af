//! Any text as a cursor: it is refused, and never mistaken for one that was issued.
#![no_main]
#![allow(dead_code, reason = "only a part of the protocol is used here")]

#[path = "../../src/scim/mod.rs"]
mod scim;

/// What a cursor names of the rest of the program.
mod domain {
    #[derive(Debug, Clone, Copy)]
    pub struct TenantId(pub i64);
}
mod store {
    pub mod sort {
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Position {
            pub kind: i16,
            pub id: String,
            pub key: Option<String>,
        }
    }
}

#[path = "../../src/service/cursor.rs"]
mod cursor;

use cursor::Owner;
use domain::TenantId;
use libfuzzer_sys::fuzz_target;
use scim::message::ListRequest;
use store::sort::Position;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let owner = Owner { secret: b"secret", tenant: TenantId(1), endpoint: "Users" };
    let request = ListRequest::default();
    // A text that no one has issued.
    assert!(owner.read(&request, &text, None, 0).is_err());
    // A cursor for any place is read as that place, and not when one letter of it is another.
    let last = Position { kind: 1, id: text.to_string(), key: Some(text.to_string()) };
    let issued = owner.issue(&request, 10, &last, 100);
    assert_eq!(owner.read(&request, &issued, None, 99).ok(), Some((last, 10)));
    let at = bytes.first().map_or(0, |b| usize::from(*b)) % issued.len();
    let forged: String = issued.char_indices().map(|(i, c)| if i == at { if c == 'A' { 'B' } else { 'A' } } else { c }).collect();
    assert!(owner.read(&request, &forged, None, 99).is_err());
});
