//! The keys that secrets are sealed with.

pub(in crate::store) mod rotation;
pub(in crate::store) mod sealing;
