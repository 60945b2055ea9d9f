//! Classification of errors: transient or not, refusal or not, and the stable code.

use super::{OktaError, UnreachableReason};

impl OktaError {
    /// Returns whether the same request may succeed later without any change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use UnreachableReason::{CertificateNotTrusted, NotAllowed};
        match self {
            Self::Unreachable { reason, .. } => {
                !matches!(reason, CertificateNotTrusted | NotAllowed)
            }
            Self::RateLimited { .. }
            | Self::TemporarilyUnavailable
            | Self::TokenExpired
            | Self::ClockSkew { .. }
            | Self::ChallengeCacheFull => true,
            _ => false,
        }
    }

    /// Returns whether Okta refused the request, which says something about the client or the org. False
    /// if Okta could not be reached or its response was unexpected.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let not_understood = matches!(
            self,
            Self::BadAnswer { .. }
                | Self::Signing(_)
                | Self::ScepChallengeMissing { .. }
                | Self::ScepCaUnreadable { .. }
        );
        let not_asked = matches!(self, Self::Unreachable { .. });
        !not_asked && !not_understood && !self.is_transient()
    }

    /// Returns whether Okta no longer knows the cursor of a list.
    #[must_use]
    pub fn is_dead_cursor(&self) -> bool {
        matches!(self, Self::Refused { status: 400, error_code, .. } if error_code == "E0000031")
    }

    /// Returns the stable code for API responses and findings.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OrgNotFound { .. } => "org_not_found",
            Self::Unreachable { .. } | Self::TemporarilyUnavailable => "okta_unreachable",
            Self::RateLimited { .. } => "okta_rate_limited",
            Self::InvalidClient { .. } => "invalid_client",
            Self::WrongClientType { .. } => "wrong_client_type",
            // All of these have the same remedy: grant the scopes.
            Self::MissingScopes(_)
            | Self::ConsentRequired
            | Self::InvalidScope
            | Self::InsufficientScope { .. } => "missing_scopes",
            Self::KeyRefused { .. } => "key_refused",
            Self::ClockSkew { .. } => "clock_skew",
            Self::NetworkZoneBlocked => "network_zone_blocked",
            Self::FeatureNotEnabled => "feature_not_enabled",
            Self::AdminRoleMissing => "admin_role_missing",
            Self::TokenExpired | Self::NotFound | Self::BadAnswer { .. } | Self::Signing(_) => {
                "okta_bad_answer"
            }
            Self::Refused { .. } => "okta_refused",
            Self::ScepCredentialsRefused => "scep_credentials_refused",
            Self::ScepWrongUrl { .. } => "scep_wrong_url",
            Self::ChallengeCacheFull => "challenge_cache_full",
            Self::ScepPermissionMissing => "scep_permission_missing",
            Self::ScepChallengeMissing { .. } => "scep_challenge_missing",
            Self::ScepCaUnreadable { .. } => "scep_ca_unreadable",
        }
    }
}
