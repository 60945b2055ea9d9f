//! Reports of the MDM about a device. A report has groups, each with the time at which it was true and
//! with its own result. `merge` applies reports to a device.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::numbers::whole_number;
use crate::model::{IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid};

/// The state of a device in the MDM. If two states have the same time, the later one in this order
/// wins, so that a tie never makes a device trusted.
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
#[serde(rename_all = "snake_case", try_from = "String")]
#[strum(serialize_all = "snake_case")]
pub enum EnrollmentState {
    Enrolled,
    Unenrolled,
    Wiped,
}

impl EnrollmentState {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Deserialized from strings only: serde's derive would also accept `{"wiped": null}`.
impl TryFrom<String> for EnrollmentState {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse().map_err(|_| "unknown state, expected enrolled, unenrolled or wiped")
    }
}

/// Whether the device is enrolled in the MDM.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Enrollment {
    pub state: EnrollmentState,
    #[serde(default)]
    pub enrolled_at: Option<DateTime<Utc>>,
    /// When an enrolment ended, if the MDM knows a more accurate time than `reported_at`. Data reported for
    /// the device up to then no longer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// With `enrolled`, after the device was deleted: true if the device was never unenrolled, for example
    /// because the MDM imports its devices again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(default = false)]
    pub continues: bool,
    /// When this was true, by the MDM's clock.
    pub reported_at: DateTime<Utc>,
    /// The time as sent, if it was ahead of the server's clock and `reported_at` is the time of receipt.
    #[serde(skip)]
    pub sent_at: Option<DateTime<Utc>>,
}

/// When the device last reached the MDM.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct CheckIn {
    pub last_seen_at: DateTime<Utc>,
    /// When this was true, by the MDM's clock.
    pub reported_at: DateTime<Utc>,
}

/// Whether the device is in lost mode. A device in lost mode is not trusted.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct LostMode {
    pub enabled: bool,
    /// When this was true, by the MDM's clock.
    pub reported_at: DateTime<Utc>,
}

/// The installation of Okta Verify on the device.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct OktaVerify {
    pub installed_at: DateTime<Utc>,
    /// When this was true, by the MDM's clock.
    pub reported_at: DateTime<Utc>,
}

/// The delivery of an integration's configuration to the device.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// `config_version` of the deployment that was delivered.
    #[serde(deserialize_with = "whole_number")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub config_version: i64,
    pub delivered_at: DateTime<Utc>,
    /// When this was true, by the MDM's clock.
    pub reported_at: DateTime<Utc>,
}

/// A certificate of the device for an integration.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The certificate's serial number, in hexadecimal digits.
    #[schema(
        example = "4C0AF3",
        min_length = 1,
        max_length = 95,
        pattern = "^[0-9A-Fa-f]+(:[0-9A-Fa-f]+)*$"
    )]
    pub serial_number: String,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    /// When this was true, by the MDM's clock.
    pub reported_at: DateTime<Utc>,
}

/// A valid report. The outer `None` leaves a group unchanged, the inner one clears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceReport {
    pub serial_number: SerialNumber,
    pub platform: Platform,
    /// The time of the identifiers and of cleared groups. Defaults to the newest time of the groups, or the
    /// time of receipt.
    pub reported_at: Option<DateTime<Utc>>,
    pub udid: Option<Option<Udid>>,
    pub okta_device_id: Option<Option<OktaDeviceId>>,
    pub enrollment: Option<Enrollment>,
    pub okta_verify: Option<Option<OktaVerify>>,
    pub check_in: Option<Option<CheckIn>>,
    pub lost_mode: Option<Option<LostMode>>,
    pub deliveries: BTreeMap<IntegrationId, Option<Delivery>>,
    pub certificates: BTreeMap<IntegrationId, Option<Certificate>>,
}

impl DeviceReport {
    /// Iterates over the integrations that the report refers to.
    pub fn integrations(&self) -> impl Iterator<Item = IntegrationId> {
        self.deliveries.keys().chain(self.certificates.keys()).copied()
    }
}

/// The delivered configuration compared with the current one.
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
pub enum Configuration {
    /// An older version was delivered.
    Outdated,
    Current,
    /// Nothing was delivered in the current enrolment period.
    None,
}

impl Configuration {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The result of merging one group of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupResult {
    /// It was already stored.
    Unchanged,
    /// It is older than what is stored, or belongs to an earlier enrolment period.
    IgnoredStale,
    /// Its time is more than 5 minutes ahead of the server's clock. Other groups were applied.
    IgnoredAhead,
    Applied,
    /// `identity` only: another device has the identifier, see `identifiers_taken`.
    IdentifierTaken,
}

/// An identifier in a report that another device has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct IdentifierTaken {
    /// `udid` or `okta_device_id`.
    #[schema(example = "udid")]
    pub identifier: &'static str,
    /// The serial number of the device that has it.
    #[schema(value_type = String, example = "C02ABC123DEF")]
    pub holder: SerialNumber,
}

/// The results of the groups in a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReportResults {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub identity: Option<GroupResult>,
    /// The identifiers that another device has, and which device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identifiers_taken: Vec<IdentifierTaken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enrollment: Option<GroupResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub okta_verify: Option<GroupResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub check_in: Option<GroupResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lost_mode: Option<GroupResult>,
    pub deliveries: BTreeMap<IntegrationId, GroupResult>,
    pub certificates: BTreeMap<IntegrationId, GroupResult>,
    /// JSON pointers of the times that were ahead of the server's clock. They were stored as the time of
    /// receipt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["/enrollment/reported_at"]))]
    pub stored_as_of_receipt: Vec<String>,
}

/// Why a whole report is rejected. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportRefusal {
    /// The device is unknown or deleted, and the report has no enrolment.
    EnrollmentNeeded,
    /// The device is stored with another platform, and the report has no enrolment.
    PlatformMismatch { known: Platform },
    /// The tenant has no such integration; `group` is `deliveries` or `certificates`.
    UnknownIntegration { group: &'static str, id: IntegrationId },
    /// JSON pointers of times that are too far ahead of the server's clock.
    Ahead(Vec<String>),
}
