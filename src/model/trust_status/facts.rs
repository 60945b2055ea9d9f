//! The input of a verdict: the MDM's reports about a device, its records in the mirror, and the state of
//! the org. The other modules decide.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::devices::reports::EnrollmentState;
use crate::model::{
    IntegrationId, OktaDevice, OktaDeviceId, OktaDeviceUser, Platform, SerialNumber, Udid,
};

/// The identifiers in a query; at least one is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AskedDevice {
    pub serial_number: Option<SerialNumber>,
    pub udid: Option<Udid>,
    pub okta_device_id: Option<OktaDeviceId>,
}

/// All facts about one device in one org.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub asked: AskedDevice,
    /// `None`: the tenant has no integration.
    pub org: Option<Arc<OrgFacts>>,
    /// The device in the MDM's inventory, or its tombstone.
    pub device: Option<DeviceFacts>,
    /// The queried identifiers belong to several living devices, one of which is `device`.
    pub several_devices: bool,
    /// Every record of the org with one of the queried identifiers or of the device's.
    pub records: Vec<OktaRecord>,
    /// Okta just answered 404 for the queried Okta ID, and the mirror does not have the record.
    pub asked_record_not_found: bool,
    /// When Okta was last searched for a record of the device, for this caller.
    pub searched_at: Option<DateTime<Utc>>,
    /// Facts that are too old for the caller could not be refreshed: the budget is exhausted, or the device
    /// was read moments ago.
    pub budget_exhausted: bool,
}

/// The state of the org.
#[derive(Debug, Clone, Deserialize)]
pub struct OrgFacts {
    pub id: IntegrationId,
    pub okta_domain: String,
    /// Credentials are stored.
    pub connected: bool,
    /// The configured platforms.
    pub platforms: Vec<Platform>,
    /// When the last accepted sweep began.
    pub swept_at: Option<DateTime<Utc>>,
    pub degraded: bool,
    /// The first `config_version` whose iOS configuration passes serial number and UDID to Okta Verify.
    pub ios_identifiers_since: Option<i64>,
    /// The org has an iOS record without identifiers, which may belong to any iPhone. Loaded only if the
    /// query needs it.
    #[serde(default)]
    pub unmatched_ios: bool,
}

/// A device of the inventory, or the tombstone of a deleted one.
#[derive(Debug, Clone, Deserialize)]
pub struct DeviceFacts {
    pub serial_number: SerialNumber,
    /// `None` only if the device was deleted before it was ever reported.
    pub platform: Option<Platform>,
    pub udid: Option<Udid>,
    pub okta_device_id: Option<OktaDeviceId>,
    pub okta_device_id_reported_at: Option<DateTime<Utc>>,
    /// `None`: deleted, or never reported.
    pub enrollment: Option<EnrollmentState>,
    /// False for a tombstone.
    pub living: bool,
    /// When the device last left this MDM.
    pub left_at: Option<DateTime<Utc>>,
    /// `reported_at` of the first `enrolled` after `left_at`.
    pub enrolled_since: Option<DateTime<Utc>>,
    /// The latest `enrolled_at` ever reported.
    pub last_enrolled_at: Option<DateTime<Utc>>,
    pub okta_verify: Option<Reported<DateTime<Utc>>>,
    pub check_in: Option<Reported<DateTime<Utc>>>,
    pub lost_mode: Option<Reported<bool>>,
    /// The newest report of any group.
    pub reported_at: DateTime<Utc>,
    pub first_reported_at: DateTime<Utc>,
    /// The delivery for this org, in any enrolment period.
    pub delivery: Option<Delivery>,
    /// Macs: the certificate with the newest `not_before` of the current enrolment period.
    pub certificate: Option<CountingCertificate>,
}

/// A reported value and when it was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Reported<T> {
    pub value: T,
    pub at: DateTime<Utc>,
}

/// The configuration that was delivered to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Delivery {
    pub config_version: i64,
    pub delivered_at: DateTime<Utc>,
}

/// The certificate of a Mac, as the MDM reported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CountingCertificate {
    #[schema(example = "5e1f0a9b7c3d")]
    pub serial_number: String,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
}

/// A device record of the org in the mirror.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent columns of the mirror")]
pub struct OktaRecord {
    pub okta_device_id: OktaDeviceId,
    /// Okta's value: `MACOS`, `IOS` and others.
    pub platform: String,
    /// Okta's value: `ACTIVE`, `SUSPENDED`, `DEACTIVATED` and others.
    pub status: String,
    /// `None` also if the value is not a valid serial number, such as an unreplaced macro.
    #[serde(deserialize_with = "serial_number_or_none")]
    pub serial_number: Option<SerialNumber>,
    /// `None` also if the value is not a valid UDID.
    #[serde(deserialize_with = "udid_or_none")]
    pub udid: Option<Udid>,
    pub display_name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_updated_at: DateTime<Utc>,
    pub users: Vec<OktaDeviceUser>,
    /// The list of users is complete and the management status of each is known.
    pub users_known: bool,
    /// When the last read of the record's users by ID began.
    pub users_read_at: Option<DateTime<Utc>>,
    /// When a user was last added to the record, including users removed since.
    pub users_added_at: Option<DateTime<Utc>>,
    /// The newest `lastUpdated` that was a use.
    pub used_at: Option<DateTime<Utc>>,
    /// When the read began that showed the use.
    pub use_seen_at: Option<DateTime<Utc>>,
    /// The `lastUpdated` with which its serial number or UDID last changed.
    pub identity_changed_at: Option<DateTime<Utc>>,
    /// Its identifiers changed and changed back within 30 days, so it belongs to no device.
    pub disputed: bool,
    /// It has the serial number or UDID of a living device other than `device`, or the MDM reported its ID
    /// for another one. If no device was found, deleted devices count, too.
    pub names_another: bool,
    /// When this row was last read outside of sweeps.
    pub observed_at: DateTime<Utc>,
    /// The last sweep confirmed it, so it is as fresh as the sweep.
    pub follows_sweeps: bool,
    /// When the users were last read, if not together with the row.
    pub users_observed_at: Option<DateTime<Utc>>,
    /// When Okta answered 404 for its ID.
    pub not_found_at: Option<DateTime<Utc>>,
}

fn serial_number_or_none<'de, D>(deserializer: D) -> Result<Option<SerialNumber>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| SerialNumber::parse(&text).ok()))
}

fn udid_or_none<'de, D>(deserializer: D) -> Result<Option<Udid>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| Udid::parse(&text).ok()))
}

/// The maximum expected difference between Okta's clock and the MDM's.
const CLOCK_MARGIN: TimeDelta = TimeDelta::minutes(5);

impl AskedDevice {
    /// Returns whether Okta's ID is the only identifier.
    pub fn is_okta_id_only(&self) -> bool {
        self.okta_device_id.is_some() && self.serial_number.is_none() && self.udid.is_none()
    }

    /// Returns the serial number if it is the only identifier.
    pub fn only_serial_number(&self) -> Option<&SerialNumber> {
        let others = self.udid.is_some() || self.okta_device_id.is_some();
        self.serial_number.as_ref().filter(|_| !others)
    }
}

impl DeviceFacts {
    /// Returns whether the MDM deleted the device and has not reported it since.
    pub fn is_deleted(&self) -> bool {
        !self.living
    }

    /// Returns whether the device left the MDM: unenrolled, wiped or deleted.
    pub fn has_left(&self) -> bool {
        self.is_deleted()
            || matches!(self.enrollment, Some(EnrollmentState::Unenrolled | EnrollmentState::Wiped))
    }

    /// Returns whether the MDM manages the device.
    pub fn is_managed(&self) -> bool {
        self.living && self.enrollment == Some(EnrollmentState::Enrolled)
    }

    /// Returns when the device's present life began; `None` if it never left and no `enrolled_at` was
    /// reported.
    pub fn present_since(&self) -> Option<DateTime<Utc>> {
        let after_leaving = self.left_at.map(|left| left + CLOCK_MARGIN);
        let enrolled_since = self.left_at.and(self.enrolled_since);
        after_leaving.max(enrolled_since).max(self.last_enrolled_at)
    }

    /// Returns whether the time is in the current enrolment period.
    fn is_in_current_period(&self, at: DateTime<Utc>) -> bool {
        self.left_at.is_none_or(|left| at > left)
    }

    fn value_in_current_period<T: Copy>(&self, reported: Option<Reported<T>>) -> Option<T> {
        reported
            .filter(|reported| self.is_in_current_period(reported.at))
            .map(|reported| reported.value)
    }

    /// Returns the delivery if it was made in the current enrolment period.
    pub fn counting_delivery(&self) -> Option<&Delivery> {
        let counts = |delivery: &&Delivery| self.is_in_current_period(delivery.delivered_at);
        self.delivery.as_ref().filter(|_| self.is_managed()).filter(counts)
    }

    /// Returns Okta's ID if the MDM reported it in the current enrolment period.
    pub fn counting_okta_device_id(&self) -> Option<&OktaDeviceId> {
        let at = self.okta_device_id_reported_at?;
        self.okta_device_id.as_ref().filter(|_| self.is_in_current_period(at))
    }

    /// Returns when Okta Verify was installed, if reported in the current enrolment period.
    pub fn okta_verify_installed_at(&self) -> Option<DateTime<Utc>> {
        self.value_in_current_period(self.okta_verify)
    }

    pub fn is_lost(&self) -> bool {
        self.value_in_current_period(self.lost_mode) == Some(true)
    }

    /// Returns the last check-in reported in the current enrolment period.
    pub fn checked_in_at(&self) -> Option<DateTime<Utc>> {
        self.value_in_current_period(self.check_in)
    }

    /// Returns when the MDM last saw the device: the later of its check-in and the start of its present
    /// life; without both, its first report.
    pub fn last_seen_at(&self) -> DateTime<Utc> {
        self.checked_in_at().max(self.present_since()).unwrap_or(self.first_reported_at)
    }
}

impl OktaRecord {
    pub const SUSPENDED: &str = "SUSPENDED";
    pub const DEACTIVATED: &str = "DEACTIVATED";

    /// Returns when the oldest part of the record was last seen.
    pub fn seen_at(&self, swept_at: DateTime<Utc>) -> DateTime<Utc> {
        let seen =
            if self.follows_sweeps { self.observed_at.max(swept_at) } else { self.observed_at };
        self.users_observed_at.map_or(seen, |users| users.min(seen))
    }

    pub fn is_active(&self) -> bool {
        self.status == OktaDevice::ACTIVE
    }

    /// Returns whether the record was created before a device registered, so that it has no users.
    pub fn is_pre_registered(&self) -> bool {
        self.status == OktaDevice::CREATED && self.users.is_empty()
    }

    /// Returns the platform if this service supports it.
    pub fn configurable_platform(&self) -> Option<Platform> {
        match self.platform.as_str() {
            "MACOS" => Some(Platform::Macos),
            "IOS" => Some(Platform::Ios),
            _ => None,
        }
    }
}
