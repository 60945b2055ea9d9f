//! A record of the mirror, and what a read makes of it.
//!
//! Lists and searches lag behind; a read by id is the truth of when it began. So a list never undoes
//! what is newer than it, and no read makes a record look fresher than the read was.

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::{IdentityHistory, IdentityPair};
use super::uses::{ReadKind, Uses};
use crate::model::{OktaDevice, OktaDeviceUser};

/// Where a read comes from, which decides what it may overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A page of all devices.
    Sweep,
    /// A page of the devices that changed, or of a search.
    Changes,
    /// A read by id, with all of the users.
    Id,
}

/// One read of the org's devices.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub source: Source,
    /// When the read began, by PostgreSQL's clock: what it shows is no fresher.
    pub read_at: DateTime<Utc>,
    /// When the last accepted sweep began. Records that follow sweeps are as old as this.
    pub swept_at: Option<DateTime<Utc>>,
}

/// A list cuts the users of a record at this number.
pub const LIST_USER_LIMIT: usize = 20;

/// How far a list may lag behind a read by id.
const LIST_LAG: TimeDelta = TimeDelta::minutes(5);

/// A device record of an org, as all reads together show it.
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
    /// Whether the management status of every user is known, and the list is complete.
    pub users_known: bool,
    /// When the read began that last changed the row, or that showed it apart from sweeps.
    pub observed_at: DateTime<Utc>,
    /// Whether the last accepted sweep confirmed the row, so that it is as fresh as the sweep.
    pub follows_sweeps: bool,
    /// When the users were last read, where that is older than the row.
    pub users_observed_at: Option<DateTime<Utc>>,
    pub read_by_id_at: Option<DateTime<Utc>>,
    pub users_read_at: Option<DateTime<Utc>>,
    /// When Okta answered 404 for its id. Only a read by id that finds it clears this.
    pub not_found_at: Option<DateTime<Utc>>,
    /// When it was removed: after a 404 by its id and an accepted sweep that did not show it.
    pub removed_at: Option<DateTime<Utc>>,
    /// The largest `created` of any user ever seen on the record, removed users included.
    pub users_added_at: Option<DateTime<Utc>>,
    pub uses: Uses,
    pub identity: IdentityHistory,
}

/// What of a read is accepted.
#[expect(clippy::struct_excessive_bools, reason = "each of them alone")]
struct Accepted {
    columns: bool,
    users: bool,
    /// The read shows what is stored, so that this is as fresh as the read.
    columns_confirmed: bool,
    users_confirmed: bool,
}

/// The users that a read tells.
struct ReadUsers {
    users: Vec<OktaDeviceUser>,
    known: bool,
    /// Whether the read shows all users of the record, each with an id.
    complete: bool,
}

impl MirrorRecord {
    /// What is known of a record after a read.
    pub fn merge(stored: Option<&Self>, read: &OktaDevice, reading: &Reading) -> Self {
        match stored {
            Some(stored) => stored.merge_read(read, reading),
            None => Self::first_seen(read, reading),
        }
    }

    /// Whether a list shows no users where some are known. Such a list is accepted only together with
    /// the whole sweep: see [`accept_no_users`](Self::accept_no_users).
    pub fn loses_its_users(&self, read: &OktaDevice) -> bool {
        !self.users.is_empty() && read.users.as_ref().is_some_and(Vec::is_empty)
    }

    pub fn any_managed(&self) -> bool {
        self.users.iter().any(OktaDeviceUser::is_managed)
    }

    fn first_seen(read: &OktaDevice, reading: &Reading) -> Self {
        let by_id_at = (reading.source == Source::Id).then_some(reading.read_at);
        let users = ReadUsers::of(read, &[], reading.source);
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
        let held_back = reading.source == Source::Sweep && self.loses_its_users(read);
        let told = ReadUsers::of(read, &self.users, reading.source).filter(|_| !held_back);
        let accepted = match reading.source {
            Source::Id => self.accept_by_id(read, reading),
            Source::Sweep | Source::Changes => {
                self.accept_from_list(read, told.as_ref(), held_back, reading)
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
            (next.users, next.users_known) =
                told.as_ref().map_or((Vec::new(), false), |told| (told.users.clone(), told.known));
        }
        if let Some(told) = &told {
            next.users_added_at = self.users_added_at.max(latest_added(&told.users));
        }
        if seen {
            next.identity.observe(self.pair(), &next.pair(), next.last_updated_at, reading.read_at);
            let complete = told.filter(|told| told.complete && same_ids(&told.users, &next.users));
            let kind = match reading.source {
                Source::Id => ReadKind::DeviceThenUsers,
                Source::Sweep | Source::Changes => ReadKind::OneAnswer,
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
            // What a read by id changed is confirmed by the next sweep, not by an earlier one.
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

    /// A list that shows the same `lastUpdated` may lag behind a read by id that was less than five
    /// minutes before, and one that shows an older `lastUpdated` does. A list that leaves out how users
    /// are managed, or the users altogether, tells nothing new about those of an unchanged record.
    fn accept_from_list(
        &self,
        read: &OktaDevice,
        told: Option<&ReadUsers>,
        held_back: bool,
        reading: &Reading,
    ) -> Accepted {
        let newer = read.last_updated > self.last_updated_at;
        let same_time = read.last_updated == self.last_updated_at;
        let outlives_lag =
            |at: Option<DateTime<Utc>>| at.is_none_or(|at| at < reading.read_at - LIST_LAG);
        let (tells_users, shows_same_users) = match told {
            Some(told) => {
                (told.known || !self.users_known || newer, told.known && told.users == self.users)
            }
            None => (newer && !held_back, false),
        };
        Accepted {
            columns: newer || (same_time && outlives_lag(self.read_by_id_at)),
            users: tells_users && (newer || (same_time && outlives_lag(self.users_read_at))),
            columns_confirmed: self.shows_columns(read),
            users_confirmed: same_time && shows_same_users,
        }
    }

    /// A read by id is the truth of when it began, unless one that began later has told more.
    fn accept_by_id(&self, read: &OktaDevice, reading: &Reading) -> Accepted {
        let accepted = read.last_updated >= self.last_updated_at
            && self.read_by_id_at.is_none_or(|at| at <= reading.read_at);
        Accepted {
            columns: accepted,
            users: accepted,
            columns_confirmed: self.shows_columns(read),
            users_confirmed: false,
        }
    }

    fn shows_columns(&self, read: &OktaDevice) -> bool {
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
        let as_old_as_before = before.age(reading.swept_at);
        self.observed_at = if accepted.columns_confirmed {
            reading.read_at.max(before.observed_at)
        } else if accepted.columns {
            reading.read_at
        } else {
            as_old_as_before
        };
        self.users_observed_at = if accepted.users || accepted.users_confirmed {
            None
        } else {
            Some(before.users_observed_at.unwrap_or(as_old_as_before))
        };
        if reading.source == Source::Id {
            self.read_by_id_at = Some(reading.read_at);
            self.users_read_at = Some(reading.read_at);
            self.not_found_at = None;
            self.removed_at = None;
        }
    }

    /// When the row was last shown: one that follows sweeps is as old as the last one.
    fn age(&self, swept_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
        match swept_at {
            Some(swept_at) if self.follows_sweeps => self.observed_at.max(swept_at),
            _ => self.observed_at,
        }
    }

    fn pair(&self) -> IdentityPair {
        IdentityPair { serial_number: self.serial_number.clone(), udid: self.udid.clone() }
    }

    /// What is known after a read of all users by the record's id, which began at `read_at`. The rest of
    /// the row is not fresher by that.
    #[must_use]
    pub fn merge_users(&self, users: &[OktaDeviceUser], read_at: DateTime<Utc>) -> Self {
        let mut next = self.clone();
        if self.users_read_at.is_some_and(|at| at > read_at) {
            return next;
        }
        let told = ReadUsers::complete_from(fill_in(users, &self.users));
        next.users_added_at = self.users_added_at.max(latest_added(&told.users));
        let complete = told.complete.then_some(&told.users);
        next.uses.observe(
            next.status == OktaDevice::ACTIVE,
            next.last_updated_at,
            complete,
            ReadKind::UsersAlone,
            read_at,
        );
        (next.users, next.users_known) = (told.users, told.known);
        next.users_read_at = Some(read_at);
        next.users_observed_at = Some(read_at);
        next
    }

    /// What is known after a sweep was accepted that showed the record without users, by a page whose
    /// read began at `read_at`. Users that were read otherwise since then stay.
    #[must_use]
    pub fn accept_no_users(&self, read_at: DateTime<Utc>) -> Self {
        let mut next = self.clone();
        let still_held_back = self.users_observed_at.is_some()
            && self.users_read_at.is_none_or(|at| at < read_at - LIST_LAG);
        if still_held_back && !self.users.is_empty() {
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
    fn of(read: &OktaDevice, known: &[OktaDeviceUser], source: Source) -> Option<Self> {
        let mut told = Self::complete_from(fill_in(read.users.as_ref()?, known));
        if source != Source::Id && told.users.len() >= LIST_USER_LIMIT {
            told.known = false;
            told.complete = false;
        }
        Some(told)
    }

    fn complete_from(users: Vec<OktaDeviceUser>) -> Self {
        Self {
            known: users.iter().all(|user| user.management_status.is_some()),
            complete: users.iter().all(|user| !user.id.is_empty()),
            users,
        }
    }
}

/// Fills in what a read left out of a user, and what an earlier one has told: `userSummary` has no
/// status of users, and to forget that a user is deprovisioned would be trust by ignorance.
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

fn same_ids(one: &[OktaDeviceUser], other: &[OktaDeviceUser]) -> bool {
    one.iter().map(|user| &user.id).eq(other.iter().map(|user| &user.id))
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
