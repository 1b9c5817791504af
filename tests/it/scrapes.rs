//! Reads what Prometheus reads, as strictly as it does: the text format, and the places where metrics are named.

use crate::clients::Client;
use crate::harness::Server;
use rollbook::http::metrics;
use std::collections::{BTreeMap, BTreeSet};

/// The metrics of a server, on a listener beside it.
pub struct Meter {
    pub url: String,
    handle: actix_web::dev::ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Meter {
    pub fn of(server: &Server) -> Self {
        let listener = metrics::bind(Some("127.0.0.1:0")).unwrap().unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let (app, (tell, told)) = (server.app.clone(), std::sync::mpsc::channel());
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = metrics::serve(&app, listener).unwrap();
                tell.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self { url, handle: told.recv().unwrap(), thread: Some(thread) }
    }

    pub fn text(&self) -> String {
        let reply = Client::new(&self.url, None, "").get("");
        assert_eq!((reply.status, reply.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"), "{}", reply.text);
        reply.text
    }

    pub fn scrape(&self) -> Scrape {
        Scrape::parse(&self.text())
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

pub type Labels = BTreeMap<String, String>;

/// What one scrape brought.
#[derive(Debug)]
pub struct Scrape {
    /// The kinds of the families.
    pub families: BTreeMap<String, String>,
    pub samples: BTreeMap<(String, Labels), f64>,
}

impl Scrape {
    /// Reads the text format; anything that is not in it fails.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let mut out = Self { families: BTreeMap::new(), samples: BTreeMap::new() };
        let (mut help, mut family) = (BTreeSet::new(), String::new());
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines().filter(|l| !l.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, about) = rest.split_once(' ').unwrap();
                assert!(is_name(name) && about.len() > 5 && help.insert(name.to_owned()), "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(is_name(name) && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(help.contains(name), "{name} is not explained");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(out.families.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} stands here twice");
                name.clone_into(&mut family);
            } else {
                let (name, labels, value) = sample(line);
                let base = match out.families.get(&family).map(String::as_str) {
                    Some("histogram") => ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap(),
                    _ => &name,
                };
                assert_eq!(base, family, "{line} is in no family");
                assert!(out.samples.insert((name, labels), value).is_none(), "{line} stands here twice");
            }
        }
        out.check_histograms();
        out
    }

    /// Buckets only grow, and the last one is the count.
    fn check_histograms(&self) {
        for name in self.families.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
            for ((_, labels), value) in self.samples.iter().filter(|((n, _), _)| *n == format!("{name}_bucket")) {
                let mut labels = labels.clone();
                let end = labels.remove("le").unwrap();
                buckets.entry(labels).or_default().push((end.parse().unwrap(), *value));
            }
            for (labels, mut list) in buckets {
                list.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(list.is_sorted_by(|a, b| a.1 <= b.1), "{name} {list:?}");
                let last = list.last().unwrap();
                assert_eq!((last.0, last.1), (f64::INFINITY, self.samples[&(format!("{name}_count"), labels)]), "{name}");
            }
        }
    }

    /// A sample; 0 when there is none of these labels.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied().unwrap_or(0.0)
    }

    /// Every value of a label.
    pub fn values(&self, label: &str) -> BTreeSet<&str> {
        self.samples.keys().filter_map(|(_, labels)| labels.get(label)).map(String::as_str).collect()
    }

    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|(name, _)| name.as_str()).collect()
    }
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// One line: name, labels, value.
#[track_caller]
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let (value, after) = quoted(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => break rest = after.strip_prefix('}').unwrap(),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap();
    (name.to_owned(), labels, value.parse().unwrap_or_else(|_| panic!("{line}")))
}

/// What stands before the closing quote, and what comes after it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match chars.next().unwrap().1 {
                'n' => '\n',
                c @ ('"' | '\\') => c,
                other => panic!("\\{other} in {text}"),
            }),
            c => value.push(c),
        }
    }
    panic!("no end: {text}")
}

/// The metrics that an expression of Prometheus names.
pub fn named_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|w| w.starts_with("rollbook_") || w.starts_with("process_")).map(str::to_owned).collect()
}
