#![doc = include_str!("README.md")]
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
