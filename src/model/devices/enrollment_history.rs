//! When a device left this MDM and when it was enrolled again. A device leaves by `wiped`, `unenrolled`, a
//! deletion or a change of platform; what was reported for it before that no longer counts. A departure
//! counts however late its report arrives: `left_at` never decreases.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

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
/// How many deletions are stored for each device. A late `enrolled` report from before all of them counts
/// as the enrolment after a deletion that is no longer stored.
pub const MAX_DELETIONS: usize = 10;

/// The departures and enrolments of a device that later reports depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnrollmentHistory {
    /// The latest departure ever reported.
    pub left_at: Option<DateTime<Utc>>,
    /// `reported_at` of the first `enrolled` after `left_at`.
    pub enrolled_since: Option<DateTime<Utc>>,
    /// The latest `enrolled_at` ever reported.
    pub last_enrolled_at: Option<DateTime<Utc>>,
    /// `reported_at` of the newest `enrolled` reports, and of those that decide whether a deletion is a
    /// departure; the value is their `continues`.
    pub enrolled: BTreeMap<DateTime<Utc>, bool>,
    /// The latest `enrolled` report that was removed from `enrolled`.
    pub pruned_enrolled_at: Option<DateTime<Utc>>,
    /// The newest deletions. Each is a departure unless the next `enrolled` has `continues`, and that
    /// report may arrive late.
    pub deletions: BTreeSet<DateTime<Utc>>,
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

    /// Records an `enrolled` report. Without `continues`, a deletion just before it becomes a departure.
    pub(super) fn record_enrolled(&mut self, at: DateTime<Utc>, continues: bool) {
        // Of two reports with the same time, the one without `continues` wins.
        let slot = self.enrolled.entry(at).or_insert(continues);
        *slot &= continues;
        if !*slot {
            self.record_departure_before(at);
        }
        self.prune_enrolled();
        if self.left_at.is_some() {
            let first = self.first_enrolled_since_left();
            self.enrolled_since = match (self.enrolled_since, first) {
                (Some(known), Some(first)) => Some(known.min(first)),
                (known, first) => known.or(first),
            };
        }
    }

    /// Records a deletion. It is a departure once an `enrolled` without `continues` follows it.
    pub(super) fn record_deletion(&mut self, at: DateTime<Utc>) {
        if !self.deletions.insert(at) {
            return;
        }
        while self.deletions.len() > MAX_DELETIONS {
            self.deletions.pop_first();
        }
        let is_unclear = self.pruned_enrolled_at.is_some_and(|pruned| at < pruned);
        if is_unclear || self.first_enrolled_after(at).is_some_and(|(_, continues)| !continues) {
            self.record_departure(at);
        }
    }

    /// Counts the deletion as a departure whose next `enrolled` is this one, if there is such a deletion.
    fn record_departure_before(&mut self, enrolled_at: DateTime<Utc>) {
        let deleted_at = self.deletions.range(..enrolled_at).next_back().copied();
        match deleted_at {
            Some(at)
                if self.first_enrolled_after(at).is_some_and(|(next, _)| next == enrolled_at) =>
            {
                self.record_departure(at);
            }
            // Before all stored deletions: an earlier one may have been removed.
            None if self.deletions.len() >= MAX_DELETIONS => self.record_departure(enrolled_at),
            _ => {}
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

    /// Keeps the newest times, and those that decide whether a deletion is a departure.
    fn prune_enrolled(&mut self) {
        let decisive: BTreeSet<_> = self
            .deletions
            .iter()
            .filter_map(|at| Some(self.first_enrolled_after(*at)?.0))
            .collect();
        let others: Vec<_> = self.enrolled.keys().filter(|at| !decisive.contains(at)).collect();
        let surplus = others.len().saturating_sub(MAX_ENROLLED_TIMES);
        let pruned: Vec<_> = others.into_iter().take(surplus).copied().collect();
        for at in pruned {
            self.enrolled.remove(&at);
            self.pruned_enrolled_at = self.pruned_enrolled_at.max(Some(at));
        }
    }

    fn first_enrolled_after(&self, at: DateTime<Utc>) -> Option<(DateTime<Utc>, bool)> {
        let mut later = self.enrolled.range((Excluded(at), Unbounded));
        later.next().map(|(at, continues)| (*at, *continues))
    }

    fn first_enrolled_since_left(&self) -> Option<DateTime<Utc>> {
        Some(self.first_enrolled_after(self.left_at?)?.0)
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

#[cfg(test)]
#[path = "enrollment_history_tests.rs"]
mod tests;
