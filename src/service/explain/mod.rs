//! What a SCIM request would do, and why: it is done in a transaction that is undone, with nothing left of it.

mod play;

use super::audit::{self, Line};
use super::delta::Delta;
use super::journal::Trace;
use super::letters::Entry as Letter;
use super::roll::Act;
use super::{Ctx, Place, auth, declared, members, sources, types};
use crate::domain::{Idp, ScimSource, new_id};
use crate::error::{Error, Result};
use crate::scim::Types;
use crate::scim::dialect::{Client, Dialect, Note, Quirk};
use crate::store::Conn;
use crate::store::backend;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Instant;

/// A request that was recorded, without its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    method: &'static str,
    /// Without the query.
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// The methods that a request can have.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

impl Request {
    /// Reads `{"method", "path", "headers", "body"}`, or a step of a recorded case, which has them under `request`.
    ///
    /// # Errors
    /// A sentence that names what is missing or unknown.
    pub fn read(text: &Value) -> Result<Self> {
        let text = text.get("request").unwrap_or(text);
        let map = text.as_object().ok_or_else(|| Error::Invalid("the request: a JSON object is expected".to_owned()))?;
        if map.contains_key("steps") {
            return Err(Error::Invalid("steps: this is a case of several requests; one of its steps is expected".to_owned()));
        }
        let known = ["method", "path", "headers", "body", "raw", "parallel"];
        if let Some(key) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(Error::Invalid(format!("\"{key}\" is no part of a request; method, path, headers, body and raw are")));
        }
        let word = |name: &str| map.get(name).and_then(Value::as_str).ok_or_else(|| Error::Invalid(format!("{name}: a text is expected")));
        let (given, target) = (word("method")?.to_uppercase(), word("path")?);
        let unknown = || Error::Invalid(format!("method: \"{given}\" is none; {} are", METHODS.join(", ")));
        let method = METHODS.into_iter().find(|m| *m == given).ok_or_else(unknown)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Self { method, path: path.to_owned(), query: query.to_owned(), headers: headers(map)?, body: body(map) })
    }

    /// Whether it can change nothing.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self.method, "GET" | "HEAD") || self.path.ends_with("/.search")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

fn headers(map: &Map<String, Value>) -> Result<Vec<(String, String)>> {
    let Some(given) = map.get("headers").filter(|h| !h.is_null()) else { return Ok(Vec::new()) };
    let odd = || Error::Invalid("headers: an object of texts is expected".to_owned());
    let all = given.as_object().ok_or_else(odd)?.iter();
    all.filter(|(_, value)| !value.is_null()).map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(odd)?.to_owned()))).collect()
}

fn body(map: &Map<String, Value>) -> Vec<u8> {
    match (map.get("raw"), map.get("body")) {
        (Some(Value::String(raw)), _) => raw.clone().into_bytes(),
        (_, None | Some(Value::Null)) => Vec::new(),
        (_, Some(body)) => body.to_string().into_bytes(),
    }
}

/// What a request meets: where documents are, how large they may be, and what signs cursors.
#[derive(Debug, Clone)]
pub struct Ground {
    pub place: Place,
    pub secret: Vec<u8>,
}

/// How a request is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub source: String,
    /// What the source declares.
    pub declared: Idp,
    /// The provider that the request shows, and by what.
    pub provider: Option<String>,
    pub signal: Option<String>,
    /// The tolerances that are on.
    pub tolerances: Vec<&'static str>,
}

/// What would be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    pub location: Option<String>,
    pub body: Value,
}

/// What a request would do.
#[derive(Debug)]
pub struct Explained {
    pub profile: Profile,
    pub result: Result<Answer>,
    /// What would be tolerated.
    pub notes: Vec<Note>,
    pub changes: Vec<Delta>,
    /// What would come into the histories of members, oldest first.
    pub events: Vec<Line>,
    pub mails: Vec<Letter>,
}

/// Most lines of histories, and most mails, that are looked at.
const MOST: i64 = 200;

/// Does a request as the source of that name, and undoes it.
///
/// # Errors
/// When there is no such source, or the database fails. What the request itself is refused with is in the answer.
pub fn explain(conn: &mut Conn, act: &Act, ground: &Ground, source: &str, request: &Request) -> Result<Explained> {
    let source = sources::named(conn, &act.tenant, source)?;
    let admitted = auth::admitted(&act.tenant, &source);
    let types = types::of(conn, &act.tenant)?;
    let ctx = context(act, ground, source, types, request);
    let before = new_id();
    backend::undone(conn, |conn| {
        let result = match admitted {
            Ok(()) => play::play(conn, &ctx, request, &ground.secret),
            Err(why) => Err(why),
        };
        let (mut events, mut mails) = (Vec::new(), Vec::new());
        match &result {
            // Ids are in the order of time.
            Ok(_) => {
                events = audit::page(conn, act, false, "", MOST)?;
                events.retain(|line| line.id > before);
                events.reverse();
                mails = members::letters(conn, act, None, "", MOST)?;
                mails.retain(|letter| letter.id > before);
                mails.reverse();
            }
            Err(Error::Busy(why)) => return Err(Error::Busy(why.clone())),
            Err(Error::Invalid(why)) => return Err(Error::Invalid(why.clone())),
            Err(_) => {}
        }
        Ok(Explained { profile: profile(&ctx), notes: ctx.trace.notes(), changes: ctx.trace.changes(), result, events, mails })
    })
}

fn context(act: &Act, ground: &Ground, source: ScimSource, types: Arc<Types>, request: &Request) -> Ctx {
    let client = Client {
        user_agent: request.header("user-agent").unwrap_or_default(),
        adscim_version: request.header("adscimversion").is_some(),
        query: &request.query,
    };
    let dialect = Dialect::new(declared(sources::idp(&act.tenant, &source)), sources::tuning(&source), &client);
    let limits = ground.place.limits.of(&act.tenant.settings).under(dialect.declared);
    Ctx {
        tenant: act.tenant.clone(),
        types,
        source: Arc::new(source),
        token_id: Arc::from(""),
        writer: None,
        ledger: None,
        now: act.now,
        request_id: act.request_id.clone().unwrap_or_default(),
        method: request.method,
        target: request.path.clone(),
        dialect,
        base: ground.place.base.clone(),
        limits,
        vault: act.vault.clone(),
        fired: Arc::default(),
        trace: Arc::new(Trace::new(Instant::now(), client.user_agent, client.query)),
    }
}

fn profile(ctx: &Ctx) -> Profile {
    let evidence = ctx.dialect.evidence.clone().or_else(|| ctx.trace.evidence());
    let reading = ctx.reading();
    Profile {
        source: ctx.source.name.clone(),
        declared: ctx.idp(),
        provider: evidence.as_ref().map(|e| e.provider.to_string()),
        signal: evidence.map(|e| e.signal.to_owned()),
        tolerances: Quirk::ALL.iter().filter(|q| reading.has(**q)).map(|q| q.name()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_are_read() {
        let plain =
            json!({"method": "patch", "path": "/Users/x?attributes=id", "headers": {"User-Agent": "A", "X": null}, "body": {"a": 1}});
        let request = Request::read(&json!({"name": "a step", "request": plain, "expect": {}})).unwrap();
        assert_eq!((request.method, request.path.as_str(), request.query.as_str()), ("PATCH", "/Users/x", "attributes=id"));
        assert_eq!(request.header("user-agent"), Some("A"));
        assert_eq!(request.body, b"{\"a\":1}");
        assert_eq!(Request::read(&plain).unwrap(), request);
        let raw = Request::read(&json!({"method": "POST", "path": "/Users", "raw": "{"})).unwrap();
        assert_eq!(raw.body, b"{");
        assert!(!raw.is_read() && Request::read(&json!({"method": "post", "path": "/Users/.search"})).unwrap().is_read());
    }

    #[test]
    fn faults_name_the_part() {
        let fault = |text: Value| Request::read(&text).unwrap_err().to_string();
        assert!(fault(json!({"path": "/Users"})).contains("method"));
        assert!(fault(json!({"method": "GET"})).contains("path"));
        assert!(fault(json!({"method": "BREW", "path": "/"})).contains("BREW"));
        assert!(fault(json!({"method": "GET", "path": "/", "url": "x"})).contains("url"));
        assert!(fault(json!({"steps": []})).contains("steps"));
        assert!(fault(json!({"method": "GET", "path": "/", "headers": {"a": 1}})).contains("headers"));
        assert!(fault(json!([])).contains("object"));
    }
}
