//! Key rotation: every secret sealed anew under the active key, tenant by tenant, while the service
//! runs. A run that is killed goes on where it stopped, because what is left is told by the rows.

use std::collections::BTreeMap;

use crate::model::TenantId;
use crate::store::{Store, StoreError};

/// Secrets that are sealed anew in one transaction.
const BATCH: i64 = 50;

/// Goes round the tenants.
pub struct Rotation {
    store: Store,
}

impl Rotation {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Seals anew what another key than the active one has sealed, and says how many it was.
    /// `progress` is told the tenant and the count so far after each batch.
    ///
    /// # Errors
    /// [`StoreError::Seal`] when a key that still seals something is not in the keyring.
    pub async fn run(
        &self,
        mut progress: impl FnMut(&TenantId, usize),
    ) -> Result<usize, StoreError> {
        let mut resealed = 0;
        for tenant in self.store.list_tenants().await? {
            loop {
                let batch = self.store.reseal_credentials(&tenant, BATCH).await?;
                if batch == 0 {
                    break;
                }
                resealed += batch;
                progress(&tenant, resealed);
            }
        }
        Ok(resealed)
    }

    /// How many secrets each key has sealed: a key that still stands here must stay in the keyring.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_by_key(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut counts = BTreeMap::new();
        for tenant in self.store.list_tenants().await? {
            for (key_id, count) in self.store.count_credentials_by_key(&tenant).await? {
                *counts.entry(key_id).or_default() += count;
            }
        }
        Ok(counts)
    }
}
