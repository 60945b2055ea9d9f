//! Background work: what runs without a request.

mod housekeeping;
pub mod recheck;
