//! The readiness report: each prerequisite with its outcome and what to do about it.

use chrono::{DateTime, Utc};
use serde_json::json;
use strum::VariantArray;

use crate::model::integrations::prerequisites::Blocks;
use crate::model::{Attestation, FindingReason, IntegrationRecord, Outcome, PrerequisiteKind};

/// One line of the report.
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
    /// What to do about it; `None` when there is nothing to do.
    pub remediation: Option<&'static str>,
}

/// The report on an org.
#[derive(Debug)]
pub struct Report {
    /// True when nothing is in the way of going on with the setup.
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
        Outcome::Failed | Outcome::Unknown => Some(reason_of(record, kind)),
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

fn reason_of(record: &IntegrationRecord, kind: PrerequisiteKind) -> FindingReason {
    let found = record.finding(kind).and_then(|finding| finding.reason);
    let not_seen = match kind {
        PrerequisiteKind::AdaptiveMfa => FindingReason::NoApiTells,
        PrerequisiteKind::OktaVerifyDistribution => FindingReason::KnownToTheMdmOnly,
        _ if record.credentials.is_none() => FindingReason::NoCredentials,
        _ => FindingReason::NotChecked,
    };
    found.unwrap_or(not_seen)
}

/// What an admin does about it, in plain words.
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
            "Enter the client ID and the client secret, and the check runs by itself."
        }
        (_, Some(reason)) if reason.is_no_answer() => {
            "Okta did not answer when it was asked. Run the check again in a few minutes."
        }
        (IdentityEngine, Some(FindingReason::ClassicEngine)) => {
            "This org runs on Classic Engine. Ask Okta to upgrade it to Identity Engine: device trust does not exist on Classic."
        }
        (IdentityEngine, _) => {
            "Okta did not say which engine this org runs on. Run the check again, or ask Okta's support."
        }
        (SuperAdminScopes, Some(FindingReason::InvalidClient)) => {
            "Okta no longer accepts the client. In the API service integration generate a new secret and enter it here."
        }
        (SuperAdminScopes, Some(FindingReason::WrongClientType)) => {
            "Okta accepts no client secret from this client: it is an app of your own, which signs in with a key. Install the API service integration from Okta's catalogue, or switch these credentials to an own service app."
        }
        (SuperAdminScopes, Some(FindingReason::NetworkZoneBlocked)) => {
            "Okta does not admit requests from this service's address. In Okta under Security > Networks take it out of the blocked zones, or add it to the zones from which the client may be used."
        }
        (SuperAdminScopes, Some(FindingReason::KeyRefused)) => {
            "Okta no longer accepts the key of the service app. In Okta open the service app and check that it is active and that its public key is the one shown here; otherwise make a new key pair."
        }
        (SuperAdminScopes, _) => {
            "As a super admin, authorize the API service integration in Okta again and grant the scopes that are missing."
        }
        (Fastpass, Some(FindingReason::MissingScopes)) if outcome == Outcome::Unknown => {
            "Grant the scope okta.authenticators.read to the API service integration, then run the check again."
        }
        (Fastpass, Some(FindingReason::ClassicEngine)) => {
            "Classic Engine has no FastPass: the org has to be upgraded first."
        }
        (Fastpass, _) if outcome == Outcome::Unknown => {
            "Whether FastPass is on could not be seen. Mend what the report says of the scopes, then run the check again."
        }
        (Fastpass, Some(FindingReason::OktaVerifyInactive)) => {
            "In Okta under Security > Authenticators add Okta Verify and switch on \"Okta FastPass (All platforms)\"."
        }
        (Fastpass, _) => {
            "In Okta under Security > Authenticators > Okta Verify switch on \"Okta FastPass (All platforms)\". Where Okta lists FastPass as an authenticator of its own, activate that one."
        }
        (AdaptiveMfa, _) => {
            "Okta tells nobody by API whether the org has Adaptive MFA. If Security > Device integrations offers \"Add platform\", it does: confirm it here."
        }
        (OktaVerifyDistribution, _) => {
            "Assign Okta Verify through Apple's Apps and Books to the devices in the MDM, then confirm it here."
        }
    })
}
