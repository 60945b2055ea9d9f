//! The mirror of Okta's device records.

pub mod budgets;
pub mod okta_devices;
pub mod syncs;
