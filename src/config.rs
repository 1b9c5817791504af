//! The configuration: one TOML file, every key also from the environment. An unknown key is an error.

mod listener;

use crate::domain::settings::{check_rates, is_address};
use crate::service::Limits;
use crate::service::rates::Usual;
use crate::store::backend::Database;
use ipnet::IpNet;
pub use listener::{ClientCertificates, TlsConfig};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port; port 0 picks a free one.
    pub listen: String,
    /// What clients see before `/scim/v2`, such as `https://scim.example.com`. Without it, the listening address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Threads that take requests; 0 means one for each core.
    pub workers: usize,
    /// The proxies in front, as addresses and networks. What they write into `X-Forwarded-For` is believed.
    #[serde(with = "listener::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// At least 32 characters, from which every other key is derived. Without it, one that the database keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_key: Option<String>,
    pub tls: TlsConfig,
    pub database: DatabaseConfig,
    pub limits: LimitsConfig,
    pub discovery: DiscoveryConfig,
    pub notes: NotesConfig,
    pub mail: MailConfig,
    pub metrics: MetricsConfig,
    pub clock: ClockConfig,
    pub log: LogConfig,
}

/// `[database]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub url: String,
    /// Most connections.
    pub pool: u32,
    /// Whether tables are brought up to date at start.
    pub migrate: bool,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    pub body_bytes: usize,
    pub json_depth: usize,
    pub filter_length: usize,
    pub filter_depth: usize,
    pub filter_terms: usize,
    pub patch_operations: usize,
    pub bulk_operations: usize,
    pub bulk_bytes: usize,
    pub page_default: u32,
    pub page_max: u32,
    pub cursor_seconds: u32,
    /// Requests per second of a tenant; 0 for no limit.
    pub requests_per_second_tenant: u32,
    /// Requests per second of a token, or of a key of the admin API; 0 for no limit.
    pub requests_per_second_token: u32,
    /// Requests that may come at once.
    pub request_burst: u32,
}

/// `[discovery]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoveryConfig {
    /// Whether `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` can be read without a token.
    pub anonymous: bool,
}

/// `[notes]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotesConfig {
    /// Days that recorded tolerances are kept.
    pub keep_days: u32,
}

/// `[mail]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// `smtps://USER:PASSWORD@HOST:465` or `smtp://USER:PASSWORD@HOST:587` (STARTTLS). Without it, mails are written as files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A PEM file with certificates that are trusted beside the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The address that mails come from.
    pub from: String,
    /// Where mails are written as `.eml` files when there is no URL.
    pub folder: String,
    /// Hours after which a mail that cannot be delivered is given up.
    pub give_up_hours: u32,
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address and port for `/metrics`, or `off`. Without it, `127.0.0.1:9464`, unless that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// How many tenants are counted by name.
    pub tenants: u32,
}

/// `[clock]`: for trials only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockConfig {
    /// How many times as fast as the system's clock time passes.
    pub speed: u32,
    /// From which moment on, in seconds since the epoch; 0 is now. Needed with a speed, so that every command agrees.
    pub start: i64,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// As `env_logger` reads it: `info`, `warn,rollbook=debug`.
    pub filter: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: None,
            workers: 0,
            trusted_proxies: Vec::new(),
            master_key: None,
            tls: TlsConfig::default(),
            database: DatabaseConfig::default(),
            limits: LimitsConfig::default(),
            discovery: DiscoveryConfig::default(),
            notes: NotesConfig::default(),
            mail: MailConfig::default(),
            metrics: MetricsConfig::default(),
            clock: ClockConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: "sqlite://rollbook.db".to_owned(), pool: 16, migrate: true }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            json_depth: 32,
            filter_length: 8192,
            filter_depth: 32,
            filter_terms: 100,
            patch_operations: 1000,
            bulk_operations: 1000,
            bulk_bytes: 4 << 20,
            page_default: 100,
            page_max: 1000,
            cursor_seconds: 3600,
            requests_per_second_tenant: 500,
            requests_per_second_token: 250,
            request_burst: 5000,
        }
    }
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        Self { anonymous: true }
    }
}

impl Default for NotesConfig {
    fn default() -> Self {
        Self { keep_days: 30 }
    }
}

impl Default for MailConfig {
    fn default() -> Self {
        Self { url: None, ca_file: None, from: "rollbook@localhost.localdomain".to_owned(), folder: "mail".to_owned(), give_up_hours: 72 }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { listen: None, tenants: 100 }
    }
}

impl Default for ClockConfig {
    fn default() -> Self {
        Self { speed: 1, start: 0 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned() }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// The type of a key, for reading it from the environment.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Number,
    Flag,
    /// Texts with commas between them.
    List,
}

/// Every key. Its environment variable is `ROLLBOOK_` and the key in capitals, with `_` for the dot.
const KEYS: &[(&str, Shape)] = &[
    ("listen", Shape::Text),
    ("public_url", Shape::Text),
    ("workers", Shape::Number),
    ("trusted_proxies", Shape::List),
    ("master_key", Shape::Text),
    ("tls.certificate", Shape::Text),
    ("tls.key", Shape::Text),
    ("tls.plain_http", Shape::Flag),
    ("tls.client_certificates", Shape::Text),
    ("database.url", Shape::Text),
    ("database.pool", Shape::Number),
    ("database.migrate", Shape::Flag),
    ("limits.body_bytes", Shape::Number),
    ("limits.json_depth", Shape::Number),
    ("limits.filter_length", Shape::Number),
    ("limits.filter_depth", Shape::Number),
    ("limits.filter_terms", Shape::Number),
    ("limits.patch_operations", Shape::Number),
    ("limits.bulk_operations", Shape::Number),
    ("limits.bulk_bytes", Shape::Number),
    ("limits.page_default", Shape::Number),
    ("limits.page_max", Shape::Number),
    ("limits.cursor_seconds", Shape::Number),
    ("limits.requests_per_second_tenant", Shape::Number),
    ("limits.requests_per_second_token", Shape::Number),
    ("limits.request_burst", Shape::Number),
    ("discovery.anonymous", Shape::Flag),
    ("notes.keep_days", Shape::Number),
    ("mail.url", Shape::Text),
    ("mail.ca_file", Shape::Text),
    ("mail.from", Shape::Text),
    ("mail.folder", Shape::Text),
    ("mail.give_up_hours", Shape::Number),
    ("metrics.listen", Shape::Text),
    ("metrics.tenants", Shape::Number),
    ("clock.speed", Shape::Number),
    ("clock.start", Shape::Number),
    ("log.filter", Shape::Text),
];

/// The environment variable of a key.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("ROLLBOOK_{}", key.replace('.', "_").to_uppercase())
}

impl Config {
    /// Reads the file, if there is one, then the environment over it, and checks the result.
    ///
    /// # Errors
    /// A sentence that names the key and where it stands.
    pub fn load(file: Option<&Path>, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut source = "the defaults".to_owned();
        let mut table = toml::Table::new();
        if let Some(path) = file {
            source = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|e| ConfigError(format!("{source}: {e}")))?;
            // Read once by itself, so that an error can point at the line.
            toml::from_str::<Self>(&text).map_err(|e| ConfigError(format!("{source}: {e}")))?;
            table = text.parse().map_err(|e| ConfigError(format!("{source}: {e}")))?;
        }
        for (key, shape) in KEYS {
            let name = variable(key);
            if let Some(text) = environment(&name) {
                overlay(&mut table, key, value(&name, &text, *shape)?);
                "the environment".clone_into(&mut source);
            }
        }
        let config: Self = table.try_into().map_err(|e| ConfigError(format!("{source}: {e}")))?;
        config.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        let bad = |key: &str, why: String| Err(ConfigError(format!("{key} (or {}): {why}", variable(key))));
        if self.listen.parse::<SocketAddr>().is_err() {
            return bad("listen", format!("\"{}\" is no address with a port; 127.0.0.1:8080 is an example", self.listen));
        }
        if let Some((key, why)) = self.tls.fault() {
            return bad(key, why.to_owned());
        }
        if let Err(why) = Database::parse(&self.database.url) {
            return bad("database.url", why);
        }
        if let Some(url) = &self.public_url {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            if host.is_none_or(|h| h.is_empty() || h.contains(['?', '#', ' '])) {
                return bad("public_url", format!("\"{url}\" is no base URL; https://scim.example.com is an example"));
            }
        }
        if self.master_key.as_ref().is_some_and(|k| k.len() < 32) {
            return bad("master_key", "at least 32 characters are needed".to_owned());
        }
        if !is_address(&self.mail.from) {
            return bad("mail.from", format!("\"{}\" is no e-mail address", self.mail.from));
        }
        if let Some(listen) = self.metrics.listen.as_ref().filter(|l| *l != "off" && l.parse::<SocketAddr>().is_err()) {
            return bad("metrics.listen", format!("\"{listen}\" is neither off nor an address with a port; 127.0.0.1:9464 is an example"));
        }
        if self.metrics.tenants > 10_000 {
            return bad("metrics.tenants", "at most 10000 tenants can be counted by name".to_owned());
        }
        if self.clock.speed == 0 || (self.clock.speed > 1 && self.clock.start <= 0) {
            return bad("clock.speed", "a speed of at least 1 is needed, and above 1 a clock.start".to_owned());
        }
        if self.database.pool == 0 {
            return bad("database.pool", "at least one connection is needed".to_owned());
        }
        let l = &self.limits;
        if l.page_default == 0 || l.page_max < 100 || l.page_default > l.page_max {
            return bad(
                "limits.page_max",
                "pages need 1 <= page_default <= page_max and page_max >= 100, or providers lose resources".to_owned(),
            );
        }
        if l.body_bytes < 1024 || !(4..=100).contains(&l.json_depth) || l.filter_depth > 200 || l.patch_operations == 0 {
            return bad(
                "limits",
                "body_bytes must be at least 1024, json_depth 4 to 100, filter_depth at most 200, patch_operations at least 1".to_owned(),
            );
        }
        let rates = check_rates(Some(l.requests_per_second_tenant), Some(l.requests_per_second_token), Some(l.request_burst));
        if let Err(why) = rates {
            return bad("limits", why);
        }
        if l.bulk_operations == 0 || l.bulk_bytes < 1024 {
            return bad("limits", "bulk_operations must be at least 1, bulk_bytes at least 1024".to_owned());
        }
        Ok(self)
    }

    /// The limits as the services take them.
    #[must_use]
    pub fn service_limits(&self) -> Limits {
        let l = &self.limits;
        Limits {
            body_bytes: l.body_bytes,
            json_depth: l.json_depth,
            filter_length: l.filter_length,
            filter_depth: l.filter_depth,
            filter_terms: l.filter_terms,
            patch_operations: l.patch_operations,
            bulk_operations: l.bulk_operations,
            bulk_bytes: l.bulk_bytes,
            page_default: i64::from(l.page_default),
            page_max: i64::from(l.page_max),
            cursor_seconds: i64::from(l.cursor_seconds),
        }
    }

    /// How many requests there may be of whoever has no limits of their own.
    #[must_use]
    pub fn usual_rates(&self) -> Usual {
        let l = &self.limits;
        Usual { tenant: l.requests_per_second_tenant, token: l.requests_per_second_token, burst: l.request_burst }
    }

    /// The configuration as TOML, with the password of a database URL hidden.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut copy = self.clone();
        copy.database.url = without_password(&copy.database.url);
        copy.mail.url = copy.mail.url.as_deref().map(without_password);
        copy.master_key = copy.master_key.map(|_| "***".to_owned());
        toml::to_string_pretty(&copy).unwrap_or_default()
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:***@{host}"),
            None => format!("{user}@{host}"),
        },
        None => rest.to_owned(),
    };
    // libpq takes passwords as parameters too.
    let Some((place, parameters)) = rest.split_once('?') else { return format!("{scheme}://{rest}") };
    let hidden = parameters.split('&').map(|p| match p.split_once('=') {
        Some((name, _)) if name.contains("password") => format!("{name}=***"),
        _ => p.to_owned(),
    });
    format!("{scheme}://{place}?{}", hidden.collect::<Vec<_>>().join("&"))
}

fn value(name: &str, text: &str, shape: Shape) -> Result<toml::Value, ConfigError> {
    match shape {
        Shape::Text => Ok(toml::Value::String(text.to_owned())),
        Shape::Number => {
            let number = text.parse().map_err(|_| ConfigError(format!("{name}: \"{text}\" is no whole number")))?;
            Ok(toml::Value::Integer(number))
        }
        Shape::Flag => {
            let flag = text.parse().map_err(|_| ConfigError(format!("{name}: \"{text}\" is neither true nor false")))?;
            Ok(toml::Value::Boolean(flag))
        }
        Shape::List => {
            let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
            Ok(toml::Value::Array(words.map(|w| toml::Value::String(w.to_owned())).collect()))
        }
    }
}

fn overlay(table: &mut toml::Table, key: &str, value: toml::Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, name)) => {
            let slot = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(inner) = slot {
                inner.insert(name.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rollbook.toml");
        std::fs::write(&path, text).unwrap();
        let look = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Config::load(Some(&path), &look).map_err(|e| e.to_string())
    }

    #[test]
    fn the_example_shows_the_defaults() {
        assert_eq!(from(include_str!("../examples/rollbook.toml"), &[]).unwrap(), Config::default());
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(from("", &[]).unwrap(), Config::default());
    }

    #[test]
    fn every_key_of_the_default_is_known_to_the_environment() {
        let mail = MailConfig { url: Some("x".into()), ca_file: Some("x".into()), ..MailConfig::default() };
        let whole = Config {
            public_url: Some("https://x".into()),
            master_key: Some("x".into()),
            tls: TlsConfig { certificate: Some("x".into()), key: Some("x".into()), ..TlsConfig::default() },
            mail,
            metrics: MetricsConfig { listen: Some("off".into()), ..MetricsConfig::default() },
            ..Config::default()
        };
        let text = toml::to_string(&whole).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let mut keys: Vec<String> = table
            .iter()
            .flat_map(|(k, v)| match v {
                toml::Value::Table(t) => t.keys().map(|s| format!("{k}.{s}")).collect(),
                _ => vec![k.clone()],
            })
            .collect();
        keys.sort();
        let mut known: Vec<String> = KEYS.iter().map(|(k, _)| (*k).to_owned()).collect();
        known.sort();
        assert_eq!(keys, known);
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let c = from(
            "listen = \"127.0.0.1:1\"\n[limits]\npage_max = 500",
            &[("ROLLBOOK_LISTEN", "127.0.0.1:2"), ("ROLLBOOK_DATABASE_POOL", "3")],
        )
        .unwrap();
        assert_eq!((c.listen.as_str(), c.database.pool, c.limits.page_max), ("127.0.0.1:2", 3, 500));
    }

    #[test]
    fn faults_name_the_key_and_the_place() {
        let e = from("lisen = \"x\"", &[]).unwrap_err();
        assert!(e.contains("rollbook.toml") && e.contains("lisen"), "{e}");
        let e = from("[database]\npool = \"many\"", &[]).unwrap_err();
        assert!(e.contains("rollbook.toml") && e.contains("pool"), "{e}");
        assert!(from("", &[("ROLLBOOK_DATABASE_POOL", "x")]).unwrap_err().contains("ROLLBOOK_DATABASE_POOL"));
        assert!(from("[database]\nurl = \"mysql://x\"", &[]).unwrap_err().contains("database.url"));
        assert!(from("listen = \"nowhere\"", &[]).unwrap_err().contains("listen"));
        assert!(from("[metrics]\nlisten = \"on\"", &[]).unwrap_err().contains("metrics.listen"));
        assert!(from("[metrics]\ntenants = 10001", &[]).unwrap_err().contains("ROLLBOOK_METRICS_TENANTS"));
    }

    #[test]
    fn a_list_comes_from_a_variable_with_commas() {
        let shown = |c: Config| c.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>();
        let file = "trusted_proxies = [\"192.0.2.10\"]";
        assert_eq!(shown(from(file, &[]).unwrap()), ["192.0.2.10/32"]);
        let several = [("ROLLBOOK_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1,")];
        assert_eq!(shown(from(file, &several).unwrap()), ["10.0.0.0/8", "2001:db8::1/128"]);
        assert!(shown(from(file, &[("ROLLBOOK_TRUSTED_PROXIES", "")]).unwrap()).is_empty());
        let e = from("", &[("ROLLBOOK_TRUSTED_PROXIES", "nowhere")]).unwrap_err();
        assert!(e.contains("trusted_proxies") && e.contains("\"nowhere\" is neither"), "{e}");
    }

    #[test]
    fn passwords_are_hidden() {
        let mut c = Config::default();
        c.database.url = "postgres://u:hunter2@h/d?sslpassword=hunter4&password=hunter3&sslmode=require".into();
        let shown = c.shown();
        assert!(!shown.contains("hunter") && shown.contains("sslmode=require"), "{shown}");
    }
}
