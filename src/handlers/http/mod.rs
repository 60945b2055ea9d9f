//! What all handlers share: extractors, middleware and problem documents.

pub mod extract;
pub mod middleware;
pub mod probe;
pub mod problem;
mod problem_detail;
mod request_id;
