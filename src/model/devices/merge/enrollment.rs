//! Which enrolment of a device stands.

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
