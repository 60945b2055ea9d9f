//! The prerequisites that an org must meet before device trust works, and the evidence for each.
//! `passed` requires proof from Okta; anything weaker is `inferred`, `attested` or `unknown`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::Actor;
use crate::model::integrations::finding_reason::FindingReason;

/// A prerequisite of the org.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PrerequisiteKind {
    IdentityEngine,
    SuperAdminScopes,
    Fastpass,
    AdaptiveMfa,
    OktaVerifyDistribution,
}

impl PrerequisiteKind {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns whether an admin may confirm it, because no Okta API exposes it.
    pub fn can_be_attested(self) -> bool {
        matches!(self, Self::AdaptiveMfa | Self::OktaVerifyDistribution)
    }

    /// Returns what a failure of this prerequisite blocks.
    pub fn blocks(self) -> Blocks {
        match self {
            Self::IdentityEngine | Self::SuperAdminScopes => Blocks::Setup,
            Self::Fastpass => Blocks::Active,
            Self::AdaptiveMfa | Self::OktaVerifyDistribution => Blocks::Nothing,
        }
    }
}

/// What a failed prerequisite blocks: the setup itself, the status `active`, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Blocks {
    Setup,
    Active,
    Nothing,
}

/// The state of a prerequisite, strongest evidence first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// Okta confirmed it.
    Passed,
    /// Okta confirmed that it is not met.
    Failed,
    /// It follows from an operation that succeeded.
    Inferred,
    /// An admin or the MDM confirmed it.
    Attested,
    /// The service cannot determine it; `reason` says why.
    Unknown,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The stored result of the last check of one prerequisite.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub kind: PrerequisiteKind,
    pub outcome: Outcome,
    /// Why it is not `passed`; `None` also for a reason that only a later release knows.
    pub reason: Option<FindingReason>,
    /// What the service read from Okta; never a secret.
    pub evidence: serde_json::Value,
    pub checked_at: DateTime<Utc>,
}

impl Finding {
    pub fn new(kind: PrerequisiteKind, outcome: Outcome, now: DateTime<Utc>) -> Self {
        Self { kind, outcome, reason: None, evidence: serde_json::json!({}), checked_at: now }
    }

    #[must_use]
    pub fn with_reason(mut self, reason: FindingReason) -> Self {
        self.reason = Some(reason);
        self
    }

    #[must_use]
    pub fn with_evidence(mut self, evidence: serde_json::Value) -> Self {
        self.evidence = evidence;
        self
    }
}

/// A confirmation by an admin or the MDM.
#[derive(Debug, Clone, PartialEq)]
pub struct Attestation {
    pub kind: PrerequisiteKind,
    pub attested: bool,
    pub note: Option<String>,
    pub actor: Actor,
    pub at: DateTime<Utc>,
}

/// Returns the effective outcome of a prerequisite from its finding and its attestation.
///
/// Precedence: `passed` or `failed`, then `inferred`, `attested`, `unknown`.
pub fn effective_outcome(finding: Option<&Finding>, attestation: Option<&Attestation>) -> Outcome {
    let found = finding.map_or(Outcome::Unknown, |f| f.outcome);
    match (found, attestation) {
        (Outcome::Unknown, Some(a)) if a.attested => Outcome::Attested,
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attestation(attested: bool) -> Attestation {
        let actor = Actor { iss: "i".into(), sub: "s".into(), azp: None };
        let kind = PrerequisiteKind::AdaptiveMfa;
        Attestation { kind, attested, note: None, actor, at: Utc::now() }
    }

    #[test]
    fn attestation_applies_only_if_the_finding_is_unknown() {
        use Outcome::{Attested, Failed, Inferred, Passed, Unknown};
        let confirmed = attestation(true);
        for (found, expected) in
            [(Passed, Passed), (Failed, Failed), (Inferred, Inferred), (Unknown, Attested)]
        {
            let finding = Finding::new(PrerequisiteKind::AdaptiveMfa, found, Utc::now());
            assert_eq!(effective_outcome(Some(&finding), Some(&confirmed)), expected);
        }
        assert_eq!(effective_outcome(None, Some(&confirmed)), Attested);
        assert_eq!(
            effective_outcome(None, Some(&attestation(false))),
            Unknown,
            "a withdrawn attestation has no effect"
        );
        assert_eq!(effective_outcome(None, None), Unknown);
    }
}
