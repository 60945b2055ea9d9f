//! A bounded in-memory cache of tokens with at most one request in flight per key. The caller supplies the
//! request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::Mutex;

use super::{AccessToken, OktaError, TokenKey};
use crate::model::{IntegrationId, TenantId};

/// Unused entries are removed after this. Their tokens have expired by then.
const IDLE_TIMEOUT: Duration = Duration::from_hours(2);

/// A token is not used shortly before it expires, because the request takes time.
const MIN_REMAINING: Duration = Duration::from_secs(30);

pub(super) struct TokenCache {
    slots: Cache<TokenKey, Arc<Mutex<Slot>>>,
    early_refresh: Duration,
}

/// The token of one key. The lock is held during a request, so that other callers wait for its result.
#[derive(Default)]
struct Slot {
    token: Option<AccessToken>,
    last_failure: Option<(Instant, OktaError)>,
}

impl TokenCache {
    pub(super) fn new(capacity: u64, early_refresh: Duration) -> Self {
        let slots = Cache::builder().max_capacity(capacity).time_to_idle(IDLE_TIMEOUT).build();
        Self { slots, early_refresh }
    }

    /// Returns the cached token or the result of a request. Callers that wait during a failing request get
    /// its error, so that they do not fail one after the other.
    pub(super) async fn get_or_request<F>(
        &self,
        key: &TokenKey,
        request: impl FnOnce() -> F,
    ) -> Result<AccessToken, OktaError>
    where
        F: Future<Output = Result<AccessToken, OktaError>>,
    {
        let arrived = Instant::now();
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some(token) = slot.good(self.early_refresh) {
            return Ok(token);
        }
        if let Some(failure) = slot.failure_since(arrived) {
            return slot.still_usable(failure);
        }
        match request().await {
            Ok(token) => {
                *slot = Slot { token: Some(token.clone()), last_failure: None };
                Ok(token)
            }
            Err(failure) => {
                slot.last_failure = Some((Instant::now(), failure.clone()));
                slot.still_usable(failure)
            }
        }
    }

    #[cfg(test)]
    fn insert(&self, key: &TokenKey, token: AccessToken) {
        let slot = Slot { token: Some(token), last_failure: None };
        self.slots.insert(key.clone(), Arc::new(Mutex::new(slot)));
    }

    /// Removes a token that Okta rejected, unless it has been replaced.
    pub(super) async fn remove_rejected(&self, key: &TokenKey, rejected: &AccessToken) {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if slot.token.as_ref().is_some_and(|cached| cached.is_same(rejected)) {
            slot.token = None;
        }
    }

    /// Removes the token of `key` if it lacks one of `scopes`.
    pub(super) async fn evict_with_fewer_scopes(&self, key: &TokenKey, scopes: &[&String]) {
        let Some(slot) = self.slots.get(key) else { return };
        let mut slot = slot.lock().await;
        let lacks =
            |token: &AccessToken| scopes.iter().any(|scope| !token.granted().contains(*scope));
        if slot.token.as_ref().is_some_and(lacks) {
            slot.token = None;
        }
    }

    /// Removes all tokens of an integration.
    pub(super) fn evict(&self, tenant: &TenantId, integration: IntegrationId) {
        let belongs = |key: &TokenKey| key.tenant == *tenant && key.integration == integration;
        let keys: Vec<_> =
            self.slots.iter().map(|(key, _)| key).filter(|key| belongs(key)).collect();
        for key in keys {
            self.slots.invalidate(&*key);
        }
    }

    fn slot(&self, key: &TokenKey) -> Arc<Mutex<Slot>> {
        self.slots.get_with_by_ref(key, Arc::default)
    }
}

impl Slot {
    fn good(&self, margin: Duration) -> Option<AccessToken> {
        self.token.clone().filter(|token| token.is_good_at(Instant::now(), margin))
    }

    fn failure_since(&self, arrived: Instant) -> Option<OktaError> {
        let (at, failure) = self.last_failure.as_ref()?;
        (*at >= arrived).then(|| failure.clone())
    }

    /// Returns the current token if the failure is transient and the token has not expired.
    fn still_usable(&self, failure: OktaError) -> Result<AccessToken, OktaError> {
        let current = self.good(MIN_REMAINING).filter(|_| failure.is_transient());
        current.ok_or(failure)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use secrecy::SecretString;

    use super::*;

    fn key(tenant: &str, version: i64) -> TokenKey {
        let tenant = TenantId::parse(tenant).unwrap();
        TokenKey {
            tenant,
            integration: IntegrationId(uuid::Uuid::nil()),
            credentials_version: version,
        }
    }

    fn token(seconds: u64) -> AccessToken {
        let value = SecretString::from("t");
        AccessToken::new(value, None, BTreeSet::new(), Instant::now(), Duration::from_secs(seconds))
    }

    fn cache() -> TokenCache {
        TokenCache::new(100, Duration::from_mins(5))
    }

    async fn unavailable() -> Result<AccessToken, OktaError> {
        Err(OktaError::TemporarilyUnavailable)
    }

    async fn refused() -> Result<AccessToken, OktaError> {
        Err(OktaError::InvalidClient { message: String::new() })
    }

    #[tokio::test]
    async fn many_callers_cause_one_request() {
        let (cache, key, requests) = (cache(), key("a", 1), AtomicUsize::new(0));
        let request = || async {
            requests.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(token(3600))
        };
        let calls = (0..50).map(|_| cache.get_or_request(&key, request));
        assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn waiting_callers_share_one_failure_and_the_next_caller_retries() {
        let (cache, key, requests) = (cache(), key("a", 1), AtomicUsize::new(0));
        let request = || async {
            requests.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            refused().await
        };
        let calls = (0..50).map(|_| cache.get_or_request(&key, request));
        assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_err));
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        assert!(cache.get_or_request(&key, request).await.is_err());
        assert_eq!(requests.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn tenants_and_credential_versions_share_no_token() {
        let cache = cache();
        cache.insert(&key("a", 1), token(3600));
        assert!(cache.get_or_request(&key("a", 1), refused).await.is_ok());
        assert!(cache.get_or_request(&key("b", 1), refused).await.is_err());
        assert!(cache.get_or_request(&key("a", 2), refused).await.is_err());
    }

    #[tokio::test]
    async fn evict_removes_all_versions_of_one_integration() {
        let cache = cache();
        for key in [key("a", 1), key("a", 2), key("b", 1)] {
            cache.insert(&key, token(3600));
        }
        let a = key("a", 1);
        cache.evict(&a.tenant, a.integration);
        assert!(cache.get_or_request(&a, refused).await.is_err());
        assert!(cache.get_or_request(&key("a", 2), refused).await.is_err());
        assert!(cache.get_or_request(&key("b", 1), refused).await.is_ok());
    }

    #[tokio::test]
    async fn a_rejected_token_is_removed_but_not_its_successor() {
        let (cache, key, dead) = (cache(), key("a", 1), token(3600));
        cache.insert(&key, dead.clone());
        cache.remove_rejected(&key, &dead).await;
        let fresh = cache.get_or_request(&key, || async { Ok(token(3600)) }).await.unwrap();
        cache.remove_rejected(&key, &dead).await;
        assert!(cache.get_or_request(&key, refused).await.unwrap().is_same(&fresh));
    }

    #[tokio::test]
    async fn a_token_due_for_refresh_is_used_while_okta_is_unavailable() {
        let (cache, key) = (cache(), key("a", 1));
        let issued = Instant::now().checked_sub(Duration::from_secs(3400)).unwrap();
        let value = SecretString::from("t");
        let due = AccessToken::new(value, None, BTreeSet::new(), issued, Duration::from_secs(3600));
        cache.insert(&key, due.clone());
        assert!(cache.get_or_request(&key, unavailable).await.unwrap().is_same(&due));
        let failed = cache.get_or_request(&key, refused).await;
        assert!(matches!(failed, Err(OktaError::InvalidClient { .. })));
        let fresh = cache.get_or_request(&key, || async { Ok(token(3600)) }).await.unwrap();
        assert!(!fresh.is_same(&due));
    }
}
