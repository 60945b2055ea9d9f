//! The issuer's public keys (RFC 7517): kept, read again behind the callers' backs when they are no
//! longer fresh, asked for when a token names an unknown key, and never more often than the issuer
//! can bear. A caller waits for the issuer only when no kept key can answer it.

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

/// After this the keys are asked for anew, so that a withdrawn key stops being good: with the first
/// answer after it, since callers do not wait for that answer.
const FRESH_FOR: TimeDelta = TimeDelta::minutes(5);
/// While the issuer is away its last keys are good for this long.
const KEPT_FOR: TimeDelta = TimeDelta::hours(1);
/// An unknown `kid` is anybody's to send: it causes one request in this time.
const AT_MOST_EVERY: TimeDelta = TimeDelta::seconds(10);

#[derive(Clone)]
pub(super) struct Jwks {
    url: Url,
    egress: Egress,
    state: Arc<std::sync::RwLock<State>>,
    /// One request in flight.
    reading: Arc<Mutex<()>>,
}

#[derive(Default)]
struct State {
    keys: VerifyingKeys,
    read_at: Option<DateTime<Utc>>,
    tried_at: Option<DateTime<Utc>>,
}

impl Jwks {
    pub(super) fn new(url: Url, egress: Egress) -> Self {
        Self { url, egress, state: Arc::default(), reading: Arc::default() }
    }

    /// Returns the key that the issuer publishes as `kid` for `algorithm`; without a `kid`, its only
    /// key without a name.
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
            self.read_for(kid, now).await;
        }
        let state = self.state.read().map_err(|_| AuthError::KeysUnavailable)?;
        if !state.is_usable(now) {
            return Err(AuthError::KeysUnavailable);
        }
        let keys = state.keys.named(kid).ok_or_else(unknown)?;
        keys.get(&algorithm).cloned().ok_or(AuthError::AlgorithmRefused)
    }

    /// Whether there are keys to verify with. Waits for nobody: where there are none, they are being
    /// read when this returns.
    pub(super) fn has_keys(&self, now: DateTime<Utc>) -> bool {
        self.refresh(now);
        self.state.read().is_ok_and(|state| state.is_usable(now))
    }

    /// True when keys of this name are known and may still be used.
    fn has_key(&self, kid: Option<&str>, now: DateTime<Utc>) -> bool {
        self.state.read().is_ok_and(|state| state.is_usable(now) && state.keys.named(kid).is_some())
    }

    /// Begins to read the keys when they are not fresh and nobody reads them already.
    fn refresh(&self, now: DateTime<Utc>) {
        if self.state.read().is_ok_and(|state| state.is_fresh(now)) {
            return;
        }
        if let Ok(turn) = Arc::clone(&self.reading).try_lock_owned()
            && self.may_ask(now)
        {
            self.start_reading(turn);
        }
    }

    /// Reads the keys for the sake of one that is not there, and waits for them.
    async fn read_for(&self, kid: Option<&str>, now: DateTime<Utc>) {
        let turn = Arc::clone(&self.reading).lock_owned().await;
        // Somebody else may have read them while this one waited.
        if !self.has_key(kid, now) && self.may_ask(now) {
            let _ = self.start_reading(turn).await;
        }
    }

    /// Reads in a task of its own: a caller that goes away does not end what others wait for, nor
    /// leave the issuer to be asked again at once.
    fn start_reading(&self, turn: OwnedMutexGuard<()>) -> JoinHandle<()> {
        if let Ok(mut state) = self.state.write() {
            state.tried_at = Some(Utc::now());
        }
        let jwks = self.clone();
        tokio::spawn(async move {
            match jwks.read_keys().await {
                Ok(keys) => jwks.keep(keys),
                Err(error) => tracing::warn!(error, "reading the token issuer's keys failed"),
            }
            drop(turn);
        })
    }

    fn keep(&self, keys: VerifyingKeys) {
        if let Ok(mut state) = self.state.write() {
            state.keys = keys;
            state.read_at = Some(Utc::now());
        }
    }

    fn may_ask(&self, now: DateTime<Utc>) -> bool {
        let Ok(state) = self.state.read() else { return false };
        // Without any keys nobody gets in: then a failed attempt holds the next one off for less.
        let pause = if state.is_usable(now) { AT_MOST_EVERY } else { TimeDelta::seconds(1) };
        state.tried_at.is_none_or(|tried| now - tried >= pause)
    }

    async fn read_keys(&self) -> Result<VerifyingKeys, String> {
        let answer = self.egress.send(Policy::Operator, EgressRequest::get(self.url.clone())).await;
        let answer = answer.map_err(|error| chain_of(&error))?;
        if answer.status != 200 {
            return Err(format!("the JWKS answered with status {}", answer.status));
        }
        let set: JwkSet = serde_json::from_slice(&answer.body).map_err(|_| "no JWKS".to_owned())?;
        let keys = VerifyingKeys::of(&set);
        // An issuer that publishes nothing is one in trouble: the keys from before are better.
        if keys.is_empty() {
            return Err("a JWKS without a key that can verify a token".to_owned());
        }
        Ok(keys)
    }
}

impl State {
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        self.read_at.is_some_and(|at| now - at < FRESH_FOR)
    }

    fn is_usable(&self, now: DateTime<Utc>) -> bool {
        self.read_at.is_some_and(|at| now - at < KEPT_FOR)
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

    /// As if the keys had been read so long ago.
    fn age(jwks: &Jwks, by: TimeDelta) {
        let mut state = jwks.state.write().unwrap();
        state.read_at = state.read_at.map(|at| at - by);
        state.tried_at = state.tried_at.map(|at| at - by);
    }

    async fn until(condition: impl Fn() -> bool) {
        for _ in 0..200 {
            if condition() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come about");
    }

    #[tokio::test]
    async fn a_kept_key_answers_at_once_while_the_issuer_hangs() {
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
    async fn keys_that_are_no_longer_fresh_are_read_behind_the_callers_back() {
        let server = Server::plain_in_turn([ok(&jwks("k1")), ok(&jwks("k2"))]);
        let jwks = at(server.address);
        assert!(jwks.key(Some("k1"), Algorithm::ES256).await.is_ok());
        age(&jwks, TimeDelta::minutes(6));
        assert!(
            jwks.key(Some("k1"), Algorithm::ES256).await.is_ok(),
            "the answer is still to come"
        );
        until(|| jwks.state.read().unwrap().keys.named(Some("k2")).is_some()).await;
        assert!(
            matches!(jwks.key(Some("k1"), Algorithm::ES256).await, Err(AuthError::UnknownKey)),
            "withdrawn"
        );
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test]
    async fn an_empty_set_does_not_replace_good_keys() {
        let symmetric = r#"{"keys":[{"kty":"oct","kid":"k1","k":"AAAA"}]}"#;
        for nothing in [r#"{"keys":[]}"#, symmetric] {
            let server = Server::plain_in_turn([ok(&jwks("k1")), ok(nothing)]);
            let jwks = at(server.address);
            assert!(jwks.key(Some("k1"), Algorithm::ES256).await.is_ok());
            age(&jwks, TimeDelta::minutes(6));
            assert!(matches!(
                jwks.key(Some("k9"), Algorithm::ES256).await,
                Err(AuthError::UnknownKey)
            ));
            assert_eq!(server.requests().len(), 2);
            assert!(jwks.key(Some("k1"), Algorithm::ES256).await.is_ok(), "{nothing}");
        }
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_does_not_end_the_reading() {
        let (hanging, _thread) = silent();
        let jwks = at(hanging);
        let gone =
            tokio::time::timeout(Duration::from_millis(50), jwks.key(Some("k1"), Algorithm::ES256))
                .await;
        assert!(gone.is_err());
        assert!(jwks.reading.try_lock().is_err(), "it is still being read");
        assert!(jwks.state.read().unwrap().tried_at.is_some());
    }

    #[tokio::test]
    async fn nobody_waits_for_readiness() {
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
