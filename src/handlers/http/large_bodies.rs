//! How many large bodies are in memory at once, over all callers and for each tenant.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::TenantId;

/// Large bodies of this replica at once: 2 MiB each, and some times that once parsed.
const MAX_LARGE_BODIES: usize = 16;
/// Those of one tenant, so that its slow bodies leave room for others.
const MAX_LARGE_BODIES_OF_A_TENANT: usize = 4;
/// Tenants whose share is remembered.
const MAX_TENANTS: u64 = 10_000;
/// A request ends sooner than this, so no share is forgotten while it is in use.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

/// The room for large bodies.
pub struct LargeBodies {
    all: Arc<Semaphore>,
    shares: Cache<TenantId, Arc<Semaphore>>,
}

/// Room for one large body, until it is dropped.
pub struct LargeBodyPermit {
    _share: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Default for LargeBodies {
    fn default() -> Self {
        let shares = Cache::builder().max_capacity(MAX_TENANTS).time_to_idle(FORGOTTEN_AFTER);
        Self { all: Arc::new(Semaphore::new(MAX_LARGE_BODIES)), shares: shares.build() }
    }
}

impl LargeBodies {
    /// Waits for room, first in the tenant's share. The request's own deadline ends the wait.
    pub async fn acquire(&self, tenant: &TenantId) -> LargeBodyPermit {
        let share = self
            .shares
            .get_with(tenant.clone(), || Arc::new(Semaphore::new(MAX_LARGE_BODIES_OF_A_TENANT)));
        let share = share.acquire_owned().await.ok();
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        LargeBodyPermit { _share: share, _all: all }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn one_tenant_leaves_room_for_others() {
        let bodies = LargeBodies::default();
        let tenant = |n: usize| TenantId::parse(&format!("t{n}")).unwrap();
        let acquire = |n: usize| bodies.acquire(&tenant(n)).now_or_never();
        let mut held: Vec<_> = (0..4).map(|_| acquire(0).expect("room")).collect();
        assert!(acquire(0).is_none(), "the tenant has its share");
        for n in 1..4 {
            held.extend((0..4).map(|_| acquire(n).expect("room")));
        }
        assert!(acquire(4).is_none(), "all have their share");
        held.pop();
        assert!(acquire(4).is_some());
    }
}
