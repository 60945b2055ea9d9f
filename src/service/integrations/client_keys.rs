//! The key pairs of a service app. The service generates a key pair, the admin adds its public key in
//! Okta, and storing the credentials verifies and activates it. The previous key stays until it is
//! deleted.

use serde_json::json;
use tokio::sync::Semaphore;
use url::Url;

use super::client_key_error::ClientKeyError;
use crate::crypto::ClientKey;
use crate::model::{
    Caller, ClientKeyRecord, ClientKeyState, ClientKeys, EventKind, IntegrationId,
    IntegrationRecord, JwksId, NewEvent, Scope,
};
use crate::service::{Error, Service, append_path};
use crate::store::{NewClientKey, StoreError};

/// Bounds concurrent generations of key pairs in this replica: each occupies a thread of the pool.
static KEY_GENERATION: Semaphore = Semaphore::const_new(1);

/// The path of all public key sets, below the public address of the service.
const JWKS_PATH: &str = "/jwks/okta";

/// The keys of an integration, and the URL of their public key set.
#[derive(Debug)]
pub struct ClientKeyList {
    pub keys: Vec<ClientKeyRecord>,
    /// `None` without a key, and if the operator has not configured the public address.
    pub jwks_url: Option<String>,
}

/// A key whose public key the admin adds in Okta.
#[derive(Debug)]
pub struct PendingKey {
    pub key: ClientKeyRecord,
    pub jwks_url: Option<String>,
    /// False if the key was already pending.
    pub created: bool,
    pub record: IntegrationRecord,
}

impl Service {
    /// Lists the keys of an integration's service app, newest first.
    ///
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn list_client_keys(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<ClientKeyList, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let client_keys = self.load(caller, id).await?.client_keys;
        let jwks_url = jwks_url(self.public_url.as_ref(), &client_keys);
        Ok(ClientKeyList { keys: client_keys.keys, jwks_url })
    }

    /// Generates a key pair. If a key is already pending, returns that one, since the admin may have added
    /// it in Okta already.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `TooManyAttempts`.
    pub async fn create_client_key(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<PendingKey, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let before = self.load(caller, id).await?;
        if let Some(pending) = before.client_keys.in_state(ClientKeyState::Pending) {
            let jwks_url = jwks_url(self.public_url.as_ref(), &before.client_keys);
            let key = pending.clone();
            return Ok(PendingKey { key, jwks_url, created: false, record: before });
        }
        self.attempts.claim(&caller.tenant, id)?;
        let key = generate().await?;
        let kid = key.jwk().kid.clone();
        let new = NewClientKey {
            jwk: key.jwk().clone(),
            private_key: key.private_key().map_err(StoreError::Seal)?,
            event: NewEvent::by(caller, id, EventKind::ClientKeyCreated)
                .with(json!({ "kid": kid })),
        };
        let stored = self.store.create_client_key(&caller.tenant, id, new).await;
        let record = stored.map_err(Error::for_integration(id))?;
        // Of two concurrent requests one key is stored, and both callers get it.
        let pending = record.client_keys.in_state(ClientKeyState::Pending);
        let key = pending.cloned().ok_or(Error::ChangedMeanwhile)?;
        let jwks_url = jwks_url(self.public_url.as_ref(), &record.client_keys);
        Ok(PendingKey { created: key.jwk.kid == kid, key, jwks_url, record })
    }

    /// Deletes a pending or a previous key.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `ClientKey(NotFound | InUse)`.
    pub async fn delete_client_key(
        &self,
        caller: &Caller,
        id: IntegrationId,
        kid: &str,
    ) -> Result<(), Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let record = self.load(caller, id).await?;
        let key = record.client_keys.find(kid).ok_or(ClientKeyError::NotFound)?;
        if key.state == ClientKeyState::Active {
            return Err(ClientKeyError::InUse.into());
        }
        let event = NewEvent::by(caller, id, EventKind::ClientKeyDeleted)
            .with(json!({ "kid": kid, "state": key.state }));
        let deleted = self.store.delete_client_key(&caller.tenant, id, kid.to_owned(), event).await;
        deleted.map_err(Error::for_integration(id))?;
        Ok(())
    }
}

/// Generates a key pair on a blocking thread, since it takes about 100 ms of CPU time.
#[expect(clippy::disallowed_methods, reason = "blocks on the CPU and not on the database")]
async fn generate() -> Result<ClientKey, Error> {
    let _permit = KEY_GENERATION.acquire().await.map_err(|_| StoreError::Panicked)?;
    let generated = tokio::task::spawn_blocking(ClientKey::generate).await;
    Ok(generated.map_err(|_| StoreError::Panicked)?.map_err(StoreError::Seal)?)
}

/// Returns the URL of the public key set; `None` without a key or without a public address.
pub(super) fn jwks_url(base: Option<&Url>, keys: &ClientKeys) -> Option<String> {
    let JwksId(id) = keys.jwks_id?;
    Some(append_path(base?, &format!("{JWKS_PATH}/{id}")))
}
