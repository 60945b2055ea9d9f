//! The verdict: whether a device is trusted, and why. A pure function decides from facts, the policy and
//! the time; it does no I/O.
//!
//! # What the verdict protects against
//! `MANAGED` is what Okta concluded at the last FastPass sign-in, not the current state: it survives a
//! wipe, an unenrolment and a change of MDM. Trust therefore requires evidence from the device's *present
//! life*. A wrong `trusted` is the worst possible answer, so missing, old or contradictory facts prevent
//! trust.
//!
//! # Which records belong to the device (`records`)
//! - A record belongs to the device if it has the device's UDID or, if one of the two has no UDID, its
//!   serial number; or if the MDM reported the record's Okta ID in the current enrolment period. A Mac's
//!   record without a UDID does not belong to it if the MDM reported the Mac's UDID.
//! - A record must not contradict the device's known serial number, UDID or platform, or name another
//!   living device. A value that is not a valid serial number or UDID (an unreplaced macro) counts as
//!   absent.
//! - A `CREATED` record without users, a record for which Okta answers 404, and a record whose identifiers
//!   changed and changed back within 30 days belong to no device.
//! - If the inventory has neither the device nor its tombstone, the queried identifiers take its place. In
//!   a query by Okta ID only, the record stands for the device even if it has no identifiers.
//! - The device's platform is the one that the MDM reported; otherwise, in a query by Okta ID only, that of
//!   the record; otherwise that of the device's newest record. Of two records created at the same time, the
//!   one with the greater ID is newer.
//!
//! # Which of them count
//! - *L*, the start of the present life, is the latest of: `left_at` + 5 minutes; the `reported_at` of the
//!   first `enrolled` after `left_at`; the latest `enrolled_at` ever reported. A device that never left and
//!   has no `enrolled_at` has no *L*. For a record whose serial number or UDID changed, *L* is at least the
//!   `lastUpdated` of the read that showed the change.
//! - *B* is the later of *L* and the `created` of the device's newest record that was created after this
//!   one, including records that no longer exist.
//! - A record counts if it was created, used, or had a managed user added at or after *B*.
//! - On a record created before *L*, a user who was added at or after *L* counts. A user who was added
//!   earlier counts only if the record was used at or after *L*, no user was added since (if the time of
//!   the last addition is unknown, it may be since), and a read that began after that use was seen shows
//!   all users as managed. On other records every user counts.
//!   A user whose Okta status is `DEPROVISIONED` or `SUSPENDED` never counts.
//!
//! # Enrolment period
//! It begins at `left_at`. Deliveries (by `delivered_at`), Okta's ID, certificates, Okta Verify, check-ins
//! and lost mode (by `reported_at`) count only if they are later. A device that is not `enrolled` has no
//! delivery.
//!
//! # Rules: the first one that applies decides, the rest are notes (`rules`, `notes`)
//! 1. The queried identifiers belong to different living devices, or the queried serial number or UDID is
//!    not the device's: untrusted `conflicting_identity`. If the MDM reported no UDID, the queried UDID must
//!    be that of a record of the device; without a mirror (rule 5) this is not checked.
//! 2. Unenrolled, wiped or deleted: untrusted `mdm_unenrolled`.
//! 3. Not in the inventory, if the policy requires it: untrusted `not_known_to_mdm`. In a query by Okta ID
//!    only, this applies only if its record is known and names no known device.
//! 4. Lost mode is on: untrusted `mdm_lost_mode`.
//! 5. No credentials, or no accepted sweep yet: unknown `never_connected`.
//! 6. The platform is not configured: untrusted `platform_not_configured`.
//! 7. The oldest facts about the device's records (without records: the last accepted sweep) exceed the
//!    maximum age: unknown `okta_unreachable` or `okta_budget_exhausted`, with `last_known`.
//! 8. In a query by Okta ID: the record does not belong to the device, or Okta answers 404: untrusted
//!    `conflicting_identity`; the record is not in the mirror: unknown `okta_record_not_seen`; it belongs to
//!    the device but does not count: untrusted `okta_record_superseded`. On iOS, two counting records with
//!    managed users: untrusted `conflicting_identity`, unless the policy allows several installations.
//! 9. No record belongs to the device. Nothing delivered in this period: untrusted `config_not_delivered`.
//!    On iOS, if the delivered configuration does not contain the serial number and UDID, and the org has
//!    an iOS record that names no device: unknown `okta_record_unmatched`. Otherwise pending
//!    `not_registered_in_okta`.
//! 10. A counting record is `SUSPENDED`: untrusted `okta_device_suspended`. The queried record is not
//!     `ACTIVE`, or neither a counting record nor the device's newest record is: untrusted
//!     `okta_device_suspended`, `okta_device_deactivated` or `okta_device_inactive`, by its status.
//! 11. The Mac's certificate expired, and no counting record with a managed user was created, used or had
//!     a managed user added since: untrusted `certificate_expired`.
//! 12. The users of counting `ACTIVE` records (in a query by Okta ID: of that record) do not meet the
//!     policy. If not all of them are known, or not when each was added to a record from before *L*: unknown
//!     `management_status_unknown`. If the configuration was delivered in this period: pending
//!     `awaiting_fastpass_sign_in`. Otherwise untrusted `config_not_delivered`. The policy `any_user`
//!     requires one managed user; `all_users` requires a complete list with at least one user, all managed.
//! 13. The MDM has not seen the device for longer than the policy allows, or does not have the device:
//!     unknown `mdm_silent`. It was last seen at the later of the check-in in this period and *L*; without
//!     both, at the first report. Otherwise trusted `managed_and_active`.
//!
//! # Known limits
//! A wrong `trusted` remains possible after: a suspension that is lifted between two reads, without an
//! event hook; a wipe that the MDM neither reports nor follows with a new `enrolled_at`; `wiped` reported
//! when the wipe was ordered and `enrolled` before it was carried out; a newer record that is deleted
//! before the mirror reads it; `continues: true` reported for a wiped device; a machine that claims the
//! serial number of a Mac whose UDID the MDM did not report; a sign-in just before the enrolment, within
//! the minutes by which the MDM's clock is behind; a copy of an iPhone's configuration that is the only
//! one in use.

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
pub use records::{AssessedRecord, AssessedUser, RecordStanding};
pub use remediation::{ReasonRemediation, RemediationActor};
pub use verdict::{LastKnown, Verdict, decide};
