//! The tenant's summary: counted from the same verdicts that single devices are given.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::IntegrationId;
use crate::model::trust_status::{DeviceFacts, Facts, OrgFacts, Policy, Reason, Trust, Verdict};

/// How many devices of the inventory are trusted, and why the others are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustSummary {
    pub integration: Option<IntegrationId>,
    /// Devices of the inventory, unenrolled ones included, deleted ones not.
    pub total: u64,
    pub trust: BTreeMap<Trust, u64>,
    /// By the reason that decided.
    pub reasons: BTreeMap<Reason, u64>,
    /// By the notes, of which a device may have several.
    pub notes: BTreeMap<Reason, u64>,
    pub certificates: CertificateCounts,
    /// The oldest fact of Okta's that was used.
    pub observed_at: Option<DateTime<Utc>>,
    pub stale: bool,
}

/// Certificates of managed Macs by how soon they end; one that ends in 7 days is in 30 and 90 too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CertificateCounts {
    pub expired: u64,
    pub expiring_in_7_days: u64,
    pub expiring_in_30_days: u64,
    pub expiring_in_90_days: u64,
}

impl TrustSummary {
    /// Of no device yet.
    pub(in crate::service) fn new(org: Option<&OrgFacts>) -> Self {
        let swept_at = org.filter(|org| org.connected).and_then(|org| org.swept_at);
        Self { integration: org.map(|org| org.id), observed_at: swept_at, ..Self::default() }
    }

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
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let device = facts.device.as_ref().filter(|device| device.is_managed());
        let certificate = device.and_then(|device: &DeviceFacts| device.certificate.as_ref());
        if let Some(certificate) = certificate {
            self.certificates.count(certificate.not_after - now);
        }
    }

    pub(in crate::service) fn ended(mut self, policy: &Policy, now: DateTime<Utc>) -> Self {
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
