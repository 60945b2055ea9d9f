//! Why a prerequisite is not `passed`.

/// The reason for the outcome of a prerequisite: a stable code in the API and in the database.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum FindingReason {
    // From the well-known document of the org.
    ClassicEngine,
    PipelineUnknown,
    // The client and its scopes.
    MissingScopes,
    InvalidClient,
    WrongClientType,
    KeyRefused,
    NetworkZoneBlocked,
    AdminRoleMissing,
    FeatureNotEnabled,
    // Releases that did not support DPoP stored `dpop_required`.
    #[strum(to_string = "okta_refused", serialize = "dpop_required")]
    OktaRefused,
    // `FastPass`.
    FastpassInactive,
    OktaVerifyInactive,
    // Adaptive MFA is inferred from these.
    ScepChallengeIssued,
    ManagedUserSeen,
    // Okta did not answer.
    OrgNotFound,
    OktaUnreachable,
    OktaRateLimited,
    OktaBadAnswer,
    ClockSkew,
    // Nothing is known yet.
    NoApiTells,
    KnownToTheMdmOnly,
    NoCredentials,
    NotChecked,
}

impl FindingReason {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns whether Okta did not answer, so that the check should be repeated.
    pub fn is_no_answer(self) -> bool {
        matches!(
            self,
            Self::OktaUnreachable | Self::OktaRateLimited | Self::OktaBadAnswer | Self::ClockSkew
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_an_earlier_release_is_still_readable() {
        assert_eq!("dpop_required".parse(), Ok(FindingReason::OktaRefused));
        assert_eq!(FindingReason::OktaRefused.as_str(), "okta_refused");
    }
}
