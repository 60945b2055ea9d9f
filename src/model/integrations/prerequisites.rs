//! What an org must have before device trust can work, and how sure we are of each.
//! The rules are contract §2 and facts §4; a guess is never reported as passed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::Actor;

/// One thing that the org must have.
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

    /// What no API can tell, and a person may therefore confirm.
    pub fn can_be_attested(self) -> bool {
        matches!(self, Self::AdaptiveMfa | Self::OktaVerifyDistribution)
    }

    /// What a failure of it stops.
    pub fn blocks(self) -> Blocks {
        match self {
            Self::IdentityEngine | Self::SuperAdminScopes => Blocks::Setup,
            Self::Fastpass => Blocks::Active,
            Self::AdaptiveMfa | Self::OktaVerifyDistribution => Blocks::Nothing,
        }
    }
}

/// What a failed prerequisite stops: the setup itself, the status `active`, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Blocks {
    Setup,
    Active,
    Nothing,
}

/// How a prerequisite stands, strongest first.
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
    /// Okta showed it.
    Passed,
    /// Okta showed that it is missing.
    Failed,
    /// It follows from something that worked.
    Inferred,
    /// A person or the MDM confirmed it.
    Attested,
    /// We cannot tell; `reason` says why.
    Unknown,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What one check found: kept in the store, replaced by the next check.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub kind: PrerequisiteKind,
    pub outcome: Outcome,
    /// Why it is not `passed`: a stable word, such as `missing_scopes` or `fastpass_inactive`.
    pub reason: Option<String>,
    /// What Okta showed, as facts: never a secret.
    pub evidence: serde_json::Value,
    pub checked_at: DateTime<Utc>,
}

impl Finding {
    pub fn new(kind: PrerequisiteKind, outcome: Outcome, now: DateTime<Utc>) -> Self {
        Self { kind, outcome, reason: None, evidence: serde_json::json!({}), checked_at: now }
    }

    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    #[must_use]
    pub fn seen(mut self, evidence: serde_json::Value) -> Self {
        self.evidence = evidence;
        self
    }
}

/// "We confirm it", said by an admin or by the MDM.
#[derive(Debug, Clone, PartialEq)]
pub struct Attestation {
    pub kind: PrerequisiteKind,
    pub attested: bool,
    pub note: Option<String>,
    pub actor: Actor,
    pub at: DateTime<Utc>,
}

/// How a prerequisite stands when all that is known of it is weighed.
///
/// `passed`/`failed` > `inferred` > `attested` > `unknown` (contract §2).
pub fn weigh(finding: Option<&Finding>, attestation: Option<&Attestation>) -> Outcome {
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
    fn an_attestation_only_fills_what_nothing_else_could_tell() {
        use Outcome::{Attested, Failed, Inferred, Passed, Unknown};
        let confirmed = attestation(true);
        for (found, expected) in
            [(Passed, Passed), (Failed, Failed), (Inferred, Inferred), (Unknown, Attested)]
        {
            let finding = Finding::new(PrerequisiteKind::AdaptiveMfa, found, Utc::now());
            assert_eq!(weigh(Some(&finding), Some(&confirmed)), expected);
        }
        assert_eq!(weigh(None, Some(&confirmed)), Attested);
        assert_eq!(
            weigh(None, Some(&attestation(false))),
            Unknown,
            "a withdrawn one counts for nothing"
        );
        assert_eq!(weigh(None, None), Unknown);
    }
}
