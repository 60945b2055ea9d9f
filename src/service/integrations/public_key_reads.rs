//! What reads of public key sets may cost, in memory and per replica: anybody can ask for one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::client_key_error::ClientKeyError;
use crate::model::JwksId;

/// Reads of one address within [`WINDOW`], by each replica.
const MAX_READS: usize = 60;
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are looked up at the same time; the others wait, so that a flood of them leaves the
/// database to everybody else.
const MAX_LOOKUPS: usize = 2;
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_REMEMBERED: u64 = 10_000;

/// What this replica remembers of reads.
pub(in crate::service) struct PublicKeyReads {
    lookups: Semaphore,
    recent: Cache<JwksId, Arc<Mutex<VecDeque<Instant>>>>,
}

impl Default for PublicKeyReads {
    fn default() -> Self {
        let recent = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_idle(WINDOW).build();
        Self { lookups: Semaphore::new(MAX_LOOKUPS), recent }
    }
}

impl PublicKeyReads {
    /// Counts a read and waits for a turn.
    ///
    /// # Errors
    /// `TooManyReads`.
    pub(super) async fn admit(&self, jwks: JwksId) -> Result<SemaphorePermit<'_>, ClientKeyError> {
        let too_many = |retry_after| ClientKeyError::TooManyReads { retry_after };
        self.count(jwks, Instant::now()).map_err(too_many)?;
        match tokio::time::timeout(LOOKUP_TIMEOUT, self.lookups.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(too_many(LOOKUP_TIMEOUT)),
        }
    }

    /// Counts a read, unless there were too many: then how long to wait.
    fn count(&self, jwks: JwksId, now: Instant) -> Result<(), Duration> {
        let times = self.recent.get_with(jwks, Arc::default);
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        while times.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= MAX_READS => {
                Err(WINDOW.saturating_sub(now.duration_since(*first)))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_sixty_reads_a_minute_for_each_address() {
        let reads = PublicKeyReads::default();
        let (jwks, start) = (JwksId::random(), Instant::now());
        for _ in 0..60 {
            assert_eq!(reads.count(jwks, start), Ok(()));
        }
        let later = start + Duration::from_secs(20);
        assert_eq!(reads.count(jwks, later), Err(Duration::from_secs(40)));
        assert_eq!(reads.count(JwksId::random(), later), Ok(()));
        assert_eq!(reads.count(jwks, start + WINDOW), Ok(()));
    }
}
