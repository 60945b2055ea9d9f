//! Groups of answers that several operations have in the OpenAPI document. `openapi::complete` gives
//! each of them the schema of a problem.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response, ResponseBuilder};

use crate::handlers::http::kinds::{
    INTEGRATION_AMBIGUOUS, Kind, NOT_FOUND, OKTA_BAD_ANSWER, OKTA_UNREACHABLE,
};

/// The operation asks Okta.
pub struct AsksOkta;

impl IntoResponses for AsksOkta {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[OKTA_BAD_ANSWER, OKTA_UNREACHABLE])
    }
}

/// The operation takes an `integration_id`, which a tenant with one integration may leave out.
pub struct NamesIntegration;

impl IntoResponses for NamesIntegration {
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
