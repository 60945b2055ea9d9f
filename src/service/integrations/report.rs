//! The report on an org: each prerequisite with its outcome and remediation.

use chrono::{DateTime, Utc};
use serde_json::json;
use strum::VariantArray;

use crate::model::integrations::prerequisites::Blocks;
use crate::model::{Attestation, FindingReason, IntegrationRecord, Outcome, PrerequisiteKind};

/// A prerequisite in the report.
#[derive(Debug)]
pub struct Prerequisite {
    pub kind: PrerequisiteKind,
    pub outcome: Outcome,
    /// Why it is not `passed`.
    pub reason: Option<FindingReason>,
    pub evidence: serde_json::Value,
    pub checked_at: Option<DateTime<Utc>>,
    pub blocks: Blocks,
    pub attestation: Option<Attestation>,
    /// What the admin does about it; `None` if no action is needed.
    pub remediation: Option<&'static str>,
}

/// The report on an org.
#[derive(Debug)]
pub struct Report {
    /// True if no prerequisite blocks the setup.
    pub ready: bool,
    pub items: Vec<Prerequisite>,
}

pub(in crate::service) fn report(record: &IntegrationRecord) -> Report {
    let items: Vec<Prerequisite> =
        PrerequisiteKind::VARIANTS.iter().map(|kind| prerequisite(record, *kind)).collect();
    let ready = record.credentials.is_some() && record.failed(Blocks::Setup).next().is_none();
    Report { ready, items }
}

fn prerequisite(record: &IntegrationRecord, kind: PrerequisiteKind) -> Prerequisite {
    let finding = record.finding(kind);
    let outcome = record.outcome(kind);
    let reason = match outcome {
        Outcome::Failed | Outcome::Unknown => Some(reason_or_default(record, kind)),
        _ => finding.and_then(|finding| finding.reason),
    };
    Prerequisite {
        kind,
        outcome,
        remediation: remediation(kind, outcome, reason),
        reason,
        evidence: finding.map_or_else(|| json!({}), |finding| finding.evidence.clone()),
        checked_at: finding.map(|finding| finding.checked_at),
        blocks: kind.blocks(),
        attestation: record.attestation(kind).cloned(),
    }
}

fn reason_or_default(record: &IntegrationRecord, kind: PrerequisiteKind) -> FindingReason {
    let found = record.finding(kind).and_then(|finding| finding.reason);
    let default = match kind {
        PrerequisiteKind::AdaptiveMfa => FindingReason::NoApiTells,
        PrerequisiteKind::OktaVerifyDistribution => FindingReason::KnownToTheMdmOnly,
        _ if record.credentials.is_none() => FindingReason::NoCredentials,
        _ => FindingReason::NotChecked,
    };
    found.unwrap_or(default)
}

/// Returns what the admin does about a prerequisite.
fn remediation(
    kind: PrerequisiteKind,
    outcome: Outcome,
    reason: Option<FindingReason>,
) -> Option<&'static str> {
    use PrerequisiteKind::{
        AdaptiveMfa, Fastpass, IdentityEngine, OktaVerifyDistribution, SuperAdminScopes,
    };
    if !matches!(outcome, Outcome::Failed | Outcome::Unknown) {
        return None;
    }
    Some(match (kind, reason) {
        (_, Some(FindingReason::NoCredentials)) => {
            "Enter the client ID and the client secret. This prerequisite is then checked automatically."
        }
        (_, Some(reason)) if reason.is_no_answer() => {
            "Okta did not answer the last check. Check again in a few minutes."
        }
        (IdentityEngine, Some(FindingReason::ClassicEngine)) => {
            "This org runs on Okta Classic Engine, which does not support device trust. Ask Okta to upgrade it to Okta Identity Engine."
        }
        (IdentityEngine, _) => {
            "Okta did not report which engine this org runs on. Check again. If this persists, contact Okta support."
        }
        (SuperAdminScopes, Some(FindingReason::InvalidClient)) => {
            "Okta rejected the client. In the Okta Admin Console under Applications > API Service Integrations, open the integration, click Generate new secret, and enter the new client secret here."
        }
        (SuperAdminScopes, Some(FindingReason::WrongClientType)) => {
            "This client is a custom app that authenticates with a private key, so Okta accepts no client secret from it. Install the API service integration from Okta's app catalog, or change these credentials to a custom service app."
        }
        (SuperAdminScopes, Some(FindingReason::NetworkZoneBlocked)) => {
            "Okta does not allow requests from the address of this service. In the Okta Admin Console under Security > Networks, remove the address from the blocked zones, or add it to the zones that the client may use."
        }
        (SuperAdminScopes, Some(FindingReason::KeyRefused)) => {
            "Okta rejected the key of the service app. In Okta, open the service app and check that it is active and has the public key shown here. Otherwise create a new key pair."
        }
        (SuperAdminScopes, _) => {
            "The client lacks scopes. Sign in to Okta as a super admin, authorize the API service integration again with all scopes, then check again."
        }
        (Fastpass, Some(FindingReason::MissingScopes)) if outcome == Outcome::Unknown => {
            "FastPass cannot be checked without the scope okta.authenticators.read. Grant it to the API service integration in Okta, then check again."
        }
        (Fastpass, Some(FindingReason::ClassicEngine)) => {
            "Okta Classic Engine has no FastPass. Upgrade the org to Okta Identity Engine first."
        }
        (Fastpass, _) if outcome == Outcome::Unknown => {
            "Okta did not show whether FastPass is on. If the prerequisite super_admin_scopes failed, fix it first. Otherwise check that the client has an Okta admin role that can read authenticators. Then check again."
        }
        (Fastpass, Some(FindingReason::OktaVerifyInactive)) => {
            "Okta Verify is not active. In the Okta Admin Console under Security > Authenticators, add Okta Verify and select Okta FastPass (All platforms). Then check again."
        }
        (Fastpass, _) => {
            "Okta FastPass is off. In the Okta Admin Console under Security > Authenticators, edit Okta Verify and select Okta FastPass (All platforms). If Okta lists FastPass as its own authenticator, activate that one. Then check again."
        }
        (AdaptiveMfa, _) => {
            "Okta has no API that shows whether the org has Adaptive MFA. Open Security > Device integrations in the Okta Admin Console. If it offers Add platform, the org has Adaptive MFA: confirm it here."
        }
        (OktaVerifyDistribution, _) => {
            "In the MDM, assign Okta Verify to the devices through Apple's Apps and Books. Then confirm it here."
        }
    })
}
