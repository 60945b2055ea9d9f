//! How the answer about one device may be kept: its own `ETag`, which does not change when the same
//! facts are merely seen again, and a `Cache-Control` that ends when the facts do.

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

/// Bytes of the hash that make the tag: enough that no two answers ever share one.
const TAG_BYTES: usize = 16;
/// What changes by looking alone.
const TIMES: [&str; 2] = ["observed_at", "fresh_until"];

/// The answer with its headers, or 304 where the caller has it.
pub(super) fn answer(
    request: &HttpRequest,
    status: &TrustStatusResponse,
    keep_for: std::time::Duration,
) -> Result<HttpResponse, Problem> {
    let tag = tag_of(status).map_err(|error| Problem::internal(&error))?;
    let mut response = if is_known(request, &tag) {
        HttpResponse::NotModified().finish()
    } else {
        HttpResponse::Ok().json(status)
    };
    let cache = format!("private, max-age={}, stale-if-error=0", keep_for.as_secs());
    let seen = status.observed_at.map(|at| HttpDate::from(std::time::SystemTime::from(at)));
    for (name, value) in [
        (ETAG, Some(tag)),
        (CACHE_CONTROL, Some(cache)),
        // The same address answers each tenant otherwise.
        (VARY, Some("Authorization".to_owned())),
        (LAST_MODIFIED, seen.map(|at| at.to_string())),
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

/// A strong tag of what the answer says, without when it was seen.
fn tag_of(status: &TrustStatusResponse) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(status)?;
    drop_times(&mut value);
    let hash = digest(&SHA256, &serde_json::to_vec(&value)?);
    let start = hash.as_ref().get(..TAG_BYTES).unwrap_or_default();
    Ok(format!("\"{}\"", URL_SAFE_NO_PAD.encode(start)))
}

fn drop_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in TIMES {
                fields.remove(name);
            }
            fields.values_mut().for_each(drop_times);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_times),
        _ => {}
    }
}

/// `If-None-Match` compares weakly (RFC 9110 §13.1.2).
fn is_known(request: &HttpRequest, tag: &str) -> bool {
    let sent = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    sent.flat_map(|list| list.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    })
}
