//! Decides, and determines how long the verdict may be cached.

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
    /// When the oldest fact about Okta's records was seen. `None`: there are no facts.
    pub observed_at: Option<DateTime<Utc>>,
    /// The earliest time at which the verdict can change without new facts. `None`: it must not be cached.
    pub fresh_until: Option<DateTime<Utc>>,
    /// The facts are older than `fresh_for`.
    pub stale: bool,
    /// The verdict as of `observed_at`, if the facts are now too old to decide.
    pub last_known: Option<LastKnown>,
}

/// An earlier verdict.
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
    let is_too_old = matches!(reason, Reason::OktaUnreachable | Reason::OktaBudgetExhausted);
    let last_known = observed_at.filter(|_| is_too_old).map(|observed_at| LastKnown {
        trust: case.as_of(observed_at).reason_after_freshness().verdict(),
        observed_at,
    });
    Verdict {
        trust: reason.verdict(),
        reasons: [reason].into_iter().chain(case.notes()).collect(),
        observed_at,
        fresh_until: observed_at.filter(|_| !is_too_old).and_then(|at| case.next_change(at)),
        stale: observed_at.is_some_and(|at| now - at > policy.fresh_for),
        last_known,
    }
}

impl Facts {
    /// Returns whether the verdict does not depend on Okta's facts.
    pub fn is_decided_without_okta(&self, policy: &Policy, now: DateTime<Utc>) -> bool {
        Case::new(self, policy, now).reason_before_freshness().is_some()
    }

    /// Returns the device's serial number in the inventory, or the queried one.
    pub fn serial_number(&self) -> Option<&SerialNumber> {
        let known = self.device.as_ref().map(|device| &device.serial_number);
        known.or(self.asked.serial_number.as_ref())
    }

    /// Returns whether the mirror has no record with the queried Okta ID, so that it has to be read.
    pub fn needs_asked_record(&self) -> bool {
        self.asked.okta_device_id.is_some()
            && self.asked_record().is_none()
            && !self.asked_record_not_found
    }
}
