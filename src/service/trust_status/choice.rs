//! The integrations to choose from when a request has to name one.

use crate::model::IntegrationId;

/// An integration that may be named where there are several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationChoice {
    pub id: IntegrationId,
    pub okta_domain: String,
}
