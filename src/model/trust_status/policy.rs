//! What the operator and the caller ask of a verdict.

use chrono::TimeDelta;

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

impl Policy {
    /// Facts older than this decide nothing for this caller.
    pub fn bound(&self) -> TimeDelta {
        self.max_age.map_or(self.unknown_after, |max_age| max_age.min(self.unknown_after))
    }
}
