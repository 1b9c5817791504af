//! `rollbook check`: what is wrong, and how to mend it.

use super::{Outcome, say, serve};
use crate::app::{clock, open_vault};
use crate::config::Config;
use crate::domain::settings::DAY;
use crate::http::tls::day;
use crate::jobs::post;
use crate::service::tenants;
use crate::store::backend::{self, Database};
use std::path::Path;

/// How long before the certificate expires that is worth a warning, in microseconds.
const SOON: i64 = 30 * DAY;

pub fn run(config: Result<Config, String>) -> Outcome {
    let config = step("configuration", config, "correct the key that is named; `rollbook config print` shows what is in force")?;
    listener(&config)?;
    let database = step("database URL", Database::parse(&config.database.url), "set database.url or --database")?;
    if let Some(path) = missing_file(&database) {
        return say(&format!("note: there is no file {path} yet; `rollbook serve` makes it"));
    }
    let reached = database.connect().map_err(|e| e.to_string());
    let remedy = match &database {
        Database::Sqlite(path) => format!("make sure that the folder of {path} exists and can be written to"),
        Database::Postgres(_) => {
            "make sure that PostgreSQL runs, that host, name and password are right, and that the database exists".to_owned()
        }
    };
    let mut conn = step("database", reached, &remedy)?;
    let pending = backend::pending_migrations(&mut conn).map_err(|e| e.to_string());
    let pending = step("migrations", pending, "make sure that the database user may read and create tables")?;
    if !pending.is_empty() {
        return say(&format!("note: {} migration(s) have not run yet ({}); `rollbook serve` runs them", pending.len(), pending.join(", ")));
    }
    let tenants = step(
        "tenants",
        tenants::list(&mut conn).map_err(|e| e.to_string()),
        "the tables differ from what this version expects; restore a backup",
    )?;
    let vault = open_vault(&mut conn, &config).map_err(|e| e.to_string());
    step("master key", vault, "set master_key to the value that the database was first used with")?;
    if config.master_key.is_none() {
        say("note: master_key is not set, so that a copy of the database opens links and codes; set it before the first tenant")?;
    }
    match post::check(&config) {
        Some(route) => step("mail", route, "correct mail.url or mail.ca_file")?,
        None => {
            say(&format!("note: mail.url is not set; mails are written into the folder \"{}\" and sent to nobody", config.mail.folder))?;
        }
    }
    if tenants.is_empty() {
        say("note: there is no tenant yet; `rollbook tenant create NAME` makes one")?;
    }
    say("all is well")
}

/// Whether the server may listen as it is told to, and how long its certificate is valid.
fn listener(config: &Config) -> Outcome {
    step("listener", config.may_serve().map_err(|e| e.to_string()), "choose one of the three ways")?;
    if config.tls.files().is_none() {
        return Ok(());
    }
    let tls = step("certificate and key", serve::tls(config), "correct the file that is named")?;
    let (expires, now) = (tls.map_or(0, |t| t.identity.expires()), clock(config)());
    let day = day(expires);
    if expires <= now {
        return Err(format!("certificate: it expired on {day}\n  to mend it: renew it; a running server takes the new files by itself"));
    }
    if expires - now < SOON {
        return say(&format!("warning: the certificate expires on {day}; renew it, a running server takes the new files by itself"));
    }
    say(&format!("note: the certificate expires on {day}"))
}

/// A file that is not there yet, in a folder that is.
fn missing_file(database: &Database) -> Option<&str> {
    let Database::Sqlite(path) = database else { return None };
    let folder = Path::new(path).parent().filter(|p| !p.as_os_str().is_empty());
    (!Path::new(path).exists() && folder.is_none_or(Path::is_dir)).then_some(path)
}

fn step<T>(what: &str, result: Result<T, String>, remedy: &str) -> Result<T, String> {
    match result {
        Ok(value) => {
            say(&format!("ok: {what}"))?;
            Ok(value)
        }
        Err(why) => Err(format!("{what}: {why}\n  to mend it: {remedy}")),
    }
}
