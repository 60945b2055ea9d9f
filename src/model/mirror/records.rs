//! A record of the mirror, and how reads are merged into it.
//!
//! Okta's lists and searches lag behind; a read by ID is accurate as of when it began. So a list never
//! overwrites newer data, and no read makes a record look fresher than the read was.

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::{IdentityHistory, IdentityPair};
use super::uses::{ReadKind, Uses};
use crate::model::{OktaDevice, OktaDeviceUser};

/// The kind of a read, which decides what it may overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A page of all devices.
    Sweep,
    /// A page of changed devices, or of a search.
    Changes,
    /// A read by ID, with all users.
    Id,
}

/// One read of the org's devices.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub source: Source,
    /// When the read began, by PostgreSQL's clock: its data is no fresher.
    pub read_at: DateTime<Utc>,
    /// When the last accepted sweep began. Records that follow sweeps are at least as fresh.
    pub swept_at: Option<DateTime<Utc>>,
}

/// Okta's lists truncate the users of a record at this number.
pub const LIST_USER_LIMIT: usize = 20;

/// How far a list may lag behind a read by ID.
const MAX_LIST_LAG: TimeDelta = TimeDelta::minutes(5);

/// A device record of an org, merged from all reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorRecord {
    pub okta_device_id: String,
    pub platform: String,
    pub status: String,
    pub serial_number: Option<String>,
    pub udid: Option<String>,
    pub display_name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_updated_at: DateTime<Utc>,
    pub users: Vec<OktaDeviceUser>,
    /// Whether the list of users is complete and the management status of each is known.
    pub users_known: bool,
    /// When the read began that last changed the row, or last confirmed it outside of a sweep.
    pub observed_at: DateTime<Utc>,
    /// Whether the last accepted sweep confirmed the row, so that it is as fresh as the sweep.
    pub follows_sweeps: bool,
    /// When the users were last read, if that is older than the row.
    pub users_observed_at: Option<DateTime<Utc>>,
    pub read_by_id_at: Option<DateTime<Utc>>,
    pub users_read_at: Option<DateTime<Utc>>,
    /// When Okta answered 404 for its ID. Only a read by ID that finds it clears this.
    pub not_found_at: Option<DateTime<Utc>>,
    /// When it was removed: after a 404 for its ID and an accepted sweep without it.
    pub removed_at: Option<DateTime<Utc>>,
    /// The latest `created` of any user ever seen on the record, including removed users.
    pub users_added_at: Option<DateTime<Utc>>,
    pub uses: Uses,
    pub identity: IdentityHistory,
}

/// Which parts of a read are accepted.
#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
struct Accepted {
    columns: bool,
    users: bool,
    /// The read equals what is stored, which is then as fresh as the read.
    columns_confirmed: bool,
    users_confirmed: bool,
}

/// The users in a read.
struct ReadUsers {
    users: Vec<OktaDeviceUser>,
    known: bool,
    /// Whether the read has all users of the record, each with an ID.
    complete: bool,
}

impl MirrorRecord {
    /// Returns the record after a read.
    pub fn merge(stored: Option<&Self>, read: &OktaDevice, reading: &Reading) -> Self {
        match stored {
            Some(stored) => stored.merge_read(read, reading),
            None => Self::first_seen(read, reading),
        }
    }

    /// Returns whether a read has no users although some are stored. A sweep clears them only when it is
    /// accepted as a whole; see [`clear_users`](Self::clear_users).
    pub fn loses_all_users(&self, read: &OktaDevice) -> bool {
        !self.users.is_empty() && read.users.as_ref().is_some_and(Vec::is_empty)
    }

    pub fn any_managed(&self) -> bool {
        self.users.iter().any(OktaDeviceUser::is_managed)
    }

    fn first_seen(read: &OktaDevice, reading: &Reading) -> Self {
        let by_id_at = (reading.source == Source::Id).then_some(reading.read_at);
        let users = ReadUsers::from_read(read, &[], reading.source);
        let (users, known, complete) =
            users.map_or((Vec::new(), false, false), |u| (u.users, u.known, u.complete));
        let mut uses = Uses::default();
        if read.is_active() && complete {
            uses.begin(read.last_updated, &users);
        }
        Self {
            okta_device_id: read.id.clone(),
            platform: read.platform.clone(),
            status: read.status.clone(),
            serial_number: read.serial_number.clone(),
            udid: read.udid.clone(),
            display_name: read.display_name.clone(),
            created_at: read.created,
            last_updated_at: read.last_updated,
            users_added_at: latest_added(&users),
            users,
            users_known: known,
            observed_at: reading.read_at,
            follows_sweeps: true,
            users_observed_at: None,
            read_by_id_at: by_id_at,
            users_read_at: by_id_at,
            not_found_at: None,
            removed_at: None,
            uses,
            identity: IdentityHistory::default(),
        }
    }

    fn merge_read(&self, read: &OktaDevice, reading: &Reading) -> Self {
        let deferred = reading.source == Source::Sweep && self.loses_all_users(read);
        let read_users =
            ReadUsers::from_read(read, &self.users, reading.source).filter(|_| !deferred);
        let accepted = match reading.source {
            Source::Id => self.accept_by_id(read, reading),
            Source::Sweep | Source::Changes => {
                self.accept_from_list(read, read_users.as_ref(), deferred, reading)
            }
        };
        let seen = accepted.columns || accepted.columns_confirmed;
        let users_seen = accepted.users || accepted.users_confirmed;
        let ignored = match reading.source {
            Source::Sweep => false,
            Source::Changes => !seen,
            Source::Id => !accepted.columns,
        };
        if ignored {
            return self.clone();
        }
        let mut next = self.clone();
        if accepted.columns {
            next.set_columns(read);
        }
        if accepted.users {
            (next.users, next.users_known) = read_users
                .as_ref()
                .map_or((Vec::new(), false), |read| (read.users.clone(), read.known));
        }
        if let Some(read) = &read_users {
            next.users_added_at = self.users_added_at.max(latest_added(&read.users));
        }
        if seen {
            next.identity.observe(self.pair(), &next.pair(), next.last_updated_at, reading.read_at);
            let complete =
                read_users.filter(|read| read.complete && same_ids(&read.users, &next.users));
            let kind = match reading.source {
                Source::Id => ReadKind::DeviceThenUsers,
                Source::Sweep | Source::Changes => ReadKind::SingleResponse,
            };
            next.uses.observe(
                next.status == OktaDevice::ACTIVE,
                next.last_updated_at,
                complete.is_some().then_some(&next.users),
                kind,
                reading.read_at,
            );
        }
        next.follows_sweeps = match reading.source {
            // An earlier sweep does not confirm what a read by ID changed; the next one does.
            Source::Id => {
                self.follows_sweeps && accepted.columns_confirmed && next.users == self.users
            }
            Source::Sweep | Source::Changes => seen,
        };
        let unchanged = next == *self && users_seen == self.users_observed_at.is_none();
        if reading.source == Source::Sweep && unchanged {
            return next;
        }
        next.set_times(self, reading, &accepted);
        next
    }

    /// Decides what to accept from a list. A list with the same `lastUpdated` may lag behind a read by ID
    /// of the last five minutes; one with an older `lastUpdated` does lag. A list without the users, or
    /// without their management status, does not change the users of an unchanged record.
    fn accept_from_list(
        &self,
        read: &OktaDevice,
        read_users: Option<&ReadUsers>,
        deferred: bool,
        reading: &Reading,
    ) -> Accepted {
        let newer = read.last_updated > self.last_updated_at;
        let same_time = read.last_updated == self.last_updated_at;
        let is_beyond_lag =
            |at: Option<DateTime<Utc>>| at.is_none_or(|at| at < reading.read_at - MAX_LIST_LAG);
        let (has_users, has_same_users) = match read_users {
            Some(read) => {
                (read.known || !self.users_known || newer, read.known && read.users == self.users)
            }
            None => (newer && !deferred, false),
        };
        Accepted {
            columns: newer || (same_time && is_beyond_lag(self.read_by_id_at)),
            users: has_users && (newer || (same_time && is_beyond_lag(self.users_read_at))),
            columns_confirmed: self.has_columns_of(read),
            users_confirmed: same_time && has_same_users,
        }
    }

    /// Accepts a read by ID unless a read that began later, or has a newer `lastUpdated`, is stored.
    fn accept_by_id(&self, read: &OktaDevice, reading: &Reading) -> Accepted {
        let accepted = read.last_updated >= self.last_updated_at
            && self.read_by_id_at.is_none_or(|at| at <= reading.read_at);
        Accepted {
            columns: accepted,
            users: accepted,
            columns_confirmed: self.has_columns_of(read),
            users_confirmed: false,
        }
    }

    fn has_columns_of(&self, read: &OktaDevice) -> bool {
        self.platform == read.platform
            && self.status == read.status
            && self.serial_number == read.serial_number
            && self.udid == read.udid
            && self.display_name == read.display_name
            && self.created_at == read.created
            && self.last_updated_at == read.last_updated
    }

    fn set_columns(&mut self, read: &OktaDevice) {
        self.platform.clone_from(&read.platform);
        self.status.clone_from(&read.status);
        self.serial_number.clone_from(&read.serial_number);
        self.udid.clone_from(&read.udid);
        self.display_name.clone_from(&read.display_name);
        self.created_at = read.created;
        self.last_updated_at = read.last_updated;
    }

    fn set_times(&mut self, before: &Self, reading: &Reading, accepted: &Accepted) {
        let seen_before = before.seen_at(reading.swept_at);
        self.observed_at = if accepted.columns_confirmed {
            reading.read_at.max(before.observed_at)
        } else if accepted.columns {
            reading.read_at
        } else {
            seen_before
        };
        self.users_observed_at = if accepted.users || accepted.users_confirmed {
            None
        } else {
            Some(before.users_observed_at.unwrap_or(seen_before))
        };
        if reading.source == Source::Id {
            self.read_by_id_at = Some(reading.read_at);
            self.users_read_at = Some(reading.read_at);
            self.not_found_at = None;
            self.removed_at = None;
        }
    }

    /// Returns when the row was last seen: one that follows sweeps, in the last accepted sweep.
    fn seen_at(&self, swept_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
        match swept_at {
            Some(swept_at) if self.follows_sweeps => self.observed_at.max(swept_at),
            _ => self.observed_at,
        }
    }

    fn pair(&self) -> IdentityPair {
        IdentityPair { serial_number: self.serial_number.clone(), udid: self.udid.clone() }
    }

    /// Returns the record after a read of all its users by ID, which began at `read_at`. The other columns
    /// do not become fresher.
    #[must_use]
    pub fn merge_users(&self, users: &[OktaDeviceUser], read_at: DateTime<Utc>) -> Self {
        let mut next = self.clone();
        if self.users_read_at.is_some_and(|at| at > read_at) {
            return next;
        }
        let read = ReadUsers::complete_from(fill_in(users, &self.users));
        next.users_added_at = self.users_added_at.max(latest_added(&read.users));
        let complete = read.complete.then_some(&read.users);
        next.uses.observe(
            next.status == OktaDevice::ACTIVE,
            next.last_updated_at,
            complete,
            ReadKind::UsersOnly,
            read_at,
        );
        (next.users, next.users_known) = (read.users, read.known);
        next.users_read_at = Some(read_at);
        next.users_observed_at = Some(read_at);
        next
    }

    /// Returns the record after a sweep was accepted that showed it without users, on a page whose read
    /// began at `read_at`. Users that another read has returned since are kept.
    #[must_use]
    pub fn clear_users(&self, read_at: DateTime<Utc>) -> Self {
        let mut next = self.clone();
        let still_deferred = self.users_observed_at.is_some()
            && self.users_read_at.is_none_or(|at| at < read_at - MAX_LIST_LAG);
        if still_deferred && !self.users.is_empty() {
            next.users = Vec::new();
            next.users_known = true;
            next.users_observed_at = None;
            next.uses.reset();
            if next.status == OktaDevice::ACTIVE {
                next.uses.begin(next.last_updated_at, &next.users);
            }
        }
        next
    }
}

impl ReadUsers {
    fn from_read(read: &OktaDevice, known: &[OktaDeviceUser], source: Source) -> Option<Self> {
        let mut users = Self::complete_from(fill_in(read.users.as_ref()?, known));
        if source != Source::Id && users.users.len() >= LIST_USER_LIMIT {
            users.known = false;
            users.complete = false;
        }
        Some(users)
    }

    fn complete_from(users: Vec<OktaDeviceUser>) -> Self {
        Self {
            known: users.iter().all(|user| user.management_status.is_some()),
            complete: users.iter().all(|user| !user.id.is_empty()),
            users,
        }
    }
}

/// Completes users of a read with the status and `created` of stored ones. `userSummary` in lists has no
/// user status, and dropping a stored `DEPROVISIONED` would make that user count again.
fn fill_in(read: &[OktaDeviceUser], known: &[OktaDeviceUser]) -> Vec<OktaDeviceUser> {
    let fill = |user: &OktaDeviceUser| {
        let before = known.iter().find(|known| known.id == user.id && !user.id.is_empty());
        OktaDeviceUser {
            status: user.status.clone().or_else(|| before?.status.clone()),
            created: user.created.or_else(|| before?.created),
            ..user.clone()
        }
    };
    read.iter().map(fill).collect()
}

fn latest_added(users: &[OktaDeviceUser]) -> Option<DateTime<Utc>> {
    users.iter().filter_map(|user| user.created).max()
}

fn same_ids(left: &[OktaDeviceUser], right: &[OktaDeviceUser]) -> bool {
    left.iter().map(|user| &user.id).eq(right.iter().map(|user| &user.id))
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
