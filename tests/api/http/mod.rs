//! The HTTP surface that all operations share.

mod callers;
mod documents;
mod limits;
mod operations;
