//! Which of Okta's records belong to the device, and which of those count in its present life.
//!
//! `MANAGED` is what Okta concluded at the last FastPass sign-in. It survives a wipe, an unenrolment and
//! a change of MDM, so a record counts only with evidence from the device's present life: it was
//! created, used, or had a managed user added since that life began and since a newer record of the device
//! was created.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::trust_status::{DeviceFacts, Facts, OktaRecord};
use crate::model::{OktaDeviceId, OktaDeviceUser, Platform, SerialNumber, Udid};

/// Whether a record counts for the verdict, and if not, why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordStanding {
    /// Created, used or had a managed user added since the device's present life began.
    Counts,
    /// Not used since the device was last enrolled.
    NotUsedSinceEnrolment,
    /// Not used since a newer record of the device was created.
    Superseded,
    /// It contradicts what is known of the device, or names another one.
    AnotherDevice,
    /// Its identifiers changed and changed back, so it belongs to no device.
    Disputed,
    /// Created before a device registered; it has no users.
    PreRegistered,
    /// Okta no longer has the record.
    NotFound,
}

/// A record with its standing and its users.
#[derive(Debug, Clone)]
pub struct AssessedRecord<'a> {
    pub record: &'a OktaRecord,
    pub standing: RecordStanding,
    pub users: Vec<AssessedUser<'a>>,
}

/// A user of a record, and whether the user counts.
#[derive(Debug, Clone, Copy)]
pub struct AssessedUser<'a> {
    pub user: &'a OktaDeviceUser,
    pub counts: bool,
}

/// The identifiers and platform that a record must not contradict.
struct Identity<'a> {
    serial_number: Option<&'a SerialNumber>,
    udid: Option<&'a Udid>,
    okta_device_id: Option<&'a OktaDeviceId>,
    /// In Okta's spelling.
    platform: Option<&'a str>,
    /// The device is a Mac and the MDM reported its UDID.
    is_mac_with_udid: bool,
}

impl Facts {
    /// Returns the records with their standing, newest first.
    pub fn assess_records(&self) -> Vec<AssessedRecord<'_>> {
        let identity = self.identity();
        let life = self.device.as_ref().and_then(DeviceFacts::present_since);
        // Includes records that no longer exist: deleting the newer record does not revive the older one.
        let created: Vec<DateTime<Utc>> = self
            .records
            .iter()
            .filter(|record| !record.is_pre_registered() && identity.matches(record))
            .map(|record| record.created_at)
            .collect();
        let mut assessed: Vec<AssessedRecord<'_>> = self
            .records
            .iter()
            .map(|record| {
                let since = life.max(record.identity_changed_at);
                let users = assess_users(record, since);
                let standing = identity.exclusion(record).unwrap_or_else(|| {
                    let newer = created.iter().filter(|at| **at > record.created_at).max();
                    standing_by_evidence(record, &users, since, newer.copied())
                });
                AssessedRecord { record, standing, users }
            })
            .collect();
        assessed.sort_by(|left, right| right.record.age_key().cmp(&left.record.age_key()));
        assessed
    }

    /// Returns the identity that records are compared with: that of the inventory; otherwise the queried
    /// identifiers; in a query by Okta ID only, those of the record.
    fn identity(&self) -> Identity<'_> {
        if let Some(device) = &self.device {
            return Identity {
                serial_number: Some(&device.serial_number),
                udid: device.udid.as_ref(),
                okta_device_id: device.counting_okta_device_id(),
                platform: device.platform.map(okta_platform),
                is_mac_with_udid: device.platform == Some(Platform::Macos) && device.udid.is_some(),
            };
        }
        if self.asked.is_okta_id_only() {
            let record = self.asked_record();
            return Identity {
                serial_number: record.and_then(|record| record.serial_number.as_ref()),
                udid: record.and_then(|record| record.udid.as_ref()),
                okta_device_id: self.asked.okta_device_id.as_ref(),
                platform: record.map(|record| record.platform.as_str()),
                is_mac_with_udid: false,
            };
        }
        Identity {
            serial_number: self.asked.serial_number.as_ref(),
            udid: self.asked.udid.as_ref(),
            okta_device_id: None,
            platform: None,
            is_mac_with_udid: false,
        }
    }

    /// Iterates over the users that the verdict depends on: the counting users of active, counting records;
    /// in a query by Okta ID, of that record.
    pub fn deciding_users<'a>(
        &'a self,
        assessed: &'a [AssessedRecord<'a>],
    ) -> impl Iterator<Item = &'a OktaDeviceUser> {
        assessed
            .iter()
            .filter(|assessed| self.decides(assessed))
            .flat_map(AssessedRecord::counting_users)
    }

    /// Returns whether the verdict depends on the users of this record.
    pub(super) fn decides(&self, assessed: &AssessedRecord<'_>) -> bool {
        let asked = self.asked.okta_device_id.as_ref();
        assessed.counts()
            && assessed.record.is_active()
            && asked.is_none_or(|asked| assessed.record.okta_device_id == *asked)
    }

    /// Returns the record with the queried Okta ID, if the mirror has it.
    pub fn asked_record(&self) -> Option<&OktaRecord> {
        let asked = self.asked.okta_device_id.as_ref()?;
        self.records.iter().find(|record| record.okta_device_id == *asked)
    }
}

impl Identity<'_> {
    /// Returns why the record cannot count, whatever its evidence.
    fn exclusion(&self, record: &OktaRecord) -> Option<RecordStanding> {
        if record.not_found_at.is_some() {
            return Some(RecordStanding::NotFound);
        }
        if record.disputed {
            return Some(RecordStanding::Disputed);
        }
        if record.is_pre_registered() {
            return Some(RecordStanding::PreRegistered);
        }
        (!self.matches(record)).then_some(RecordStanding::AnotherDevice)
    }

    /// Returns whether the record belongs to the device by its identifiers and platform.
    fn matches(&self, record: &OktaRecord) -> bool {
        !record.disputed && self.is_named_by(record) && !self.is_contradicted_by(record)
    }

    fn is_named_by(&self, record: &OktaRecord) -> bool {
        if self.okta_device_id == Some(&record.okta_device_id) {
            return true;
        }
        match (self.udid, &record.udid) {
            (Some(udid), Some(other)) => udid == other,
            // Okta Verify reads the UDID on every Mac. A record without one that has a Mac's serial number
            // belongs to another machine.
            (Some(_), None) if self.is_mac_with_udid => false,
            _ => {
                self.serial_number.is_some() && self.serial_number == record.serial_number.as_ref()
            }
        }
    }

    fn is_contradicted_by(&self, record: &OktaRecord) -> bool {
        let differ = |left: Option<&str>, right: Option<&str>| {
            left.zip(right).is_some_and(|(left, right)| left != right)
        };
        let serial = record.serial_number.as_ref().map(SerialNumber::as_str);
        let udid = record.udid.as_ref().map(Udid::as_str);
        record.names_another
            || differ(self.serial_number.map(SerialNumber::as_str), serial)
            || differ(self.udid.map(Udid::as_str), udid)
            || self.platform.is_some_and(|platform| record.platform != platform)
    }
}

fn okta_platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Macos => "MACOS",
        Platform::Ios => "IOS",
    }
}

/// Returns the standing of a record of the device by its evidence from the present life.
fn standing_by_evidence(
    record: &OktaRecord,
    users: &[AssessedUser<'_>],
    since: Option<DateTime<Utc>>,
    newer_created: Option<DateTime<Utc>>,
) -> RecordStanding {
    let last = last_evidence(record, users);
    if since.is_some_and(|since| last < since) {
        RecordStanding::NotUsedSinceEnrolment
    } else if newer_created.is_some_and(|newer| last < newer) {
        RecordStanding::Superseded
    } else {
        RecordStanding::Counts
    }
}

/// Returns when the record was last created, used, or had a managed user added.
fn last_evidence(record: &OktaRecord, users: &[AssessedUser<'_>]) -> DateTime<Utc> {
    let added = users
        .iter()
        .filter(|assessed| assessed.user.is_managed() && !assessed.user.cannot_sign_in())
        .filter_map(|assessed| assessed.user.created)
        .max();
    Some(record.created_at).max(record.used_at).max(added).unwrap_or(record.created_at)
}

/// Decides which users count. Evidence belongs to the record, `MANAGED` to a user: on a record from before
/// the present life, an earlier user counts only if nobody else can have used the record since.
fn assess_users(record: &OktaRecord, since: Option<DateTime<Utc>>) -> Vec<AssessedUser<'_>> {
    let is_in_present_life = |at: DateTime<Utc>| since.is_none_or(|since| at >= since);
    let earlier_users_count = is_in_present_life(record.created_at)
        || since.is_some_and(|since| used_only_by_managed_users_since(record, since));
    let assess = |user| {
        let present = !OktaDeviceUser::cannot_sign_in(user);
        let added_since = user.created.is_some_and(is_in_present_life);
        AssessedUser { user, counts: present && (earlier_users_count || added_since) }
    };
    record.users.iter().map(assess).collect()
}

/// Returns whether the record was used since `since` while all its users were added before, and a read
/// that began after the use was seen shows all of them as managed.
fn used_only_by_managed_users_since(record: &OktaRecord, since: DateTime<Utc>) -> bool {
    let used = record.used_at.is_some_and(|used| used >= since);
    let no_user_added = record.users_added_at.is_some_and(|added| added < since);
    let read_after_use =
        record.users_read_at.zip(record.use_seen_at).is_some_and(|(read, seen)| read >= seen);
    let all_managed = record.users_known && record.users.iter().all(OktaDeviceUser::is_managed);
    used && no_user_added && read_after_use && all_managed
}

impl OktaRecord {
    fn age_key(&self) -> (DateTime<Utc>, &OktaDeviceId) {
        (self.created_at, &self.okta_device_id)
    }
}

impl<'a> AssessedRecord<'a> {
    pub fn counts(&self) -> bool {
        self.standing == RecordStanding::Counts
    }

    /// Returns whether the record belongs to the device, whether it counts or not.
    pub fn belongs_to_device(&self) -> bool {
        matches!(
            self.standing,
            RecordStanding::Counts
                | RecordStanding::NotUsedSinceEnrolment
                | RecordStanding::Superseded
        )
    }

    /// Iterates over the users that count.
    pub fn counting_users(&self) -> impl Iterator<Item = &'a OktaDeviceUser> + '_ {
        self.users.iter().filter(|assessed| assessed.counts).map(|assessed| assessed.user)
    }

    /// Returns whether all users that may count are known. If it is unknown when a user was added to a
    /// record from before the present life, it is unknown whether the user counts.
    pub fn are_users_known(&self) -> bool {
        let is_unclear = |assessed: &AssessedUser<'_>| {
            !assessed.counts && !assessed.user.cannot_sign_in() && assessed.user.created.is_none()
        };
        self.record.users_known && !self.users.iter().any(is_unclear)
    }

    pub fn has_managed_user(&self) -> bool {
        self.counting_users().any(OktaDeviceUser::is_managed)
    }

    /// Returns when it was last created, used or had a managed user added.
    pub fn last_evidence_at(&self) -> DateTime<Utc> {
        last_evidence(self.record, &self.users)
    }
}
