//! The mirror as callers ask for it, and what all of its jobs share: the credentials, the budget, and
//! what is told when Okta does not answer (contract §7).

use std::time::Duration;

use crate::model::{
    BudgetClaim, Caller, EventKind, IntegrationId, IntegrationRecord, Job, JobKind, MirrorRow,
    NewEvent, Page, PageRequest, RateBucket, RateShare, Scope, Sync, TenantId,
};
use crate::okta::{AccessToken, ClientCredentials, OktaClient, OktaError, OrgAddress, TokenKey};
use crate::service::{Error, Service};
use crate::store::{StoreError, SyncFailure};

/// What a job needs to ask an org. The credentials are those of the moment at which it was opened.
pub(in crate::service) struct Session {
    record: IntegrationRecord,
    credentials: ClientCredentials,
    key: TokenKey,
    pub org: OrgAddress,
    okta: OktaClient,
}

/// A wait that is shorter than this is slept through; for a longer one the worker is given back.
const SHORT_WAIT: Duration = Duration::from_millis(400);
/// Okta's own wish to wait is worth a word to people when it was expressed so often in a row.
const RATE_LIMITED_FOR_LONG: i32 = 3;

impl Service {
    /// How the mirror of an org stands.
    ///
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn get_sync(&self, caller: &Caller, id: IntegrationId) -> Result<Sync, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let found = self.store.get_sync(&caller.tenant, id).await;
        Ok(found.map_err(Error::of_integration(id))?.1)
    }

    /// Asks for a sweep now. One that goes on is not begun anew. With `accept_shrunk` the next sweep to end
    /// is accepted however few records it shows.
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
        let (record, sync) = requested.map_err(Error::of_integration(id))?;
        if record.credentials.is_none() {
            return Err(Error::CredentialsNeeded(id));
        }
        self.work.notify_one();
        Ok(sync)
    }

    /// The records of the mirror; `matched` keeps those that match a device of the inventory, or those
    /// that match none.
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
        listed.map_err(Error::of_integration(id))
    }

    /// Opens the integration's credentials for a job; `None`, and the job is gone, when there are none.
    pub(in crate::service) async fn open_session(
        &self,
        job: &Job,
    ) -> Result<Option<Session>, Error> {
        let session = self.open_session_of(&job.tenant, job.integration).await?;
        if session.is_none() {
            self.store.delete_job(job).await?;
        }
        Ok(session)
    }

    /// Opens the integration's credentials for calls to Okta; `None` when there are none.
    pub(in crate::service) async fn open_session_of(
        &self,
        tenant: &TenantId,
        integration: IntegrationId,
    ) -> Result<Option<Session>, Error> {
        let (record, stored) = match self.store.open_credentials(tenant, integration).await {
            Ok((record, Some(stored))) => (record, stored),
            Ok((_, None)) | Err(StoreError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let org = self.address_of(&record)?;
        let key =
            TokenKey { tenant: tenant.clone(), integration, credentials_version: stored.version };
        let credentials =
            ClientCredentials { client_id: stored.client_id, client_secret: stored.client_secret };
        // The budget counts requests, and what fails is tried again by the job: no retries beneath it.
        let okta = self.okta.without_retries();
        Ok(Some(Session { record, credentials, key, org, okta }))
    }

    /// Takes a request out of the budget, as soon as that is no great while.
    pub(in crate::service) async fn spend(
        &self,
        session: &Session,
        bucket: RateBucket,
        share: RateShare,
    ) -> Result<BudgetClaim, Error> {
        let org_id = session.org_id();
        match self.store.claim_budget(org_id, bucket, share, 1).await? {
            BudgetClaim::Exhausted(wait) if wait <= SHORT_WAIT => tokio::time::sleep(wait).await,
            other => return Ok(other),
        }
        Ok(self.store.claim_budget(org_id, bucket, share, 1).await?)
    }

    /// Ends a step of a job: says what is in its way, and lets somebody else's work be.
    pub(in crate::service) async fn end_step(
        &self,
        job: &Job,
        done: Result<Duration, Error>,
    ) -> Result<Duration, Error> {
        match done {
            // Somebody else goes on with it; what this says of the time is not heard any more.
            Err(error) if error.is_lost_lease() => Ok(self.sync.read_every),
            Err(Error::Okta(failure)) => {
                let error = failure.cause();
                let ask_for = error.is_refusal().then_some(JobKind::Recheck);
                let trouble = trouble_of(error, job.attempts);
                let noted =
                    self.store.record_sync_error(job, self.sync.lease, trouble, ask_for).await;
                if let Err(StoreError::LeaseLost) = noted {
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

    /// Asks Okta with a token of the read scopes; a token that died is replaced once.
    pub(in crate::service) async fn ask<T, F>(
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

fn trouble_of(error: &OktaError, attempts: i32) -> SyncFailure {
    let told = || Some((error.code(), error.to_string()));
    match error {
        OktaError::RateLimited { retry_after } => SyncFailure {
            error: if attempts + 1 >= RATE_LIMITED_FOR_LONG { told() } else { None },
            waiting: Some(*retry_after),
        },
        _ => SyncFailure { error: told(), waiting: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_is_told_of_only_when_it_lasts_and_an_outage_at_once() {
        let limited = OktaError::RateLimited { retry_after: Duration::from_secs(41) };
        let codes = [0, 1, 2, 9].map(|attempts| trouble_of(&limited, attempts).error);
        assert_eq!(codes.map(|error| error.is_some()), [false, false, true, true]);
        assert_eq!(trouble_of(&limited, 0).waiting, Some(Duration::from_secs(41)));
        let away = OktaError::TemporarilyUnavailable;
        assert_eq!(trouble_of(&away, 0).error.map(|(code, _)| code), Some("okta_unreachable"));
    }
}
