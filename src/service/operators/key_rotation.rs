//! Key rotation: every secret sealed anew under the active key, tenant by tenant, while the service
//! runs. A run that is killed goes on where it stopped, because what is left is told by the rows.

use std::collections::BTreeMap;

use crate::model::{IntegrationId, TenantId};
use crate::service::Error;
use crate::store::Store;

/// Secrets that are sealed anew in one transaction.
const BATCH: i64 = 50;

/// How a rotation ended.
#[derive(Debug, Default)]
pub struct Rotated {
    pub resealed: usize,
    /// Integrations with a secret that does not open with the keys of the keyring.
    pub undecryptable: Vec<IntegrationId>,
}

/// Goes round the tenants.
pub struct Rotation {
    store: Store,
}

impl Rotation {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Seals anew what another key than the active one has sealed. `progress` is told the tenant and
    /// the count so far after each batch. A secret that does not open is passed over, so that one
    /// damaged row does not stop all others, and named in the outcome.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn run(&self, mut progress: impl FnMut(&TenantId, usize)) -> Result<Rotated, Error> {
        let mut rotated = Rotated::default();
        for tenant in self.store.list_tenants().await? {
            let mut skipped = Vec::new();
            loop {
                let batch = self.store.reseal_secrets(&tenant, BATCH, skipped.clone()).await?;
                if batch.done == 0 && batch.undecryptable.is_empty() {
                    break;
                }
                rotated.resealed += batch.done;
                skipped.extend(batch.undecryptable);
                progress(&tenant, rotated.resealed);
            }
            rotated.undecryptable.extend(skipped);
        }
        Ok(rotated)
    }

    /// How many secrets each key has sealed.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn count_by_key(&self) -> Result<BTreeMap<String, i64>, Error> {
        Ok(self.store.count_secrets_by_key().await?)
    }

    /// Takes the keys off the list that seal nothing any more; those that are left must stay in the
    /// keyring, and a start without one of them is refused.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn release_unused_keys(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.release_unused_keys().await?)
    }
}
