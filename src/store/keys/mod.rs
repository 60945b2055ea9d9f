//! The keys that secrets are sealed with.

pub(in crate::store) mod rotation;
