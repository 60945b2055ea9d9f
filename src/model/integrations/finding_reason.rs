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
    DpopRequired,
    NetworkZoneBlocked,
    AdminRoleMissing,
    FeatureNotEnabled,
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
        matches!(self, Self::OktaUnreachable | Self::OktaRateLimited | Self::OktaBadAnswer)
    }
}
