//! One small JSON document from another server.

use super::Reach;
use crate::domain::outside;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response, header};
use serde_json::Value;
use std::net::ToSocketAddrs;
use std::sync::OnceLock;
use std::time::Duration;

/// How long an answer may take altogether.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MOST: usize = 256 << 10;
const REDIRECTS: usize = 3;

/// Asks other servers. The clients are made when they are first needed: reading the system's authorities takes a while.
#[derive(Default)]
pub struct Web {
    /// Whether this server is one for trials: see [`outside::check`].
    trial: bool,
    open: OnceLock<Result<Client, String>>,
    public: OnceLock<Result<Client, String>>,
}

impl Web {
    /// For a server that is reached at this origin.
    pub fn of(origin: &str) -> Self {
        Self { trial: outside::is_loopback(origin), ..Self::default() }
    }

    /// The JSON at an address.
    ///
    /// # Errors
    /// A sentence for the log.
    pub async fn json(&self, url: &str, reach: Reach) -> Result<Value, String> {
        let url = outside::check(url, self.trial)?;
        let client = self.client(reach)?;
        let sent = client.get(url).header(header::ACCEPT, "application/jwk-set+json, application/json").send();
        let read = async {
            let response = sent.await.map_err(|e| explained(&e))?;
            if !response.status().is_success() {
                return Err(format!("it answers {}", response.status()));
            }
            body(response).await
        };
        let bytes = tokio::time::timeout(PATIENCE, read).await.map_err(|_| format!("no answer in {} seconds", PATIENCE.as_secs()))??;
        serde_json::from_slice(&bytes).map_err(|e| format!("the answer is no JSON: {e}"))
    }

    fn client(&self, reach: Reach) -> Result<&Client, String> {
        let public = reach == Reach::Public && !self.trial;
        let made = if public { &self.public } else { &self.open };
        made.get_or_init(|| client(public)).as_ref().map_err(Clone::clone)
    }
}

fn client(public: bool) -> Result<Client, String> {
    // No connection outlives its request, for it would belong to one of several threads. The environment names no proxy: it is
    // read by the configuration only.
    let mut builder = Client::builder()
        .user_agent(concat!("rollbook/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(follow))
        .pool_max_idle_per_host(0)
        .no_proxy();
    if public {
        builder = builder.dns_resolver(PublicOnly);
    }
    builder.build().map_err(|e| explained(&e))
}

/// Follows to another path of the same server, a few times.
fn follow(attempt: Attempt) -> reqwest::redirect::Action {
    let same = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
    if same && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.error("it leads elsewhere") }
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| explained(&e))? {
        if out.len() + chunk.len() > MOST {
            return Err(format!("the answer has more than {MOST} bytes"));
        }
        out.extend_from_slice(&chunk);
    }
    Ok(out)
}

/// An error with what caused it.
fn explained(e: &reqwest::Error) -> String {
    let mut text = e.to_string();
    let mut cause = std::error::Error::source(e);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}

/// Finds addresses that everybody can reach, and no others: a name may lead into our own network.
#[derive(Debug, Clone, Copy)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || (name.as_str(), 0).to_socket_addrs()).await??;
            let public: Vec<_> = found.filter(|a| outside::is_public(a.ip())).collect();
            if public.is_empty() {
                return Err("the name leads into a private network".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(task: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
    }

    #[test]
    fn names_do_not_lead_inside() {
        let refused = run(PublicOnly.resolve("localhost".parse().unwrap())).err().unwrap();
        assert!(refused.to_string().contains("private"), "{refused}");
    }

    #[test]
    fn only_addresses_that_may_be_asked_are_asked() {
        let web = Web::of("https://scim.example.com");
        for url in ["http://127.0.0.1:9/", "https://10.0.0.1/", "https://localhost/", "http://idp.example.com/", "nothing"] {
            assert!(run(web.json(url, Reach::Any)).is_err(), "{url}");
        }
    }
}
