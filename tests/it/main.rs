//! The integration tests: every one of them on SQLite and on PostgreSQL.
//!
//! `harness` starts servers, `clients` talks to them. PostgreSQL is found at `ROLLBOOK_TEST_POSTGRES`, which `./test` sets.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic; that is how it fails")]

#[macro_use]
mod harness;
#[macro_use]
mod stage;
mod access;
mod admin;
mod admin_access;
mod admin_jobs;
mod admin_members;
mod admin_tenants;
mod architecture;
mod authority;
mod backups;
mod browser;
mod browser_checks;
mod bulk;
mod bulk_many;
mod bulk_references;
mod canary;
mod catalogue;
mod claim_in_a_browser;
mod client_certificates;
mod clients;
mod command_line;
mod concurrency;
mod copying;
mod crashes;
mod discovery;
mod etags;
mod explaining;
mod filters;
mod groups;
mod isolation;
mod issuers;
mod kills;
mod letters;
mod lifecycle;
mod lifecycle_histories;
mod lifecycle_model;
mod limits;
mod load;
mod mail;
mod me;
mod metrics;
mod model;
mod model_questions;
mod model_runs;
mod mutual_tls;
mod oauth;
mod oauth_assertions;
mod oracle;
mod pages;
mod paging;
mod passwords;
mod patches;
mod plans;
mod profiles;
mod precis;
mod program;
mod projection;
mod properties;
mod protocol;
mod provisioning_log;
mod quarantine;
mod rate_limits;
mod requests;
mod rfc;
mod roll;
mod roll_commands;
mod roll_filters;
mod scenario;
mod schemas;
mod scrapes;
mod signers;
mod tls;
mod tokens;
mod tolerances;
mod upgrade;
mod users;
mod users_put;
mod verifying;
