//! Bounds the number of large bodies in memory at once, in total and per tenant.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::TenantId;

/// The most large bodies in this replica. Each has up to 2 MiB, and several times that once parsed.
const MAX_LARGE_BODIES: usize = 16;
/// The most large bodies of one tenant, so that its slow uploads do not block other tenants.
const MAX_LARGE_BODIES_PER_TENANT: usize = 4;
/// Tenants whose semaphore is cached.
const MAX_TENANTS: u64 = 10_000;
/// Longer than any request, so that no semaphore is evicted while it is in use.
const EVICT_AFTER: Duration = Duration::from_secs(120);

/// The semaphores for large bodies.
pub struct LargeBodies {
    all: Arc<Semaphore>,
    by_tenant: Cache<TenantId, Arc<Semaphore>>,
}

/// A permit to hold one large body in memory.
pub struct LargeBodyPermit {
    _tenant: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Default for LargeBodies {
    fn default() -> Self {
        let by_tenant = Cache::builder().max_capacity(MAX_TENANTS).time_to_idle(EVICT_AFTER);
        Self { all: Arc::new(Semaphore::new(MAX_LARGE_BODIES)), by_tenant: by_tenant.build() }
    }
}

impl LargeBodies {
    /// Waits for a permit, first of the tenant and then of all tenants. The deadline of the request ends
    /// the wait.
    pub async fn acquire(&self, tenant: &TenantId) -> LargeBodyPermit {
        let semaphore = self
            .by_tenant
            .get_with(tenant.clone(), || Arc::new(Semaphore::new(MAX_LARGE_BODIES_PER_TENANT)));
        let permit = semaphore.acquire_owned().await.ok();
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        LargeBodyPermit { _tenant: permit, _all: all }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_tenant_may_hold_four_of_sixteen_permits() {
        let bodies = LargeBodies::default();
        let tenant = |n: usize| TenantId::parse(&format!("t{n}")).unwrap();
        let acquire = |n: usize| bodies.acquire(&tenant(n)).now_or_never();
        let mut held: Vec<_> = (0..4).map(|_| acquire(0).expect("a permit")).collect();
        assert!(acquire(0).is_none(), "the tenant has all its permits");
        for n in 1..4 {
            held.extend((0..4).map(|_| acquire(n).expect("a permit")));
        }
        assert!(acquire(4).is_none(), "no permit is left");
        held.pop();
        assert!(acquire(4).is_some());
    }
}
