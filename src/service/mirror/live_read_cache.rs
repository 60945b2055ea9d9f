//! Live reads of the last half minute, shared by all who ask for the same device.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use tokio::sync::OnceCell;

use crate::model::trust_status::AskedDevice;
use crate::model::{IntegrationId, TenantId};

/// A device is read once in this time, by each replica.
const ONCE_IN: Duration = Duration::from_secs(30);
const MAX_REMEMBERED: u64 = 10_000;

/// How a live read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) enum LiveRead {
    /// What Okta showed is stored. It was also asked for records that the mirror does not have, at this
    /// time, and answered 404 for the asked Okta id or not.
    Done { searched_at: DateTime<Utc>, asked_is_gone: bool },
    /// The share of the org's rate is spent.
    Exhausted,
    /// Okta could not be asked, or there is nothing to ask it by.
    Failed,
}

impl LiveRead {
    pub fn searched_at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Done { searched_at, .. } => Some(searched_at),
            Self::Exhausted | Self::Failed => None,
        }
    }

    /// Whether Okta answered 404 for the asked Okta id.
    pub fn asked_is_gone(self) -> bool {
        matches!(self, Self::Done { asked_is_gone: true, .. })
    }
}

pub(super) type Flight = Arc<OnceCell<LiveRead>>;
type Key = (TenantId, IntegrationId, AskedDevice);

/// The reads of the last half minute, and those that are under way.
#[derive(Clone)]
pub(in crate::service) struct LiveReads(pub(super) Cache<Key, Flight>);

impl Default for LiveReads {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(ONCE_IN).build())
    }
}
