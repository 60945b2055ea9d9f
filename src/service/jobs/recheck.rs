//! Checks each integration periodically: credentials and prerequisites, as `POST …/prerequisites/check`
//! does, and whatever changes by time alone. It does not verify platforms: that would use up SCEP
//! challenges, and a refusal shows when a device's challenge is minted.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{IntegrationId, Job};
use crate::service::integrations::prerequisites::Trigger;
use crate::service::{Error, Service};
use crate::store::StoreError;
use crate::telemetry::chain_of;

impl Service {
    /// Checks one integration and returns the time until its next check. When Okta does not answer,
    /// earlier findings stay; the status is recorded all the same, since it also changes by time alone.
    ///
    /// # Errors
    /// `Okta`, `DatabaseUnavailable`, `Internal`: the job is retried.
    pub(in crate::service) async fn run_recheck(&self, job: &Job) -> Result<Duration, Error> {
        match self.check_stored(&job.tenant, job.integration, Trigger::Schedule).await {
            // The caller that replaced the credentials has scheduled the next check.
            Ok(_) | Err(Error::ChangedMeanwhile) => {}
            Err(Error::IntegrationNotFound(_) | Error::CredentialsNeeded(_)) => {
                // The integration or its credentials were deleted after the job was enqueued.
                self.store.delete_job(job).await?;
            }
            Err(error) => {
                self.record_status_by_time(job).await;
                return Err(error);
            }
        }
        Ok(time_until_slot(job.integration, self.sync.recheck_every, Utc::now()))
    }

    async fn record_status_by_time(&self, job: &Job) {
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

/// Returns the time until the integration's slot in the period, at least half a period. The slot is
/// derived from the id, so that integrations created at the same moment spread over the whole period
/// from the second check on.
fn time_until_slot(id: IntegrationId, period: Duration, now: DateTime<Utc>) -> Duration {
    let period = period.as_millis().max(1);
    let now = u128::try_from(now.timestamp_millis()).unwrap_or_default();
    let (slot, elapsed) = (id.0.as_u128() % period, now % period);
    let wait = (slot + period - elapsed) % period;
    let wait = if wait * 2 < period { wait + period } else { wait };
    Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn checks_that_start_together_spread_over_the_period() {
        let now = Utc::now();
        let mut slots = [0_usize; 6];
        for _ in 0..6_000 {
            let wait = time_until_slot(IntegrationId::new(), HOUR, now);
            assert!(wait >= HOUR / 2 && wait < HOUR * 3 / 2, "{wait:?}");
            let slot = (now + wait).timestamp_millis() % 3_600_000;
            slots[usize::try_from(slot / 600_000).unwrap()] += 1;
        }
        assert!(slots.iter().all(|count| (700..1_300).contains(count)), "{slots:?}");
    }

    #[test]
    fn a_check_keeps_its_slot_in_every_period() {
        let id = IntegrationId::new();
        let mut now = Utc::now();
        now += time_until_slot(id, HOUR, now);
        for late in [0, 1, 250, 15_000] {
            let started = now + Duration::from_millis(late);
            let next = started + time_until_slot(id, HOUR, started);
            assert_eq!(next - now, chrono::TimeDelta::hours(1), "{late} ms late");
            now = next;
        }
    }
}
