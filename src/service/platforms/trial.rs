//! Verifies the values of a platform against Okta, and records a refusal.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::json;

use super::fields::PlatformValues;
use crate::model::platforms::{CertificateAuthority, PlatformState, ScepValues};
use crate::model::{
    Caller, EventKind, Finding, FindingReason, IntegrationId, IntegrationRecord, NewEvent, Outcome,
    Platform, PrerequisiteKind,
};
use crate::okta::ScepChallengeSource;
use crate::service::{Error, Service};
use crate::store::{Trial, TrialOutcome};
use crate::telemetry::chain_of;

/// Whether the values were verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// A challenge and the certificate of the authority were fetched with these values.
    Verified,
    /// Okta offers no way to verify an iOS secret key. With a wrong one, devices do not become managed.
    Unverifiable,
}

impl Service {
    /// Fetches a challenge and the certificate of the authority. A challenge implies Adaptive MFA: without
    /// it Okta offers no device integrations.
    pub(super) async fn verify_values(
        &self,
        caller: &Caller,
        before: &IntegrationRecord,
        values: &PlatformValues,
    ) -> Result<VerifiedValues, Error> {
        let Some(scep) = &values.scep else { return Ok(VerifiedValues::unverifiable()) };
        let hosts = self.confirm_scep_hosts(before, scep).await?;
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let source = challenge_source(scep, &values.secret);
        // The challenge is dropped: it only proves that the values work.
        let minted = self.okta.fetch_scep_challenge(&hosts, &source).await?;
        tracing::debug!(
            tenant_id = %caller.tenant,
            integration_id = %before.integration.id,
            "fetched a challenge to verify a platform"
        );
        drop(minted);
        let found = self.okta.fetch_ca_certificate(&hosts, &scep.scep_url).await?;
        let now = Utc::now();
        if found.not_after <= now {
            return Err(Error::CertificateAuthorityExpired { not_after: found.not_after });
        }
        let ca = CertificateAuthority {
            subject: found.subject.clone(),
            sha256_fingerprint: found.sha256_hex(),
            not_after: found.not_after,
        };
        let mfa = Finding::new(PrerequisiteKind::AdaptiveMfa, Outcome::Inferred, now)
            .with_reason(FindingReason::ScepChallengeIssued)
            .with_evidence(json!({ "scep_challenge_issued_at": now }));
        Ok(VerifiedValues {
            verification: Verification::Verified,
            ca: Some(ca),
            at: Some(now),
            findings: vec![mfa],
        })
    }

    /// Audits that Okta refused new values, which are not stored.
    pub(super) async fn audit_scep_refusal(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
        error: &Error,
    ) {
        if !error.is_scep_refusal() {
            return;
        }
        let event = platform_event(caller, id, EventKind::ScepCredentialsRefused, platform);
        if let Err(error) = self.store.create_event(&caller.tenant, event).await {
            tracing::warn!(
                tenant_id = %caller.tenant,
                integration_id = %id,
                error = chain_of(&error),
                "auditing refused SCEP credentials failed"
            );
        }
    }

    /// Records that Okta refused the stored username and password, which degrades the integration until
    /// they work again.
    pub(super) async fn record_refusal(
        &self,
        caller: &Caller,
        id: IntegrationId,
        state: &PlatformState,
        error: &Error,
    ) {
        if !error.is_scep_refusal() {
            return;
        }
        let trial = Trial {
            platform: state.platform,
            secret_version: state.secret_version,
            outcome: TrialOutcome::Refused { at: Utc::now() },
            findings: Vec::new(),
            event: platform_event(caller, id, EventKind::ScepCredentialsRefused, state.platform),
        };
        if let Err(error) = self.store.update_verification(&caller.tenant, id, trial).await {
            tracing::warn!(
                tenant_id = %caller.tenant,
                integration_id = %id,
                error = chain_of(&error),
                "recording refused SCEP credentials failed"
            );
        }
    }
}

/// The result of a verification.
pub(super) struct VerifiedValues {
    pub(super) verification: Verification,
    pub(super) ca: Option<CertificateAuthority>,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) findings: Vec<Finding>,
}

impl VerifiedValues {
    fn unverifiable() -> Self {
        Self { verification: Verification::Unverifiable, ca: None, at: None, findings: Vec::new() }
    }
}

pub(super) fn challenge_source(scep: &ScepValues, password: &SecretString) -> ScepChallengeSource {
    ScepChallengeSource {
        challenge_url: scep.challenge_url.clone(),
        username: scep.username.clone(),
        password: password.clone(),
    }
}

/// Returns an audit event about a platform.
pub(super) fn platform_event(
    caller: &Caller,
    id: IntegrationId,
    kind: EventKind,
    platform: Platform,
) -> NewEvent {
    let detail = json!({ "platform": platform });
    NewEvent::by(caller, id, kind).with(detail)
}
