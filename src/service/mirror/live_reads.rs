//! Live reads: one device is read from Okta because its caller needs it newer than the mirror has it.
//! Whoever asks at the same time shares the read, and within half a minute there is no other
//! (contract §7).

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::live_read_cache::{Flight, LiveRead};
use crate::model::trust_status::Facts;
use crate::model::{Budget, IntegrationId, OktaDevice, RateBucket, RateShare, TenantId};
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
        let (Some(org), Some(serial)) = (&facts.org, facts.asked.serial_number.clone()) else {
            return LiveRead::Failed;
        };
        let key = (tenant.clone(), org.id, serial);
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
                tracing::warn!(integration_id = %id, error = chain_of(&error), "a live read failed");
                LiveRead::Failed
            }
            Err(_) => {
                tracing::warn!(integration_id = %id, "a live read took too long");
                LiveRead::Failed
            }
        }
    }

    /// Searches for records of the serial number, and reads the newest that is known then by its id: a
    /// search alone lags behind.
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
        let found = session.find_devices(facts).await?;
        let known = facts.newest().map(|record| (record.created_at, record.okta_device_id.clone()));
        let shown = found.iter().map(|device| (device.created, device.id.clone()));
        let Some((_, newest)) = shown.chain(known).max() else {
            return Ok(LiveRead::Done { searched_at: read_at });
        };
        let finding = match session.get_device(&newest).await {
            Ok((device, _)) => LiveFinding::Device(Box::new(device)),
            Err(OktaError::NotFound) => LiveFinding::Gone(newest),
            Err(error) => return Err(error.into()),
        };
        let org_id = session.org_id().to_owned();
        let search = LiveSearch { org_id, found, newest: finding, read_at };
        self.store.save_live_read(tenant, id, search).await?;
        Ok(LiveRead::Done { searched_at: read_at })
    }

    /// All that a read takes, before any of it: half a read is of no use to anybody. `None` when that
    /// is too much; else when it was taken.
    async fn may_read(&self, session: &Session) -> Result<Option<DateTime<Utc>>, Error> {
        let (org, share) = (session.org_id(), RateShare::Live);
        // The search, and the device by its id.
        let devices = self.store.take_budget(org, RateBucket::Devices, share, 2).await?;
        let Budget::Taken(at) = devices else { return Ok(None) };
        let users = self.store.take_budget(org, RateBucket::DeviceUsers, share, 1).await?;
        Ok(matches!(users, Budget::Taken(_)).then_some(at))
    }
}

impl Session {
    /// The records that carry the device's serial number.
    async fn find_devices(&self, facts: &Facts) -> Result<Vec<OktaDevice>, OktaError> {
        let device = facts.device.as_ref().map(|device| device.serial_number.clone());
        let serial = device.or_else(|| facts.asked.serial_number.clone()).unwrap_or_default();
        let (org, serial) = (&self.org, serial.as_str());
        let found = self.ask(move |okta, token| async move {
            okta.find_devices_by_serial(org, &token, serial).await
        });
        Ok(found.await?.value)
    }
}
