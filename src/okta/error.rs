//! Why Okta did not give what was asked. Carries the facts that a caller needs to say what to do
//! next, and never a secret, a token or a whole body.

use std::sync::Arc;
use std::time::Duration;

use crate::egress::EgressError;

/// The longest text of Okta's that is kept, in characters.
const MAX_TEXT_LEN: usize = 200;

/// The same for a name.
const MAX_NAME_LEN: usize = 64;

/// A refusal by Okta, or no answer. Cheap to clone, so that all who waited for one token request
/// learn the same outcome.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OktaError {
    /// What answered there is not an Okta org; every other answer looks the same (contract §2).
    #[error("no Okta org was found at {host}")]
    OrgNotFound { host: String },
    /// No answer, or an answer that only says that the server is in trouble.
    #[error("okta is unreachable: {reason}")]
    Unreachable {
        reason: UnreachableReason,
        #[source]
        source: Option<Arc<EgressError>>,
    },
    /// Asking again before `retry_after` is of no use; jitter is already in it.
    #[error("okta's rate limit is used up for {} s", retry_after.as_secs())]
    RateLimited { retry_after: Duration },
    /// Wrong id or secret, or a client that was revoked: Okta does not tell them apart.
    #[error("okta refused the client id or the client secret")]
    InvalidClient,
    /// Scopes that were asked for and not granted.
    #[error("scopes were not granted: {}", .0.join(" "))]
    MissingScopes(Vec<String>),
    /// None of the scopes that were asked for is granted.
    #[error("no scope was granted to the client")]
    ConsentRequired,
    /// The org does not know a scope that was asked for.
    #[error("okta does not know a requested scope")]
    InvalidScope,
    /// The client is set to demand proof of possession (RFC 9449), which this client does not send.
    #[error("the client demands DPoP")]
    DpopRequired,
    /// The client may be used from named network zones only.
    #[error("the request came from outside the client's permitted network zones")]
    NetworkZoneBlocked,
    #[error("okta's token service is temporarily unavailable")]
    TemporarilyUnavailable,
    /// 401 `E0000011`: the token died before its time.
    #[error("the access token is no longer valid")]
    TokenExpired,
    /// 401 `E0000015`: the org lacks the feature; the token is fine.
    #[error("the org does not have this feature")]
    FeatureNotEnabled,
    /// 403 without a body: the token lacks a scope.
    #[error("the access token lacks a scope: {}", .scope.as_deref().unwrap_or("not named"))]
    InsufficientScope { scope: Option<String> },
    /// 403 `E0000006`: the scope is there, an admin role of the client is not.
    #[error("the client has no admin role that allows this")]
    AdminRoleMissing,
    /// 404 `E0000007`, said by Okta itself and not by something in between.
    #[error("okta has no such object")]
    NotFound,
    /// An answer that Okta does not give, such as HTML, a redirect or missing fields.
    #[error("okta's answer was not understood: {what}")]
    BadAnswer { what: String },
    /// Any other refusal, in Okta's own words.
    #[error("okta refused with status {status} {error_code}: {summary}")]
    Refused { status: u16, error_code: String, summary: String },
}

/// In which way Okta could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreachableReason {
    /// The name could not be looked up, or has no address.
    Dns,
    Connect,
    TimedOut,
    Interrupted,
    Tls,
    /// The certificate is not of a trusted root or not for this host; trying again will not help.
    CertificateNotTrusted,
    /// The egress policy refuses the address; trying again will not help.
    NotAllowed,
    /// A 5xx status.
    ServerError(u16),
}

impl std::fmt::Display for UnreachableReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns => f.write_str("its name could not be looked up"),
            Self::Connect => f.write_str("no connection came about"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Interrupted => f.write_str("the answer broke off"),
            Self::Tls => f.write_str("the TLS handshake failed"),
            Self::CertificateNotTrusted => f.write_str("its certificate is not trusted"),
            Self::NotAllowed => f.write_str("its address is not allowed"),
            Self::ServerError(status) => write!(f, "it answered with status {status}"),
        }
    }
}

impl OktaError {
    /// True when the same request may well succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use UnreachableReason::{CertificateNotTrusted, NotAllowed};
        match self {
            Self::Unreachable { reason, .. } => {
                !matches!(reason, CertificateNotTrusted | NotAllowed)
            }
            Self::RateLimited { .. } | Self::TemporarilyUnavailable | Self::TokenExpired => true,
            _ => false,
        }
    }

    /// True when Okta has answered and said no: it says something about the client or the org. False
    /// when Okta could not be asked, which says nothing about either.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let not_asked = matches!(self, Self::Unreachable { .. } | Self::BadAnswer { .. });
        !not_asked && !self.is_transient()
    }

    /// The stable code that API answers and findings carry (contract §1).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OrgNotFound { .. } => "org_not_found",
            Self::Unreachable { .. } | Self::TemporarilyUnavailable => "okta_unreachable",
            Self::RateLimited { .. } => "okta_rate_limited",
            Self::InvalidClient => "invalid_client",
            // However Okta says it, the same is to be done: grant the scopes.
            Self::MissingScopes(_)
            | Self::ConsentRequired
            | Self::InvalidScope
            | Self::InsufficientScope { .. } => "missing_scopes",
            Self::DpopRequired => "dpop_required",
            Self::NetworkZoneBlocked => "network_zone_blocked",
            Self::FeatureNotEnabled => "feature_not_enabled",
            Self::AdminRoleMissing => "admin_role_missing",
            Self::TokenExpired | Self::NotFound | Self::BadAnswer { .. } => "okta_bad_answer",
            Self::Refused { .. } => "okta_refused",
        }
    }

    pub(super) fn bad_answer(what: impl Into<String>) -> Self {
        Self::BadAnswer { what: what.into() }
    }

    /// A refusal that has no variant of its own.
    pub(super) fn refused(status: u16, error_code: &str, summary: &str) -> Self {
        Self::Refused { status, error_code: clean(error_code), summary: clean(summary) }
    }
}

impl From<EgressError> for OktaError {
    fn from(error: EgressError) -> Self {
        use UnreachableReason as R;
        let reason = match &error {
            EgressError::BodyTooLarge { limit } => {
                return Self::bad_answer(format!("more than {limit} bytes"));
            }
            EgressError::NameNotFound { .. } | EgressError::LookupFailed { .. } => R::Dns,
            EgressError::TimedOut => R::TimedOut,
            EgressError::Connect { .. } => R::Connect,
            EgressError::CertificateNotTrusted { .. } => R::CertificateNotTrusted,
            EgressError::Tls { .. } => R::Tls,
            EgressError::Interrupted { .. } => R::Interrupted,
            _ => R::NotAllowed,
        };
        Self::Unreachable { reason, source: Some(Arc::new(error)) }
    }
}

/// Okta's words, fit for a log line: no control characters, at most 200 characters.
pub(super) fn clean(text: &str) -> String {
    clean_to(MAX_TEXT_LEN, text)
}

/// A name of Okta's, such as a scope or a status, fit to be stored: PostgreSQL takes no NUL.
pub(super) fn clean_name(text: &str) -> String {
    clean_to(MAX_NAME_LEN, text)
}

fn clean_to(most: usize, text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}
