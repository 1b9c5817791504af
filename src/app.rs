//! The running program: its configuration, its databases, its clock, and the way to read and write.

pub mod journal;
mod scrape;

use crate::config::Config;
use crate::domain::{AdminKey, Tenant, TenantId, outside};
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::net::{KeySets, Reach};
use crate::scim::dialect::{Evidence, Quirk};
use crate::service::auth::{Auth, Principal};
use crate::service::claims::Door;
use crate::service::claims::throttle::Throttle;
use crate::service::jws::Unchecked;
use crate::service::letters::Post;
use crate::service::notes::Fired;
use crate::service::oauth::Names;
use crate::service::rates::Rates;
use crate::service::vault::Vault;
use crate::service::{self, admin_keys, issuers, jws, tokens};
use crate::store::backend::{self, ConnPool, Database};
use crate::store::writer::{Observer, Writer};
use crate::store::{self, Conn, keys};
use ::metrics::Counter;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Tells the time, in microseconds since the epoch. Tests bring their own.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
    Arc::new(|| chrono::Utc::now().timestamp_micros())
}

/// The clock that the configuration names: the system's, or one that runs faster, for trials.
#[must_use]
pub fn clock(config: &Config) -> Clock {
    let (system, start, speed) = (system_clock(), config.clock.start * 1_000_000, i64::from(config.clock.speed));
    if speed == 1 {
        return system;
    }
    Arc::new(move || start + (system() - start) * speed)
}

/// How long a request waits for a connection before it is answered "busy".
const CONNECTION_WAIT: Duration = Duration::from_secs(3);
/// How long a request waits until its password can be hashed, before it is answered "busy".
const HASHER_WAIT: Duration = Duration::from_secs(10);
/// How often a transaction is tried that others get in the way of.
const ATTEMPTS: u32 = 10;

/// The running program.
pub struct App {
    pub config: Config,
    pub auth: Auth,
    pub clock: Clock,
    /// What people see in front of every path, without a slash at the end.
    pub origin: Arc<str>,
    /// The SCIM base URL, without a slash at the end.
    pub base: Arc<str>,
    pub limits: service::Limits,
    /// Signs cursors; the same on every server of the database.
    pub secret: Vec<u8>,
    /// The keys of links, codes and sealed texts.
    pub vault: Arc<Vault>,
    pub metrics: Arc<Metrics>,
    /// How often each tolerance has fired.
    pub fired: Arc<Fired>,
    /// Who sends too many requests.
    pub rates: Rates,
    throttle: Arc<Throttle>,
    /// OAuth clients that fail to prove who they are.
    pub client_throttle: Throttle,
    /// The public keys of OAuth clients and outside issuers.
    key_sets: KeySets,
    pool: ConnPool,
    /// SQLite only: connections for look-ups that take microseconds and are done without changing threads.
    quick: Option<ConnPool>,
    /// SQLite only.
    writer: Option<Writer>,
    /// So many bulk requests write at once; the others wait for their turn.
    bulk: Semaphore,
    later: Mutex<Later>,
    /// Rows of the provisioning log that are not written yet.
    log: journal::Waiting,
    queues: scrape::Known,
    /// Whether something was deleted that may still be in files of the database.
    unscrubbed: AtomicBool,
    /// How many passwords can be hashed at a time.
    hashers: Arc<Semaphore>,
}

/// What is written at leisure.
#[derive(Default)]
pub struct Later {
    pub seen: HashMap<(TenantId, String, &'static str), i64>,
    /// Keys of the admin API, and when they were last used.
    pub keys: HashMap<String, i64>,
}

impl App {
    /// Opens the databases. `origin` is what clients see before `/scim/v2`. The second value is the writer thread, which
    /// ends when the program is dropped.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn open(config: Config, origin: &str, clock: Clock) -> std::result::Result<(Self, Option<JoinHandle<()>>), String> {
        let database = Database::parse(&config.database.url)?;
        prepare(&database, config.database.migrate)?;
        let text = |e: store::Error| e.to_string();
        let pool = database.pool(config.database.pool, CONNECTION_WAIT, false).map_err(text)?;
        let metrics = new_metrics(&config);
        let (quick, writer, thread) = match &database {
            Database::Postgres(_) => (None, None, None),
            Database::Sqlite(_) => {
                let size = u32::try_from(worker_count(&config)).unwrap_or(16);
                let (writer, thread) = Writer::start(&database, observer(&metrics)).map_err(text)?;
                (Some(database.pool(size, CONNECTION_WAIT, true).map_err(text)?), Some(writer), Some(thread))
            }
        };
        let mut conn = pool.get().map_err(|e| e.to_string())?;
        let secret = backend::write(&mut conn, |c| keys::secret(c, "cursor", &tokens::random(32))).map_err(text)?.into_bytes();
        let vault = Arc::new(open_vault(&mut conn, &config).map_err(text)?);
        let origin: Arc<str> = origin.trim_end_matches('/').into();
        let base: Arc<str> = format!("{origin}/scim/v2").into();
        let auth = Auth::of(Names { issuer: origin.clone(), audience: base.clone() });
        auth.refresh(&mut conn).map_err(text)?;
        drop(conn);
        let limits = config.service_limits();
        let rates = Rates::new(config.usual_rates());
        let hashers = (worker_count(&config) / 2).max(1);
        let bulk = bulk_writers(&config, &database);
        let app = Self {
            config,
            auth,
            clock,
            key_sets: KeySets::of(&origin),
            origin,
            base,
            limits,
            secret,
            vault,
            metrics,
            fired: Arc::default(),
            rates,
            throttle: Arc::default(),
            client_throttle: Throttle::of_each_alone(),
            pool,
            quick,
            writer,
            bulk: Semaphore::new(bulk),
            later: Mutex::default(),
            log: journal::Waiting::default(),
            queues: scrape::Known::default(),
            unscrubbed: AtomicBool::new(false),
            hashers: Arc::new(Semaphore::new(hashers)),
        };
        Ok((app, thread))
    }

    /// What claims need.
    #[must_use]
    pub fn door(&self) -> Door {
        Door { vault: self.vault.clone(), origin: self.origin.clone(), throttle: self.throttle.clone() }
    }

    /// What letters need.
    #[must_use]
    pub fn post(&self) -> Post {
        Post { vault: self.vault.clone(), origin: self.origin.clone(), from: self.config.mail.from.clone() }
    }

    /// The time, in microseconds since the epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// Runs a look-up of a few rows by index.
    ///
    /// # Errors
    /// What `f` returns; [`Error::Busy`] without a connection.
    pub async fn look_up<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        let Some(quick) = &self.quick else { return self.read(f).await };
        self.counted(quick.get().map_err(|e| store::Error::from(e).into()).and_then(|mut conn| f(&mut conn)))
    }

    /// Runs a read of any size on a thread that may wait.
    ///
    /// # Errors
    /// What `f` returns; [`Error::Busy`] without a connection.
    pub async fn read<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        let pool = self.pool.clone();
        let read = blocking(move || {
            let mut conn = pool.get().map_err(store::Error::from)?;
            f(&mut conn)
        });
        self.counted(read.await)
    }

    /// Runs a read of several statements on one snapshot of the data.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn snapshot<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        self.read(move |conn| backend::read(conn, f)).await
    }

    /// As [`Self::read`], for a thread outside the async runtime.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_blocking<T>(&self, f: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        self.counted(self.pool.get().map_err(|e| store::Error::from(e).into()).and_then(|mut conn| f(&mut conn)))
    }

    /// Runs `f` in one transaction; when this returns `Ok`, the change is on disk. `f` may run more than once.
    ///
    /// # Errors
    /// What `f` returns; [`Error::Busy`] when too many writes wait.
    pub async fn write<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T> + Send + 'static,
    {
        if let Some(writer) = &self.writer {
            return self.counted(writer.write(f).await);
        }
        let (pool, busy) = (self.pool.clone(), self.metrics.busy.clone());
        self.counted(blocking(move || persistently(&pool, &f, &busy)).await)
    }

    /// As [`Self::write`], for a thread outside the async runtime.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_blocking<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T> + Send + 'static,
    {
        self.counted(match &self.writer {
            Some(writer) => writer.write_blocking(f),
            None => persistently(&self.pool, &f, &self.metrics.busy),
        })
    }

    /// Hashes a password. However many come, half of the cores are left for everything else.
    ///
    /// # Errors
    /// What `f` returns; [`Error::Busy`] when too many wait.
    pub async fn hash<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let waited = tokio::time::timeout(HASHER_WAIT, self.hashers.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = waited else { return self.counted(Err(Error::Busy("too many passwords wait to be hashed".to_owned()))) };
        blocking(move || {
            // Held until it is done, even if the client has gone.
            let _turn = turn;
            f()
        })
        .await
    }

    /// Waits until a part of a bulk request may be written; the turn ends when the value is dropped. Others write all the while.
    pub async fn bulk_turn(&self) -> Option<SemaphorePermit<'_>> {
        self.bulk.acquire().await.ok()
    }

    /// Counts what is answered "busy".
    fn counted<T>(&self, result: Result<T>) -> Result<T> {
        result.inspect_err(|e| {
            if let Error::Busy(_) = e {
                self.metrics.busy.increment(1);
            }
        })
    }

    /// Looks whether tokens have changed; see [`Auth::refresh`].
    ///
    /// # Errors
    /// When the database fails.
    pub fn refresh_auth(&self) -> std::result::Result<(), store::Error> {
        let mut conn = self.pool.get()?;
        self.auth.refresh(&mut conn)
    }

    /// Brings the database's knowledge of its tables up to date; see [`backend::analyze_if_grown`].
    ///
    /// # Errors
    /// When the database fails.
    pub fn refresh_statistics(&self) -> std::result::Result<(), store::Error> {
        let mut conn = self.pool.get()?;
        if backend::analyze_if_grown(&mut conn)? {
            log::debug!("the tables have grown: their statistics were renewed");
        }
        Ok(())
    }

    /// Says that something was deleted, so that it is got out of the database's files before long.
    pub fn removed(&self) {
        self.unscrubbed.store(true, Ordering::Release);
    }

    /// Gets what was deleted out of the database's files, when there is something; see [`backend::scrub`]. What cannot be done
    /// now is done with the next call.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn scrub(&self, deleted: bool) -> std::result::Result<(), store::Error> {
        if self.unscrubbed.fetch_or(deleted, Ordering::AcqRel) || deleted {
            let done = backend::scrub(&mut *self.pool.get()?)?;
            self.unscrubbed.store(!done, Ordering::Release);
        }
        Ok(())
    }

    /// Who a token belongs to.
    ///
    /// # Errors
    /// [`Error::Unauthorized`].
    pub async fn authenticate(self: &Arc<Self>, token: String) -> Result<Principal> {
        let now = self.now();
        if let Some(principal) = self.auth.cached(&token, now) {
            return Ok(principal);
        }
        let outside = jws::read(&token).filter(|t| t.claims.text("iss").is_some_and(|iss| !self.signs_as(iss)));
        if let Some(unchecked) = outside {
            return self.authenticate_outside(token, unchecked, now).await;
        }
        let app = self.clone();
        self.look_up(move |conn| app.auth.check(conn, &token, now)).await
    }

    /// Whose a token is that somebody else has signed. Their keys are fetched outside any transaction.
    async fn authenticate_outside(self: &Arc<Self>, token: String, unchecked: Unchecked, now: i64) -> Result<Principal> {
        let kid = unchecked.kid.clone();
        let trusted = self.look_up(move |conn| issuers::taking(conn, &unchecked)).await?;
        let keys = self.keys_at(&trusted.key_set_url, Reach::Any, kid.as_deref()).await?;
        let claims = jws::verified(&token, &keys).map_err(|why| {
            log::debug!("a token for the trusted issuer {} is refused: {why}", trusted.id);
            Error::Unauthorized("the token is not valid")
        })?;
        let app = self.clone();
        self.look_up(move |conn| app.auth.accept(conn, &token, now, |c| issuers::accepted(c, &trusted, &claims, now))).await
    }

    /// Whether tokens of this server bear that name of their issuer.
    fn signs_as(&self, issuer: &str) -> bool {
        issuer == tokens::ISSUER || issuer == &*self.origin
    }

    async fn keys_at(&self, url: &str, reach: Reach, kid: Option<&str>) -> Result<Arc<Value>> {
        let fetched = self.key_sets.get(url, reach, kid, self.now()).await;
        fetched.map_err(|_| Error::Busy("the keys that the token is checked with cannot be fetched".to_owned()))
    }

    /// The public keys of an OAuth client, at an address that its tenant has entered.
    ///
    /// # Errors
    /// [`Error::Busy`] when they cannot be fetched.
    pub async fn keys_of_client(&self, url: &str, kid: Option<&str>) -> Result<Arc<Value>> {
        self.keys_at(url, Reach::Public, kid).await
    }

    /// Whether this server is one for trials, and may ask its own machine.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        outside::is_loopback(&self.origin)
    }

    /// Whose a key of the admin API is: the key, and the only tenant that it opens.
    ///
    /// # Errors
    /// [`Error::Unauthorized`].
    pub async fn admit(&self, key: String) -> Result<(AdminKey, Option<Tenant>)> {
        let now = self.now();
        let (key, tenant) = self.look_up(move |conn| admin_keys::check(conn, &key, now)).await?;
        self.later.lock().unwrap_or_else(PoisonError::into_inner).keys.insert(key.id.clone(), now);
        Ok((key, tenant))
    }

    /// Records soon that a provider was seen.
    pub fn saw(&self, tenant: TenantId, evidence: &Evidence, now: i64) {
        let key = (tenant, evidence.provider.to_string(), evidence.signal);
        self.later.lock().unwrap_or_else(PoisonError::into_inner).seen.insert(key, now);
    }

    /// What is to be written.
    #[must_use]
    pub fn take_later(&self) -> Later {
        std::mem::take(&mut *self.later.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The keys, from the configured master key or from one that the database keeps.
///
/// # Errors
/// When the master key is another than the first one, or the database fails.
pub fn open_vault(conn: &mut Conn, config: &Config) -> std::result::Result<Vault, store::Error> {
    let root = match &config.master_key {
        Some(key) => key.clone(),
        None => backend::write(conn, |c| keys::secret(c, "root", &tokens::random(32)))?,
    };
    let vault = Vault::new(root.as_bytes());
    let first = backend::write(conn, |c| keys::secret(c, "root_check", &vault.check()))?;
    if first != vault.check() {
        return Err(store::Error::Db(
            "master_key is not the one that this database was first used with: links, codes and sealed texts could not be read".to_owned(),
        ));
    }
    Ok(vault)
}

/// Threads that take requests.
#[must_use]
pub fn worker_count(config: &Config) -> usize {
    match config.workers {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        n => n,
    }
}

/// How many parts of bulk requests are written at once: no more than leaves room for single requests.
fn bulk_writers(config: &Config, database: &Database) -> usize {
    match database {
        Database::Sqlite(_) => 1,
        Database::Postgres(_) => usize::try_from(config.database.pool / 4).unwrap_or(1).max(1),
    }
}

fn new_metrics(config: &Config) -> Arc<Metrics> {
    let tenants = usize::try_from(config.metrics.tenants).unwrap_or(0);
    Arc::new(Metrics::new(tenants, Quirk::ALL.iter().map(|quirk| quirk.name())))
}

/// Measures how many writes share a commit.
fn observer(metrics: &Metrics) -> Observer {
    let batches = metrics.batches();
    Box::new(move |writes| batches.record(f64::from(u32::try_from(writes).unwrap_or(u32::MAX))))
}

fn prepare(database: &Database, migrate: bool) -> std::result::Result<(), String> {
    let mut conn = database.connect().map_err(|e| e.to_string())?;
    if migrate {
        return backend::migrate(&mut conn).map_err(|e| e.to_string());
    }
    let pending = backend::pending_migrations(&mut conn).map_err(|e| e.to_string())?;
    if pending.is_empty() {
        return Ok(());
    }
    Err(format!("the database lacks {} migration(s) ({}); start once without --no-migrate to run them", pending.len(), pending.join(", ")))
}

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(e) => Err(Error::Internal(format!("a task panicked: {e}"))),
    }
}

/// One transaction, tried again when others were in the way.
fn persistently<T>(pool: &ConnPool, f: &impl Fn(&mut Conn) -> Result<T>, busy: &Counter) -> Result<T> {
    let mut conn = pool.get().map_err(store::Error::from)?;
    let mut attempt = 1;
    loop {
        match backend::write(&mut conn, f) {
            Err(Error::Busy(why)) if attempt < ATTEMPTS => {
                busy.increment(1);
                log::debug!("attempt {attempt} of a transaction: {why}");
                std::thread::sleep(Duration::from_millis(u64::from(attempt * attempt)));
                attempt += 1;
            }
            done => return done,
        }
    }
}
