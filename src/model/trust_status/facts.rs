//! What a verdict rests on: what the MDM reported of a device, what the mirror knows of it, and how
//! the org stands. Facts only; what follows from them is decided in the modules beside this one.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::devices::reports::EnrollmentState;
use crate::model::{
    IntegrationId, OktaDevice, OktaDeviceId, OktaDeviceUser, Platform, SerialNumber, Udid,
};

/// Identifiers that a caller asked for: at least one of the three.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AskedDevice {
    pub serial_number: Option<SerialNumber>,
    pub udid: Option<Udid>,
    pub okta_device_id: Option<OktaDeviceId>,
}

/// Everything that is known of one device for one org.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub asked: AskedDevice,
    /// `None`: the tenant has connected no org.
    pub org: Option<Arc<OrgFacts>>,
    /// The device in the MDM's inventory, or its tombstone.
    pub device: Option<DeviceFacts>,
    /// The asked identifiers lead to several living devices, of which `device` is one.
    pub several_devices: bool,
    /// Every record of the org that an identifier names: those asked and those of the device.
    pub records: Vec<OktaRecord>,
    /// Okta answered 404 for the asked Okta id just now, and the mirror does not have it.
    pub asked_record_is_gone: bool,
    /// When Okta was last asked, for this caller, whether it has a record of the device.
    pub searched_at: Option<DateTime<Utc>>,
    /// Facts that are too old for the caller could not be renewed: the budget is spent, or the device
    /// was read a moment ago.
    pub budget_exhausted: bool,
}

/// How the org stands.
#[derive(Debug, Clone, Deserialize)]
pub struct OrgFacts {
    pub id: IntegrationId,
    pub okta_domain: String,
    /// Credentials are stored.
    pub connected: bool,
    /// The configured platforms.
    pub platforms: Vec<Platform>,
    /// When the last accepted sweep began: nothing in the mirror is older.
    pub swept_at: Option<DateTime<Utc>>,
    pub degraded: bool,
    /// The `config_version` from which the iOS configuration hands serial number and UDID to Okta Verify.
    pub ios_identifiers_since: Option<i64>,
    /// The org has an iOS record that names no device, so it may be any iPhone's. Looked up only where
    /// a question needs it.
    #[serde(default)]
    pub unmatched_ios: bool,
}

/// A device of the inventory, or the tombstone of a deleted one.
#[derive(Debug, Clone, Deserialize)]
pub struct DeviceFacts {
    pub serial_number: SerialNumber,
    /// `None` only for a device that was deleted before it was ever reported.
    pub platform: Option<Platform>,
    pub udid: Option<Udid>,
    pub okta_device_id: Option<OktaDeviceId>,
    pub okta_device_id_reported_at: Option<DateTime<Utc>>,
    /// `None`: deleted, or never reported.
    pub enrollment: Option<EnrollmentState>,
    /// False for a tombstone.
    pub living: bool,
    /// The latest of all times at which the device left this MDM.
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
    /// What was delivered for this org, in whatever enrolment period.
    pub delivery: Option<Delivery>,
    /// Macs: the certificate with the newest `not_before` of this enrolment period.
    pub certificate: Option<CountingCertificate>,
}

/// A reported value and when it was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Reported<T> {
    pub value: T,
    pub at: DateTime<Utc>,
}

/// What was delivered to a device.
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

/// A device record of the org, as the mirror has it.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent columns of the mirror")]
pub struct OktaRecord {
    pub okta_device_id: OktaDeviceId,
    /// Okta's value: `MACOS`, `IOS` and others.
    pub platform: String,
    /// Okta's value: `ACTIVE`, `SUSPENDED`, `DEACTIVATED` and others.
    pub status: String,
    /// `None` also for a text that is no serial number, such as an unfilled macro.
    #[serde(deserialize_with = "serial_number_or_none")]
    pub serial_number: Option<SerialNumber>,
    /// `None` also for a text that is no UDID.
    #[serde(deserialize_with = "udid_or_none")]
    pub udid: Option<Udid>,
    pub display_name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_updated_at: DateTime<Utc>,
    pub users: Vec<OktaDeviceUser>,
    /// Okta said of every user whether he is managed, and the list is complete.
    pub users_known: bool,
    /// When the last read of the record's users by its id began.
    pub users_read_at: Option<DateTime<Utc>>,
    /// The latest time at which a user was ever added to the record.
    pub users_added_at: Option<DateTime<Utc>>,
    /// The newest `lastUpdated` that shows a sign-in.
    pub used_at: Option<DateTime<Utc>>,
    /// When the read began that showed it.
    pub use_seen_at: Option<DateTime<Utc>>,
    /// The `lastUpdated` with which its serial number or UDID last changed.
    pub identity_changed_at: Option<DateTime<Utc>>,
    /// Its identifiers changed and changed back within 30 days: it is no device's record.
    pub disputed: bool,
    /// It carries the serial number or UDID of another living device than the one that was found, or
    /// the MDM reported its id for another one. Where none was found, of a deleted one too.
    pub names_another: bool,
    /// When this row was last read apart from sweeps.
    pub observed_at: DateTime<Utc>,
    /// The last sweep confirmed it, so it is as fresh as the sweep.
    pub follows_sweeps: bool,
    /// When the users were last read, where that is not when the rest was.
    pub users_observed_at: Option<DateTime<Utc>>,
    /// When Okta answered 404 for its id.
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

/// The clocks of Okta and the MDM may differ by this much.
const CLOCK_MARGIN: TimeDelta = TimeDelta::minutes(5);

impl AskedDevice {
    /// Whether Okta's id is the only identifier.
    pub fn is_okta_id_alone(&self) -> bool {
        self.okta_device_id.is_some() && self.serial_number.is_none() && self.udid.is_none()
    }
}

impl DeviceFacts {
    /// Whether the MDM deleted the device and has not reported it since.
    pub fn is_deleted(&self) -> bool {
        !self.living
    }

    /// Whether the MDM no longer manages the device: unenrolled, wiped or deleted.
    pub fn has_left(&self) -> bool {
        self.is_deleted()
            || matches!(self.enrollment, Some(EnrollmentState::Unenrolled | EnrollmentState::Wiped))
    }

    /// Whether the MDM manages the device.
    pub fn is_managed(&self) -> bool {
        self.living && self.enrollment == Some(EnrollmentState::Enrolled)
    }

    /// The beginning of the device's present life. `None`: it never left, and no `enrolled_at` was
    /// reported.
    pub fn present_since(&self) -> Option<DateTime<Utc>> {
        let after_leaving = self.left_at.map(|left| left + CLOCK_MARGIN);
        let enrolled_since = self.left_at.and(self.enrolled_since);
        after_leaving.max(enrolled_since).max(self.last_enrolled_at)
    }

    /// Whether something of that time belongs to the present enrolment period.
    fn is_of_this_period(&self, at: DateTime<Utc>) -> bool {
        self.left_at.is_none_or(|left| at > left)
    }

    fn in_this_period<T: Copy>(&self, reported: Option<Reported<T>>) -> Option<T> {
        reported
            .filter(|reported| self.is_of_this_period(reported.at))
            .map(|reported| reported.value)
    }

    /// The delivery, if it was made in this enrolment period.
    pub fn counting_delivery(&self) -> Option<&Delivery> {
        let counts = |delivery: &&Delivery| self.is_of_this_period(delivery.delivered_at);
        self.delivery.as_ref().filter(|_| self.is_managed()).filter(counts)
    }

    /// Okta's id as the MDM reported it in this enrolment period.
    pub fn counting_okta_device_id(&self) -> Option<&OktaDeviceId> {
        let at = self.okta_device_id_reported_at?;
        self.okta_device_id.as_ref().filter(|_| self.is_of_this_period(at))
    }

    /// When Okta Verify was installed, if that was reported in this enrolment period.
    pub fn okta_verify_installed_at(&self) -> Option<DateTime<Utc>> {
        self.in_this_period(self.okta_verify)
    }

    pub fn is_lost(&self) -> bool {
        self.in_this_period(self.lost_mode) == Some(true)
    }

    /// When the device last reached the MDM in this enrolment period, as the MDM reported it.
    pub fn checked_in_at(&self) -> Option<DateTime<Utc>> {
        self.in_this_period(self.check_in)
    }

    /// When the MDM last knew something of the device: its check-in, the beginning of its present life,
    /// or its first report.
    pub fn last_seen_at(&self) -> DateTime<Utc> {
        self.checked_in_at().max(self.present_since()).unwrap_or(self.first_reported_at)
    }
}

impl OktaRecord {
    pub const SUSPENDED: &str = "SUSPENDED";
    pub const DEACTIVATED: &str = "DEACTIVATED";

    /// When the oldest part of it was last seen.
    pub fn seen_at(&self, swept_at: DateTime<Utc>) -> DateTime<Utc> {
        let seen =
            if self.follows_sweeps { self.observed_at.max(swept_at) } else { self.observed_at };
        self.users_observed_at.map_or(seen, |users| users.min(seen))
    }

    pub fn is_active(&self) -> bool {
        self.status == OktaDevice::ACTIVE
    }

    /// Whether Okta made the record before a device registered: nobody uses it yet.
    pub fn is_pre_registered(&self) -> bool {
        self.status == OktaDevice::CREATED && self.users.is_empty()
    }

    /// The platform, if it is one that can be configured.
    pub fn known_platform(&self) -> Option<Platform> {
        match self.platform.as_str() {
            "MACOS" => Some(Platform::Macos),
            "IOS" => Some(Platform::Ios),
            _ => None,
        }
    }
}
