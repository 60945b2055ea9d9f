//! The mirror of Okta's devices.

mod rereads;
mod storms;
mod sweeps;
mod syncs;
mod uses;
