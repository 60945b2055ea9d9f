//! The trust summary of a tenant, counted from the same verdicts that single devices get.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::IntegrationId;
use crate::model::trust_status::{DeviceFacts, Facts, OrgFacts, Policy, Reason, Trust, Verdict};

/// Devices of the inventory, counted by trust and by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustSummary {
    pub integration: Option<IntegrationId>,
    /// All devices of the inventory, including unenrolled ones and excluding deleted ones.
    pub total: u64,
    pub trust: BTreeMap<Trust, u64>,
    /// By the deciding reason.
    pub reasons: BTreeMap<Reason, u64>,
    /// By note; a device may have several.
    pub notes: BTreeMap<Reason, u64>,
    pub certificates: CertificateCounts,
    /// When the oldest fact from Okta was observed that a verdict used.
    pub observed_at: Option<DateTime<Utc>>,
    pub stale: bool,
}

/// Certificates of managed Macs by time to expiry. The counts are cumulative: a certificate that
/// expires in 7 days is also in the counts for 30 and 90.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CertificateCounts {
    pub expired: u64,
    pub expiring_in_7_days: u64,
    pub expiring_in_30_days: u64,
    pub expiring_in_90_days: u64,
}

impl TrustSummary {
    /// Returns an empty summary.
    pub(in crate::service) fn new(org: Option<&OrgFacts>) -> Self {
        let swept_at = org.filter(|org| org.connected).and_then(|org| org.swept_at);
        Self { integration: org.map(|org| org.id), observed_at: swept_at, ..Self::default() }
    }

    /// Counts one device.
    pub(in crate::service) fn count(
        &mut self,
        facts: &Facts,
        verdict: &Verdict,
        now: DateTime<Utc>,
    ) {
        self.total += 1;
        *self.trust.entry(verdict.trust).or_default() += 1;
        let mut reasons = verdict.reasons.iter().copied();
        if let Some(first) = reasons.next() {
            *self.reasons.entry(first).or_default() += 1;
        }
        for note in reasons {
            *self.notes.entry(note).or_default() += 1;
        }
        self.observed_at = match (self.observed_at, verdict.observed_at) {
            (Some(oldest), Some(observed)) => Some(oldest.min(observed)),
            (oldest, observed) => oldest.or(observed),
        };
        let device = facts.device.as_ref().filter(|device| device.is_managed());
        let certificate = device.and_then(|device: &DeviceFacts| device.certificate.as_ref());
        if let Some(certificate) = certificate {
            self.certificates.count(certificate.not_after - now);
        }
    }

    /// Completes the summary after the last device.
    pub(in crate::service) fn finish(mut self, policy: &Policy, now: DateTime<Utc>) -> Self {
        self.observed_at = self.observed_at.map(|at| at.min(now));
        self.stale = self.observed_at.is_some_and(|at| now - at > policy.fresh_for);
        self
    }
}

impl CertificateCounts {
    fn count(&mut self, left: TimeDelta) {
        if left <= TimeDelta::zero() {
            self.expired += 1;
            return;
        }
        for (days, counter) in [
            (7, &mut self.expiring_in_7_days),
            (30, &mut self.expiring_in_30_days),
            (90, &mut self.expiring_in_90_days),
        ] {
            *counter += u64::from(left <= TimeDelta::days(days));
        }
    }
}
