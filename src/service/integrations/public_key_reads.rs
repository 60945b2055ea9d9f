//! Limits reads of public key sets, which need no token. The limits are held in memory per replica.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::client_key_error::ClientKeyError;
use crate::model::JwksId;

/// The most reads of one address within [`WINDOW`], per replica.
const MAX_READS: usize = 60;
const WINDOW: Duration = Duration::from_mins(1);
/// Concurrent look-ups in the database. Few, so that a flood of reads leaves pool connections to other
/// requests.
const MAX_LOOKUPS: usize = 2;
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_ENTRIES: u64 = 10_000;

/// The semaphore and the counters for reads of public key sets.
pub(in crate::service) struct PublicKeyReads {
    lookups: Semaphore,
    recent: Cache<JwksId, Arc<Mutex<VecDeque<Instant>>>>,
}

impl Default for PublicKeyReads {
    fn default() -> Self {
        let recent = Cache::builder().max_capacity(MAX_ENTRIES).time_to_idle(WINDOW).build();
        Self { lookups: Semaphore::new(MAX_LOOKUPS), recent }
    }
}

impl PublicKeyReads {
    /// Counts a read and waits for a permit.
    ///
    /// # Errors
    /// `TooManyReads`.
    pub(super) async fn admit(&self, jwks: JwksId) -> Result<SemaphorePermit<'_>, ClientKeyError> {
        let too_many = |retry_after| ClientKeyError::TooManyReads { retry_after };
        self.count(jwks, Instant::now()).map_err(too_many)?;
        match tokio::time::timeout(LOOKUP_TIMEOUT, self.lookups.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(too_many(LOOKUP_TIMEOUT)),
        }
    }

    /// Counts a read.
    ///
    /// # Errors
    /// The time to wait, if there were too many.
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
    fn each_address_may_be_read_sixty_times_a_minute() {
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
