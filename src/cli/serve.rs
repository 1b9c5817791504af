//! `rollbook serve`.

use super::args::ServeArgs;
use super::{Outcome, admin, say};
use crate::app::{App, clock};
use crate::config::Config;
use crate::domain::{Actor, Idp};
use crate::http;
use crate::http::tls::{Identity, Tls};
use crate::jobs::beat::Beat;
use crate::jobs::housekeeping::Housekeeping;
use crate::jobs::{post, timers};
use crate::service::tokens::{self, Order};
use crate::service::{Hand, tenants};
use crate::store::backend;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

pub fn run(mut config: Config, args: &ServeArgs) -> Outcome {
    config.database.migrate &= !args.no_migrate;
    env_logger::Builder::new().parse_filters(&config.log.filter).init();
    config.may_serve().map_err(|e| e.to_string())?;
    let tls = tls(&config)?;
    let listener = TcpListener::bind(&config.listen)
        .map_err(|e| format!("cannot listen on {}: {e}; listen or --listen names another address", config.listen))?;
    listener.set_nonblocking(true).map_err(|e| e.to_string())?;
    let metrics = http::metrics::bind(config.metrics.listen.as_deref())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let origin = config.origin(&address.to_string());
    let clock = clock(&config);
    if config.clock.speed > 1 {
        log::warn!("clock.speed is {}: time passes that many times as fast; for trials only", config.clock.speed);
    }
    let (app, writer) = App::open(config, &origin, clock)?;
    let app = Arc::new(app);
    if args.demo {
        demo(&app)?;
    }
    actix_web::rt::System::new().block_on(serve(app.clone(), Doors { listener, tls, metrics }))?;
    drop(app);
    if let Some(thread) = writer {
        thread.join().map_err(|_| "the writer thread panicked".to_owned())?;
    }
    log::info!("stopped");
    Ok(())
}

/// Where the server listens.
struct Doors {
    listener: TcpListener,
    tls: Option<Tls>,
    metrics: Option<TcpListener>,
}

/// Serves until a signal; then stops accepting, finishes what is running, and writes down what is still in memory.
async fn serve(app: Arc<App>, doors: Doors) -> Outcome {
    let Doors { listener, tls, metrics } = doors;
    let mut signals = Signals::new()?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let mailer = post::open(&app)?;
    let text = |e: std::io::Error| e.to_string();
    let housekeeping = Housekeeping::start(app.clone()).map_err(text)?;
    let background = (timers::start(app.clone()).map_err(text)?, post::start(app.clone(), mailer).map_err(text)?);
    let looking = tls.as_ref().map(|tls| look_after(tls.identity.clone(), app.clone())).transpose().map_err(text)?;
    let server = http::serve(&app, listener, tls.as_ref()).map_err(text)?;
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    http::metrics::announce(metrics.as_ref(), app.config.metrics.listen.as_deref());
    let measuring = metrics.map(|listener| http::metrics::serve(&app, listener)).transpose().map_err(text)?;
    let measuring = measuring.map(|server| (server.handle(), actix_web::rt::spawn(server)));
    say(&format!("listening on {}://{address}", app.config.scheme()))?;
    signals.any().await;
    log::info!("stopping: requests under way are finished first");
    let closing = tls.map(|tls| actix_web::rt::spawn(tls.connections.close_idle()));
    handle.stop(true).await;
    closing.inspect(JoinHandle::abort);
    running.await.map_err(|e| e.to_string())?.map_err(text)?;
    if let Some((handle, running)) = measuring {
        handle.stop(false).await;
        running.await.map_err(|e| e.to_string())?.map_err(text)?;
    }
    drop(looking);
    drop(background);
    drop(housekeeping);
    Ok(())
}

/// The certificate that the configuration names, with its key.
pub fn tls(config: &Config) -> Result<Option<Tls>, String> {
    let Some((certificate, key)) = config.tls.files() else { return Ok(None) };
    Tls::open(Path::new(certificate), Path::new(key)).map(Some).map_err(|e| format!("tls.certificate, tls.key: {e}"))
}

/// How often the files of certificate and key are looked at.
const LOOKS: Duration = Duration::from_secs(3);

/// Keeps the certificate up to date in the background.
fn look_after(identity: Arc<Identity>, app: Arc<App>) -> std::io::Result<Beat> {
    Beat::start("certificate", LOOKS, move |_| identity.look(app.now()), || {})
}

/// SIGTERM and SIGINT. They are caught from the moment that this is made.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> Result<Self, String> {
        let caught = |kind| signal(kind).map_err(|e| e.to_string());
        Ok(Self { term: caught(SignalKind::terminate())?, int: caught(SignalKind::interrupt())? })
    }

    async fn any(&mut self) {
        futures_util::future::select(Box::pin(self.term.recv()), Box::pin(self.int.recv())).await;
    }
}

/// A tenant to try, on a database that has none.
fn demo(app: &App) -> Outcome {
    let now = app.now();
    let hand = Hand { actor: Actor::Admin("serve --demo".to_owned()), now, request_id: None };
    let made = backend::write(&mut admin::open(&app.config)?, |c| {
        if !tenants::list(c)?.is_empty() {
            return Ok(None);
        }
        tenants::create(c, &hand, "demo", Idp::Auto, None)?;
        let order = Order { name: "demo".to_owned(), ..Order::default() };
        tokens::issue(c, "demo", &order, now).map(Some)
    });
    let made = made.map_err(|e: crate::error::Error| e.to_string())?;
    let Some((_, token)) = made else {
        return say("The database has tenants already, so no demo tenant was made; `rollbook token issue demo` gives a new token.");
    };
    let base = &app.base;
    say(&format!(
        "SCIM base URL:  {base}\nBearer token:   {token}\n\nTry it:\n\n  \
         curl -H 'Authorization: Bearer {token}' -H 'Content-Type: application/scim+json' \\\n    \
         -d '{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"first@example.com\"}}' {base}/Users\n\n  \
         curl -H 'Authorization: Bearer {token}' '{base}/Users?filter=userName%20eq%20%22first@example.com%22'\n"
    ))
}
