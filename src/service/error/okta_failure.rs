//! Failed requests to Okta, as callers of the service see them.

use std::time::Duration;

use crate::okta::{OktaError, REQUIRED_SCOPES};

/// A failed request to Okta. It displays as the Okta client's description, which never holds a secret.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OktaFailure(OktaError);

/// The kind of a failed request to Okta, with the data for the problem document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OktaFailureKind {
    OrgNotFound {
        host: String,
    },
    Unreachable,
    RateLimited {
        retry_after: Duration,
    },
    InvalidClient,
    /// The client authenticates with a private key, so Okta accepts no secret for it.
    WrongClientType,
    /// Okta issued a token without these scopes.
    MissingScopes(Vec<String>),
    /// Okta refused the call for missing scopes: the scopes to grant, empty if Okta named none.
    ScopesRefused(Vec<String>),
    KeyRefused,
    /// The clock of this service differs from Okta's by this many seconds; positive if it is behind.
    ClockSkew {
        seconds: i64,
    },
    NetworkZoneBlocked,
    FeatureNotEnabled,
    AdminRoleMissing,
    BadAnswer,
    Refused,
    ScepCredentialsRefused,
    ScepPermissionMissing,
    ScepWrongUrl,
    ScepChallengeMissing,
    ScepCaUnreadable,
    ChallengeCacheFull,
}

impl OktaFailure {
    pub fn kind(&self) -> OktaFailureKind {
        use OktaFailureKind as Kind;
        match &self.0 {
            OktaError::OrgNotFound { host } => Kind::OrgNotFound { host: host.clone() },
            OktaError::Unreachable { .. } | OktaError::TemporarilyUnavailable => Kind::Unreachable,
            OktaError::RateLimited { retry_after } => {
                Kind::RateLimited { retry_after: *retry_after }
            }
            OktaError::InvalidClient { .. } => Kind::InvalidClient,
            OktaError::WrongClientType { .. } => Kind::WrongClientType,
            OktaError::MissingScopes(missing) => Kind::MissingScopes(missing.clone()),
            OktaError::ConsentRequired | OktaError::InvalidScope => {
                Kind::ScopesRefused(REQUIRED_SCOPES.map(str::to_owned).to_vec())
            }
            OktaError::InsufficientScope { scope } => {
                Kind::ScopesRefused(scope.iter().cloned().collect())
            }
            OktaError::KeyRefused { .. } => Kind::KeyRefused,
            OktaError::ClockSkew { seconds } => Kind::ClockSkew { seconds: *seconds },
            OktaError::NetworkZoneBlocked => Kind::NetworkZoneBlocked,
            OktaError::FeatureNotEnabled => Kind::FeatureNotEnabled,
            OktaError::AdminRoleMissing => Kind::AdminRoleMissing,
            OktaError::TokenExpired
            | OktaError::NotFound
            | OktaError::BadAnswer { .. }
            | OktaError::Signing(_) => Kind::BadAnswer,
            OktaError::Refused { .. } => Kind::Refused,
            OktaError::ScepCredentialsRefused => Kind::ScepCredentialsRefused,
            OktaError::ScepPermissionMissing => Kind::ScepPermissionMissing,
            OktaError::ScepWrongUrl { .. } => Kind::ScepWrongUrl,
            OktaError::ScepChallengeMissing { .. } => Kind::ScepChallengeMissing,
            OktaError::ScepCaUnreadable { .. } => Kind::ScepCaUnreadable,
            OktaError::ChallengeCacheFull => Kind::ChallengeCacheFull,
        }
    }

    /// Returns Okta's own error message, sanitized.
    pub fn message(&self) -> Option<&str> {
        self.0.message()
    }

    /// Returns true if the same request may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        self.0.is_transient()
    }

    /// Returns the Okta client's error, for decisions inside the service.
    pub(in crate::service) fn cause(&self) -> &OktaError {
        &self.0
    }
}

impl From<OktaError> for OktaFailure {
    fn from(error: OktaError) -> Self {
        Self(error)
    }
}
