//! What a verdict rests on: what the MDM reported of a device, what the mirror knows of it, and how
//! the org stands. Facts alone: what follows from them is decided next door.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::devices::reports::EnrollmentState;
use crate::model::{IntegrationId, OktaDevice, OktaDeviceUser, Platform};

/// What a device is asked for by: at least one of the three.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskedDevice {
    pub serial_number: Option<String>,
    pub udid: Option<String>,
    pub okta_device_id: Option<String>,
}

/// All that is known of one device for one org.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub asked: AskedDevice,
    /// `None`: the tenant has connected no org.
    pub org: Option<Arc<OrgFacts>>,
    /// The device in the MDM's inventory, also a deleted one.
    pub device: Option<DeviceFacts>,
    /// The identifiers lead to several devices of the inventory, of which `device` is one.
    pub several_devices: bool,
    /// Every record of the org that one of the identifiers names.
    pub okta_devices: Vec<OktaRecord>,
    /// Only known, and only true, where an iOS device has no record.
    pub unmatched_ios: UnmatchedIos,
    /// When Okta was last asked, for this caller, whether it has a record of the device.
    pub searched_at: Option<DateTime<Utc>>,
    /// Facts that are too old for the caller could not be renewed: the budget is spent, or the device
    /// was read a moment ago.
    pub budget_exhausted: bool,
}

/// Which iOS records the org has that are of no device of the inventory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct UnmatchedIos {
    /// One that could be any device: it names none.
    pub nameless: bool,
    /// One that names a UDID alone: it can be a device of which no UDID is known.
    pub udid_only: bool,
}

/// How the org stands.
#[derive(Debug, Clone, Deserialize)]
pub struct OrgFacts {
    pub id: IntegrationId,
    pub okta_domain: String,
    /// Credentials are stored.
    pub connected: bool,
    /// The platforms that are configured.
    pub platforms: Vec<Platform>,
    /// When the last complete sweep began: nothing in the mirror is older.
    pub swept_at: Option<DateTime<Utc>>,
    pub degraded: bool,
}

/// A device of the inventory.
#[derive(Debug, Clone, Deserialize)]
pub struct DeviceFacts {
    pub serial_number: String,
    /// `None` only where a device was deleted that nobody had reported.
    pub platform: Option<Platform>,
    pub udid: Option<String>,
    pub okta_device_id: Option<String>,
    /// `None`: never told, or cleared.
    pub enrollment: Option<EnrollmentState>,
    pub okta_verify_installed_at: Option<DateTime<Utc>>,
    /// What was reported before this belongs to an earlier enrolment.
    pub counts_from: Option<DateTime<Utc>>,
    pub reported_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
    /// What was delivered for this org.
    pub delivery: Option<Delivery>,
    /// Macs: the certificate that counts, the newest by its beginning.
    pub certificate: Option<CountingCertificate>,
}

/// What was delivered to a device.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    pub config_version: i64,
    pub reported_at: DateTime<Utc>,
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
pub struct OktaRecord {
    pub okta_device_id: String,
    /// Okta's word: `MACOS`, `IOS` and others.
    pub platform: String,
    /// Okta's word: `ACTIVE`, `SUSPENDED`, `DEACTIVATED` and others.
    pub status: String,
    pub serial_number: Option<String>,
    pub udid: Option<String>,
    pub display_name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_updated_at: DateTime<Utc>,
    pub users: Vec<OktaDeviceUser>,
    /// Okta told of every user how he is managed.
    pub users_known: bool,
    /// When this row was last read apart from sweeps.
    pub observed_at: DateTime<Utc>,
    /// The last sweep confirmed it, so it is as fresh as the sweep.
    pub follows_sweeps: bool,
    /// When the users were last told, where that is not when the rest was.
    pub users_observed_at: Option<DateTime<Utc>>,
    /// When Okta said that it has no such device.
    pub not_found_at: Option<DateTime<Utc>>,
}

impl Facts {
    /// The record that counts: a device that comes back after a wipe has a second one.
    pub fn newest(&self) -> Option<&OktaRecord> {
        self.okta_devices.iter().max_by_key(|record| (record.created_at, &record.okta_device_id))
    }

    /// Whether the identifiers are not those of one device: they lead to several, they contradict each
    /// other, or nothing but the question says that they belong together.
    pub fn identities_conflict(&self) -> bool {
        self.several_devices || self.words_differ() || self.is_loose()
    }

    /// Those asked and the device's own, or either and those of a record. A record of Okta's may lack
    /// them, and then contradicts nothing.
    fn words_differ(&self) -> bool {
        let device = self.device.as_ref();
        let serials = [
            self.asked.serial_number.as_deref(),
            device.map(|device| device.serial_number.as_str()),
        ];
        let udids = [self.asked.udid.as_deref(), device.and_then(|device| device.udid.as_deref())];
        let records = self.okta_devices.iter();
        let their_serials: Vec<&str> =
            records.clone().filter_map(|record| record.serial_number.as_deref()).collect();
        let their_udids: Vec<&str> = records
            .filter(|record| !self.is_before_a_repair(record))
            .filter_map(|record| record.udid.as_deref())
            .collect();
        differ(serials, &their_serials) || differ(udids, &their_udids)
    }

    /// An older record with the serial number of the newest one: a repair leaves a Mac its serial number
    /// and gives it another UDID.
    fn is_before_a_repair(&self, record: &OktaRecord) -> bool {
        self.newest().is_some_and(|newest| {
            newest.okta_device_id != record.okta_device_id
                && newest.serial_number.is_some()
                && newest.serial_number == record.serial_number
        })
    }

    /// Okta's id leads elsewhere than the other identifiers, or a record to no device.
    fn is_loose(&self) -> bool {
        let records = &self.okta_devices;
        let asked = self.asked.okta_device_id.as_deref();
        // Okta has no such record, but others that the other identifiers name.
        let is_there = |id| records.iter().any(|record| record.okta_device_id == id);
        if asked.is_some_and(|id| !is_there(id)) && !records.is_empty() {
            return true;
        }
        match &self.device {
            Some(device) => records.iter().any(|record| !record.is_of(device)),
            None => records.len() > 1 && !self.are_tied(),
        }
    }

    /// Whether the records' own words make them records of one device; no two of the words differ.
    fn are_tied(&self) -> bool {
        let all = |has: fn(&OktaRecord) -> bool| self.okta_devices.iter().all(has);
        let has_serial = |record: &OktaRecord| record.serial_number.is_some();
        let has_udid = |record: &OktaRecord| record.udid.is_some();
        let bridge = |record: &OktaRecord| record.serial_number.is_some() && record.udid.is_some();
        all(has_serial)
            || all(has_udid)
            || (all(OktaRecord::names_a_device) && self.okta_devices.iter().any(bridge))
    }

    /// Whether the org has an iOS record that may be this device's.
    pub fn has_unmatched_ios(&self) -> bool {
        let has_udid = self.device.as_ref().is_some_and(|device| device.udid.is_some());
        let UnmatchedIos { nameless, udid_only } = self.unmatched_ios;
        nameless || (udid_only && !has_udid && self.asked.udid.is_none())
    }

    /// When the oldest record that the verdict uses was last seen.
    pub fn observed_at(&self, swept_at: DateTime<Utc>) -> DateTime<Utc> {
        let seen = |record: &OktaRecord| record.seen_at(swept_at);
        // One record decides, but that identifiers contradict each other takes them all.
        let oldest = if self.identities_conflict() {
            self.okta_devices.iter().map(seen).min()
        } else {
            self.newest().map(seen)
        };
        oldest.unwrap_or_else(|| self.searched_at.map_or(swept_at, |at| at.max(swept_at)))
    }

    /// The platform: what the MDM says, else what Okta says.
    pub fn platform(&self) -> Option<Platform> {
        let reported = self.device.as_ref().and_then(|device| device.platform);
        reported.or_else(|| self.newest().and_then(OktaRecord::known_platform))
    }
}

/// Whether two of the words that are there differ.
fn differ(known: [Option<&str>; 2], others: &[&str]) -> bool {
    let mut words = known.into_iter().flatten().chain(others.iter().copied());
    let first = words.next();
    words.any(|word| Some(word) != first)
}

impl DeviceFacts {
    /// The MDM deleted the device and has not reported it since.
    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some_and(|at| at >= self.reported_at)
    }

    /// The MDM says that it manages the device no more.
    pub fn is_given_up(&self) -> bool {
        let left =
            matches!(self.enrollment, Some(EnrollmentState::Unenrolled | EnrollmentState::Wiped));
        self.is_deleted() || left
    }

    /// The MDM says that it manages the device.
    pub fn is_managed(&self) -> bool {
        !self.is_deleted() && self.enrollment == Some(EnrollmentState::Enrolled)
    }

    /// The delivery, when it belongs to this enrolment.
    pub fn counting_delivery(&self) -> Option<&Delivery> {
        let counts =
            |delivery: &&Delivery| self.counts_from.is_none_or(|from| delivery.reported_at >= from);
        self.delivery.as_ref().filter(|_| self.is_managed()).filter(counts)
    }
}

impl OktaRecord {
    /// When all of it was last seen.
    pub fn seen_at(&self, swept_at: DateTime<Utc>) -> DateTime<Utc> {
        let seen =
            if self.follows_sweeps { self.observed_at.max(swept_at) } else { self.observed_at };
        self.users_observed_at.map_or(seen, |users| users.min(seen))
    }

    /// Whether the MDM's identifiers make it a record of this device.
    fn is_of(&self, device: &DeviceFacts) -> bool {
        let same = |one: &Option<String>, other: Option<&str>| {
            one.as_deref().is_some_and(|word| Some(word) == other)
        };
        same(&self.serial_number, Some(&device.serial_number))
            || same(&self.udid, device.udid.as_deref())
            || device.okta_device_id.as_deref() == Some(&self.okta_device_id)
    }

    fn names_a_device(&self) -> bool {
        self.serial_number.is_some() || self.udid.is_some()
    }

    /// Whether Okta has the device and lets it in.
    pub fn is_active(&self) -> bool {
        self.not_found_at.is_none() && self.status == OktaDevice::ACTIVE
    }

    /// The platform, where it is one that can be configured.
    pub fn known_platform(&self) -> Option<Platform> {
        match self.platform.as_str() {
            "MACOS" => Some(Platform::Macos),
            "IOS" => Some(Platform::Ios),
            _ => None,
        }
    }
}
