//! `…/{integration_id}/event-hook`: the URL and the secret of the event hook. Only the response that
//! creates a secret shows it.

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

/// An empty object: the service generates the secret.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct UpdateEventHookRequest {}

/// The event hook: the values to enter in Okta under Workflow > Event Hooks, and its state.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EventHookResponse {
    /// The URL to enter; `null` if the operator has not configured the public address of the service.
    #[schema(
        required,
        example = "https://trust.example.com/hooks/okta/5f0c2b2e-8d6a-4f3e-9a51-3d1f6c7e8b90"
    )]
    url: Option<String>,
    /// The path of the URL, below the public address of the service.
    #[schema(example = "/hooks/okta/5f0c2b2e-8d6a-4f3e-9a51-3d1f6c7e8b90")]
    hook_path: String,
    /// The authentication field to enter.
    #[schema(example = "Authorization")]
    authentication_field: &'static str,
    /// The authentication secret to enter. Only in the response that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
    secret_state: SecretState,
    /// Until when previous secrets are accepted; absent if none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    previous_valid_until: Option<DateTime<Utc>>,
    /// When Okta last verified the event hook.
    #[schema(required)]
    verified_at: Option<DateTime<Utc>>,
    /// When Okta last delivered an event, to within ten seconds.
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

/// Retrieve the event hook
///
/// Retrieves the event hook of an integration, without its secret.
#[utoipa::path(
    operation_id = "get_event_hook", tag = "Event hooks", params(IntegrationPath),
    responses((status = 200, description = "The event hook, without its secret", body = EventHookResponse)),
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

/// Create the event hook or rotate its secret
///
/// Creates the event hook of an integration, or rotates the secret of an existing one. The response
/// contains the new secret, which is not shown again. A rotation keeps the URL, and each previous secret is
/// accepted for 24 hours after its replacement, unless it is revoked. Send no body, or `{}`.
#[utoipa::path(
    operation_id = "update_event_hook", tag = "Event hooks", params(IntegrationPath),
    request_body = Option<UpdateEventHookRequest>,
    responses(
        (status = 200, description = "The secret is rotated", body = EventHookResponse),
        (status = 201, description = "The event hook is created", body = EventHookResponse),
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

/// Revoke previous secrets
///
/// Revokes the secrets that were replaced in the last 24 hours, which are otherwise still accepted. Use this
/// once Okta has the current secret, or if a previous one has leaked.
#[utoipa::path(
    operation_id = "revoke_previous_hook_secrets", tag = "Event hooks", params(IntegrationPath),
    responses((status = 204, description = "Only the current secret is accepted")),
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
/// Deletes the event hook. Okta keeps calling its URL and gets 404, so delete the event hook in Okta as
/// well.
#[utoipa::path(
    operation_id = "delete_event_hook", tag = "Event hooks", params(IntegrationPath),
    responses((status = 204, description = "The event hook is deleted")),
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
