//! Background work.

pub mod beat;
pub mod housekeeping;
pub mod journal;
pub mod post;
pub mod timers;
