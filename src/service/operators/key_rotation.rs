//! Key rotation: re-encrypts every stored secret with the active key, tenant by tenant, while the
//! service runs. It can be interrupted: each row names its key, so the next run continues with the
//! rest.

use std::collections::BTreeMap;

use crate::model::{IntegrationId, TenantId};
use crate::service::Error;
use crate::store::Store;

/// Secrets re-encrypted in one transaction.
const BATCH_SIZE: i64 = 50;

/// The result of a key rotation.
#[derive(Debug, Default)]
pub struct KeyRotationOutcome {
    pub resealed: usize,
    /// Integrations with a secret that no key of the keyring decrypts.
    pub undecryptable: Vec<IntegrationId>,
}

/// Re-encrypts the secrets of all tenants.
pub struct KeyRotation {
    store: Store,
}

impl KeyRotation {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Re-encrypts all secrets that are sealed with a key other than the active one. Calls `progress`
    /// with the tenant and the count so far after each batch. A secret that cannot be decrypted is
    /// skipped, so that one damaged row does not stop the others, and named in the outcome.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn run(
        &self,
        mut progress: impl FnMut(&TenantId, usize),
    ) -> Result<KeyRotationOutcome, Error> {
        let mut outcome = KeyRotationOutcome::default();
        for tenant in self.store.list_tenants().await? {
            let mut skipped = Vec::new();
            loop {
                let batch = self.store.reseal_secrets(&tenant, BATCH_SIZE, skipped.clone()).await?;
                if batch.done == 0 && batch.undecryptable.is_empty() {
                    break;
                }
                outcome.resealed += batch.done;
                skipped.extend(batch.undecryptable);
                progress(&tenant, outcome.resealed);
            }
            outcome.undecryptable.extend(skipped);
        }
        Ok(outcome)
    }

    /// Counts the stored secrets by the id of their key.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn count_by_key(&self) -> Result<BTreeMap<String, i64>, Error> {
        Ok(self.store.count_secrets_by_key().await?)
    }

    /// Removes keys that no secret is sealed with from the list of required keys. Returns the remaining
    /// ones, which must stay in the keyring: the service does not start without them.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn release_unused_keys(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.release_unused_keys().await?)
    }
}
