//! The state of the mirror for callers, and what its jobs share: the session with Okta, the rate
//! budget, and how a failure is recorded.

use std::time::Duration;

use crate::model::{
    BudgetClaim, Caller, EventKind, IntegrationId, IntegrationRecord, Job, JobKind, MirrorRow,
    NewEvent, Page, PageRequest, RateBucket, RateShare, Scope, Sync, TenantId,
};
use crate::okta::{AccessToken, ClientCredentials, OktaClient, OktaError, OrgAddress, TokenKey};
use crate::service::{Error, Service};
use crate::store::{StoreError, SyncFailure};

/// What a job needs to call an org: its address and the credentials at the time of opening.
pub(in crate::service) struct Session {
    record: IntegrationRecord,
    credentials: ClientCredentials,
    key: TokenKey,
    pub org: OrgAddress,
    okta: OktaClient,
}

/// The longest time that a worker waits for budget; for a longer wait it releases the job.
const MAX_WAIT: Duration = Duration::from_millis(400);
/// Okta's rate limit is recorded as a sync error after this many attempts in a row.
const RATE_LIMIT_ERROR_ATTEMPTS: i32 = 3;

impl Service {
    /// Returns the state of an integration's mirror.
    ///
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn get_sync(&self, caller: &Caller, id: IntegrationId) -> Result<Sync, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let found = self.store.get_sync(&caller.tenant, id).await;
        Ok(found.map_err(Error::for_integration(id))?.1)
    }

    /// Requests a sweep. A sweep in progress continues. With `accept_shrunk` the next sweep to complete is
    /// accepted however few records it shows.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `CredentialsNeeded`.
    pub async fn create_sync(
        &self,
        caller: &Caller,
        id: IntegrationId,
        accept_shrunk: bool,
    ) -> Result<Sync, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let event = NewEvent::by(caller, id, EventKind::SyncRequested);
        let requested = self.store.request_sync(&caller.tenant, id, accept_shrunk, event).await;
        let (record, sync) = requested.map_err(Error::for_integration(id))?;
        if record.credentials.is_none() {
            return Err(Error::CredentialsNeeded(id));
        }
        self.job_enqueued.notify_one();
        Ok(sync)
    }

    /// Lists the records of the mirror. `matched` selects those that match a device of the inventory
    /// (`true`) or none (`false`).
    ///
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn list_okta_devices(
        &self,
        caller: &Caller,
        id: IntegrationId,
        matched: Option<bool>,
        page: PageRequest<String>,
    ) -> Result<Page<MirrorRow, String>, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let listed = self.store.list_okta_devices(&caller.tenant, id, matched, page).await;
        listed.map_err(Error::for_integration(id))
    }

    /// Opens a session for a job. Without stored credentials it deletes the job and returns `None`.
    pub(in crate::service) async fn open_session(
        &self,
        job: &Job,
    ) -> Result<Option<Session>, Error> {
        let session = self.open_integration_session(&job.tenant, job.integration).await?;
        if session.is_none() {
            self.store.delete_job(job).await?;
        }
        Ok(session)
    }

    /// Opens a session with the integration's credentials. Returns `None` if none are stored.
    pub(in crate::service) async fn open_integration_session(
        &self,
        tenant: &TenantId,
        integration: IntegrationId,
    ) -> Result<Option<Session>, Error> {
        let (record, stored) = match self.store.open_credentials(tenant, integration).await {
            Ok((record, Some(stored))) => (record, stored),
            Ok((_, None)) | Err(StoreError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let org = self.org_address(&record)?;
        let key =
            TokenKey { tenant: tenant.clone(), integration, credentials_version: stored.version };
        let credentials = ClientCredentials::from(stored);
        // The budget counts requests, and the job itself is retried: the client must not retry as well.
        let okta = self.okta.without_retries();
        Ok(Some(Session { record, credentials, key, org, okta }))
    }

    /// Takes one request from the budget; waits up to 400 ms for it.
    pub(in crate::service) async fn take_request(
        &self,
        session: &Session,
        bucket: RateBucket,
        share: RateShare,
    ) -> Result<BudgetClaim, Error> {
        let org_id = session.org_id();
        match self.store.claim_budget(org_id, bucket, share, 1).await? {
            BudgetClaim::Exhausted(wait) if wait <= MAX_WAIT => tokio::time::sleep(wait).await,
            other => return Ok(other),
        }
        Ok(self.store.claim_budget(org_id, bucket, share, 1).await?)
    }

    /// Ends a step of a job: records a failure of Okta as the sync error, and ignores a lost lease.
    pub(in crate::service) async fn end_step(
        &self,
        job: &Job,
        done: Result<Duration, Error>,
    ) -> Result<Duration, Error> {
        match done {
            // Another worker holds the job now; the time returned here has no effect.
            Err(error) if error.is_lost_lease() => Ok(self.sync.read_every),
            Err(Error::Okta(failure)) => {
                let error = failure.cause();
                let enqueue = error.is_refusal().then_some(JobKind::Recheck);
                let failed = sync_failure(error, job.attempts);
                let recorded =
                    self.store.record_sync_error(job, self.sync.lease, failed, enqueue).await;
                if let Err(StoreError::LeaseLost) = recorded {
                    return Ok(self.sync.read_every);
                }
                Err(Error::Okta(failure))
            }
            other => other,
        }
    }
}

impl Session {
    pub(in crate::service) fn org_id(&self) -> &str {
        &self.record.integration.org.id
    }

    /// Calls Okta with an access token of the read scopes. An expired token is replaced once.
    pub(in crate::service) async fn call_okta<T, F>(
        &self,
        call: impl Fn(OktaClient, AccessToken) -> F,
    ) -> Result<T, OktaError>
    where
        F: Future<Output = Result<T, OktaError>>,
    {
        let with = |token| call(self.okta.clone(), token);
        self.okta.with_token(&self.key, &self.org, &self.credentials, with).await
    }
}

fn sync_failure(error: &OktaError, attempts: i32) -> SyncFailure {
    let described = || Some((error.code(), error.to_string()));
    match error {
        OktaError::RateLimited { retry_after } => SyncFailure {
            error: if attempts + 1 >= RATE_LIMIT_ERROR_ATTEMPTS { described() } else { None },
            waiting: Some(*retry_after),
        },
        _ => SyncFailure { error: described(), waiting: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_is_an_error_after_three_attempts_and_an_outage_at_once() {
        let limited = OktaError::RateLimited { retry_after: Duration::from_secs(41) };
        let errors = [0, 1, 2, 9].map(|attempts| sync_failure(&limited, attempts).error);
        assert_eq!(errors.map(|error| error.is_some()), [false, false, true, true]);
        assert_eq!(sync_failure(&limited, 0).waiting, Some(Duration::from_secs(41)));
        let outage = OktaError::TemporarilyUnavailable;
        assert_eq!(sync_failure(&outage, 0).error.map(|(code, _)| code), Some("okta_unreachable"));
    }
}
