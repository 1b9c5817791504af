//! What is fetched from other servers. The only place that names the HTTP client.

pub mod key_sets;
mod web;

pub use key_sets::{KeySets, Reach};
