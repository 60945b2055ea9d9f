//! Middleware: every request gets an id, a deadline, a log line and metrics. Authenticated routes verify the
//! token before anything else of the request is read.

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{
    ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};
use tokio::time::timeout;
use tracing::field::display;

use crate::handlers::http::problem::{PROBLEM_JSON, Problem};
use crate::handlers::{State, health, http::connection, http::request_id};
use crate::model::Caller;
use crate::telemetry::metrics;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Requests that take longer are logged at `info`.
const SLOW_REQUEST: Duration = Duration::from_secs(1);
/// The time limit for a response to start, which no operation needs.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Assigns the request id and the deadline, and records the result in the log and the metrics.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let sent = request.headers().get(&X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = request_id::accept_or_new(sent);
    request_id::scope(id.clone(), handle(request, next, started, &id)).await
}

async fn handle(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    started: Instant,
    id: &str,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let method = request.method().clone();
    let in_flight = connection::begin(&request);
    // Do not hold a clone of the request across the call: actix-web requires the only reference.
    let Ok(answer) = timeout(REQUEST_TIMEOUT, next.call(request)).await else {
        return Err(timed_out(method.as_str(), started.elapsed(), id));
    };
    let mut response = answer?.map_into_boxed_body();
    if is_framework_error(&response) {
        let problem = problem_for(&response);
        response = replace_response(response, &problem);
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    record(method.as_str(), &route, response.status().as_u16(), started.elapsed(), id);
    Ok(connection::end_after_body(response, in_flight))
}

/// Returns the response to a request that timed out. It has no CORS headers: those need the request, which
/// was dropped with its future.
fn timed_out(method: &str, duration: Duration, id: &str) -> Error {
    let problem = Problem::request_too_slow(REQUEST_TIMEOUT);
    record(method, "unknown", problem.status, duration, id);
    let mut response = problem.error_response();
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    InternalError::from_response(problem, response).into()
}

/// Returns true for an error that did not come from a handler: of the framework, CORS or Swagger UI.
/// The readiness probe is excluded, since it has a body of its own.
fn is_framework_error(response: &ServiceResponse<BoxBody>) -> bool {
    let is_error = response.status().as_u16() >= 400;
    let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    is_error
        && content_type != Some(PROBLEM_JSON.as_bytes())
        && response.request().path() != health::READY
}

/// Returns the problem for an error of the framework. A preflight refused by CORS stays a 400:
/// browsers treat every status alike, and 403 is reserved for missing scopes.
fn problem_for(response: &ServiceResponse<BoxBody>) -> Problem {
    match response.status().as_u16() {
        404 => Problem::not_found(
            "There is nothing at this path. See the API reference at /docs or /openapi.json.",
        ),
        405 => Problem::method_not_allowed(allowed_methods(response)),
        400..500 if response.request().head().method == Method::OPTIONS => Problem::malformed(
            "CORS does not allow this origin, method or header. The operator configures the origins of front ends in ODT_CORS_ORIGINS.",
        ),
        400..500 => Problem::malformed("The request is malformed."),
        status => Problem::internal(&FrameworkFailure(status)),
    }
}

fn allowed_methods(response: &ServiceResponse<BoxBody>) -> String {
    let allow = response.headers().get(ALLOW).and_then(|allow| allow.to_str().ok());
    allow.unwrap_or_default().to_owned()
}

/// Replaces the response with the problem. Keeps its headers: a front end needs those of CORS to read it.
fn replace_response(
    response: ServiceResponse<BoxBody>,
    problem: &Problem,
) -> ServiceResponse<BoxBody> {
    let (request, original) = response.into_parts();
    let mut answer = problem.error_response();
    for (name, value) in original.headers() {
        if *name != CONTENT_TYPE && *name != CONTENT_LENGTH && *name != ALLOW {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, answer)
}

/// A failure of the framework; its own message is not shown to callers.
#[derive(Debug, thiserror::Error)]
#[error("the framework returned status {0}")]
struct FrameworkFailure(u16);

fn record(method: &str, route: &str, status: u16, duration: Duration, request_id: &str) {
    metrics::record_request(method, route, status, duration);
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    // A failing readiness probe is not a failed request, and it repeats every few seconds.
    if status >= 500 && !route.starts_with("/health") {
        let tenant_id = request_id::tenant().map(display);
        let integration_id = request_id::integration().map(display);
        tracing::warn!(
            method,
            route,
            status,
            duration_ms,
            request_id,
            tenant_id,
            integration_id,
            "request failed"
        );
    } else if duration >= SLOW_REQUEST {
        tracing::info!(method, route, status, duration_ms, request_id, "request was slow");
    } else {
        tracing::debug!(method, route, status, duration_ms, request_id, "request answered");
    }
}

/// Requires a verified token. This is a middleware because extractors run concurrently: a malformed
/// body would be reported before a missing token.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match find_caller(&request).await {
        // What is small on the wire must not grow large here, and no client needs it.
        Ok(_) if request.headers().contains_key(CONTENT_ENCODING) => {
            Ok(request.into_response(Problem::content_encoding_refused().error_response()))
        }
        Ok(caller) => {
            request_id::set_tenant(&caller.tenant);
            request.extensions_mut().insert(caller);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(problem) => Ok(request.into_response(problem.error_response())),
    }
}

async fn find_caller(request: &ServiceRequest) -> Result<Caller, Problem> {
    let headers = request.headers();
    // A proxy in front may have verified the other one.
    if headers.get_all(AUTHORIZATION).count() > 1 {
        return Err(Problem::malformed("Send the header Authorization only once."));
    }
    let token = bearer_token(headers).ok_or_else(Problem::token_missing)?;
    let state = request.app_data::<web::Data<State>>().ok_or_else(Problem::token_missing)?;
    state.authenticator.authenticate(token).await.map_err(|error| Problem::token_refused(&error))
}

/// Returns the token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme is case-insensitive.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
