//! Limits connects and checks of an integration, which call Okta at once. The limit protects the rate
//! limit of the Okta org from a caller in a loop. It is held in memory per replica, so it is approximate.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;

use crate::model::{IntegrationId, TenantId};
use crate::service::Error;

/// The window in which attempts are counted.
const WINDOW: Duration = Duration::from_mins(1);
/// Integrations whose attempts are cached; the least recently used are evicted.
const MAX_ENTRIES: u64 = 10_000;

/// The recent attempts of each integration.
#[derive(Clone)]
pub(in crate::service) struct Attempts {
    max: usize,
    recent: Cache<(TenantId, IntegrationId), Arc<Mutex<VecDeque<Instant>>>>,
}

impl Attempts {
    /// Allows `max` attempts per integration and minute.
    pub(in crate::service) fn new(max: u32) -> Self {
        let recent = Cache::builder().max_capacity(MAX_ENTRIES).time_to_idle(WINDOW).build();
        Self { max: usize::try_from(max).unwrap_or(usize::MAX), recent }
    }

    /// Counts an attempt. A refused attempt does not count.
    ///
    /// # Errors
    /// `TooManyAttempts` with the time until the next one.
    pub(in crate::service) fn claim(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<(), Error> {
        let recent = self.recent.get_with((tenant.clone(), id), Arc::default);
        let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
        claim_at(&mut recent, self.max, Instant::now())
            .map_err(|retry_after| Error::TooManyAttempts { retry_after })
    }
}

/// Counts an attempt at `now`.
///
/// # Errors
/// The time until the next attempt is allowed.
fn claim_at(recent: &mut VecDeque<Instant>, max: usize, now: Instant) -> Result<(), Duration> {
    let age = |at: &Instant| now.saturating_duration_since(*at);
    while recent.front().is_some_and(|oldest| age(oldest) >= WINDOW) {
        recent.pop_front();
    }
    match recent.front() {
        Some(oldest) if recent.len() >= max => Err(WINDOW.saturating_sub(age(oldest))),
        _ => {
            recent.push_back(now);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_attempt_is_allowed_when_the_oldest_is_a_minute_old() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut recent = VecDeque::new();
        for seconds in [0, 10, 20] {
            assert_eq!(claim_at(&mut recent, 3, at(seconds)), Ok(()));
        }
        assert_eq!(claim_at(&mut recent, 3, at(30)), Err(Duration::from_secs(30)));
        assert_eq!(claim_at(&mut recent, 3, at(59)), Err(Duration::from_secs(1)));
        assert_eq!(claim_at(&mut recent, 3, at(60)), Ok(()), "the first has left the window");
        assert_eq!(claim_at(&mut recent, 3, at(61)), Err(Duration::from_secs(9)));
    }

    #[test]
    fn attempts_are_counted_per_tenant_and_integration() {
        let attempts = Attempts::new(1);
        let tenant = TenantId::parse("acme").unwrap();
        let (one, other) = (IntegrationId::new(), IntegrationId::new());
        assert!(attempts.claim(&tenant, one).is_ok());
        assert!(attempts.claim(&tenant, other).is_ok());
        let Err(Error::TooManyAttempts { retry_after }) = attempts.claim(&tenant, one) else {
            panic!("a second attempt was allowed");
        };
        assert!(retry_after <= WINDOW);
        assert!(attempts.claim(&TenantId::parse("other").unwrap(), one).is_ok());
    }
}
