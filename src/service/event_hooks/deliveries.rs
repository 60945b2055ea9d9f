//! What Okta tells through an event hook: that an address is ours, and which devices to read again.
//! Okta waits three seconds for the answer, so nothing is asked of it here; and whoever calls has no
//! token, so nothing that he sends is read before his secret was found right.

use std::time::Instant;

use secrecy::SecretString;
use tokio::sync::OwnedSemaphorePermit;

use super::calls::HookCalls;
use super::error::EventHookError;
use crate::crypto::HookSecretDigest;
use crate::model::{HookId, HookOwner};
use crate::okta::find_mentions;
use crate::service::{Error, Service};
use crate::store::{HookCall, StoreError};

/// The longest challenge that is echoed, in bytes.
const LONGEST_CHALLENGE: usize = 256;
/// Devices of one delivery that are written down: one more than wait before a sweep takes their place.
const MOST_MENTIONS: usize = 501;

/// A delivery owner secret was right, and owner body may be read now, within `DELIVERY_TIMEOUT`.
pub struct Admitted {
    call: HookCall,
    /// Held until the delivery is handled: it bounds the memory that deliveries take.
    _body_permit: OwnedSemaphorePermit,
}

impl Service {
    /// Answers Okta's verification of a hook's address: the challenge is to be echoed. Okta sends the
    /// secret along; it need not, but a wrong one is refused here and not only when events come.
    ///
    /// # Errors
    /// `EventHook`, as `CallRefused` for an unknown hook and for a wrong secret alike, `TooManyCalls`,
    /// `ChallengeMalformed` or `TooManyVerifications`.
    pub async fn verify_event_hook(
        &self,
        hook: Option<HookId>,
        secret: Option<SecretString>,
        challenge: Option<String>,
    ) -> Result<String, Error> {
        let hook = hook.ok_or(EventHookError::CallRefused)?;
        let call = HookCall { hook, secret: secret.as_ref().map(HookSecretDigest::new) };
        let permit = HookCalls::wait_for_turn(&self.hook_calls.secret_checks).await?;
        self.store.check_hook_call(call.clone()).await.map_err(refused)?;
        drop(permit);
        let challenge = challenge.filter(|text| may_be_echoed(text));
        let challenge = challenge.ok_or(EventHookError::ChallengeMalformed)?;
        self.hook_calls
            .count_verification(hook, Instant::now())
            .map_err(|retry_after| EventHookError::TooManyVerifications { retry_after })?;
        self.store.record_hook_verification(call).await.map_err(refused)?;
        Ok(challenge)
    }

    /// Checks the secret of a delivery before its body is read, and reserves the memory for the body.
    ///
    /// # Errors
    /// `EventHook`, as `CallRefused` for an unknown hook and for a wrong secret alike, or `TooManyCalls`.
    pub async fn admit_event_hook(
        &self,
        hook: Option<HookId>,
        secret: &SecretString,
    ) -> Result<Admitted, Error> {
        let hook = hook.ok_or(EventHookError::CallRefused)?;
        let digest = HookSecretDigest::new(secret);
        let call = HookCall { hook, secret: Some(digest.clone()) };
        let admitted = (hook, digest);
        if !self.hook_calls.admitted.contains_key(&admitted) {
            let _permit = HookCalls::wait_for_turn(&self.hook_calls.secret_checks).await?;
            self.store.check_hook_call(call.clone()).await.map_err(refused)?;
            self.hook_calls.admitted.insert(admitted, ());
        }
        let body_permit = self.hook_calls.wait_for_body().await?;
        Ok(Admitted { call, _body_permit: body_permit })
    }

    /// Handles a delivery: the devices that it names are read again soon.
    ///
    /// A delivery that comes twice, or late, asks for the same devices once more, and that is all it
    /// can do. A body that cannot be read is an error although Okta will send it again once: its
    /// System Log then shows the admin that something does not fit, where a silent success would not.
    ///
    /// # Errors
    /// `EventHook`, as `DeliveryMalformed`, `TooManyCalls`, or `CallRefused` when the secret was
    /// replaced since the call was admitted.
    pub async fn receive_event_hook(
        &self,
        admitted: Admitted,
        body: impl AsRef<[u8]>,
    ) -> Result<(), Error> {
        let mentions = find_mentions(body.as_ref());
        // Not kept in memory while this waits for its turn to write.
        drop(body);
        let mut mentions = mentions.map_err(|_| EventHookError::DeliveryMalformed)?;
        mentions.truncate(MOST_MENTIONS);
        let nothing_to_read = mentions.is_empty();
        let permit = HookCalls::wait_for_turn(&self.hook_calls.writes).await?;
        let stored = self.store.create_hook_rereads(admitted.call.clone(), mentions).await;
        let owner = stored.map_err(refused)?;
        drop(permit);
        if !nothing_to_read {
            self.request_rereads(owner).await?;
        }
        Ok(())
    }

    /// Asks for what waits, once for all deliveries that were written before the asking begins. A
    /// task of its own: a caller that hangs up must not leave the others to wait for him.
    async fn request_rereads(&self, owner: HookOwner) -> Result<(), Error> {
        if !self.hook_calls.claim_request(&owner) {
            return Ok(());
        }
        let service = self.clone();
        let asking = tokio::spawn(async move {
            let _permit = service.hook_calls.writes.acquire().await;
            service.hook_calls.release_request(&owner);
            let HookOwner { tenant, integration } = &owner;
            let asked = service.store.request_hook_rereads(tenant, *integration).await;
            service.work.notify_one();
            asked
        });
        Ok(asking.await.unwrap_or(Err(StoreError::Panicked))?)
    }
}

fn refused(error: StoreError) -> Error {
    match error {
        StoreError::NotFound => EventHookError::CallRefused.into(),
        other => Error::from(other),
    }
}

fn may_be_echoed(challenge: &str) -> bool {
    (1..=LONGEST_CHALLENGE).contains(&challenge.len())
        && challenge.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_visible_ascii_and_not_too_long() {
        for good in ["x", "Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg", &"~".repeat(256)] {
            assert!(may_be_echoed(good), "{good}");
        }
        for bad in ["", "a b", "a\tb", "\u{e9}", "\u{7f}", &"x".repeat(257)] {
            assert!(!may_be_echoed(bad), "{bad:?}");
        }
    }
}
