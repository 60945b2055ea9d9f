//! The shapes of trust status on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::handlers::http::body::not_null;
use crate::model::devices::reports::EnrollmentState;
use crate::model::trust_status::{
    AskedDevice, CountingCertificate, DeviceFacts, LastKnown, OktaRecord, Reason,
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
    /// Every record that Okta has of the device, the newest first: that one counts.
    pub okta_devices: Vec<OktaRecordResponse>,
    /// The users of the newest record.
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
    /// What to do, one for each reason.
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
    #[schema(required)]
    pub okta_device_id: Option<String>,
    /// `null`: not told.
    #[schema(required)]
    pub enrollment: Option<EnrollmentState>,
    /// The MDM deleted it and has not reported it since.
    pub deleted: bool,
    /// What was delivered since the device was enrolled; `null`: nothing.
    #[schema(required)]
    pub config_version: Option<i64>,
    #[schema(required)]
    pub okta_verify_installed_at: Option<DateTime<Utc>>,
    pub reported_at: DateTime<Utc>,
}

/// A record that Okta has of the device.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OktaRecordResponse {
    #[schema(example = "guo1a2b3c4d5e6f7g8h9")]
    pub okta_device_id: String,
    /// Okta's word.
    #[schema(example = "ACTIVE")]
    pub status: String,
    /// Okta's word.
    #[schema(example = "MACOS")]
    pub platform: String,
    /// `null` where Okta's record lacks it.
    #[schema(required)]
    pub serial_number: Option<String>,
    /// `null` where Okta's record lacks it.
    #[schema(required)]
    pub udid: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_updated_at: DateTime<Utc>,
    /// When it was last read.
    pub observed_at: DateTime<Utc>,
    /// Okta said since when that it has no such device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_found_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
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

/// Certificates of managed Macs; one that ends in 7 days is counted in 30 and 90 too.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CertificateCountsResponse {
    pub ended: u64,
    pub ending_in_7_days: u64,
    pub ending_in_30_days: u64,
    pub ending_in_90_days: u64,
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
        Self { serial_number, udid, okta_device_id }
    }
}

impl From<TrustStatus> for TrustStatusResponse {
    fn from(status: TrustStatus) -> Self {
        let TrustStatus { facts, verdict, .. } = status;
        let users = facts.newest().map(|record| record.users.clone()).unwrap_or_default();
        let certificate = facts.device.as_ref().and_then(|device| device.certificate.clone());
        let org = facts.org.as_deref();
        let swept_at = org.and_then(|org| org.swept_at);
        let integration_id = org.map(|org| org.id);
        let mut records = facts.okta_devices;
        records.sort_by(|one, other| {
            let key = |record: &OktaRecord| (record.created_at, record.okta_device_id.clone());
            key(other).cmp(&key(one))
        });
        let record = |record| OktaRecordResponse::of(record, swept_at);
        Self {
            trust: verdict.trust,
            remediation: verdict.reasons.iter().map(|reason| reason.remediation()).collect(),
            reasons: verdict.reasons,
            device: facts.device.map(TrustDeviceResponse::from),
            integration_id,
            okta_devices: records.into_iter().map(record).collect(),
            users,
            certificate,
            observed_at: verdict.observed_at,
            fresh_until: verdict.fresh_until,
            stale: verdict.stale,
            last_known: verdict.last_known,
        }
    }
}

impl From<TrustStatus> for QueriedDeviceResponse {
    fn from(mut status: TrustStatus) -> Self {
        let asked = std::mem::take(&mut status.facts.asked).into();
        Self { asked, status: status.into() }
    }
}

impl From<DeviceFacts> for TrustDeviceResponse {
    fn from(device: DeviceFacts) -> Self {
        Self {
            deleted: device.is_deleted(),
            config_version: device.counting_delivery().map(|delivery| delivery.config_version),
            serial_number: device.serial_number,
            platform: device.platform,
            udid: device.udid,
            okta_device_id: device.okta_device_id,
            enrollment: device.enrollment,
            okta_verify_installed_at: device.okta_verify_installed_at,
            reported_at: device.reported_at,
        }
    }
}

impl OktaRecordResponse {
    /// As old as the verdict takes it to be.
    fn of(record: OktaRecord, swept_at: Option<DateTime<Utc>>) -> Self {
        Self {
            observed_at: swept_at.map_or(record.observed_at, |at| record.seen_at(at)),
            okta_device_id: record.okta_device_id,
            status: record.status,
            platform: record.platform,
            serial_number: record.serial_number,
            udid: record.udid,
            created_at: record.created_at,
            last_updated_at: record.last_updated_at,
            not_found_at: record.not_found_at,
            display_name: record.display_name,
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
            ended: counts.ended,
            ending_in_7_days: counts.in_7_days,
            ending_in_30_days: counts.in_30_days,
            ending_in_90_days: counts.in_90_days,
        }
    }
}
