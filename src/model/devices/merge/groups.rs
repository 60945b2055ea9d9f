//! Merges the groups and identifiers of a report into the record.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use crate::model::SerialNumber;
use crate::model::devices::receipt::{ReceivedLostMode, ReceivedReport, Stamp, first_received};
use crate::model::devices::records::{
    Certificates, DeviceRecord, LostModeState, MAX_CERTIFICATES, Reported, validity,
};
use crate::model::devices::reports::{Certificate, GroupResult, IdentifierTaken, ReportResults};

/// Finds the living device that has an identifier, by its kind (`udid`, `okta_device_id`) and value.
pub type FindHolder<'a> = dyn Fn(&'static str, &str) -> Option<SerialNumber> + 'a;

impl DeviceRecord {
    pub(super) fn apply_identity(
        &mut self,
        report: &ReceivedReport,
        find_holder: &FindHolder<'_>,
        results: &mut ReportResults,
    ) {
        let (at, living) = (report.reported.at, self.is_living());
        let other = |kind, value: &str| {
            find_holder(kind, value).filter(|holder| living && *holder != report.serial_number)
        };
        if let Some(value) = report.udid.clone() {
            let holder = value.as_ref().and_then(|udid| other("udid", udid.as_str()));
            let result = merge_unique(&mut self.udid, Reported { at, value }, holder.is_some());
            record_identity_result(results, "udid", result, holder);
        }
        if let Some(value) = report.okta_device_id.clone() {
            let holder = value.as_ref().and_then(|id| other("okta_device_id", id.as_str()));
            let new = Reported { at, value };
            let result = merge_unique(&mut self.okta_device_id, new, holder.is_some());
            record_identity_result(results, "okta_device_id", result, holder);
        }
        // Another device may have got its identifiers while the device was deleted.
        if let Some(known) = &mut self.udid {
            known.value.take_if(|udid| other("udid", udid.as_str()).is_some());
        }
        if let Some(known) = &mut self.okta_device_id {
            known.value.take_if(|id| other("okta_device_id", id.as_str()).is_some());
        }
    }

    pub(super) fn apply_groups(&mut self, report: &ReceivedReport, results: &mut ReportResults) {
        let (platform, at) = (report.platform, report.reported.at);
        if let Some(value) = report.okta_verify.clone() {
            let at = value.as_ref().map_or(at, |verify| verify.reported_at);
            self.history.record_platform(platform, at);
            results.okta_verify = Some(merge(&mut self.okta_verify, Reported { at, value }));
        }
        if let Some(value) = report.check_in.clone() {
            let at = value.as_ref().map_or(at, |check_in| check_in.reported_at);
            self.history.record_platform(platform, at);
            results.check_in = Some(merge(&mut self.check_in, Reported { at, value }));
        }
        if let Some(lost) = report.lost_mode {
            let stamp = lost.stamp.unwrap_or(report.reported);
            self.history.record_platform(platform, stamp.at);
            results.lost_mode = Some(self.apply_lost_mode(lost, stamp));
        }
        for (id, value) in &report.deliveries {
            let at = value.as_ref().map_or(at, |delivery| delivery.reported_at);
            self.history.record_platform(platform, at);
            let mut slot = self.deliveries.remove(id);
            let result = merge(&mut slot, Reported { at, value: value.clone() });
            results.deliveries.insert(*id, result);
            self.deliveries.extend(slot.map(|reported| (*id, reported)));
        }
        for (id, value) in &report.certificates {
            let at = value.as_ref().map_or(at, |certificate| certificate.reported_at);
            self.history.record_platform(platform, at);
            let certificates = self.certificates.entry(*id).or_default();
            let result = match value {
                Some(new) => certificates.add(new),
                None => certificates.clear(at),
            };
            results.certificates.insert(*id, result);
        }
    }

    fn apply_lost_mode(&mut self, lost: ReceivedLostMode, stamp: Stamp) -> GroupResult {
        let is_on = lost.enabled == Some(true);
        let stamp =
            if is_on { stamp } else { first_received(&mut self.lost_mode_off_ahead, stamp) };
        let mut new = LostModeState { enabled: lost.enabled, stamp };
        let order = self.lost_mode.map_or(Ordering::Greater, |known| {
            let order = |replaces| if replaces { Ordering::Greater } else { Ordering::Less };
            match (is_on, known.enabled == Some(true)) {
                (false, true) => order(new.stamp.is_later_by_both(known.stamp)),
                (true, false) => order(!known.stamp.is_later_by_both(new.stamp)),
                _ => (new.stamp.at, new.enabled).cmp(&(known.stamp.at, known.enabled)),
            }
        });
        if order == Ordering::Greater {
            if let Some(known) = self.lost_mode.filter(|known| is_on && known.enabled == Some(true))
            {
                new.stamp.sent_at = new.stamp.sent_at.max(known.stamp.sent_at);
            }
            self.lost_mode = Some(new);
        }
        result_of(order)
    }
}

fn record_identity_result(
    results: &mut ReportResults,
    identifier: &'static str,
    result: GroupResult,
    holder: Option<SerialNumber>,
) {
    results.identity = results.identity.max(Some(result));
    if let Some(holder) = holder.filter(|_| result == GroupResult::IdentifierTaken) {
        results.identifiers_taken.push(IdentifierTaken { identifier, holder });
    }
}

impl Certificates {
    fn add(&mut self, new: &Certificate) -> GroupResult {
        if self.cleared_at.is_some_and(|cleared| new.reported_at <= cleared) {
            return GroupResult::IgnoredStale;
        }
        let rank = |c: &Certificate| (c.reported_at, c.not_before, c.not_after);
        let known = self.known.get(&new.serial_number);
        let order = known.map_or(Ordering::Greater, |known| rank(new).cmp(&rank(known)));
        if order != Ordering::Greater {
            return result_of(order);
        }
        self.known.insert(new.serial_number.clone(), new.clone());
        if self.known.len() > MAX_CERTIFICATES {
            let oldest = self.known.values().min_by(|a, b| validity(a).cmp(&validity(b)));
            let oldest = oldest.map(|known| known.serial_number.clone()).unwrap_or_default();
            self.known.remove(&oldest);
        }
        let is_stored = self.known.contains_key(&new.serial_number);
        if is_stored { GroupResult::Applied } else { GroupResult::IgnoredStale }
    }

    fn clear(&mut self, at: DateTime<Utc>) -> GroupResult {
        let order = self.cleared_at.map_or(Ordering::Greater, |cleared| at.cmp(&cleared));
        if order == Ordering::Greater {
            self.cleared_at = Some(at);
            self.known.retain(|_, known| known.reported_at > at);
        }
        result_of(order)
    }
}

/// Stores the newer of the two values in `slot`.
fn merge<T: Ord>(slot: &mut Option<Reported<T>>, new: Reported<T>) -> GroupResult {
    merge_unique(slot, new, false)
}

/// Stores the newer of the two values in `slot`, unless another device has the new one. At the same time a
/// cleared value wins, then the greater one, so that the order of arrival does not matter.
fn merge_unique<T: Ord>(
    slot: &mut Option<Reported<T>>,
    new: Reported<T>,
    is_taken: bool,
) -> GroupResult {
    let order = slot.as_ref().map_or(Ordering::Greater, |known| {
        new.at.cmp(&known.at).then_with(|| match (&new.value, &known.value) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(new), Some(known)) => new.cmp(known),
        })
    });
    if order == Ordering::Greater && is_taken {
        return GroupResult::IdentifierTaken;
    }
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
