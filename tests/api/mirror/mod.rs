//! The mirror of Okta's devices.

mod rereads;
mod storms;
pub mod syncs;
