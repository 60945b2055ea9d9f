//! The event hook of an integration, as its tenant manages it: an address and a secret that the
//! admin enters in Okta. The secret is shown once, when it is made.

mod calls;
mod deliveries;
mod error;

pub use calls::CALL_TIMEOUT as DELIVERY_TIMEOUT;
pub(in crate::service) use calls::HookCalls;
pub use deliveries::Admitted;
pub use error::EventHookError;

use secrecy::SecretString;
use url::Url;

use crate::crypto::{HookSecretDigest, new_hook_secret};
use crate::model::{Caller, EventHook, EventKind, HookId, IntegrationId, NewEvent, Scope};
use crate::service::{Error, Service};
use crate::store::StoreError;

/// Where Okta reaches hooks, below the public address of the service.
const HOOKS: &str = "/hooks/okta";

/// A hook with its address.
#[derive(Debug, Clone)]
pub struct EventHookAtAddress {
    pub hook: EventHook,
    /// Below the address that Okta reaches the service at.
    pub path: String,
    /// The whole address, where the operator has said what it begins with.
    pub url: Option<String>,
}

/// A hook with the secret that was made for it, which nobody gets to see again.
#[derive(Debug, Clone)]
pub struct IssuedEventHook {
    pub at: EventHookAtAddress,
    pub secret: SecretString,
    /// False when the secret replaced another one.
    pub created: bool,
}

impl Service {
    /// The hook of an integration.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `EventHook`.
    pub async fn get_event_hook(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<EventHookAtAddress, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let hook = self.store.find_event_hook(&caller.tenant, id).await;
        let hook = hook.map_err(Error::of_integration(id))?.ok_or(EventHookError::NotFound(id))?;
        Ok(self.at_address(hook))
    }

    /// Sets up the hook, or gives it a new secret; the one before is valid for 24 hours more.
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
        let stored = stored.map_err(Error::of_integration(id))?;
        Ok(IssuedEventHook { at: self.at_address(stored.hook), secret, created: stored.created })
    }

    /// Deletes the hook; its address is nobody's from now on.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `EventHook`.
    pub async fn delete_event_hook(&self, caller: &Caller, id: IntegrationId) -> Result<(), Error> {
        self.require(caller, Scope::OdtWrite).await?;
        self.load(caller, id).await?;
        let event = NewEvent::by(caller, id, EventKind::EventHookDeleted);
        let deleted = self.store.delete_event_hook(&caller.tenant, id, event).await;
        deleted.map_err(|error| match error {
            StoreError::NotFound => EventHookError::NotFound(id).into(),
            other => Error::from(other),
        })
    }

    fn at_address(&self, hook: EventHook) -> EventHookAtAddress {
        let path = path_of(hook.id);
        let url = self.public_url.as_ref().map(|base| below(base, &path));
        EventHookAtAddress { hook, path, url }
    }
}

fn path_of(hook: HookId) -> String {
    format!("{HOOKS}/{hook}")
}

fn below(base: &Url, path: &str) -> String {
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}

/// The store fills in which hook and which version it was.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_below_the_public_one_with_and_without_a_path() {
        for (base, whole) in [
            ("https://trust.example.com", "https://trust.example.com/hooks/okta/x"),
            ("https://trust.example.com/", "https://trust.example.com/hooks/okta/x"),
            ("https://example.com/trust/", "https://example.com/trust/hooks/okta/x"),
        ] {
            assert_eq!(below(&base.parse().unwrap(), "/hooks/okta/x"), whole);
        }
    }
}
