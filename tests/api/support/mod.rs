//! Shared test support: the world of a test and its operations.

pub mod answer;
pub mod builder;
pub mod canary_search;
pub mod database;
pub mod event_hooks;
pub mod fleet;
pub mod inventory;
pub mod pgbouncer;
pub mod platforms;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod replica;
pub mod sockets;
pub mod trust;
pub mod wait;
pub mod world;
