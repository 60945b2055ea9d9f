//! The errors of service methods. Their HTTP status is assigned in `handlers::http`. The error of a
//! lower layer is private: callers see its kind only, and the log gets the chain of causes.

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
use crate::service::integrations::client_key_error::ClientKeyError;
use crate::service::trust_status::IntegrationChoice;
use crate::store::StoreError;

/// An invalid field of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body; `/query/<name>` for a query parameter.
    pub pointer: String,
    pub code: String,
    pub detail: String,
}

impl FieldError {
    pub fn new(pointer: &str, code: &str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code: code.to_owned(), detail: detail.into() }
    }
}

/// A conflict between a request and the device inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    #[error("no device {0} in this tenant")]
    NotFound(SerialNumber),
    /// A report for another platform than the enrolled one, without a new enrollment.
    #[error("the device is enrolled as {}", .known.as_str())]
    PlatformMismatch { known: Platform },
    /// A deployment was requested with an identifier other than the reported one.
    #[error("the {field} is not that of device {serial_number}")]
    Mismatch { serial_number: SerialNumber, field: &'static str },
    /// The snapshot was completed with other pages, or started more than a day ago.
    #[error("the snapshot accepts no more pages")]
    SnapshotClosed,
    /// The snapshot would unenroll more devices than is allowed without a confirmation.
    #[error("{missing} of {fleet} enrolled devices are missing in the snapshot")]
    ManyMissing { missing: i64, fleet: i64 },
}

/// The error of a service method.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    ScopeMissing(#[from] ScopeMissing),
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<FieldError>),
    #[error("no integration {0} in this tenant")]
    IntegrationNotFound(IntegrationId),
    /// The tenant has several integrations and the request names none.
    #[error("the request must name one of {} integrations", .0.len())]
    IntegrationAmbiguous(Vec<IntegrationChoice>),
    #[error("integration {0} has no credentials")]
    CredentialsNotFound(IntegrationId),
    #[error("{} is not configured", .0.as_str())]
    PlatformNotFound(Platform),
    #[error(transparent)]
    EventHook(#[from] EventHookError),
    /// Devices or platforms depend on what the request deletes.
    #[error("{devices} device(s) and {} platform(s) depend on it", .platforms.len())]
    ConfirmationRequired { devices: i64, platforms: Vec<Platform>, checklist: Vec<ChecklistItem> },
    /// The SCEP password is not sent to a host that the org no longer has.
    #[error("the SCEP URL is on {host}, which is not a host of the org")]
    ScepUrlOnOldHost { host: String, hosts: Vec<String> },
    #[error("the certificate authority behind the SCEP URL expired at {not_after}")]
    CertificateAuthorityExpired { not_after: DateTime<Utc> },
    /// More than five challenges for the device in ten minutes.
    #[error("too many challenges for this device")]
    DeviceChallengeLimit { retry_after: Duration },
    /// Eight challenges of the platform are being requested already.
    #[error("too many challenges in flight")]
    ChallengesInFlight,
    /// More connects and checks of the integration in a minute than configured.
    #[error("too many connects and checks of this integration")]
    TooManyAttempts { retry_after: Duration },
    #[error(transparent)]
    ClientKey(#[from] ClientKeyError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("unknown prerequisite {0:?}")]
    PrerequisiteNotFound(String),
    #[error("the org is already connected as integration {0}")]
    OrgAlreadyConnected(IntegrationId),
    /// The domain, or the host behind it, belongs to another org than the connected one.
    #[error("the domain belongs to another org")]
    OtherOrg,
    #[error("the integration is at version {current}")]
    StaleVersion { current: i64 },
    #[error("another request changed it concurrently")]
    ChangedMeanwhile,
    #[error("integration {0} has no credentials yet")]
    CredentialsNeeded(IntegrationId),
    #[error("{} is checked against Okta and cannot be attested", .0.as_str())]
    CannotBeAttested(PrerequisiteKind),
    #[error("a request with this Idempotency-Key is still in flight")]
    IdempotencyInFlight,
    #[error("this Idempotency-Key was used with another body")]
    IdempotencyKeyReused,
    #[error("the integration created with this Idempotency-Key was deleted")]
    IdempotentResultGone(IntegrationId),
    #[error("the request to Okta failed")]
    Okta(#[source] OktaFailure),
    #[error("the database is not available")]
    DatabaseUnavailable(#[source] Cause),
    /// A fault of this service; its cause is logged and not shown to callers.
    #[error("internal error")]
    Internal(#[source] Cause),
}

/// The error of a lower layer, for the log.
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
    /// The error for a profile that could not be generated although its values are valid.
    pub(super) fn from_payload_error(error: PayloadError) -> Self {
        Self::Internal(Cause(LowerLayerError::Payload(error)))
    }

    /// Returns true if another worker holds the job now.
    pub(super) fn is_lost_lease(&self) -> bool {
        matches!(self, Self::Internal(Cause(LowerLayerError::Store(StoreError::LeaseLost))))
    }

    /// Returns true if Okta refused the username and password of a challenge URL.
    pub(super) fn is_scep_refusal(&self) -> bool {
        let Self::Okta(failure) = self else { return false };
        matches!(failure.cause(), OktaError::ScepCredentialsRefused)
    }

    /// Returns whether a host does not exist, or has no Okta org.
    pub(super) fn is_missing_org(&self) -> bool {
        let Self::Okta(failure) = self else { return false };
        matches!(failure.cause(), OktaError::OrgNotFound { .. })
    }

    /// Maps store errors of queries about integration `id`.
    pub(super) fn for_integration(id: IntegrationId) -> impl Fn(StoreError) -> Self {
        move |error| match error {
            StoreError::NotFound => Self::IntegrationNotFound(id),
            other => Self::from(other),
        }
    }

    /// The error for a domain that cannot be an Okta org's.
    pub(super) fn from_domain_error(error: OktaDomainError) -> Self {
        let detail = match error {
            OktaDomainError::Empty => "Enter your Okta domain, such as acme.okta.com.",
            OktaDomainError::TooLong => {
                "This is too long for a domain. Enter only your Okta domain, such as acme.okta.com."
            }
            OktaDomainError::IpAddress => {
                "This is an IP address. Enter your Okta domain, such as acme.okta.com."
            }
            OktaDomainError::HasPort => {
                "Remove the port. Enter only your Okta domain, such as acme.okta.com."
            }
            OktaDomainError::HasUserinfo => {
                "Remove the username and password. Enter only your Okta domain, such as acme.okta.com."
            }
            OktaDomainError::NotHttps => {
                "Enter only your Okta domain, such as acme.okta.com, or its https address."
            }
            OktaDomainError::InvalidHost => {
                "This is not a valid Okta domain. Enter one such as acme.okta.com."
            }
            OktaDomainError::OktaApex => {
                "This domain belongs to Okta itself. Enter the domain of your org, such as acme.okta.com."
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
