//! The mirror: a local copy of an org's device records.

pub mod budgets;
pub mod identity;
pub mod okta_devices;
pub mod records;
pub mod sweeps;
pub mod syncs;
pub mod uses;
