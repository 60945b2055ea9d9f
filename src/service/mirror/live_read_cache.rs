//! A cache of the live reads of the last 30 seconds, shared by all requests for the same device.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use tokio::sync::OnceCell;

use crate::model::trust_status::AskedDevice;
use crate::model::{IntegrationId, TenantId};

/// Each replica reads a device at most once in this time.
const CACHE_TTL: Duration = Duration::from_secs(30);
const MAX_ENTRIES: u64 = 10_000;

/// The result of a live read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) enum LiveRead {
    /// Okta answered, and the records are stored. `searched_at` is when Okta was also searched for
    /// records that the mirror lacks; `asked_is_gone` is true if the requested Okta id was 404.
    Done { searched_at: DateTime<Utc>, asked_is_gone: bool },
    /// The rate budget for live reads is spent.
    Exhausted,
    /// Okta did not answer, or the integration has no credentials.
    Failed,
}

impl LiveRead {
    pub fn searched_at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Done { searched_at, .. } => Some(searched_at),
            Self::Exhausted | Self::Failed => None,
        }
    }

    /// Returns true if Okta answered 404 for the requested Okta id.
    pub fn asked_is_gone(self) -> bool {
        matches!(self, Self::Done { asked_is_gone: true, .. })
    }
}

/// A live read that concurrent requests for the same device wait for.
pub(super) type SharedRead = Arc<OnceCell<LiveRead>>;
type Key = (TenantId, IntegrationId, AskedDevice);

/// The reads of the last 30 seconds, and those in progress.
#[derive(Clone)]
pub(in crate::service) struct LiveReadCache(pub(super) Cache<Key, SharedRead>);

impl Default for LiveReadCache {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(CACHE_TTL).build())
    }
}
