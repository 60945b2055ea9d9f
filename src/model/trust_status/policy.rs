//! The requirements of the operator and the caller for a verdict.

use chrono::TimeDelta;

/// The settings that the verdict depends on.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Facts older than this are stale.
    pub fresh_for: TimeDelta,
    /// Facts older than this decide nothing.
    pub unknown_after: TimeDelta,
    /// The maximum age that the caller accepts. It can only lower `unknown_after`.
    pub max_age: Option<TimeDelta>,
    /// A device that is not in the inventory is not trusted.
    pub require_inventory: bool,
    /// Every user of the device must be managed; otherwise one is enough.
    pub all_users: bool,
    /// An iPhone has one installation of Okta Verify, so two records in use are two phones.
    pub ios_single_install: bool,
    /// The MDM must have seen the device within this time.
    pub last_seen_within: Option<TimeDelta>,
}

impl Policy {
    /// Returns the maximum age of facts that decide for this caller.
    pub fn max_fact_age(&self) -> TimeDelta {
        self.max_age.map_or(self.unknown_after, |max_age| max_age.min(self.unknown_after))
    }
}
