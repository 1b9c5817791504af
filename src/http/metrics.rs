//! `/metrics`, on a listener of its own: what it tells is for the operator, and never for whoever reaches the SCIM address.

use crate::app::App;
use crate::error::Result;
use actix_web::dev::Server;
use actix_web::web::{self, Data};
use actix_web::{App as Actix, HttpResponse, HttpServer};
use std::net::TcpListener;
use std::sync::Arc;

/// Where metrics are when nothing is configured.
pub const DEFAULT: &str = "127.0.0.1:9464";
/// The media type of Prometheus's text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The listener of the metrics, as it is configured: nothing, `off`, or an address. The default address may be taken, by another
/// server on this machine: then there is none.
///
/// # Errors
/// When an address that was asked for cannot be listened on.
pub fn bind(listen: Option<&str>) -> std::result::Result<Option<TcpListener>, String> {
    if listen == Some("off") {
        return Ok(None);
    }
    let address = listen.unwrap_or(DEFAULT);
    let bound = TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    match bound {
        Err(e) if listen.is_some() => {
            Err(format!("cannot listen on {address} for metrics: {e}; metrics.listen names another address, or off"))
        }
        bound => Ok(bound.ok()),
    }
}

/// Writes into the log where the metrics are, or that there are none although nobody has switched them off.
pub fn announce(listener: Option<&TcpListener>, listen: Option<&str>) {
    match listener.and_then(|listener| listener.local_addr().ok()) {
        Some(address) => log::info!("metrics are at http://{address}/metrics"),
        None if listen.is_none() => {
            log::warn!("there are no metrics: {DEFAULT} cannot be listened on; metrics.listen names another address, or off");
        }
        None => {}
    }
}

/// Serves `/metrics` and nothing else. The server stops when it is told to.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(app: &Arc<App>, listener: TcpListener) -> std::io::Result<Server> {
    let data = Data::from(app.clone());
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(data.clone())
            .route("/metrics", web::get().to(metrics))
            .default_service(web::to(|| async { HttpResponse::NotFound().content_type("text/plain").body("metrics are at /metrics\n") }))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

async fn metrics(app: Data<App>) -> Result<HttpResponse> {
    let text = app.into_inner().scrape().await;
    Ok(HttpResponse::Ok().content_type(TEXT).body(text))
}
