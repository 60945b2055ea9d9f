//! The event hook of an integration: a URL and a secret that the admin enters in Okta. The secret is
//! shown once, when it is generated.

mod calls;
mod deliveries;
mod error;

pub(in crate::service) use calls::HookCalls;
pub use deliveries::{AdmittedDelivery, within_hook_deadline};
pub use error::EventHookError;

use secrecy::SecretString;

use crate::crypto::{HookSecretDigest, new_hook_secret};
use crate::model::{Caller, EventHook, EventKind, HookId, IntegrationId, NewEvent, Scope};
use crate::service::{Error, Service, append_path};
use crate::store::StoreError;

/// The path of all hooks, below the public address of the service.
const HOOKS_PATH: &str = "/hooks/okta";

/// An event hook with its URL.
#[derive(Debug, Clone)]
pub struct EventHookAddress {
    pub hook: EventHook,
    /// Below the public address of the service.
    pub path: String,
    /// The full URL; `None` if the operator has not configured the public address.
    pub url: Option<String>,
}

/// An event hook with its new secret, which is not shown again.
#[derive(Debug, Clone)]
pub struct IssuedEventHook {
    pub address: EventHookAddress,
    pub secret: SecretString,
    /// False if the secret replaced an earlier one.
    pub created: bool,
}

impl Service {
    /// Returns the event hook of an integration.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `EventHook`.
    pub async fn get_event_hook(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<EventHookAddress, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let hook = self.store.find_event_hook(&caller.tenant, id).await;
        let hook = hook.map_err(Error::for_integration(id))?.ok_or(EventHookError::NotFound(id))?;
        Ok(self.with_address(hook))
    }

    /// Creates the event hook, or rotates its secret. Previous secrets stay valid for 24 hours.
    ///
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn update_event_hook(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<IssuedEventHook, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let secret = new_hook_secret().map_err(StoreError::Seal)?;
        let event = NewEvent::by(caller, id, EventKind::EventHookStored);
        let digest = HookSecretDigest::new(&secret);
        let stored = self.store.update_event_hook(&caller.tenant, id, digest, event).await;
        let stored = stored.map_err(Error::for_integration(id))?;
        let address = self.with_address(stored.hook);
        Ok(IssuedEventHook { address, secret, created: stored.created })
    }

    /// Revokes the previous secrets, which are still accepted after a rotation.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `EventHook`.
    pub async fn revoke_previous_hook_secrets(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<(), Error> {
        self.require(caller, Scope::OdtWrite).await?;
        self.load(caller, id).await?;
        let event = NewEvent::by(caller, id, EventKind::EventHookSecretRevoked);
        let revoked = self.store.revoke_previous_hook_secrets(&caller.tenant, id, event).await;
        revoked.map_err(hook_not_found(id))
    }

    /// Deletes the event hook. Calls to its URL are 404 from now on.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `EventHook`.
    pub async fn delete_event_hook(&self, caller: &Caller, id: IntegrationId) -> Result<(), Error> {
        self.require(caller, Scope::OdtWrite).await?;
        self.load(caller, id).await?;
        let event = NewEvent::by(caller, id, EventKind::EventHookDeleted);
        let deleted = self.store.delete_event_hook(&caller.tenant, id, event).await;
        deleted.map_err(hook_not_found(id))
    }

    fn with_address(&self, hook: EventHook) -> EventHookAddress {
        let path = hook_path(hook.id);
        let url = self.public_url.as_ref().map(|base| append_path(base, &path));
        EventHookAddress { hook, path, url }
    }
}

fn hook_not_found(id: IntegrationId) -> impl Fn(StoreError) -> Error {
    move |error| match error {
        StoreError::NotFound => EventHookError::NotFound(id).into(),
        other => Error::from(other),
    }
}

fn hook_path(hook: HookId) -> String {
    format!("{HOOKS_PATH}/{hook}")
}
