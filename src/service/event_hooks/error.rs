//! What can go wrong with an event hook or with a call of it.

use std::time::Duration;

use crate::model::IntegrationId;

/// Why nothing came of a request about a hook, or of a call of one.
#[derive(Debug, thiserror::Error)]
pub enum EventHookError {
    #[error("integration {0} has no event hook")]
    NotFound(IntegrationId),
    /// No such hook, or not with this secret: nobody outside is told which.
    #[error("the call of an event hook is refused")]
    CallRefused,
    #[error("the challenge of a verification cannot be echoed")]
    ChallengeMalformed,
    #[error("the body is no delivery of events")]
    DeliveryMalformed,
    #[error("too many calls of event hooks wait already")]
    TooManyCalls { retry_after: Duration },
    /// The hook was verified too often (contract §7).
    #[error("too many verifications of this event hook")]
    TooManyVerifications { retry_after: Duration },
}
