//! Why Okta did not give what was asked. Carries the facts that a caller needs to say what to do
//! next, and never a secret, a token or a whole body.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

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
    InvalidClient { message: String },
    /// `invalid_client` for a client that has to sign in with a key (`private_key_jwt`): a customer's
    /// own service app, whose secret is never accepted.
    #[error("okta accepts no client secret from this kind of client")]
    WrongClientType { message: String },
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
    /// The client may be used from named network zones only, or a zone blocks this service's address.
    #[error("okta does not admit requests from this address")]
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
    /// 401 where a challenge was asked for, also for a wrong user name.
    #[error("okta refused the SCEP user name or password")]
    ScepCredentialsRefused,
    /// Something answers there, but not what the URL is for.
    #[error("the {endpoint} answers with status {status}")]
    ScepWrongUrl { endpoint: ScepEndpoint, status: u16 },
    /// Too many challenges are waiting to be used; those that expire make room.
    #[error("okta holds as many unused SCEP challenges as it can")]
    ChallengeCacheFull,
    #[error("the SCEP user has no permission to fetch challenges")]
    ScepPermissionMissing,
    /// A 200 that shows no challenge to take. Never carries text of the page.
    #[error("the challenge URL gives no usable challenge: {what}")]
    ScepChallengeMissing { what: &'static str },
    #[error("the SCEP URL gives no CA certificate: {what}")]
    ScepCaUnreadable { what: &'static str },
}

/// Which of the two addresses of a SCEP integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScepEndpoint {
    /// Gives one-time challenges.
    ChallengeUrl,
    /// The CA itself.
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
    pub fn bad_answer(what: impl Into<String>) -> Self {
        Self::BadAnswer { what: what.into() }
    }

    /// Okta's own words about the refusal, already sanitised.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        let message = match self {
            Self::InvalidClient { message } | Self::WrongClientType { message } => message,
            Self::Refused { summary, .. } => summary,
            _ => return None,
        };
        (!message.is_empty()).then_some(message)
    }

    /// Drops Okta's words where they quote `secret`: they are logged and answered.
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

/// Okta's words, fit for a log line and an answer: at most 200 characters, without control characters
/// and those that hide or reorder others.
pub(super) fn clean(text: &str) -> String {
    clean_to(MAX_TEXT_LEN, text)
}

/// A name of Okta's, such as a scope or a status, fit to be stored: PostgreSQL takes no NUL.
pub(super) fn clean_name(text: &str) -> String {
    clean_to(MAX_NAME_LEN, text)
}

fn clean_to(most: usize, text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).take(most).collect()
}

/// Zero-width characters and marks of direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
