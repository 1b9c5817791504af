//! Starts servers for tests, in this process, each on a database of its own.

use crate::clients::Client;
use rollbook::app::{App, Clock, system_clock};
use rollbook::config::Config;
use rollbook::domain::settings::LocationRule;
use rollbook::domain::{Actor, Idp, Scopes, Settings, TokenKind};
use rollbook::http;
use rollbook::jobs::housekeeping::Housekeeping;
use rollbook::service::{Hand, tenants, tokens};
use rollbook::store::backend::{self, Database};
use rollbook::store::{self, Conn};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

/// Runs each test on both databases: `on_both! { fn name(server) { … } }`.
macro_rules! on_both {
    ($($(#[$doc:meta])* fn $name:ident($server:ident) $body:block)*) => { $(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, reason = "not every test needs every name")]
            use super::*;
            fn check($server: &$crate::harness::Server) $body
            #[test]
            fn sqlite() { check(&$crate::harness::Server::start($crate::harness::Db::Sqlite)); }
            #[test]
            fn postgres() { check(&$crate::harness::Server::start($crate::harness::Db::Postgres)); }
        }
    )* };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Db {
    Sqlite,
    Postgres,
}

/// A running server. It stops, and its database goes, when it is dropped.
pub struct Server {
    pub base: String,
    pub app: Arc<App>,
    pub config: Config,
    handle: actix_web::dev::ServerHandle,
    thread: Option<JoinHandle<()>>,
    housekeeping: Option<Housekeeping>,
    tenants: AtomicU32,
    /// Where mails are written to.
    pub mail: tempfile::TempDir,
    _database: Fresh,
}

impl Server {
    pub fn start(db: Db) -> Self {
        Self::with(db, |_| {}, system_clock())
    }

    /// A server with a configuration and a clock of the test's own.
    pub fn with(db: Db, change: impl FnOnce(&mut Config), clock: Clock) -> Self {
        let database = Fresh::new(db);
        let mut config = Config { workers: 2, ..Config::default() };
        config.database.url.clone_from(&database.url);
        config.database.pool = 8;
        let mail = tempfile::tempdir().unwrap();
        config.mail.folder = mail.path().display().to_string();
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (app, _) = App::open(config.clone(), &origin, clock).unwrap();
        let app = Arc::new(app);
        let housekeeping = Housekeeping::start(app.clone()).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let serving = app.clone();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = http::serve(&serving, listener, None).unwrap();
                tell.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self {
            base: app.base.to_string(),
            app,
            config,
            handle: told.recv().unwrap(),
            thread: Some(thread),
            housekeeping: Some(housekeeping),
            tenants: AtomicU32::new(0),
            mail,
            _database: database,
        }
    }

    /// Another server on the same database.
    pub fn beside(&self) -> Self {
        let url = self.config.database.url.clone();
        Self::with(Db::Sqlite, |config| config.database.url = url, self.app.clock.clone())
    }

    /// A connection to the server's database.
    pub fn connect(&self) -> Conn {
        Database::parse(&self.config.database.url).unwrap().connect().unwrap()
    }

    /// A client of a new tenant that declares nothing.
    pub fn tenant(&self) -> Client {
        self.tenant_with(Idp::Auto)
    }

    /// A client of a new tenant that declares a provider.
    pub fn tenant_with(&self, idp: Idp) -> Client {
        let name = format!("t{}", self.tenants.fetch_add(1, Ordering::Relaxed));
        let hand = Hand { actor: Actor::Admin("test".to_owned()), now: self.app.now(), request_id: None };
        backend::write(&mut self.connect(), |c| tenants::create(c, &hand, &name, idp, None)).unwrap();
        self.client(&name, Scopes::ALL)
    }

    /// A client of a new tenant with settings of the test's own.
    pub fn tenant_set(&self, idp: Idp, change: impl FnOnce(&mut Settings)) -> Client {
        let client = self.tenant_with(idp);
        let mut conn = self.connect();
        let mut tenant = tenants::named(&mut conn, &client.tenant).unwrap();
        change(&mut tenant.settings);
        backend::write(&mut conn, |c| {
            store::tenants::save(c, &tenant)?;
            store::tenants::bump_auth_epoch(c)
        })
        .unwrap();
        client
    }

    /// A client of a new tenant where every location is good.
    pub fn tenant_with_free_locations(&self, idp: Idp) -> Client {
        self.tenant_set(idp, |settings| settings.locations = LocationRule::Free)
    }

    /// Another client of a tenant.
    pub fn client(&self, tenant: &str, scopes: Scopes) -> Client {
        let order = tokens::Order { kind: TokenKind::Opaque, name: "test".into(), scopes, ..tokens::Order::default() };
        let now = self.app.now();
        let (_, token) = backend::write(&mut self.connect(), |c| tokens::issue(c, tenant, &order, now)).unwrap();
        Client::new(&self.base, Some(&token), tenant)
    }

    /// A client without a token.
    pub fn nobody(&self) -> Client {
        Client::new(&self.base, None, "")
    }

    /// Fails unless `rollbook verify` finds nothing.
    #[track_caller]
    pub fn assert_sound(&self) {
        let found = rollbook::service::verify::run(&mut self.connect(), None, &mut |_, _, _| {}).unwrap();
        assert!(found.faults.is_empty(), "{:#?}", found.faults);
    }

    /// Writes down what is still in memory, then reads the notes of a tenant, newest first.
    pub fn notes(&self, tenant: &str) -> Vec<rollbook::store::notes::Entry> {
        let mut conn = self.connect();
        let tenant = tenants::named(&mut conn, tenant).unwrap();
        let later = self.app.take_later();
        backend::write(&mut conn, |c| {
            let waiting: Vec<_> = self.app.take_log().into_iter().collect();
            rollbook::store::journal::insert_all(c, &waiting)?;
            for ((t, provider, signal), at) in &later.seen {
                rollbook::store::notes::seen(c, *t, provider, signal, *at)?;
            }
            Ok::<_, rollbook::store::Error>(())
        })
        .unwrap();
        rollbook::service::notes::list(&mut conn, &tenant, 1000).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.housekeeping.take());
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

/// A new, empty database.
pub struct Fresh {
    pub url: String,
    name: Option<String>,
    _dir: Option<tempfile::TempDir>,
}

impl Fresh {
    pub fn new(db: Db) -> Self {
        match db {
            Db::Sqlite => {
                let dir = tempfile::tempdir().unwrap();
                Self { url: format!("sqlite://{}/test.db", dir.path().display()), name: None, _dir: Some(dir) }
            }
            Db::Postgres => {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let name = format!("rollbook_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                administer(&format!("CREATE DATABASE {name} TEMPLATE {}", template()));
                Self { url: postgres(&name), name: Some(name), _dir: None }
            }
        }
    }
}

impl Fresh {
    /// A database of PostgreSQL without tables.
    pub fn empty_postgres() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rollbook_{}_empty_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        administer(&format!("CREATE DATABASE {name}"));
        Self { url: postgres(&name), name: Some(name), _dir: None }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// A database with the tables in it, to be copied.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("rollbook_{}_template", std::process::id());
        administer(&format!("CREATE DATABASE {name}"));
        let mut conn = Database::parse(&postgres(&name)).unwrap().connect().unwrap();
        backend::migrate(&mut conn).unwrap();
        name
    })
}

fn administer(sql: &str) {
    use diesel::connection::SimpleConnection;
    let mut conn = Database::parse(&postgres("postgres")).unwrap().connect().unwrap();
    conn.batch_execute(sql).unwrap();
}

/// The URL of a database of the test cluster.
fn postgres(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "./test says where PostgreSQL is")]
    let url = std::env::var("ROLLBOOK_TEST_POSTGRES");
    let url = url.expect("ROLLBOOK_TEST_POSTGRES is not set: run ./test, which starts PostgreSQL and sets it");
    let (server, _) = url.rsplit_once('/').expect("ROLLBOOK_TEST_POSTGRES must be postgres://USER@HOST:PORT/postgres");
    format!("{server}/{name}")
}
