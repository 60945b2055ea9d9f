//! Trying the values of a platform against Okta, and what becomes of a refusal.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::json;

use super::fields::{Entered, hosts_of};
use crate::model::platforms::{CertificateAuthority, PlatformState, ScepValues};
use crate::model::{
    Caller, EventKind, Finding, FindingReason, IntegrationId, IntegrationRecord, NewEvent, Outcome,
    Platform, PrerequisiteKind,
};
use crate::okta::ScepChallengeSource;
use crate::service::{Error, Service};
use crate::store::{Trial, TrialOutcome};
use crate::telemetry::chain_of;

/// Whether what was entered could be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// A challenge and the certificate authority were fetched with these values.
    Verified,
    /// Okta has no way to try an iOS secret key: a wrong one shows on the devices only.
    Unverifiable,
}

impl Service {
    /// One real challenge and the certificate authority. A challenge that is issued shows that the
    /// org has Adaptive MFA: device integrations cannot be added without it (facts §4).
    pub(super) async fn try_values(
        &self,
        caller: &Caller,
        before: &IntegrationRecord,
        entered: &Entered,
    ) -> Result<TrialResult, Error> {
        let Some(scep) = &entered.scep else { return Ok(TrialResult::impossible()) };
        let hosts = hosts_of(before);
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let source = source_of(scep, &entered.secret);
        // Dropped at once: it was fetched to see that it can be.
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
        Ok(TrialResult {
            verification: Verification::Verified,
            ca: Some(ca),
            at: Some(now),
            findings: vec![mfa],
        })
    }

    /// Values that were entered and refused: audited, and nothing else changes.
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

    /// A refusal of the stored user name and password degrades the integration until they work again.
    pub(super) async fn note_refusal(
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

/// What a trial of the values showed.
pub(super) struct TrialResult {
    pub(super) verification: Verification,
    pub(super) ca: Option<CertificateAuthority>,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) findings: Vec<Finding>,
}

impl TrialResult {
    fn impossible() -> Self {
        Self { verification: Verification::Unverifiable, ca: None, at: None, findings: Vec::new() }
    }
}

pub(super) fn source_of(scep: &ScepValues, password: &SecretString) -> ScepChallengeSource {
    ScepChallengeSource {
        challenge_url: scep.challenge_url.clone(),
        username: scep.username.clone(),
        password: password.clone(),
    }
}

/// An event about one platform.
pub(super) fn platform_event(
    caller: &Caller,
    id: IntegrationId,
    kind: EventKind,
    platform: Platform,
) -> NewEvent {
    let detail = json!({ "platform": platform });
    NewEvent::by(caller, id, kind).with(detail)
}
