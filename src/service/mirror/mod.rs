//! Keeps the mirror of Okta's device records in step with Okta.

mod live_read_cache;
mod live_reads;
mod rereads;
mod sweeps;
mod syncs;

pub(in crate::service) use live_read_cache::{LiveRead, LiveReads};
