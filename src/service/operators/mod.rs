//! What operators do on the command line, over all tenants.

mod all_integrations;
mod key_rotation;

pub use all_integrations::{Census, CensusEntry};
pub use key_rotation::{Rotated, Rotation};
