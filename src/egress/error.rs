//! Errors of the egress client. They contain no URL, because a query may contain a secret.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;

/// Why a request got no response. A response with any status is not an error here.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The tenant policy allows https only, the operator policy also http.
    #[error("the scheme `{scheme}` is not allowed")]
    SchemeNotAllowed { scheme: String },
    #[error("the port {port} is not allowed")]
    PortNotAllowed { port: u16 },
    #[error("a user name or password in the URL is not allowed")]
    UserinfoNotAllowed,
    /// An IP literal in any spelling (`127.1`, `0x7f.1`, `[::1]`): tenant hosts are names.
    #[error("an IP address instead of a host name is not allowed")]
    IpAddressNotAllowed,
    #[error("the host {host} is not allowed for this request")]
    HostNotAllowed { host: String },
    /// At least one address of the host is special-purpose. No connection was attempted.
    #[error("the host {host} has a special-purpose address")]
    SpecialPurposeAddress { host: String },
    /// DNS has no address for the host.
    #[error("the host {host} was not found")]
    NameNotFound { host: String },
    /// The DNS lookup failed, so it is unknown whether the host exists.
    #[error("the host {host} could not be resolved")]
    LookupFailed {
        host: String,
        #[source]
        source: io::Error,
    },
    /// The connection or the complete response took longer than its timeout.
    #[error("the request timed out")]
    TimedOut,
    /// No connection was established and nothing was sent, so a retry is safe for any method.
    #[error("the connection failed")]
    Connect {
        #[source]
        source: reqwest::Error,
    },
    /// The server's certificate is not signed by a trusted root, is for another host, or has expired.
    #[error("the server's certificate is not trusted")]
    CertificateNotTrusted {
        #[source]
        source: reqwest::Error,
    },
    /// The TLS handshake failed for another reason than the certificate.
    #[error("the TLS handshake failed")]
    Tls {
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke after the request may have been sent.
    #[error("the connection was interrupted")]
    Interrupted {
        #[source]
        source: reqwest::Error,
    },
    #[error("the response is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
}

impl EgressError {
    /// Converts an error while reading the body. The request was sent.
    pub(super) fn from_body(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        Self::Interrupted { source: error.without_url() }
    }

    /// Converts an error of the HTTP client by its cause, without the URL.
    pub(super) fn from_client(error: reqwest::Error) -> Self {
        let source = error.without_url();
        if let Some(refused) = find_cause::<ResolveError>(&source) {
            return refused.to_egress();
        }
        if source.is_timeout() {
            return Self::TimedOut;
        }
        match find_cause::<rustls::Error>(&source) {
            Some(rustls::Error::InvalidCertificate(_)) => Self::CertificateNotTrusted { source },
            Some(_) if source.is_connect() => Self::Tls { source },
            _ if source.is_connect() => Self::Connect { source },
            _ => Self::Interrupted { source },
        }
    }
}

/// Searches the chain of causes. `io::Error::source` skips the error that it wraps, and rustls wraps
/// its errors in one, so `get_ref` is used as well.
fn find_cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => current.source(),
        };
    }
    None
}

/// Why a name was not resolved. The HTTP client reports it as a cause of its own error.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("{host} has a special-purpose address")]
    SpecialPurpose { host: String },
    #[error("{host} has no address")]
    NotFound { host: String },
    #[error("{host} could not be resolved")]
    Failed { host: String, kind: io::ErrorKind, text: String },
}

impl ResolveError {
    /// The standard library distinguishes a missing name from a failed lookup by the message only:
    /// `EAI_AGAIN` is "Temporary failure in name resolution", `EAI_FAIL` "Non-recoverable failure".
    pub(super) fn from_io(host: String, error: &io::Error) -> Self {
        let text = error.to_string();
        let lower = text.to_ascii_lowercase();
        let failures = ["temporary", "non-recoverable", "system error", "try again"];
        if error.kind() == io::ErrorKind::TimedOut
            || failures.iter().any(|text| lower.contains(text))
        {
            return Self::Failed { host, kind: error.kind(), text };
        }
        Self::NotFound { host }
    }

    pub(super) fn to_egress(&self) -> EgressError {
        match self {
            Self::SpecialPurpose { host } => {
                EgressError::SpecialPurposeAddress { host: host.clone() }
            }
            Self::NotFound { host } => EgressError::NameNotFound { host: host.clone() },
            Self::Failed { host, kind, text } => EgressError::LookupFailed {
                host: host.clone(),
                source: io::Error::new(*kind, text.clone()),
            },
        }
    }
}

/// Why the egress client could not be built from its settings. Detected at start-up.
#[derive(Debug, thiserror::Error)]
pub enum EgressSetupError {
    #[error(
        "no trusted root certificates were found; install the package ca-certificates or set SSL_CERT_FILE"
    )]
    NoTrustRoots {
        #[source]
        source: reqwest::Error,
    },
    #[error("the extra root certificate is not a PEM file with at least one certificate")]
    ExtraRootUnreadable,
    #[error("the host override `{host}` is not a lower-case host name")]
    OverrideHostInvalid { host: String },
    #[error("the host override of {host} to {address} has no port")]
    OverrideWithoutPort { host: String, address: SocketAddr },
    #[error("the proxy is not usable")]
    ProxyInvalid {
        #[source]
        source: reqwest::Error,
    },
    #[error("the HTTP client could not be built")]
    Client {
        #[source]
        source: reqwest::Error,
    },
}
