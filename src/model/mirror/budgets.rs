//! The service's share of an org's rate limit. Half of the limit is left to other clients; the other half
//! is divided by purpose. The store keeps the counters.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// A group of endpoints with its own rate limit in Okta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RateBucket {
    Devices,
    DeviceUsers,
}

/// The purpose of a request; each purpose has its share of the rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum RateShare {
    /// Sweeps and incremental reads.
    Sweep,
    /// Re-reads of devices that wait for a sign-in or were named by an event hook.
    Pending,
    /// Reads while a caller waits.
    Live,
}

/// The result of claiming requests from a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetClaim {
    /// Granted at this time, by PostgreSQL's clock. What is read from now on is not older.
    Granted(DateTime<Utc>),
    /// Exhausted; enough requests are available after this time.
    Exhausted(Duration),
}

/// The maximum number of devices in a page of a sweep.
const PAGE_SIZE: i64 = 200;

/// The fraction of an org's limit that the service uses.
const OWN_FRACTION: f64 = 0.5;

impl RateBucket {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the assumed limit of the whole org, in requests per minute, until a response shows the
    /// actual one.
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

    /// Returns the share as a fraction of the org's limit.
    pub fn fraction(self) -> f64 {
        OWN_FRACTION
            * match self {
                Self::Sweep => 0.60,
                Self::Pending => 0.25,
                Self::Live => 0.15,
            }
    }
}

/// Returns how many devices a sweep can read per minute if the org's limit is `limit` requests per minute.
#[expect(clippy::cast_possible_truncation, reason = "a whole number of devices")]
pub fn devices_per_minute(limit: i32) -> i64 {
    (f64::from(limit.max(0)) * RateShare::Sweep.fraction() * 200.0) as i64
}

/// Returns how long a sweep of `devices` devices takes, in whole minutes; at least 1.
pub fn full_sweep_minutes(devices: i64, limit: i32) -> i64 {
    let pages = devices.max(1).saturating_add(PAGE_SIZE - 1) / PAGE_SIZE;
    let per_minute = devices_per_minute(limit).max(1);
    pages.saturating_mul(PAGE_SIZE).saturating_add(per_minute - 1) / per_minute
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn shares_add_up_to_half_of_the_limit() {
        let all = RateShare::VARIANTS;
        assert!((all.iter().map(|share| share.fraction()).sum::<f64>() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn full_sweep_takes_as_long_as_the_budget_allows() {
        assert_eq!(devices_per_minute(50), 3000);
        for (devices, limit, minutes) in
            [(0, 50, 1), (3000, 50, 1), (3001, 50, 2), (100_000, 50, 34), (100_000, 500, 4)]
        {
            assert_eq!(full_sweep_minutes(devices, limit), minutes, "{devices} {limit}");
        }
        assert!(full_sweep_minutes(i64::MAX, 0) > 0);
    }
}
