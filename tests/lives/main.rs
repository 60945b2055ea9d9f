//! Lives of devices against the real store on a real PostgreSQL, with a clock that the tests set: random
//! ones by seed, and those that were written down. No HTTP and no Okta: reads are given to the store as
//! the client for Okta would have parsed them.
//!
//! A failing seed prints its steps and replays with `ODT_LIVES_SEED=… cargo test --test lives`;
//! `ODT_LIVES_SEEDS=5000` runs more of them.

mod acts;
mod database;
mod mdm;
mod mirror;
mod okta;
mod questions;
mod random;
mod reference;
mod scripts;
mod steps;
mod truth;
mod well;
mod world;
