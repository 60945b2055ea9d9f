//! `/integrations/okta-device-trust`.

mod bodies;
pub mod client_keys;
pub mod credentials;
pub mod prerequisites;
pub mod setup;

use actix_web::http::header::{HeaderName, LOCATION};
use actix_web::{HttpResponse, delete, get, patch, post, web};

use crate::handlers::http::body::Body;
use crate::handlers::http::headers::{IdempotencyKeyHeader, IfMatch, Verified};
use crate::handlers::http::path::IntegrationPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::http::query::{ConfirmParams, PageParams, Query};
use crate::handlers::http::responses::CallsOkta;
use crate::handlers::integrations::bodies::{
    CreateIntegrationRequest, DeletedResponse, UpdateIntegrationRequest,
};
use crate::handlers::{PageResponse, State, with_etag};
use crate::service::{IntegrationPatch, NewIntegrationRequest};

pub use bodies::{IntegrationResponse, Notice, SecretState};

/// Create an integration
///
/// Discovers the Okta org at a domain and creates an integration for it. This reads only the public
/// well-known document of the org. With an `Idempotency-Key`, a repeated request within 24 hours returns
/// the integration that the first one created. If the tenant has several integrations, trust queries must
/// name one of them.
#[utoipa::path(
    operation_id = "create_integration", tag = "Integrations", request_body = CreateIntegrationRequest,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$", description = "A unique key, such as a UUID, with which the request can be repeated safely")),
    responses(
        (status = 201, description = "The integration is created", body = IntegrationResponse,
         headers(("ETag" = String, description = "The version of the integration"), ("Location" = String, description = "The path of the integration"))),
        (status = 409, description = "org_already_connected, idempotency_in_flight, idempotent_result_gone"),
        CallsOkta,
    ),
    security(("bearer" = ["odt:write"])),
)]
#[post("/integrations/okta-device-trust")]
pub async fn create_integration(
    state: web::Data<State>,
    caller: Verified,
    key: IdempotencyKeyHeader,
    body: Body<CreateIntegrationRequest>,
) -> Result<HttpResponse, Problem> {
    let CreateIntegrationRequest { okta_domain, selected_platforms } = body.0;
    let request = NewIntegrationRequest { okta_domain, selected_platforms };
    let created = state.service.create_integration(&caller.0, request, key.0).await?;
    let (record, replayed) = (created.record.clone(), created.replayed);
    let location = format!("/integrations/okta-device-trust/{}", record.integration.id);
    let mut answer = HttpResponse::Created();
    answer.insert_header((LOCATION, location));
    if replayed {
        answer.insert_header((HeaderName::from_static("idempotent-replayed"), "true"));
    }
    Ok(with_etag(answer.json(IntegrationResponse::from(created.record)), &record))
}

/// List integrations
///
/// Lists the integrations of the tenant.
#[utoipa::path(
    operation_id = "list_integrations", tag = "Integrations", params(PageParams),
    responses((status = 200, description = "One page of integrations", body = PageResponse<IntegrationResponse>)),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust")]
pub async fn list_integrations(
    state: web::Data<State>,
    caller: Verified,
    page: Query<PageParams>,
) -> Result<HttpResponse, Problem> {
    let found = state.service.list_integrations(&caller.0, page.0.page()?).await?;
    Ok(HttpResponse::Ok().json(PageResponse::from(found.map(IntegrationResponse::from))))
}

/// Retrieve an integration
///
/// Retrieves an integration with its status.
#[utoipa::path(
    operation_id = "get_integration", tag = "Integrations",
    params(IntegrationPath),
    responses((status = 200, description = "The integration", body = IntegrationResponse, headers(("ETag" = String)))),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}")]
pub async fn get_integration(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    let record = state.service.get_integration(&caller.0, id.0).await?;
    Ok(with_etag(HttpResponse::Ok().json(IntegrationResponse::from(record.clone())), &record))
}

/// Update an integration
///
/// Updates the domain, the selected platforms or the additional sign-in hosts with a merge patch. Once
/// credentials are stored, the new domain must belong to the same Okta org. Each of
/// `additional_sign_in_hosts` must return the org's public well-known document; no credentials are sent.
#[utoipa::path(
    operation_id = "update_integration", tag = "Integrations", request_body(content((UpdateIntegrationRequest = "application/json"), (UpdateIntegrationRequest = "application/merge-patch+json"))),
    params(IntegrationPath, ("If-Match" = Option<String>, Header, nullable = false, pattern = r#"^(\*|(W/)?"[!#-~]*")$"#, description = "The ETag of the integration that you read")),
    responses(
        (status = 200, description = "The updated integration", body = IntegrationResponse, headers(("ETag" = String))),
        (status = 409, description = "other_org, org_already_connected, changed_meanwhile"),
        (status = 429, description = "too_many_attempts"),
        CallsOkta,
    ),
    security(("bearer" = ["odt:write"])),
)]
#[patch("/integrations/okta-device-trust/{integration_id}")]
pub async fn update_integration(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    expected: IfMatch,
    body: Body<UpdateIntegrationRequest>,
) -> Result<HttpResponse, Problem> {
    let UpdateIntegrationRequest { okta_domain, selected_platforms, additional_sign_in_hosts } =
        body.0;
    let patch = IntegrationPatch { okta_domain, selected_platforms, additional_sign_in_hosts };
    let record = state.service.update_integration(&caller.0, id.0, patch, expected.0).await?;
    Ok(with_etag(HttpResponse::Ok().json(IntegrationResponse::from(record.clone())), &record))
}

/// Delete an integration
///
/// Deletes an integration with its secrets, platforms and device records. Its audit events stay. If
/// platforms or devices depend on it, `confirm=true` is required. The service deletes nothing in Okta;
/// `checklist` lists what the admin still has to do there.
#[utoipa::path(
    operation_id = "delete_integration", tag = "Integrations",
    params(IntegrationPath, ConfirmParams, ("If-Match" = Option<String>, Header, nullable = false, pattern = r#"^(\*|(W/)?"[!#-~]*")$"#, description = "The ETag of the integration that you read")),
    responses(
        (status = 200, description = "The integration is deleted", body = DeletedResponse),
        (status = 409, description = "confirmation_required"),
    ),
    security(("bearer" = ["odt:write"])),
)]
#[delete("/integrations/okta-device-trust/{integration_id}")]
pub async fn delete_integration(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    confirm: Query<ConfirmParams>,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    let deleted = state
        .service
        .delete_integration(&caller.0, id.0, confirm.0.confirmed(), expected.0)
        .await?;
    Ok(HttpResponse::Ok()
        .json(DeletedResponse { deleted: deleted.id, checklist: deleted.checklist }))
}
