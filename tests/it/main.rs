//! The integration tests: every one of them on SQLite and on PostgreSQL.
//!
//! `harness` starts servers, `clients` talks to them. PostgreSQL is found at `ROLLBOOK_TEST_POSTGRES`, which `./test` sets.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic; that is how it fails")]

#[macro_use]
mod harness;
mod clients;
mod filters;
mod patches;
mod requests;
