//! Merges reports into what is known of a device. The newest of each group stands, so that any order of
//! the same reports ends in the same record. Pure: no clock and no I/O.

mod enrollment;
mod groups;

use chrono::{DateTime, Utc};

use crate::model::devices::receipt::{ReceivedReport, Stamp};
use crate::model::devices::records::DeviceRecord;
use crate::model::devices::reports::{Enrollment, GroupResult, ReportRefusal, ReportResults};

pub use groups::HolderOf;

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
