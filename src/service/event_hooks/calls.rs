//! Limits for calls of event hooks: what this replica caches about them, and how many it handles at
//! once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::crypto::HookSecretDigest;
use crate::model::{HookId, HookOwner};

/// The most verifications of one hook within [`VERIFICATION_WINDOW`], per replica.
const MAX_VERIFICATIONS: usize = 10;
const VERIFICATION_WINDOW: Duration = Duration::from_secs(60);
/// Bodies in memory at the same time. With 256 KiB per body, deliveries use at most 16 MiB.
const MAX_BODIES: usize = 64;
/// The timeout of a whole call. Okta times out after 3 s, and must get the 503 before.
pub const CALL_TIMEOUT: Duration = Duration::from_millis(2_500);
/// How long a correct secret is cached. It is checked again when the delivery is written, so a caller
/// with a revoked secret cannot cause a write.
const ADMISSION_TTL: Duration = Duration::from_secs(5);
const MAX_ENTRIES: u64 = 10_000;

/// The caches and semaphores for calls of this replica. The caches are bounded and may be lost.
pub(in crate::service) struct HookCalls {
    pub(super) admitted: Cache<(HookId, HookSecretDigest), ()>,
    verifications: Cache<HookId, Arc<Mutex<VecDeque<Instant>>>>,
    /// Bounds concurrent writes of deliveries. A waiting delivery costs only the memory of its body.
    pub(super) writes: Semaphore,
    bodies: Arc<Semaphore>,
    /// Bounds concurrent look-ups of secrets.
    pub(super) secret_checks: Semaphore,
    /// Integrations for which a re-read request is in progress.
    pending_requests: Mutex<HashSet<HookOwner>>,
}

impl HookCalls {
    /// Limits calls to a share of the `connections` of the database pool: half of them for writing
    /// deliveries, and a quarter for look-ups of secrets, which any unauthenticated caller can cause.
    pub(in crate::service) fn new(connections: usize) -> Self {
        let admitted = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(ADMISSION_TTL);
        let verifications =
            Cache::builder().max_capacity(MAX_ENTRIES).time_to_idle(VERIFICATION_WINDOW);
        Self {
            admitted: admitted.build(),
            verifications: verifications.build(),
            writes: Semaphore::new((connections / 2).max(1)),
            bodies: Arc::new(Semaphore::new(MAX_BODIES)),
            secret_checks: Semaphore::new((connections / 4).max(1)),
            pending_requests: Mutex::default(),
        }
    }

    /// Counts a verification.
    ///
    /// # Errors
    /// The time to wait, if there were too many.
    pub(super) fn count_verification(&self, hook: HookId, now: Instant) -> Result<(), Duration> {
        let times = self.verifications.get_with(hook, Arc::default);
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        while times.front().is_some_and(|first| now.duration_since(*first) >= VERIFICATION_WINDOW) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= MAX_VERIFICATIONS => {
                Err(VERIFICATION_WINDOW.saturating_sub(now.duration_since(*first)))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }

    /// Waits for a permit to hold a body in memory, until the permit is dropped.
    pub(super) async fn wait_for_body_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.bodies).acquire_owned().await.ok()
    }

    /// True for the caller that must request the re-read; it covers the others.
    pub(super) fn claim_request(&self, owner: &HookOwner) -> bool {
        self.pending_requests.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.clone())
    }

    /// Releases the claim: deliveries written from now on need a new request.
    pub(super) fn release_request(&self, owner: &HookOwner) {
        self.pending_requests.lock().unwrap_or_else(PoisonError::into_inner).remove(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hook_calls_use_a_share_of_the_pool() {
        for (connections, writes, checks) in [(1, 1, 1), (2, 1, 1), (4, 2, 1), (16, 8, 4)] {
            let calls = HookCalls::new(connections);
            let bounds =
                (calls.writes.available_permits(), calls.secret_checks.available_permits());
            assert_eq!(bounds, (writes, checks), "{connections}");
        }
    }

    #[test]
    fn each_hook_may_be_verified_ten_times_a_minute() {
        let calls = HookCalls::new(4);
        let (hook, start) = (HookId::random(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for n in 0..10 {
            assert_eq!(calls.count_verification(hook, at(n)), Ok(()));
        }
        assert_eq!(calls.count_verification(hook, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(calls.count_verification(HookId::random(), at(20)), Ok(()));
        // The first verification has left the window, the second has not.
        assert_eq!(calls.count_verification(hook, at(60)), Ok(()));
        assert_eq!(calls.count_verification(hook, at(60)), Err(Duration::from_secs(1)));
    }
}
