//! `…/{integration_id}/platforms`.

pub mod catalogue;
pub mod deployments;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::handlers::http::body::{Body, not_null};
use crate::handlers::http::headers::{IfMatch, Verified};
use crate::handlers::http::path::{IntegrationPath, PlatformPath};
use crate::handlers::http::problem::Problem;
use crate::handlers::http::query::{ConfirmParams, DryRunParams, Query};
use crate::handlers::http::responses::AsksOkta;
use crate::handlers::integrations::SecretState;
use crate::handlers::{State, with_etag};
use crate::model::platforms::{CertificateAuthority, PlatformState};
use crate::model::{IntegrationRecord, Platform};
use crate::service::{ChecklistItem, PlatformFields, PlatformOutcome, Verification, Write};

/// macOS takes `scep_url`, `challenge_url`, `username` and `password`; iOS takes `secret_key`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "scep_url": "https://acme.okta.com/pki/0123456789abcdef0123456789abcdef01234567/scep/rac1a2b3c4",
    "challenge_url": "https://acme.okta.com/pki/scep/challenge", "username": "okta-scep-user", "password": "shown-once-by-Okta",
}))]
pub struct PlatformRequest {
    /// macOS: https on the org's own host.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false, max_length = 2048, pattern = "^https://[^\\s#]+$")]
    scep_url: Option<String>,
    /// macOS: https on the org's own host.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false, max_length = 2048, pattern = "^https://[^\\s#]+$")]
    challenge_url: Option<String>,
    /// macOS.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 256,
        pattern = "^[^:\\u0000-\\u001f\\u007f-\\u009f]+$"
    )]
    username: Option<String>,
    /// macOS; never shown again.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<String>, nullable = false, format = Password, write_only, min_length = 1, max_length = 512, pattern = "^[!-~]+$")]
    password: Option<SecretString>,
    /// iOS; never shown again.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<String>, nullable = false, format = Password, write_only, min_length = 8, max_length = 256, pattern = "^[!-~]+$")]
    secret_key: Option<SecretString>,
}

impl From<PlatformRequest> for PlatformFields {
    fn from(request: PlatformRequest) -> Self {
        let PlatformRequest { scep_url, challenge_url, username, password, secret_key } = request;
        Self { scep_url, challenge_url, username, password, secret_key }
    }
}

/// A configured platform, without its secret.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PlatformResponse {
    platform: Platform,
    #[serde(skip_serializing_if = "Option::is_none")]
    scep_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<SecretState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<SecretState>,
    verification: VerificationResponse,
    /// The certificate authority behind the SCEP URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<CertificateAuthority>,
    /// What devices report back of what they carry.
    config_version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Whether what was entered could be tried.
#[derive(Serialize, utoipa::ToSchema)]
pub struct VerificationResponse {
    state: Verification,
    /// Why nothing could be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<DateTime<Utc>>,
    /// Since when Okta has refused the stored username and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_at: Option<DateTime<Utc>>,
}

/// What a trial showed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrialResponse {
    platform: Platform,
    verification: VerificationResponse,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<CertificateAuthority>,
    /// False for a trial of values that were not stored.
    stored: bool,
}

/// The configured platforms.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PlatformsResponse {
    items: Vec<PlatformResponse>,
}

/// What a deletion did, and what is left to do in Okta.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PlatformDeletedResponse {
    deleted: Platform,
    /// What the admin has left to do by hand, in this order: nothing was called in Okta.
    checklist: Vec<ChecklistItem>,
}

const UNVERIFIABLE: &str = "Okta has no way to try a secret key. A wrong one shows on the devices: they do not become managed.";

fn verification(
    state: Verification,
    verified_at: Option<DateTime<Utc>>,
    refused_at: Option<DateTime<Utc>>,
) -> VerificationResponse {
    let reason = (state == Verification::Unverifiable).then_some(UNVERIFIABLE);
    VerificationResponse { state, reason, verified_at, refused_at }
}

impl From<&PlatformState> for PlatformResponse {
    fn from(state: &PlatformState) -> Self {
        let secret = SecretState {
            set: true,
            version: Some(state.secret_version),
            updated_at: Some(state.secret_updated_at),
            updated_by: Some(state.secret_updated_by.clone()),
        };
        let (password, secret_key, kind) = match state.platform {
            Platform::Macos => (Some(secret), None, Verification::Verified),
            Platform::Ios => (None, Some(secret), Verification::Unverifiable),
        };
        Self {
            platform: state.platform,
            scep_url: state.scep.as_ref().map(|scep| scep.scep_url.to_string()),
            challenge_url: state.scep.as_ref().map(|scep| scep.challenge_url.to_string()),
            username: state.scep.as_ref().map(|scep| scep.username.clone()),
            password,
            secret_key,
            verification: verification(kind, state.verified_at, state.refused_at),
            certificate_authority: state.ca.clone(),
            config_version: state.config_version,
            created_at: state.created_at,
            updated_at: state.updated_at,
        }
    }
}

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

fn trial(outcome: &PlatformOutcome, stored: bool) -> TrialResponse {
    let state = outcome.record.platform(outcome.platform).filter(|_| stored);
    TrialResponse {
        platform: outcome.platform,
        verification: verification(
            outcome.verification,
            state.and_then(|state| state.verified_at),
            state.and_then(|state| state.refused_at),
        ),
        certificate_authority: outcome.ca.clone(),
        stored,
    }
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
    let (record, _) = state.service.get_platform(&caller.0, id.0, platform.0).await?;
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

/// Either of the two answers to a write.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum PlatformWritten {
    Stored(Box<PlatformResponse>),
    Tried(TrialResponse),
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
    let (record, checklist) = deleted;
    let answer = PlatformDeletedResponse { deleted: platform.0, checklist };
    Ok(with_etag(HttpResponse::Ok().json(answer), &record))
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
