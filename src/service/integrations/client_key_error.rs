//! Errors of the key pairs of service apps.

use std::time::Duration;

use crate::model::IntegrationId;

/// What is wrong with a request about the keys of a service app.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeyError {
    #[error("no such key")]
    NotFound,
    /// The active key signs all requests for tokens.
    #[error("the key is in use")]
    InUse,
    /// Credentials that are a key pair need a key pair.
    #[error("a key pair is needed first")]
    Needed(IntegrationId),
    /// No public key set is at the address.
    #[error("no public key set is at the address")]
    NoPublicKeys,
    #[error("too many reads of public key sets")]
    TooManyReads { retry_after: Duration },
}
