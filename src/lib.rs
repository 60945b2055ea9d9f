//! Okta Device Trust behind an Apple MDM: connects an Okta org, proves that it is ready, keeps its
//! credentials sealed and says of any device whether it is trusted.
//!
//! The layers, from the lowest: `model, config | crypto, telemetry, egress, payload | okta, store, auth | service |
//! handlers | openapi | routes | startup | main`. A module imports lower layers only, and no files import each
//! other in a cycle; `tests/api/layers` enforces both.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod auth;
pub mod config;
pub mod crypto;
pub mod egress;
pub mod handlers;
pub mod model;
pub mod okta;
mod openapi;
pub mod payload;
pub mod routes;
pub mod service;
pub mod startup;
pub mod store;
pub mod telemetry;
