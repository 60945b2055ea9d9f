//! Our part of an org's rate: half of it is left to others, and ours is divided by what it is used
//! for (contract §7). Arithmetic alone; who counts is the store.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// What Okta counts by itself (facts §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RateBucket {
    Devices,
    DeviceUsers,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RateShare {
    /// Sweeps and reads of what has changed.
    Sweep,
    /// Devices that wait for a sign-in, and those that hooks named.
    Pending,
    /// Reads while a caller waits.
    Live,
}

/// What came of asking for a share of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// It was taken at this time, by PostgreSQL's clock: what is read now is not older.
    Taken(DateTime<Utc>),
    /// It is spent; in what time there will be enough of it.
    Spent(Duration),
}

/// Devices in one page of a sweep, at most.
const PAGE: i64 = 200;

/// What is ours of an org's limit.
const OURS: f64 = 0.5;

impl RateBucket {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Requests in a minute of the whole org, until its answers have said another number.
    pub fn default_limit(self) -> i32 {
        match self {
            Self::Devices => 50,
            Self::DeviceUsers => 300,
        }
    }
}

impl RateShare {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Its part of the org's whole limit.
    pub fn part(self) -> f64 {
        OURS * match self {
            Self::Sweep => 0.60,
            Self::Pending => 0.25,
            Self::Live => 0.15,
        }
    }
}

/// Devices that a sweep may read in a minute, where the org's limit is `limit` requests.
#[expect(clippy::cast_possible_truncation, reason = "a whole number of devices")]
pub fn devices_per_minute(limit: i32) -> i64 {
    (f64::from(limit.max(0)) * RateShare::Sweep.part() * 200.0) as i64
}

/// How long a sweep of so many devices takes, in whole minutes; at least one.
pub fn full_sweep_minutes(devices: i64, limit: i32) -> i64 {
    let pages = devices.max(1).saturating_add(PAGE - 1) / PAGE;
    let per_minute = devices_per_minute(limit).max(1);
    pages.saturating_mul(PAGE).saturating_add(per_minute - 1) / per_minute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_together_are_half_of_the_limit() {
        let all = [RateShare::Sweep, RateShare::Pending, RateShare::Live];
        assert!((all.iter().map(|share| share.part()).sum::<f64>() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_full_sweep_takes_as_long_as_the_budget_lets_it() {
        assert_eq!(devices_per_minute(50), 3000);
        for (devices, limit, minutes) in
            [(0, 50, 1), (3000, 50, 1), (3001, 50, 2), (100_000, 50, 34), (100_000, 500, 4)]
        {
            assert_eq!(full_sweep_minutes(devices, limit), minutes, "{devices} {limit}");
        }
        assert!(full_sweep_minutes(i64::MAX, 0) > 0);
    }
}
