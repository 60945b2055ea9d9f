//! When a device left this MDM, and when it came back. A device leaves by `wiped`, `unenrolled`, a
//! deletion or a change of platform; what was reported for it before no longer counts. A leave counts
//! whenever its report arrives: `left_at` never goes back.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::Platform;
use crate::model::devices::receipt::Stamp;
use crate::model::devices::reports::{Enrollment, EnrollmentState};

/// The clocks of Okta and the MDM may differ by this much.
const CLOCK_MARGIN: TimeDelta = TimeDelta::minutes(5);
/// Reports of `enrolled` whose times are kept for each device. A leave that is reported later than this
/// many of them is taken to be followed by the oldest that is left: later than in truth, never earlier.
pub const MAX_ENROLLED_TIMES: usize = 10;

/// The leaves and enrolments of a device, as far as later reports depend on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lives {
    /// The latest of all leaving times ever reported.
    pub left_at: Option<DateTime<Utc>>,
    /// `reported_at` of the first `enrolled` after `left_at`.
    pub enrolled_since: Option<DateTime<Utc>>,
    /// The latest `enrolled_at` ever reported.
    pub last_enrolled_at: Option<DateTime<Utc>>,
    /// `reported_at` of the newest reports of `enrolled`; true where it said `continues`.
    pub enrolled: BTreeMap<DateTime<Utc>, bool>,
    /// The newest report of the device as a Mac, and as an iPhone or iPad.
    pub macos_reported_at: Option<DateTime<Utc>>,
    pub ios_reported_at: Option<DateTime<Utc>>,
}

impl Lives {
    /// Whether something of that time belongs to the present enrolment period.
    pub fn counts(&self, at: DateTime<Utc>) -> bool {
        self.left_at.is_none_or(|left| at > left)
    }

    /// The beginning of the device's present life. `None`: it never left, and no `enrolled_at` was
    /// reported.
    pub fn present_since(&self) -> Option<DateTime<Utc>> {
        let after_leaving = self.left_at.map(|left| left + CLOCK_MARGIN);
        after_leaving.max(self.enrolled_since).max(self.last_enrolled_at)
    }

    /// Records that the device left at `at`.
    pub(super) fn leave(&mut self, at: DateTime<Utc>) {
        self.left_at = self.left_at.max(Some(at));
        let after = |since: &DateTime<Utc>| *since > at;
        self.enrolled_since =
            self.enrolled_since.filter(after).or_else(|| self.first_enrolled_since_left());
    }

    /// Records a report of `enrolled`, which ends the life before `deleted_at` if the device was deleted.
    pub(super) fn enroll(
        &mut self,
        at: DateTime<Utc>,
        continues: bool,
        deleted_at: Option<DateTime<Utc>>,
    ) {
        // Of two with the same time, the one that says less counts.
        let slot = self.enrolled.entry(at).or_insert(continues);
        *slot &= continues;
        self.prune(deleted_at);
        if let Some(deleted_at) = deleted_at {
            self.enter_deletion(deleted_at);
        }
        if self.left_at.is_some() {
            let first = self.first_enrolled_since_left();
            self.enrolled_since = match (self.enrolled_since, first) {
                (Some(known), Some(first)) => Some(known.min(first)),
                (known, first) => known.or(first),
            };
        }
    }

    /// Counts a deletion as a leave, once the device was enrolled after it and not said to continue.
    pub(super) fn enter_deletion(&mut self, deleted_at: DateTime<Utc>) {
        let next = self.enrolled.iter().find(|(at, _)| **at > deleted_at);
        if next.is_some_and(|(_, continues)| !continues) {
            self.leave(deleted_at);
        }
    }

    /// Records that the device was reported with this platform. The device cannot be both: with a report
    /// of each, it left when it was last reported with the platform that was reported first.
    pub(super) fn note_platform(&mut self, platform: Platform, at: DateTime<Utc>) {
        let newest = match platform {
            Platform::Macos => &mut self.macos_reported_at,
            Platform::Ios => &mut self.ios_reported_at,
        };
        *newest = (*newest).max(Some(at));
        if let Some((macos, ios)) = self.macos_reported_at.zip(self.ios_reported_at) {
            self.leave(macos.min(ios));
        }
    }

    /// Keeps the newest times, and the one that decides whether the deletion counts as a leave.
    fn prune(&mut self, deleted_at: Option<DateTime<Utc>>) {
        let decides =
            deleted_at.and_then(|deleted| self.enrolled.keys().find(|at| **at > deleted).copied());
        while self.enrolled.len() > MAX_ENROLLED_TIMES {
            let oldest = self.enrolled.keys().find(|at| Some(**at) != decides).copied();
            oldest.map(|at| self.enrolled.remove(&at));
        }
    }

    fn first_enrolled_since_left(&self) -> Option<DateTime<Utc>> {
        let left_at = self.left_at?;
        self.enrolled.keys().find(|at| **at > left_at).copied()
    }
}

impl Enrollment {
    /// Whether it says that the device left.
    pub fn is_ended(&self) -> bool {
        self.state != EnrollmentState::Enrolled
    }

    /// When the device left, by this report.
    pub fn left_at(&self) -> Option<DateTime<Utc>> {
        self.ended_at.or_else(|| self.is_ended().then_some(self.reported_at))
    }

    pub fn stamp(&self) -> Stamp {
        Stamp { at: self.reported_at, sent_at: self.sent_at.unwrap_or(self.reported_at) }
    }

    /// The same, reported at `stamp`; what it says of later times counts as of then.
    #[must_use]
    pub fn reported(self, stamp: Stamp) -> Self {
        Self {
            enrolled_at: self.enrolled_at.map(|at| at.min(stamp.at)),
            ended_at: self.ended_at.map(|at| at.min(stamp.at)),
            reported_at: stamp.at,
            sent_at: stamp.was_ahead().then_some(stamp.sent_at),
            ..self
        }
    }

    /// Whether this `enrolled` stands over that end of an enrolment.
    pub(super) fn outranks(&self, ended: &Self) -> bool {
        let (own, other) = (self.stamp(), ended.stamp());
        let began_after =
            self.enrolled_at.zip(ended.ended_at).is_some_and(|(began, end)| began > end);
        own.is_later_by_both(other)
            || (own.at == other.at && own.sent_at >= other.sent_at && began_after)
    }
}
