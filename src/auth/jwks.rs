//! The issuer's public keys (RFC 7517): read when needed, kept while they are fresh, asked for again
//! when a token names an unknown key, and never more often than the issuer can bear.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;
use url::Url;

use super::AuthError;
use crate::egress::{Egress, EgressRequest, Policy};

/// A key, with the one algorithm that it is good for.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    pub(super) decoding: DecodingKey,
    pub(super) algorithm: Algorithm,
}

/// After this the keys are asked for anew, so that a withdrawn key stops being good.
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
    keys: HashMap<String, VerifyingKey>,
    read_at: Option<DateTime<Utc>>,
    tried_at: Option<DateTime<Utc>>,
}

impl Jwks {
    pub(super) fn new(url: Url, egress: Egress) -> Self {
        Self { url, egress, state: Arc::default(), reading: Arc::default() }
    }

    /// The key that the issuer publishes as `kid`.
    pub(super) async fn key(&self, kid: &str) -> Result<VerifyingKey, AuthError> {
        let now = Utc::now();
        if let Some(key) = self.fresh_key(kid, now) {
            return Ok(key);
        }
        self.read_again(kid, now).await;
        let state = self.state.read().map_err(|_| AuthError::KeysUnavailable)?;
        match (state.keys.get(kid), state.is_usable(now)) {
            (Some(key), true) => Ok(key.clone()),
            (None, true) => Err(AuthError::UnknownKey),
            (_, false) => Err(AuthError::KeysUnavailable),
        }
    }

    pub(super) async fn has_keys(&self, now: DateTime<Utc>) -> bool {
        if self.state.read().is_ok_and(|state| state.is_fresh(now)) {
            return true;
        }
        self.read_again("", now).await;
        self.state.read().is_ok_and(|state| state.is_usable(now))
    }

    fn fresh_key(&self, kid: &str, now: DateTime<Utc>) -> Option<VerifyingKey> {
        let state = self.state.read().ok()?;
        state.is_fresh(now).then(|| state.keys.get(kid).cloned())?
    }

    async fn read_again(&self, kid: &str, now: DateTime<Utc>) {
        let _one_at_a_time = self.reading.lock().await;
        // Somebody else may have read them while this one waited.
        if self.fresh_key(kid, now).is_some() || !self.may_ask(now) {
            return;
        }
        let answer = self.read_keys().await;
        let Ok(mut state) = self.state.write() else { return };
        state.tried_at = Some(Utc::now());
        match answer {
            Ok(keys) => {
                state.keys = keys;
                state.read_at = Some(Utc::now());
            }
            Err(cause) => tracing::warn!(cause, "the issuer's keys could not be read"),
        }
    }

    fn may_ask(&self, now: DateTime<Utc>) -> bool {
        let Ok(state) = self.state.read() else { return false };
        // Without any keys nobody gets in: then a failed attempt holds the next one off for less.
        let pause = if state.is_usable(now) { AT_MOST_EVERY } else { TimeDelta::seconds(1) };
        state.tried_at.is_none_or(|tried| now - tried >= pause)
    }

    async fn read_keys(&self) -> Result<HashMap<String, VerifyingKey>, String> {
        let answer = self.egress.send(Policy::Operator, EgressRequest::get(self.url.clone())).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("the JWKS answered with status {}", answer.status));
        }
        let set: JwkSet = serde_json::from_slice(&answer.body).map_err(|_| "no JWKS".to_owned())?;
        Ok(set.keys.iter().filter_map(usable_key).collect())
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

/// A key that is for signatures and that we know an algorithm for; others are passed over.
fn usable_key(jwk: &Jwk) -> Option<(String, VerifyingKey)> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let stated = jwk
        .common
        .key_algorithm
        .and_then(|algorithm| algorithm.to_string().parse::<Algorithm>().ok());
    let algorithm = match (&jwk.algorithm, stated) {
        (AlgorithmParameters::RSA(_), None) => Algorithm::RS256,
        (AlgorithmParameters::RSA(_), Some(stated)) if is_rsa(stated) => stated,
        (AlgorithmParameters::EllipticCurve(curve), _) => match curve.curve {
            EllipticCurve::P256 => Algorithm::ES256,
            EllipticCurve::P384 => Algorithm::ES384,
            _ => return None,
        },
        (AlgorithmParameters::OctetKeyPair(_), _) => Algorithm::EdDSA,
        // A symmetric key in a public document is everybody's key.
        _ => return None,
    };
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    Some((jwk.common.key_id.clone()?, VerifyingKey { decoding, algorithm }))
}

fn is_rsa(algorithm: Algorithm) -> bool {
    use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
}
