//! Saves the results of live reads in the mirror, so that later queries can use them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::model::{IntegrationId, OktaDevice, Source, TenantId};
use crate::store::mirror::merge::{mark_not_found, merge};
use crate::store::record::integration_row;
use crate::store::schema::integrations;
use crate::store::{Store, StoreError};

/// The result of reading a device's newest record by ID.
#[derive(Debug, Clone)]
pub enum LiveFinding {
    Device(Box<OktaDevice>),
    /// Okta answered 404 for this ID.
    Gone(String),
}

/// The result of a live read.
#[derive(Debug, Clone)]
pub struct LiveSearch {
    pub org_id: String,
    /// The records that a search of the org returned.
    pub found: Vec<OktaDevice>,
    /// The newest record, which was then read by ID.
    pub newest: LiveFinding,
    /// When the read began, by the store's clock.
    pub read_at: DateTime<Utc>,
}

impl Store {
    /// Saves the result of a live read.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the integration was deleted or points at another org by now,
    /// [`StoreError::Unavailable`].
    pub async fn save_live_read(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        search: LiveSearch,
    ) -> Result<(), StoreError> {
        self.in_tenant(tenant, move |tx| {
            // Locked, so that the integration's org cannot change before the commit.
            let row = integration_row(tx.tenant, id).select(integrations::org_id).for_share();
            if row.first::<String>(tx.connection)? != search.org_id {
                return Err(StoreError::NotFound);
            }
            let LiveSearch { found, newest, read_at, .. } = &search;
            merge(tx, id, found, Source::Changes, *read_at)?;
            match newest {
                LiveFinding::Device(device) => {
                    let device = std::slice::from_ref(device.as_ref());
                    merge(tx, id, device, Source::Id, *read_at)?;
                }
                LiveFinding::Gone(okta_device_id) => {
                    mark_not_found(tx, id, okta_device_id, *read_at)?;
                }
            }
            Ok(())
        })
        .await
    }
}
