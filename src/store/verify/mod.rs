//! What must hold between the tables. Each check is a statement that finds the rows for which it does not; it names the tenant of
//! each as `t`, what it is known by as `i`, and what is the matter with it as `d`.
//!
//! Where members are looked up by person, `+ 0` keeps SQLite off the indexes that begin with tenant and kind, which would read all of a
//! tenant for each row; it makes an index of its own instead.

mod doors;
pub mod finding;
mod histories;
mod openings;
mod places;

pub use finding::{Check, Finding, Found, MOST};

/// Every check that is one statement.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    [places::CHECKS, doors::CHECKS, openings::CHECKS, histories::CHECKS].into_iter().flatten()
}
