//! Merges reports into what is known of a device. The newest of each group stands, so that any order of
//! the same reports ends in the same record. Pure: no clock and no I/O.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use crate::model::devices::receipt::{ReceivedLostMode, ReceivedReport, Stamp};
use crate::model::devices::records::{
    Certificates, DeviceRecord, LostModeState, MAX_CERTIFICATES, Reported, validity,
};
use crate::model::devices::reports::{
    Certificate, Enrollment, GroupResult, IdentifierTaken, ReportRefusal, ReportResults,
};
use crate::model::{Platform, SerialNumber};

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionResult {
    /// The device is gone.
    Deleted,
    /// The device was enrolled again since. It stays, and what was reported for it before the deletion
    /// no longer counts.
    Applied,
    /// The device was enrolled again since, and nothing changes.
    IgnoredStale,
}

/// Which other living device has an identifier, by its kind (`udid`, `okta_device_id`) and value.
pub type HolderOf<'a> = dyn Fn(&'static str, &str) -> Option<SerialNumber> + 'a;

impl DeviceRecord {
    /// Merges a report. An identifier that another living device has is refused; the other groups are
    /// merged all the same. After an error the record must be discarded.
    ///
    /// # Errors
    /// [`ReportRefusal::EnrollmentNeeded`], [`ReportRefusal::PlatformMismatch`].
    pub fn apply(
        &mut self,
        report: &ReceivedReport,
        holder_of: &HolderOf<'_>,
    ) -> Result<ReportResults, ReportRefusal> {
        if let (Some(known), true, None) = (self.platform, self.is_living(), &report.enrollment)
            && known != report.platform
        {
            return Err(ReportRefusal::PlatformMismatch { known });
        }
        let mut results = report.results.clone();
        if let Some(new) = &report.enrollment {
            results.enrollment = Some(self.enroll(new, report.platform));
        }
        if !self.is_living() && self.needs_enrollment(report) {
            return Err(ReportRefusal::EnrollmentNeeded);
        }
        self.apply_identity(report, holder_of, &mut results);
        self.apply_groups(report, &mut results);
        self.mark_stale(report, &mut results);
        Ok(results)
    }

    /// Deletes the device, unless it was enrolled after `deleted`. By default the deletion is newer than
    /// everything that is known.
    pub fn delete(&mut self, deleted: Option<Stamp>, now: DateTime<Utc>) -> DeletionResult {
        let newest = || self.reported_at().map_or(now, |newest| newest.max(now));
        let deleted = deleted.unwrap_or_else(|| Stamp::exact(newest()));
        if self.deleted.is_none_or(|known| deleted.at >= known.at) {
            let known = self.deleted.map_or(deleted.sent_at, |known| known.sent_at);
            self.deleted = Some(Stamp { sent_at: deleted.sent_at.max(known), ..deleted });
        }
        if self.enrollment.as_ref().is_some_and(|enrollment| !self.is_after_deletion(enrollment)) {
            self.enrollment = None;
        }
        let left_at = self.left_at();
        self.lives.enter_deletion(deleted.at);
        if !self.is_living() {
            DeletionResult::Deleted
        } else if self.left_at() > left_at {
            DeletionResult::Applied
        } else {
            DeletionResult::IgnoredStale
        }
    }

    /// Whether the report has something newer than the deletion, but no enrolment. What it says of an
    /// earlier life is stored without one.
    fn needs_enrollment(&self, report: &ReceivedReport) -> bool {
        let Some(deleted) = self.deleted else { return true };
        if report.enrollment.as_ref().is_some_and(Enrollment::is_ended) {
            return false;
        }
        let newer = |at: DateTime<Utc>| at > deleted.at;
        report.group_times().any(newer)
    }

    fn is_after_deletion(&self, enrollment: &Enrollment) -> bool {
        self.deleted.is_none_or(|deleted| {
            if enrollment.is_ended() {
                enrollment.reported_at > deleted.at
            } else {
                enrollment.stamp().is_later_by_both(deleted)
            }
        })
    }

    fn enroll(&mut self, sent: &Enrollment, platform: Platform) -> GroupResult {
        let new = self.as_first_received(sent);
        let left_at = self.left_at();
        self.lives.note_platform(platform, new.reported_at);
        self.lives.last_enrolled_at = self.lives.last_enrolled_at.max(new.enrolled_at);
        if let Some(at) = new.left_at() {
            self.lives.leave(at);
        }
        let order = self.compare_enrollment(&new, platform);
        if !new.is_ended() && (order != Ordering::Less || self.is_of_the_past(&new)) {
            let deleted_at = self.deleted.map(|deleted| deleted.at);
            self.lives.enroll(new.reported_at, new.continues, deleted_at);
        }
        let is_leave = new.left_at().is_some();
        if order == Ordering::Greater {
            self.replace_enrollment(new);
            self.platform = Some(platform);
        }
        match order {
            Ordering::Greater => GroupResult::Applied,
            _ if self.left_at() > left_at => GroupResult::Applied,
            Ordering::Equal => GroupResult::Unchanged,
            // A leave counts whenever its report arrives: it is at most known already.
            Ordering::Less if is_leave => GroupResult::Unchanged,
            Ordering::Less => GroupResult::IgnoredStale,
        }
    }

    /// An `enrolled` whose time was ahead counts as of its first receipt, however often it is sent.
    fn as_first_received(&mut self, sent: &Enrollment) -> Enrollment {
        if sent.is_ended() {
            return sent.clone();
        }
        let stamp = first_received(&mut self.enrolled_ahead, sent.stamp());
        sent.clone().reported(stamp)
    }

    /// `Greater` if `new` stands over what is known.
    fn compare_enrollment(&self, new: &Enrollment, platform: Platform) -> Ordering {
        if !self.is_after_deletion(new) {
            return Ordering::Less;
        }
        let Some((known, known_platform)) = self.enrollment.as_ref().zip(self.platform) else {
            return Ordering::Greater;
        };
        let stands = |stands| if stands { Ordering::Greater } else { Ordering::Less };
        match (new.is_ended(), known.is_ended()) {
            (false, true) => stands(new.outranks(known)),
            (true, false) => stands(!known.outranks(new)),
            _ => rank(new, platform).cmp(&rank(known, known_platform)),
        }
    }

    /// Whether an `enrolled` that does not stand is older than what stands. Otherwise it is one of a clock
    /// that is ahead, and says nothing about when the device came back.
    fn is_of_the_past(&self, new: &Enrollment) -> bool {
        let known = self.enrollment.as_ref().map(|known| known.reported_at);
        let newest = known.max(self.deleted.map(|deleted| deleted.at));
        newest.is_some_and(|newest| new.reported_at <= newest)
    }

    /// Of two ends of an enrolment the later time as sent is kept: an `enrolled` must be later than both.
    fn replace_enrollment(&mut self, mut new: Enrollment) {
        if let Some(known) = self.enrollment.take_if(|known| known.is_ended() && new.is_ended())
            && known.stamp().sent_at > new.stamp().sent_at
        {
            new.sent_at = Some(known.stamp().sent_at);
        }
        self.enrollment = Some(new);
    }

    fn apply_identity(
        &mut self,
        report: &ReceivedReport,
        holder_of: &HolderOf<'_>,
        results: &mut ReportResults,
    ) {
        let (at, living) = (report.reported.at, self.is_living());
        let other = |kind, value: &str| {
            holder_of(kind, value).filter(|holder| living && *holder != report.serial_number)
        };
        if let Some(value) = report.udid.clone() {
            let holder = value.as_ref().and_then(|udid| other("udid", udid.as_str()));
            let result = merge_unique(&mut self.udid, Reported { at, value }, holder.is_some());
            note_identity(results, "udid", result, holder);
        }
        if let Some(value) = report.okta_device_id.clone() {
            let holder = value.as_ref().and_then(|id| other("okta_device_id", id.as_str()));
            let new = Reported { at, value };
            let result = merge_unique(&mut self.okta_device_id, new, holder.is_some());
            note_identity(results, "okta_device_id", result, holder);
        }
        // A device that comes back may find that another one has its identifiers now.
        if let Some(known) = &mut self.udid {
            known.value.take_if(|udid| other("udid", udid.as_str()).is_some());
        }
        if let Some(known) = &mut self.okta_device_id {
            known.value.take_if(|id| other("okta_device_id", id.as_str()).is_some());
        }
    }

    fn apply_groups(&mut self, report: &ReceivedReport, results: &mut ReportResults) {
        let (platform, at) = (report.platform, report.reported.at);
        if let Some(value) = report.okta_verify.clone() {
            let at = value.as_ref().map_or(at, |verify| verify.reported_at);
            self.lives.note_platform(platform, at);
            results.okta_verify = Some(merge(&mut self.okta_verify, Reported { at, value }));
        }
        if let Some(value) = report.check_in.clone() {
            let at = value.as_ref().map_or(at, |check_in| check_in.reported_at);
            self.lives.note_platform(platform, at);
            results.check_in = Some(merge(&mut self.check_in, Reported { at, value }));
        }
        if let Some(lost) = report.lost_mode {
            let stamp = lost.stamp.unwrap_or(report.reported);
            self.lives.note_platform(platform, stamp.at);
            results.lost_mode = Some(self.apply_lost_mode(lost, stamp));
        }
        for (id, value) in &report.deliveries {
            let at = value.as_ref().map_or(at, |delivery| delivery.reported_at);
            self.lives.note_platform(platform, at);
            let mut slot = self.deliveries.remove(id);
            let result = merge(&mut slot, Reported { at, value: value.clone() });
            results.deliveries.insert(*id, result);
            self.deliveries.extend(slot.map(|reported| (*id, reported)));
        }
        for (id, value) in &report.certificates {
            let at = value.as_ref().map_or(at, |certificate| certificate.reported_at);
            self.lives.note_platform(platform, at);
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
            let stands = |stands| if stands { Ordering::Greater } else { Ordering::Less };
            match (is_on, known.enabled == Some(true)) {
                (false, true) => stands(new.stamp.is_later_by_both(known.stamp)),
                (true, false) => stands(!known.stamp.is_later_by_both(new.stamp)),
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

    /// What was stored but belongs to an earlier enrolment is answered as stale.
    fn mark_stale(&self, report: &ReceivedReport, results: &mut ReportResults) {
        let deleted_at = self.deleted.map(|deleted| deleted.at);
        let counts = |at: DateTime<Utc>| {
            self.lives.counts(at) && (self.is_living() || deleted_at.is_none_or(|gone| at > gone))
        };
        let mark = |result: &mut GroupResult, at: Option<DateTime<Utc>>| {
            if *result == GroupResult::Applied && at.is_some_and(|at| !counts(at)) {
                *result = GroupResult::IgnoredStale;
            }
        };
        let at = report.reported.at;
        if let Some(result) = &mut results.identity {
            // A UDID is the hardware's: it outlives an enrolment.
            let of_period = report.okta_device_id.is_some() && report.udid.is_none();
            mark(result, (of_period || !self.is_living()).then_some(at));
        }
        if let Some(result) = &mut results.okta_verify {
            let verify = report.okta_verify.as_ref().and_then(Option::as_ref);
            mark(result, verify.map(|verify| verify.reported_at));
        }
        if let Some(result) = &mut results.check_in {
            let check_in = report.check_in.as_ref().and_then(Option::as_ref);
            mark(result, check_in.map(|check_in| check_in.reported_at));
        }
        if let Some(result) = &mut results.lost_mode {
            mark(result, report.lost_mode.and_then(|lost| lost.stamp).map(|stamp| stamp.at));
        }
        for (id, result) in &mut results.deliveries {
            let delivery = report.deliveries.get(id).and_then(Option::as_ref);
            mark(result, delivery.map(|delivery| delivery.delivered_at));
        }
        for (id, result) in &mut results.certificates {
            let certificate = report.certificates.get(id).and_then(Option::as_ref);
            mark(result, certificate.map(|certificate| certificate.reported_at));
        }
    }
}

/// The order of two reports of `enrolled`, or of two ends of an enrolment. At the same time the later
/// beginning or end stands, then the state that trusts less.
fn rank(enrollment: &Enrollment, platform: Platform) -> impl Ord {
    let told = if enrollment.is_ended() { enrollment.left_at() } else { enrollment.enrolled_at };
    (
        enrollment.reported_at,
        told,
        enrollment.state,
        enrollment.ended_at,
        enrollment.enrolled_at,
        !enrollment.continues,
        platform,
    )
}

/// The stamp of something that gives trust. What was sent no later than the latest one whose time was
/// ahead is no newer than that one's first receipt.
fn first_received(ahead: &mut Option<Stamp>, stamp: Stamp) -> Stamp {
    match *ahead {
        Some(first) if stamp.sent_at <= first.sent_at => {
            Stamp { at: stamp.at.min(first.at), ..stamp }
        }
        _ => {
            if stamp.was_ahead() {
                *ahead = Some(stamp);
            }
            stamp
        }
    }
}

fn note_identity(
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
        let rank = |of: &Certificate| (of.reported_at, of.not_before, of.not_after);
        let known = self.known.get(&new.serial_number);
        let order = known.map_or(Ordering::Greater, |known| rank(new).cmp(&rank(known)));
        if order != Ordering::Greater {
            return result_of(order);
        }
        self.known.insert(new.serial_number.clone(), new.clone());
        if self.known.len() > MAX_CERTIFICATES {
            let oldest = self.known.values().min_by(|a, b| validity(a).cmp(&validity(b)));
            let oldest = oldest.map(|held| held.serial_number.clone()).unwrap_or_default();
            self.known.remove(&oldest);
        }
        let kept = self.known.contains_key(&new.serial_number);
        if kept { GroupResult::Applied } else { GroupResult::IgnoredStale }
    }

    fn clear(&mut self, at: DateTime<Utc>) -> GroupResult {
        let order = self.cleared_at.map_or(Ordering::Greater, |cleared| at.cmp(&cleared));
        if order == Ordering::Greater {
            self.cleared_at = Some(at);
            self.known.retain(|_, held| held.reported_at > at);
        }
        result_of(order)
    }
}

/// Puts the newer of the two into `slot`.
fn merge<T: Ord>(slot: &mut Option<Reported<T>>, new: Reported<T>) -> GroupResult {
    merge_unique(slot, new, false)
}

/// Puts the newer of the two into `slot`, unless another device has the new value. At the same time a
/// cleared value wins, then the greater one: any rule will do that does not ask which came first.
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
