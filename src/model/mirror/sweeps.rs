//! Whether a complete sweep is accepted. Okta's lists have ended early and have left out users: what
//! is missing in such a list is no evidence that it is gone.

use chrono::{DateTime, TimeDelta, Utc};

/// After this time a second sweep that shows as little as the first is accepted.
const SHRUNK_FOR: TimeDelta = TimeDelta::hours(1);

/// What a complete sweep showed, and what the ones before it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepCounts {
    pub started_at: DateTime<Utc>,
    pub shown: i64,
    /// Records that the last accepted sweep showed; `None` before the first.
    pub expected: Option<i64>,
    /// A caller wants it accepted however little it shows.
    pub accept_shrunk: bool,
    /// The first of the sweeps since the last accepted one that showed too little.
    pub shrunk_before: Option<ShrunkSweep>,
    /// Records that had users before the sweep, and those of them that it showed without any.
    pub with_users: i64,
    pub emptied: i64,
}

/// An earlier sweep that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShrunkSweep {
    pub started_at: DateTime<Utc>,
    /// Records that only one of the two sweeps showed.
    pub differences: i64,
}

/// What is made of a complete sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepVerdict {
    Accepted {
        /// It showed too many records without users to tell anything of users.
        users_vanished: bool,
    },
    /// It showed less than half of the records, and this may be Okta's fault. `compare_with_it`: later
    /// sweeps are compared with this one.
    Shrunk { compare_with_it: bool },
}

impl SweepCounts {
    pub fn verdict(&self) -> SweepVerdict {
        let shrunk = self.expected.is_some_and(|expected| self.shown.saturating_mul(2) < expected);
        let waited = self
            .shrunk_before
            .as_ref()
            .filter(|before| self.started_at - before.started_at >= SHRUNK_FOR);
        let confirmed = waited.is_some_and(|before| before.differences * 10 <= self.shown);
        if !shrunk || self.accept_shrunk || confirmed {
            // One record alone may lose its users at any time.
            let users_vanished = self.emptied > 1 && self.emptied * 2 > self.with_users;
            return SweepVerdict::Accepted { users_vanished };
        }
        SweepVerdict::Shrunk { compare_with_it: self.shrunk_before.is_none() || waited.is_some() }
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
    fn a_sweep_that_shows_less_than_half_is_not_accepted() {
        assert_eq!(sweep(50, 100).verdict(), ACCEPTED);
        assert_eq!(sweep(49, 100).verdict(), SweepVerdict::Shrunk { compare_with_it: true });
        assert_eq!(SweepCounts { expected: None, ..sweep(0, 0) }.verdict(), ACCEPTED);
        assert_eq!(SweepCounts { accept_shrunk: true, ..sweep(1, 100) }.verdict(), ACCEPTED);
    }

    #[test]
    fn a_second_one_an_hour_later_is_accepted_if_it_shows_the_same_records() {
        let second = |started: i64, differences| {
            let before = ShrunkSweep { started_at: at(started), differences };
            SweepCounts { shrunk_before: Some(before), ..sweep(40, 100) }.verdict()
        };
        assert_eq!(second(40, 4), ACCEPTED);
        assert_eq!(second(41, 0), SweepVerdict::Shrunk { compare_with_it: false });
        assert_eq!(second(40, 5), SweepVerdict::Shrunk { compare_with_it: true });
    }

    #[test]
    fn users_vanish_when_more_than_half_of_the_records_lose_theirs() {
        let vanished = |emptied, with_users| {
            SweepCounts { with_users, emptied, ..sweep(100, 100) }.verdict()
                == SweepVerdict::Accepted { users_vanished: true }
        };
        assert!(!vanished(50, 100) && vanished(51, 100));
        assert!(!vanished(1, 1), "one record alone");
    }
}
