//! `/hooks/okta/{hook_id}`: what Okta calls. There is no token here, only the hook's own secret; an
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

/// Who calls which hook, and with what challenge.
pub struct Called {
    /// `None` if the path has no valid ID.
    hook: Option<HookId>,
    /// As Okta sends it, without a scheme. Empty if it is missing or cannot be a secret of ours.
    secret: SecretString,
    challenge: Option<String>,
    is_encoded: bool,
}

impl FromRequest for Called {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let hook = HookId::parse(request.match_info().get("hook_id").unwrap_or_default());
        let secret = only(request, &AUTHORIZATION).unwrap_or_default().into();
        let challenge = HeaderName::from_static("x-okta-verification-challenge");
        let challenge = only(request, &challenge);
        let is_encoded = request.headers().contains_key(CONTENT_ENCODING);
        ready(Ok(Self { hook, secret, challenge, is_encoded }))
    }
}

/// The value of a header that stands there once and is ASCII.
fn only(request: &HttpRequest, name: &HeaderName) -> Option<String> {
    let mut values = request.headers().get_all(name);
    let first = values.next()?.to_str().ok()?.to_owned();
    values.next().is_none().then_some(first)
}

/// Okta's challenge, given back.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HookVerifiedResponse {
    #[schema(example = "Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg")]
    verification: String,
}

/// Verify the address of an event hook
///
/// Okta asks this once, when the hook is entered, with the secret. Ten times in a minute at most.
#[utoipa::path(
    operation_id = "verify_event_hook", tag = "Event hook",
    params(
        ("hook_id" = Uuid, Path, description = "As in `hook_path`"),
        ("Authorization" = String, Header, description = "The hook's secret, without a scheme"),
        ("x-okta-verification-challenge" = String, Header, min_length = 1, max_length = 256, pattern = "^[!-~]+$", description = "To be given back"),
    ),
    responses(
        (status = 200, description = "The challenge", body = HookVerifiedResponse),
        (status = 404, description = "not_found: also for a wrong secret"),
        (status = 429, description = "too_many_verifications"),
        (status = 503, description = "overloaded, database_unavailable"),
    ),
    security(()),
)]
#[get("/okta/{hook_id}")]
pub async fn verify_event_hook(
    state: web::Data<State>,
    called: Called,
) -> Result<HttpResponse, Problem> {
    verify(state, called).await
}

async fn verify(state: web::Data<State>, called: Called) -> Result<HttpResponse, Problem> {
    let Called { hook, secret, challenge, .. } = called;
    let verified = within_hook_deadline(state.service.verify_event_hook(hook, &secret, challenge));
    Ok(HttpResponse::Ok().json(HookVerifiedResponse { verification: verified.await? }))
}

/// Events of Okta's, as its event hooks deliver them.
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
    reason = "stands for the body in the document; what is read of it is okta's to say"
)]
pub struct EventHookDelivery {
    /// `{"events": […]}`; each event has its `eventType` and its `target`.
    #[schema(value_type = Object)]
    data: Value,
}

/// Receive events from Okta
///
/// The devices that the events name are read again soon, each at most once in a minute. The same
/// delivery may come twice, late or out of order. Fields and events that are not known are passed over.
#[utoipa::path(
    operation_id = "receive_event_hook", tag = "Event hook",
    params(
        ("hook_id" = Uuid, Path, description = "As in `hook_path`"),
        ("Authorization" = String, Header, description = "The hook's secret, without a scheme"),
    ),
    request_body = EventHookDelivery,
    responses(
        (status = 204, description = "Noted"),
        (status = 404, description = "not_found: also for a wrong secret"),
        (status = 503, description = "overloaded, database_unavailable: deliver again"),
    ),
    security(()),
)]
#[post("/okta/{hook_id}")]
pub async fn receive_event_hook(
    state: web::Data<State>,
    called: Called,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    deliver(state, called, payload).await
}

async fn deliver(
    state: web::Data<State>,
    called: Called,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let received = within_hook_deadline(receive(&state, called, payload)).await;
    metrics::record_hook_delivery(outcome_of(&received));
    received.map(|()| HttpResponse::NoContent().finish())
}

/// Returns the same operations with a slash at the end of the address, as some enter it. Okta follows no
/// redirect.
pub fn with_trailing_slash() -> Resource {
    web::resource("/okta/{hook_id}/").route(web::get().to(verify)).route(web::post().to(deliver))
}

/// The body is polled only after the secret was found right.
async fn receive(state: &State, called: Called, payload: web::Payload) -> Result<(), Problem> {
    let admitted = state.service.admit_event_hook(called.hook, &called.secret).await?;
    if called.is_encoded {
        return Err(Problem::content_encoding_refused());
    }
    let body = read(payload).await?;
    Ok(state.service.receive_event_hook(admitted, body).await?)
}

async fn read(payload: web::Payload) -> Result<web::Bytes, Problem> {
    let bytes = payload.to_bytes_limited(DELIVERY_LIMIT).await;
    let bytes = bytes.map_err(|_| Problem::body_too_large(DELIVERY_LIMIT))?;
    bytes.map_err(|_| Problem::malformed("The body broke off."))
}

fn outcome_of(received: &Result<(), Problem>) -> &'static str {
    match received.as_ref().map_err(|problem| problem.status) {
        Ok(()) => "accepted",
        Err(404) => "refused",
        Err(400) => "malformed",
        Err(413) => "too_large",
        Err(_) => "failed",
    }
}
