//! The integrations that a request can name when the tenant has several.

use crate::model::IntegrationId;

/// An integration that the caller can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationChoice {
    pub id: IntegrationId,
    pub okta_domain: String,
}
