//! Re-reads single devices: those that an event hook named or a sweep missed, and those that wait for
//! a sign-in, which device lists do not show reliably.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{BudgetClaim, Job, OktaDevice, RateBucket, RateShare};
use crate::okta::{OktaError, OktaResponse};
use crate::service::jobs::time_slice::TimeSlice;
use crate::service::mirror::syncs::Session;
use crate::service::{Error, Service};
use crate::store::{DueReread, Read};

/// Devices of one claim.
const BATCH_SIZE: u16 = 50;
/// The longest pause between two runs: a device may become due at any time.
const MAX_PAUSE: Duration = Duration::from_secs(30);
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// How long a device is postponed whose record cannot be parsed: that rarely changes soon.
const UNREADABLE_DELAY: Duration = Duration::from_hours(1);
/// How long a device is postponed for which Okta failed.
const FAILED_DELAY: Duration = Duration::from_mins(10);
const MAX_CONSECUTIVE_FAILURES: usize = 3;
/// The shortest pause when the budget is exhausted: querying for due devices costs PostgreSQL more than
/// the one request that a shorter pause would allow.
const MIN_PAUSE_WHEN_EXHAUSTED: Duration = Duration::from_secs(2);

impl Service {
    /// Re-reads devices that are due, as far as the budget allows.
    pub(in crate::service) async fn run_rereads(&self, job: &Job) -> Result<Duration, Error> {
        let Some(session) = self.open_session(job).await? else {
            return Ok(self.sync.pending_every);
        };
        let done = self.reread(job, &session).await;
        self.end_step(job, done).await
    }

    async fn reread(&self, job: &Job, session: &Session) -> Result<Duration, Error> {
        let slice = self.begin_time_slice();
        let devices = self.reread_due_devices(job, session, &slice).await;
        // Runs even when the devices failed or exhausted their budget: device users have a budget of their own.
        let users = self.reread_pending_devices(job, session, &slice).await?;
        let devices = devices?;
        let next = self.store.next_reread(job).await?.filter(|next| !next.is_zero());
        let wait = [devices.pause(), users.pause(), next.unwrap_or(MAX_PAUSE)]
            .into_iter()
            .fold(self.sync.pending_every, Duration::min);
        Ok(wait.max(MIN_PAUSE))
    }

    /// Re-reads devices that were requested by their id.
    async fn reread_due_devices(
        &self,
        job: &Job,
        session: &Session,
        slice: &TimeSlice,
    ) -> Result<Remaining, Error> {
        let (lease, every) = (self.sync.lease, self.sync.pending_every);
        let due = self.store.list_due_rereads(job, lease, every, BATCH_SIZE.into()).await?;
        let more = due.len() >= usize::from(BATCH_SIZE);
        let mut failures = ConsecutiveFailures::default();
        for reread in due {
            if slice.is_over() {
                return Ok(Remaining::More);
            }
            let devices = self.take_request(session, RateBucket::Devices, RateShare::Pending);
            let read_at = match devices.await? {
                BudgetClaim::Granted(at) => at,
                BudgetClaim::Exhausted(wait) => return Ok(Remaining::BudgetExhausted(wait)),
            };
            // The second request: the device's users.
            let users = self.take_request(session, RateBucket::DeviceUsers, RateShare::Pending);
            if let BudgetClaim::Exhausted(wait) = users.await? {
                return Ok(Remaining::BudgetExhausted(wait));
            }
            let read = self.reread_device(job, session, &reread, read_at).await;
            failures.count(read)?;
        }
        Ok(if more { Remaining::More } else { Remaining::Nothing })
    }

    /// Re-reads the users of devices that wait for a sign-in, or whose users the lists show incompletely.
    async fn reread_pending_devices(
        &self,
        job: &Job,
        session: &Session,
        slice: &TimeSlice,
    ) -> Result<Remaining, Error> {
        let (lease, every) = (self.sync.lease, self.sync.pending_every);
        let pending = self.store.list_pending_devices(job, lease, every, BATCH_SIZE.into()).await?;
        let more = pending.len() >= usize::from(BATCH_SIZE);
        let mut failures = ConsecutiveFailures::default();
        for id in pending {
            if slice.is_over() {
                return Ok(Remaining::More);
            }
            match self.take_request(session, RateBucket::DeviceUsers, RateShare::Pending).await? {
                BudgetClaim::Granted(read_at) => {
                    let read = self.reread_users(job, session, &id, read_at).await;
                    failures.count(read)?;
                }
                BudgetClaim::Exhausted(wait) => return Ok(Remaining::BudgetExhausted(wait)),
            }
        }
        Ok(if more { Remaining::More } else { Remaining::Nothing })
    }

    async fn reread_device(
        &self,
        job: &Job,
        session: &Session,
        reread: &DueReread,
        read_at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let (lease, id) = (self.sync.lease, reread.okta_device_id.as_str());
        match session.get_device(id).await {
            Ok(device) => {
                let org_id = session.org_id().to_owned();
                let read = Read { value: device.value, read_at, org_id, limit: device.limit };
                Ok(self.store.save_reread(job, lease, reread, read).await?)
            }
            Err(OktaError::NotFound) => {
                Ok(self.store.mark_not_found(job, lease, id, read_at, Some(reread)).await?)
            }
            Err(error) => self.postpone_device(job, id, error, true).await,
        }
    }

    async fn reread_users(
        &self,
        job: &Job,
        session: &Session,
        id: &str,
        read_at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let (lease, org) = (self.sync.lease, &session.org);
        let read = session
            .call_okta(
                move |okta, token| async move { okta.list_device_users(org, &token, id).await },
            )
            .await;
        match read {
            Ok(users) => {
                let (org_id, limit) = (session.org_id().to_owned(), users.limit);
                let read = Read { value: users.value, read_at, org_id, limit };
                Ok(self.store.save_device_users(job, lease, id, read).await?)
            }
            Err(OktaError::NotFound) => {
                Ok(self.store.mark_not_found(job, lease, id, read_at, None).await?)
            }
            Err(error) => self.postpone_device(job, id, error, false).await,
        }
    }

    /// Postpones a device that cannot be read, so that it does not delay the others: its record cannot
    /// be parsed, or Okta fails for it.
    async fn postpone_device(
        &self,
        job: &Job,
        okta_device_id: &str,
        error: OktaError,
        requested: bool,
    ) -> Result<(), Error> {
        let postpone =
            |delay| self.store.postpone(job, self.sync.lease, okta_device_id, requested, delay);
        match error {
            OktaError::BadAnswer { what } => {
                tracing::warn!(
                    tenant_id = %job.tenant,
                    integration_id = %job.integration,
                    okta_device_id,
                    error = what,
                    "reading a device by its id failed"
                );
                Ok(postpone(UNREADABLE_DELAY).await?)
            }
            error if may_affect_one_device_only(&error) => {
                postpone(FAILED_DELAY).await?;
                Err(error.into())
            }
            error => Err(error.into()),
        }
    }
}

/// Returns true for failures that may affect only the device that was requested.
fn may_affect_one_device_only(error: &OktaError) -> bool {
    use OktaError::{AdminRoleMissing, Refused, Unreachable};
    matches!(error, Refused { .. } | AdminRoleMissing | Unreachable { .. })
}

/// Failures in a row. At [`MAX_CONSECUTIVE_FAILURES`] the cause is not a single device.
#[derive(Default)]
struct ConsecutiveFailures(usize);

impl ConsecutiveFailures {
    /// Counts the result of one device.
    ///
    /// # Errors
    /// A failure that must end the step.
    fn count(&mut self, read: Result<(), Error>) -> Result<(), Error> {
        match read {
            Ok(()) => self.0 = 0,
            Err(Error::Okta(failure))
                if may_affect_one_device_only(failure.cause())
                    && self.0 + 1 < MAX_CONSECUTIVE_FAILURES =>
            {
                self.0 += 1;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// What is left to do when a step ends.
enum Remaining {
    Nothing,
    More,
    /// The budget is exhausted for this time.
    BudgetExhausted(Duration),
}

impl Remaining {
    fn pause(&self) -> Duration {
        match self {
            Self::Nothing => MAX_PAUSE,
            Self::More => MIN_PAUSE,
            Self::BudgetExhausted(wait) => (*wait).max(MIN_PAUSE_WHEN_EXHAUSTED),
        }
    }
}

impl Session {
    /// Returns a device with its users, and the rate limit that Okta reported for the devices endpoint.
    pub(in crate::service) async fn get_device(
        &self,
        id: &str,
    ) -> Result<OktaResponse<OktaDevice>, OktaError> {
        let org = &self.org;
        self.call_okta(move |okta, token| async move {
            let mut device = okta.get_device(org, &token, id).await?;
            device.value.users = Some(okta.list_device_users(org, &token, id).await?.value);
            Ok(device)
        })
        .await
    }
}
