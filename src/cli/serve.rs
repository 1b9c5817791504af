//! `rollbook serve`.

use super::args::ServeArgs;
use super::{Outcome, admin, say};
use crate::app::{App, clock};
use crate::config::Config;
use crate::domain::Idp;
use crate::http;
use crate::jobs::housekeeping::Housekeeping;
use crate::jobs::{post, timers};
use crate::service::tenants;
use crate::service::tokens::{self, Order};
use crate::store::backend;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub fn run(mut config: Config, args: &ServeArgs) -> Outcome {
    config.database.migrate &= !args.no_migrate;
    env_logger::Builder::new().parse_filters(&config.log.filter).init();
    let listener = TcpListener::bind(&config.listen)
        .map_err(|e| format!("cannot listen on {}: {e}; listen or --listen names another address", config.listen))?;
    listener.set_nonblocking(true).map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let origin = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let clock = clock(&config);
    if config.clock.speed > 1 {
        log::warn!("clock.speed is {}: time passes that many times as fast; for trials only", config.clock.speed);
    }
    let (app, writer) = App::open(config, &origin, clock)?;
    let app = Arc::new(app);
    if args.demo {
        demo(&app)?;
    }
    actix_web::rt::System::new().block_on(serve(app.clone(), listener))?;
    drop(app);
    if let Some(thread) = writer {
        thread.join().map_err(|_| "the writer thread panicked".to_owned())?;
    }
    log::info!("stopped");
    Ok(())
}

/// Serves until a signal; then stops accepting, finishes what is running, and writes down what is still in memory.
async fn serve(app: Arc<App>, listener: TcpListener) -> Outcome {
    let mut signals = Signals::new()?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let mailer = post::open(&app)?;
    let text = |e: std::io::Error| e.to_string();
    let housekeeping = Housekeeping::start(app.clone()).map_err(text)?;
    let background = (timers::start(app.clone()).map_err(text)?, post::start(app.clone(), mailer).map_err(text)?);
    let server = http::serve(&app, listener).map_err(|e| e.to_string())?;
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    say(&format!("listening on http://{address}"))?;
    signals.any().await;
    log::info!("stopping: requests under way are finished first");
    handle.stop(true).await;
    running.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    drop(background);
    drop(housekeeping);
    Ok(())
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
    let made = backend::write(&mut admin::open(&app.config)?, |c| {
        if !tenants::list(c)?.is_empty() {
            return Ok(None);
        }
        tenants::create(c, "demo", Idp::Auto, None, now)?;
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
