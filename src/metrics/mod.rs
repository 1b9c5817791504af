//! What the server counts and measures, for Prometheus. Every series has its name and its text here.
//!
//! Each [`Metrics`] has a recorder of its own, so that several servers can run in one process. What a request touches is registered
//! once and kept; nothing is looked up by name afterwards. What somebody else keeps (the pools, the queues in the database) is
//! set when it is asked for, in `app::scrape`. No label holds an id, a path or anything of a person.

pub mod process;
pub mod requests;
pub mod routes;
pub mod tenants;

use ::metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use requests::Requests;
use std::sync::Arc;
use tenants::Tenants;

static METADATA: Metadata<'static> = Metadata::new("rollbook", Level::INFO, None);

/// Upper ends of the buckets of a request's time, in seconds.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper ends of the buckets of a commit's size.
const WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Reasons for which a request is not let in. The first three are found out by the token check.
pub const AUTH_REASONS: [&str; 6] = ["unknown", "expired", "revoked", "missing", "malformed", "scope"];

/// What a request can be too many of.
const RATE_LIMITS: [&str; 3] = ["tenant", "token", "admin_key"];

const COUNTERS: [(&str, &str); 7] = [
    (requests::REQUESTS, "Requests that were answered, by route, method and status."),
    (tenants::REQUESTS, "Requests with a token, by tenant; beyond metrics.tenants under the name other."),
    ("rollbook_tolerances_total", "Times that something beyond the RFC was tolerated, by its name."),
    ("rollbook_database_busy_total", "Transactions that were tried again or answered busy."),
    ("rollbook_auth_failures_total", "Requests that were not let in, by reason."),
    ("rollbook_requests_limited_total", "Requests that were refused because there were too many, by limit."),
    ("rollbook_log_rows_dropped_total", "Rows of the provisioning log that were given up because too many waited."),
];

const GAUGES: [(&str, &str); 11] = [
    (requests::IN_FLIGHT, "Requests under way."),
    ("rollbook_mails", "Mails that wait (queued) or were given up within the last 30 days (dead)."),
    ("rollbook_jobs_open", "Jobs on many members that are not finished."),
    ("rollbook_job_items_open", "Members that open jobs have not come to yet."),
    ("rollbook_anonymisations_due", "Members who are to be anonymised now."),
    ("rollbook_oldest_task_age_seconds", "How long the oldest task of a queue has waited; 0 when there is none."),
    ("rollbook_database_connections", "Connections to the database, by state."),
    ("rollbook_database_connections_max", "Most connections to the database."),
    ("rollbook_writer_queue_length", "Writes that wait for the writer thread; SQLite only."),
    ("rollbook_log_rows_waiting", "Rows of the provisioning log that wait to be written."),
    ("rollbook_build_info", "Always 1; the version is in the label."),
];

const HISTOGRAMS: [(&str, &str); 2] =
    [(requests::SECONDS, "Seconds from a request's arrival to its answer."), (BATCH, "Writes that share one commit; SQLite only.")];
const BATCH: &str = "rollbook_writer_batch_size";

/// Everything that is counted and measured.
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    pub requests: Arc<Requests>,
    pub tenants: Tenants,
    /// Transactions that were tried again or answered busy.
    pub busy: Counter,
    /// Rows of the provisioning log that were given up.
    pub log_dropped: Counter,
    /// Rows of the provisioning log that wait; set when it is asked for.
    pub log_waiting: Gauge,
    auth_failures: Vec<(&'static str, Counter)>,
    tolerances: Vec<(&'static str, Counter)>,
    limited: Vec<(&'static str, Counter)>,
    pub queues: QueueGauges,
    pub connections: ConnectionGauges,
}

/// What waits; set when it is asked for.
pub struct QueueGauges {
    pub mails_queued: Gauge,
    pub mails_dead: Gauge,
    pub jobs: Gauge,
    pub job_items: Gauge,
    pub anonymisations: Gauge,
    pub oldest_mail: Gauge,
    pub oldest_job: Gauge,
    pub oldest_purge: Gauge,
}

/// The pools; set when they are asked for.
pub struct ConnectionGauges {
    pub in_use: Gauge,
    pub idle: Gauge,
    pub max: Gauge,
}

impl Metrics {
    /// Starts counting. At most `tenants` of them are counted by name; `tolerances` are the names of all there are.
    #[must_use]
    pub fn new(tenants: usize, tolerances: impl Iterator<Item = &'static str>) -> Self {
        let recorder = Arc::new(builder().build_recorder());
        describe(&recorder);
        let made = Maker(recorder.clone());
        made.gauge("rollbook_build_info", &[("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
        let counters = |name, label, values: &mut dyn Iterator<Item = &'static str>| -> Vec<_> {
            values.map(|value| (value, made.counter(name, &[(label, value)]))).collect()
        };
        Self {
            handle: recorder.handle(),
            requests: Arc::new(Requests::new(made.clone())),
            tenants: Tenants::new(made.clone(), tenants),
            busy: made.counter("rollbook_database_busy_total", &[]),
            log_dropped: made.counter("rollbook_log_rows_dropped_total", &[]),
            log_waiting: made.gauge("rollbook_log_rows_waiting", &[]),
            auth_failures: counters("rollbook_auth_failures_total", "reason", &mut AUTH_REASONS.into_iter()),
            limited: counters("rollbook_requests_limited_total", "limit", &mut RATE_LIMITS.into_iter()),
            tolerances: counters("rollbook_tolerances_total", "quirk", &mut { tolerances }),
            queues: QueueGauges::new(&made),
            connections: ConnectionGauges::new(&made),
            recorder,
        }
    }

    /// The histogram of how many writes share a commit. It exists from now on.
    pub fn batches(&self) -> Histogram {
        Maker(self.recorder.clone()).histogram(BATCH, &[])
    }

    /// The gauge of how many writes wait. It exists from now on.
    pub fn writer_queue(&self) -> Gauge {
        Maker(self.recorder.clone()).gauge("rollbook_writer_queue_length", &[])
    }

    /// Counts a request that was not let in, by one of [`AUTH_REASONS`].
    pub fn not_let_in(&self, reason: &str) {
        if let Some((_, counter)) = self.auth_failures.iter().find(|(name, _)| *name == reason) {
            counter.increment(1);
        }
    }

    /// Brings what the token check has counted up to date.
    pub fn set_refused(&self, counts: impl Iterator<Item = (&'static str, u64)>) {
        bring_up(&self.auth_failures, counts);
    }

    /// Brings what was refused as too many up to date.
    pub fn set_limited(&self, counts: impl Iterator<Item = (&'static str, u64)>) {
        bring_up(&self.limited, counts);
    }

    /// Brings the tolerances up to date.
    pub fn set_tolerances(&self, counts: impl Iterator<Item = (&'static str, u64)>) {
        bring_up(&self.tolerances, counts);
    }

    /// Sorts what was measured since the last time into buckets. To be called every second or so: until then, measurements pile up.
    pub fn sort_in(&self) {
        self.handle.run_upkeep();
    }

    /// All of it, in the text format of Prometheus.
    #[must_use]
    pub fn text(&self) -> String {
        self.requests.show();
        let mut text = self.handle.render();
        text.push_str(&process::text());
        text
    }
}

fn bring_up(counters: &[(&'static str, Counter)], counts: impl Iterator<Item = (&'static str, u64)>) {
    for (name, count) in counts {
        if let Some((_, counter)) = counters.iter().find(|(known, _)| *known == name) {
            counter.absolute(count);
        }
    }
}

impl QueueGauges {
    fn new(made: &Maker) -> Self {
        let mails = |state| made.gauge("rollbook_mails", &[("state", state)]);
        let oldest = |queue| made.gauge("rollbook_oldest_task_age_seconds", &[("queue", queue)]);
        Self {
            mails_queued: mails("queued"),
            mails_dead: mails("dead"),
            jobs: made.gauge("rollbook_jobs_open", &[]),
            job_items: made.gauge("rollbook_job_items_open", &[]),
            anonymisations: made.gauge("rollbook_anonymisations_due", &[]),
            oldest_mail: oldest("mail"),
            oldest_job: oldest("jobs"),
            oldest_purge: oldest("purge"),
        }
    }

    /// All of them.
    pub fn all(&self) -> [&Gauge; 8] {
        [
            &self.mails_queued,
            &self.mails_dead,
            &self.jobs,
            &self.job_items,
            &self.anonymisations,
            &self.oldest_mail,
            &self.oldest_job,
            &self.oldest_purge,
        ]
    }
}

impl ConnectionGauges {
    fn new(made: &Maker) -> Self {
        let state = |state| made.gauge("rollbook_database_connections", &[("state", state)]);
        Self { in_use: state("in_use"), idle: state("idle"), max: made.gauge("rollbook_database_connections_max", &[]) }
    }
}

fn builder() -> PrometheusBuilder {
    let never = |_| unreachable!("buckets are given");
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(BATCH.to_owned()), &WRITES)
        .unwrap_or_else(never)
        .set_buckets_for_metric(Matcher::Full(requests::SECONDS.to_owned()), &SECONDS)
        .unwrap_or_else(never)
}

fn describe(recorder: &PrometheusRecorder) {
    for (name, text) in COUNTERS {
        recorder.describe_counter(name.into(), None, text.into());
    }
    for (name, text) in GAUGES {
        recorder.describe_gauge(name.into(), None, text.into());
    }
    for (name, text) in HISTOGRAMS {
        recorder.describe_histogram(name.into(), None, text.into());
    }
}

/// Makes series.
#[derive(Clone)]
struct Maker(Arc<PrometheusRecorder>);

impl Maker {
    fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.0.register_counter(&key(name, labels), &METADATA)
    }

    fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.0.register_gauge(&key(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        self.0.register_histogram(&key(name, labels), &METADATA)
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}
