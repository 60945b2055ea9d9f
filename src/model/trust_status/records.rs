//! Which of Okta's records are the device's, and which of those count in its present life.
//!
//! `MANAGED` is what Okta concluded at the last FastPass sign-in. It survives a wipe, an unenrolment and
//! a change of MDM, so a record counts only with evidence from the device's present life: it was
//! created, used, or given a managed user since that life began and since a newer record of the device
//! was created.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::trust_status::{DeviceFacts, Facts, OktaRecord};
use crate::model::{OktaDeviceId, OktaDeviceUser, Platform, SerialNumber, Udid};

/// Whether a record counts for the verdict, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordStanding {
    /// Created, used or given a managed user since the device's present life began.
    Counts,
    /// Not used since the device was last enrolled.
    NotUsedSinceEnrolment,
    /// Not used since a newer record of the device was created.
    Superseded,
    /// It contradicts what is known of the device, or names another one.
    AnotherDevice,
    /// Its identifiers changed and changed back: no device's record.
    Disputed,
    /// Made before a device registered; it has no users.
    PreRegistered,
    /// Okta has no such record any more.
    NotFound,
}

/// A record with its standing and its users.
#[derive(Debug, Clone)]
pub struct WeighedRecord<'a> {
    pub record: &'a OktaRecord,
    pub standing: RecordStanding,
    pub users: Vec<WeighedUser<'a>>,
}

/// A user of a record, and whether he counts as one.
#[derive(Debug, Clone, Copy)]
pub struct WeighedUser<'a> {
    pub user: &'a OktaDeviceUser,
    pub counts: bool,
}

/// The identifiers and platform that a record must not contradict.
struct Identity<'a> {
    serial_number: Option<&'a SerialNumber>,
    udid: Option<&'a Udid>,
    okta_device_id: Option<&'a OktaDeviceId>,
    /// Okta's word for it.
    platform: Option<&'a str>,
    /// The MDM reported the UDID of this Mac.
    is_mac_with_udid: bool,
}

impl Facts {
    /// The records that an identifier names, each with its standing; the newest first.
    pub fn weigh(&self) -> Vec<WeighedRecord<'_>> {
        let identity = self.identity();
        let life = self.device.as_ref().and_then(DeviceFacts::present_since);
        // Also of records that are gone: that a newer one existed is not undone by deleting it.
        let own_created: Vec<DateTime<Utc>> = self
            .records
            .iter()
            .filter(|record| !record.is_pre_registered() && identity.owns(record))
            .map(|record| record.created_at)
            .collect();
        let mut weighed: Vec<WeighedRecord<'_>> = self
            .records
            .iter()
            .map(|record| {
                let since = life.max(record.identity_changed_at);
                let users = weigh_users(record, since);
                let standing = identity.refuse(record).unwrap_or_else(|| {
                    let newer = own_created.iter().filter(|at| **at > record.created_at).max();
                    stand(record, &users, since, newer.copied())
                });
                WeighedRecord { record, standing, users }
            })
            .collect();
        weighed.sort_by(|one, other| other.record.age().cmp(&one.record.age()));
        weighed
    }

    /// The device as records are compared with it: that of the inventory, else the asked identifiers
    /// stand for one; asked by an Okta id alone, it is that of its record.
    fn identity(&self) -> Identity<'_> {
        if let Some(device) = &self.device {
            return Identity {
                serial_number: Some(&device.serial_number),
                udid: device.udid.as_ref(),
                okta_device_id: device.counting_okta_device_id(),
                platform: device.platform.map(okta_word),
                is_mac_with_udid: device.platform == Some(Platform::Macos) && device.udid.is_some(),
            };
        }
        if self.asked.is_okta_id_alone() {
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

    /// The users that the verdict depends on: those that count, of active records that count. Asked by an
    /// Okta id: of its record.
    pub fn deciding_users<'a>(
        &'a self,
        weighed: &'a [WeighedRecord<'a>],
    ) -> impl Iterator<Item = &'a OktaDeviceUser> {
        weighed
            .iter()
            .filter(|weighed| self.decides(weighed))
            .flat_map(WeighedRecord::counting_users)
    }

    /// Whether the users of this record decide.
    pub(super) fn decides(&self, weighed: &WeighedRecord<'_>) -> bool {
        let asked = self.asked.okta_device_id.as_ref();
        weighed.counts()
            && weighed.record.is_active()
            && asked.is_none_or(|asked| weighed.record.okta_device_id == *asked)
    }

    /// The record with the asked Okta id, if the mirror has it.
    pub fn asked_record(&self) -> Option<&OktaRecord> {
        let asked = self.asked.okta_device_id.as_ref()?;
        self.records.iter().find(|record| record.okta_device_id == *asked)
    }
}

impl Identity<'_> {
    /// Why the record cannot count, whatever was done with it.
    fn refuse(&self, record: &OktaRecord) -> Option<RecordStanding> {
        if record.not_found_at.is_some() {
            return Some(RecordStanding::NotFound);
        }
        if record.disputed {
            return Some(RecordStanding::Disputed);
        }
        if record.is_pre_registered() {
            return Some(RecordStanding::PreRegistered);
        }
        (!self.owns(record)).then_some(RecordStanding::AnotherDevice)
    }

    /// Whether the record is the device's by what it says of itself.
    fn owns(&self, record: &OktaRecord) -> bool {
        !record.disputed && self.is_named_by(record) && !self.is_contradicted_by(record)
    }

    fn is_named_by(&self, record: &OktaRecord) -> bool {
        if self.okta_device_id == Some(&record.okta_device_id) {
            return true;
        }
        match (self.udid, &record.udid) {
            (Some(udid), Some(other)) => udid == other,
            // Every Mac tells Okta Verify its UDID; a record without one that claims a Mac's serial
            // number is some other machine's.
            (Some(_), None) if self.is_mac_with_udid => false,
            _ => {
                self.serial_number.is_some() && self.serial_number == record.serial_number.as_ref()
            }
        }
    }

    fn is_contradicted_by(&self, record: &OktaRecord) -> bool {
        let differ = |one: Option<&str>, other: Option<&str>| {
            one.zip(other).is_some_and(|(one, other)| one != other)
        };
        let serial = record.serial_number.as_ref().map(SerialNumber::as_str);
        let udid = record.udid.as_ref().map(Udid::as_str);
        record.names_another
            || differ(self.serial_number.map(SerialNumber::as_str), serial)
            || differ(self.udid.map(Udid::as_str), udid)
            || self.platform.is_some_and(|platform| record.platform != platform)
    }
}

fn okta_word(platform: Platform) -> &'static str {
    match platform {
        Platform::Macos => "MACOS",
        Platform::Ios => "IOS",
    }
}

/// Whether a record of the device has evidence from its present life.
fn stand(
    record: &OktaRecord,
    users: &[WeighedUser<'_>],
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

/// When the record was last created, used, or given a managed user.
fn last_evidence(record: &OktaRecord, users: &[WeighedUser<'_>]) -> DateTime<Utc> {
    let added = users
        .iter()
        .filter(|weighed| weighed.user.is_managed() && !weighed.user.has_left())
        .filter_map(|weighed| weighed.user.created)
        .max();
    Some(record.created_at).max(record.used_at).max(added).unwrap_or(record.created_at)
}

/// Evidence is the record's, `MANAGED` is the user's: on a record from before the present life, a user
/// who was added before it counts only if that user must be the one who used the record since.
fn weigh_users(record: &OktaRecord, since: Option<DateTime<Utc>>) -> Vec<WeighedUser<'_>> {
    let of_this_life = |at: DateTime<Utc>| since.is_none_or(|since| at >= since);
    let earlier_users_count =
        of_this_life(record.created_at) || since.is_some_and(|since| all_used_since(record, since));
    let weigh = |user| {
        let present = !OktaDeviceUser::has_left(user);
        let added_since = user.created.is_some_and(of_this_life);
        WeighedUser { user, counts: present && (earlier_users_count || added_since) }
    };
    record.users.iter().map(weigh).collect()
}

/// Whether the record was used since then, by users who were all there before and are all managed by
/// a read that began after the use was seen.
fn all_used_since(record: &OktaRecord, since: DateTime<Utc>) -> bool {
    let used = record.used_at.is_some_and(|used| used >= since);
    let nobody_added = record.users_added_at.is_some_and(|added| added < since);
    let read_after_use =
        record.users_read_at.zip(record.use_seen_at).is_some_and(|(read, seen)| read >= seen);
    let all_managed = record.users_known && record.users.iter().all(OktaDeviceUser::is_managed);
    used && nobody_added && read_after_use && all_managed
}

impl OktaRecord {
    fn age(&self) -> (DateTime<Utc>, &OktaDeviceId) {
        (self.created_at, &self.okta_device_id)
    }
}

impl<'a> WeighedRecord<'a> {
    pub fn counts(&self) -> bool {
        self.standing == RecordStanding::Counts
    }

    /// Whether it is a record of the device, counting or not.
    pub fn is_the_devices(&self) -> bool {
        matches!(
            self.standing,
            RecordStanding::Counts
                | RecordStanding::NotUsedSinceEnrolment
                | RecordStanding::Superseded
        )
    }

    /// The users that count.
    pub fn counting_users(&self) -> impl Iterator<Item = &'a OktaDeviceUser> + '_ {
        self.users.iter().filter(|weighed| weighed.counts).map(|weighed| weighed.user)
    }

    /// Whether each user that may count is known. Without the time at which a user was added to a record
    /// from before the present life, nobody can say whether the user counts.
    pub fn are_users_known(&self) -> bool {
        let is_unclear = |weighed: &WeighedUser<'_>| {
            !weighed.counts && !weighed.user.has_left() && weighed.user.created.is_none()
        };
        self.record.users_known && !self.users.iter().any(is_unclear)
    }

    pub fn has_managed_user(&self) -> bool {
        self.counting_users().any(OktaDeviceUser::is_managed)
    }

    /// When it was last created, used or given a managed user.
    pub fn last_evidence_at(&self) -> DateTime<Utc> {
        last_evidence(self.record, &self.users)
    }
}
