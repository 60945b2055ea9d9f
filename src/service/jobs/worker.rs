//! The worker of this replica: claims due jobs while it has free slots, runs them, and schedules their
//! next run. A failed job is retried with exponential back-off. A killed replica loses nothing: its
//! leases expire and another replica claims the jobs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::model::{ClaimedJob, JobKind};
use crate::okta::OktaError;
use crate::service::{Error, Service};
use crate::store::JobOutcome;
use crate::telemetry::{chain_of, metrics};

/// How often an idle replica polls for due jobs.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The same while PostgreSQL does not answer, since each failure is logged.
const POLL_INTERVAL_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// The delay after the first failure; it doubles with each further one.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(2);
const MAX_RETRY_DELAY: Duration = Duration::from_mins(5);

impl Service {
    /// Runs jobs until `stop` becomes true. Running jobs then finish their current step and are released.
    pub async fn run_worker(&self, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.sync.workers));
        if self.sync.workers == 0 {
            return;
        }
        while !*stop.borrow() {
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot,
                _ = stop.changed() => continue,
            };
            let Ok(slot) = slot else { return };
            let mut wait = POLL_INTERVAL;
            match self.store.claim_job(self.sync.lease).await {
                Ok(Some(job)) => {
                    let service = self.clone();
                    tokio::spawn(async move {
                        service.run_job(job).await;
                        drop(slot);
                    });
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(error = chain_of(&error), "claiming a job failed");
                    wait = POLL_INTERVAL_AFTER_FAILURE;
                }
            }
            drop(slot);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.job_enqueued.notified() => {}
                _ = stop.changed() => {}
            }
        }
        self.stopping.store(true, Ordering::Relaxed);
        let all = u32::try_from(self.sync.workers).unwrap_or(u32::MAX);
        let _ = slots.acquire_many(all).await;
    }

    /// Runs one step of a job and releases the job. The step has a task of its own, so that a panic
    /// fails this job only.
    async fn run_job(&self, job: ClaimedJob) {
        let service = self.clone();
        let claimed = job.clone();
        let result = tokio::spawn(async move { service.run_step(&claimed).await }).await;
        metrics::record_job(job.kind.as_str(), matches!(result, Ok(Ok(_))));
        let outcome = match result {
            Ok(Ok(next_in)) => JobOutcome { next_in, failed: false },
            Ok(Err(error)) => {
                log_failure(&job, &error);
                JobOutcome { next_in: retry_delay(&error, job.attempts), failed: true }
            }
            Err(panic) => {
                tracing::error!(
                    job = job.kind.as_str(),
                    tenant_id = %job.tenant,
                    integration_id = job.integration.map(tracing::field::display),
                    error = chain_of(&panic),
                    "job panicked"
                );
                JobOutcome { next_in: MAX_RETRY_DELAY, failed: true }
            }
        };
        if let Err(error) = self.store.end_job(&job, outcome).await {
            tracing::debug!(
                job = job.kind.as_str(),
                tenant_id = %job.tenant,
                integration_id = job.integration.map(tracing::field::display),
                error = chain_of(&error),
                "releasing a job failed; its lease will expire"
            );
        }
    }

    /// Runs one step of a job and returns the time until the next one.
    async fn run_step(&self, claimed: &ClaimedJob) -> Result<Duration, Error> {
        match (claimed.kind, claimed.of_integration()) {
            (JobKind::Sweep, Some(job)) => self.run_sweep(&job).await,
            (JobKind::Incremental, Some(job)) => self.run_incremental(&job).await,
            (JobKind::Rereads, Some(job)) => self.run_rereads(&job).await,
            (JobKind::Recheck, Some(job)) => self.run_recheck(&job).await,
            (JobKind::Housekeeping, _) | (_, None) => self.run_housekeeping(claimed).await,
        }
    }
}

fn log_failure(job: &ClaimedJob, error: &Error) {
    tracing::warn!(
        job = job.kind.as_str(),
        tenant_id = %job.tenant,
        integration_id = job.integration.map(tracing::field::display),
        attempts = job.attempts + 1,
        error = chain_of(error),
        "a job failed and will be retried"
    );
}

/// Returns Okta's `Retry-After` when the org is rate limited, otherwise an exponential back-off.
fn retry_delay(error: &Error, attempts: i32) -> Duration {
    if let Error::Okta(failure) = error
        && let OktaError::RateLimited { retry_after } = failure.cause()
    {
        return *retry_after;
    }
    let doublings = u32::try_from(attempts).unwrap_or(0).min(16);
    MIN_RETRY_DELAY.saturating_mul(1 << doublings).min(MAX_RETRY_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_back_off_up_to_five_minutes() {
        let error = Error::ChangedMeanwhile;
        let delays: Vec<u64> =
            [0, 1, 2, 20, i32::MAX].map(|n| retry_delay(&error, n).as_secs()).to_vec();
        assert_eq!(delays, [2, 4, 8, 300, 300]);
    }

    #[test]
    fn a_rate_limited_job_waits_as_long_as_okta_asks() {
        let limited = OktaError::RateLimited { retry_after: Duration::from_secs(41) };
        assert_eq!(retry_delay(&limited.into(), 7), Duration::from_secs(41));
    }
}
