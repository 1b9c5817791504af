//! The admin API: resources, not verbs. This file is the table of its routes; each is described where its handler is.

pub mod call;
pub mod clients;
pub mod declarations;
pub mod explanations;
pub mod fields;
pub mod gate;
pub mod groups;
pub mod issuers;
pub mod jobs;
pub mod keys;
pub mod locations;
pub mod members;
pub mod openapi;
pub mod params;
pub mod problem;
pub mod records;
pub mod requests;
pub mod setup;
pub mod sources;
pub mod tenants;
pub mod tokens;

use super::get;
use crate::error::Error;
use crate::scim;
use actix_web::HttpResponse;
use actix_web::http::{Method, header};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use members::parts;
use std::future::ready;

/// Every route of the admin API.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(only("/admin/openapi.json", &[Method::GET]).route(get().to(openapi::document)))
        .service(only("/admin", &[Method::GET]).route(get().to(openapi::to_page)))
        .service(only("/admin/docs/{file:.*}", &[Method::GET]).route(get().to(openapi::page)))
        .service(web::scope("/admin/v1").wrap(from_fn(gate::authenticate)).configure(versioned).default_service(web::to(not_found)));
}

fn versioned(cfg: &mut ServiceConfig) {
    cfg.service(only("/keys", &[Method::GET, Method::POST]).route(get().to(keys::list)).route(web::post().to(keys::create)))
        .service(only("/keys/{id}", &[Method::DELETE]).route(web::delete().to(keys::revoke)))
        .service(only("/setup", &[Method::GET, Method::PUT]).route(get().to(setup::export)).route(web::put().to(setup::apply)))
        .service(only("/tenants", &[Method::GET, Method::POST]).route(get().to(tenants::list)).route(web::post().to(tenants::create)))
        .service(
            only("/tenants/{tenant}", &[Method::GET, Method::PATCH, Method::DELETE])
                .route(get().to(tenants::get))
                .route(web::patch().to(tenants::change))
                .route(web::delete().to(tenants::delete)),
        )
        .service(web::scope("/tenants/{tenant}").configure(of_tenant).default_service(web::to(not_found)));
}

fn of_tenant(cfg: &mut ServiceConfig) {
    cfg.configure(records_of_tenant);
    cfg.service(only("/groups", &[Method::GET]).route(get().to(groups::list)))
        .service(only("/groups/{id}", &[Method::GET]).route(get().to(groups::get)))
        .service(only("/groups/{id}/members", &[Method::GET]).route(get().to(groups::members)))
        .service(only("/locations", &[Method::GET, Method::POST]).route(get().to(locations::list)).route(web::post().to(locations::create)))
        .service(
            only("/locations/{name}", &[Method::PATCH, Method::DELETE])
                .route(web::patch().to(locations::rename))
                .route(web::delete().to(locations::remove)),
        );
    cfg.service(only("/deletion", &[Method::GET]).route(get().to(tenants::deletion)))
        .service(only("/keys", &[Method::GET, Method::POST]).route(get().to(keys::list_of)).route(web::post().to(keys::create_for)))
        .service(only("/keys/{id}", &[Method::DELETE]).route(web::delete().to(keys::revoke_of)))
        .service(only("/sources", &[Method::GET, Method::POST]).route(get().to(sources::list)).route(web::post().to(sources::create)))
        .service(
            only("/sources/{source}", &[Method::GET, Method::PATCH, Method::DELETE])
                .route(get().to(sources::get))
                .route(web::patch().to(sources::change))
                .route(web::delete().to(sources::delete)),
        )
        .service(only("/tokens", &[Method::GET, Method::POST]).route(get().to(tokens::list)).route(web::post().to(tokens::create)))
        .service(only("/tokens/{id}", &[Method::GET, Method::DELETE]).route(get().to(tokens::get)).route(web::delete().to(tokens::revoke)))
        .service(
            only("/tokens/{id}/rotation", &[Method::GET, Method::POST, Method::PATCH, Method::DELETE])
                .route(get().to(tokens::rotation))
                .route(web::post().to(tokens::rotate))
                .route(web::patch().to(tokens::complete_rotation))
                .route(web::delete().to(tokens::cancel_rotation)),
        )
        .service(only("/clients", &[Method::GET, Method::POST]).route(get().to(clients::list)).route(web::post().to(clients::create)))
        .service(
            only("/clients/{id}", &[Method::GET, Method::DELETE]).route(get().to(clients::get)).route(web::delete().to(clients::revoke)),
        )
        .service(only("/issuers", &[Method::GET, Method::POST]).route(get().to(issuers::list)).route(web::post().to(issuers::create)))
        .service(
            only("/issuers/{id}", &[Method::GET, Method::DELETE]).route(get().to(issuers::get)).route(web::delete().to(issuers::remove)),
        );
    cfg.configure(of_members).configure(of_jobs).configure(of_types);
}

fn of_types(cfg: &mut ServiceConfig) {
    cfg.service(
        only("/schemas", &[Method::GET, Method::POST])
            .route(get().to(declarations::schemas))
            .route(web::post().to(declarations::create_schema)),
    )
    .service(
        only("/schemas/{urn}", &[Method::GET, Method::PUT, Method::DELETE])
            .route(get().to(declarations::schema))
            .route(web::put().to(declarations::replace_schema))
            .route(web::delete().to(declarations::remove_schema)),
    )
    .service(
        only("/resource_types", &[Method::GET, Method::POST])
            .route(get().to(declarations::resource_types))
            .route(web::post().to(declarations::create_type)),
    )
    .service(
        only("/resource_types/{name}", &[Method::GET, Method::PUT, Method::DELETE])
            .route(get().to(declarations::resource_type))
            .route(web::put().to(declarations::replace_type))
            .route(web::delete().to(declarations::remove_type)),
    );
}

fn of_members(cfg: &mut ServiceConfig) {
    cfg.service(only("/members", &[Method::GET, Method::POST]).route(get().to(members::list)).route(web::post().to(members::create)))
        .service(
            only("/members/{member}", &[Method::GET, Method::PATCH, Method::DELETE])
                .route(get().to(members::get))
                .route(web::patch().to(members::change))
                .route(web::delete().to(members::delete)),
        )
        .service(only("/members/{member}/timeline", &[Method::GET]).route(get().to(members::timeline)))
        .service(
            only("/members/{member}/invitation", &[Method::GET, Method::POST, Method::DELETE])
                .route(get().to(parts::invitation))
                .route(web::post().to(parts::invite))
                .route(web::delete().to(parts::revoke)),
        )
        .service(
            only("/members/{member}/suspension", &[Method::PUT, Method::DELETE])
                .route(web::put().to(parts::suspend))
                .route(web::delete().to(parts::restore)),
        )
        .service(
            only("/members/{member}/claim", &[Method::PUT, Method::DELETE])
                .route(web::put().to(parts::claim))
                .route(web::delete().to(parts::reset)),
        )
        .service(
            only("/members/{member}/legal_hold", &[Method::PUT, Method::DELETE])
                .route(web::put().to(parts::hold))
                .route(web::delete().to(parts::lift_hold)),
        )
        .service(only("/members/{member}/erasure", &[Method::POST]).route(web::post().to(parts::erase)))
        .service(only("/members/{member}/names", &[Method::DELETE]).route(web::delete().to(parts::release)))
        .service(
            only("/members/{member}/code", &[Method::GET, Method::POST, Method::DELETE])
                .route(get().to(parts::code))
                .route(web::post().to(parts::issue))
                .route(web::delete().to(parts::revoke_code)),
        );
}

fn of_jobs(cfg: &mut ServiceConfig) {
    cfg.service(only("/jobs", &[Method::GET, Method::POST]).route(get().to(jobs::list)).route(web::post().to(jobs::create)))
        .service(only("/jobs/{id}", &[Method::GET]).route(get().to(jobs::get)))
        .service(only("/jobs/{id}/failures", &[Method::GET]).route(get().to(jobs::failures)));
}

fn records_of_tenant(cfg: &mut ServiceConfig) {
    cfg.service(only("/audit", &[Method::GET]).route(get().to(records::audit)))
        .service(only("/tolerances", &[Method::GET]).route(get().to(records::tolerances)))
        .service(only("/requests", &[Method::GET]).route(get().to(requests::list)))
        .service(only("/requests/{id}", &[Method::GET]).route(get().to(requests::get)))
        .service(only("/explanations", &[Method::POST]).route(web::post().to(explanations::create)))
        .service(only("/codes", &[Method::GET]).route(get().to(records::codes)))
        .service(only("/mails", &[Method::GET, Method::PATCH]).route(get().to(records::mails)).route(web::patch().to(records::retry_all)))
        .service(
            only("/mails/{id}", &[Method::GET, Method::PATCH]).route(get().to(records::mail_by_id)).route(web::patch().to(records::retry)),
        )
        .service(only("/freezes", &[Method::GET]).route(get().to(records::freezes)))
        .service(only("/freezes/confirmation", &[Method::PUT]).route(web::put().to(records::confirm)));
}

/// A path that answers 405 with `Allow` to every method but these.
fn only(path: &str, methods: &'static [Method]) -> actix_web::Resource {
    web::resource(path).default_service(web::to(move || ready(method_not_allowed(methods))))
}

fn method_not_allowed(methods: &[Method]) -> HttpResponse {
    let allowed = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    HttpResponse::MethodNotAllowed()
        .insert_header((header::ALLOW, allowed.clone()))
        .insert_header((header::CONTENT_TYPE, problem::MEDIA_TYPE))
        .body(problem::body(actix_web::http::StatusCode::METHOD_NOT_ALLOWED, "method", &format!("this path takes {allowed}")))
}

/// A path that leads nowhere.
async fn not_found(req: actix_web::HttpRequest) -> problem::Result<HttpResponse> {
    Err(Error::missing("path", format!("there is nothing at {}", scim::error::shown(req.path()))).into())
}
