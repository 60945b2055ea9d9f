//! Notes, which accompany the deciding reason, and when a verdict can change without new facts.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::trust_status::rules::Case;
use crate::model::trust_status::{AssessedRecord, DeviceFacts, Reason, RecordStanding};
use crate::model::{OktaDeviceUser, Platform};

/// A certificate that expires within this time adds the note `certificate_expiring`.
pub(super) const CERTIFICATE_EXPIRING_WITHIN: TimeDelta = TimeDelta::days(30);
/// A last check-in older than this adds the note `not_seen_lately`.
pub(super) const NOT_SEEN_LATELY_AFTER: TimeDelta = TimeDelta::days(30);

impl Case<'_> {
    /// Iterates over the notes, in a fixed order.
    pub fn notes(&self) -> impl Iterator<Item = Reason> {
        let managed = self.facts.device.as_ref().filter(|device| device.is_managed());
        let has = |standing| self.records.iter().any(|assessed| assessed.standing == standing);
        let does_not_count = |assessed: &AssessedRecord<'_>| !assessed.counts();
        let degraded = self.facts.org.as_ref().is_some_and(|org| org.degraded);
        [
            (managed.is_some() && self.certificate_is_expiring(), Reason::CertificateExpiring),
            (managed.is_some_and(is_missing_certificate), Reason::CertificateMissing),
            (self.has_mixed_users(), Reason::MixedUserProfiles),
            (self.device_records().count() > 1, Reason::DuplicateOktaRecords),
            (has(RecordStanding::AnotherDevice), Reason::ForeignOktaRecord),
            (self.device_records().any(does_not_count), Reason::NotUsedSinceEnrolment),
            (self.not_seen_from().is_some_and(|from| self.now > from), Reason::NotSeenLately),
            (degraded, Reason::IntegrationDegraded),
        ]
        .into_iter()
        .filter_map(|(holds, note)| holds.then_some(note))
    }

    /// Returns the earliest time after now at which the verdict or a note can change without new facts.
    pub fn next_change(&self, observed_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let end = self.certificate().map(|certificate| certificate.not_after);
        [
            Some(observed_at + self.policy.fresh_for),
            Some(observed_at + self.policy.max_fact_age()),
            end,
            end.map(|end| end - CERTIFICATE_EXPIRING_WITHIN),
            self.silent_from(),
            self.not_seen_from(),
        ]
        .into_iter()
        .flatten()
        .filter(|at| *at > self.now)
        .min()
    }

    fn certificate_is_expiring(&self) -> bool {
        self.certificate().is_some_and(|certificate| {
            let remaining = certificate.not_after - self.now;
            TimeDelta::zero() < remaining && remaining <= CERTIFICATE_EXPIRING_WITHIN
        })
    }

    fn has_mixed_users(&self) -> bool {
        let users = || self.counting_records().flat_map(AssessedRecord::counting_users);
        let is_known = |user: &OktaDeviceUser| user.management_status.is_some();
        users().any(OktaDeviceUser::is_managed)
            && users().any(|user| is_known(user) && !user.is_managed())
    }

    fn not_seen_from(&self) -> Option<DateTime<Utc>> {
        Some(self.facts.device.as_ref()?.checked_in_at()? + NOT_SEEN_LATELY_AFTER)
    }
}

fn is_missing_certificate(device: &DeviceFacts) -> bool {
    device.platform == Some(Platform::Macos)
        && device.counting_delivery().is_some()
        && device.certificate.is_none()
}
