//! Where a command stands when it acts on the members of a tenant.

use super::admin;
use crate::app::{clock, open_vault};
use crate::config::Config;
use crate::domain::Actor;
use crate::error::Result;
use crate::service::{Act, Hand, tenants};
use crate::store::Conn;
use crate::store::backend;
use std::sync::Arc;

/// How often a transaction is tried that others get in the way of.
const ATTEMPTS: u32 = 10;

/// A database, a tenant, and who acts.
pub struct Desk {
    conn: Conn,
    act: Act,
    clock: crate::app::Clock,
}

/// Whoever runs the command.
#[must_use]
pub fn hand(config: &Config, actor: &str) -> Hand {
    Hand { actor: Actor::Admin(actor.to_owned()), now: clock(config)(), request_id: None }
}

impl Desk {
    /// Opens the database for a tenant.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn open(config: &Config, actor: &str, tenant: &str) -> std::result::Result<Self, String> {
        let mut conn = admin::open(config)?;
        let vault = Arc::new(open_vault(&mut conn, config).map_err(|e| e.to_string())?);
        let tenant = tenants::named(&mut conn, tenant).map_err(|e| admin::hinted(&e, tenant))?;
        Ok(Self { conn, act: hand(config, actor).on(tenant, vault), clock: clock(config) })
    }

    /// The tenant's name.
    pub fn tenant(&self) -> &str {
        &self.act.tenant.name
    }

    /// The organisation's name, for people.
    pub fn organisation(&self) -> &str {
        self.act.tenant.organisation()
    }

    /// Runs `f` in one transaction; again, when others were in the way.
    ///
    /// # Errors
    /// What `f` returns, in words.
    pub fn write<T>(&mut self, f: impl Fn(&mut Conn, &Act) -> Result<T>) -> std::result::Result<T, String> {
        let mut attempt = 1;
        loop {
            self.act.now = (self.clock)();
            match backend::write(&mut self.conn, |c| f(c, &self.act)) {
                Err(crate::error::Error::Busy(_)) if attempt < ATTEMPTS => {
                    std::thread::sleep(std::time::Duration::from_millis(u64::from(attempt * 20)));
                    attempt += 1;
                }
                done => return done.map_err(|e| admin::hinted(&e, self.tenant())),
            }
        }
    }

    /// Runs a read.
    ///
    /// # Errors
    /// What `f` returns, in words.
    pub fn read<T>(&mut self, f: impl FnOnce(&mut Conn, &Act) -> Result<T>) -> std::result::Result<T, String> {
        f(&mut self.conn, &self.act).map_err(|e| admin::hinted(&e, &self.act.tenant.name))
    }

    /// Gets what was removed out of the files of the database. A server that is reading may be in the way; its own sweep
    /// does it later then.
    pub fn scrub(&mut self) {
        if let Err(e) = backend::scrub(&mut self.conn) {
            log::debug!("{e}");
        }
    }
}
