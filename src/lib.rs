//! Rollbook: a SCIM 2.0 provisioning server with a membership roll, on SQLite and PostgreSQL.
//!
//! A request comes in at [`http`], which finds out whose it is and calls one function of [`service`]. That function reads
//! the request with [`scim`], decides with [`domain`], and reads and writes with [`store`], in one transaction. The answer
//! goes back the same way. Nothing flows in the other direction.
//!
//! | module | what it is |
//! |---|---|
//! | [`scim`] | the protocol, as pure functions over JSON |
//! | [`domain`] | the rules of tenants, tokens and members |
//! | [`service`] | use cases: one function, one transaction |
//! | [`store`] | SQL for both databases |
//! | [`http`] | transport: routes, handlers, errors |
//! | [`mail`] | letters: their words, and how they are sent |
//! | [`net`] | what is fetched from other servers |
//! | [`jobs`] | what happens beside the requests |
//! | [`metrics`] | what is counted and measured, for Prometheus |
//! | [`cli`] | what an operator types |
//! | [`app`], [`config`], [`error`] | what holds the program together |
//!
//! To read the code, begin with `http/mod.rs` (the route table), then `service/write.rs`, `scim/patch.rs` and
//! `store/filter.rs`.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod error;
pub mod http;
pub mod jobs;
pub mod mail;
pub mod metrics;
pub mod net;
pub mod scim;
pub mod service;
pub mod store;
