//! The state of an org's mirror, and a row of it as callers see it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::OktaDevice;

/// The state of the org's sweep: `idle` until the next one is due, `queued` when it is due, `running`, or
/// `waiting` between two pages for the rate limit or for Okta to become available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// The next sweep is not due.
    Idle,
    /// Due and not started.
    Queued,
    Running,
    /// Between two pages, for the rate limit or for Okta to become available.
    Waiting,
}

/// The last error, until the operation succeeds again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SyncError {
    /// A stable code.
    #[schema(example = "okta_unreachable")]
    pub code: String,
    pub detail: String,
    pub at: DateTime<Utc>,
}

/// The state of the mirror.
#[derive(Debug, Clone)]
pub struct Sync {
    pub state: SyncState,
    /// Devices read by the running or last sweep.
    pub done: i64,
    /// Devices in the last accepted sweep; `None` before the first.
    pub expected: Option<i64>,
    /// The org's rate limit in requests per minute, from Okta's last response.
    pub limit_per_minute: i32,
    /// When the last accepted sweep ended.
    pub last_success_at: Option<DateTime<Utc>>,
    pub last_error: Option<SyncError>,
    /// Records in the mirror, as of the end of the last sweep.
    pub devices: i64,
    /// Records that match no device in the inventory, as of the end of the last sweep.
    pub unmatched: i64,
}

/// One page of the org's devices, to be saved.
#[derive(Debug, Clone)]
pub struct ReadPage {
    pub org_id: String,
    pub devices: Vec<OktaDevice>,
    /// The URL of the next page, without scheme and host; `None` on the last.
    pub next: Option<String>,
    /// When the read began, by PostgreSQL's clock: its data is no fresher.
    pub read_at: DateTime<Utc>,
    /// When Okta answered, by Okta's clock.
    pub at: Option<DateTime<Utc>>,
    /// The org's rate limit in requests per minute, from Okta's response.
    pub limit: Option<u32>,
}

/// Why a re-read was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RereadReason {
    /// The device was not in an accepted sweep.
    Missing,
    /// A list contradicts a read by ID or cannot show that the device is used, or the device was not in a
    /// sweep that was rejected.
    Unconfirmed,
    /// An event hook named the device.
    Hook,
}

impl RereadReason {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A record of the mirror.
#[derive(Debug, Clone)]
pub struct MirrorRow {
    pub device: OktaDevice,
    /// When the oldest part of the record was last seen.
    pub observed_at: DateTime<Utc>,
    /// The device in the inventory that the record belongs to.
    pub matched_serial_number: Option<String>,
}
