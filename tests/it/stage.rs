//! A server with a clock that the test sets, for tests of the roll: time passes, mails arrive, pages are opened.

use crate::clients::{Client, Reply, USER};
use crate::harness::{Db, Server};
use rollbook::domain::{Actor, Settings};
use rollbook::error::Result;
use rollbook::jobs::{post, timers};
use rollbook::mail::{Mailer, Route};
use rollbook::service::audit::{self, Line};
use rollbook::service::{Act, members, tenants};
use rollbook::store::{Conn, Row, backend, tenants as kept};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// 22 November 2026, noon.
pub const NOON: i64 = 1_795_348_800_000_000;
pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3600 * SECOND;
pub const DAY: i64 = 24 * HOUR;

/// Runs each test on both databases: `on_stage! { fn name(stage) { … } }`.
macro_rules! on_stage {
    ($($(#[$doc:meta])* fn $name:ident($stage:ident) $body:block)*) => { $(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, reason = "not every test needs every name")]
            use super::*;
            fn check($stage: &$crate::stage::Stage) $body
            #[test]
            fn sqlite() { check(&$crate::stage::Stage::new($crate::harness::Db::Sqlite)); }
            #[test]
            fn postgres() { check(&$crate::stage::Stage::new($crate::harness::Db::Postgres)); }
        }
    )* };
}

/// The server, and its clock.
pub struct Stage {
    pub server: Server,
    time: Arc<AtomicI64>,
}

/// A mail that was sent.
#[derive(Debug, Clone)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
}

impl Mail {
    /// The claim link in it.
    pub fn link(&self) -> String {
        let at = self.text.find("/claim/").unwrap_or_else(|| panic!("no link in {}", self.text));
        let start = self.text[..at].rfind("http").unwrap();
        self.text[start..].split_whitespace().next().unwrap().to_owned()
    }
}

impl Stage {
    pub fn new(db: Db) -> Self {
        let time = Arc::new(AtomicI64::new(NOON));
        let clock = time.clone();
        let server = Server::with(db, |_| {}, Arc::new(move || clock.load(Ordering::SeqCst)));
        Self { server, time }
    }

    pub fn now(&self) -> i64 {
        self.time.load(Ordering::SeqCst)
    }

    /// Lets time pass, and everything happen that is due.
    pub fn pass(&self, time: i64) {
        self.time.fetch_add(time, Ordering::SeqCst);
        self.settle();
    }

    /// Lets time pass, and nothing happen.
    pub fn pass_quietly(&self, time: i64) {
        self.time.fetch_add(time, Ordering::SeqCst);
    }

    /// Does everything that is due, and sends the mails.
    pub fn settle(&self) {
        timers::run_due(&self.server.app, &|| false);
        let mailer = Mailer::open(&Route::Folder(self.server.mail.path().to_owned())).unwrap();
        post::run_due(&self.server.app, &mailer, &|| false);
    }

    /// A client of a new tenant with these settings.
    pub fn tenant(&self, change: impl FnOnce(&mut Settings)) -> Client {
        let client = self.server.tenant();
        self.set(&client.tenant, change);
        client
    }

    /// Changes the settings of a tenant.
    pub fn set(&self, tenant: &str, change: impl FnOnce(&mut Settings)) {
        let mut conn = self.server.connect();
        let tenant = tenants::named(&mut conn, tenant).unwrap();
        let mut tenant = tenant;
        change(&mut tenant.settings);
        tenant.settings.check().unwrap();
        backend::write(&mut conn, |c| {
            kept::save(c, &tenant)?;
            kept::bump_auth_epoch(c)
        })
        .unwrap();
        self.server.app.refresh_auth().unwrap();
    }

    pub fn act(&self, tenant: &str) -> Act {
        let tenant = tenants::named(&mut self.server.connect(), tenant).unwrap();
        Act {
            tenant: Arc::new(tenant),
            vault: self.server.app.vault.clone(),
            actor: Actor::Admin("Test".into()),
            now: self.now(),
            request_id: None,
            ledger: None,
        }
    }

    /// Runs something as an admin, in one transaction.
    pub fn admin<T>(&self, tenant: &str, f: impl FnOnce(&mut Conn, &Act) -> Result<T>) -> Result<T> {
        let act = self.act(tenant);
        backend::write(&mut self.server.connect(), |c| f(c, &act))
    }

    /// The member as it is stored.
    pub fn member(&self, tenant: &str, key: &str) -> Row {
        self.admin(tenant, |c, act| members::named(c, act, key)).unwrap()
    }

    /// The word for a member's state.
    pub fn state(&self, tenant: &str, key: &str) -> String {
        self.member(tenant, key).member.unwrap().state.to_string()
    }

    pub fn timeline(&self, tenant: &str, person: &str) -> Vec<Line> {
        let act = self.act(tenant);
        audit::timeline(&mut self.server.connect(), &act, person).unwrap()
    }

    /// Every mail so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        let mut files: Vec<_> = std::fs::read_dir(self.server.mail.path()).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        files.iter().map(|path| mail(&std::fs::read_to_string(path).unwrap())).collect()
    }

    /// The only mail since the last call of this kind, which is removed.
    pub fn one_mail(&self) -> Mail {
        let mails = self.take_mails();
        assert_eq!(mails.len(), 1, "{mails:#?}");
        mails.into_iter().next().unwrap()
    }

    /// The mails so far, which are removed.
    pub fn take_mails(&self) -> Vec<Mail> {
        let mails = self.mails();
        for file in std::fs::read_dir(self.server.mail.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        mails
    }

    /// Somebody with a browser.
    pub fn visitor(&self) -> Client {
        self.server.nobody()
    }
}

/// Reads the plain text of a mail. Its parts are quoted-printable or plain.
fn mail(text: &str) -> Mail {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let header = |name: &str| {
        let line = unfolded.lines().find(|l| l.to_lowercase().starts_with(&format!("{}:", name.to_lowercase())));
        line.map(|l| l.split_once(':').unwrap().1.trim().to_owned()).unwrap_or_default()
    };
    let part = body.split("text/plain").nth(1).unwrap_or(body);
    let part = part.split_once("\r\n\r\n").map_or(part, |(_, rest)| rest);
    let text = if body.contains("quoted-printable") { unquoted(part) } else { part.to_owned() };
    Mail { to: header("To"), subject: header("Subject"), text }
}

fn unquoted(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut out = Vec::new();
    let bytes = joined.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let hex = joined.get(i + 1..i + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[i], hex) {
            (b'=', Some(byte)) => {
                out.push(byte);
                i += 3;
            }
            (byte, _) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Opens a page and sends the form on it, as a browser does.
pub fn submit(visitor: &Client, url: &str, fields: &[(&str, &str)]) -> Reply {
    let page = visitor.get(url);
    send_form(visitor, url, &page, fields)
}

/// Sends the form of a page that was opened before.
pub fn send_form(visitor: &Client, url: &str, page: &Reply, fields: &[(&str, &str)]) -> Reply {
    let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
    let key = page.text.split("name=\"form_key\" value=\"").nth(1).and_then(|t| t.split('"').next()).unwrap_or_default().to_owned();
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("form_key", &key);
    for (name, value) in fields {
        form.append_pair(name, value);
    }
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie.as_str())];
    visitor.send("POST", url, &headers, Some(&form.finish()))
}

/// Somebody to push.
pub fn sam() -> Value {
    json!({"schemas": [USER], "userName": "sam@example.com", "externalId": "ext-1", "displayName": "Sam Example",
           "emails": [{"value": "sam@example.com", "primary": true, "type": "work"}]})
}

/// A PATCH that switches somebody off or on.
pub fn active(value: bool) -> Value {
    json!([{"op": "replace", "path": "active", "value": value}])
}

/// What the roll says of a user.
pub fn roll(user: &Value) -> &Value {
    &user["urn:ietf:params:scim:schemas:extension:rollbook:2.0:User"]
}
