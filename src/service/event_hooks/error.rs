//! Errors of event hooks and of calls to them.

use std::time::Duration;

use crate::model::IntegrationId;

/// Why a request about an event hook, or a call to it, failed.
#[derive(Debug, thiserror::Error)]
pub enum EventHookError {
    #[error("integration {0} has no event hook")]
    NotFound(IntegrationId),
    /// Unknown hook or wrong secret; the caller does not learn which.
    #[error("the call to the event hook is refused")]
    CallRefused,
    #[error("the verification challenge is malformed")]
    ChallengeMalformed,
    #[error("the body is not an event delivery")]
    DeliveryMalformed,
    /// Too many calls are waiting, the body is too slow, or the database does not answer.
    #[error("the call to an event hook timed out")]
    Overloaded,
    /// More than 10 verifications of the hook in a minute.
    #[error("too many verifications of this event hook")]
    TooManyVerifications { retry_after: Duration },
}
