//! `…/{integration_id}/prerequisites`.

use actix_web::{HttpResponse, get, post, put, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::handlers::State;
use crate::handlers::http::body::Body;
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::{IntegrationPath, PrerequisitePath};
use crate::handlers::http::problem::Problem;
use crate::handlers::http::responses::CallsOkta;
use crate::model::integrations::prerequisites::Blocks;
use crate::model::{Actor, FindingReason, Outcome, PrerequisiteKind};
use crate::service::{Prerequisite, Report};

/// The report on the prerequisites of an Okta org.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReportResponse {
    /// True if no prerequisite blocks the setup.
    ready: bool,
    items: Vec<PrerequisiteResponse>,
}

/// A prerequisite and its state.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PrerequisiteResponse {
    kind: PrerequisiteKind,
    outcome: Outcome,
    /// The stable reason why it is not `passed`.
    #[schema(required, example = "fastpass_inactive")]
    reason: Option<&'static str>,
    /// What Okta reported.
    #[schema(value_type = Object, example = json!({ "okta_verify": "ACTIVE", "signed_nonce": "INACTIVE" }))]
    evidence: serde_json::Value,
    #[schema(required)]
    checked_at: Option<DateTime<Utc>>,
    /// What a failure blocks.
    blocks: Blocks,
    #[schema(required)]
    attestation: Option<AttestationResponse>,
    #[schema(required)]
    remediation: Option<Remediation>,
}

/// What the admin does about it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Remediation {
    /// The stable id of the text, for translations.
    #[schema(example = "remediation.fastpass.fastpass_inactive")]
    text_id: String,
    text: &'static str,
}

/// An attestation, or its withdrawal.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AttestationResponse {
    /// False if the attestation was withdrawn.
    attested: bool,
    #[schema(required)]
    note: Option<String>,
    by: Actor,
    at: DateTime<Utc>,
}

/// An attestation, or its withdrawal.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "attested": true, "note": "Assigned to all Macs and iPhones" }))]
pub struct AttestationRequest {
    /// True to attest the prerequisite, false to withdraw the attestation.
    attested: bool,
    /// A note for the audit log.
    #[serde(default)]
    #[schema(max_length = 500, pattern = "^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]*$")]
    note: Option<String>,
}

impl From<Report> for ReportResponse {
    fn from(report: Report) -> Self {
        Self {
            ready: report.ready,
            items: report.items.into_iter().map(PrerequisiteResponse::from).collect(),
        }
    }
}

impl From<Prerequisite> for PrerequisiteResponse {
    fn from(item: Prerequisite) -> Self {
        let remediation = item.remediation.map(|text| {
            let reason = item.reason.map_or("unknown", FindingReason::as_str);
            Remediation { text_id: format!("remediation.{}.{reason}", item.kind.as_str()), text }
        });
        let attestation = item.attestation.map(|attestation| AttestationResponse {
            attested: attestation.attested,
            note: attestation.note,
            by: attestation.actor,
            at: attestation.at,
        });
        Self {
            kind: item.kind,
            outcome: item.outcome,
            reason: item.reason.map(FindingReason::as_str),
            evidence: item.evidence,
            checked_at: item.checked_at,
            blocks: item.blocks,
            attestation,
            remediation,
        }
    }
}

/// Retrieve the prerequisites report
///
/// Retrieves the report as of the last check. This operation does not call Okta.
#[utoipa::path(
    operation_id = "list_prerequisites", tag = "Prerequisites", params(IntegrationPath),
    responses((status = 200, description = "The prerequisites report", body = ReportResponse)),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}/prerequisites")]
pub async fn list_prerequisites(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    let report = state.service.list_prerequisites(&caller.0, id.0).await?;
    Ok(HttpResponse::Ok().json(ReportResponse::from(report)))
}

/// Check the prerequisites
///
/// Checks the Okta org with the stored credentials and returns the new report. A refusal by Okta is part of
/// the report. If Okta does not answer, the earlier report stays.
#[utoipa::path(
    operation_id = "check_prerequisites", tag = "Prerequisites", params(IntegrationPath),
    responses(
        (status = 200, description = "The new prerequisites report", body = ReportResponse),
        (status = 409, description = "credentials_needed, other_org, changed_meanwhile"),
        (status = 422, description = "org_not_found"),
        (status = 429, description = "too_many_attempts"),
        CallsOkta,
    ),
    security(("bearer" = ["odt:write"])),
)]
#[post("/integrations/okta-device-trust/{integration_id}/prerequisites/check")]
pub async fn check_prerequisites(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    let report = state.service.check_prerequisites(&caller.0, id.0).await?;
    Ok(HttpResponse::Ok().json(ReportResponse::from(report)))
}

/// Attest a prerequisite
///
/// Attests a prerequisite that no API of Okta shows, or withdraws the attestation. The scope `odt:write` can
/// attest `adaptive_mfa` and `okta_verify_distribution`; the scope `odt:inventory` only the latter.
#[utoipa::path(
    operation_id = "attest_prerequisite", tag = "Prerequisites", request_body = AttestationRequest,
    params(IntegrationPath, PrerequisitePath),
    responses(
        (status = 200, description = "The new prerequisites report", body = ReportResponse),
        (status = 409, description = "cannot_be_attested"),
    ),
    security(("bearer" = ["odt:write"]), ("bearer" = ["odt:inventory"])),
)]
#[put("/integrations/okta-device-trust/{integration_id}/prerequisites/{kind}/attestation")]
pub async fn attest_prerequisite(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    kind: PrerequisitePath,
    body: Body<AttestationRequest>,
) -> Result<HttpResponse, Problem> {
    let AttestationRequest { attested, note } = body.0;
    let report =
        state.service.attest_prerequisite(&caller.0, id.0, &kind.0, attested, note).await?;
    Ok(HttpResponse::Ok().json(ReportResponse::from(report)))
}
