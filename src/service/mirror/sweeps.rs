//! Sweeps: all devices of an org are read page by page, and in between those that changed
//! (incremental reads). Each page is stored before the next is requested. A failed page removes
//! nothing from the mirror.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{
    BudgetClaim, Finding, FindingReason, Job, Outcome, PrerequisiteKind, RateBucket, RateShare,
    ReadPage,
};
use crate::okta::{DeviceList, DevicesPage, OktaError, OktaResponse};
use crate::service::mirror::syncs::Session;
use crate::service::{Error, Service};
use crate::store::{ReadStep, SweepCursor, SweepStep, SyncFailure};
use crate::telemetry::metrics;

/// Pages of one claim; then other jobs may run.
const MAX_PAGES: usize = 20;
/// The shortest pause between two sweeps.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// The sweep restarts when one page could not be parsed this often in a row.
const MAX_BAD_ANSWERS: i32 = 3;
/// Where an incremental read starts when no change has been read yet.
const ALL_CHANGES: DateTime<Utc> = DateTime::UNIX_EPOCH;
/// How far incremental reads overlap, because Okta's search lags behind.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);

impl Service {
    /// Continues the sweep of an org, or starts one. Returns the time until the next step.
    pub(in crate::service) async fn run_sweep(&self, job: &Job) -> Result<Duration, Error> {
        let Some(session) = self.open_session(job).await? else { return Ok(self.sync.sweep_every) };
        let done = self.sweep(job, &session).await;
        self.end_step(job, done).await
    }

    async fn sweep(&self, job: &Job, session: &Session) -> Result<Duration, Error> {
        let lease = self.sync.lease;
        let mut at = self.store.begin_sweep(job, lease).await?;
        let slice = self.begin_time_slice();
        for _ in 0..MAX_PAGES {
            if slice.is_over() {
                break;
            }
            let budget = self.take_request(session, RateBucket::Devices, RateShare::Sweep).await?;
            let read_at = match budget {
                BudgetClaim::Granted(at) => at,
                BudgetClaim::Exhausted(wait) => {
                    let failure = SyncFailure { error: None, waiting: Some(wait) };
                    self.store.record_sync_error(job, lease, failure, None).await?;
                    return Ok(wait);
                }
            };
            let page = match at.cursor.clone() {
                None => DevicesPage::First,
                Some(cursor) => DevicesPage::At(cursor),
            };
            let read = match session.read(&page).await {
                Ok(read) => read,
                Err(error) => return self.handle_failed_page(job, &at, error).await,
            };
            match self.store.save_sweep_page(job, lease, &at, session.page(read, read_at)).await? {
                SweepStep::Continue(next) => at = next,
                SweepStep::Endless => {
                    metrics::record_sweep("restarted", Duration::ZERO);
                    return Err(OktaError::bad_answer("a list of devices that does not end").into());
                }
                SweepStep::Shrunk { took, shown, expected } => {
                    metrics::record_sweep("shrunk", took);
                    tracing::warn!(
                        tenant_id = %job.tenant, integration_id = %job.integration, shown, expected,
                        "a sweep returned too few records and was not accepted"
                    );
                    self.job_enqueued.notify_one();
                    return Ok(self.sync.sweep_every.saturating_sub(took).max(MIN_PAUSE));
                }
                SweepStep::Complete { took } => {
                    metrics::record_sweep("completed", took);
                    let seen = managed_user_seen(Utc::now());
                    self.store.record_sweep_completion(&job.tenant, job.integration, seen).await?;
                    // Records that the sweep missed are re-read by id; this replica may start at once.
                    self.job_enqueued.notify_one();
                    return Ok(self.sync.sweep_every.saturating_sub(took).max(MIN_PAUSE));
                }
            }
        }
        Ok(Duration::ZERO)
    }

    /// Restarts the sweep when a retry of the failed page cannot succeed: its cursor expired, or the page
    /// could not be parsed several times. Otherwise returns the error, and the page is retried.
    async fn handle_failed_page(
        &self,
        job: &Job,
        at: &SweepCursor,
        error: OktaError,
    ) -> Result<Duration, Error> {
        let lease = self.sync.lease;
        if at.cursor.is_some() && error.is_dead_cursor() {
            self.store.restart_sweep(job, lease).await?;
            let detail =
                "Okta no longer accepted the cursor of the sweep. The sweep restarts.".to_owned();
            let failure = SyncFailure { error: Some(("cursor_expired", detail)), waiting: None };
            self.store.record_sync_error(job, lease, failure, None).await?;
            metrics::record_sweep("restarted", Duration::ZERO);
            tracing::warn!(tenant_id = %job.tenant, integration_id = %job.integration, "a sweep restarts: its cursor expired");
            return Ok(MIN_PAUSE);
        }
        let is_unreadable = matches!(error, OktaError::BadAnswer { .. });
        if is_unreadable && job.attempts + 1 >= MAX_BAD_ANSWERS {
            self.store.restart_sweep(job, lease).await?;
            metrics::record_sweep("restarted", Duration::ZERO);
        }
        Err(error.into())
    }

    /// Reads the devices that changed since the last incremental read. Returns the time until the next.
    pub(in crate::service) async fn run_incremental(&self, job: &Job) -> Result<Duration, Error> {
        let Some(session) = self.open_session(job).await? else { return Ok(self.sync.read_every) };
        let done = self.read_changes(job, &session).await;
        self.end_step(job, done).await
    }

    async fn read_changes(&self, job: &Job, session: &Session) -> Result<Duration, Error> {
        let lease = self.sync.lease;
        let slice = self.begin_time_slice();
        for _ in 0..MAX_PAGES {
            if slice.is_over() {
                break;
            }
            let Some(at) = self.store.find_read(job, lease).await? else {
                return Ok(self.sync.read_every);
            };
            let budget = self.take_request(session, RateBucket::Devices, RateShare::Sweep).await?;
            let read_at = match budget {
                BudgetClaim::Granted(at) => at,
                BudgetClaim::Exhausted(wait) => return Ok(wait),
            };
            let since = at.until.and_then(|until| until.checked_sub_signed(OVERLAP));
            let page = match at.cursor.clone() {
                None => DevicesPage::ChangedSince(since.unwrap_or(ALL_CHANGES)),
                Some(cursor) => DevicesPage::At(cursor),
            };
            let page = match session.read(&page).await {
                Ok(read) => session.page(read, read_at),
                Err(error) if at.cursor.is_some() && error.is_dead_cursor() => {
                    self.store.restart_read(job, lease).await?;
                    return Ok(MIN_PAUSE);
                }
                Err(error) => return Err(error.into()),
            };
            match self.store.save_read_page(job, lease, page).await? {
                ReadStep::Continue => {}
                ReadStep::Complete => return Ok(self.sync.read_every),
                ReadStep::Endless => {
                    let what = "a list of changed devices that does not end";
                    return Err(OktaError::bad_answer(what).into());
                }
            }
        }
        Ok(Duration::ZERO)
    }
}

/// A managed user implies Adaptive MFA: without it Okta offers no device integrations, so no user can
/// become managed.
fn managed_user_seen(now: DateTime<Utc>) -> Finding {
    Finding::new(PrerequisiteKind::AdaptiveMfa, Outcome::Inferred, now)
        .with_reason(FindingReason::ManagedUserSeen)
        .with_evidence(serde_json::json!({ "managed_user_seen_at": now }))
}

impl Session {
    async fn read(&self, page: &DevicesPage) -> Result<OktaResponse<DeviceList>, OktaError> {
        let (org, page) = (&self.org, page);
        self.call_okta(move |okta, token| async move { okta.list_devices(org, &token, page).await })
            .await
    }

    fn page(&self, read: OktaResponse<DeviceList>, read_at: DateTime<Utc>) -> ReadPage {
        let OktaResponse { value, limit, at } = read;
        ReadPage {
            org_id: self.org_id().to_owned(),
            devices: value.devices,
            next: value.next,
            read_at,
            at,
            limit,
        }
    }
}
