//! HTTP caching of the answer about a single device: an `ETag` that stays the same when the facts are
//! only observed again, and a `Cache-Control` that expires with the facts.

use actix_web::http::header::{
    CACHE_CONTROL, ETAG, HeaderName, HeaderValue, HttpDate, IF_NONE_MATCH, LAST_MODIFIED, VARY,
};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::handlers::http::problem::Problem;
use crate::handlers::trust_status::answers::TrustStatusResponse;

/// The length of the hash in an ETag.
const ETAG_BYTES: usize = 16;
/// Fields that change with every observation, which the ETag leaves out.
const OBSERVATION_TIMES: [&str; 2] = ["observed_at", "fresh_until"];

/// Returns the response with its caching headers, or 304 if the caller's ETag matches.
pub(super) fn respond(
    request: &HttpRequest,
    status: &TrustStatusResponse,
    max_age: std::time::Duration,
) -> Result<HttpResponse, Problem> {
    let tag = compute_etag(status).map_err(|error| Problem::internal(&error))?;
    let mut response = if matches_if_none_match(request, &tag) {
        HttpResponse::NotModified().finish()
    } else {
        HttpResponse::Ok().json(status)
    };
    let cache = format!("private, max-age={}, stale-if-error=0", max_age.as_secs());
    let observed = status.observed_at.map(|at| HttpDate::from(std::time::SystemTime::from(at)));
    for (name, value) in [
        (ETAG, Some(tag)),
        (CACHE_CONTROL, Some(cache)),
        // The response depends on the tenant of the token.
        (VARY, Some("Authorization".to_owned())),
        (LAST_MODIFIED, observed.map(|at| at.to_string())),
    ] {
        insert(&mut response, name, value);
    }
    Ok(response)
}

fn insert(response: &mut HttpResponse, name: HeaderName, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
        response.headers_mut().insert(name, value);
    }
}

/// Computes a strong ETag from the response without its observation times.
fn compute_etag(status: &TrustStatusResponse) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(status)?;
    remove_observation_times(&mut value);
    let hash = digest(&SHA256, &serde_json::to_vec(&value)?);
    let prefix = hash.as_ref().get(..ETAG_BYTES).unwrap_or_default();
    Ok(format!("\"{}\"", URL_SAFE_NO_PAD.encode(prefix)))
}

fn remove_observation_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in OBSERVATION_TIMES {
                fields.remove(name);
            }
            fields.values_mut().for_each(remove_observation_times);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_observation_times),
        _ => {}
    }
}

/// Compares `If-None-Match` weakly (RFC 9110 §13.1.2).
fn matches_if_none_match(request: &HttpRequest, tag: &str) -> bool {
    let sent = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    sent.flat_map(|list| list.split(',')).any(|candidate| {
        let candidate = candidate.trim();
        candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag
    })
}
