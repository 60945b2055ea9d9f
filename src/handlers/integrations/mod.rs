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
use crate::handlers::http::responses::AsksOkta;
use crate::handlers::integrations::bodies::{
    CreateIntegrationRequest, DeletedResponse, UpdateIntegrationRequest, with_notices,
};
use crate::handlers::{PageResponse, State, with_etag};
use crate::service::{IntegrationPatch, NewIntegrationRequest};

pub use bodies::{IntegrationResponse, Notice, SecretState};

/// Connect an Okta org
///
/// Finds the org behind the pasted domain and keeps it. Asks Okta for the public well-known document
/// only. With `Idempotency-Key` a repeated request within 24 hours answers what the first created.
/// Once a tenant has several integrations, who asks for trust status has to name one.
#[utoipa::path(
    operation_id = "create_integration", tag = "Integration", request_body = CreateIntegrationRequest,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$", description = "Makes repeating safe")),
    responses(
        (status = 201, description = "Created", body = IntegrationResponse,
         headers(("ETag" = String, description = "Version of the configuration"), ("Location" = String, description = "Path of the integration"))),
        (status = 409, description = "org_already_connected, idempotency_in_flight, idempotent_result_gone"),
        AsksOkta,
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
    Ok(with_etag(answer.json(with_notices(created)), &record))
}

/// List the tenant's integrations
#[utoipa::path(
    operation_id = "list_integrations", tag = "Integration", params(PageParams),
    responses((status = 200, description = "A page of integrations", body = PageResponse<IntegrationResponse>)),
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

/// Read an integration
#[utoipa::path(
    operation_id = "get_integration", tag = "Integration",
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

/// Change the domain or the selected platforms
///
/// A merge patch. Once credentials are stored, the domain may only change to one of the same org.
#[utoipa::path(
    operation_id = "update_integration", tag = "Integration", request_body(content((UpdateIntegrationRequest = "application/json"), (UpdateIntegrationRequest = "application/merge-patch+json"))),
    params(IntegrationPath, ("If-Match" = Option<String>, Header, nullable = false, pattern = r#"^(\*|(W/)?"[!#-~]*")$"#, description = "ETag that was read")),
    responses(
        (status = 200, description = "Changed", body = IntegrationResponse, headers(("ETag" = String))),
        (status = 409, description = "other_org, org_already_connected, changed_meanwhile"),
        AsksOkta,
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
    let UpdateIntegrationRequest { okta_domain, selected_platforms } = body.0;
    let patch = IntegrationPatch { okta_domain, selected_platforms };
    let changed = state.service.update_integration(&caller.0, id.0, patch, expected.0).await?;
    let record = changed.record.clone();
    Ok(with_etag(HttpResponse::Ok().json(with_notices(changed)), &record))
}

/// Delete an integration
///
/// Takes away the secrets and all that was found; the audit stays. While platforms or devices depend
/// on it, `confirm=true` is needed. Nothing is called in Okta: the answer lists what is left to do.
#[utoipa::path(
    operation_id = "delete_integration", tag = "Integration",
    params(IntegrationPath, ConfirmParams, ("If-Match" = Option<String>, Header, nullable = false, pattern = r#"^(\*|(W/)?"[!#-~]*")$"#, description = "ETag that was read")),
    responses(
        (status = 200, description = "Deleted", body = DeletedResponse),
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
