//! For whoever runs the server.

use crate::app::App;
use actix_web::HttpResponse;
use actix_web::web::Data;

/// Whether the process answers.
pub async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// Whether it can do its work: the database answers.
pub async fn ready(app: Data<App>) -> HttpResponse {
    let asked = app.read(|conn| Ok(crate::service::auth::ping(conn)?)).await;
    match asked {
        Ok(()) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Err(e) => {
            log::warn!("not ready: {e}");
            HttpResponse::ServiceUnavailable()
                .content_type("text/plain")
                .insert_header(("Retry-After", "1"))
                .body("the database does not answer\n")
        }
    }
}
