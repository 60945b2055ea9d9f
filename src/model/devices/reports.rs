//! What the MDM reports about a device: groups, each with the time at which it was true, and the result
//! of merging each group. How a report changes a device is in `merge`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::numbers::whole_number;
use crate::model::{IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid};

/// The state of a device in the MDM. Of two states with the same time, the later one in this order
/// stands, so that a tie never makes a device trusted.
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

/// Read from a string alone: serde would also take `{"wiped": null}`.
impl TryFrom<String> for EnrollmentState {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse().map_err(|_| "no state, expected enrolled, unenrolled or wiped")
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
    /// When an enrolment ended, if the MDM knows it better than by `reported_at`. What was reported for
    /// the device up to then no longer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// With `enrolled`, after the device was deleted: true if the device itself was enrolled all along,
    /// as when an MDM imports its devices again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(default = false)]
    pub continues: bool,
    /// When this was true, by the MDM's clock.
    pub reported_at: DateTime<Utc>,
    /// The time as it was sent, where it was ahead of our clock and `reported_at` is that of receipt.
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

/// That Okta Verify is on the device.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct OktaVerify {
    pub installed_at: DateTime<Utc>,
    /// When this was true, by the MDM's clock.
    pub reported_at: DateTime<Utc>,
}

/// That the device was given what an integration asks for.
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

/// A certificate that the device has for an integration.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Of the certificate, in hexadecimal digits.
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

/// A valid report. In each group the outer `None` leaves it untouched, the inner one clears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceReport {
    pub serial_number: SerialNumber,
    pub platform: Platform,
    /// The time of the identifiers and of cleared groups; by default the newest of the groups, or the
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
    /// The integrations that it names.
    pub fn integrations(&self) -> impl Iterator<Item = IntegrationId> {
        self.deliveries.keys().chain(self.certificates.keys()).copied()
    }
}

/// How what a device was given stands to what is configured now.
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
    /// Nothing was delivered in this enrolment.
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
    /// It was known already.
    Unchanged,
    /// It is older than what is known, or belongs to an earlier enrolment.
    IgnoredStale,
    /// Its time is more than 5 minutes ahead of our clock. Other groups of the report were applied.
    IgnoredAhead,
    Applied,
    /// Only of `identity`: another device has the identifier, see `identifiers_taken`.
    IdentifierTaken,
}

/// An identifier of a report that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct IdentifierTaken {
    /// `udid` or `okta_device_id`.
    #[schema(example = "udid")]
    pub identifier: &'static str,
    /// The serial number of the device that has it.
    #[schema(value_type = String, example = "C02ABC123DEF")]
    pub holder: SerialNumber,
}

/// The results for the groups that were in a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReportResults {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub identity: Option<GroupResult>,
    /// Which identifiers another device has, and which device.
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
    /// JSON pointers of the times that were ahead of our clock. They were stored as the time of receipt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["/enrollment/reported_at"]))]
    pub stored_as_of_receipt: Vec<String>,
}

/// Why a whole report is refused; nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportRefusal {
    /// The report says nothing about the enrolment of a device that is unknown or deleted.
    EnrollmentNeeded,
    /// The device is known with another platform, and the report does not say that it was enrolled.
    PlatformMismatch { known: Platform },
    /// No integration of this tenant; `group` is `deliveries` or `certificates`.
    UnknownIntegration { group: &'static str, id: IntegrationId },
    /// JSON pointers of times that are too far ahead of our clock.
    Ahead(Vec<String>),
}
