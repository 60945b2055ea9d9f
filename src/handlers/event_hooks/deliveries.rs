//! `/hooks/okta/{hook_id}`, which Okta calls. The caller has no token, only the secret of the hook. An
//! unknown hook and a wrong secret get the same answer.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderName};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Resource, get, post, web};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;

use crate::handlers::State;
use crate::handlers::http::problem::Problem;
use crate::model::HookId;
use crate::service::within_hook_deadline;
use crate::telemetry::metrics;

/// The largest delivery, in bytes.
const DELIVERY_LIMIT: usize = 256 * 1024;

/// The hook id, secret and challenge of a call.
pub struct HookRequest {
    /// `None` for a malformed id.
    hook: Option<HookId>,
    /// The `Authorization` header, which Okta sends without a scheme. Empty if it is missing or malformed.
    secret: SecretString,
    challenge: Option<String>,
    is_encoded: bool,
}

impl FromRequest for HookRequest {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let hook = HookId::parse(request.match_info().get("hook_id").unwrap_or_default());
        let secret = single_header(request, &AUTHORIZATION).unwrap_or_default().into();
        let challenge = HeaderName::from_static("x-okta-verification-challenge");
        let challenge = single_header(request, &challenge);
        let is_encoded = request.headers().contains_key(CONTENT_ENCODING);
        ready(Ok(Self { hook, secret, challenge, is_encoded }))
    }
}

/// Returns the value of a header that occurs exactly once and is ASCII.
fn single_header(request: &HttpRequest, name: &HeaderName) -> Option<String> {
    let mut values = request.headers().get_all(name);
    let first = values.next()?.to_str().ok()?.to_owned();
    values.next().is_none().then_some(first)
}

/// The echoed challenge.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HookVerifiedResponse {
    #[schema(example = "Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg")]
    verification: String,
}

/// Verify an event hook
///
/// Okta calls this, with the secret, when an admin verifies the event hook in Okta. Echoes the challenge. At
/// most ten verifications per hook and minute.
#[utoipa::path(
    operation_id = "verify_event_hook", tag = "Okta callbacks",
    params(
        ("hook_id" = Uuid, Path, description = "The last part of `hook_path`"),
        ("Authorization" = String, Header, description = "The secret of the hook, without a scheme"),
        ("x-okta-verification-challenge" = String, Header, min_length = 1, max_length = 256, pattern = "^[!-~]+$", description = "The challenge to echo"),
    ),
    responses(
        (status = 200, description = "The challenge", body = HookVerifiedResponse),
        (status = 404, description = "not_found: unknown hook or wrong secret"),
        (status = 429, description = "too_many_verifications"),
        (status = 503, description = "overloaded, database_unavailable"),
    ),
    security(()),
)]
#[get("/okta/{hook_id}")]
pub async fn verify_event_hook(
    state: web::Data<State>,
    request: HookRequest,
) -> Result<HttpResponse, Problem> {
    verify(state, request).await
}

async fn verify(state: web::Data<State>, request: HookRequest) -> Result<HttpResponse, Problem> {
    let HookRequest { hook, secret, challenge, .. } = request;
    let verified = within_hook_deadline(state.service.verify_event_hook(hook, &secret, challenge));
    Ok(HttpResponse::Ok().json(HookVerifiedResponse { verification: verified.await? }))
}

/// A delivery of Okta events.
#[derive(utoipa::ToSchema)]
#[schema(
    example = json!({
        "eventType": "com.okta.event_hook", "eventTypeVersion": "1.0", "cloudEventsVersion": "0.1",
        "source": "https://acme.okta.com/api/v1/eventHooks/who1a2b3c4d5e6f7g8h9",
        "eventId": "b5a188b9-5ec5-4636-a041-482ffe2b2e0d",
        "data": { "events": [{
            "uuid": "7a3c1c5e-1f7c-11f1-8d2e-0b8f3a1d2c4b", "published": "2026-11-24T08:00:00.000Z",
            "eventType": "device.user.add", "target": [{ "id": "guo1a2b3c4d5e6f7g8h9", "type": "Device" }],
        }] },
    }),
)]
#[expect(
    dead_code,
    reason = "only describes the body in the OpenAPI document; okta::events parses it"
)]
pub struct EventHookDelivery {
    /// `{"events": […]}`; each event has an `eventType` and a `target`.
    #[schema(value_type = Object)]
    data: Value,
}

/// Receive Okta events
///
/// Okta calls this with events. The devices that the events name are re-read soon, each at most once a
/// minute. Deliveries may arrive twice, late and out of order. Unknown fields and events are ignored.
#[utoipa::path(
    operation_id = "receive_event_hook", tag = "Okta callbacks",
    params(
        ("hook_id" = Uuid, Path, description = "The last part of `hook_path`"),
        ("Authorization" = String, Header, description = "The secret of the hook, without a scheme"),
    ),
    request_body = EventHookDelivery,
    responses(
        (status = 204, description = "Accepted"),
        (status = 404, description = "not_found: unknown hook or wrong secret"),
        (status = 503, description = "overloaded, database_unavailable"),
    ),
    security(()),
)]
#[post("/okta/{hook_id}")]
pub async fn receive_event_hook(
    state: web::Data<State>,
    request: HookRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    deliver(state, request, payload).await
}

async fn deliver(
    state: web::Data<State>,
    request: HookRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let received = within_hook_deadline(receive(&state, request, payload)).await;
    metrics::record_hook_delivery(outcome_label(&received));
    received.map(|()| HttpResponse::NoContent().finish())
}

/// Returns the same operations for a URL with a trailing slash, as some admins enter it. Okta follows no
/// redirects.
pub fn with_trailing_slash() -> Resource {
    web::resource("/okta/{hook_id}/").route(web::get().to(verify)).route(web::post().to(deliver))
}

/// Reads the body only after the secret was verified.
async fn receive(
    state: &State,
    request: HookRequest,
    payload: web::Payload,
) -> Result<(), Problem> {
    let admitted = state.service.admit_event_hook(request.hook, &request.secret).await?;
    if request.is_encoded {
        return Err(Problem::content_encoding_refused());
    }
    let body = read_body(payload).await?;
    Ok(state.service.receive_event_hook(admitted, body).await?)
}

async fn read_body(payload: web::Payload) -> Result<web::Bytes, Problem> {
    let bytes = payload.to_bytes_limited(DELIVERY_LIMIT).await;
    let bytes = bytes.map_err(|_| Problem::body_too_large(DELIVERY_LIMIT))?;
    bytes.map_err(|_| Problem::malformed("The body ended early. Send the request again."))
}

/// Returns the label of the metric.
fn outcome_label(received: &Result<(), Problem>) -> &'static str {
    match received.as_ref().map_err(|problem| problem.status) {
        Ok(()) => "accepted",
        Err(404) => "refused",
        Err(400) => "malformed",
        Err(413) => "too_large",
        Err(_) => "failed",
    }
}
