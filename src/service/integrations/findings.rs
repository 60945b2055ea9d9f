//! Derives findings about prerequisites from Okta's answers.

use std::collections::BTreeSet;

use chrono::Utc;
use serde_json::json;

use crate::model::{Finding, FindingReason, Org, Outcome, PrerequisiteKind, integrations::Engine};
use crate::okta::{FastPass, OktaError, ProvedGrant, REQUIRED_SCOPES};

/// Whether the org runs on Identity Engine, from the `pipeline` of its well-known document.
pub(super) fn engine_finding(org: &Org) -> Finding {
    let kind = PrerequisiteKind::IdentityEngine;
    let now = Utc::now();
    let finding = match org.engine {
        Engine::IdentityEngine => Finding::new(kind, Outcome::Passed, now),
        Engine::Classic => {
            Finding::new(kind, Outcome::Failed, now).with_reason(FindingReason::ClassicEngine)
        }
        Engine::Other => {
            Finding::new(kind, Outcome::Unknown, now).with_reason(FindingReason::PipelineUnknown)
        }
    };
    finding.with_evidence(
        json!({ "org_id": org.id, "host": org.canonical_host, "engine": org.engine }),
    )
}

/// Whether all scopes are granted, which only a super admin can do.
pub(super) fn scopes_finding(grant: &ProvedGrant) -> Finding {
    let kind = PrerequisiteKind::SuperAdminScopes;
    let evidence = json!({ "granted": grant.granted, "missing": grant.missing });
    if grant.missing.is_empty() {
        Finding::new(kind, Outcome::Passed, Utc::now()).with_evidence(evidence)
    } else {
        Finding::new(kind, Outcome::Failed, Utc::now())
            .with_reason(FindingReason::MissingScopes)
            .with_evidence(evidence)
    }
}

/// The findings for a refused client: it has no scopes, and `FastPass` cannot be checked.
pub(super) fn refusal_findings(refusal: &OktaError) -> Vec<Finding> {
    let missing: BTreeSet<&str> = match refusal {
        OktaError::MissingScopes(missing) => missing.iter().map(String::as_str).collect(),
        OktaError::ConsentRequired => REQUIRED_SCOPES.into_iter().collect(),
        _ => BTreeSet::new(),
    };
    let scopes = Finding::new(PrerequisiteKind::SuperAdminScopes, Outcome::Failed, Utc::now())
        .with_reason(to_reason(refusal))
        .with_evidence(json!({ "missing": missing }));
    let fastpass = Finding::new(PrerequisiteKind::Fastpass, Outcome::Unknown, Utc::now())
        .with_reason(to_reason(refusal));
    vec![scopes, fastpass]
}

/// Whether `FastPass` is on: Okta Verify and its method `signed_nonce` are active, or the authenticator
/// `okta_verify_fastpass` is.
pub(super) fn fastpass_finding(seen: Result<FastPass, OktaError>) -> Finding {
    let finding = |outcome| Finding::new(PrerequisiteKind::Fastpass, outcome, Utc::now());
    match seen {
        Ok(seen) => {
            let evidence = json!({
                "okta_verify": seen.okta_verify,
                "signed_nonce": seen.signed_nonce,
                "okta_verify_fastpass": seen.okta_verify_fastpass,
            });
            let is_there = seen.okta_verify.as_deref() == Some("ACTIVE")
                || seen.okta_verify_fastpass.is_some();
            match (seen.is_on(), is_there) {
                (true, _) => finding(Outcome::Passed),
                (false, true) => {
                    finding(Outcome::Failed).with_reason(FindingReason::FastpassInactive)
                }
                (false, false) => {
                    finding(Outcome::Failed).with_reason(FindingReason::OktaVerifyInactive)
                }
            }
            .with_evidence(evidence)
        }
        Err(OktaError::InsufficientScope { scope }) => finding(Outcome::Unknown)
            .with_reason(FindingReason::MissingScopes)
            .with_evidence(json!({ "scope": scope })),
        Err(error) => finding(Outcome::Unknown).with_reason(to_reason(&error)),
    }
}

/// Returns the reason for a failed request to Okta.
fn to_reason(error: &OktaError) -> FindingReason {
    match error {
        OktaError::OrgNotFound { .. } => FindingReason::OrgNotFound,
        OktaError::Unreachable { .. } | OktaError::TemporarilyUnavailable => {
            FindingReason::OktaUnreachable
        }
        OktaError::RateLimited { .. } => FindingReason::OktaRateLimited,
        OktaError::InvalidClient { .. } => FindingReason::InvalidClient,
        OktaError::WrongClientType { .. } => FindingReason::WrongClientType,
        // All of these have the same remedy: grant the scopes.
        OktaError::MissingScopes(_)
        | OktaError::ConsentRequired
        | OktaError::InvalidScope
        | OktaError::InsufficientScope { .. } => FindingReason::MissingScopes,
        OktaError::KeyRefused { .. } => FindingReason::KeyRefused,
        OktaError::ClockSkew { .. } => FindingReason::ClockSkew,
        OktaError::NetworkZoneBlocked => FindingReason::NetworkZoneBlocked,
        OktaError::FeatureNotEnabled => FindingReason::FeatureNotEnabled,
        OktaError::AdminRoleMissing => FindingReason::AdminRoleMissing,
        OktaError::Refused { .. } => FindingReason::OktaRefused,
        OktaError::TokenExpired
        | OktaError::NotFound
        | OktaError::BadAnswer { .. }
        | OktaError::Signing(_)
        // SCEP errors do not occur here: no prerequisite is checked with the SCEP endpoints.
        | OktaError::ScepCredentialsRefused
        | OktaError::ScepWrongUrl { .. }
        | OktaError::ChallengeCacheFull
        | OktaError::ScepPermissionMissing
        | OktaError::ScepChallengeMissing { .. }
        | OktaError::ScepCaUnreadable { .. } => FindingReason::OktaBadAnswer,
    }
}

/// Returns true if Okta did not answer. Such a finding says nothing about the org.
pub(super) fn is_unanswered(finding: &Finding) -> bool {
    finding.outcome == Outcome::Unknown && finding.reason.is_some_and(FindingReason::is_no_answer)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reasons_are_the_codes_of_the_api() {
        let refused =
            OktaError::Refused { status: 400, error_code: "E1".into(), summary: "no".into() };
        for error in [
            OktaError::OrgNotFound { host: "acme.okta.com".into() },
            OktaError::TemporarilyUnavailable,
            OktaError::RateLimited { retry_after: Duration::ZERO },
            OktaError::InvalidClient { message: String::new() },
            OktaError::WrongClientType { message: String::new() },
            OktaError::MissingScopes(Vec::new()),
            OktaError::ConsentRequired,
            OktaError::InvalidScope,
            OktaError::InsufficientScope { scope: None },
            OktaError::KeyRefused { message: String::new() },
            OktaError::ClockSkew { seconds: 90 },
            OktaError::NetworkZoneBlocked,
            OktaError::FeatureNotEnabled,
            OktaError::AdminRoleMissing,
            OktaError::TokenExpired,
            OktaError::NotFound,
            OktaError::BadAnswer { what: "html".into() },
            refused,
        ] {
            assert_eq!(to_reason(&error).as_str(), error.code());
        }
    }
}
