//! `/Me`: the member whose own token it is (RFC 7644 §3.11). What it answers is what the member's permanent address would.

use super::body::Body;
use super::call::Call;
use crate::error::{Error, Result};
use crate::scim;
use crate::scim::schema::ResourceKind;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Path;

/// `GET /Me`.
pub async fn get(call: Call) -> Result<HttpResponse> {
    let id = own(&call)?;
    super::scim::get(call, ResourceKind::User, id).await.map(located)
}

/// `PUT /Me`. What the member may not change and does not send stays.
pub async fn replace(call: Call, body: Body) -> Result<HttpResponse> {
    let id = own(&call)?;
    super::scim::replace(call, ResourceKind::User, id, body).await.map(located)
}

/// `PATCH /Me`.
pub async fn patch(call: Call, body: Body) -> Result<HttpResponse> {
    let id = own(&call)?;
    super::scim::patch(call, ResourceKind::User, id, body).await.map(located)
}

/// `POST /Me`: members come from their identity provider, and whoever has a token is one already.
pub async fn create(call: Call) -> Result<HttpResponse> {
    own(&call)?;
    Err(Error::Scim(scim::Error::status(501, "a member cannot be created at /Me; whose token this is is a member already")))
}

/// `DELETE /Me`: members leave when their identity provider or an admin says so.
pub async fn delete(call: Call) -> Result<HttpResponse> {
    own(&call)?;
    Err(Error::Denied("members cannot delete themselves; their organisation does".to_owned()))
}

/// The SCIM id of the member.
fn own(call: &Call) -> Result<Path<String>> {
    let missing = || Error::Scim(scim::Error::status(404, "this token is no member's own, so there is nothing at /Me for it"));
    call.me.clone().map(Path::from).ok_or_else(missing)
}

/// Says where the member really is (RFC 7644 §3.11).
fn located(mut answer: HttpResponse) -> HttpResponse {
    if let Some(place) = answer.headers().get(header::CONTENT_LOCATION).cloned() {
        answer.headers_mut().insert(header::LOCATION, place);
    }
    answer
}
