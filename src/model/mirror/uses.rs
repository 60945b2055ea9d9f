//! When a record was last used, which is evidence that its device is in use in its present life.
//!
//! Okta updates `lastUpdated` when it saves signals during an authentication, when the lifecycle state
//! of the record changes, and when users are added or removed. Only the first is a use. So a use is a
//! `lastUpdated` that increased between two consecutive reads which both show the record `ACTIVE` and with
//! the same users, and for which no lifecycle event is known. The first read is never a use.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::OktaDeviceUser;

/// The maximum difference between the time of an event and the `lastUpdated` that it caused.
const EVENT_MARGIN: TimeDelta = TimeDelta::minutes(1);

/// The last use of a record, and the state needed to detect the next one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uses {
    /// The newest `lastUpdated` that was a use.
    pub used_at: Option<DateTime<Utc>>,
    /// When the read began that showed it.
    pub seen_at: Option<DateTime<Utc>>,
    /// The read that the next one is compared with; `None` after a read with a status other than `ACTIVE`.
    pub base: Option<UseBase>,
    /// The time of a lifecycle event that no read has shown yet, by Okta's clock.
    pub lifecycle_at: Option<DateTime<Utc>>,
}

/// The last read of the record as `ACTIVE` with all of its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseBase {
    pub last_updated_at: DateTime<Utc>,
    pub user_ids: Vec<String>,
}

/// How the device and its users were read. Between two requests both can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadKind {
    SingleResponse,
    DeviceThenUsers,
    /// The device itself was read earlier.
    UsersOnly,
}

impl Uses {
    /// Makes this read the base of the next comparison.
    pub(super) fn begin(&mut self, last_updated_at: DateTime<Utc>, users: &[OktaDeviceUser]) {
        self.base = Some(UseBase { last_updated_at, user_ids: ids(users) });
    }

    /// Clears the base, so that the next read cannot be a use.
    pub(super) fn reset(&mut self) {
        self.base = None;
    }

    /// Compares a read with the base. `users` is `None` if the read does not have all of them; the
    /// comparison is then left to the next read.
    pub(super) fn observe(
        &mut self,
        active: bool,
        last_updated_at: DateTime<Utc>,
        users: Option<&Vec<OktaDeviceUser>>,
        kind: ReadKind,
        read_at: DateTime<Utc>,
    ) {
        if self.lifecycle_at.is_some_and(|at| last_updated_at >= at - EVENT_MARGIN) {
            self.lifecycle_at = None;
            self.advance_base(last_updated_at);
        }
        if !active {
            if kind != ReadKind::UsersOnly && self.used_at == Some(last_updated_at) {
                self.revoke_use();
            }
            self.reset();
            return;
        }
        let Some(users) = users else { return };
        match &mut self.base {
            Some(base) if base.user_ids == ids(users) => {
                if last_updated_at > base.last_updated_at {
                    base.last_updated_at = last_updated_at;
                    self.used_at = Some(last_updated_at);
                    self.seen_at = Some(read_at);
                }
            }
            Some(base) => {
                let added = users.iter().filter(|user| !base.user_ids.contains(&user.id));
                if self.used_at == Some(last_updated_at) && { added }
                    .any(|user| user.may_have_caused(last_updated_at))
                {
                    self.revoke_use();
                }
                // If read in two requests, the users may be newer than `lastUpdated`, and the removal of a
                // user would look like a use in the next read.
                match kind {
                    ReadKind::SingleResponse => self.begin(last_updated_at, users),
                    ReadKind::DeviceThenUsers | ReadKind::UsersOnly => self.reset(),
                }
            }
            None if kind == ReadKind::UsersOnly => {}
            None => self.begin(last_updated_at, users),
        }
    }

    /// Records a lifecycle event that Okta published at `published`, for a record last read with
    /// `last_updated_at`. It can revoke a use but never add one.
    pub fn record_lifecycle_event(
        &mut self,
        last_updated_at: DateTime<Utc>,
        published: DateTime<Utc>,
    ) {
        let near = |at: DateTime<Utc>| (at - published).abs() <= EVENT_MARGIN;
        if published > last_updated_at + EVENT_MARGIN {
            self.lifecycle_at = self.lifecycle_at.max(Some(published));
            return;
        }
        if self.used_at.is_some_and(near) {
            self.revoke_use();
        }
        // The event caused a change that is not compared yet because the users were not read.
        if near(last_updated_at) {
            self.advance_base(last_updated_at);
        }
    }

    /// Moves the base to this `lastUpdated`, so that the change up to it is no use.
    fn advance_base(&mut self, last_updated_at: DateTime<Utc>) {
        if let Some(base) = &mut self.base {
            base.last_updated_at = base.last_updated_at.max(last_updated_at);
        }
    }

    fn revoke_use(&mut self) {
        self.used_at = None;
        self.seen_at = None;
    }
}

impl OktaDeviceUser {
    /// Returns whether adding this user may have caused this `lastUpdated`.
    fn may_have_caused(&self, last_updated_at: DateTime<Utc>) -> bool {
        self.created.is_none_or(|created| (created - last_updated_at).abs() <= EVENT_MARGIN)
    }
}

fn ids(users: &[OktaDeviceUser]) -> Vec<String> {
    users.iter().map(|user| user.id.clone()).collect()
}

#[cfg(test)]
#[path = "uses_tests.rs"]
mod tests;
