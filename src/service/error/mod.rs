//! The errors of service methods. They know no HTTP status: `handlers::http` has the one table that
//! gives each of them one. Errors of lower layers are visible as a kind only; what lies behind it is
//! private and meant for the log.

mod okta_failure;

pub use okta_failure::{OktaFailure, OktaFailureKind};

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::integrations::okta_domain::OktaDomainError;
use crate::model::{IntegrationId, Platform, PrerequisiteKind, ScopeMissing, SerialNumber};
use crate::okta::OktaError;
use crate::payload::PayloadError;
use crate::service::event_hooks::EventHookError;
use crate::service::integrations::checklist::ChecklistItem;
use crate::service::trust_status::IntegrationChoice;
use crate::store::StoreError;

/// A field of the request that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body.
    pub pointer: String,
    pub code: String,
    pub detail: String,
}

impl FieldError {
    pub fn new(pointer: &str, code: &str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code: code.to_owned(), detail: detail.into() }
    }
}

/// What is wrong between a request and what the inventory knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    #[error("no device {0} in this tenant")]
    NotFound(SerialNumber),
    /// A report for another platform than the known one, which does not say that it is enrolled anew.
    #[error("the device is known as one of {}", .known.as_str())]
    PlatformMismatch { known: Platform },
    /// What a device is to be given is asked for with another identity than the MDM reported.
    #[error("the {field} is not that of device {serial_number}")]
    Mismatch { serial_number: SerialNumber, field: &'static str },
    /// A snapshot that was completed with other pages, or began too long ago.
    #[error("the snapshot takes no more pages")]
    SnapshotClosed,
    /// A snapshot would unenroll more devices than it may without a confirmation.
    #[error("{missing} of {fleet} enrolled devices are missing in the snapshot")]
    ManyMissing { missing: i64, fleet: i64 },
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    ScopeMissing(#[from] ScopeMissing),
    #[error("the request has {} field(s) that cannot be accepted", .0.len())]
    Invalid(Vec<FieldError>),
    #[error("no integration {0} in this tenant")]
    IntegrationNotFound(IntegrationId),
    /// The tenant has several, and none was named.
    #[error("{} integrations and none named", .0.len())]
    IntegrationAmbiguous(Vec<IntegrationChoice>),
    #[error("integration {0} has no credentials")]
    CredentialsNotFound(IntegrationId),
    #[error("{} is not configured", .0.as_str())]
    PlatformNotFound(Platform),
    #[error(transparent)]
    EventHook(#[from] EventHookError),
    /// Something depends on what is to be deleted.
    #[error("{devices} device(s) and {} platform(s) depend on it", .platforms.len())]
    ConfirmationRequired { devices: i64, platforms: Vec<Platform>, checklist: Vec<ChecklistItem> },
    #[error("the certificate authority behind the SCEP URL ended at {not_after}")]
    CertificateAuthorityExpired { not_after: DateTime<Utc> },
    /// The device has had its share of challenges (contract §4).
    #[error("too many challenges for this device")]
    DeviceChallengeLimit { retry_after: Duration },
    /// Too many challenges are being asked for at this moment (contract §4).
    #[error("too many challenges in flight")]
    ChallengesInFlight,
    /// The integration has had its share of connects and checks.
    #[error("too many connects and checks of this integration")]
    TooManyAttempts { retry_after: Duration },
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("no prerequisite {0:?}")]
    PrerequisiteNotFound(String),
    #[error("the org is already connected as integration {0}")]
    OrgAlreadyConnected(IntegrationId),
    /// The domain, or the host behind it, is that of another org than the connected one.
    #[error("the domain belongs to another org")]
    OtherOrg,
    #[error("the integration is at version {current}")]
    StaleVersion { current: i64 },
    #[error("somebody else changed it in between")]
    ChangedMeanwhile,
    #[error("credentials are needed first")]
    CredentialsNeeded(IntegrationId),
    #[error("{} is proved by Okta and cannot be attested", .0.as_str())]
    CannotBeAttested(PrerequisiteKind),
    #[error("a request with this Idempotency-Key is still in flight")]
    IdempotencyInFlight,
    #[error("this Idempotency-Key was used with another body")]
    IdempotencyKeyReused,
    #[error("what this Idempotency-Key created is gone")]
    IdempotentResultGone(IntegrationId),
    #[error("the request to Okta failed")]
    Okta(#[source] OktaFailure),
    #[error("the database is not available")]
    DatabaseUnavailable(#[source] Cause),
    /// A fault of this service: callers learn nothing of it.
    #[error("internal error")]
    Internal(#[source] Cause),
}

/// The error of a lower layer, to be logged with its own causes.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Cause(LowerLayerError);

#[derive(Debug, thiserror::Error)]
enum LowerLayerError {
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Payload(PayloadError),
}

impl Error {
    /// A profile that could not be written although its values passed every check.
    pub(super) fn of_payload(error: PayloadError) -> Self {
        Self::Internal(Cause(LowerLayerError::Payload(error)))
    }

    /// True when another worker holds the job by now.
    pub(super) fn is_lost_lease(&self) -> bool {
        matches!(self, Self::Internal(Cause(LowerLayerError::Store(StoreError::LeaseLost))))
    }

    /// True when Okta refused the user name and password of a challenge URL.
    pub(super) fn is_scep_refusal(&self) -> bool {
        let Self::Okta(failure) = self else { return false };
        matches!(failure.cause(), OktaError::ScepCredentialsRefused)
    }

    /// The store's answer about integration `id`.
    pub(super) fn of_integration(id: IntegrationId) -> impl Fn(StoreError) -> Self {
        move |error| match error {
            StoreError::NotFound => Self::IntegrationNotFound(id),
            other => Self::from(other),
        }
    }

    pub(super) fn of_domain(error: OktaDomainError) -> Self {
        let detail = match error {
            OktaDomainError::Empty => "Enter the domain of the Okta org, such as acme.okta.com.",
            OktaDomainError::TooLong => {
                "This is too long for a domain. Enter it alone, such as acme.okta.com."
            }
            OktaDomainError::IpAddress => {
                "An Okta org has a name, not an IP address. Enter it, such as acme.okta.com."
            }
            OktaDomainError::HasPort => "Leave the port out: Okta answers at https on port 443.",
            OktaDomainError::HasUserinfo => "Leave the user name and password out of the address.",
            OktaDomainError::NotHttps => {
                "Enter an https address or the domain alone, such as acme.okta.com."
            }
            OktaDomainError::InvalidHost => {
                "This is not a domain that an Okta org can have. Enter one such as acme.okta.com."
            }
            OktaDomainError::OktaApex => {
                "This is Okta's own domain. Enter your org's, such as acme.okta.com."
            }
        };
        Self::Invalid(vec![FieldError::new("/okta_domain", error.code(), detail)])
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OrgAlreadyConnected(id) => Self::OrgAlreadyConnected(id),
            StoreError::StaleVersion { current } => Self::StaleVersion { current },
            StoreError::ChangedMeanwhile => Self::ChangedMeanwhile,
            StoreError::SnapshotClosed => DeviceError::SnapshotClosed.into(),
            StoreError::Unavailable(_) => {
                Self::DatabaseUnavailable(Cause(LowerLayerError::Store(error)))
            }
            other => Self::Internal(Cause(LowerLayerError::Store(other))),
        }
    }
}

impl From<OktaError> for Error {
    fn from(error: OktaError) -> Self {
        Self::Okta(error.into())
    }
}
