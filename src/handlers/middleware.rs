//! What every request passes: an id, the log and the histogram; and, before anything of it is read,
//! the token.

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};

use super::problem::Problem;
use super::{State, request_id};
use crate::model::Caller;
use crate::telemetry::metrics;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A request that took longer is worth a line of the log.
const SLOW: Duration = Duration::from_secs(1);

/// Gives the request its id, and tells log and metrics how it ended.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let sent = request.headers().get(&X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = request_id::choose(sent);
    let method = request.method().clone();
    // No clone of the request may be held over the call: actix needs it to be the only one.
    let mut response =
        request_id::scope(id.clone(), next.call(request)).await?.map_into_boxed_body();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    report(method.as_str(), &route, response.status().as_u16(), started.elapsed(), &id);
    Ok(response)
}

fn report(method: &str, route: &str, status: u16, duration: Duration, request_id: &str) {
    metrics::record_request(method, route, status, duration);
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::warn!(method, route, status, duration_ms, request_id, "request failed");
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
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(problem) => Ok(request.into_response(problem.error_response())),
    }
}

async fn find_caller(request: &ServiceRequest) -> Result<Caller, Problem> {
    let token = bearer(request).ok_or_else(Problem::token_missing)?;
    let state = request.app_data::<web::Data<State>>().ok_or_else(Problem::token_missing)?;
    state.authenticator.authenticate(token).await.map_err(|error| Problem::token_refused(&error))
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme's case does not matter.
fn bearer(request: &ServiceRequest) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
