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

    /// How many secrets each key has sealed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_by_key(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        self.store.count_secrets_by_key().await
    }

    /// Takes the keys off the list that seal nothing any more; those that are left must stay in the
    /// keyring, and a start without one of them is refused.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_unused_keys(&self) -> Result<Vec<String>, StoreError> {
        self.store.release_unused_keys().await
    }
}
