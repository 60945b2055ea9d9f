//! Notes: what is worth a word beside the reason and decides nothing, and when the answer can change by
//! itself.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::trust_status::rules::Case;
use crate::model::trust_status::{DeviceFacts, Reason, RecordStanding, WeighedRecord};
use crate::model::{OktaDeviceUser, Platform};

/// A certificate that ends within this time is noted.
pub(super) const CERTIFICATE_EXPIRING: TimeDelta = TimeDelta::days(30);
/// A device whose last check-in is older is noted.
pub(super) const NOT_SEEN_LATELY: TimeDelta = TimeDelta::days(30);

impl Case<'_> {
    /// The notes, in a fixed order.
    pub fn notes(&self) -> impl Iterator<Item = Reason> {
        let managed = self.facts.device.as_ref().filter(|device| device.is_managed());
        let has = |standing| self.records.iter().any(|weighed| weighed.standing == standing);
        let does_not_count = |weighed: &WeighedRecord<'_>| !weighed.counts();
        let degraded = self.facts.org.as_ref().is_some_and(|org| org.degraded);
        [
            (managed.is_some() && self.certificate_is_expiring(), Reason::CertificateExpiring),
            (managed.is_some_and(is_missing_certificate), Reason::CertificateMissing),
            (self.has_mixed_users(), Reason::MixedUserProfiles),
            (self.own_records().count() > 1, Reason::DuplicateOktaRecords),
            (has(RecordStanding::AnotherDevice), Reason::ForeignOktaRecord),
            (self.own_records().any(does_not_count), Reason::NotUsedSinceEnrolment),
            (self.not_seen_from().is_some_and(|from| self.now > from), Reason::NotSeenLately),
            (degraded, Reason::IntegrationDegraded),
        ]
        .into_iter()
        .filter_map(|(holds, note)| holds.then_some(note))
    }

    /// The earliest time after now at which the verdict or a note can change although no fact does.
    pub fn next_change(&self, observed_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let end = self.certificate().map(|certificate| certificate.not_after);
        [
            Some(observed_at + self.policy.fresh_for),
            Some(observed_at + self.policy.bound()),
            end,
            end.map(|end| end - CERTIFICATE_EXPIRING),
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
            let left = certificate.not_after - self.now;
            TimeDelta::zero() < left && left <= CERTIFICATE_EXPIRING
        })
    }

    fn has_mixed_users(&self) -> bool {
        let users = || self.counting_records().flat_map(WeighedRecord::counting_users);
        let is_told = |user: &OktaDeviceUser| user.management_status.is_some();
        users().any(OktaDeviceUser::is_managed)
            && users().any(|user| is_told(user) && !user.is_managed())
    }

    fn not_seen_from(&self) -> Option<DateTime<Utc>> {
        Some(self.facts.device.as_ref()?.checked_in_at()? + NOT_SEEN_LATELY)
    }
}

fn is_missing_certificate(device: &DeviceFacts) -> bool {
    device.platform == Some(Platform::Macos)
        && device.counting_delivery().is_some()
        && device.certificate.is_none()
}
