//! `POST /Bulk` (RFC 7644 §3.7): reading the request, carrying it out, its answer.

use super::body::{self, check_type};
use super::call::Call;
use super::{error, reply};
use crate::app::App;
use crate::error::{Error, Result};
use crate::scim::bulk::count::Counter;
use crate::scim::bulk::{self, Method, Operation, Request};
use crate::scim::{self, BULK_RESPONSE_URN, json};
use crate::service::journal;
use crate::service::scim_bulk::{self, Done, Part, Progress};
use actix_web::dev::Payload;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use serde_json::{Map, Value};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// How long a part of a request waits when there are too many writes, before its operations are tried one by one.
const PAUSE: Duration = Duration::from_millis(100);

/// The body of a bulk request, which is refused as soon as it has too many bytes or operations.
pub struct BulkBody(Bytes);

impl FromRequest for BulkBody {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (bytes, operations) = req.app_data::<Data<App>>().map_or((0, 0), |app| (app.limits.bulk_bytes, app.limits.bulk_operations));
        let checked = check_type(req, &["application/scim+json", "application/json"])
            .and_then(|()| if body::announced(req).is_some_and(|n| n > bytes) { Err(too_large(bytes)) } else { Ok(()) });
        let payload = payload.take();
        Box::pin(async move {
            checked?;
            let mut counter = Counter::default();
            let accept = |chunk: &[u8], length: usize| {
                if length > bytes {
                    return Err(too_large(bytes));
                }
                if counter.feed(chunk) > operations { Err(bulk::too_many(operations).into()) } else { Ok(()) }
            };
            body::gather(payload, accept).await.map(Self)
        })
    }
}

fn too_large(most: usize) -> Error {
    let detail = format!("the request is larger than maxPayloadSize: at most {most} bytes are accepted (bulk_bytes)");
    Error::Scim(scim::Error::status(413, detail))
}

/// `POST /Bulk`.
pub async fn bulk(call: Call, body: BulkBody) -> Result<HttpResponse> {
    let request = read(&call, &body.0)?;
    drop(body);
    let (request, done) = carry_out(&call, request).await?;
    for d in &done {
        write_down(&call, d);
    }
    let results: Vec<Value> = done.iter().filter_map(|d| Some(result(&call, request.operations.get(d.at)?, d))).collect();
    let answer = serde_json::json!({"schemas": [BULK_RESPONSE_URN], "Operations": results});
    Ok(reply::document(&call, answer.to_string()))
}

fn read(call: &Call, body: &[u8]) -> Result<Request> {
    let limits = call.ctx.limits;
    let mut reading = call.ctx.reading();
    let map = json::object(body, limits.json_depth + bulk::DATA_DEPTH)?;
    let request = bulk::read(map, &call.ctx.types, &call.ctx.base, limits.bulk_operations, &mut reading)?;
    call.ctx.trace.body(&reading);
    Ok(request)
}

/// Does what is asked for, a part at a time. When nothing at all could be done, the request fails.
async fn carry_out(call: &Call, request: Request) -> Result<(std::sync::Arc<Request>, Vec<Done>)> {
    let mut ctx = call.ctx.clone();
    let mut progress = Progress::new(request);
    loop {
        ctx.now = call.app.now();
        let Some(part) = progress.next(&ctx) else { return Ok(progress.end()) };
        let part = std::sync::Arc::new(hashed(call, part).await?);
        let work = part.clone();
        let turn = call.app.bulk_turn().await;
        let ran = call.app.write(move |conn| scim_bulk::run(conn, &work)).await;
        drop(turn);
        match ran {
            Ok(done) => progress.take(done),
            Err(why @ Error::Busy(_)) if !progress.has_begun() => return Err(why),
            Err(why) => {
                log::error!("request={} a part of a bulk request failed: {why}", call.ctx.request_id);
                if let Error::Busy(_) = why {
                    actix_web::rt::time::sleep(PAUSE).await;
                }
                progress.failed(&part, &why);
            }
        }
    }
}

/// Hashes the passwords of a part, which takes too long for a transaction.
async fn hashed(call: &Call, mut part: Part) -> Result<Part> {
    let owners = part.passwords();
    if owners.is_empty() {
        return Ok(part);
    }
    let ctx = call.ctx.clone();
    let kept = call.app.look_up(move |conn| scim_bulk::kept(conn, &ctx, &owners)).await?;
    call.app.hash(move || part.hash(&kept).map(|()| part)).await
}

/// Has it written down what became of an operation, where that is not in its transaction.
fn write_down(call: &Call, done: &Done) {
    let (status, fault) = match &done.outcome {
        Ok(success) => (success.status, None),
        Err(why) => (why.status_code().as_u16(), Some(error::said(why))),
    };
    let fault = fault.as_ref().map(|(scim_type, detail)| (*scim_type, detail.as_str()));
    if let Some(entry) = journal::finished(&done.ctx, status, fault) {
        call.app.log_later(call.ctx.tenant_id(), entry);
    }
}

/// What the answer says of an operation.
fn result(call: &Call, operation: &Operation, done: &Done) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| out.extend(value.map(|v| (name.to_owned(), v)));
    let post = operation.method.as_deref() == Some(Method::Post.name());
    put("method", operation.method.as_deref().map(Value::from));
    put("bulkId", operation.bulk_id.as_deref().map(Value::from));
    match &done.outcome {
        Ok(success) => {
            put("version", success.etag.as_deref().map(Value::from));
            put("location", Some(Value::from(success.location.as_str())));
            put("status", Some(Value::from(success.status.to_string())));
        }
        Err(why) => {
            put("location", operation.path.as_deref().filter(|_| !post).map(|path| Value::from(place(&call.ctx.base, path))));
            put("status", Some(Value::from(why.status_code().as_str())));
            put("response", Some(error::value(why)));
        }
    }
    Value::Object(out)
}

/// The URL of a path that led to nothing, perhaps.
fn place(base: &str, path: &str) -> String {
    if path.contains("://") { path.to_owned() } else { format!("{base}/{}", path.trim_start_matches('/')) }
}
