//! Background work: the worker, and the jobs that belong to no other domain.

mod housekeeping;
mod recheck;
pub(in crate::service) mod time_slice;
mod worker;
