//! Extractors for path parameters, and their description in the OpenAPI document.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Ref, RefOr, Required, Schema};
use utoipa::{IntoParams, ToSchema};

use crate::handlers::http::problem::Problem;
use crate::handlers::http::request_id;
use crate::model::{IntegrationId, Platform, PrerequisiteKind, SerialNumber};

/// The `{integration_id}` of the path. A malformed id becomes the nil id, which no integration has.
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
        // A malformed id is a 404 like any unknown id, and only after the scope check.
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
        ready(
            parsed
                .ok_or_else(|| Problem::not_found("There is no such platform. Use macos or ios.")),
        )
    }
}

/// The `{serial_number}` of the path, unparsed: the service validates it after the scope check.
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

/// The `{kind}` of a prerequisite in the path, unparsed.
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

/// Returns a reference to the schema of a type.
fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}
