//! Histories ("lives") of devices against the real store and a real PostgreSQL, with a controlled clock:
//! random ones by seed, and scripted ones. They use no HTTP and no simulated Okta server: the store gets
//! the reads as the Okta client would have parsed them.
//!
//! A failing seed prints its steps. `ODT_LIVES_SEED=… cargo test --test lives` replays it, and
//! `ODT_LIVES_SEEDS=5000` sets the number of seeds.

mod acts;
mod database;
mod mdm;
mod mirror;
mod okta;
mod questions;
mod random;
mod recovery;
mod reference;
mod scripts;
mod steps;
mod truth;

mod world;
