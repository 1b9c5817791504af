//! Transport: actix-web is named here and nowhere else. This file is the route table of the whole program.

pub mod admin;
pub mod auth;
pub mod body;
pub mod bulk;
pub mod call;
pub mod client;
pub mod connections;
pub mod edge;
pub mod error;
pub mod me;
pub mod metrics;
pub mod oauth;
pub mod ops;
pub mod own;
pub mod pages;
pub mod reply;
pub mod scim;
pub mod tls;
pub mod witness;

use crate::app::{App, worker_count};
use crate::scim::schema::ResourceKind;
use actix_web::dev::Server;
use actix_web::http::Method;
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App as Actix, HttpServer};
use std::future::ready;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tls::Tls;

/// Every route. `/scim` without a version means the latest one.
fn routes(cfg: &mut ServiceConfig) {
    cfg.route("/health", web::get().to(ops::health))
        .route("/ready", web::get().to(ops::ready))
        .route("/.well-known/jwks.json", get().to(scim::key_set))
        .service(only("/.well-known/oauth-authorization-server", &[Method::GET]).route(get().to(oauth::metadata)))
        .service(only("/oauth/token", &[Method::POST]).route(web::post().to(oauth::token)))
        .configure(claim_routes)
        .configure(admin::routes)
        .service(web::scope("/scim/v2").wrap(from_fn(auth::authenticate)).configure(scim_routes))
        .service(web::resource("/scim/v{version:[0-9.]+}{rest:(/.*)?}").to(scim::other_version))
        .service(web::scope("/scim").wrap(from_fn(auth::authenticate)).configure(scim_routes))
        .default_service(web::to(scim::not_found));
}

/// What a member sees in the browser; HTML, its errors too.
fn claim_routes(cfg: &mut ServiceConfig) {
    cfg.service(
        only("/claim", &[Method::GET, Method::POST])
            .route(get().to(pages::code))
            .route(web::post().to(pages::claim_by_code))
            .wrap(from_fn(pages::guard::shield)),
    )
    .service(only("/claim/code/{code}", &[Method::GET]).route(get().to(pages::code_filled_in)).wrap(from_fn(pages::guard::shield)))
    .service(
        only("/claim/{token}", &[Method::GET, Method::POST])
            .route(get().to(pages::link))
            .route(web::post().to(pages::claim_by_link))
            .wrap(from_fn(pages::guard::shield)),
    )
    .service(web::resource("/claim/{rest:.*}").to(pages::not_found).wrap(from_fn(pages::guard::shield)));
}

fn scim_routes(cfg: &mut ServiceConfig) {
    cfg.service(only("/ServiceProviderConfig", &[Method::GET]).route(get().to(scim::service_provider_config)))
        .service(only("/ServiceProviderConfigs", &[Method::GET]).route(get().to(scim::service_provider_config)))
        .service(only("/ResourceTypes", &[Method::GET]).route(get().to(scim::resource_types)))
        .service(only("/ResourceTypes/{name}", &[Method::GET]).route(get().to(scim::resource_type)))
        .service(only("/Schemas", &[Method::GET]).route(get().to(scim::schemas)))
        .service(only("/Schemas/{urn}", &[Method::GET]).route(get().to(scim::schema)))
        .service(only("/.search", &[Method::POST]).route(web::post().to(|c, b| scim::search(c, None, b))))
        .service(only("/Bulk", &[Method::POST]).route(web::post().to(bulk::bulk)))
        .service(
            only("/Me", &[Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
                .route(get().to(me::get))
                .route(web::post().to(me::create))
                .route(web::put().to(me::replace))
                .route(web::patch().to(me::patch))
                .route(web::delete().to(me::delete)),
        )
        .configure(|cfg| resource_routes(cfg, "/Users", ResourceKind::User))
        .configure(|cfg| resource_routes(cfg, "/Groups", ResourceKind::Group))
        .configure(own_routes)
        .service(only("", &[Method::GET]).route(get().to(|c| scim::list(c, None))))
        .default_service(web::to(scim::not_found));
}

fn resource_routes(cfg: &mut ServiceConfig, path: &str, kind: ResourceKind) {
    cfg.service(
        only(path, &[Method::GET, Method::POST])
            .route(get().to(move |c| scim::list(c, Some(kind))))
            .route(web::post().to(move |c, b| scim::create(c, kind, b))),
    )
    .service(only(&format!("{path}/.search"), &[Method::POST]).route(web::post().to(move |c, b| scim::search(c, Some(kind), b))))
    .service(
        only(&format!("{path}/{{id}}"), &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE])
            .route(get().to(move |c, id| scim::get(c, kind, id)))
            .route(web::put().to(move |c, id, b| scim::replace(c, kind, id, b)))
            .route(web::patch().to(move |c, id, b| scim::patch(c, kind, id, b)))
            .route(web::delete().to(move |c, id| scim::delete(c, kind, id))),
    );
}

/// Whatever else may be an endpoint of the tenant's own. Where it is none, no method is either.
fn own_routes(cfg: &mut ServiceConfig) {
    let other = || web::to(own::other_method);
    cfg.service(
        only("/{endpoint}", &[Method::GET, Method::POST])
            .route(get().to(own::list))
            .route(web::post().to(own::create))
            .default_service(other()),
    )
    .service(only("/{endpoint}/.search", &[Method::POST]).route(web::post().to(own::search)).default_service(other()))
    .service(
        only("/{endpoint}/{id}", &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE])
            .route(get().to(own::get))
            .route(web::put().to(own::replace))
            .route(web::patch().to(own::patch))
            .route(web::delete().to(own::delete))
            .default_service(other()),
    );
}

/// GET, and HEAD, which follows it.
fn get() -> actix_web::Route {
    web::route().guard(actix_web::guard::Any(actix_web::guard::Get()).or(actix_web::guard::Head()))
}

/// A path that answers 405 with `Allow` to every method but these.
fn only(path: &str, methods: &'static [Method]) -> actix_web::Resource {
    web::resource(path).default_service(web::to(move || ready(scim::method_not_allowed(methods))))
}

/// Connections of a worker that are in the middle of their TLS handshake. Beyond it the worker takes no new ones, so it is far
/// more than clients that dawdle can easily fill.
const MOST_HANDSHAKES: usize = 4096;

/// Serves on a listener that is bound already: TLS when it is told how, else plain HTTP. The server stops when it is told to,
/// requests under way first.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(app: &Arc<App>, listener: TcpListener, tls: Option<&Tls>) -> std::io::Result<Server> {
    let data = Data::from(app.clone());
    let workers = worker_count(&app.config);
    // Threads beyond the connections would only queue for one.
    let blocking = usize::try_from(app.config.database.pool).unwrap_or(16).div_ceil(workers) + 2;
    let server = HttpServer::new(move || {
        Actix::new().app_data(data.clone()).wrap(NormalizePath::trim()).wrap(from_fn(edge::edge)).configure(routes)
    })
    .workers(workers)
    .worker_max_blocking_threads(blocking)
    .keep_alive(Duration::from_secs(75))
    .client_request_timeout(Duration::from_secs(30))
    .tls_handshake_timeout(Duration::from_secs(5))
    .max_connection_rate(MOST_HANDSHAKES)
    .shutdown_timeout(30)
    .disable_signals();
    let server = match tls {
        None => server.listen(listener)?,
        Some(tls) => {
            let settings = tls::settings(tls.identity.clone(), app.config.tls.asks_clients()).map_err(std::io::Error::other)?;
            let connections = tls.connections.clone();
            let server = server.on_connect(move |connection, data| {
                tls::remember(connection, data);
                connections.add(connection, data);
            });
            server.listen_rustls_0_23(listener, settings)?
        }
    };
    Ok(server.run())
}
