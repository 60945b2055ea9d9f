//! What is known of a device, and how reports are merged into it: the newest of each group stands, so
//! that any order of the same reports ends in the same record. Pure: no clock and no I/O.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::devices::reports::{
    Certificate, Configuration, Delivery, DeviceReport, Enrollment, EnrollmentState, GroupResult,
    OktaVerify, ReportRefusal, ReportResults,
};
use crate::model::{IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid};

/// Certificates that are kept for each integration.
pub const MOST_CERTIFICATES: usize = 10;
/// The smallest difference of two times, in PostgreSQL as in our answers.
const NEXT: TimeDelta = TimeDelta::microseconds(1);

/// A value with the time at which it was told; `None` was told too: it is cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<T> {
    pub at: DateTime<Utc>,
    pub value: Option<T>,
}

/// The certificates of a device for one integration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// What was reported up to here was taken away.
    pub cleared_at: Option<DateTime<Utc>>,
    /// By the certificate's serial number.
    pub held: BTreeMap<String, Certificate>,
}

/// All that is known of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    pub serial_number: SerialNumber,
    /// That of the enrolment; `None` where a device was deleted that nobody had reported.
    pub platform: Option<Platform>,
    pub udid: Option<Told<Udid>>,
    pub okta_device_id: Option<Told<OktaDeviceId>>,
    /// `None`: the device is deleted, or was never there.
    pub enrollment: Option<Enrollment>,
    pub okta_verify: Option<Told<OktaVerify>>,
    pub deliveries: BTreeMap<IntegrationId, Told<Delivery>>,
    pub certificates: BTreeMap<IntegrationId, Certificates>,
    /// When an enrolment last ended: the newest unenrolled, wiped or deleted.
    pub ended_at: Option<DateTime<Utc>>,
    /// The newest that was told of the device as a Mac, and as an iPhone or iPad.
    pub macos_reported_at: Option<DateTime<Utc>>,
    pub ios_reported_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A device in a list, with how it stands to the integration that the list was asked for.
#[derive(Debug, Clone)]
pub struct ListedDevice {
    pub record: DeviceRecord,
    pub configuration: Option<Configuration>,
}

impl DeviceRecord {
    /// A device of which nothing is known yet.
    pub fn new(serial_number: SerialNumber, now: DateTime<Utc>) -> Self {
        Self {
            serial_number,
            platform: None,
            udid: None,
            okta_device_id: None,
            enrollment: None,
            okta_verify: None,
            deliveries: BTreeMap::new(),
            certificates: BTreeMap::new(),
            ended_at: None,
            macos_reported_at: None,
            ios_reported_at: None,
            deleted_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Known, and not deleted.
    pub fn is_living(&self) -> bool {
        self.enrollment.is_some()
    }

    /// What was reported before this belongs to an earlier enrolment and counts no more: up to the end
    /// of one, and all that was told of the device as one of another platform.
    pub fn counts_from(&self) -> Option<DateTime<Utc>> {
        let of_the_other = match self.platform {
            Some(Platform::Macos) => self.ios_reported_at,
            Some(Platform::Ios) => self.macos_reported_at,
            None => None,
        };
        self.ended_at.max(of_the_other).map(|last| last + NEXT)
    }

    /// The newest that is known, or when the device was deleted.
    pub fn reported_at(&self) -> Option<DateTime<Utc>> {
        let Some(enrollment) = &self.enrollment else { return self.deleted_at };
        let certificates = self.certificates.values().flat_map(|of_one| {
            of_one.held.values().map(|held| held.reported_at).chain(of_one.cleared_at)
        });
        std::iter::once(enrollment.reported_at)
            .chain(self.identity_reported_at())
            .chain(self.okta_verify.as_ref().map(|told| told.at))
            .chain(self.deliveries.values().map(|told| told.at))
            .chain(certificates)
            .max()
    }

    /// When an identifier was last told.
    pub fn identity_reported_at(&self) -> Option<DateTime<Utc>> {
        let udid = self.udid.as_ref().map(|told| told.at);
        udid.max(self.okta_device_id.as_ref().map(|told| told.at))
    }

    pub fn known_udid(&self) -> Option<&Udid> {
        self.udid.as_ref()?.value.as_ref()
    }

    pub fn known_okta_device_id(&self) -> Option<&OktaDeviceId> {
        self.okta_device_id.as_ref()?.value.as_ref()
    }

    fn counts(&self, reported_at: DateTime<Utc>) -> bool {
        self.counts_from().is_none_or(|from| reported_at >= from)
    }

    /// Okta Verify, as far as it was reported for this enrolment.
    pub fn counting_okta_verify(&self) -> Option<&OktaVerify> {
        let told = self.okta_verify.as_ref().filter(|told| self.counts(told.at))?;
        told.value.as_ref()
    }

    /// What was delivered in this enrolment, for each integration.
    pub fn counting_deliveries(&self) -> impl Iterator<Item = (IntegrationId, &Delivery)> {
        let counting = self.deliveries.iter().filter(|(_, told)| self.counts(told.at));
        counting.filter_map(|(id, told)| Some((*id, told.value.as_ref()?)))
    }

    /// The certificate with the newest `not_before` of this enrolment, for each integration.
    pub fn counting_certificates(&self) -> impl Iterator<Item = (IntegrationId, &Certificate)> {
        self.certificates.iter().filter_map(|(id, of_one)| {
            let counting = of_one.held.values().filter(|held| self.counts(held.reported_at));
            Some((*id, counting.max_by(|a, b| age_of(a).cmp(&age_of(b)))?))
        })
    }

    /// Merges a report; after a refusal the record must be thrown away.
    ///
    /// # Errors
    /// [`ReportRefusal::EnrollmentNeeded`], [`ReportRefusal::PlatformMismatch`].
    pub fn apply(&mut self, report: &DeviceReport) -> Result<ReportResults, ReportRefusal> {
        if let (Some(known), true, None) = (self.platform, self.is_living(), &report.enrollment)
            && known != report.platform
        {
            return Err(ReportRefusal::PlatformMismatch { known });
        }
        let mut results = ReportResults {
            identity: self.apply_identity(report),
            enrollment: report.enrollment.as_ref().map(|new| self.enroll(new, report.platform)),
            ..ReportResults::default()
        };
        let deleted_at = self.deleted_at;
        if let Some(value) = &report.okta_verify {
            let at = value.as_ref().map_or(report.reported_at, |verify| verify.reported_at);
            self.note(report.platform, at);
            let new = Told { at, value: value.clone() };
            results.okta_verify = Some(merge(&mut self.okta_verify, new, deleted_at));
        }
        for (id, value) in &report.deliveries {
            let at = value.as_ref().map_or(report.reported_at, |delivery| delivery.reported_at);
            self.note(report.platform, at);
            let mut slot = self.deliveries.remove(id);
            let new = Told { at, value: value.clone() };
            results.deliveries.insert(*id, merge(&mut slot, new, deleted_at));
            self.deliveries.extend(slot.map(|told| (*id, told)));
        }
        for (id, value) in &report.certificates {
            let at = value.as_ref().map_or(report.reported_at, |held| held.reported_at);
            self.note(report.platform, at);
            let stale = deleted_at.is_some_and(|deleted| at <= deleted);
            let result = match value {
                _ if stale => GroupResult::IgnoredStale,
                Some(new) => self.certificates.entry(*id).or_default().hold(new),
                None => self.certificates.entry(*id).or_default().clear(at),
            };
            results.certificates.insert(*id, result);
        }
        // What is newer than a deletion brings the device back only with an enrolment.
        let ignored = self.deleted_at.is_some() && !results.any_applied();
        if !self.is_living() && !ignored {
            return Err(ReportRefusal::EnrollmentNeeded);
        }
        self.correct(&mut results, report);
        Ok(results)
    }

    /// Deletes what was known up to `at`; by default all of it. Answers whether the device is gone.
    pub fn delete(&mut self, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> GroupResult {
        let at = at.unwrap_or_else(|| self.reported_at().map_or(now, |newest| newest.max(now)));
        if self.deleted_at.is_some_and(|deleted| at < deleted) {
            return GroupResult::IgnoredStale;
        }
        self.deleted_at = Some(at);
        self.ended_at = self.ended_at.max(Some(at));
        self.enrollment.take_if(|enrollment| enrollment.reported_at <= at);
        self.okta_verify.take_if(|told| told.at <= at);
        self.deliveries.retain(|_, told| told.at > at);
        for of_one in self.certificates.values_mut() {
            of_one.cleared_at.take_if(|cleared| *cleared <= at);
            of_one.held.retain(|_, held| held.reported_at > at);
        }
        self.certificates.retain(|_, of_one| *of_one != Certificates::default());
        if self.is_living() {
            self.udid.take_if(|told| told.at <= at);
            self.okta_device_id.take_if(|told| told.at <= at);
            return GroupResult::IgnoredStale;
        }
        // A device that is gone holds no identifier: another may have it.
        self.udid = None;
        self.okta_device_id = None;
        GroupResult::Applied
    }

    fn enroll(&mut self, new: &Enrollment, platform: Platform) -> GroupResult {
        self.note(platform, new.reported_at);
        if self.deleted_at.is_some_and(|deleted| new.reported_at <= deleted) {
            return GroupResult::IgnoredStale;
        }
        if new.state != EnrollmentState::Enrolled {
            self.ended_at = self.ended_at.max(Some(new.reported_at));
        }
        let known = self.enrollment.as_ref().zip(self.platform);
        let rank = |of: &Enrollment, platform| (of.reported_at, of.state, of.enrolled_at, platform);
        let order = known
            .map_or(Ordering::Greater, |(known, of)| rank(new, platform).cmp(&rank(known, of)));
        if order == Ordering::Greater {
            self.enrollment = Some(new.clone());
            self.platform = Some(platform);
        }
        result_of(order)
    }

    fn apply_identity(&mut self, report: &DeviceReport) -> Option<GroupResult> {
        let (at, deleted_at) = (report.reported_at, self.deleted_at);
        let udid = report.udid.clone();
        let udid = udid.map(|value| merge(&mut self.udid, Told { at, value }, deleted_at));
        let okta = report.okta_device_id.clone();
        let okta =
            okta.map(|value| merge(&mut self.okta_device_id, Told { at, value }, deleted_at));
        udid.max(okta)
    }

    fn note(&mut self, platform: Platform, at: DateTime<Utc>) {
        let newest = match platform {
            Platform::Macos => &mut self.macos_reported_at,
            Platform::Ios => &mut self.ios_reported_at,
        };
        *newest = (*newest).max(Some(at));
    }

    /// What was taken in but belongs to an earlier enrolment is told as stale.
    fn correct(&self, results: &mut ReportResults, report: &DeviceReport) {
        let stale = |result: &mut GroupResult, at: Option<DateTime<Utc>>| {
            if *result == GroupResult::Applied && at.is_some_and(|at| !self.counts(at)) {
                *result = GroupResult::IgnoredStale;
            }
        };
        if let Some(result) = &mut results.okta_verify {
            let at = report.okta_verify.as_ref().and_then(Option::as_ref);
            stale(result, at.map(|verify| verify.reported_at));
        }
        for (id, result) in &mut results.deliveries {
            let at = report.deliveries.get(id).and_then(Option::as_ref);
            stale(result, at.map(|delivery| delivery.reported_at));
        }
        for (id, result) in &mut results.certificates {
            let at = report.certificates.get(id).and_then(Option::as_ref);
            stale(result, at.map(|held| held.reported_at));
        }
    }
}

impl Certificates {
    fn hold(&mut self, new: &Certificate) -> GroupResult {
        if self.cleared_at.is_some_and(|cleared| new.reported_at <= cleared) {
            return GroupResult::IgnoredStale;
        }
        let rank = |of: &Certificate| (of.reported_at, of.not_before, of.not_after);
        let known = self.held.get(&new.serial_number);
        let order = known.map_or(Ordering::Greater, |known| rank(new).cmp(&rank(known)));
        if order != Ordering::Greater {
            return result_of(order);
        }
        self.held.insert(new.serial_number.clone(), new.clone());
        if self.held.len() > MOST_CERTIFICATES {
            let oldest = self.held.values().min_by(|a, b| age_of(a).cmp(&age_of(b)));
            let oldest = oldest.map(|held| held.serial_number.clone()).unwrap_or_default();
            self.held.remove(&oldest);
        }
        let kept = self.held.contains_key(&new.serial_number);
        if kept { GroupResult::Applied } else { GroupResult::IgnoredStale }
    }

    fn clear(&mut self, at: DateTime<Utc>) -> GroupResult {
        let order = self.cleared_at.map_or(Ordering::Greater, |cleared| at.cmp(&cleared));
        if order == Ordering::Greater {
            self.cleared_at = Some(at);
            self.held.retain(|_, held| held.reported_at > at);
        }
        result_of(order)
    }
}

/// By what the newest certificate is found; the serial number decides between two of one moment.
fn age_of(certificate: &Certificate) -> (DateTime<Utc>, &str) {
    (certificate.not_before, &certificate.serial_number)
}

/// Puts the newer of the two into `slot`. At the same time what is cleared wins, then the greater
/// value: any rule will do that does not ask which of them came first.
fn merge<T: Ord>(
    slot: &mut Option<Told<T>>,
    new: Told<T>,
    deleted_at: Option<DateTime<Utc>>,
) -> GroupResult {
    if deleted_at.is_some_and(|deleted| new.at <= deleted) {
        return GroupResult::IgnoredStale;
    }
    let order = slot.as_ref().map_or(Ordering::Greater, |known| {
        new.at.cmp(&known.at).then_with(|| match (&new.value, &known.value) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(new), Some(known)) => new.cmp(known),
        })
    });
    if order == Ordering::Greater {
        *slot = Some(new);
    }
    result_of(order)
}

fn result_of(order: Ordering) -> GroupResult {
    match order {
        Ordering::Greater => GroupResult::Applied,
        Ordering::Equal => GroupResult::Unchanged,
        Ordering::Less => GroupResult::IgnoredStale,
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
