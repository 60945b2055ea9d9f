//! Groups of responses that several operations share in the OpenAPI document. `openapi::complete` adds
//! the schema of a problem to each.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response, ResponseBuilder};

use crate::handlers::http::kinds::{
    INTEGRATION_AMBIGUOUS, Kind, NOT_FOUND, OKTA_BAD_ANSWER, OKTA_UNREACHABLE,
};

/// Responses of operations that call Okta.
pub struct CallsOkta;

impl IntoResponses for CallsOkta {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[OKTA_BAD_ANSWER, OKTA_UNREACHABLE])
    }
}

/// Responses of operations with an optional `integration_id`, which is required if the tenant has
/// several integrations.
pub struct SelectsIntegration;

impl IntoResponses for SelectsIntegration {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[NOT_FOUND, INTEGRATION_AMBIGUOUS])
    }
}

fn problems(kinds: &[&Kind]) -> BTreeMap<String, RefOr<Response>> {
    let problem = |kind: &&Kind| {
        let response = ResponseBuilder::new().description(kind.code).build();
        (kind.status.to_string(), RefOr::T(response))
    };
    kinds.iter().map(problem).collect()
}
