//! Merges the enrolment of a report into the record.

use std::cmp::Ordering;

use crate::model::Platform;
use crate::model::devices::receipt::first_received;
use crate::model::devices::records::DeviceRecord;
use crate::model::devices::reports::{Enrollment, GroupResult};

impl DeviceRecord {
    pub(super) fn is_after_deletion(&self, enrollment: &Enrollment) -> bool {
        self.deleted.is_none_or(|deleted| {
            if enrollment.is_ended() {
                enrollment.reported_at > deleted.at
            } else {
                enrollment.stamp().is_later_by_both(deleted)
            }
        })
    }

    pub(super) fn enroll(&mut self, sent: &Enrollment, platform: Platform) -> GroupResult {
        let new = self.as_first_received(sent);
        let left_at = self.left_at();
        self.history.record_platform(platform, new.reported_at);
        self.history.last_enrolled_at = self.history.last_enrolled_at.max(new.enrolled_at);
        if let Some(at) = new.left_at() {
            self.history.record_departure(at);
        }
        let order = self.compare_enrollment(&new, platform);
        if !new.is_ended() && (order != Ordering::Less || self.is_historical(&new)) {
            self.history.record_enrolled(new.reported_at, new.continues);
        }
        let is_departure = new.left_at().is_some();
        if order == Ordering::Greater {
            self.replace_enrollment(new);
            self.platform = Some(platform);
        }
        match order {
            Ordering::Greater => GroupResult::Applied,
            _ if self.left_at() > left_at => GroupResult::Applied,
            Ordering::Equal => GroupResult::Unchanged,
            // A departure counts however late its report arrives, so it is never stale.
            Ordering::Less if is_departure => GroupResult::Unchanged,
            Ordering::Less => GroupResult::IgnoredStale,
        }
    }

    /// Returns an `enrolled` whose time was ahead as of its first receipt, however often it is sent.
    fn as_first_received(&mut self, sent: &Enrollment) -> Enrollment {
        if sent.is_ended() {
            return sent.clone();
        }
        let stamp = first_received(&mut self.enrolled_ahead, sent.stamp());
        sent.clone().with_stamp(stamp)
    }

    /// Returns `Greater` if `new` replaces the stored enrolment.
    fn compare_enrollment(&self, new: &Enrollment, platform: Platform) -> Ordering {
        if !self.is_after_deletion(new) {
            return Ordering::Less;
        }
        let Some((known, known_platform)) = self.enrollment.as_ref().zip(self.platform) else {
            return Ordering::Greater;
        };
        let order = |replaces| if replaces { Ordering::Greater } else { Ordering::Less };
        match (new.is_ended(), known.is_ended()) {
            (false, true) => order(new.outranks(known)),
            (true, false) => order(!known.outranks(new)),
            _ => rank(new, platform).cmp(&rank(known, known_platform)),
        }
    }

    /// Returns whether an `enrolled` that does not replace the stored enrolment is older than it. Otherwise
    /// its clock is ahead, and its time does not show when the device was enrolled again.
    fn is_historical(&self, new: &Enrollment) -> bool {
        let known = self.enrollment.as_ref().map(|known| known.reported_at);
        let newest = known.max(self.deleted.map(|deleted| deleted.at));
        newest.is_some_and(|newest| new.reported_at <= newest)
    }

    /// Stores `new`. If both are ends of an enrolment, keeps the later time as sent: an `enrolled` must be
    /// later than both.
    fn replace_enrollment(&mut self, mut new: Enrollment) {
        if let Some(known) = self.enrollment.take_if(|known| known.is_ended() && new.is_ended())
            && known.stamp().sent_at > new.stamp().sent_at
        {
            new.sent_at = Some(known.stamp().sent_at);
        }
        self.enrollment = Some(new);
    }
}

/// Returns the sort key of two `enrolled` reports, or of two ends of an enrolment. At the same time the one
/// with the later start or end wins, then the state with less trust.
fn rank(enrollment: &Enrollment, platform: Platform) -> impl Ord {
    let changed_at =
        if enrollment.is_ended() { enrollment.left_at() } else { enrollment.enrolled_at };
    (
        enrollment.reported_at,
        changed_at,
        enrollment.state,
        enrollment.ended_at,
        enrollment.enrolled_at,
        !enrollment.continues,
        platform,
    )
}
