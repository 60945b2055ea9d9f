//! The public key sets that Okta reads. An unknown address looks like one without keys.

use super::client_key_error::ClientKeyError;
use crate::model::{JwksId, PublicJwk};
use crate::service::{Error, Service};
use crate::store::StoreError;

impl Service {
    /// The public key set at an address. No token is asked: the address is the random id alone, and public
    /// keys are all that it shows.
    ///
    /// # Errors
    /// `ClientKey(NoPublicKeys)` for an unknown address, for one without keys and without a public address of the
    /// service alike; `ClientKey(TooManyReads)`.
    pub async fn list_public_keys(&self, jwks: JwksId) -> Result<Vec<PublicJwk>, Error> {
        let _turn = self.public_key_reads.admit(jwks).await?;
        if self.public_url.is_none() {
            return Err(ClientKeyError::NoPublicKeys.into());
        }
        self.store.list_public_keys(jwks).await.map_err(|error| match error {
            StoreError::NotFound => ClientKeyError::NoPublicKeys.into(),
            other => other.into(),
        })
    }
}
