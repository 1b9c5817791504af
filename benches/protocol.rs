//! The pure parts of a request: reading a filter, a resource and a PATCH; folding; what is stored.
//!
//! `cargo bench --bench protocol`

use criterion::{Criterion, criterion_group, criterion_main};
use rollbook::domain::{Idp, Tenant, TenantId};
use rollbook::scim::dialect::{Declared, Reading};
use rollbook::scim::message::patch_op;
use rollbook::scim::parse::Limits;
use rollbook::scim::schema::{ResourceKind, ResourceType};
use rollbook::scim::{filter, json, matches, patch, resource, value};
use rollbook::service::mapping::{self, Naming};
use std::hint::black_box;

const USER: &[u8] = br#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"r1.user0000001@example.com",
  "externalId":"r1-ext-0000001","name":{"givenName":"Bj\u00f6rn","familyName":"Andersson","formatted":"Bj\u00f6rn Andersson"},
  "displayName":"Bj\u00f6rn Andersson","title":"Engineer 1","locale":"en-US","active":true,
  "emails":[{"value":"r1.user0000001@example.com","type":"work","primary":true}]}"#;
const PATCH: &[u8] = br#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
  {"op":"replace","path":"displayName","value":"New"},{"op":"replace","path":"emails[type eq \"work\"].value","value":"n@example.com"}]}"#;
const FILTER: &str =
    r#"userName eq "r1.user0000001@example.com" or (emails[type eq "work" and value co "@example"] and not (active eq false))"#;

fn protocol(c: &mut Criterion) {
    let rt = ResourceType::of(ResourceKind::User);
    let read = || {
        let map = json::object(USER, 32).expect("the user is JSON");
        resource::read(rt, map, &mut Reading::of(Declared::Auto)).expect("the user is a user")
    };
    let doc = read();
    let tenant = Tenant {
        version: 1,
        suspended: None,
        types: 0,
        id: TenantId(1),
        name: "t".to_owned(),
        idp: Idp::Auto,
        unique_group_names: false,
        created_at: 0,
        settings: rollbook::domain::Settings::default(),
    };
    let resolve = || filter::resolve(rt, FILTER, Limits::default(), &mut Reading::of(Declared::Auto)).expect("the filter is sound");
    let filter = resolve();

    c.bench_function("read a user", |b| b.iter(|| black_box(read())));
    c.bench_function("what is stored of a user", |b| {
        b.iter(|| black_box(mapping::record(rt, &tenant, doc.clone(), Naming::Derive).expect("it can be stored")));
    });
    c.bench_function("resolve a filter", |b| b.iter(|| black_box(resolve())));
    c.bench_function("evaluate a filter in memory", |b| b.iter(|| black_box(matches::resource(&filter, &doc))));
    c.bench_function("apply a PATCH", |b| {
        b.iter(|| {
            let mut reading = Reading::of(Declared::Auto);
            let body = json::object(PATCH, 32).expect("the PATCH is JSON");
            let operations = patch_op(rt, body, 100, &mut reading).expect("the PATCH is a PATCH");
            let mut doc = doc.clone();
            patch::apply(rt, "id", &mut doc, operations, &mut reading).expect("it applies");
            black_box(doc)
        });
    });
    c.bench_function("fold ASCII", |b| b.iter(|| black_box(value::fold(black_box("r1.User0000001@Example.com")).len())));
    c.bench_function("fold beyond ASCII", |b| b.iter(|| black_box(value::fold(black_box("Bj\u{f6}rn Stra\u{df}e")).len())));
}

criterion_group!(benches, protocol);
criterion_main!(benches);
