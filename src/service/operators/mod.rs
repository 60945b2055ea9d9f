//! Operations of the operator's command line, across all tenants.

mod all_integrations;
mod key_rotation;
mod projection;

pub use all_integrations::{AllIntegrations, IntegrationSummary};
pub use key_rotation::{KeyRotation, KeyRotationOutcome};
pub use projection::{Projection, ProjectionReport, WrongProjection};
