//! Background work: what runs without a request.

mod housekeeping;
mod recheck;
