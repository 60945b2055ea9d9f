//! Errors of requests to Okta. They contain what a caller needs to choose the next step, but no secret,
//! token or body.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::crypto::SealError;
use crate::egress::EgressError;

/// Maximum length of a text from Okta, in characters.
const MAX_TEXT_LEN: usize = 200;

/// Maximum length of a name from Okta, in characters.
const MAX_NAME_LEN: usize = 64;

/// A refusal by Okta, or no response. Cheap to clone, because all callers that wait for one token request
/// get the same error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OktaError {
    /// The host is not an Okta org. All responses that are not Okta's give this error, so that it reveals
    /// nothing about the host.
    #[error("no Okta org was found at {host}")]
    OrgNotFound { host: String },
    /// No response, or a server error.
    #[error("okta is unreachable: {reason}")]
    Unreachable {
        reason: UnreachableReason,
        #[source]
        source: Option<Arc<EgressError>>,
    },
    /// A rate limit is exhausted for `retry_after`, which includes jitter.
    #[error("okta's rate limit is exhausted for {} s", retry_after.as_secs())]
    RateLimited { retry_after: Duration },
    /// Wrong id or secret, or a revoked client. Okta does not distinguish them.
    #[error("okta refused the client id or the client secret")]
    InvalidClient { message: String },
    /// `invalid_client` for a client that requires `private_key_jwt`: a customer's own service app, whose
    /// secret is never accepted.
    #[error("okta accepts no client secret from this kind of client")]
    WrongClientType { message: String },
    /// Requested scopes that were not granted.
    #[error("scopes were not granted: {}", .0.join(" "))]
    MissingScopes(Vec<String>),
    /// None of the requested scopes is granted.
    #[error("no scope was granted to the client")]
    ConsentRequired,
    /// The org does not know a requested scope.
    #[error("okta does not know a requested scope")]
    InvalidScope,
    /// Wrong id, a key that Okta does not have or that was deactivated there, or a revoked client.
    #[error("okta refused the client id or the key")]
    KeyRefused { message: String },
    /// Okta refused a signature, and its clock differs from ours by more than a minute.
    #[error("this service's clock is {} s {} okta's", seconds.abs(), if *seconds > 0 { "behind" } else { "ahead of" })]
    ClockSkew { seconds: i64 },
    /// The request could not be signed, which is a fault of this service.
    #[error("the request to okta could not be signed")]
    Signing(#[from] SealError),
    /// The client is restricted to network zones, or a zone blocks this service's address.
    #[error("okta blocks requests from this address")]
    NetworkZoneBlocked,
    #[error("okta's token service is temporarily unavailable")]
    TemporarilyUnavailable,
    /// 401 `E0000011`: the token was revoked or has expired.
    #[error("the access token is no longer valid")]
    TokenExpired,
    /// 401 `E0000015`: the org lacks the feature; the token is valid.
    #[error("the org does not have this feature")]
    FeatureNotEnabled,
    /// 403 without a body: the token lacks a scope.
    #[error("the access token lacks a scope: {}", .scope.as_deref().unwrap_or("unknown"))]
    InsufficientScope { scope: Option<String> },
    /// 403 `E0000006`: the scope is granted, but the client lacks an admin role.
    #[error("the client has no admin role that allows this")]
    AdminRoleMissing,
    /// 404 with Okta's error code `E0000007`, so not from a proxy.
    #[error("okta has no such object")]
    NotFound,
    /// An unexpected response, such as HTML, a redirect or missing fields.
    #[error("unexpected response from okta: {what}")]
    BadAnswer { what: String },
    /// Any other refusal, with Okta's message.
    #[error("okta refused with status {status} {error_code}: {summary}")]
    Refused { status: u16, error_code: String, summary: String },
    /// 401 from the challenge URL.
    #[error("okta refused the SCEP user name or password")]
    ScepCredentialsRefused,
    /// The URL is not that of the endpoint.
    #[error("the {endpoint} answers with status {status}")]
    ScepWrongUrl { endpoint: ScepEndpoint, status: u16 },
    /// Too many unused challenges. Expired ones are removed.
    #[error("okta's cache of unused SCEP challenges is full")]
    ChallengeCacheFull,
    #[error("the SCEP user has no permission to fetch challenges")]
    ScepPermissionMissing,
    /// A 200 response without a challenge. Contains no text of the page.
    #[error("the challenge URL returned no usable challenge: {what}")]
    ScepChallengeMissing { what: &'static str },
    #[error("the SCEP URL returned no CA certificate: {what}")]
    ScepCaUnreadable { what: &'static str },
}

/// One of the two URLs of a SCEP integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScepEndpoint {
    /// Returns one-time challenges.
    ChallengeUrl,
    /// The CA.
    ScepUrl,
}

impl std::fmt::Display for ScepEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ChallengeUrl => "challenge URL",
            Self::ScepUrl => "SCEP URL",
        })
    }
}

/// Why Okta could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreachableReason {
    /// The host name could not be resolved.
    Dns,
    Connect,
    TimedOut,
    Interrupted,
    Tls,
    /// The certificate is not trusted or is for another host. A retry will not help.
    CertificateNotTrusted,
    /// The egress policy refuses the address. A retry will not help.
    NotAllowed,
    /// A 5xx status.
    ServerError(u16),
}

impl std::fmt::Display for UnreachableReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns => f.write_str("its name could not be resolved"),
            Self::Connect => f.write_str("the connection failed"),
            Self::TimedOut => f.write_str("the request timed out"),
            Self::Interrupted => f.write_str("the connection was interrupted"),
            Self::Tls => f.write_str("the TLS handshake failed"),
            Self::CertificateNotTrusted => f.write_str("its certificate is not trusted"),
            Self::NotAllowed => f.write_str("its address is not allowed"),
            Self::ServerError(status) => write!(f, "it answered with status {status}"),
        }
    }
}

impl OktaError {
    pub fn bad_answer(what: impl Into<String>) -> Self {
        Self::BadAnswer { what: what.into() }
    }

    /// Returns Okta's message about the refusal, sanitized.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        let message = match self {
            Self::InvalidClient { message }
            | Self::WrongClientType { message }
            | Self::KeyRefused { message } => message,
            Self::Refused { summary, .. } => summary,
            _ => return None,
        };
        (!message.is_empty()).then_some(message)
    }

    /// Removes Okta's message if it quotes `secret`, because messages are logged and returned.
    pub(super) fn without(mut self, secret: &SecretString) -> Self {
        let (Self::InvalidClient { message: text }
        | Self::WrongClientType { message: text }
        | Self::Refused { summary: text, .. }) = &mut self
        else {
            return self;
        };
        if text.contains(secret.expose_secret()) {
            text.clear();
        }
        self
    }

    /// Creates a refusal without a specific variant.
    pub(super) fn refused(status: u16, error_code: &str, summary: &str) -> Self {
        Self::Refused { status, error_code: clean(error_code), summary: clean(summary) }
    }
}

impl From<EgressError> for OktaError {
    fn from(error: EgressError) -> Self {
        use UnreachableReason as R;
        let reason = match &error {
            EgressError::BodyTooLarge { limit } => {
                return Self::bad_answer(format!("the response has more than {limit} bytes"));
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

/// Sanitizes a message from Okta for logs and responses: at most 200 characters, without control characters
/// and characters that hide or reorder others.
pub(super) fn clean(text: &str) -> String {
    clean_to(MAX_TEXT_LEN, text)
}

/// Sanitizes a name from Okta, such as a scope or a status, for storage: PostgreSQL accepts no NUL.
pub(super) fn clean_name(text: &str) -> String {
    clean_to(MAX_NAME_LEN, text)
}

fn clean_to(max_chars: usize, text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).take(max_chars).collect()
}

/// Returns whether the character is a zero-width character or a directional mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
