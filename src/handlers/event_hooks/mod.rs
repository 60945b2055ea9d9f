//! `…/{integration_id}/event-hook`: its address and its secret, which is shown in the answer that
//! made it and in no other.

pub mod deliveries;

use actix_web::{HttpResponse, delete, get, put, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::crypto::reveal;
use crate::handlers::State;
use crate::handlers::http::body::OptionalBody;
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::IntegrationPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::integrations::SecretState;
use crate::model::event_hooks::EVENT_TYPES;
use crate::service::{EventHookAddress, IssuedEventHook};

/// Nothing is chosen by the caller: the secret is made here.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct UpdateEventHookRequest {}

/// What the admin enters in Okta under Workflow, Event Hooks, and how it goes.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EventHookResponse {
    /// The URL to enter; `null` when the operator has not set the service's public address.
    #[schema(
        required,
        example = "https://trust.example.com/hooks/okta/5f0c2b2e-8d6a-4f3e-9a51-3d1f6c7e8b90"
    )]
    url: Option<String>,
    /// The URL's path, below the service's public address.
    #[schema(example = "/hooks/okta/5f0c2b2e-8d6a-4f3e-9a51-3d1f6c7e8b90")]
    hook_path: String,
    /// The name of the authentication field to enter.
    #[schema(example = "Authorization")]
    authentication_field: &'static str,
    /// The authentication secret to enter. Only in the answer that made it; never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
    secret_state: SecretState,
    /// Until when the secret before this one is accepted as well; absent where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    previous_valid_until: Option<DateTime<Utc>>,
    /// When Okta verified the address last.
    #[schema(required)]
    verified_at: Option<DateTime<Utc>>,
    /// When Okta delivered last, give or take ten seconds.
    #[schema(required)]
    last_delivery_at: Option<DateTime<Utc>>,
    /// The events to subscribe to.
    events: [&'static str; EVENT_TYPES.len()],
}

impl From<EventHookAddress> for EventHookResponse {
    fn from(address: EventHookAddress) -> Self {
        let EventHookAddress { hook, path, url } = address;
        Self {
            url,
            hook_path: path,
            authentication_field: "Authorization",
            secret: None,
            secret_state: SecretState {
                set: true,
                version: Some(hook.version),
                updated_at: Some(hook.updated_at),
                updated_by: Some(hook.updated_by),
            },
            previous_valid_until: hook.previous_valid_until,
            verified_at: hook.verified_at,
            last_delivery_at: hook.last_delivery_at,
            events: EVENT_TYPES,
        }
    }
}

impl From<&IssuedEventHook> for EventHookResponse {
    fn from(issued: &IssuedEventHook) -> Self {
        let secret = Some(reveal(&issued.secret).to_owned());
        Self { secret, ..Self::from(issued.address.clone()) }
    }
}

/// Read the event hook
#[utoipa::path(
    operation_id = "get_event_hook", tag = "Event hook", params(IntegrationPath),
    responses((status = 200, description = "The hook, without its secret", body = EventHookResponse)),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}/event-hook")]
pub async fn get_event_hook(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    let hook = state.service.get_event_hook(&caller.0, id.0).await?;
    Ok(HttpResponse::Ok().json(EventHookResponse::from(hook)))
}

/// Set up the event hook, or rotate its secret
///
/// The answer shows the secret, and no later one does. After a rotation the address stays, and the
/// secrets before are accepted for 24 hours after each was replaced, unless they are revoked. Send no
/// body, or `{}`.
#[utoipa::path(
    operation_id = "update_event_hook", tag = "Event hook", params(IntegrationPath),
    request_body = Option<UpdateEventHookRequest>,
    responses(
        (status = 200, description = "Rotated; with the new secret", body = EventHookResponse),
        (status = 201, description = "Set up; with its secret", body = EventHookResponse),
    ),
    security(("bearer" = ["odt:write"])),
)]
#[put("/integrations/okta-device-trust/{integration_id}/event-hook")]
pub async fn update_event_hook(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    _body: OptionalBody<UpdateEventHookRequest>,
) -> Result<HttpResponse, Problem> {
    let issued = state.service.update_event_hook(&caller.0, id.0).await?;
    let mut answer = if issued.created { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(EventHookResponse::from(&issued)))
}

/// Revoke the previous secrets of the event hook
///
/// After a rotation the secrets before are accepted for 24 hours more. This ends that at once: do it when
/// Okta has the present secret, or when one before it has leaked.
#[utoipa::path(
    operation_id = "revoke_previous_hook_secrets", tag = "Event hook", params(IntegrationPath),
    responses((status = 204, description = "Only the present secret is accepted")),
    security(("bearer" = ["odt:write"])),
)]
#[delete("/integrations/okta-device-trust/{integration_id}/event-hook/previous-secrets")]
pub async fn revoke_previous_hook_secrets(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    state.service.revoke_previous_hook_secrets(&caller.0, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Delete the event hook
///
/// Its address answers no more. Delete it in Okta as well, which would go on calling it.
#[utoipa::path(
    operation_id = "delete_event_hook", tag = "Event hook", params(IntegrationPath),
    responses((status = 204, description = "Deleted")),
    security(("bearer" = ["odt:write"])),
)]
#[delete("/integrations/okta-device-trust/{integration_id}/event-hook")]
pub async fn delete_event_hook(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    state.service.delete_event_hook(&caller.0, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
