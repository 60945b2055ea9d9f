//! What Okta tells through an event hook: that an address is ours, and which devices to read again.
//! Okta waits three seconds for the answer, so nothing is asked of it here; and whoever calls has no
//! token, so nothing that he sends is read before his secret was found right.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use secrecy::SecretString;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::crypto::HookSecretDigest;
use crate::model::{HookId, IntegrationId, TenantId};
use crate::okta::find_mentions;
use crate::service::event_hooks::EventHookError;
use crate::service::{Error, Service};
use crate::store::{HookCall, StoreError};

/// Verifications of one hook that are answered within [`MINUTE`], by each replica (contract §7).
const VERIFICATIONS: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// The longest challenge that is echoed, in bytes.
const LONGEST_CHALLENGE: usize = 256;
/// Deliveries of this replica that are written at the same time. Few, so that a flood of them leaves
/// connections of the pool to everybody else; the others wait, and cost no more than their body.
const HANDS: usize = 2;
/// Bodies of this replica that are read at the same time, and so the most memory that deliveries take:
/// 64 of 256 KiB.
const SEATS: usize = 64;
/// Secrets that are looked up at the same time: anybody can make us do that.
const DOORS: usize = 2;
/// How long a call may wait for its turn, and how long its body may take. Okta gives up after 3 s.
const PATIENCE: Duration = Duration::from_secs(3);
/// Devices of one delivery that are written down: one more than wait before a sweep takes their place.
const MOST_MENTIONS: usize = 501;
/// A caller whose secret was right so recently may send the next body at once. The secret is looked
/// at again when the body is written down, so a caller that was shut out gets no further than this.
const ADMITTED_FOR: Duration = Duration::from_secs(5);
const REMEMBERED: u64 = 10_000;

/// What this replica remembers of calls, all of it bounded and none of it needed.
pub(in crate::service) struct HookCalls {
    admitted: Cache<(HookId, HookSecretDigest), ()>,
    verifications: Cache<HookId, Arc<Mutex<VecDeque<Instant>>>>,
    hands: Semaphore,
    seats: Semaphore,
    doors: Semaphore,
    /// For which integrations somebody is about to ask for the devices to be read.
    about_to_ask: Mutex<HashSet<(TenantId, IntegrationId)>>,
}

impl Default for HookCalls {
    fn default() -> Self {
        let admitted = Cache::builder().max_capacity(REMEMBERED).time_to_live(ADMITTED_FOR);
        let verifications = Cache::builder().max_capacity(REMEMBERED).time_to_idle(MINUTE);
        Self {
            admitted: admitted.build(),
            verifications: verifications.build(),
            hands: Semaphore::new(HANDS),
            seats: Semaphore::new(SEATS),
            doors: Semaphore::new(DOORS),
            about_to_ask: Mutex::default(),
        }
    }
}

impl HookCalls {
    /// Counts a verification, unless there were too many: then how long to wait.
    fn count_verification(&self, hook: HookId, now: Instant) -> Result<(), Duration> {
        let times = self.verifications.get_with(hook, Arc::default);
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        while times.front().is_some_and(|first| now.duration_since(*first) >= MINUTE) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= VERIFICATIONS => {
                Err(MINUTE.saturating_sub(now.duration_since(*first)))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `TooManyCalls` when that takes too long: a flood of calls must not take the database from others.
    async fn turn(of: &Semaphore) -> Result<SemaphorePermit<'_>, Error> {
        let too_many = EventHookError::TooManyCalls { retry_after: PATIENCE };
        match tokio::time::timeout(PATIENCE, of.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(too_many.into()),
        }
    }

    /// True for the one who is to ask; everybody else's devices are asked for by him.
    fn is_to_ask(&self, whose: &(TenantId, IntegrationId)) -> bool {
        self.about_to_ask.lock().unwrap_or_else(PoisonError::into_inner).insert(whose.clone())
    }

    fn asks_now(&self, whose: &(TenantId, IntegrationId)) {
        self.about_to_ask.lock().unwrap_or_else(PoisonError::into_inner).remove(whose);
    }
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
        hook: HookId,
        secret: Option<SecretString>,
        challenge: Option<String>,
    ) -> Result<String, Error> {
        let call = HookCall { hook, secret: secret.as_ref().map(HookSecretDigest::of) };
        let door = HookCalls::turn(&self.hook_calls.doors).await?;
        self.store.check_hook_call(call.clone()).await.map_err(refused)?;
        drop(door);
        let challenge = challenge.filter(|text| may_be_echoed(text));
        let challenge = challenge.ok_or(EventHookError::ChallengeMalformed)?;
        self.hook_calls
            .count_verification(hook, Instant::now())
            .map_err(|retry_after| EventHookError::TooManyVerifications { retry_after })?;
        self.store.note_hook_verification(call).await.map_err(refused)?;
        Ok(challenge)
    }

    /// Takes a delivery: the devices that it names are read again soon. `body` is awaited only when
    /// the secret is right.
    ///
    /// A delivery that comes twice, or late, asks for the same devices once more, and that is all it
    /// can do. A body that cannot be read is an error although Okta will send it again once: its
    /// System Log then shows the admin that something does not fit, where a silent success would not.
    ///
    /// # Errors
    /// `EventHook`, as `CallRefused` for an unknown hook and for a wrong secret alike, `TooManyCalls`,
    /// `DeliveryMalformed`, and what `body` says.
    pub async fn receive_event_hook<E, B>(
        &self,
        hook: HookId,
        secret: &SecretString,
        body: impl Future<Output = Result<B, E>>,
    ) -> Result<(), E>
    where
        E: From<Error>,
        B: AsRef<[u8]>,
    {
        let digest = HookSecretDigest::of(secret);
        let call = HookCall { hook, secret: Some(digest.clone()) };
        let admitted = (hook, digest);
        if !self.hook_calls.admitted.contains_key(&admitted) {
            let _door = HookCalls::turn(&self.hook_calls.doors).await?;
            self.store.check_hook_call(call.clone()).await.map_err(refused)?;
            self.hook_calls.admitted.insert(admitted, ());
        }
        let _seat = HookCalls::turn(&self.hook_calls.seats).await?;
        let too_slow = |_| E::from(EventHookError::DeliveryMalformed.into());
        let body = tokio::time::timeout(PATIENCE, body).await.map_err(too_slow)??;
        let mentions = find_mentions(body.as_ref());
        drop(body);
        let mut mentions = mentions.map_err(|_| Error::from(EventHookError::DeliveryMalformed))?;
        mentions.truncate(MOST_MENTIONS);
        let nothing_to_read = mentions.is_empty();
        let hand = HookCalls::turn(&self.hook_calls.hands).await?;
        let whose = self.store.create_hook_rereads(call, mentions).await.map_err(refused)?;
        drop(hand);
        if !nothing_to_read {
            self.request_rereads(whose).await?;
        }
        Ok(())
    }

    /// Asks for what waits, once for all deliveries that were written before the asking begins. A
    /// task of its own: a caller that hangs up must not leave the others to wait for him.
    async fn request_rereads(&self, whose: (TenantId, IntegrationId)) -> Result<(), Error> {
        if !self.hook_calls.is_to_ask(&whose) {
            return Ok(());
        }
        let service = self.clone();
        let asking = tokio::spawn(async move {
            let _hand = service.hook_calls.hands.acquire().await;
            service.hook_calls.asks_now(&whose);
            let (tenant, id) = &whose;
            let asked = service.store.request_hook_rereads(tenant, *id).await;
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
    fn ten_verifications_in_any_minute_are_counted_and_each_hook_has_its_own() {
        let calls = HookCalls::default();
        let (hook, start) = (HookId::random(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for n in 0..10 {
            assert_eq!(calls.count_verification(hook, at(n)), Ok(()));
        }
        assert_eq!(calls.count_verification(hook, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(calls.count_verification(HookId::random(), at(20)), Ok(()));
        // The first has had its minute, the second not.
        assert_eq!(calls.count_verification(hook, at(60)), Ok(()));
        assert_eq!(calls.count_verification(hook, at(60)), Err(Duration::from_secs(1)));
    }

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
