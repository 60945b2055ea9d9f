//! How the mirror of an org stands, and a row of it as callers see it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{OktaDevice, OktaDeviceUser};

/// What the sweep of an org does at this moment: `idle` until the next one is due, `queued` when it is,
/// `running`, or `waiting` between two pages for the org's rate or for Okta to answer again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// Nothing until the next sweep is due.
    Idle,
    /// Due, and not begun yet.
    Queued,
    Running,
    /// Between two pages: for the org's rate, or for Okta to answer again.
    Waiting,
}

/// What went wrong last, and has not gone right since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SyncError {
    /// A stable word.
    #[schema(example = "okta_unreachable")]
    pub code: String,
    pub detail: String,
    pub at: DateTime<Utc>,
}

/// How the mirror stands.
#[derive(Debug, Clone)]
pub struct Sync {
    pub state: SyncState,
    /// Devices that the running or last sweep has read.
    pub done: i64,
    /// Devices that the last complete sweep read; `None` before the first.
    pub expected: Option<i64>,
    /// What Okta last said that the whole org may ask for in a minute.
    pub limit_per_minute: i32,
    /// When the last complete sweep ended.
    pub last_success_at: Option<DateTime<Utc>>,
    pub last_error: Option<SyncError>,
    /// Records in the mirror.
    pub devices: i64,
    /// Records that match no device of the inventory.
    pub unmatched: i64,
}

/// One page that was read of the org, as it is to be kept.
#[derive(Debug, Clone)]
pub struct ReadPage {
    pub org_id: String,
    pub devices: Vec<OktaDevice>,
    /// The address of the next page, without scheme and host; `None` on the last.
    pub next: Option<String>,
    /// When the read began, by PostgreSQL's clock: what it shows is no fresher.
    pub read_at: DateTime<Utc>,
    /// When it was answered, by Okta's clock.
    pub at: Option<DateTime<Utc>>,
    /// What Okta said of the org's rate.
    pub limit: Option<u32>,
}

/// A record of the mirror.
#[derive(Debug, Clone)]
pub struct MirrorRow {
    pub okta_device_id: String,
    pub platform: String,
    pub status: String,
    pub serial_number: Option<String>,
    pub udid: Option<String>,
    pub display_name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_updated_at: DateTime<Utc>,
    pub users: Vec<OktaDeviceUser>,
    /// How old the oldest word of it can be.
    pub observed_at: DateTime<Utc>,
    /// The device of the inventory that this is a record of.
    pub matched_serial_number: Option<String>,
}
