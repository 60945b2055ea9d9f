//! Problem documents (RFC 9457): their fields, their rendering, and those that handlers create
//! themselves. A 500 does not reveal its cause, which is logged once, here.

use std::error::Error as StdError;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::auth::AuthError;
use crate::handlers::http::kinds::{
    BODY_TOO_LARGE, INTERNAL, INVALID_REQUEST, Kind, MALFORMED_REQUEST, METHOD_NOT_ALLOWED,
    NOT_FOUND, OVERLOADED, REQUEST_TIMEOUT, SIGNING_KEYS_UNAVAILABLE, UNAUTHORIZED,
    UNSUPPORTED_MEDIA_TYPE,
};
use crate::handlers::http::request_id;
use crate::model::{IntegrationId, Platform};
use crate::service::{ChecklistItem, FieldError};
use crate::telemetry::chain_of;

/// A problem document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Identifies the kind of problem as a URN; each `code` has one.
    #[serde(rename = "type")]
    #[schema(example = "urn:okta-device-trust:problem:not_found")]
    pub kind: String,
    #[schema(example = "Not found")]
    pub title: &'static str,
    #[schema(example = 404)]
    pub status: u16,
    /// The stable, machine-readable kind of problem. Branch on this field.
    #[schema(example = "not_found")]
    pub code: &'static str,
    /// What happened and what to do next, for people.
    #[schema(
        example = "There is no integration 0193d2a4-5b1c-7c43-8b5e-2f8d1c0a9e77 in this tenant. List the integrations with GET /integrations/okta-device-trust."
    )]
    pub detail: String,
    /// The invalid fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// The id of the request in the log; also in the header `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// For failed calls to Okta: true if the same request may succeed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transient: Option<bool>,
    /// The error message of Okta.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub okta_message: Option<Box<str>>,
    /// The scopes that Okta did not grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub missing_scopes: Option<Box<[String]>>,
    /// The integration that conflicts with the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_id: Option<IntegrationId>,
    /// The integrations to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<IntegrationRef>>)]
    pub integrations: Option<Box<[IntegrationRef]>>,
    /// The number of devices that depend on the deleted resource, or would become unenrolled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<i64>,
    /// The platforms that depend on the deleted resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Vec<Platform>>,
    /// What the admin does in Okta, in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ChecklistItem>>)]
    pub checklist: Option<Box<[ChecklistItem]>>,
    #[serde(skip)]
    pub(super) retry_after: Option<u64>,
    #[serde(skip)]
    authenticate: Option<&'static str>,
    #[serde(skip)]
    pub(in crate::handlers) allow: Option<String>,
}

/// An integration to choose.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct IntegrationRef {
    pub integration_id: IntegrationId,
    #[schema(example = "acme.okta.com")]
    pub okta_domain: String,
}

/// An invalid field.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemField {
    /// JSON pointer (RFC 6901) into the body; for a query parameter `/query/<name>`.
    #[schema(example = "/okta_domain")]
    pub pointer: String,
    #[schema(example = "ip_address")]
    pub code: String,
    #[schema(example = "This is an IP address. Enter your Okta domain, such as acme.okta.com.")]
    pub detail: String,
}

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

impl StdError for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code()).json(self);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.authenticate {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(allow) =
            self.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok())
        {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

impl Problem {
    pub(super) fn new(kind: &Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:okta-device-trust:problem:{}", kind.code),
            title: kind.title,
            status: kind.status,
            code: kind.code,
            detail: detail.into(),
            errors: Vec::new(),
            request_id: request_id::current(),
            transient: None,
            okta_message: None,
            missing_scopes: None,
            integration_id: None,
            integrations: None,
            devices: None,
            platforms: None,
            checklist: None,
            retry_after: None,
            authenticate: None,
            allow: None,
        }
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(in crate::handlers) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(MALFORMED_REQUEST, detail)
    }

    /// The resource does not exist in this tenant.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(NOT_FOUND, detail)
    }

    /// The path exists, but only with the methods of `allow`.
    pub fn method_not_allowed(allow: String) -> Self {
        let mut problem = Self::new(METHOD_NOT_ALLOWED, format!("This path supports {allow}."));
        problem.allow = Some(allow);
        problem
    }

    pub(in crate::handlers) fn body_too_large(limit: usize) -> Self {
        Self::new(BODY_TOO_LARGE, format!("Send a body of at most {limit} bytes."))
    }

    pub(in crate::handlers) fn body_too_slow(limit: Duration) -> Self {
        let seconds = limit.as_secs();
        let detail =
            format!("The body did not arrive within {seconds} seconds. Send the request again.");
        Self::new(REQUEST_TIMEOUT, detail)
    }

    /// The request exceeded its deadline.
    pub(in crate::handlers) fn request_too_slow(limit: Duration) -> Self {
        let seconds = limit.as_secs();
        let detail = format!(
            "The request was not finished within {seconds} seconds. Try again after the seconds in Retry-After. If the request was a change, read the resource first: the change may have been made."
        );
        Self::new(OVERLOADED, detail).retry_after(2)
    }

    pub(in crate::handlers) fn content_encoding_refused() -> Self {
        Self::new(UNSUPPORTED_MEDIA_TYPE, "Send the body uncompressed, without Content-Encoding.")
    }

    pub(in crate::handlers) fn unsupported_media_type(accepted: &str) -> Self {
        Self::new(UNSUPPORTED_MEDIA_TYPE, format!("Send JSON with Content-Type: {accepted}."))
    }

    pub(in crate::handlers) fn invalid(errors: Vec<FieldError>) -> Self {
        let name = |error: &FieldError| match error.pointer.as_str() {
            "" => "the body".to_owned(),
            pointer => pointer.to_owned(),
        };
        let names: Vec<String> = errors.iter().map(name).collect();
        let mut problem = Self::new(
            INVALID_REQUEST,
            format!("Correct {}. See errors for details.", names.join(", ")),
        );
        problem.errors = errors
            .into_iter()
            .map(|FieldError { pointer, code, detail }| ProblemField { pointer, code, detail })
            .collect();
        problem
    }

    pub(in crate::handlers) fn token_missing() -> Self {
        let mut problem =
            Self::new(UNAUTHORIZED, "Send a token in the header Authorization: Bearer <token>.");
        problem.authenticate = Some("Bearer realm=\"okta-device-trust\"");
        problem
    }

    pub(in crate::handlers) fn token_refused(error: &AuthError) -> Self {
        if *error == AuthError::KeysUnavailable {
            let detail = "The signing keys of the token issuer are not available. Try again after the seconds in Retry-After.";
            return Self::new(SIGNING_KEYS_UNAVAILABLE, detail).retry_after(5);
        }
        let mut problem =
            Self::new(UNAUTHORIZED, format!("{}. Get a new token and try again.", sentence(error)));
        problem.authenticate = Some("Bearer realm=\"okta-device-trust\", error=\"invalid_token\"");
        problem
    }

    /// A fault of this service. Logs its cause.
    pub(in crate::handlers) fn internal(error: &(dyn StdError + 'static)) -> Self {
        let detail = "This service failed. Try again; if this persists, send the request_id to the operator.";
        let problem = Self::new(INTERNAL, detail);
        tracing::error!(
            request_id = problem.request_id,
            tenant_id = request_id::tenant().map(display),
            integration_id = request_id::integration().map(display),
            error = chain_of(error),
            "internal error"
        );
        problem
    }
}

/// Returns an error's description with a capital letter.
pub(super) fn sentence(error: &dyn StdError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
