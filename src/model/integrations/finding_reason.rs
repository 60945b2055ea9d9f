//! Why a prerequisite is not `passed`.

/// Why a prerequisite stands as it does: the stable word that API answers and the store carry.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum FindingReason {
    // The org, as its well-known document shows it.
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
    // What Adaptive MFA is inferred from.
    ScepChallengeIssued,
    ManagedUserSeen,
    // Okta could not be asked.
    OrgNotFound,
    OktaUnreachable,
    OktaRateLimited,
    OktaBadAnswer,
    // Nothing was found yet.
    NoApiTells,
    KnownToTheMdmOnly,
    NoCredentials,
    NotChecked,
}

impl FindingReason {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// True when Okta could not be asked: the check is to be repeated.
    pub fn is_no_answer(self) -> bool {
        matches!(self, Self::OktaUnreachable | Self::OktaRateLimited | Self::OktaBadAnswer)
    }
}
