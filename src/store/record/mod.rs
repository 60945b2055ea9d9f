//! One integration, read whole, and the frame for changes to it.

pub(in crate::store) mod change;
