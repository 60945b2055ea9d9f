//! A cache of the issuer's public keys (RFC 7517).
//!
//! Stale keys are refreshed in the background. A token with an unknown `kid` triggers a fetch, which
//! is rate limited to protect the issuer. A caller waits for the issuer only if no cached key matches.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::JwkSet;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;
use url::Url;

use super::error::AuthError;
use super::verifying_keys::{VerifyingKey, VerifyingKeys};
use crate::egress::{Egress, EgressRequest, Policy};
use crate::telemetry::chain_of;

/// After this the keys are refreshed, so that a withdrawn key stops working. Callers do not wait for
/// the refresh.
const FRESH_FOR: TimeDelta = TimeDelta::minutes(5);
/// How long cached keys are used while the issuer is unreachable.
const USABLE_FOR: TimeDelta = TimeDelta::hours(1);
/// Anyone can send an unknown `kid`, so it causes at most one fetch in this time.
const MIN_FETCH_INTERVAL: TimeDelta = TimeDelta::seconds(10);

#[derive(Clone)]
pub(super) struct Jwks {
    url: Url,
    egress: Egress,
    state: Arc<std::sync::RwLock<State>>,
    /// Held during a fetch: at most one is in flight.
    fetching: Arc<Mutex<()>>,
}

#[derive(Default)]
struct State {
    keys: VerifyingKeys,
    fetched_at: Option<DateTime<Utc>>,
    attempted_at: Option<DateTime<Utc>>,
}

impl Jwks {
    pub(super) fn new(url: Url, egress: Egress) -> Self {
        Self { url, egress, state: Arc::default(), fetching: Arc::default() }
    }

    /// Returns the key that the issuer publishes as `kid` for `algorithm`. Without a `kid`, returns the
    /// issuer's only key without one.
    ///
    /// # Errors
    /// [`AuthError::UnknownKey`], [`AuthError::NoKeyNamed`], [`AuthError::AlgorithmRefused`] or
    /// [`AuthError::KeysUnavailable`].
    pub(super) async fn key(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<VerifyingKey, AuthError> {
        let now = Utc::now();
        let unknown = || if kid.is_some() { AuthError::UnknownKey } else { AuthError::NoKeyNamed };
        if self.has_key(kid, now) {
            self.refresh(now);
        } else {
            self.fetch_for(kid, now).await;
        }
        let state = self.state.read().map_err(|_| AuthError::KeysUnavailable)?;
        if !state.is_usable(now) {
            return Err(AuthError::KeysUnavailable);
        }
        let keys = state.keys.named(kid).ok_or_else(unknown)?;
        keys.get(&algorithm).cloned().ok_or(AuthError::AlgorithmRefused)
    }

    /// Returns whether there are usable keys. Does not wait: if there are none, a fetch is in flight
    /// when this returns.
    pub(super) fn has_keys(&self, now: DateTime<Utc>) -> bool {
        self.refresh(now);
        self.state.read().is_ok_and(|state| state.is_usable(now))
    }

    /// Returns whether a usable key with this `kid` is cached.
    fn has_key(&self, kid: Option<&str>, now: DateTime<Utc>) -> bool {
        self.state.read().is_ok_and(|state| state.is_usable(now) && state.keys.named(kid).is_some())
    }

    /// Starts a fetch if the keys are stale and no fetch is in flight.
    fn refresh(&self, now: DateTime<Utc>) {
        if self.state.read().is_ok_and(|state| state.is_fresh(now)) {
            return;
        }
        if let Ok(guard) = Arc::clone(&self.fetching).try_lock_owned()
            && self.may_fetch(now)
        {
            self.start_fetch(guard);
        }
    }

    /// Fetches the keys because `kid` is not cached, and waits for the result.
    async fn fetch_for(&self, kid: Option<&str>, now: DateTime<Utc>) {
        let guard = Arc::clone(&self.fetching).lock_owned().await;
        // Another caller may have fetched them while this one waited.
        if !self.has_key(kid, now) && self.may_fetch(now) {
            let _ = self.start_fetch(guard).await;
        }
    }

    /// Fetches in a separate task: if the caller's future is dropped, the fetch still completes for the
    /// others and still counts for the rate limit.
    fn start_fetch(&self, guard: OwnedMutexGuard<()>) -> JoinHandle<()> {
        if let Ok(mut state) = self.state.write() {
            state.attempted_at = Some(Utc::now());
        }
        let jwks = self.clone();
        tokio::spawn(async move {
            match jwks.fetch_keys().await {
                Ok(keys) => jwks.store(keys),
                Err(error) => tracing::warn!(error, "fetching the token issuer's keys failed"),
            }
            drop(guard);
        })
    }

    fn store(&self, keys: VerifyingKeys) {
        if let Ok(mut state) = self.state.write() {
            state.keys = keys;
            state.fetched_at = Some(Utc::now());
        }
    }

    fn may_fetch(&self, now: DateTime<Utc>) -> bool {
        let Ok(state) = self.state.read() else { return false };
        // Without usable keys no request can be authenticated, so retry sooner.
        let pause = if state.is_usable(now) { MIN_FETCH_INTERVAL } else { TimeDelta::seconds(1) };
        state.attempted_at.is_none_or(|attempt| now - attempt >= pause)
    }

    async fn fetch_keys(&self) -> Result<VerifyingKeys, String> {
        let answer = self.egress.send(Policy::Operator, EgressRequest::get(self.url.clone())).await;
        let answer = answer.map_err(|error| chain_of(&error))?;
        if answer.status != 200 {
            return Err(format!("the JWKS endpoint answered with status {}", answer.status));
        }
        let set: JwkSet = serde_json::from_slice(&answer.body)
            .map_err(|_| "the answer is not a JWKS".to_owned())?;
        let keys = VerifyingKeys::new(&set);
        // An empty key set is a fault of the issuer: keep the cached keys.
        if keys.is_empty() {
            return Err("the JWKS contains no usable key".to_owned());
        }
        Ok(keys)
    }
}

impl State {
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        self.fetched_at.is_some_and(|at| now - at < FRESH_FOR)
    }

    fn is_usable(&self, now: DateTime<Utc>) -> bool {
        self.fetched_at.is_some_and(|at| now - at < USABLE_FOR)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::egress::EgressSettings;
    use crate::egress::tests::server::{Server, silent};

    /// The example key of RFC 7517 §A.1 under this name.
    fn jwks(kid: &str) -> String {
        format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"{kid}","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}}]}}"#
        )
    }

    fn ok(body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    fn at(address: std::net::SocketAddr) -> Jwks {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let egress = Egress::new(EgressSettings {
            request_timeout: Duration::from_secs(3),
            ..EgressSettings::default()
        });
        Jwks::new(format!("http://{address}/").parse().unwrap(), egress.unwrap())
    }

    /// Moves the times of the last fetch into the past.
    fn age(jwks: &Jwks, by: TimeDelta) {
        let mut state = jwks.state.write().unwrap();
        state.fetched_at = state.fetched_at.map(|at| at - by);
        state.attempted_at = state.attempted_at.map(|at| at - by);
    }

    async fn until(condition: impl Fn() -> bool) {
        for _ in 0..200 {
            if condition() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the condition was not met in time");
    }

    #[tokio::test]
    async fn cached_keys_work_without_delay_while_the_issuer_hangs() {
        let server = Server::plain(ok(&jwks("k1")));
        let mut jwks = at(server.address);
        assert!(jwks.key(Some("k1"), Algorithm::ES256).await.is_ok());
        let (hanging, _thread) = silent();
        jwks.url = format!("http://{hanging}/").parse().unwrap();
        age(&jwks, TimeDelta::minutes(6));
        let started = Instant::now();
        for _ in 0..20 {
            assert!(jwks.key(Some("k1"), Algorithm::ES256).await.is_ok());
            assert!(jwks.has_keys(Utc::now()));
        }
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
        age(&jwks, TimeDelta::hours(1));
        assert!(!jwks.has_keys(Utc::now()));
        assert!(matches!(
            jwks.key(Some("k1"), Algorithm::ES256).await,
            Err(AuthError::KeysUnavailable)
        ));
    }

    #[tokio::test]
    async fn stale_keys_are_refreshed_in_the_background() {
        let server = Server::plain_sequence([ok(&jwks("k1")), ok(&jwks("k2"))]);
        let jwks = at(server.address);
        assert!(jwks.key(Some("k1"), Algorithm::ES256).await.is_ok());
        age(&jwks, TimeDelta::minutes(6));
        assert!(
            jwks.key(Some("k1"), Algorithm::ES256).await.is_ok(),
            "the refresh is still in flight"
        );
        until(|| jwks.state.read().unwrap().keys.named(Some("k2")).is_some()).await;
        assert!(
            matches!(jwks.key(Some("k1"), Algorithm::ES256).await, Err(AuthError::UnknownKey)),
            "withdrawn"
        );
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test]
    async fn an_empty_key_set_does_not_replace_cached_keys() {
        let symmetric = r#"{"keys":[{"kty":"oct","kid":"k1","k":"AAAA"}]}"#;
        for empty in [r#"{"keys":[]}"#, symmetric] {
            let server = Server::plain_sequence([ok(&jwks("k1")), ok(empty)]);
            let jwks = at(server.address);
            assert!(jwks.key(Some("k1"), Algorithm::ES256).await.is_ok());
            age(&jwks, TimeDelta::minutes(6));
            assert!(matches!(
                jwks.key(Some("k9"), Algorithm::ES256).await,
                Err(AuthError::UnknownKey)
            ));
            assert_eq!(server.requests().len(), 2);
            assert!(jwks.key(Some("k1"), Algorithm::ES256).await.is_ok(), "{empty}");
        }
    }

    #[tokio::test]
    async fn a_fetch_survives_its_caller() {
        let (hanging, _thread) = silent();
        let jwks = at(hanging);
        let timed_out =
            tokio::time::timeout(Duration::from_millis(50), jwks.key(Some("k1"), Algorithm::ES256))
                .await;
        assert!(timed_out.is_err());
        assert!(jwks.fetching.try_lock().is_err(), "the fetch is still in flight");
        assert!(jwks.state.read().unwrap().attempted_at.is_some());
    }

    #[tokio::test]
    async fn readiness_does_not_wait_for_the_issuer() {
        let (hanging, _thread) = silent();
        let jwks = at(hanging);
        let started = Instant::now();
        assert!(!jwks.has_keys(Utc::now()));
        assert!(started.elapsed() < Duration::from_millis(200));
        let server = Server::plain(ok(&super::tests::jwks("k1")));
        let jwks = at(server.address);
        assert!(!jwks.has_keys(Utc::now()));
        until(|| jwks.has_keys(Utc::now())).await;
    }
}
