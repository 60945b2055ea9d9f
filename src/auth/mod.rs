//! Verifies bearer tokens (RFC 6750, RFC 7519) and reads the tenant and scopes from them.
//!
//! This module knows neither HTTP nor what a scope allows.

mod claims;
mod error;
mod header;
mod jwks;
mod verifying_keys;

use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use secrecy::ExposeSecret;

use crate::config::{AuthConfig, AuthKeys};
use crate::egress::Egress;
use crate::model::Caller;

use claims::Claims;
use jwks::Jwks;

pub use error::AuthError;

/// A token verifier. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    keys: Keys,
    config: AuthConfig,
}

#[derive(Clone)]
enum Keys {
    Jwks(Jwks),
    SharedSecret(DecodingKey),
}

/// Allowed clock skew.
const LEEWAY_SECONDS: u64 = 10;

impl Authenticator {
    pub fn new(config: &AuthConfig, egress: &Egress) -> Self {
        let keys = match &config.keys {
            AuthKeys::Jwks(url) => Keys::Jwks(Jwks::new(url.clone(), egress.clone())),
            AuthKeys::SharedSecret(secret) => {
                Keys::SharedSecret(DecodingKey::from_secret(secret.expose_secret().as_bytes()))
            }
        };
        Self { keys, config: config.clone() }
    }

    /// Verifies `token` and returns its caller.
    ///
    /// # Errors
    /// [`AuthError`]. All but [`AuthError::KeysUnavailable`] are caused by the token.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, AuthError> {
        let header = header::read(token)?;
        let claims = match &self.keys {
            Keys::SharedSecret(key) => self.verify(token, key, Algorithm::HS256)?,
            Keys::Jwks(jwks) => {
                let key = jwks.key(header.kid.as_deref(), header.algorithm).await?;
                self.verify(token, &key.decoding, key.algorithm)?
            }
        };
        claims.check_lifetime(Utc::now(), self.config.max_lifetime)?;
        claims.into_caller(&self.config)
    }

    /// Verifies with the key's algorithm, never with the one that the token names (RFC 8725 §3.1).
    fn verify(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
    ) -> Result<Claims, AuthError> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        decode::<Claims>(token, key, &validation)
            .map(|data| data.claims)
            .map_err(|error| AuthError::from(&error))
    }

    /// Returns whether tokens can be verified now. Does not wait: if keys are missing or stale it
    /// starts to fetch them in the background. Must be called inside a runtime.
    pub fn is_ready(&self) -> bool {
        match &self.keys {
            Keys::SharedSecret(_) => true,
            Keys::Jwks(jwks) => jwks.has_keys(Utc::now()),
        }
    }
}
