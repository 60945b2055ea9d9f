//! Decides, and says how long the answer may be kept.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::SerialNumber;
use crate::model::trust_status::rules::Case;
use crate::model::trust_status::{Facts, Policy, Reason, Trust};

/// The verdict on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub trust: Trust,
    /// The first one decides; the others are notes.
    pub reasons: Vec<Reason>,
    /// The age of the oldest fact about Okta's records. `None`: there is none.
    pub observed_at: Option<DateTime<Utc>>,
    /// The earliest time at which the answer can change by itself. `None`: it must not be kept.
    pub fresh_until: Option<DateTime<Utc>>,
    /// The facts are older than they should be, and still decide.
    pub stale: bool,
    /// The verdict as of `observed_at`, where the facts are now too old to decide.
    pub last_known: Option<LastKnown>,
}

/// A verdict of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LastKnown {
    pub trust: Trust,
    pub observed_at: DateTime<Utc>,
}

/// Decides whether the device is trusted at `now`.
pub fn decide(facts: &Facts, policy: &Policy, now: DateTime<Utc>) -> Verdict {
    let case = Case::new(facts, policy, now);
    let reason = case.reason();
    let observed_at = case.observed_at();
    let is_outdated = matches!(reason, Reason::OktaUnreachable | Reason::OktaBudgetExhausted);
    let last_known = observed_at.filter(|_| is_outdated).map(|observed_at| LastKnown {
        trust: case.as_of(observed_at).reason_after_freshness().verdict(),
        observed_at,
    });
    Verdict {
        trust: reason.verdict(),
        reasons: [reason].into_iter().chain(case.notes()).collect(),
        observed_at,
        fresh_until: observed_at.filter(|_| !is_outdated).and_then(|at| case.next_change(at)),
        stale: observed_at.is_some_and(|at| now - at > policy.fresh_for),
        last_known,
    }
}

impl Facts {
    /// Whether nothing that Okta might answer now could change the verdict.
    pub fn is_decided_without_okta(&self, policy: &Policy, now: DateTime<Utc>) -> bool {
        Case::new(self, policy, now).reason_before_freshness().is_some()
    }

    /// The device's serial number: the MDM's, or the asked one.
    pub fn serial_number(&self) -> Option<&SerialNumber> {
        let known = self.device.as_ref().map(|device| &device.serial_number);
        known.or(self.asked.serial_number.as_ref())
    }

    /// Whether the asked Okta id is in no record of the mirror, so that it has to be read.
    pub fn needs_asked_record(&self) -> bool {
        self.asked.okta_device_id.is_some()
            && self.asked_record().is_none()
            && !self.asked_record_is_gone
    }
}
