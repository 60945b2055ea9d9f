//! Merges reports into the record of a device. The newest value of each group wins, so that any order of
//! the same reports gives the same record. Pure functions: no clock and no I/O.

mod enrollment;
mod groups;

use chrono::{DateTime, Utc};

use crate::model::devices::receipt::{ReceivedReport, Stamp};
use crate::model::devices::records::DeviceRecord;
use crate::model::devices::reports::{Enrollment, GroupResult, ReportRefusal, ReportResults};

pub use groups::FindHolder;

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionResult {
    /// The device is deleted.
    Deleted,
    /// The device was enrolled again since. It stays, and data reported before the deletion no longer counts.
    Applied,
    /// The device was enrolled again since, and nothing changed.
    IgnoredStale,
}

impl DeviceRecord {
    /// Merges a report. An identifier that another living device has is rejected; the other groups are
    /// merged nevertheless. After an error the record must be discarded.
    ///
    /// # Errors
    /// [`ReportRefusal::EnrollmentNeeded`], [`ReportRefusal::PlatformMismatch`].
    pub fn apply(
        &mut self,
        report: &ReceivedReport,
        find_holder: &FindHolder<'_>,
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
        self.apply_identity(report, find_holder, &mut results);
        self.apply_groups(report, &mut results);
        self.mark_stale(report, &mut results);
        Ok(results)
    }

    /// Deletes the device, unless it was enrolled after `deleted`. Without `deleted`, the deletion is newer
    /// than all reports.
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
        self.history.record_deletion(deleted.at);
        if !self.is_living() {
            DeletionResult::Deleted
        } else if self.left_at() > left_at {
            DeletionResult::Applied
        } else {
            DeletionResult::IgnoredStale
        }
    }

    /// Returns whether the report lacks an enrolment and has data newer than the deletion. Older data is
    /// stored without an enrolment.
    fn needs_enrollment(&self, report: &ReceivedReport) -> bool {
        let Some(deleted) = self.deleted else { return true };
        if report.enrollment.as_ref().is_some_and(Enrollment::is_ended) {
            return false;
        }
        let newer = |at: DateTime<Utc>| at > deleted.at;
        report.group_times().any(newer)
    }

    /// Sets the result of groups that were stored but belong to an earlier enrolment period to stale.
    fn mark_stale(&self, report: &ReceivedReport, results: &mut ReportResults) {
        let deleted_at = self.deleted.map(|deleted| deleted.at);
        let counts = |at: DateTime<Utc>| {
            self.history.is_current(at)
                && (self.is_living() || deleted_at.is_none_or(|gone| at > gone))
        };
        let mark = |result: &mut GroupResult, at: Option<DateTime<Utc>>| {
            if *result == GroupResult::Applied && at.is_some_and(|at| !counts(at)) {
                *result = GroupResult::IgnoredStale;
            }
        };
        let at = report.reported.at;
        if let Some(result) = &mut results.identity {
            // A UDID identifies the hardware, so it does not depend on the enrolment period.
            let is_period_bound = report.okta_device_id.is_some() && report.udid.is_none();
            mark(result, (is_period_bound || !self.is_living()).then_some(at));
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
