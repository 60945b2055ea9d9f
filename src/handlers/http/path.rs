//! Parameters of the path.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::handlers::http::problem::Problem;
use crate::model::{IntegrationId, Platform};

/// The `{integration_id}` of the path. What is no id is the id of nothing.
pub struct IntegrationPath(pub IntegrationId);

impl FromRequest for IntegrationPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("integration_id").unwrap_or_default();
        // No integration has the nil id, so that a bad id is looked for, and not found, like any other:
        // after the scope was asked for.
        ready(Ok(Self(IntegrationId(text.parse().unwrap_or_default()))))
    }
}

/// The `{platform}` of the path.
pub struct PlatformPath(pub Platform);

impl FromRequest for PlatformPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("platform").unwrap_or_default();
        let parsed = text.parse().ok().map(Self);
        ready(parsed.ok_or_else(|| {
            Problem::not_found("There is no such platform. The platforms are macos and ios.")
        }))
    }
}

/// The `{serial_number}` of the path as it was sent: the service says what is wrong with it.
pub struct SerialNumberPath(pub String);

impl FromRequest for SerialNumberPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("serial_number").unwrap_or_default();
        ready(Ok(Self(text.to_owned())))
    }
}
