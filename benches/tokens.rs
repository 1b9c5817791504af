//! The check of a token that was seen before, and the count of its requests.
//!
//! `cargo bench --bench tokens`

use criterion::{Criterion, criterion_group, criterion_main};
use rollbook::domain::{Actor, Idp, Scopes, TokenKind};
use rollbook::service::auth::Auth;
use rollbook::service::rates::{Rates, Usual};
use rollbook::service::{Hand, tenants, tokens};
use rollbook::store::backend::{self, Database};
use std::hint::black_box;

fn checks(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let database = Database::parse(&format!("sqlite://{}/bench.db", dir.path().display())).expect("the URL is sound");
    let mut conn = database.connect().expect("the file can be opened");
    backend::migrate(&mut conn).expect("the tables can be made");
    let hand = Hand { actor: Actor::Admin("bench".to_owned()), now: 0, request_id: None };
    let auth = Auth::default();
    for kind in [TokenKind::Opaque, TokenKind::Jwt] {
        let name = format!("t-{}", kind.as_str());
        let order = tokens::Order { kind, name: String::new(), scopes: Scopes::ALL, ..tokens::Order::default() };
        let issued = backend::write(&mut conn, |conn| {
            tenants::create(conn, &hand, &name, Idp::Auto, None)?;
            tokens::issue(conn, &name, &order, 0)
        });
        let (_, token) = issued.expect("a token can be issued");
        auth.refresh(&mut conn).expect("the database answers");
        auth.check(&mut conn, &token, 0).expect("the token is good");
        c.bench_function(&format!("check a known {} token, the counter read every 4,096 checks", kind.as_str()), |b| {
            let mut n: u32 = 0;
            b.iter(|| {
                // Four times a second in life; here often enough that the cache is believed throughout.
                if n.is_multiple_of(4096) {
                    auth.refresh(&mut conn).expect("the database answers");
                }
                n = n.wrapping_add(1);
                black_box(auth.cached(&token, 0).is_some())
            });
        });
    }
}

/// One principal among ten thousand, its clock going on a microsecond with every request.
fn counts(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let database = Database::parse(&format!("sqlite://{}/bench.db", dir.path().display())).expect("the URL is sound");
    let mut conn = database.connect().expect("the file can be opened");
    backend::migrate(&mut conn).expect("the tables can be made");
    let hand = Hand { actor: Actor::Admin("bench".to_owned()), now: 0, request_id: None };
    let issued = backend::write(&mut conn, |conn| {
        tenants::create(conn, &hand, "counted", Idp::Auto, None)?;
        tokens::issue(conn, "counted", &tokens::Order::default(), 0)
    });
    let (_, token) = issued.expect("a token can be issued");
    let principal = Auth::default().check(&mut conn, &token, 0).expect("the token is good");
    let rates = Rates::new(Usual { tenant: 1_000_000, token: 1_000_000, burst: 5000 });
    let mut now = 1_000_000_000_000;
    for n in 0..10_000 {
        rates.admit_key(&n.to_string(), now).expect("each has a burst");
    }
    c.bench_function("count a request of a token and its tenant, beside 10,000 others", |b| {
        b.iter(|| {
            now += 1;
            black_box(rates.admit(&principal, now).is_ok())
        });
    });
}

criterion_group!(benches, checks, counts);
criterion_main!(benches);
