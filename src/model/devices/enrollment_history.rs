//! When a device left this MDM and when it was enrolled again. A device leaves by `wiped`, `unenrolled`, a
//! deletion or a change of platform; what was reported for it before that no longer counts. A departure
//! counts however late its report arrives: `left_at` never decreases.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::Platform;
use crate::model::devices::receipt::Stamp;
use crate::model::devices::reports::{Enrollment, EnrollmentState};

/// The maximum expected difference between Okta's clock and the MDM's.
const CLOCK_MARGIN: TimeDelta = TimeDelta::minutes(5);
/// How many times of `enrolled` reports are stored for each device. If more of them follow a departure
/// before it is reported, the oldest stored one counts as the next enrolment. That is later than the true
/// one, never earlier.
pub const MAX_ENROLLED_TIMES: usize = 10;

/// The departures and enrolments of a device that later reports depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnrollmentHistory {
    /// The latest departure ever reported.
    pub left_at: Option<DateTime<Utc>>,
    /// `reported_at` of the first `enrolled` after `left_at`.
    pub enrolled_since: Option<DateTime<Utc>>,
    /// The latest `enrolled_at` ever reported.
    pub last_enrolled_at: Option<DateTime<Utc>>,
    /// `reported_at` of the newest `enrolled` reports; the value is their `continues`.
    pub enrolled: BTreeMap<DateTime<Utc>, bool>,
    /// When the device was last reported as a Mac, and as an iPhone or iPad.
    pub macos_reported_at: Option<DateTime<Utc>>,
    pub ios_reported_at: Option<DateTime<Utc>>,
}

impl EnrollmentHistory {
    /// Returns whether the time is in the current enrolment period.
    pub fn is_current(&self, at: DateTime<Utc>) -> bool {
        self.left_at.is_none_or(|left| at > left)
    }

    /// Returns when the device's present life began; `None` if it never left and no `enrolled_at` was
    /// reported.
    pub fn present_since(&self) -> Option<DateTime<Utc>> {
        let after_leaving = self.left_at.map(|left| left + CLOCK_MARGIN);
        after_leaving.max(self.enrolled_since).max(self.last_enrolled_at)
    }

    /// Records that the device left at `at`.
    pub(super) fn record_departure(&mut self, at: DateTime<Utc>) {
        self.left_at = self.left_at.max(Some(at));
        let after = |since: &DateTime<Utc>| *since > at;
        self.enrolled_since =
            self.enrolled_since.filter(after).or_else(|| self.first_enrolled_since_left());
    }

    /// Records an `enrolled` report. If the device was deleted at `deleted_at`, that may become a departure.
    pub(super) fn record_enrolled(
        &mut self,
        at: DateTime<Utc>,
        continues: bool,
        deleted_at: Option<DateTime<Utc>>,
    ) {
        // Of two reports with the same time, the one without `continues` wins.
        let slot = self.enrolled.entry(at).or_insert(continues);
        *slot &= continues;
        self.prune(deleted_at);
        if let Some(deleted_at) = deleted_at {
            self.record_deletion(deleted_at);
        }
        if self.left_at.is_some() {
            let first = self.first_enrolled_since_left();
            self.enrolled_since = match (self.enrolled_since, first) {
                (Some(known), Some(first)) => Some(known.min(first)),
                (known, first) => known.or(first),
            };
        }
    }

    /// Counts a deletion as a departure once an `enrolled` without `continues` follows it.
    pub(super) fn record_deletion(&mut self, deleted_at: DateTime<Utc>) {
        let next = self.enrolled.iter().find(|(at, _)| **at > deleted_at);
        if next.is_some_and(|(_, continues)| !continues) {
            self.record_departure(deleted_at);
        }
    }

    /// Records that the device was reported with this platform. If both platforms were reported, the device
    /// left when the earlier of the two was last reported.
    pub(super) fn record_platform(&mut self, platform: Platform, at: DateTime<Utc>) {
        let newest = match platform {
            Platform::Macos => &mut self.macos_reported_at,
            Platform::Ios => &mut self.ios_reported_at,
        };
        *newest = (*newest).max(Some(at));
        if let Some((macos, ios)) = self.macos_reported_at.zip(self.ios_reported_at) {
            self.record_departure(macos.min(ios));
        }
    }

    /// Keeps the newest times, and the one that decides whether the deletion is a departure.
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
    /// Returns whether it reports that the device left.
    pub fn is_ended(&self) -> bool {
        self.state != EnrollmentState::Enrolled
    }

    /// Returns when the device left according to this report.
    pub fn left_at(&self) -> Option<DateTime<Utc>> {
        self.ended_at.or_else(|| self.is_ended().then_some(self.reported_at))
    }

    pub fn stamp(&self) -> Stamp {
        Stamp { at: self.reported_at, sent_at: self.sent_at.unwrap_or(self.reported_at) }
    }

    /// Returns the same enrolment as reported at `stamp`. Its later times are reduced to that.
    #[must_use]
    pub fn with_stamp(self, stamp: Stamp) -> Self {
        Self {
            enrolled_at: self.enrolled_at.map(|at| at.min(stamp.at)),
            ended_at: self.ended_at.map(|at| at.min(stamp.at)),
            reported_at: stamp.at,
            sent_at: stamp.was_ahead().then_some(stamp.sent_at),
            ..self
        }
    }

    /// Returns whether this `enrolled` replaces `ended`, which reports that an enrolment ended.
    pub(super) fn outranks(&self, ended: &Self) -> bool {
        let (own, other) = (self.stamp(), ended.stamp());
        let began_after =
            self.enrolled_at.zip(ended.ended_at).is_some_and(|(began, end)| began > end);
        own.is_later_by_both(other)
            || (own.at == other.at && own.sent_at >= other.sent_at && began_after)
    }
}
