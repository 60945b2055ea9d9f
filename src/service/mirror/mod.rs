//! Keeps the mirror of Okta's device records up to date: sweeps, incremental reads, re-reads of single
//! devices, and live reads for a trust query.

mod live_read_cache;
mod live_reads;
mod rereads;
mod sweeps;
mod syncs;

pub(in crate::service) use live_read_cache::{LiveRead, LiveReadCache};
