//! Live reads: one device is read from Okta because the caller needs it fresher than the mirror is.
//! Concurrent requests for a device share one read, and each replica reads a device at most once in
//! 30 seconds.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::live_read_cache::{LiveRead, SharedRead};
use crate::model::trust_status::Facts;
use crate::model::{
    BudgetClaim, IntegrationId, OktaDevice, OktaDeviceId, RateBucket, RateShare, SerialNumber,
    TenantId,
};
use crate::okta::OktaError;
use crate::service::mirror::syncs::Session;
use crate::service::{Error, Service};
use crate::store::{LiveFinding, LiveSearch};
use crate::telemetry::{chain_of, metrics};

/// The longest time that a trust query waits for Okta.
const LIVE_READ_TIMEOUT: Duration = Duration::from_secs(5);

impl Service {
    /// Reads the device of `facts` from Okta, or returns the cached result of the last 30 seconds.
    pub(in crate::service) async fn read_live(&self, tenant: &TenantId, facts: &Facts) -> LiveRead {
        let Some(org) = &facts.org else { return LiveRead::Failed };
        let key = (tenant.clone(), org.id, facts.asked.clone());
        let shared = self.live_reads.0.get_with_by_ref(&key, SharedRead::default);
        let read = *shared.get_or_init(|| self.read_with_timeout(tenant, org.id, facts)).await;
        metrics::record_live_read(match read {
            LiveRead::Done { .. } => "done",
            LiveRead::Exhausted => "exhausted",
            LiveRead::Failed => "failed",
        });
        if read == LiveRead::Exhausted {
            // Okta was not called: by the next request the budget may have refilled.
            self.live_reads.0.invalidate(&key);
        }
        read
    }

    async fn read_with_timeout(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        facts: &Facts,
    ) -> LiveRead {
        let read = tokio::time::timeout(LIVE_READ_TIMEOUT, self.read_device(tenant, id, facts));
        let read = read.await;
        match read {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => {
                tracing::warn!(tenant_id = %tenant, integration_id = %id, error = chain_of(&error), "a live read failed");
                LiveRead::Failed
            }
            Err(_) => {
                tracing::warn!(tenant_id = %tenant, integration_id = %id, "a live read timed out");
                LiveRead::Failed
            }
        }
    }

    /// Searches Okta for records with the serial number, then reads one record by its id, because a
    /// search alone lags behind. That record is the requested one, or else the newest known.
    async fn read_device(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        facts: &Facts,
    ) -> Result<LiveRead, Error> {
        let Some(session) = self.open_integration_session(tenant, id).await? else {
            return Ok(LiveRead::Failed);
        };
        let Some(read_at) = self.take_live_read_budget(&session).await? else {
            return Ok(LiveRead::Exhausted);
        };
        let found = match facts.serial_number() {
            Some(serial) => session.find_devices(serial).await?,
            None => Vec::new(),
        };
        let Some(target) = record_to_read(facts, &found) else {
            return Ok(LiveRead::Done { searched_at: read_at, asked_is_gone: false });
        };
        let is_asked =
            facts.asked.okta_device_id.as_ref().map(OktaDeviceId::as_str) == Some(target.as_str());
        let finding = match session.get_device(&target).await {
            Ok(device) => LiveFinding::Device(Box::new(device.value)),
            Err(OktaError::NotFound) => LiveFinding::Gone(target),
            Err(error) => return Err(error.into()),
        };
        let asked_is_gone = is_asked && matches!(finding, LiveFinding::Gone(_));
        let org_id = session.org_id().to_owned();
        let search = LiveSearch { org_id, found, newest: finding, read_at };
        self.store.save_live_read(tenant, id, search).await?;
        Ok(LiveRead::Done { searched_at: read_at, asked_is_gone })
    }

    /// Takes the budget of the whole read up front, since half a read is useless. Returns when it was
    /// taken, or `None` if the budget does not allow it.
    async fn take_live_read_budget(
        &self,
        session: &Session,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let (org, share) = (session.org_id(), RateShare::Live);
        // Two requests: the search, and the device by its id.
        let devices = self.store.claim_budget(org, RateBucket::Devices, share, 2).await?;
        let BudgetClaim::Granted(at) = devices else { return Ok(None) };
        let users = self.store.claim_budget(org, RateBucket::DeviceUsers, share, 1).await?;
        Ok(matches!(users, BudgetClaim::Granted(_)).then_some(at))
    }
}

/// Returns the id of the record to read by its id.
fn record_to_read(facts: &Facts, found: &[OktaDevice]) -> Option<String> {
    if let Some(asked) = &facts.asked.okta_device_id {
        return Some(asked.to_string());
    }
    let known = facts.records.iter().filter(|record| record.not_found_at.is_none());
    let known = known.map(|record| (record.created_at, record.okta_device_id.to_string()));
    let shown = found.iter().map(|device| (device.created, device.id.clone()));
    shown.chain(known).max().map(|(_, id)| id)
}

impl Session {
    /// Returns Okta's records with the serial number.
    async fn find_devices(&self, serial: &SerialNumber) -> Result<Vec<OktaDevice>, OktaError> {
        let org = &self.org;
        let found = self.call_okta(move |okta, token| async move {
            okta.find_devices_by_serial(org, &token, serial.as_str()).await
        });
        Ok(found.await?.value)
    }
}
