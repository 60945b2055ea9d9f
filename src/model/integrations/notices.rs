//! Things that an admin should know and that change no status.

use chrono::{DateTime, Utc};

/// What there is to know, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Sweeps show less than half of the records that the last accepted one showed.
    SweepShrunk { since: DateTime<Utc>, shown: i64, expected: i64 },
    /// Sweeps show no users for most of the records that had some.
    UsersVanished { since: DateTime<Utc> },
}
