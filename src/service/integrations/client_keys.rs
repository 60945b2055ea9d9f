//! The key pairs of a service app: made here, entered in Okta by the admin, activated by the credentials
//! that are proved with them, and kept beside their successor until they are deleted.

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

/// Key pairs that this replica makes at the same time: each takes a thread that others may need.
static KEY_GENERATION: Semaphore = Semaphore::const_new(1);

/// The path below which public key sets are.
const JWKS: &str = "/jwks/okta";

/// The keys of an integration, and where Okta may read their public halves.
#[derive(Debug)]
pub struct KeysAtAddress {
    pub keys: Vec<ClientKeyRecord>,
    /// There once a key was made and the service knows its public address.
    pub jwks_url: Option<String>,
}

/// A key to be entered in Okta.
#[derive(Debug)]
pub struct PendingKey {
    pub key: ClientKeyRecord,
    pub jwks_url: Option<String>,
    /// False when the key was pending already.
    pub created: bool,
    pub record: IntegrationRecord,
}

impl Service {
    /// The keys of an integration's service app, newest first.
    ///
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn list_client_keys(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<KeysAtAddress, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let client_keys = self.load(caller, id).await?.client_keys;
        let jwks_url = jwks_url(self.public_url.as_ref(), &client_keys);
        Ok(KeysAtAddress { keys: client_keys.keys, jwks_url })
    }

    /// Makes a key pair, to be entered in Okta and then proved by entering the credentials. A key that is
    /// pending already is answered again: the admin may have entered it.
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
        // Of two that are made at once one stays, and both callers get that one.
        let pending = record.client_keys.in_state(ClientKeyState::Pending);
        let key = pending.cloned().ok_or(Error::ChangedMeanwhile)?;
        let jwks_url = jwks_url(self.public_url.as_ref(), &record.client_keys);
        Ok(PendingKey { created: key.jwk.kid == kid, key, jwks_url, record })
    }

    /// Deletes a pending key, or the previous one after Okta has the new one alone.
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

/// Makes a key pair on a thread of its own: it takes some 100 ms of CPU time.
#[expect(clippy::disallowed_methods, reason = "blocks on the CPU and not on the database")]
async fn generate() -> Result<ClientKey, Error> {
    let _turn = KEY_GENERATION.acquire().await.map_err(|_| StoreError::Panicked)?;
    let made = tokio::task::spawn_blocking(ClientKey::generate).await;
    Ok(made.map_err(|_| StoreError::Panicked)?.map_err(StoreError::Seal)?)
}

/// Where Okta may read the public key set; `None` without a key or without a public address.
pub(super) fn jwks_url(base: Option<&Url>, keys: &ClientKeys) -> Option<String> {
    let JwksId(id) = keys.jwks_id?;
    Some(append_path(base?, &format!("{JWKS}/{id}")))
}
