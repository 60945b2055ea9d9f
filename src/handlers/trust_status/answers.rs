//! Request and response bodies of `/trust-status`.

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

/// The trust status of a device, with the facts it is derived from.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustStatusResponse {
    pub trust: Trust,
    /// The first reason decides; the others are notes.
    #[schema(min_items = 1)]
    pub reasons: Vec<Reason>,
    /// The device in the inventory; `null` if the MDM never reported it.
    #[schema(required)]
    pub device: Option<TrustDeviceResponse>,
    /// `null` if the tenant has not connected an Okta org.
    #[schema(required)]
    pub integration_id: Option<IntegrationId>,
    /// All records of the Okta org that match an identifier of the device, newest first. `standing` says
    /// whether a record counts.
    pub okta_devices: Vec<OktaRecordResponse>,
    /// The users that the verdict depends on: counting users of active records that count. In a query by
    /// Okta device id, those of that record.
    pub users: Vec<OktaDeviceUser>,
    /// For Macs: the certificate that counts.
    #[schema(required)]
    pub certificate: Option<CountingCertificate>,
    /// When the oldest fact from Okta was observed that the verdict uses; `null` if it uses none.
    #[schema(required)]
    pub observed_at: Option<DateTime<Utc>>,
    /// Until when this answer may be cached; `null` if it must not be cached.
    #[schema(required)]
    pub fresh_until: Option<DateTime<Utc>>,
    /// True if the facts are older than 15 minutes (configurable). Stale facts still decide, until they
    /// are too old and `trust` becomes `unknown`.
    pub stale: bool,
    /// The verdict at the time of observation, if the facts are now too old to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_known: Option<LastKnown>,
    /// What to do: one entry for each reason that requires action.
    pub remediation: Vec<ReasonRemediation>,
}

/// A device of the inventory.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustDeviceResponse {
    #[schema(example = "C02ABC123DEF")]
    pub serial_number: String,
    #[schema(required)]
    pub platform: Option<Platform>,
    #[schema(required)]
    pub udid: Option<String>,
    /// Okta's id of the device, if the MDM reported it since the device last left the MDM.
    #[schema(required)]
    pub okta_device_id: Option<String>,
    /// `null` if not reported.
    #[schema(required)]
    pub enrollment: Option<EnrollmentState>,
    /// True if the MDM deleted the device and has not reported it since.
    pub deleted: bool,
    /// When the current enrollment started: when the device last left the MDM or was enrolled. `null` if
    /// it never left and no `enrolled_at` was reported.
    #[schema(required)]
    pub present_since: Option<DateTime<Utc>>,
    /// The last check-in with the MDM in the current enrollment; `null` if not reported.
    #[schema(required)]
    pub checked_in_at: Option<DateTime<Utc>>,
    /// True if the MDM reports that the device is in Lost Mode.
    pub lost: bool,
    /// The `config_version` that was delivered in the current enrollment; `null` if none was.
    #[schema(required)]
    pub config_version: Option<i64>,
    #[schema(required)]
    pub okta_verify_installed_at: Option<DateTime<Utc>>,
    pub reported_at: DateTime<Utc>,
}

/// The identifiers of a device; at least one is required. If they belong to different devices, the
/// reason is `conflicting_identity`.
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

/// The trust status of one device of a query.
#[derive(Serialize, utoipa::ToSchema)]
pub struct QueriedDeviceResponse {
    /// The identifiers of the query, normalized.
    pub asked: AskedDeviceFields,
    #[serde(flatten)]
    pub status: TrustStatusResponse,
}

/// The trust status of each device, in the order of the query.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustQueryResponse {
    pub items: Vec<QueriedDeviceResponse>,
}

/// The number of devices by trust and by reason.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustSummaryResponse {
    /// `null` if the tenant has not connected an Okta org.
    #[schema(required)]
    pub integration_id: Option<IntegrationId>,
    /// All devices of the inventory, including unenrolled ones and excluding deleted ones.
    pub total: u64,
    pub trust: TrustCounts,
    /// Devices by deciding reason. Reasons without devices are left out.
    pub reasons: Vec<ReasonCount>,
    /// Devices by note; a device may have several.
    pub notes: Vec<ReasonCount>,
    pub certificates: CertificateCountsResponse,
    /// When the oldest fact from Okta was observed that the summary uses; `null` if it uses none.
    #[schema(required)]
    pub observed_at: Option<DateTime<Utc>>,
    /// True if that is longer than 15 minutes ago (configurable).
    pub stale: bool,
}

/// The number of devices by trust.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrustCounts {
    pub trusted: u64,
    pub pending: u64,
    pub untrusted: u64,
    pub unknown: u64,
}

/// The number of devices with a reason.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReasonCount {
    pub reason: Reason,
    pub devices: u64,
}

/// The certificates of managed Macs by time to expiry. The counts are cumulative: a certificate that
/// expires in 7 days is also in the counts for 30 and 90.
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
        let record = |assessed: &AssessedRecord<'_>| OktaRecordResponse::new(assessed, swept_at);
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
        let count = |trust| summary.trust.get(&trust).copied().unwrap_or_default();
        let reason_counts = |counts: &std::collections::BTreeMap<Reason, u64>| {
            let reason_count = |(reason, devices): (&Reason, &u64)| ReasonCount {
                reason: *reason,
                devices: *devices,
            };
            counts.iter().map(reason_count).collect()
        };
        Self {
            integration_id: summary.integration,
            total: summary.total,
            trust: TrustCounts {
                trusted: count(Trust::Trusted),
                pending: count(Trust::Pending),
                untrusted: count(Trust::Untrusted),
                unknown: count(Trust::Unknown),
            },
            reasons: reason_counts(&summary.reasons),
            notes: reason_counts(&summary.notes),
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
