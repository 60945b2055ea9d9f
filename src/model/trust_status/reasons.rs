//! The reasons of a verdict. Their names are stable, because clients depend on them.

use serde::{Deserialize, Serialize};

/// Whether a device is trusted.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Trust {
    Trusted,
    /// Everything is delivered; the user has to act.
    Pending,
    Untrusted,
    /// The service cannot decide.
    Unknown,
}

impl Trust {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

/// A reason. The first one of a verdict decides, the others are notes.
///
/// `trusted`: managed_and_active. `pending`: not_registered_in_okta, awaiting_fastpass_sign_in.
/// `untrusted`: mdm_unenrolled, not_known_to_mdm, mdm_lost_mode, platform_not_configured,
/// config_not_delivered, conflicting_identity, okta_record_superseded, okta_device_suspended,
/// okta_device_deactivated, okta_device_inactive, certificate_expired. `unknown`: never_connected,
/// okta_unreachable, okta_budget_exhausted, okta_record_not_seen, mdm_silent, okta_record_unmatched,
/// management_status_unknown. Notes, which decide nothing: certificate_expiring, certificate_missing,
/// mixed_user_profiles, duplicate_okta_records, foreign_okta_record, not_used_since_enrolment,
/// not_seen_lately, integration_degraded.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// No org is connected, or none of its sweeps was accepted yet.
    NeverConnected,
    /// The facts about Okta's records are too old to decide.
    OktaUnreachable,
    /// The caller requires newer facts, and the rate budget does not allow another read yet.
    OktaBudgetExhausted,
    /// The mirror has no record with the queried Okta ID, and Okta could not be read now.
    OktaRecordNotSeen,
    /// The MDM has not seen the device for longer than the policy allows.
    MdmSilent,
    /// The MDM reports the device as unenrolled, wiped or deleted.
    MdmUnenrolled,
    /// The MDM has not reported the device as enrolled.
    NotKnownToMdm,
    /// The MDM reports the device as lost.
    MdmLostMode,
    /// The device's platform is not configured.
    PlatformNotConfigured,
    /// The org has an iOS record without identifiers, which may belong to this device.
    OktaRecordUnmatched,
    /// Everything is delivered, and Okta has no record of the device yet.
    NotRegisteredInOkta,
    /// The configuration was not delivered since the device was enrolled.
    ConfigNotDelivered,
    /// The identifiers belong to different devices.
    ConflictingIdentity,
    /// The queried record was not used since the device was enrolled or registered again.
    OktaRecordSuperseded,
    /// Okta's record of the device is suspended.
    OktaDeviceSuspended,
    /// Okta's record of the device is deactivated.
    OktaDeviceDeactivated,
    /// Okta's record of the device is neither active, suspended nor deactivated.
    OktaDeviceInactive,
    /// The Mac's certificate has expired.
    CertificateExpired,
    /// The management status of a user is unknown.
    ManagementStatusUnknown,
    /// The device is active in Okta and its users are managed.
    ManagedAndActive,
    /// Everything is delivered; a sign-in with FastPass makes the user managed.
    AwaitingFastpassSignIn,
    /// A note: the certificate expires within 30 days.
    CertificateExpiring,
    /// A note: the configuration was delivered to the Mac, but no certificate was reported.
    CertificateMissing,
    /// A note: the device has managed and unmanaged users.
    MixedUserProfiles,
    /// A note: Okta has more than one record of the device.
    DuplicateOktaRecords,
    /// A note: a record with the device's serial number or UDID belongs to another device.
    ForeignOktaRecord,
    /// A note: a record of the device was not used since the device was enrolled or registered again.
    NotUsedSinceEnrolment,
    /// A note: the device has not checked in with the MDM for 30 days.
    NotSeenLately,
    /// A note: the integration is degraded.
    IntegrationDegraded,
}

impl Reason {
    /// All reasons, in order of declaration.
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Returns the verdict if this reason decides; `None` for a note.
    pub fn trust(self) -> Option<Trust> {
        match self {
            Self::ManagedAndActive => Some(Trust::Trusted),
            Self::NotRegisteredInOkta | Self::AwaitingFastpassSignIn => Some(Trust::Pending),
            Self::MdmUnenrolled
            | Self::NotKnownToMdm
            | Self::MdmLostMode
            | Self::PlatformNotConfigured
            | Self::ConfigNotDelivered
            | Self::ConflictingIdentity
            | Self::OktaRecordSuperseded
            | Self::OktaDeviceSuspended
            | Self::OktaDeviceDeactivated
            | Self::OktaDeviceInactive
            | Self::CertificateExpired => Some(Trust::Untrusted),
            Self::NeverConnected
            | Self::OktaUnreachable
            | Self::OktaBudgetExhausted
            | Self::OktaRecordNotSeen
            | Self::MdmSilent
            | Self::OktaRecordUnmatched
            | Self::ManagementStatusUnknown => Some(Trust::Unknown),
            Self::CertificateExpiring
            | Self::CertificateMissing
            | Self::MixedUserProfiles
            | Self::DuplicateOktaRecords
            | Self::ForeignOktaRecord
            | Self::NotUsedSinceEnrolment
            | Self::NotSeenLately
            | Self::IntegrationDegraded => None,
        }
    }

    /// Returns the verdict if this reason decides; `unknown` for a note.
    pub fn verdict(self) -> Trust {
        self.trust().unwrap_or(Trust::Unknown)
    }

    pub fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
