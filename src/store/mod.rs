//! SQL. The only place that names diesel.
//!
//! Plain functions on a connection; every one of them takes the tenant. Two databases, chosen by URL, differ in
//! [`backend`] only.

pub mod admin_keys;
pub mod audit;
pub mod backend;
pub mod bulk;
pub mod clients;
pub mod codes;
pub mod counts;
pub mod due;
pub mod emails;
pub mod error;
pub mod filter;
pub mod idempotency;
pub mod invitations;
pub mod issuers;
pub mod journal;
pub mod keys;
pub mod list;
pub mod locations;
pub mod members;
pub mod notes;
pub mod outbox;
pub mod purge;
pub mod queues;
pub mod resources;
pub mod roll;
pub mod roster;
pub mod rows;
pub mod schema;
pub mod sort;
pub mod sources;
pub mod sql;
pub mod tables;
pub mod tenants;
pub mod tokens;
pub mod turns;
pub mod types;
pub mod unique;
pub mod upkeep;
pub mod verify;
pub mod writer;

pub use backend::{Conn, Database, Dialect};
pub use error::{Error, Field};
pub use resources::{Kind, Record, Row};
