//! The worker of this replica: claims jobs as long as it has hands free, does each, and says when it
//! is due again. What fails is tried again later, ever more slowly; nothing is lost by a kill.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::model::{ClaimedJob, JobKind};
use crate::okta::OktaError;
use crate::service::{Error, Service};
use crate::store::JobOutcome;
use crate::telemetry::{chain_of, metrics};

/// How often an idle replica looks for work.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same while PostgreSQL cannot be asked: each time is a line in the log.
const LOOK_AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// The wait after the first failure; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LAST_RETRY: Duration = Duration::from_mins(5);

impl Service {
    /// Works until `stop` is told; the jobs at hand end their step and are given back.
    pub async fn work(&self, mut stop: watch::Receiver<bool>) {
        let hands = Arc::new(Semaphore::new(self.sync.workers));
        if self.sync.workers == 0 {
            return;
        }
        while !*stop.borrow() {
            let hand = tokio::select! {
                hand = Arc::clone(&hands).acquire_owned() => hand,
                _ = stop.changed() => continue,
            };
            let Ok(hand) = hand else { return };
            let mut wait = LOOK_EVERY;
            match self.store.claim_job(self.sync.lease).await {
                Ok(Some(job)) => {
                    let service = self.clone();
                    tokio::spawn(async move {
                        service.attempt(job).await;
                        drop(hand);
                    });
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(error = chain_of(&error), "claiming a job failed");
                    wait = LOOK_AGAIN_AFTER_FAILURE;
                }
            }
            drop(hand);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.work.notified() => {}
                _ = stop.changed() => {}
            }
        }
        self.stopping.store(true, Ordering::Relaxed);
        let all = u32::try_from(self.sync.workers).unwrap_or(u32::MAX);
        let _ = hands.acquire_many(all).await;
    }

    /// Does one job, in a task of its own: a panic in one must not end the others.
    async fn attempt(&self, job: ClaimedJob) {
        let service = self.clone();
        let at_work = job.clone();
        let done = tokio::spawn(async move { service.perform(&at_work).await }).await;
        metrics::record_job(job.kind.as_str(), matches!(done, Ok(Ok(_))));
        let ended = match done {
            Ok(Ok(next_in)) => JobOutcome { next_in, failed: false },
            Ok(Err(error)) => {
                log_failure(&job, &error);
                JobOutcome { next_in: pause_after(&error, job.attempts), failed: true }
            }
            Err(panic) => {
                tracing::error!(
                    job = job.kind.as_str(),
                    tenant_id = %job.tenant,
                    integration_id = job.integration.map(tracing::field::display),
                    error = chain_of(&panic),
                    "a job panicked"
                );
                JobOutcome { next_in: LAST_RETRY, failed: true }
            }
        };
        if let Err(error) = self.store.end_job(&job, ended).await {
            tracing::debug!(
                job = job.kind.as_str(),
                tenant_id = %job.tenant,
                integration_id = job.integration.map(tracing::field::display),
                error = chain_of(&error),
                "releasing a job failed; its lease will expire"
            );
        }
    }

    /// The step of a job that is due; answers in what time the next one is.
    async fn perform(&self, claimed: &ClaimedJob) -> Result<Duration, Error> {
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

/// As long as Okta asks for, or ever longer.
fn pause_after(error: &Error, attempts: i32) -> Duration {
    if let Error::Okta(failure) = error
        && let OktaError::RateLimited { retry_after } = failure.cause()
    {
        return *retry_after;
    }
    let doublings = u32::try_from(attempts).unwrap_or(0).min(16);
    FIRST_RETRY.saturating_mul(1 << doublings).min(LAST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_tried_ever_more_slowly_but_never_given_up() {
        let error = Error::ChangedMeanwhile;
        let pauses: Vec<u64> =
            [0, 1, 2, 20, i32::MAX].map(|n| pause_after(&error, n).as_secs()).to_vec();
        assert_eq!(pauses, [2, 4, 8, 300, 300]);
    }

    #[test]
    fn okta_says_how_long_to_wait_when_its_rate_is_used_up() {
        let limited = OktaError::RateLimited { retry_after: Duration::from_secs(41) };
        assert_eq!(pause_after(&limited.into(), 7), Duration::from_secs(41));
    }
}
