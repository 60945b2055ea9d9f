//! What this replica remembers of calls of event hooks, and how many it handles at once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::error::EventHookError;
use crate::crypto::HookSecretDigest;
use crate::model::{HookId, HookOwner};
use crate::service::Error;

/// Verifications of one hook answered within [`MINUTE`], by each replica.
const MAX_VERIFICATIONS: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Deliveries of this replica that are written at the same time. Few, so that a flood of them leaves
/// connections of the pool to everybody else; the others wait, and cost no more than their body.
const MAX_WRITES: usize = 2;
/// Bodies of this replica that are read at the same time, and so the most memory that deliveries take:
/// 64 of 256 KiB.
const MAX_BODIES: usize = 64;
/// Secrets that are looked up at the same time: anybody can make us do that.
const MAX_SECRET_CHECKS: usize = 2;
/// How long a call may wait for its turn, and how long its body may take. Okta gives up after 3 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// A caller owner secret was right so recently may send the next body at once. The secret is looked
/// at again when the body is written down, so a caller that was shut out gets no further than this.
const ADMITTED_FOR: Duration = Duration::from_secs(5);
const MAX_REMEMBERED: u64 = 10_000;

/// What this replica remembers of calls, all of it bounded and none of it needed.
pub(in crate::service) struct HookCalls {
    pub(super) admitted: Cache<(HookId, HookSecretDigest), ()>,
    verifications: Cache<HookId, Arc<Mutex<VecDeque<Instant>>>>,
    pub(super) writes: Semaphore,
    bodies: Arc<Semaphore>,
    pub(super) secret_checks: Semaphore,
    /// Integrations for which a re-read is about to be requested.
    pending_requests: Mutex<HashSet<HookOwner>>,
}

impl Default for HookCalls {
    fn default() -> Self {
        let admitted = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(ADMITTED_FOR);
        let verifications = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_idle(MINUTE);
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
    /// Counts a verification, unless there were too many: then how long to wait.
    pub(super) fn count_verification(&self, hook: HookId, now: Instant) -> Result<(), Duration> {
        let times = self.verifications.get_with(hook, Arc::default);
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        while times.front().is_some_and(|first| now.duration_since(*first) >= MINUTE) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= MAX_VERIFICATIONS => {
                Err(MINUTE.saturating_sub(now.duration_since(*first)))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `TooManyCalls` when that takes too long: a flood of calls must not take the database from others.
    pub(super) async fn wait_for_turn(of: &Semaphore) -> Result<SemaphorePermit<'_>, Error> {
        in_time(of.acquire()).await
    }

    /// Waits for a place among the bodies that are read; the place is free again when it is dropped.
    ///
    /// # Errors
    /// `TooManyCalls` when that takes too long.
    pub(super) async fn wait_for_body(&self) -> Result<OwnedSemaphorePermit, Error> {
        in_time(Arc::clone(&self.bodies).acquire_owned()).await
    }

    /// True for the caller that must request the re-read; it covers the others.
    pub(super) fn claim_request(&self, owner: &HookOwner) -> bool {
        self.pending_requests.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.clone())
    }

    /// Ends a claim: deliveries that are written from now on need a request of their own.
    pub(super) fn release_request(&self, owner: &HookOwner) {
        self.pending_requests.lock().unwrap_or_else(PoisonError::into_inner).remove(owner);
    }
}

async fn in_time<P>(acquired: impl Future<Output = Result<P, AcquireError>>) -> Result<P, Error> {
    match tokio::time::timeout(CALL_TIMEOUT, acquired).await {
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
    fn counts_ten_verifications_a_minute_for_each_hook() {
        let calls = HookCalls::default();
        let (hook, start) = (HookId::random(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for n in 0..10 {
            assert_eq!(calls.count_verification(hook, at(n)), Ok(()));
        }
        assert_eq!(calls.count_verification(hook, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(calls.count_verification(HookId::random(), at(20)), Ok(()));
        // The first has had its minute, the second not.
        assert_eq!(calls.count_verification(hook, at(60)), Ok(()));
        assert_eq!(calls.count_verification(hook, at(60)), Err(Duration::from_secs(1)));
    }
}
