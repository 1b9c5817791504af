//! What Prometheus is told when it asks: the counters, and what is only looked at now: the pools, and the queues in the database.

use super::App;
use crate::store::queues::{self, Queues};
use ::metrics::Gauge;
use tokio::sync::Mutex;

/// How long what was read of the queues is good enough, in microseconds: however many ask, the database is asked this often.
const GOOD_FOR: i64 = 5_000_000;

/// The queues when they were last read, and when that was. Whoever comes meanwhile waits for the one who reads.
pub(super) type Known = Mutex<Option<(i64, Queues)>>;

impl App {
    /// Everything that is counted and measured, in Prometheus's text format.
    pub async fn scrape(&self) -> String {
        self.measure_queues().await;
        self.measure_pools();
        self.metrics.set_tolerances(self.fired.all());
        self.metrics.set_refused(self.auth.refused());
        self.metrics.set_limited(self.rates.refused());
        set(&self.metrics.log_waiting, i64::try_from(self.log_waiting()).unwrap_or(i64::MAX));
        self.metrics.text()
    }

    async fn measure_queues(&self) {
        let mut known = self.queues.lock().await;
        let now = self.now();
        let fresh = known.filter(|(at, _)| (*at..*at + GOOD_FOR).contains(&now));
        let found = match fresh {
            Some((_, queues)) => Ok(queues),
            None => self.read(move |conn| Ok(queues::measure(conn, now)?)).await,
        };
        match found {
            Ok(queues) => {
                *known = Some((fresh.map_or(now, |(at, _)| at), queues));
                self.show(&queues, now);
            }
            Err(e) => {
                *known = None;
                log::warn!("the queues cannot be measured: {e}");
                // An old number would be taken for a true one.
                self.metrics.queues.all().into_iter().for_each(|gauge| gauge.set(f64::NAN));
            }
        }
    }

    fn show(&self, queues: &Queues, now: i64) {
        let gauges = &self.metrics.queues;
        set(&gauges.mails_queued, queues.mails_queued);
        set(&gauges.mails_dead, queues.mails_dead);
        set(&gauges.jobs, queues.jobs);
        set(&gauges.job_items, queues.job_items);
        set(&gauges.anonymisations, queues.anonymisations);
        let age = |since: Option<i64>| since.map_or(0, |since| (now - since).max(0)) / 1_000_000;
        set(&gauges.oldest_mail, age(queues.oldest_mail));
        set(&gauges.oldest_job, age(queues.oldest_job));
        set(&gauges.oldest_purge, age(queues.oldest_purge));
    }

    fn measure_pools(&self) {
        let (mut all, mut idle, mut most) = (0, 0, 0);
        for pool in [Some(&self.pool), self.quick.as_ref()].into_iter().flatten() {
            let state = pool.state();
            all += state.connections;
            idle += state.idle_connections;
            most += pool.max_size();
        }
        let gauges = &self.metrics.connections;
        gauges.idle.set(f64::from(idle));
        gauges.in_use.set(f64::from(all.saturating_sub(idle)));
        gauges.max.set(f64::from(most));
        if let Some(writer) = &self.writer {
            set(&self.metrics.writer_queue(), i64::try_from(writer.waiting()).unwrap_or(i64::MAX));
        }
    }
}

fn set(gauge: &Gauge, value: i64) {
    #[expect(clippy::cast_precision_loss, reason = "no queue is as long as a double is exact")]
    gauge.set(value as f64);
}
