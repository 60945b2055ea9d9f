//! The public key sets that Okta reads. An unknown address and one without keys get the same answer.

use super::client_key_error::ClientKeyError;
use crate::model::{JwksId, PublicJwk};
use crate::service::{Error, Service};
use crate::store::StoreError;

impl Service {
    /// Returns the public key set at an address. Needs no token: the id is random, and only public keys are
    /// shown.
    ///
    /// # Errors
    /// `ClientKey(NoPublicKeys)` for an unknown address, for one without keys, and if the service has no
    /// public address; `ClientKey(TooManyReads)`.
    pub async fn list_public_keys(&self, jwks: JwksId) -> Result<Vec<PublicJwk>, Error> {
        let _permit = self.public_key_reads.admit(jwks).await?;
        if self.public_url.is_none() {
            return Err(ClientKeyError::NoPublicKeys.into());
        }
        self.store.list_public_keys(jwks).await.map_err(|error| match error {
            StoreError::NotFound => ClientKeyError::NoPublicKeys.into(),
            other => other.into(),
        })
    }
}
