//! Live reads: one device is read from Okta because its caller needs it newer than the mirror has it.
//! Whoever asks at the same time shares the read, and within half a minute there is no other
//! (contract §7).

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::live_read_cache::{Flight, LiveRead};
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

/// A caller who asks for trust waits for no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

impl Service {
    /// Reads the device that `facts` are about, unless that was done a moment ago.
    pub(in crate::service) async fn read_live(&self, tenant: &TenantId, facts: &Facts) -> LiveRead {
        let Some(org) = &facts.org else { return LiveRead::Failed };
        let key = (tenant.clone(), org.id, facts.asked.clone());
        let flight = self.live_reads.0.get_with_by_ref(&key, Flight::default);
        let read = *flight.get_or_init(|| self.read_patiently(tenant, org.id, facts)).await;
        metrics::record_live_read(match read {
            LiveRead::Done { .. } => "done",
            LiveRead::Exhausted => "exhausted",
            LiveRead::Failed => "failed",
        });
        if read == LiveRead::Exhausted {
            // Nothing was asked: the next caller may find that the budget has grown again.
            self.live_reads.0.invalidate(&key);
        }
        read
    }

    async fn read_patiently(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        facts: &Facts,
    ) -> LiveRead {
        let read = tokio::time::timeout(PATIENCE, self.read_device(tenant, id, facts)).await;
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

    /// Searches for records of the serial number, then reads one by its id: a search alone lags behind.
    /// That is the asked record, or else the newest that is then known.
    async fn read_device(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        facts: &Facts,
    ) -> Result<LiveRead, Error> {
        let Some(session) = self.open_session_of(tenant, id).await? else {
            return Ok(LiveRead::Failed);
        };
        let Some(read_at) = self.may_read(&session).await? else {
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

    /// All that a read takes, before any of it: half a read is of no use to anybody. `None` when that
    /// is too much; else when it was taken.
    async fn may_read(&self, session: &Session) -> Result<Option<DateTime<Utc>>, Error> {
        let (org, share) = (session.org_id(), RateShare::Live);
        // The search, and the device by its id.
        let devices = self.store.claim_budget(org, RateBucket::Devices, share, 2).await?;
        let BudgetClaim::Granted(at) = devices else { return Ok(None) };
        let users = self.store.claim_budget(org, RateBucket::DeviceUsers, share, 1).await?;
        Ok(matches!(users, BudgetClaim::Granted(_)).then_some(at))
    }
}

/// The id of the record that is read by its id.
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
    /// The records that carry the serial number.
    async fn find_devices(&self, serial: &SerialNumber) -> Result<Vec<OktaDevice>, OktaError> {
        let org = &self.org;
        let found = self.ask(move |okta, token| async move {
            okta.find_devices_by_serial(org, &token, serial.as_str()).await
        });
        Ok(found.await?.value)
    }
}
