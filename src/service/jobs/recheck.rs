//! Looks at each integration again by itself: credentials and prerequisites as a caller's check
//! would, and what has grown old. Never tries the platforms: that would use up challenges, and a
//! refusal shows where real ones are minted.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{IntegrationId, Job};
use crate::service::integrations::prerequisites::By;
use crate::service::{Error, Service};
use crate::store::StoreError;
use crate::telemetry::chain_of;

impl Service {
    /// One check. When Okta cannot be asked nothing that was found before is overwritten; the status
    /// is noted all the same, for it also changes by time alone.
    ///
    /// # Errors
    /// `Okta` when Okta could not be asked, `Store`: the job is tried again.
    pub(in crate::service) async fn run_recheck(&self, job: &Job) -> Result<Duration, Error> {
        match self.check_stored(&job.tenant, job.integration, By::Schedule).await {
            // Whoever replaced the credentials in the meantime has asked for the next check.
            Ok(_) | Err(Error::ChangedMeanwhile) => {}
            Err(Error::IntegrationNotFound(_) | Error::CredentialsNeeded(_)) => {
                // Somebody asked for it while the integration or its credentials were taken away.
                self.store.delete_job(job).await?;
            }
            Err(error) => {
                self.note_by_time(job).await;
                return Err(error);
            }
        }
        Ok(until_next(job.integration, self.sync.recheck_every, Utc::now()))
    }

    async fn note_by_time(&self, job: &Job) {
        match self.store.record_status(&job.tenant, job.integration).await {
            Ok(_) | Err(StoreError::NotFound) => {}
            Err(error) => tracing::warn!(
                tenant_id = %job.tenant,
                integration_id = %job.integration,
                error = chain_of(&error),
                "recording the integration's status failed"
            ),
        }
    }
}

/// The time until the integration's place in the period: each has its own by its id, so that however
/// many began at the same moment they are spread over the whole of it from the second time on. At
/// least half a period.
fn until_next(id: IntegrationId, every: Duration, now: DateTime<Utc>) -> Duration {
    let every = every.as_millis().max(1);
    let now = u128::try_from(now.timestamp_millis()).unwrap_or_default();
    let (place, at) = (id.0.as_u128() % every, now % every);
    let wait = (place + every - at) % every;
    let wait = if wait * 2 < every { wait + every } else { wait };
    Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn many_that_begin_together_are_spread_over_the_whole_period() {
        let now = Utc::now();
        let mut places = [0_usize; 6];
        for _ in 0..6_000 {
            let wait = until_next(IntegrationId::new(), HOUR, now);
            assert!(wait >= HOUR / 2 && wait < HOUR * 3 / 2, "{wait:?}");
            let place = (now + wait).timestamp_millis() % 3_600_000;
            places[usize::try_from(place / 600_000).unwrap()] += 1;
        }
        assert!(places.iter().all(|count| (700..1_300).contains(count)), "{places:?}");
    }

    #[test]
    fn one_that_has_found_its_place_comes_once_in_each_period() {
        let id = IntegrationId::new();
        let mut now = Utc::now();
        now += until_next(id, HOUR, now);
        for late in [0, 1, 250, 15_000] {
            let begun = now + Duration::from_millis(late);
            let next = begun + until_next(id, HOUR, begun);
            assert_eq!(next - now, chrono::TimeDelta::hours(1), "{late} ms late");
            now = next;
        }
    }
}
