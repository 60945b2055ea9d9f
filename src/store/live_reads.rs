//! What a live read showed, kept for everybody who asks after its caller.

use diesel::prelude::*;
use diesel::sql_types::{Text, Uuid as SqlUuid};

use super::mirror::{Source, merge};
use super::rereads::NOTE_GONE;
use super::{Store, StoreError};
use crate::model::{IntegrationId, OktaDevice, TenantId};

/// What Okta said of the newest record of a device, by its id.
#[derive(Debug, Clone)]
pub enum LiveFinding {
    Device(Box<OktaDevice>),
    /// Okta has no such record any more.
    Gone(String),
}

impl Store {
    /// Keeps the records that a search showed, and the one that was then read by its id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the integration is gone, [`StoreError::Unavailable`].
    pub async fn keep_live_read(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        found: Vec<OktaDevice>,
        newest: LiveFinding,
    ) -> Result<(), StoreError> {
        let owner = tenant.clone();
        self.in_tenant(tenant, move |connection| {
            merge(connection, &owner, id, &found, Source::Changes)
                .map_err(StoreError::gone_with_its_integration)?;
            match &newest {
                LiveFinding::Device(device) => {
                    let one = std::slice::from_ref(device.as_ref());
                    merge(connection, &owner, id, one, Source::Id)
                        .map_err(StoreError::gone_with_its_integration)
                }
                LiveFinding::Gone(okta_device_id) => {
                    diesel::sql_query(NOTE_GONE)
                        .bind::<Text, _>(owner.as_str())
                        .bind::<SqlUuid, _>(id.0)
                        .bind::<Text, _>(okta_device_id)
                        .execute(connection)?;
                    Ok(())
                }
            }
        })
        .await
    }
}
