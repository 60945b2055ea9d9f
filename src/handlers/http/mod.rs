//! Shared by all handlers: extractors, middleware and problem documents.

pub mod body;
pub mod connection;
mod from_error;
mod from_okta;
pub mod headers;
pub mod kinds;
pub mod large_bodies;
pub mod middleware;
pub mod path;
pub mod probe;
pub mod problem;
pub mod query;
mod request_id;
pub mod responses;
