//! Decides whether a complete sweep is accepted. Okta's lists have been observed to end early and to omit
//! users, so an item missing from a list is no proof that it was deleted.

use chrono::{DateTime, TimeDelta, Utc};

/// A shrunk sweep is accepted if one that started at least this long before it showed the same records.
const SHRUNK_CONFIRMATION_DELAY: TimeDelta = TimeDelta::hours(1);

/// The counts of a complete sweep and of the ones before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepCounts {
    pub started_at: DateTime<Utc>,
    pub shown: i64,
    /// Records in the last accepted sweep; `None` before the first.
    pub expected: Option<i64>,
    /// A caller requested that the sweep is accepted even if it is shrunk.
    pub accept_shrunk: bool,
    /// The shrunk sweep since the last accepted one that this one is compared with.
    pub shrunk_before: Option<ShrunkSweep>,
    /// Records with users before the sweep, and how many of them it showed without users.
    pub with_users: i64,
    pub emptied: i64,
}

/// An earlier sweep that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShrunkSweep {
    pub started_at: DateTime<Utc>,
    /// Records that only one of the two sweeps contains.
    pub differences: i64,
}

/// The verdict on a complete sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepVerdict {
    Accepted {
        /// So many records lost their users that the missing users are ignored.
        users_vanished: bool,
    },
    /// It has less than half of the expected records, which may be a fault of Okta. `use_as_baseline`:
    /// later sweeps are compared with this one.
    Shrunk { use_as_baseline: bool },
}

impl SweepCounts {
    pub fn verdict(&self) -> SweepVerdict {
        let shrunk = self.expected.is_some_and(|expected| self.shown.saturating_mul(2) < expected);
        let waited = self
            .shrunk_before
            .as_ref()
            .filter(|before| self.started_at - before.started_at >= SHRUNK_CONFIRMATION_DELAY);
        let confirmed = waited.is_some_and(|before| before.differences * 10 <= self.shown);
        if !shrunk || self.accept_shrunk || confirmed {
            // A single record can lose its users at any time.
            let users_vanished = self.emptied > 1 && self.emptied * 2 > self.with_users;
            return SweepVerdict::Accepted { users_vanished };
        }
        SweepVerdict::Shrunk { use_as_baseline: self.shrunk_before.is_none() || waited.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn sweep(shown: i64, expected: i64) -> SweepCounts {
        SweepCounts {
            started_at: at(100),
            shown,
            expected: Some(expected),
            accept_shrunk: false,
            shrunk_before: None,
            with_users: 0,
            emptied: 0,
        }
    }

    const ACCEPTED: SweepVerdict = SweepVerdict::Accepted { users_vanished: false };

    #[test]
    fn sweep_with_less_than_half_of_the_records_is_rejected() {
        assert_eq!(sweep(50, 100).verdict(), ACCEPTED);
        assert_eq!(sweep(49, 100).verdict(), SweepVerdict::Shrunk { use_as_baseline: true });
        assert_eq!(SweepCounts { expected: None, ..sweep(0, 0) }.verdict(), ACCEPTED);
        assert_eq!(SweepCounts { accept_shrunk: true, ..sweep(1, 100) }.verdict(), ACCEPTED);
    }

    #[test]
    fn shrunk_sweep_is_accepted_if_repeated_an_hour_later() {
        let second = |started: i64, differences| {
            let before = ShrunkSweep { started_at: at(started), differences };
            SweepCounts { shrunk_before: Some(before), ..sweep(40, 100) }.verdict()
        };
        assert_eq!(second(40, 4), ACCEPTED);
        assert_eq!(second(41, 0), SweepVerdict::Shrunk { use_as_baseline: false });
        assert_eq!(second(40, 5), SweepVerdict::Shrunk { use_as_baseline: true });
    }

    #[test]
    fn users_vanish_if_more_than_half_of_the_records_lose_them() {
        let vanished = |emptied, with_users| {
            SweepCounts { with_users, emptied, ..sweep(100, 100) }.verdict()
                == SweepVerdict::Accepted { users_vanished: true }
        };
        assert!(!vanished(50, 100) && vanished(51, 100));
        assert!(!vanished(1, 1), "a single record");
    }
}
