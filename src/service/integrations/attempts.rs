//! Our own limit for what makes us ask Okta at once, whoever calls: connects and checks. In memory
//! and per replica: it protects the org's rate from a caller that loops, and counts nothing exactly.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;

use crate::model::{IntegrationId, TenantId};
use crate::service::Error;

/// In what time the attempts of an integration are counted.
const WINDOW: Duration = Duration::from_mins(1);
/// Integrations whose attempts are remembered; those asked about longest ago are forgotten first.
const REMEMBERED: u64 = 10_000;

/// When each integration was connected or checked of late.
#[derive(Clone)]
pub(in crate::service) struct Attempts {
    most: usize,
    recent: Cache<(TenantId, IntegrationId), Arc<Mutex<VecDeque<Instant>>>>,
}

impl Attempts {
    /// Allows `most` attempts of an integration in a minute.
    pub(in crate::service) fn new(most: u32) -> Self {
        let recent = Cache::builder().max_capacity(REMEMBERED).time_to_idle(WINDOW).build();
        Self { most: usize::try_from(most).unwrap_or(usize::MAX), recent }
    }

    /// Counts an attempt, unless there were too many: one that is refused does not count.
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
        claim_at(&mut recent, self.most, Instant::now())
            .map_err(|retry_after| Error::TooManyAttempts { retry_after })
    }
}

/// Counts an attempt at `now`, or says after what time there is room for one.
fn claim_at(recent: &mut VecDeque<Instant>, most: usize, now: Instant) -> Result<(), Duration> {
    let age = |at: &Instant| now.saturating_duration_since(*at);
    while recent.front().is_some_and(|oldest| age(oldest) >= WINDOW) {
        recent.pop_front();
    }
    match recent.front() {
        Some(oldest) if recent.len() >= most => Err(WINDOW.saturating_sub(age(oldest))),
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
        assert_eq!(claim_at(&mut recent, 3, at(60)), Ok(()), "the first one is over");
        assert_eq!(claim_at(&mut recent, 3, at(61)), Err(Duration::from_secs(9)));
    }

    #[test]
    fn each_integration_has_its_own_share() {
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
