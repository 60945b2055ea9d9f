//! `…/{integration_id}/platforms`.

pub mod bodies;
pub mod catalogue;
mod deployment_bodies;
pub mod deployments;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, patch, post, put, web};

use crate::handlers::http::body::Body;
use crate::handlers::http::headers::{IfMatch, Verified};
use crate::handlers::http::path::{IntegrationPath, PlatformPath};
use crate::handlers::http::problem::Problem;
use crate::handlers::http::query::{ConfirmParams, DryRunParams, Query};
use crate::handlers::http::responses::CallsOkta;
use crate::handlers::platforms::bodies::{
    PlatformDeletedResponse, PlatformRequest, PlatformResponse, PlatformWritten, PlatformsResponse,
    TrialResponse, trial,
};
use crate::handlers::{State, with_etag};
use crate::model::{IntegrationRecord, Platform};
use crate::service::{PlatformOutcome, WriteOptions};

fn render_stored(
    status: StatusCode,
    record: &IntegrationRecord,
    platform: Platform,
) -> HttpResponse {
    match record.platform(platform) {
        Some(state) => {
            with_etag(HttpResponse::build(status).json(PlatformResponse::from(state)), record)
        }
        None => HttpResponse::InternalServerError().finish(),
    }
}

fn render_outcome(outcome: &PlatformOutcome, dry_run: bool) -> HttpResponse {
    if dry_run {
        return HttpResponse::Ok().json(trial(outcome, false));
    }
    let status = if outcome.replaced { StatusCode::OK } else { StatusCode::CREATED };
    render_stored(status, &outcome.record, outcome.platform)
}

/// List configured platforms
///
/// Lists the platforms that are configured for an integration, without their secrets.
#[utoipa::path(
    operation_id = "list_platforms", tag = "Platforms", params(IntegrationPath),
    responses((status = 200, description = "The configured platforms", body = PlatformsResponse, headers(("ETag" = String)))),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}/platforms")]
pub async fn list_platforms(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    let record = state.service.list_platforms(&caller.0, id.0).await?;
    let items = record.platforms.iter().map(PlatformResponse::from).collect();
    Ok(with_etag(HttpResponse::Ok().json(PlatformsResponse { items }), &record))
}

/// Retrieve a configured platform
///
/// Retrieves a configured platform, without its secret.
#[utoipa::path(
    operation_id = "get_platform", tag = "Platforms",
    params(IntegrationPath, PlatformPath),
    responses((status = 200, description = "The platform", body = PlatformResponse, headers(("ETag" = String)))),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}/platforms/{platform}")]
pub async fn get_platform(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    platform: PlatformPath,
) -> Result<HttpResponse, Problem> {
    let record = state.service.get_platform(&caller.0, id.0, platform.0).await?;
    Ok(render_stored(StatusCode::OK, &record, platform.0))
}

/// Configure a platform
///
/// Creates or replaces the configuration of a platform. All its fields are required, including secrets. The
/// values of macOS are verified before they are stored: a SCEP challenge and the certificate of the
/// authority are fetched from Okta. A secret key of iOS cannot be verified. With `dry_run=true` the values
/// are verified and not stored.
#[utoipa::path(
    operation_id = "update_platform", tag = "Platforms", request_body = PlatformRequest,
    params(IntegrationPath, PlatformPath, DryRunParams, ("If-Match" = Option<String>, Header, description = "The ETag of the integration that you read")),
    responses(
        (status = 200, description = "The platform is replaced, or with `dry_run` verified", body = PlatformWritten, headers(("ETag" = String))),
        (status = 201, description = "The platform is configured", body = PlatformResponse, headers(("ETag" = String))),
        (status = 409, description = "changed_meanwhile, scep_url_on_old_host"),
        CallsOkta,
    ),
    security(("bearer" = ["odt:write"])),
)]
#[put("/integrations/okta-device-trust/{integration_id}/platforms/{platform}")]
pub async fn update_platform(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    platform: PlatformPath,
    query: Query<DryRunParams>,
    expected: IfMatch,
    body: Body<PlatformRequest>,
) -> Result<HttpResponse, Problem> {
    let write = WriteOptions { dry_run: query.0.is_dry_run(), expected_version: expected.0 };
    let outcome =
        state.service.update_platform(&caller.0, id.0, platform.0, body.0.into(), write).await?;
    Ok(render_outcome(&outcome, write.dry_run))
}

/// Update a platform
///
/// Updates some fields of a platform with a merge patch; absent fields stay. The result is verified like a
/// new configuration. Send a new `password` or `secret_key` to rotate it.
#[utoipa::path(
    operation_id = "patch_platform", tag = "Platforms", request_body = PlatformRequest,
    params(IntegrationPath, PlatformPath, ("If-Match" = Option<String>, Header, description = "The ETag of the integration that you read")),
    responses(
        (status = 200, description = "The updated platform", body = PlatformResponse, headers(("ETag" = String))),
        (status = 409, description = "changed_meanwhile, scep_url_on_old_host"),
        CallsOkta,
    ),
    security(("bearer" = ["odt:write"])),
)]
#[patch("/integrations/okta-device-trust/{integration_id}/platforms/{platform}")]
pub async fn patch_platform(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    platform: PlatformPath,
    expected: IfMatch,
    body: Body<PlatformRequest>,
) -> Result<HttpResponse, Problem> {
    let write = WriteOptions { dry_run: false, expected_version: expected.0 };
    let outcome =
        state.service.patch_platform(&caller.0, id.0, platform.0, body.0.into(), write).await?;
    Ok(render_outcome(&outcome, false))
}

/// Delete a platform
///
/// Deletes the configuration of a platform with its secret. If devices got profiles of it, `confirm=true` is
/// required. The service deletes nothing in Okta; `checklist` lists what the admin still has to do there.
#[utoipa::path(
    operation_id = "delete_platform", tag = "Platforms",
    params(IntegrationPath, PlatformPath, ConfirmParams, ("If-Match" = Option<String>, Header, description = "The ETag of the integration that you read")),
    responses(
        (status = 200, description = "The platform is deleted", body = PlatformDeletedResponse, headers(("ETag" = String))),
        (status = 409, description = "confirmation_required"),
    ),
    security(("bearer" = ["odt:write"])),
)]
#[delete("/integrations/okta-device-trust/{integration_id}/platforms/{platform}")]
pub async fn delete_platform(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    platform: PlatformPath,
    confirm: Query<ConfirmParams>,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    let deleted = state
        .service
        .delete_platform(&caller.0, id.0, platform.0, confirm.0.confirmed(), expected.0)
        .await?;
    let answer = PlatformDeletedResponse { deleted: platform.0, checklist: deleted.checklist };
    Ok(with_etag(HttpResponse::Ok().json(answer), &deleted.record))
}

/// Verify a platform
///
/// Verifies the stored values of a platform: for macOS, a SCEP challenge and the certificate of the authority
/// are fetched from Okta.
#[utoipa::path(
    operation_id = "verify_platform", tag = "Platforms",
    params(IntegrationPath, PlatformPath),
    responses(
        (status = 200, description = "The result of the verification", body = TrialResponse),
        (status = 409, description = "changed_meanwhile, scep_url_on_old_host"),
        (status = 422, description = "Okta refused: scep_credentials_refused, scep_wrong_url and others"),
        CallsOkta,
    ),
    security(("bearer" = ["odt:write"])),
)]
#[post("/integrations/okta-device-trust/{integration_id}/platforms/{platform}/verify")]
pub async fn verify_platform(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    platform: PlatformPath,
) -> Result<HttpResponse, Problem> {
    let outcome = state.service.verify_platform(&caller.0, id.0, platform.0).await?;
    Ok(HttpResponse::Ok().json(trial(&outcome, true)))
}
