//! Background work.

pub mod housekeeping;
