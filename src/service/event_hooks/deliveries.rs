//! Calls from Okta to an event hook: the verification of its URL, and deliveries of events, which name
//! devices to re-read. Okta waits three seconds for the answer, so Okta is not called here. The caller
//! has no token, so its body is read only after its secret was verified.

use std::time::Instant;

use secrecy::SecretString;
use tokio::sync::OwnedSemaphorePermit;

use super::calls::CALL_TIMEOUT;
use super::error::EventHookError;
use crate::crypto::HookSecretDigest;
use crate::model::{HookId, HookOwner};
use crate::okta::find_mentions;
use crate::service::{Error, Service};
use crate::store::{HookCall, StoreError};

/// The longest challenge that is echoed, in bytes.
const MAX_CHALLENGE_LEN: usize = 256;
/// Devices of one delivery that are stored: one more than may be pending before a sweep is due instead.
const MAX_MENTIONS: usize = 501;

/// A delivery with a verified secret, whose body may be read.
pub struct AdmittedDelivery {
    call: HookCall,
    /// Held until the delivery is handled, to bound the memory of bodies.
    _body_permit: OwnedSemaphorePermit,
}

/// Runs a call of an event hook with a deadline before Okta's own timeout, whether it waits for a permit,
/// its body or the database. Okta retries a delivery after a 503, and never after a 4xx.
///
/// # Errors
/// `EventHook`, as `Overloaded`, or those of the call.
pub async fn within_hook_deadline<T, E: From<Error>>(
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let call = tokio::time::timeout(CALL_TIMEOUT, call).await;
    call.unwrap_or_else(|_| Err(Error::from(EventHookError::Overloaded).into()))
}

impl Service {
    /// Handles Okta's verification of a hook's URL and returns the challenge to echo. Okta sends the secret
    /// with it. Without it, anyone who knows the URL could use up the verifications.
    ///
    /// # Errors
    /// `EventHook`, as `CallRefused` for an unknown hook and for a wrong secret alike,
    /// `ChallengeMalformed` or `TooManyVerifications`.
    pub async fn verify_event_hook(
        &self,
        hook: Option<HookId>,
        secret: &SecretString,
        challenge: Option<String>,
    ) -> Result<String, Error> {
        let hook = hook.ok_or(EventHookError::CallRefused)?;
        let call = HookCall { hook, secret: HookSecretDigest::new(secret) };
        let permit = self.hook_calls.secret_checks.acquire().await;
        self.store.check_hook_call(call.clone()).await.map_err(refused)?;
        drop(permit);
        let challenge = challenge.filter(|text| is_valid_challenge(text));
        let challenge = challenge.ok_or(EventHookError::ChallengeMalformed)?;
        self.hook_calls
            .count_verification(hook, Instant::now())
            .map_err(|retry_after| EventHookError::TooManyVerifications { retry_after })?;
        self.store.record_hook_verification(call).await.map_err(refused)?;
        Ok(challenge)
    }

    /// Verifies the secret of a delivery before its body is read, and reserves memory for the body.
    ///
    /// # Errors
    /// `EventHook`, as `CallRefused` for an unknown hook and for a wrong secret alike.
    pub async fn admit_event_hook(
        &self,
        hook: Option<HookId>,
        secret: &SecretString,
    ) -> Result<AdmittedDelivery, Error> {
        let hook = hook.ok_or(EventHookError::CallRefused)?;
        let digest = HookSecretDigest::new(secret);
        let call = HookCall { hook, secret: digest.clone() };
        let admitted = (hook, digest);
        if !self.hook_calls.admitted.contains_key(&admitted) {
            let _permit = self.hook_calls.secret_checks.acquire().await;
            self.store.check_hook_call(call.clone()).await.map_err(refused)?;
            self.hook_calls.admitted.insert(admitted, ());
        }
        let body_permit = self.hook_calls.wait_for_body_permit().await;
        let body_permit = body_permit.ok_or(EventHookError::Overloaded)?;
        Ok(AdmittedDelivery { call, _body_permit: body_permit })
    }

    /// Handles a delivery: schedules re-reads of the devices that its events name.
    ///
    /// A repeated or late delivery only causes another re-read. A malformed body is an error, so that the
    /// failure shows in Okta's System Log, where the admin can see it.
    ///
    /// # Errors
    /// `EventHook`, as `DeliveryMalformed`, or as `CallRefused` if the secret was replaced since the call was
    /// admitted.
    pub async fn receive_event_hook(
        &self,
        admitted: AdmittedDelivery,
        body: impl AsRef<[u8]>,
    ) -> Result<(), Error> {
        let mentions = find_mentions(body.as_ref());
        // Freed before the wait for a write permit.
        drop(body);
        let mut mentions = mentions.map_err(|_| EventHookError::DeliveryMalformed)?;
        mentions.truncate(MAX_MENTIONS);
        let nothing_to_read = mentions.is_empty();
        let permit = self.hook_calls.writes.acquire().await;
        let stored = self.store.create_hook_rereads(admitted.call.clone(), mentions).await;
        let owner = stored.map_err(refused)?;
        drop(permit);
        if !nothing_to_read {
            self.request_rereads(owner).await?;
        }
        Ok(())
    }

    /// Requests the pending re-reads of an integration, once for all deliveries written before the
    /// request starts. It runs in its own task: if this caller disconnects, the deliveries of others that
    /// rely on the request must not be lost.
    async fn request_rereads(&self, owner: HookOwner) -> Result<(), Error> {
        if !self.hook_calls.claim_request(&owner) {
            return Ok(());
        }
        let service = self.clone();
        let request = tokio::spawn(async move {
            let _permit = service.hook_calls.writes.acquire().await;
            service.hook_calls.release_request(&owner);
            let HookOwner { tenant, integration } = &owner;
            let requested = service.store.request_hook_rereads(tenant, *integration).await;
            service.job_enqueued.notify_one();
            requested
        });
        Ok(request.await.unwrap_or(Err(StoreError::Panicked))?)
    }
}

fn refused(error: StoreError) -> Error {
    match error {
        StoreError::NotFound => EventHookError::CallRefused.into(),
        other => Error::from(other),
    }
}

fn is_valid_challenge(challenge: &str) -> bool {
    (1..=MAX_CHALLENGE_LEN).contains(&challenge.len())
        && challenge.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_up_to_256_visible_ascii_characters() {
        for good in ["x", "Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg", &"~".repeat(256)] {
            assert!(is_valid_challenge(good), "{good}");
        }
        for bad in ["", "a b", "a\tb", "\u{e9}", "\u{7f}", &"x".repeat(257)] {
            assert!(!is_valid_challenge(bad), "{bad:?}");
        }
    }
}
