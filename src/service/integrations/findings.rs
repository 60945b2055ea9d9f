//! What an answer of Okta's says about a prerequisite.

use std::collections::BTreeSet;

use chrono::Utc;
use serde_json::json;

use crate::model::{Finding, Org, Outcome, PrerequisiteKind, integrations::Engine};
use crate::okta::{FastPass, OktaError, ProvedGrant, REQUIRED_SCOPES};

/// Identity Engine or not, as the org's well-known document says (facts §4).
pub(super) fn engine_finding(org: &Org) -> Finding {
    let kind = PrerequisiteKind::IdentityEngine;
    let now = Utc::now();
    let finding = match org.engine {
        Engine::IdentityEngine => Finding::new(kind, Outcome::Passed, now),
        Engine::Classic => Finding::new(kind, Outcome::Failed, now).with_reason("classic_engine"),
        Engine::Other => Finding::new(kind, Outcome::Unknown, now).with_reason("pipeline_unknown"),
    };
    finding.with_evidence(
        json!({ "org_id": org.id, "host": org.canonical_host, "engine": org.engine }),
    )
}

/// All scopes granted: only a super admin can grant them (facts §4).
pub(super) fn scopes_finding(grant: &ProvedGrant) -> Finding {
    let kind = PrerequisiteKind::SuperAdminScopes;
    let evidence = json!({ "granted": grant.granted, "missing": grant.missing });
    if grant.missing.is_empty() {
        Finding::new(kind, Outcome::Passed, Utc::now()).with_evidence(evidence)
    } else {
        Finding::new(kind, Outcome::Failed, Utc::now())
            .with_reason("missing_scopes")
            .with_evidence(evidence)
    }
}

/// A client that is refused has no scopes; what it would have shown stays unknown.
pub(super) fn refusal_findings(refusal: &OktaError) -> Vec<Finding> {
    let missing: BTreeSet<&str> = match refusal {
        OktaError::MissingScopes(missing) => missing.iter().map(String::as_str).collect(),
        OktaError::ConsentRequired => REQUIRED_SCOPES.into_iter().collect(),
        _ => BTreeSet::new(),
    };
    let scopes = Finding::new(PrerequisiteKind::SuperAdminScopes, Outcome::Failed, Utc::now())
        .with_reason(refusal.code())
        .with_evidence(json!({ "missing": missing }));
    let fastpass = Finding::new(PrerequisiteKind::Fastpass, Outcome::Unknown, Utc::now())
        .with_reason(refusal.code());
    vec![scopes, fastpass]
}

/// `FastPass` is on when Okta Verify and its method `signed_nonce` are active, or the authenticator
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
                (false, true) => finding(Outcome::Failed).with_reason("fastpass_inactive"),
                (false, false) => finding(Outcome::Failed).with_reason("okta_verify_inactive"),
            }
            .with_evidence(evidence)
        }
        Err(OktaError::InsufficientScope { scope }) => finding(Outcome::Unknown)
            .with_reason("missing_scopes")
            .with_evidence(json!({ "scope": scope })),
        Err(error) => finding(Outcome::Unknown).with_reason(error.code()),
    }
}

/// Whether Okta could not be asked: such a finding says nothing about the org.
pub(super) fn is_unanswered(finding: &Finding) -> bool {
    let reason = finding.reason.as_deref();
    finding.outcome == Outcome::Unknown
        && matches!(reason, Some("okta_unreachable" | "okta_rate_limited" | "okta_bad_answer"))
}
