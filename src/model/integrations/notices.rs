//! Notices to the admin that do not affect the status.

use chrono::{DateTime, Utc};

/// A notice and since when it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Sweeps return less than half of the records of the last accepted sweep.
    SweepShrunk { since: DateTime<Utc>, shown: i64, expected: i64 },
    /// Sweeps return no users for most of the records that had users.
    UsersVanished { since: DateTime<Utc> },
}
