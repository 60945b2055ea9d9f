//! Identifiers. Generated ones are `UUIDv7`, so that keys are ordered by time. A tenant's ID is the value
//! of the tenant claim in the caller's token.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::timestamp::context::ContextV7;
use uuid::{Timestamp, Uuid};

/// Orders the IDs that this replica generates within one millisecond.
static SEQUENCE: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// Generates the ID of a row that is inserted at `now`. `now` is the time of the transaction, so that rows
/// of all replicas are ordered by one clock.
pub fn new_row_id(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(&SEQUENCE, seconds, now.timestamp_subsec_nanos()))
}

/// An integration: one Okta org, connected for one tenant.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct IntegrationId(pub Uuid);

impl IntegrationId {
    /// Generates an ID. The time in it is that of this replica, because the ID is generated before the
    /// transaction, so that a retry inserts the same row. It only orders lists.
    #[expect(clippy::new_without_default, reason = "each call returns a different ID")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl std::fmt::Display for IntegrationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The tenant of a caller: the value of the token's tenant claim, 1 to 128 visible characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TenantId(String);

impl TenantId {
    /// The longest tenant claim that is accepted, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Parses a tenant ID. Returns `None` if it is empty, too long, or contains whitespace or control
    /// characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::MAX_LEN;
        let visible = text.chars().all(|c| !c.is_control() && !c.is_whitespace());
        (fits && visible).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for TenantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
