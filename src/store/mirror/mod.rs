//! The mirror of Okta's device records, and the state of reading them.

pub(in crate::store) mod budgets;
pub(in crate::store) mod live_reads;
pub(in crate::store) mod merge;
pub(in crate::store) mod okta_devices;
pub(in crate::store) mod rereads;
pub(in crate::store) mod rows;
pub(in crate::store) mod sweep_completion;
pub(in crate::store) mod sweeps;
pub(in crate::store) mod syncs;
