//! What every request passes: an id, a deadline, the log and the histogram; and, before anything of it is
//! read, the token.

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
/// A request that took longer is worth a line of the log.
const SLOW: Duration = Duration::from_secs(1);
/// How long a request may take until its answer begins. Beyond what any operation needs.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Gives the request its id and its deadline, and reports its outcome to the log and the metrics.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let sent = request.headers().get(&X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = request_id::choose(sent);
    request_id::scope(id.clone(), answer(request, next, started, &id)).await
}

async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    started: Instant,
    id: &str,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let method = request.method().clone();
    let in_flight = connection::begin(&request);
    // No clone of the request may live across the call: actix needs it to be the only one.
    let Ok(answer) = timeout(REQUEST_TIMEOUT, next.call(request)).await else {
        return Err(too_slow(method.as_str(), started.elapsed(), id));
    };
    let mut response = answer?.map_into_boxed_body();
    if is_foreign_refusal(&response) {
        let problem = problem_for(&response);
        response = in_place_of(response, &problem);
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    report(method.as_str(), &route, response.status().as_u16(), started.elapsed(), id);
    Ok(connection::end_after_body(response, in_flight))
}

/// Returns the response to a request that timed out. It has no CORS headers: those need the request, which
/// was dropped with its future.
fn too_slow(method: &str, duration: Duration, id: &str) -> Error {
    let problem = Problem::request_too_slow(REQUEST_TIMEOUT);
    report(method, "unknown", problem.status, duration, id);
    let mut response = problem.error_response();
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    InternalError::from_response(problem, response).into()
}

/// An error that is none of ours: the framework's own, of CORS or of the user interface's files.
/// Readiness says why it is not ready in its own words.
fn is_foreign_refusal(response: &ServiceResponse<BoxBody>) -> bool {
    let is_error = response.status().as_u16() >= 400;
    let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    is_error
        && content_type != Some(PROBLEM_JSON.as_bytes())
        && response.request().path() != health::READY
}

/// A preflight that CORS refuses stays a 400: a browser shows the body to nobody and treats every
/// status alike, and 403 is kept for scopes (contract §1).
fn problem_for(response: &ServiceResponse<BoxBody>) -> Problem {
    match response.status().as_u16() {
        404 => Problem::not_found(
            "There is nothing at this path. See /docs or /openapi.json for the API.",
        ),
        405 => Problem::method_not_allowed(allowed_by(response)),
        400..500 if response.request().head().method == Method::OPTIONS => Problem::malformed(
            "This origin, method or header is not allowed. The operator sets the origins of front ends in ODT_CORS_ORIGINS.",
        ),
        400..500 => Problem::malformed("The request cannot be read."),
        status => Problem::internal(&ForeignFailure(status)),
    }
}

fn allowed_by(response: &ServiceResponse<BoxBody>) -> String {
    let allow = response.headers().get(ALLOW).and_then(|allow| allow.to_str().ok());
    allow.unwrap_or_default().to_owned()
}

/// The problem, with the headers that were there: those of CORS let a front end read it.
fn in_place_of(response: ServiceResponse<BoxBody>, problem: &Problem) -> ServiceResponse<BoxBody> {
    let (request, refused) = response.into_parts();
    let mut answer = problem.error_response();
    for (name, value) in refused.headers() {
        if *name != CONTENT_TYPE && *name != CONTENT_LENGTH && *name != ALLOW {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, answer)
}

/// A failure of the framework, whose words stay inside.
#[derive(Debug, thiserror::Error)]
#[error("the framework answered with status {0}")]
struct ForeignFailure(u16);

fn report(method: &str, route: &str, status: u16, duration: Duration, request_id: &str) {
    metrics::record_request(method, route, status, duration);
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    // Readiness that says no is an answer, and one that comes every few seconds.
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
    } else if duration >= SLOW {
        tracing::info!(method, route, status, duration_ms, request_id, "request was slow");
    } else {
        tracing::debug!(method, route, status, duration_ms, request_id, "request answered");
    }
}

/// Lets nobody through without a verified token. A middleware and not an extractor: an asynchronous
/// extractor would lose to that of the body, and answer a bad body before the missing token.
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
    // A proxy in front may have checked the other one.
    if headers.get_all(AUTHORIZATION).count() > 1 {
        return Err(Problem::malformed("Send the header Authorization once."));
    }
    let token = bearer(headers).ok_or_else(Problem::token_missing)?;
    let state = request.app_data::<web::Data<State>>().ok_or_else(Problem::token_missing)?;
    state.authenticator.authenticate(token).await.map_err(|error| Problem::token_refused(&error))
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme's case does not matter.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
