//! When a record was last used: evidence that its device is alive in the present life.
//!
//! Okta moves `lastUpdated` when it saves signals during an authentication, when the lifecycle state
//! of the record changes, and when users come and go. Only the first is a use. So a use is a
//! `lastUpdated` that moved between two consecutive reads which both show the record `ACTIVE` and with
//! the same users, and for which no lifecycle event is known. First sight is none.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::OktaDeviceUser;

/// How far the time of an event and the `lastUpdated` that came with it may lie apart.
const EVENT_MARGIN: TimeDelta = TimeDelta::minutes(1);

/// What is known of the uses of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uses {
    /// The newest `lastUpdated` that was a use.
    pub used_at: Option<DateTime<Utc>>,
    /// When the read began that showed it.
    pub seen_at: Option<DateTime<Utc>>,
    /// The last read to compare with; empty after one that showed another status.
    pub base: Option<UseBase>,
    /// A lifecycle event after what was last read, by Okta's clock.
    pub lifecycle_at: Option<DateTime<Utc>>,
}

/// The last read that showed the record `ACTIVE` and with all of its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseBase {
    pub last_updated_at: DateTime<Utc>,
    pub user_ids: Vec<String>,
}

/// In how many requests the device and its users were read. Between two of them both can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadKind {
    OneAnswer,
    DeviceThenUsers,
    /// The device was read earlier, by itself.
    UsersAlone,
}

impl Uses {
    /// Begins to compare with this read.
    pub(super) fn begin(&mut self, last_updated_at: DateTime<Utc>, users: &[OktaDeviceUser]) {
        self.base = Some(UseBase { last_updated_at, user_ids: ids(users) });
    }

    /// The next read is compared with none before it.
    pub(super) fn reset(&mut self) {
        self.base = None;
    }

    /// Takes in a read; `users` where it shows all of them. Without them the comparison waits.
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
            self.skip_to(last_updated_at);
        }
        if !active {
            if kind != ReadKind::UsersAlone && self.used_at == Some(last_updated_at) {
                self.take_back();
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
                    .any(|user| user.explains(last_updated_at))
                {
                    self.take_back();
                }
                // Read in two requests, the users may be newer than `lastUpdated`, and what removed one
                // of them would look like a use in the next read.
                match kind {
                    ReadKind::OneAnswer => self.begin(last_updated_at, users),
                    ReadKind::DeviceThenUsers | ReadKind::UsersAlone => self.reset(),
                }
            }
            None if kind == ReadKind::UsersAlone => {}
            None => self.begin(last_updated_at, users),
        }
    }

    /// Takes in a lifecycle event, published at this time by Okta's clock, for a record of which
    /// `last_updated_at` was read. Only ever takes trust away.
    pub fn note_lifecycle_event(
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
            self.take_back();
        }
        // A movement that still waits for the users to be read.
        if near(last_updated_at) {
            self.skip_to(last_updated_at);
        }
    }

    /// What moved `lastUpdated` up to here was no use.
    fn skip_to(&mut self, last_updated_at: DateTime<Utc>) {
        if let Some(base) = &mut self.base {
            base.last_updated_at = base.last_updated_at.max(last_updated_at);
        }
    }

    fn take_back(&mut self) {
        self.used_at = None;
        self.seen_at = None;
    }
}

impl OktaDeviceUser {
    /// Whether adding this user can be what moved `lastUpdated` to this time.
    fn explains(&self, last_updated_at: DateTime<Utc>) -> bool {
        self.created.is_none_or(|created| (created - last_updated_at).abs() <= EVENT_MARGIN)
    }
}

fn ids(users: &[OktaDeviceUser]) -> Vec<String> {
    users.iter().map(|user| user.id.clone()).collect()
}

#[cfg(test)]
#[path = "uses_tests.rs"]
mod tests;
