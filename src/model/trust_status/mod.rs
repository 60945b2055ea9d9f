//! The verdict: whether a device is trusted, and why. One pure function decides from facts, with the
//! policy and the time as arguments. It does no I/O.
//!
//! # What the verdict protects against
//! `MANAGED` is what Okta concluded at the last FastPass sign-in, not what is true now: it survives a
//! wipe, an unenrolment and a change of MDM. So trust needs evidence from the device's *present life*.
//! A wrong `trusted` is the worst answer. Anything missing, old or contradictory costs trust.
//!
//! # Which records are the device's ([`records`])
//! - A record is the device's if its UDID is the device's or, where one of the two has no UDID, its
//!   serial number is; or if the MDM reported its Okta id in this enrolment period. A Mac's record
//!   without a UDID is not, if the MDM reported the Mac's UDID.
//! - Nothing in it may contradict the device's known serial number, UDID or platform, or name another
//!   living device. A text that is no serial number or UDID (an unfilled macro) counts as absent.
//! - A `CREATED` record without users, a record that Okta answers with 404, and a record whose
//!   identifiers changed and changed back within 30 days is no device's.
//! - Without a device in the inventory (a tombstone is one), the asked identifiers stand for the device.
//!   Asked by an Okta id alone, the device is that of its record, also if the record names none.
//! - The device's platform is what the MDM reported; else, asked by an Okta id alone, that of its
//!   record; else that of the newest record of the device. Of two records created at the same time, the
//!   one with the greater id is the newer.
//!
//! # Which of them count
//! - *L*, the beginning of the present life, is the latest of: `left_at` + 5 minutes; the `reported_at`
//!   of the first `enrolled` after `left_at`; the latest `enrolled_at` ever reported. A device that never
//!   left and has no `enrolled_at` has no *L*. For a record whose serial number or UDID changed, *L* is at
//!   least the `lastUpdated` that came with the change.
//! - *B* is the later of *L* and the `created` of the newest record of the device that was created after
//!   this one, records that are gone included.
//! - A record counts if it was created, used, or given a managed user at or after *B*.
//! - On a record created before *L*, a user who was added at or after *L* counts. One who was added
//!   earlier counts only if the record was used at or after *L*, no user was added since (an unknown time
//!   of the last addition may be since), and all its users are managed by a read that began after that use
//!   was seen. On other records every user counts.
//!   A user whose Okta status is `DEPROVISIONED` or `SUSPENDED` never does.
//!
//! # Enrolment period
//! It begins at `left_at`. Deliveries (by `delivered_at`), Okta's id, certificates, Okta Verify,
//! check-ins and lost mode (by `reported_at`) that are not later do not count. A device that is not
//! `enrolled` has no delivery.
//!
//! # Rules: the first that holds decides, the rest are notes ([`rules`], [`notes`])
//! 1. The asked identifiers lead to different living devices, or the asked serial number or UDID is not
//!    the device's: untrusted `conflicting_identity`. Where the MDM reported no UDID, the asked one must be
//!    that of a record of the device; without a mirror (rule 5) that is not checked.
//! 2. Unenrolled, wiped or deleted: untrusted `mdm_unenrolled`.
//! 3. Not in the inventory, if the policy requires it: untrusted `not_known_to_mdm`. Asked by an Okta id
//!    alone, only if its record is known and names no known device.
//! 4. Lost mode is on: untrusted `mdm_lost_mode`.
//! 5. No credentials, or no accepted sweep yet: unknown `never_connected`.
//! 6. The platform is not configured: untrusted `platform_not_configured`.
//! 7. The oldest facts of the device's records (without records: the last accepted sweep) are older than
//!    the bound: unknown `okta_unreachable` or `okta_budget_exhausted`, with `last_known`.
//! 8. Asked by an Okta id: its record is no record of the device, or Okta answers 404: untrusted
//!    `conflicting_identity`; not in the mirror: unknown `okta_record_not_seen`; the device's but not
//!    counting: untrusted `okta_record_superseded`. iOS, and two records with managed users count:
//!    untrusted `conflicting_identity`, unless the policy allows several installations.
//! 9. No record is the device's: nothing delivered in this period: untrusted `config_not_delivered`; iOS,
//!    what was delivered is older than the rendering that carries serial number and UDID, and the org has
//!    an iOS record that names no device: unknown `okta_record_unmatched`; else pending
//!    `not_registered_in_okta`.
//! 10. A counting record is `SUSPENDED`: untrusted `okta_device_suspended`. The asked record is not
//!     `ACTIVE`, or no counting record is and neither is the newest record of the device: untrusted
//!     `okta_device_suspended`, `okta_device_deactivated` or `okta_device_inactive`, by its status.
//! 11. The Mac's certificate expired, and no counting record with a managed user was created, used or
//!     given a managed user since: untrusted `certificate_expired`.
//! 12. The users of counting `ACTIVE` records (asked by an Okta id: of its record) do not meet the policy.
//!     Not every one of them is known, nor when each was added to a record from before *L*: unknown
//!     `management_status_unknown`; delivered in this period:
//!     pending `awaiting_fastpass_sign_in`; else untrusted `config_not_delivered`. `any_user`: one user
//!     is managed. `all_users`: there is one, and all are, by a complete list.
//! 13. The MDM has not seen the device for longer than the policy allows, or has no such device: unknown
//!     `mdm_silent`. Its last sight is the later of this period's check-in and *L*, without both the first
//!     report. Else trusted `managed_and_active`.
//!
//! # Known limits
//! A wrong `trusted` remains possible after: a suspension and its end by others between two reads
//! without an event hook; a wipe that the MDM neither reports nor follows with a new `enrolled_at`;
//! `wiped` reported when it was ordered and `enrolled` before it was carried out; a newer record that is
//! deleted before the mirror saw it; `continues: true` reported for a wiped device; a machine that claims
//! the serial number of a Mac whose UDID the MDM did not report; a sign-in in the minutes by which the
//! MDM's clock is behind, just before the enrolment; a copy of an iPhone's configuration that alone is
//! used.

mod facts;
mod notes;
mod reasons;
mod records;
mod remediation;
mod rules;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::model::SerialNumber;

pub use facts::{
    AskedDevice, CountingCertificate, Delivery, DeviceFacts, Facts, OktaRecord, OrgFacts, Reported,
};
pub use reasons::Reason;
pub use records::{RecordStanding, WeighedRecord, WeighedUser};
pub use remediation::{ActsOn, ReasonRemediation};

use rules::Case;

/// Whether a device is trusted.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Trust {
    Trusted,
    /// Everything is delivered; the user still has something to do.
    Pending,
    Untrusted,
    /// The service cannot tell.
    Unknown,
}

impl Trust {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

/// The settings that the verdict depends on.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Facts older than this are called stale.
    pub fresh_for: TimeDelta,
    /// Facts older than this decide nothing.
    pub unknown_after: TimeDelta,
    /// The age that the caller accepts. It can only lower the bound.
    pub max_age: Option<TimeDelta>,
    /// A device that the MDM does not know is not trusted.
    pub require_inventory: bool,
    /// Every user of the device has to be managed; else one is enough.
    pub all_users: bool,
    /// An iPhone has one installation of Okta Verify: two records in use are two phones.
    pub ios_single_install: bool,
    /// The MDM must have seen the device within this time.
    pub last_seen_within: Option<TimeDelta>,
}

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

impl Policy {
    /// Facts older than this decide nothing for this caller.
    pub fn bound(&self) -> TimeDelta {
        self.max_age.map_or(self.unknown_after, |max_age| max_age.min(self.unknown_after))
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
