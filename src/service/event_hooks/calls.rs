//! Limits for calls of event hooks: what this replica caches about them, and how many it handles at
//! once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::error::EventHookError;
use crate::crypto::HookSecretDigest;
use crate::model::{HookId, HookOwner};
use crate::service::Error;

/// The most verifications of one hook within [`VERIFICATION_WINDOW`], per replica.
const MAX_VERIFICATIONS: usize = 10;
const VERIFICATION_WINDOW: Duration = Duration::from_secs(60);
/// Concurrent writes of deliveries. Few, so that a flood of deliveries leaves pool connections to
/// other requests; a waiting delivery costs only the memory of its body.
const MAX_WRITES: usize = 2;
/// Bodies in memory at the same time. With 256 KiB per body, deliveries use at most 16 MiB.
const MAX_BODIES: usize = 64;
/// Concurrent look-ups of secrets, which any unauthenticated caller can cause.
const MAX_SECRET_CHECKS: usize = 2;
/// The longest wait of a call for a permit, and for its body. Okta times out after 3 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a correct secret is cached. It is checked again when the delivery is written, so a caller
/// with a revoked secret cannot cause a write.
const ADMISSION_TTL: Duration = Duration::from_secs(5);
const MAX_ENTRIES: u64 = 10_000;

/// The caches and semaphores for calls of this replica. The caches are bounded and may be lost.
pub(in crate::service) struct HookCalls {
    pub(super) admitted: Cache<(HookId, HookSecretDigest), ()>,
    verifications: Cache<HookId, Arc<Mutex<VecDeque<Instant>>>>,
    pub(super) writes: Semaphore,
    bodies: Arc<Semaphore>,
    pub(super) secret_checks: Semaphore,
    /// Integrations for which a re-read request is in progress.
    pending_requests: Mutex<HashSet<HookOwner>>,
}

impl Default for HookCalls {
    fn default() -> Self {
        let admitted = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(ADMISSION_TTL);
        let verifications =
            Cache::builder().max_capacity(MAX_ENTRIES).time_to_idle(VERIFICATION_WINDOW);
        Self {
            admitted: admitted.build(),
            verifications: verifications.build(),
            writes: Semaphore::new(MAX_WRITES),
            bodies: Arc::new(Semaphore::new(MAX_BODIES)),
            secret_checks: Semaphore::new(MAX_SECRET_CHECKS),
            pending_requests: Mutex::default(),
        }
    }
}

impl HookCalls {
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

    /// Waits for a permit of a semaphore.
    ///
    /// # Errors
    /// `TooManyCalls` on a timeout, so that a flood of calls does not take the database from others.
    pub(super) async fn wait_for_permit(
        semaphore: &Semaphore,
    ) -> Result<SemaphorePermit<'_>, Error> {
        with_call_timeout(semaphore.acquire()).await
    }

    /// Waits for a permit to hold a body in memory, until the permit is dropped.
    ///
    /// # Errors
    /// `TooManyCalls` on a timeout.
    pub(super) async fn wait_for_body_permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        with_call_timeout(Arc::clone(&self.bodies).acquire_owned()).await
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

async fn with_call_timeout<P>(
    acquire: impl Future<Output = Result<P, AcquireError>>,
) -> Result<P, Error> {
    match tokio::time::timeout(CALL_TIMEOUT, acquire).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => {
            Err(EventHookError::TooManyCalls { retry_after: CALL_TIMEOUT }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hook_may_be_verified_ten_times_a_minute() {
        let calls = HookCalls::default();
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
