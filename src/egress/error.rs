//! What can go wrong at the gate. Never carries a URL: a query may hold what no log should.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;

/// Why a request had no answer. A status of any kind is an answer and not an error here.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The tenant policy takes https only; the operator policy also takes http.
    #[error("the scheme `{scheme}` is not allowed")]
    SchemeNotAllowed { scheme: String },
    #[error("the port {port} is not allowed")]
    PortNotAllowed { port: u16 },
    #[error("a user name or password in the address is not allowed")]
    UserinfoNotAllowed,
    /// An IP literal in any spelling (`127.1`, `0x7f.1`, `[::1]`): tenant hosts are names.
    #[error("an IP address in place of a host name is not allowed")]
    IpAddressNotAllowed,
    #[error("the host {host} is not allowed for this request")]
    HostNotAllowed { host: String },
    /// At least one of the addresses of the name is special-purpose; nothing was dialled.
    #[error("the host {host} has a special-purpose address")]
    SpecialPurposeAddress { host: String },
    /// The name has no address.
    #[error("the host {host} was not found")]
    NameNotFound { host: String },
    /// The resolver could not say whether the name has an address.
    #[error("the host {host} could not be looked up")]
    LookupFailed {
        host: String,
        #[source]
        source: io::Error,
    },
    /// No connection within its time, or no complete answer within the total time.
    #[error("the request timed out")]
    TimedOut,
    /// No connection came about, so nothing was sent: asking again is safe for any method.
    #[error("the connection failed")]
    Connect {
        #[source]
        source: reqwest::Error,
    },
    /// The server's certificate is not of a trusted root, not for this host, or out of its time.
    #[error("the certificate of the server is not trusted")]
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
    #[error("the exchange was interrupted")]
    Interrupted {
        #[source]
        source: reqwest::Error,
    },
    #[error("the answer is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
}

impl EgressError {
    /// An error while the body was read: an answer had begun, so the request was sent.
    pub(super) fn from_body(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        Self::Interrupted { source: error.without_url() }
    }

    /// Sorts an error of the client by its cause and takes the URL out of it.
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

/// Looks through the chain of causes. `io::Error` hides the error it wraps from `source()`, and
/// that is just where rustls puts its own, so it is opened with `get_ref`.
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

/// Why a name was not resolved; travels through the client as a cause and is found there again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("{host} has a special-purpose address")]
    SpecialPurpose { host: String },
    #[error("{host} has no address")]
    NotFound { host: String },
    #[error("{host} could not be looked up")]
    Failed { host: String, kind: io::ErrorKind, text: String },
}

impl ResolveError {
    /// The system says only in words whether a name is missing or the lookup itself failed:
    /// `EAI_AGAIN` is "Temporary failure in name resolution", `EAI_FAIL` "Non-recoverable failure".
    pub(super) fn from_io(host: String, error: &io::Error) -> Self {
        let text = error.to_string();
        let lower = text.to_ascii_lowercase();
        let undecided = ["temporary", "non-recoverable", "system error", "try again"];
        if error.kind() == io::ErrorKind::TimedOut
            || undecided.iter().any(|word| lower.contains(word))
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

/// Why the gate could not be built from its settings. Found at start-up.
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
