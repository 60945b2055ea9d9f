//! Reads single devices again: those that a hook named or a sweep missed, and those that wait for a
//! sign-in, which no list tells of reliably (contract §7).

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{BudgetClaim, Job, OktaDevice, RateBucket, RateShare};
use crate::okta::{Answered, OktaError};
use crate::service::jobs::time_slice::TimeSlice;
use crate::service::mirror::syncs::Session;
use crate::service::{Error, Service};
use crate::store::{DueReread, Read};

/// Devices of one claim.
const MOST: u16 = 50;
/// The longest pause: devices begin to wait at any time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// A device that was not understood is not going to be soon; one over which Okta failed may be.
const UNREADABLE_FOR: Duration = Duration::from_hours(1);
const FAILED_FOR: Duration = Duration::from_mins(10);
const MOST_FAILURES: usize = 3;
/// To look for what waits costs PostgreSQL more than the request that a moment's saving allows.
const PAUSE_WHEN_SPENT: Duration = Duration::from_secs(2);

impl Service {
    /// Reads devices that are due, as far as the budget goes.
    pub(in crate::service) async fn run_rereads(&self, job: &Job) -> Result<Duration, Error> {
        let Some(session) = self.open_session(job).await? else {
            return Ok(self.sync.pending_every);
        };
        let done = self.reread(job, &session).await;
        self.end_step(job, done).await
    }

    async fn reread(&self, job: &Job, session: &Session) -> Result<Duration, Error> {
        let slice = self.begin_time_slice();
        let devices = self.reread_devices(job, session, &slice).await;
        // Has a budget of its own: it goes on when that of the devices is spent, or when those fail.
        let users = self.reread_pending(job, session, &slice).await?;
        let devices = devices?;
        let next = self.store.next_reread(job).await?.filter(|next| !next.is_zero());
        let wait = [devices.pause(), users.pause(), next.unwrap_or(LONGEST_PAUSE)]
            .into_iter()
            .fold(self.sync.pending_every, Duration::min);
        Ok(wait.max(SHORTEST_PAUSE))
    }

    /// Devices that somebody asked for by id.
    async fn reread_devices(
        &self,
        job: &Job,
        session: &Session,
        slice: &TimeSlice,
    ) -> Result<Left, Error> {
        let due = self.store.list_due_rereads(job, self.sync.lease, MOST.into()).await?;
        let more = due.len() >= usize::from(MOST);
        let mut failures = Failures::default();
        for asked in due {
            if slice.is_over() {
                return Ok(Left::More);
            }
            let read_at = match self.spend(session, RateBucket::Devices, RateShare::Pending).await?
            {
                BudgetClaim::Granted(at) => at,
                BudgetClaim::Exhausted(wait) => return Ok(Left::Exhausted(wait)),
            };
            // The second request: its users.
            if let BudgetClaim::Exhausted(wait) =
                self.spend(session, RateBucket::DeviceUsers, RateShare::Pending).await?
            {
                return Ok(Left::Exhausted(wait));
            }
            let read = self.reread_device(job, session, &asked, read_at).await;
            failures.count(read)?;
        }
        Ok(if more { Left::More } else { Left::Nothing })
    }

    /// Devices that wait for a sign-in, or of whose users lists say too little.
    async fn reread_pending(
        &self,
        job: &Job,
        session: &Session,
        slice: &TimeSlice,
    ) -> Result<Left, Error> {
        let (lease, every) = (self.sync.lease, self.sync.pending_every);
        let pending = self.store.list_pending_devices(job, lease, every, MOST.into()).await?;
        let more = pending.len() >= usize::from(MOST);
        let mut failures = Failures::default();
        for id in pending {
            if slice.is_over() {
                return Ok(Left::More);
            }
            match self.spend(session, RateBucket::DeviceUsers, RateShare::Pending).await? {
                BudgetClaim::Granted(read_at) => {
                    let read = self.reread_users(job, session, &id, read_at).await;
                    failures.count(read)?;
                }
                BudgetClaim::Exhausted(wait) => return Ok(Left::Exhausted(wait)),
            }
        }
        Ok(if more { Left::More } else { Left::Nothing })
    }

    async fn reread_device(
        &self,
        job: &Job,
        session: &Session,
        asked: &DueReread,
        read_at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let (lease, id) = (self.sync.lease, asked.okta_device_id.as_str());
        match session.get_device(id).await {
            Ok(device) => {
                let org_id = session.org_id().to_owned();
                let read = Read { value: device.value, read_at, org_id, limit: device.limit };
                Ok(self.store.save_reread(job, lease, asked, read).await?)
            }
            Err(OktaError::NotFound) => {
                Ok(self.store.mark_not_found(job, lease, id, read_at, Some(asked)).await?)
            }
            Err(error) => self.pass_by(job, id, error, true).await,
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
            .ask(move |okta, token| async move { okta.list_device_users(org, &token, id).await })
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
            Err(error) => self.pass_by(job, id, error, false).await,
        }
    }

    /// A device that cannot be read must not keep all others waiting, whether Okta shows it in no form
    /// that we know or fails over it.
    async fn pass_by(
        &self,
        job: &Job,
        okta_device_id: &str,
        error: OktaError,
        asked: bool,
    ) -> Result<(), Error> {
        let pass = |wait| self.store.postpone(job, self.sync.lease, okta_device_id, asked, wait);
        match error {
            OktaError::BadAnswer { what } => {
                tracing::warn!(
                    tenant_id = %job.tenant,
                    integration_id = %job.integration,
                    okta_device_id,
                    error = what,
                    "reading a device by its id failed"
                );
                Ok(pass(UNREADABLE_FOR).await?)
            }
            error if may_be_of_one_device(&error) => {
                pass(FAILED_FOR).await?;
                Err(error.into())
            }
            error => Err(error.into()),
        }
    }
}

/// Whether a failure says something of the one device that was asked for, and perhaps of no other.
fn may_be_of_one_device(error: &OktaError) -> bool {
    use OktaError::{AdminRoleMissing, Refused, Unreachable};
    matches!(error, Refused { .. } | AdminRoleMissing | Unreachable { .. })
}

/// Failures in a row: so many of them are of more than one device.
#[derive(Default)]
struct Failures(usize);

impl Failures {
    /// Counts what came of one device; a failure that is not put up with ends the step.
    fn count(&mut self, read: Result<(), Error>) -> Result<(), Error> {
        match read {
            Ok(()) => self.0 = 0,
            Err(Error::Okta(failure))
                if may_be_of_one_device(failure.cause()) && self.0 + 1 < MOST_FAILURES =>
            {
                self.0 += 1;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// What is left when a step ends.
enum Left {
    Nothing,
    More,
    /// The budget is spent for so long.
    Exhausted(Duration),
}

impl Left {
    fn pause(&self) -> Duration {
        match self {
            Self::Nothing => LONGEST_PAUSE,
            Self::More => SHORTEST_PAUSE,
            Self::Exhausted(wait) => (*wait).max(PAUSE_WHEN_SPENT),
        }
    }
}

impl Session {
    /// A device with its users, as answered by the request for the device.
    pub(in crate::service) async fn get_device(
        &self,
        id: &str,
    ) -> Result<Answered<OktaDevice>, OktaError> {
        let org = &self.org;
        self.ask(move |okta, token| async move {
            let mut device = okta.get_device(org, &token, id).await?;
            device.value.users = Some(okta.list_device_users(org, &token, id).await?.value);
            Ok(device)
        })
        .await
    }
}
