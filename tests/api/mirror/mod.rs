//! The mirror of Okta's device records.

mod rereads;
mod storms;
mod sweeps;
mod syncs;
mod uses;
