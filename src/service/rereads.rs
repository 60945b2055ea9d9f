//! Reads single devices again: those that a hook named or a sweep missed, and those that wait for a
//! sign-in, which no list tells of reliably (contract §7).

use std::time::Duration;

use super::sync::Session;
use super::{Error, Service};
use crate::model::{Job, OktaDevice, RateBucket, RateShare};
use crate::okta::OktaError;
use crate::store::DueReread;

/// Devices of one claim.
const MOST: i64 = 50;
const MOST_ROWS: usize = 50;
/// The longest pause: devices begin to wait at any time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

impl Service {
    /// Reads devices that are due, as far as the budget goes.
    pub(super) async fn run_rereads(&self, job: &Job) -> Result<Duration, Error> {
        let Some(session) = self.open_session(job).await? else {
            return Ok(self.sync.pending_every);
        };
        let done = self.reread(job, &session).await;
        self.end_step(job, done).await
    }

    async fn reread(&self, job: &Job, session: &Session) -> Result<Duration, Error> {
        let (lease, share) = (self.sync.lease, RateShare::Pending);
        let due = self.store.list_due_rereads(job, lease, MOST).await?;
        let mut more = due.len() >= MOST_ROWS;
        for asked in due {
            // Two requests: the device, and its users.
            for bucket in [RateBucket::Devices, RateBucket::DeviceUsers] {
                if let Some(spent) = self.spend(session, bucket, share).await? {
                    return self.pause(job, spent).await;
                }
            }
            self.reread_device(job, session, &asked).await?;
        }
        let pending =
            self.store.list_pending_devices(job, lease, self.sync.pending_every, MOST).await?;
        more |= pending.len() >= MOST_ROWS;
        for id in pending {
            if let Some(spent) = self.spend(session, RateBucket::DeviceUsers, share).await? {
                return self.pause(job, spent).await;
            }
            self.reread_users(job, session, &id).await?;
        }
        let longest = if more { SHORTEST_PAUSE } else { LONGEST_PAUSE };
        self.pause(job, longest.min(self.sync.pending_every)).await
    }

    /// Until something is due, and at most as long as `wait`. What is due already waits for the budget.
    async fn pause(&self, job: &Job, wait: Duration) -> Result<Duration, Error> {
        let next = self.store.next_reread(job).await?.filter(|next| !next.is_zero());
        Ok(wait.min(next.unwrap_or(wait)).max(SHORTEST_PAUSE))
    }

    async fn reread_device(
        &self,
        job: &Job,
        session: &Session,
        asked: &DueReread,
    ) -> Result<(), Error> {
        let lease = self.sync.lease;
        match session.get_device(&asked.okta_device_id).await {
            Ok((device, limit)) => {
                let learned = (session.org_id().to_owned(), limit);
                Ok(self.store.keep_reread(job, lease, asked, device, learned).await?)
            }
            Err(OktaError::NotFound) => {
                let id = &asked.okta_device_id;
                Ok(self.store.keep_not_found(job, lease, id, Some(asked)).await?)
            }
            Err(error) => pass_by(&asked.okta_device_id, error),
        }
    }

    async fn reread_users(&self, job: &Job, session: &Session, id: &str) -> Result<(), Error> {
        let (lease, org) = (self.sync.lease, &session.org);
        let read = session
            .ask(move |okta, token| async move { okta.list_device_users(org, &token, id).await })
            .await;
        match read {
            Ok(users) => {
                let learned = (session.org_id().to_owned(), users.rate.limit);
                Ok(self.store.keep_device_users(job, lease, id, users.value, learned).await?)
            }
            Err(OktaError::NotFound) => Ok(self.store.keep_not_found(job, lease, id, None).await?),
            Err(error) => pass_by(id, error),
        }
    }
}

/// A device that Okta shows in no form that we know must not keep all others waiting.
fn pass_by(okta_device_id: &str, error: OktaError) -> Result<(), Error> {
    match error {
        OktaError::BadAnswer { what } => {
            tracing::warn!(okta_device_id, what, "a device could not be read by its id");
            Ok(())
        }
        error => Err(error.into()),
    }
}

impl Session {
    /// A device with its users, and what Okta said of the rate of devices.
    pub(super) async fn get_device(
        &self,
        id: &str,
    ) -> Result<(OktaDevice, Option<u32>), OktaError> {
        let org = &self.org;
        self.ask(move |okta, token| async move {
            let device = okta.get_device(org, &token, id).await?;
            let users = okta.list_device_users(org, &token, id).await?.value;
            let limit = device.rate.limit;
            Ok((OktaDevice { users: Some(users), ..device.value }, limit))
        })
        .await
    }
}
