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
use crate::handlers::http::responses::AsksOkta;
use crate::handlers::platforms::bodies::{
    PlatformDeletedResponse, PlatformRequest, PlatformResponse, PlatformWritten, PlatformsResponse,
    TrialResponse, trial,
};
use crate::handlers::{State, with_etag};
use crate::model::{IntegrationRecord, Platform};
use crate::service::{PlatformOutcome, Write};

fn stored(status: StatusCode, record: &IntegrationRecord, platform: Platform) -> HttpResponse {
    match record.platform(platform) {
        Some(state) => {
            with_etag(HttpResponse::build(status).json(PlatformResponse::from(state)), record)
        }
        None => HttpResponse::InternalServerError().finish(),
    }
}

fn answer(outcome: &PlatformOutcome, dry_run: bool) -> HttpResponse {
    if dry_run {
        return HttpResponse::Ok().json(trial(outcome, false));
    }
    let status = if outcome.replaced { StatusCode::OK } else { StatusCode::CREATED };
    stored(status, &outcome.record, outcome.platform)
}

/// List the configured platforms
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

/// Read a configured platform
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
    Ok(stored(StatusCode::OK, &record, platform.0))
}

/// Configure a platform
///
/// All fields are needed, secrets too. macOS is tried before it is stored: one real challenge and the
/// certificate authority are fetched. iOS cannot be tried, and the answer says so.
#[utoipa::path(
    operation_id = "update_platform", tag = "Platforms", request_body = PlatformRequest,
    params(IntegrationPath, PlatformPath, DryRunParams, ("If-Match" = Option<String>, Header, description = "ETag that was read")),
    responses(
        (status = 200, description = "Replaced; or, with `dry_run`, tried", body = PlatformWritten, headers(("ETag" = String))),
        (status = 201, description = "Stored", body = PlatformResponse, headers(("ETag" = String))),
        (status = 409, description = "changed_meanwhile"),
        AsksOkta,
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
    let write = Write { dry_run: query.0.is_dry_run(), expected_version: expected.0 };
    let outcome =
        state.service.update_platform(&caller.0, id.0, platform.0, body.0.into(), write).await?;
    Ok(answer(&outcome, write.dry_run))
}

/// Change fields of a platform
///
/// A merge patch; the result is tried like a new configuration. A new password or secret key is a
/// rotation.
#[utoipa::path(
    operation_id = "patch_platform", tag = "Platforms", request_body = PlatformRequest,
    params(IntegrationPath, PlatformPath, ("If-Match" = Option<String>, Header, description = "ETag that was read")),
    responses(
        (status = 200, description = "Changed", body = PlatformResponse, headers(("ETag" = String))),
        (status = 409, description = "changed_meanwhile"),
        AsksOkta,
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
    let write = Write { dry_run: false, expected_version: expected.0 };
    let outcome =
        state.service.patch_platform(&caller.0, id.0, platform.0, body.0.into(), write).await?;
    Ok(answer(&outcome, false))
}

/// Delete a platform
///
/// While devices have been given something of it, `confirm=true` is needed. Nothing is called in Okta.
#[utoipa::path(
    operation_id = "delete_platform", tag = "Platforms",
    params(IntegrationPath, PlatformPath, ConfirmParams, ("If-Match" = Option<String>, Header, description = "ETag that was read")),
    responses(
        (status = 200, description = "Deleted", body = PlatformDeletedResponse, headers(("ETag" = String))),
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

/// Try the stored values
#[utoipa::path(
    operation_id = "verify_platform", tag = "Platforms",
    params(IntegrationPath, PlatformPath),
    responses(
        (status = 200, description = "What the trial showed", body = TrialResponse),
        (status = 409, description = "changed_meanwhile"),
        (status = 422, description = "Okta refused: scep_credentials_refused, scep_wrong_url and others"),
        AsksOkta,
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
