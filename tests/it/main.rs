//! The integration tests: every one of them on SQLite and on PostgreSQL.
//!
//! `harness` starts servers, `clients` talks to them. PostgreSQL is found at `ROLLBOOK_TEST_POSTGRES`, which `./test` sets.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic; that is how it fails")]

#[macro_use]
mod harness;
mod access;
mod architecture;
mod browser;
mod browser_checks;
mod catalogue;
mod clients;
mod command_line;
mod concurrency;
mod discovery;
mod etags;
mod filters;
mod groups;
mod isolation;
mod lifecycle;
mod lifecycle_histories;
mod lifecycle_model;
mod limits;
mod mail;
mod oracle;
mod paging;
mod patches;
mod plans;
mod projection;
mod protocol;
mod requests;
mod rfc;
mod schemas;
mod tokens;
mod users;
mod users_put;
