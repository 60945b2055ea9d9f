//! The words that all rooms share. Knows no HTTP, no SQL and no Okta wire format.

pub mod ids;
pub mod okta_domain;

pub use ids::{IntegrationId, TenantId};
pub use okta_domain::OktaDomain;
