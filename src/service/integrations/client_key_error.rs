//! Errors of the key pairs of service apps.

use std::time::Duration;

use crate::model::IntegrationId;

/// Why a request about the key pairs of a service app failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeyError {
    #[error("no such key")]
    NotFound,
    /// The active key signs all token requests and cannot be deleted.
    #[error("the key is in use")]
    InUse,
    /// Credentials of the kind `private_key_jwt` require a key pair.
    #[error("integration {0} has no key pair")]
    Needed(IntegrationId),
    #[error("there is no public key set at this address")]
    NoPublicKeys,
    #[error("too many reads of public key sets")]
    TooManyReads { retry_after: Duration },
}
