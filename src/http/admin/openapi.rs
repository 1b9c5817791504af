//! The description of the admin API (OpenAPI 3.1), made from its handlers, and a page to read it.

use super::members::parts;
use super::{
    clients, declarations, explanations, groups, issuers, jobs, keys, locations, members, problem, records, requests, setup, sources,
    tenants, tokens,
};
use crate::domain::Settings;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Path;
use serde_json::{Map, Value, json};
use std::sync::{Arc, OnceLock};
use utoipa::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerFile};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rollbook admin API",
        version = env!("CARGO_PKG_VERSION"),
        description = "Tenants, their sources and tokens, and the members of their rolls. Errors are problem details (RFC 9457)."
    ),
    paths(
        keys::list, keys::create, keys::revoke, keys::list_of, keys::create_for, keys::revoke_of,
        tenants::list, tenants::create, tenants::get, tenants::change, tenants::deletion, tenants::delete,
        sources::list, sources::create, sources::get, sources::change, sources::delete,
        tokens::list, tokens::create, tokens::get, tokens::revoke,
        groups::list, groups::get, groups::members,
        locations::list, locations::create, locations::rename, locations::remove,
        records::audit, records::tolerances, records::codes, records::mails, records::mail_by_id, records::retry, records::retry_all,
        records::freezes, records::confirm,
        requests::list, requests::get, explanations::create,
        setup::export, setup::apply,
        tokens::rotation, tokens::rotate, tokens::complete_rotation, tokens::cancel_rotation,
        members::list, members::create, members::get, members::change, members::delete, members::timeline,
        parts::invite, parts::invitation, parts::revoke, parts::suspend, parts::restore, parts::claim, parts::reset,
        parts::hold, parts::lift_hold, parts::erase, parts::release, parts::code, parts::issue, parts::revoke_code,
        jobs::create, jobs::list, jobs::get, jobs::failures,
        clients::list, clients::create, clients::get, clients::revoke,
        issuers::list, issuers::create, issuers::get, issuers::remove,
        declarations::schemas, declarations::create_schema, declarations::schema, declarations::replace_schema, declarations::remove_schema,
        declarations::resource_types, declarations::create_type, declarations::resource_type, declarations::replace_type,
        declarations::remove_type,
    ),
    components(schemas(problem::Problem)),
    tags(
        (name = "tenants", description = "The customers"),
        (name = "sources", description = "The connections of a tenant's identity providers"),
        (name = "tokens", description = "What identity providers connect with"),
        (name = "oauth", description = "Clients that fetch tokens, and outside issuers whose tokens are taken"),
        (name = "keys", description = "Keys of this API"),
        (name = "members", description = "The people on a tenant's roll"),
        (name = "jobs", description = "What is done to many members, in the background"),
        (name = "schemas", description = "Attributes and resource types of a tenant's own"),
        (name = "groups", description = "Groups, as identity providers have made them"),
        (name = "locations", description = "The places that members can be at"),
        (name = "mails", description = "Mails that wait, were sent, or could not be"),
        (name = "setup", description = "Tenants as a file declares them"),
        (name = "records", description = "What has happened"),
    )
)]
struct Described;

/// The answers that every operation may give beside its own.
const PROBLEMS: [(&str, &str); 10] = [
    ("400", "A member of the body or a parameter makes no sense"),
    ("401", "No key, or one that is not accepted"),
    ("403", "The key does not allow this"),
    ("404", "There is no such thing"),
    ("409", "It contradicts what is there"),
    ("410", "It is over"),
    ("412", "It was changed since it was read (If-Match)"),
    ("413", "The body is too large"),
    ("415", "The body has another media type"),
    ("503", "Too much is going on; try again after Retry-After"),
];

/// The document, with what all operations have in common.
#[must_use]
pub fn described() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut doc = serde_json::to_value(Described::openapi()).unwrap_or_default();
        if let Some(paths) = doc.get_mut("paths").and_then(Value::as_object_mut) {
            for operations in paths.values_mut().filter_map(Value::as_object_mut) {
                operations.iter_mut().for_each(|(method, operation)| complete(method, operation));
            }
        }
        if let Some(all) = doc.as_object_mut() {
            all.insert("security".to_owned(), json!([{"key": []}]));
        }
        if let Some(components) = doc.get_mut("components").and_then(Value::as_object_mut) {
            components.insert("securitySchemes".to_owned(), json!({"key": {"type": "http", "scheme": "bearer"}}));
        }
        if let Some(properties) = doc.pointer_mut("/components/schemas/Settings/properties") {
            add_defaults(properties);
        }
        doc
    })
}

fn complete(method: &str, operation: &mut Value) {
    let Some(operation) = operation.as_object_mut() else { return };
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    for (status, description) in PROBLEMS {
        let answer = json!({
            "description": description,
            "content": {problem::MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        });
        if let Some(all) = responses.as_object_mut() {
            all.entry(status).or_insert(answer);
        }
    }
    let header = match method {
        "post" => Some((
            "Idempotency-Key",
            "Sent twice with the same key, within a day, it happens once",
            json!({"type": "string", "minLength": 8, "maxLength": 255}),
        )),
        "patch" => Some(("If-Match", "The ETag that must still be in force", json!({"type": "string"}))),
        _ => None,
    };
    if let Some((name, description, schema)) = header {
        let parameter = json!({"name": name, "in": "header", "required": false, "description": description, "schema": schema});
        if let Some(list) = operation.entry("parameters").or_insert_with(|| json!([])).as_array_mut() {
            list.push(parameter);
        }
    }
}

/// Every setting with its default.
fn add_defaults(properties: &mut Value) {
    let defaults = serde_json::to_value(Settings::default()).unwrap_or_default();
    for (name, value) in defaults.as_object().unwrap_or(&Map::new()) {
        if let Some(property) = properties.get_mut(name).and_then(Value::as_object_mut) {
            property.insert("default".to_owned(), value.clone());
        }
    }
}

/// `GET /admin/openapi.json`
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().json(described())
}

/// `GET /admin`: where the page is.
pub async fn to_page() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/admin/docs/index.html")).finish()
}

/// `GET /admin/docs/…`: the page, and what belongs to it. It asks no other host for anything.
pub async fn page(file: Path<String>) -> HttpResponse {
    static CONFIG: OnceLock<Arc<Config<'static>>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| Arc::new(Config::from("/admin/openapi.json")));
    let name = if file.is_empty() { "index.html" } else { file.as_str() };
    match utoipa_swagger_ui::serve(name, config.clone()) {
        Ok(Some(SwaggerFile { bytes, content_type, .. })) => HttpResponse::Ok().content_type(content_type).body(bytes.into_owned()),
        Ok(None) | Err(_) => HttpResponse::NotFound().finish(),
    }
}
