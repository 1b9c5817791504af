//! What the machine can do without Rollbook: the figures that ours are compared with.
//!
//! ```text
//! cargo bench --bench baseline -- sqlite ROWS_PER_TRANSACTION SECONDS   rows a second into SQLite, synchronous=FULL
//! cargo bench --bench baseline -- postgres URL CONNECTIONS SECONDS      rows a second into PostgreSQL
//! cargo bench --bench baseline -- hello ADDRESS                         an actix server that answers 200 and nothing else
//! ```
//!
//! A row is what a POST of one user stores: a probe for the name, the user with its indexes, one address, one count.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use diesel::connection::SimpleConnection;
use rollbook::store::backend::{self, Database};
use rusqlite::{Connection, params};
use std::error::Error;
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn Error>>;

const DOC: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"r1.user0000001@example.com","externalId":"r1-ext-0000001","name":{"givenName":"Ada","familyName":"Andersson1","formatted":"Ada Andersson1"},"displayName":"Ada Andersson1","title":"Engineer 1","locale":"en-US","active":true,"emails":[{"value":"r1.user0000001@example.com","type":"work","primary":true}]}"#;

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sqlite", rows, seconds] => sqlite(rows.parse()?, seconds.parse()?),
        ["postgres", url, connections, seconds] => postgres(url, connections.parse()?, seconds.parse()?),
        ["hello", address] => hello(address),
        // `cargo bench` and `cargo test --benches` run every target without arguments.
        _ => Ok(()),
    }
}

fn id(n: u64) -> String {
    format!("01a20064-f20e-70fc-{:04x}-{:012x}", n % 0x1_0000, n)
}

fn sqlite(rows: u64, seconds: u64) -> Outcome {
    let dir = tempfile::tempdir_in(".")?;
    let path = format!("{}/raw.db", dir.path().display());
    backend::migrate(&mut Database::parse(&format!("sqlite://{path}"))?.connect()?)?;
    let mut conn = Connection::open(&path)?;
    conn.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=4000;")?;
    conn.execute_batch("INSERT INTO tenants (id, name, idp, unique_group_names, created_at, settings) VALUES (1,'raw','auto',0,0,'{}'); INSERT INTO resource_counts VALUES (1,1,0,0);")?;
    let (started, mut n) = (Instant::now(), 0u64);
    while started.elapsed() < Duration::from_secs(seconds) {
        let tx = conn.transaction()?;
        for _ in 0..rows {
            n += 1;
            let (id, name) = (id(n), format!("r1.user{n:07}@example.com"));
            tx.prepare_cached("SELECT id FROM resources WHERE tenant_id=1 AND kind=1 AND unique_key=?")?.exists([&name])?;
            tx.prepare_cached("INSERT INTO resources (tenant_id, kind, id, version, created_at, modified_at, member_count, unique_key, display_key, external_id, label, label_derived, doc, fdoc) VALUES (1,1,?,1,0,0,0,?,'ada andersson1',?,'Ada Andersson1',0,?,?)")?
                .execute(params![id, name, id, DOC, DOC])?;
            tx.prepare_cached("INSERT INTO resource_emails VALUES (1,?,?)")?.execute(params![name, id])?;
            tx.prepare_cached("UPDATE resource_counts SET total=total+1 WHERE tenant_id=1 AND kind=1 AND slot=0")?.execute([])?;
        }
        tx.commit()?;
    }
    report(n, started);
    Ok(())
}

/// Each row is one statement and one commit of its own.
fn postgres(url: &str, connections: u64, seconds: u64) -> Outcome {
    let database = Database::parse(url)?;
    let mut conn = database.connect()?;
    backend::migrate(&mut conn)?;
    conn.batch_execute("INSERT INTO tenants (id, name, idp, unique_group_names, created_at, settings) VALUES (1,'raw','auto',false,0,'{}') ON CONFLICT DO NOTHING")?;
    let started = Instant::now();
    let workers: Vec<_> = (0..connections)
        .map(|w| {
            let database = database.clone();
            std::thread::spawn(move || -> u64 {
                let mut conn = database.connect().expect("a connection");
                let mut n = 0;
                while started.elapsed() < Duration::from_secs(seconds) {
                    n += 1;
                    let (id, name) = (id(w << 40 | n), format!("r{w}.user{n:07}@example.com"));
                    rollbook::store::sql::Sql::new("INSERT INTO resources (tenant_id, kind, id, version, created_at, modified_at, member_count, unique_key, display_key, external_id, label, label_derived, doc, fdoc) VALUES (1,1,")
                        .text(id.as_str()).sql(",1,0,0,0,").text(name.as_str()).sql(",'ada andersson1',").text(id.as_str()).sql(",'Ada Andersson1',false,")
                        .text(DOC).sql(",").text(DOC).sql("::text::jsonb)").run(&mut conn).expect("an insert");
                }
                n
            })
        })
        .collect();
    let n = workers.into_iter().map(|w| w.join().unwrap_or(0)).sum();
    report(n, started);
    Ok(())
}

fn report(rows: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = rows as f64 / seconds;
    println!("{rate:.0}");
}

fn hello(address: &str) -> Outcome {
    let address = address.to_owned();
    actix_web::rt::System::new().block_on(async move {
        let app = || actix_web::App::new().route("/hello", actix_web::web::get().to(|| async { "hello" }));
        actix_web::HttpServer::new(app).workers(2).bind(address)?.run().await
    })?;
    Ok(())
}
