//! What a live read showed, kept for everybody who asks after its caller.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};

use crate::model::{IntegrationId, OktaDevice, TenantId};
use crate::store::mirror::merge::{Source, merge};
use crate::store::mirror::rereads::NOTE_GONE;
use crate::store::record::integration_row;
use crate::store::schema::{integrations, okta_syncs};
use crate::store::{Store, StoreError};

/// What Okta said of the newest record of a device, by its id.
#[derive(Debug, Clone)]
pub enum LiveFinding {
    Device(Box<OktaDevice>),
    /// Okta has no such record any more.
    Gone(String),
}

impl Store {
    /// Keeps the records that a search of org `org_id` showed, and the one that was then read by its id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the integration is gone or is of another org by now,
    /// [`StoreError::Unavailable`].
    pub async fn keep_live_read(
        &self,
        tenant: &TenantId,
        (id, org_id): (IntegrationId, &str),
        found: Vec<OktaDevice>,
        newest: LiveFinding,
        read_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (owner, org_id) = (tenant.clone(), org_id.to_owned());
        self.in_tenant(tenant, move |connection| {
            // Held, so that it cannot become another org's until the commit.
            let org: String = integration_row(&owner, id)
                .select(integrations::org_id)
                .for_share()
                .first(connection)?;
            if org != org_id {
                return Err(StoreError::NotFound);
            }
            // Held before the devices, as by a sweep: neither then waits for the other in a circle.
            let sync = okta_syncs::table.find((owner.as_str(), id.0)).select(okta_syncs::sweep_id);
            sync.for_update().first::<i64>(connection).optional()?;
            merge(connection, &owner, id, &found, Source::Changes, read_at)?;
            match &newest {
                LiveFinding::Device(device) => {
                    let one = std::slice::from_ref(device.as_ref());
                    merge(connection, &owner, id, one, Source::Id, read_at)
                }
                LiveFinding::Gone(okta_device_id) => {
                    diesel::sql_query(NOTE_GONE)
                        .bind::<Text, _>(owner.as_str())
                        .bind::<SqlUuid, _>(id.0)
                        .bind::<Text, _>(okta_device_id)
                        .bind::<Timestamptz, _>(read_at)
                        .execute(connection)?;
                    Ok(())
                }
            }
        })
        .await
    }
}
