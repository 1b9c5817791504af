//! Requests: how many, how long, how many at once. A request costs two clock readings and a few counters; no lock, no allocation.

use super::Maker;
use super::routes::{COUNT, Route};
use ::metrics::{Counter, Gauge, Histogram};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

pub(super) const REQUESTS: &str = "rollbook_http_requests_total";
pub(super) const SECONDS: &str = "rollbook_http_request_seconds";
pub(super) const IN_FLIGHT: &str = "rollbook_http_requests_in_flight";

/// Methods that have a name of their own; others are `OTHER`.
const METHODS: [&str; 6] = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"];
/// Statuses that have a name of their own; others go by their class, such as `4xx`.
const STATUSES: [u16; 20] = [200, 201, 204, 400, 404, 409, 401, 403, 304, 412, 405, 410, 413, 415, 429, 501, 503, 500, 302, 303];
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The series of all requests.
pub struct Requests {
    maker: Maker,
    /// One for each route and method that was ever seen.
    series: Vec<OnceLock<Box<Series>>>,
    /// Shown when it is asked for: a plain number is cheaper to change than a gauge.
    in_flight: AtomicU32,
    in_flight_shown: Gauge,
}

struct Series {
    seconds: Histogram,
    answered: [OnceLock<Counter>; STATUSES.len() + CLASSES.len()],
}

impl Requests {
    pub(super) fn new(maker: Maker) -> Self {
        let in_flight_shown = maker.gauge(IN_FLIGHT, &[]);
        Self {
            maker,
            series: (0..COUNT * (METHODS.len() + 1)).map(|_| OnceLock::new()).collect(),
            in_flight: AtomicU32::new(0),
            in_flight_shown,
        }
    }

    /// A request begins.
    #[must_use]
    pub fn begin(self: &Arc<Self>, path: &str, method: &str) -> Request {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Request { requests: self.clone(), route: Route::of(path), method: place(&METHODS, &method), started: Instant::now() }
    }

    /// Brings the number of requests under way up to date.
    pub(super) fn show(&self) {
        self.in_flight_shown.set(f64::from(self.in_flight.load(Ordering::Relaxed)));
    }

    fn answered(&self, route: Route, method: usize, status: u16, seconds: f64) {
        let Some(slot) = self.series.get(route.place() * (METHODS.len() + 1) + method) else { return };
        let named = [("route", route.name()), ("method", METHODS.get(method).copied().unwrap_or("OTHER"))];
        let series = slot.get_or_init(|| {
            Box::new(Series {
                seconds: self.maker.histogram(SECONDS, &named),
                answered: [const { OnceLock::new() }; STATUSES.len() + CLASSES.len()],
            })
        });
        series.seconds.record(seconds);
        let known = place(&STATUSES, &status);
        let class = usize::from(status / 100);
        let at = if known < STATUSES.len() { known } else { STATUSES.len() + if class < CLASSES.len() { class } else { 0 } };
        let Some(counter) = series.answered.get(at) else { return };
        let counter = counter.get_or_init(|| {
            let number = status.to_string();
            let status = CLASSES.get(at.wrapping_sub(STATUSES.len())).copied().unwrap_or(&number);
            let [route, method] = named;
            self.maker.counter(REQUESTS, &[route, method, ("status", status)])
        });
        counter.increment(1);
    }
}

/// Where something stands in a list, or the list's length.
fn place<T: PartialEq>(list: &[T], what: &T) -> usize {
    list.iter().position(|x| x == what).unwrap_or(list.len())
}

/// A request under way. One whose client goes away is dropped, and not counted among the answered ones.
pub struct Request {
    requests: Arc<Requests>,
    route: Route,
    method: usize,
    started: Instant,
}

impl Request {
    /// It was answered.
    pub fn end(self, status: u16) {
        self.requests.answered(self.route, self.method, status, self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.requests.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
