//! Reading a request body: its media type, its size.

use super::call::Known;
use super::reply::SCIM_JSON;
use crate::app::App;
use crate::error::{Error, Result};
use crate::scim;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use std::future::Future;
use std::pin::Pin;

/// A JSON body that is not too large.
pub struct Body(pub Bytes);

impl FromRequest for Body {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let most = req.app_data::<Data<App>>().map_or(0, |app| app.limits.body_bytes);
        let checked = check_scim_type(req).and_then(|()| check_length(req, most));
        let payload = payload.take();
        Box::pin(async move {
            checked?;
            read(payload, most).await.map(Self)
        })
    }
}

/// Refuses a body that is no SCIM; under the interop profile also one that does not say so (RFC 7644 §3.1, §8.1).
fn check_scim_type(req: &HttpRequest) -> Result<()> {
    if !req.extensions().get::<Known>().is_some_and(|known| known.ctx.dialect.declared.is_interop()) {
        return check_type(req, &[SCIM_JSON, "application/json"]);
    }
    if req.headers().contains_key(header::CONTENT_TYPE) {
        return check_type(req, &[SCIM_JSON]);
    }
    Err(Error::Scim(scim::Error::status(415, format!("the body has no Content-Type; {SCIM_JSON} is expected"))))
}

/// Refuses a body of another media type.
pub(super) fn check_type(req: &HttpRequest, known: &[&str]) -> Result<()> {
    let Some(value) = req.headers().get(header::CONTENT_TYPE) else { return Ok(()) };
    let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if media.is_empty() || known.iter().any(|k| media.eq_ignore_ascii_case(k)) {
        return Ok(());
    }
    let detail = format!("the body is \"{}\"; {} is expected", scim::error::shown(media), known.join(" or "));
    Err(Error::Scim(scim::Error::status(415, detail)))
}

/// Refuses a body that is announced as larger than `most`.
pub(super) fn check_length(req: &HttpRequest, most: usize) -> Result<()> {
    if announced(req).is_some_and(|n| n > most) { Err(too_large(most)) } else { Ok(()) }
}

/// How many bytes the body is said to have.
pub(super) fn announced(req: &HttpRequest) -> Option<usize> {
    req.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body of `most` bytes.
pub(super) async fn read(payload: Payload, most: usize) -> Result<Bytes> {
    gather(payload, |_, length| if length > most { Err(too_large(most)) } else { Ok(()) }).await
}

/// Reads a body as long as it is accepted; `accept` is told each chunk, and the length of all of them together.
pub(super) async fn gather(mut payload: Payload, mut accept: impl FnMut(&[u8], usize) -> Result<()>) -> Result<Bytes> {
    let mut out = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|e| Error::Scim(scim::Error::syntax(format!("the body could not be read: {e}"))))?;
        accept(&chunk, out.len() + chunk.len())?;
        out.extend_from_slice(&chunk);
    }
    Ok(out.freeze())
}

fn too_large(most: usize) -> Error {
    Error::Scim(scim::Error::status(413, format!("the body is too large; at most {most} bytes are accepted (body_bytes)")))
}
