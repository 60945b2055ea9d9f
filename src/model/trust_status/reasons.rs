//! Why a verdict is what it is. The names are stable: programs decide by them.

use serde::{Deserialize, Serialize};

use crate::model::trust_status::Trust;

/// A reason. The first one decides the verdict, the others are notes.
///
/// `trusted`: managed_and_active. `pending`: not_registered_in_okta, awaiting_fastpass_sign_in.
/// `untrusted`: mdm_unenrolled, not_known_to_mdm, platform_not_configured, config_not_delivered,
/// conflicting_identity, okta_device_suspended, okta_device_deactivated, okta_device_inactive,
/// certificate_expired. `unknown`: never_connected, okta_unreachable, okta_budget_exhausted,
/// okta_record_unmatched, management_status_unknown. Notes, which decide nothing: certificate_expiring,
/// certificate_missing, mixed_user_profiles, duplicate_okta_records, integration_degraded.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No org is connected, or it was never read as a whole.
    NeverConnected,
    /// What is known of Okta is older than what may decide.
    OktaUnreachable,
    /// The caller wants it newer than it is, and Okta may not be asked again so soon.
    OktaBudgetExhausted,
    /// The MDM says that the device is unenrolled, wiped or deleted.
    MdmUnenrolled,
    /// The MDM does not say that it manages such a device.
    NotKnownToMdm,
    /// The device's platform is not configured.
    PlatformNotConfigured,
    /// The org has iOS records that name no device: one of them may be this one.
    OktaRecordUnmatched,
    /// All is delivered, and Okta does not know the device yet.
    NotRegisteredInOkta,
    /// What the device needs was not delivered.
    ConfigNotDelivered,
    /// Identifiers that belong to different devices.
    ConflictingIdentity,
    OktaDeviceSuspended,
    OktaDeviceDeactivated,
    /// Okta's record is in another state than active, or gone.
    OktaDeviceInactive,
    /// The Mac's certificate is past its end.
    CertificateExpired,
    /// Okta has not told of every user how he is managed.
    ManagementStatusUnknown,
    /// The device is active in Okta and its users are managed.
    ManagedAndActive,
    /// All is delivered; a sign-in with FastPass makes the user managed.
    AwaitingFastpassSignIn,
    /// A note: the certificate ends within 30 days.
    CertificateExpiring,
    /// A note: the Mac has what it needs, but no certificate was reported.
    CertificateMissing,
    /// A note: the device has managed users and others.
    MixedUserProfiles,
    /// A note: Okta has more than one record of the device; the newest counts.
    DuplicateOktaRecords,
    /// A note: something is wrong with the integration.
    IntegrationDegraded,
}

impl Reason {
    pub const ALL: [Self; 22] = [
        Self::NeverConnected,
        Self::OktaUnreachable,
        Self::OktaBudgetExhausted,
        Self::MdmUnenrolled,
        Self::NotKnownToMdm,
        Self::PlatformNotConfigured,
        Self::OktaRecordUnmatched,
        Self::NotRegisteredInOkta,
        Self::ConfigNotDelivered,
        Self::ConflictingIdentity,
        Self::OktaDeviceSuspended,
        Self::OktaDeviceDeactivated,
        Self::OktaDeviceInactive,
        Self::CertificateExpired,
        Self::ManagementStatusUnknown,
        Self::ManagedAndActive,
        Self::AwaitingFastpassSignIn,
        Self::CertificateExpiring,
        Self::CertificateMissing,
        Self::MixedUserProfiles,
        Self::DuplicateOktaRecords,
        Self::IntegrationDegraded,
    ];

    /// What the verdict is when this reason decides; `None` for a note.
    pub fn trust(self) -> Option<Trust> {
        match self {
            Self::ManagedAndActive => Some(Trust::Trusted),
            Self::NotRegisteredInOkta | Self::AwaitingFastpassSignIn => Some(Trust::Pending),
            Self::NeverConnected
            | Self::OktaUnreachable
            | Self::OktaBudgetExhausted
            | Self::OktaRecordUnmatched
            | Self::ManagementStatusUnknown => Some(Trust::Unknown),
            Self::MdmUnenrolled
            | Self::NotKnownToMdm
            | Self::PlatformNotConfigured
            | Self::ConfigNotDelivered
            | Self::ConflictingIdentity
            | Self::OktaDeviceSuspended
            | Self::OktaDeviceDeactivated
            | Self::OktaDeviceInactive
            | Self::CertificateExpired => Some(Trust::Untrusted),
            Self::CertificateExpiring
            | Self::CertificateMissing
            | Self::MixedUserProfiles
            | Self::DuplicateOktaRecords
            | Self::IntegrationDegraded => None,
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverConnected => "never_connected",
            Self::OktaUnreachable => "okta_unreachable",
            Self::OktaBudgetExhausted => "okta_budget_exhausted",
            Self::MdmUnenrolled => "mdm_unenrolled",
            Self::NotKnownToMdm => "not_known_to_mdm",
            Self::PlatformNotConfigured => "platform_not_configured",
            Self::OktaRecordUnmatched => "okta_record_unmatched",
            Self::NotRegisteredInOkta => "not_registered_in_okta",
            Self::ConfigNotDelivered => "config_not_delivered",
            Self::ConflictingIdentity => "conflicting_identity",
            Self::OktaDeviceSuspended => "okta_device_suspended",
            Self::OktaDeviceDeactivated => "okta_device_deactivated",
            Self::OktaDeviceInactive => "okta_device_inactive",
            Self::CertificateExpired => "certificate_expired",
            Self::ManagementStatusUnknown => "management_status_unknown",
            Self::ManagedAndActive => "managed_and_active",
            Self::AwaitingFastpassSignIn => "awaiting_fastpass_sign_in",
            Self::CertificateExpiring => "certificate_expiring",
            Self::CertificateMissing => "certificate_missing",
            Self::MixedUserProfiles => "mixed_user_profiles",
            Self::DuplicateOktaRecords => "duplicate_okta_records",
            Self::IntegrationDegraded => "integration_degraded",
        }
    }
}
