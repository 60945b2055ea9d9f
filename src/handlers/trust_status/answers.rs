//! The shapes of trust status on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::handlers::http::body::not_null;
use crate::handlers::trust_status::records::OktaRecordResponse;
use crate::model::devices::reports::EnrollmentState;
use crate::model::trust_status::{
    AskedDevice, AssessedRecord, CountingCertificate, DeviceFacts, LastKnown, Reason,
    ReasonRemediation, Trust,
};
use crate::model::{IntegrationId, OktaDeviceId, OktaDeviceUser, Platform, SerialNumber, Udid};
use crate::service::{CertificateCounts, IdentifierFields, TrustStatus, TrustSummary};

/// Whether a device is trusted, and what that rests on.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustStatusResponse {
    pub trust: Trust,
    /// The first one decides; the others are notes.
    #[schema(min_items = 1)]
    pub reasons: Vec<Reason>,
    /// The device in the MDM's inventory; `null` where it is not there.
    #[schema(required)]
    pub device: Option<TrustDeviceResponse>,
    /// `null` where the tenant has connected no org.
    #[schema(required)]
    pub integration_id: Option<IntegrationId>,
    /// Every record of the org that an identifier of the device names, the newest first. `standing` says
    /// whether it counts.
    pub okta_devices: Vec<OktaRecordResponse>,
    /// The users that the verdict depends on: those that count, of active records that count. Asked by an
    /// Okta id: of its record.
    pub users: Vec<OktaDeviceUser>,
    /// Macs: the certificate that counts.
    #[schema(required)]
    pub certificate: Option<CountingCertificate>,
    /// The oldest fact of Okta's that was used; `null` where there is none.
    #[schema(required)]
    pub observed_at: Option<DateTime<Utc>>,
    /// How long this answer may be kept; `null`: not at all.
    #[schema(required)]
    pub fresh_until: Option<DateTime<Utc>>,
    /// The facts are older than 15 minutes (as configured). They still decide, unless `trust` is `unknown`
    /// because they are older than may decide at all.
    pub stale: bool,
    /// What the facts said when they were observed, where they are now too old to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_known: Option<LastKnown>,
    /// What to do: one entry for each reason that requires action.
    pub remediation: Vec<ReasonRemediation>,
}

/// A device of the MDM's inventory.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustDeviceResponse {
    #[schema(example = "C02ABC123DEF")]
    pub serial_number: String,
    #[schema(required)]
    pub platform: Option<Platform>,
    #[schema(required)]
    pub udid: Option<String>,
    /// Okta's id of the device as the MDM reported it since the device last left.
    #[schema(required)]
    pub okta_device_id: Option<String>,
    /// `null`: not reported.
    #[schema(required)]
    pub enrollment: Option<EnrollmentState>,
    /// The MDM deleted it and has not reported it since.
    pub deleted: bool,
    /// The beginning of the device's present life, after it last left this MDM or was enrolled; `null`
    /// if it never left and no `enrolled_at` was reported.
    #[schema(required)]
    pub present_since: Option<DateTime<Utc>>,
    /// When the device last checked in with the MDM since it last left; `null` if that was not reported.
    #[schema(required)]
    pub checked_in_at: Option<DateTime<Utc>>,
    /// The MDM reports the device as lost.
    pub lost: bool,
    /// The `config_version` that was delivered since the device last left the MDM; `null`: none.
    #[schema(required)]
    pub config_version: Option<i64>,
    #[schema(required)]
    pub okta_verify_installed_at: Option<DateTime<Utc>>,
    pub reported_at: DateTime<Utc>,
}

/// By what a device is asked for; at least one of the three. Where they point to different devices
/// the answer says `conflicting_identity`.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
pub struct AskedDeviceFields {
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = SerialNumber::schema_with_example)]
    pub serial_number: Option<String>,
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = Udid::schema_with_example)]
    pub udid: Option<String>,
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = OktaDeviceId::schema_with_example)]
    pub okta_device_id: Option<String>,
}

/// The answer about one of several devices.
#[derive(Serialize, utoipa::ToSchema)]
pub struct QueriedDeviceResponse {
    /// The device as it was asked for, in the one spelling of its identifiers.
    pub asked: AskedDeviceFields,
    #[serde(flatten)]
    pub status: TrustStatusResponse,
}

/// The answers, in the order of the question.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustQueryResponse {
    pub items: Vec<QueriedDeviceResponse>,
}

/// How many devices are trusted, and why the others are not.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustSummaryResponse {
    /// `null` where the tenant has connected no org.
    #[schema(required)]
    pub integration_id: Option<IntegrationId>,
    /// Devices of the inventory, unenrolled ones included, deleted ones not.
    pub total: u64,
    pub trust: TrustCounts,
    /// Devices by the reason that decided; a reason that decided nothing is left out.
    pub reasons: Vec<ReasonCount>,
    /// Devices by note, of which one may have several.
    pub notes: Vec<ReasonCount>,
    pub certificates: CertificateCountsResponse,
    #[schema(required)]
    pub observed_at: Option<DateTime<Utc>>,
    pub stale: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustCounts {
    pub trusted: u64,
    pub pending: u64,
    pub untrusted: u64,
    pub unknown: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct ReasonCount {
    pub reason: Reason,
    pub devices: u64,
}

/// Certificates of managed Macs. One that expires within 7 days is also counted in 30 and 90 days.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CertificateCountsResponse {
    pub expired: u64,
    pub expiring_in_7_days: u64,
    pub expiring_in_30_days: u64,
    pub expiring_in_90_days: u64,
}

impl From<AskedDeviceFields> for IdentifierFields {
    fn from(fields: AskedDeviceFields) -> Self {
        let AskedDeviceFields { serial_number, udid, okta_device_id } = fields;
        Self { serial_number, udid, okta_device_id }
    }
}

impl From<AskedDevice> for AskedDeviceFields {
    fn from(asked: AskedDevice) -> Self {
        let AskedDevice { serial_number, udid, okta_device_id } = asked;
        Self {
            serial_number: serial_number.map(String::from),
            udid: udid.map(String::from),
            okta_device_id: okta_device_id.map(String::from),
        }
    }
}

impl From<TrustStatus> for TrustStatusResponse {
    fn from(status: TrustStatus) -> Self {
        let TrustStatus { facts, verdict, .. } = status;
        let certificate = facts.device.as_ref().and_then(|device| device.certificate.clone());
        let org = facts.org.as_deref();
        let swept_at = org.and_then(|org| org.swept_at);
        let assessed = facts.assess_records();
        let record = |assessed: &AssessedRecord<'_>| OktaRecordResponse::of(assessed, swept_at);
        Self {
            trust: verdict.trust,
            remediation: verdict.reasons.iter().filter_map(|reason| reason.remediation()).collect(),
            reasons: verdict.reasons,
            integration_id: org.map(|org| org.id),
            okta_devices: assessed.iter().map(record).collect(),
            users: facts.deciding_users(&assessed).cloned().collect(),
            device: facts.device.clone().map(TrustDeviceResponse::from),
            certificate,
            observed_at: verdict.observed_at,
            fresh_until: verdict.fresh_until,
            stale: verdict.stale,
            last_known: verdict.last_known,
        }
    }
}

impl From<TrustStatus> for QueriedDeviceResponse {
    fn from(status: TrustStatus) -> Self {
        Self { asked: status.facts.asked.clone().into(), status: status.into() }
    }
}

impl From<DeviceFacts> for TrustDeviceResponse {
    fn from(device: DeviceFacts) -> Self {
        Self {
            deleted: device.is_deleted(),
            config_version: device.counting_delivery().map(|delivery| delivery.config_version),
            okta_device_id: device.counting_okta_device_id().map(ToString::to_string),
            okta_verify_installed_at: device.okta_verify_installed_at(),
            present_since: device.present_since(),
            checked_in_at: device.checked_in_at(),
            lost: device.is_lost(),
            serial_number: device.serial_number.into(),
            platform: device.platform,
            udid: device.udid.map(String::from),
            enrollment: device.enrollment,
            reported_at: device.reported_at,
        }
    }
}

impl From<TrustSummary> for TrustSummaryResponse {
    fn from(summary: TrustSummary) -> Self {
        let of = |trust| summary.trust.get(&trust).copied().unwrap_or_default();
        let counts = |counted: &std::collections::BTreeMap<Reason, u64>| {
            let each = |(reason, devices): (&Reason, &u64)| ReasonCount {
                reason: *reason,
                devices: *devices,
            };
            counted.iter().map(each).collect()
        };
        Self {
            integration_id: summary.integration,
            total: summary.total,
            trust: TrustCounts {
                trusted: of(Trust::Trusted),
                pending: of(Trust::Pending),
                untrusted: of(Trust::Untrusted),
                unknown: of(Trust::Unknown),
            },
            reasons: counts(&summary.reasons),
            notes: counts(&summary.notes),
            certificates: summary.certificates.into(),
            observed_at: summary.observed_at,
            stale: summary.stale,
        }
    }
}

impl From<CertificateCounts> for CertificateCountsResponse {
    fn from(counts: CertificateCounts) -> Self {
        Self {
            expired: counts.expired,
            expiring_in_7_days: counts.expiring_in_7_days,
            expiring_in_30_days: counts.expiring_in_30_days,
            expiring_in_90_days: counts.expiring_in_90_days,
        }
    }
}
