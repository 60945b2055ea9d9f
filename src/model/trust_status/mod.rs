//! The verdict: whether a device is trusted, and why. One pure function decides from facts, with the
//! policy and the time as arguments. It does no I/O.
//!
//! # What the verdict protects against
//! `MANAGED` is what Okta concluded at the last FastPass sign-in, not what is true now: it survives a
//! wipe, an unenrolment and a change of MDM. So trust needs evidence from the device's *present life*.
//! A wrong `trusted` is the worst answer. Anything missing, old or contradictory costs trust.
//!
//! # Which records are the device's (`records`)
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
//! # Rules: the first that holds decides, the rest are notes (`rules`, `notes`)
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
mod policy;
mod reasons;
mod records;
mod remediation;
mod rules;
#[cfg(test)]
mod tests;
mod verdict;

pub use facts::{
    AskedDevice, CountingCertificate, Delivery, DeviceFacts, Facts, OktaRecord, OrgFacts, Reported,
};
pub use policy::Policy;
pub use reasons::{Reason, Trust};
pub use records::{RecordStanding, WeighedRecord, WeighedUser};
pub use remediation::{ActsOn, ReasonRemediation};
pub use verdict::{LastKnown, Verdict, decide};
