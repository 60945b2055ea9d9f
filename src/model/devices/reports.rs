//! What the MDM says of a device: a report in groups, each with the time at which it was true, and how
//! each group was taken. What a report does to a device is in `device_records`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::numbers::whole_number;
use crate::model::{IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid};

/// How far ahead of our clock a report may be (contract §5).
pub const CLOCK_SKEW: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// How a device stands with the MDM. In the order in which one wins over another of the same time:
/// a device is never trusted for the sake of a tie.
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

/// Whether the device is enrolled with the MDM.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Enrollment {
    pub state: EnrollmentState,
    #[serde(default)]
    pub enrolled_at: Option<DateTime<Utc>>,
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

/// A report, checked. In each group the outer `None` leaves it untouched, the inner one clears it.
#[derive(Debug, Clone)]
pub struct DeviceReport {
    pub serial_number: SerialNumber,
    pub platform: Platform,
    /// The time of the identifiers and of what is cleared.
    pub reported_at: DateTime<Utc>,
    pub udid: Option<Option<Udid>>,
    pub okta_device_id: Option<Option<OktaDeviceId>>,
    pub enrollment: Option<Enrollment>,
    pub okta_verify: Option<Option<OktaVerify>>,
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

/// How a group of a report was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupResult {
    /// It was known already.
    Unchanged,
    /// It is older than what is known, or belongs to an earlier enrolment.
    IgnoredStale,
    Applied,
}

/// How the groups of a report were taken: those that were in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReportResults {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub identity: Option<GroupResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enrollment: Option<GroupResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub okta_verify: Option<GroupResult>,
    pub deliveries: BTreeMap<IntegrationId, GroupResult>,
    pub certificates: BTreeMap<IntegrationId, GroupResult>,
}

impl ReportResults {
    /// Whether any group changed what is known.
    pub fn any_applied(&self) -> bool {
        let single = [self.identity, self.enrollment, self.okta_verify];
        let mut all = single.iter().flatten();
        let mut listed = self.deliveries.values().chain(self.certificates.values());
        all.any(|result| *result == GroupResult::Applied)
            || listed.any(|result| *result == GroupResult::Applied)
    }
}

/// Why a whole report is refused; nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportRefusal {
    /// Nobody has said whether this device is enrolled.
    EnrollmentNeeded,
    /// It is known as one of another platform, and a change of platform is a new enrolment.
    PlatformMismatch { known: Platform },
    /// Another living device has this identifier.
    IdentifierTaken { identifier: &'static str, holder: SerialNumber },
    /// No integration of this tenant; `group` is `deliveries` or `certificates`.
    UnknownIntegration { group: &'static str, id: IntegrationId },
}
