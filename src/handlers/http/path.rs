//! Parameters of the path: how they are read, and how the OpenAPI document shows them.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Ref, RefOr, Required, Schema};
use utoipa::{IntoParams, ToSchema};

use crate::handlers::http::problem::Problem;
use crate::handlers::http::request_id;
use crate::model::{IntegrationId, Platform, PrerequisiteKind, SerialNumber};

/// The `{integration_id}` of the path. What is no id is the id of nothing.
pub struct IntegrationPath(pub IntegrationId);

impl IntoParams for IntegrationPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter("integration_id", reference::<IntegrationId>()).build()]
    }
}

impl FromRequest for IntegrationPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("integration_id").unwrap_or_default();
        // No integration has the nil id, so that a bad id is looked for, and not found, like any other:
        // after the scope was asked for.
        let id = IntegrationId(text.parse().unwrap_or_default());
        request_id::set_integration(id);
        ready(Ok(Self(id)))
    }
}

/// The `{platform}` of the path.
pub struct PlatformPath(pub Platform);

impl IntoParams for PlatformPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter("platform", reference::<Platform>()).build()]
    }
}

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

impl IntoParams for SerialNumberPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = parameter("serial_number", SerialNumber::schema().into());
        let parameter = parameter.description(Some("8 to 14 letters and digits"));
        vec![parameter.example(Some(SerialNumber::EXAMPLE.into())).build()]
    }
}

impl FromRequest for SerialNumberPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("serial_number").unwrap_or_default();
        ready(Ok(Self(text.to_owned())))
    }
}

/// The `{kind}` of a prerequisite in the path as it was sent.
pub struct PrerequisitePath(pub String);

impl IntoParams for PrerequisitePath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter("kind", reference::<PrerequisiteKind>()).build()]
    }
}

impl FromRequest for PrerequisitePath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("kind").unwrap_or_default();
        ready(Ok(Self(text.to_owned())))
    }
}

fn parameter(name: &str, schema: RefOr<Schema>) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
}

/// The schema of a type that has one of its own in the document.
fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}
