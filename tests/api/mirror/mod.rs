//! The mirror of Okta's devices.

mod rereads;
mod storms;
mod syncs;
