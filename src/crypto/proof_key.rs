//! A key that proves possession of access tokens (DPoP, RFC 9449): P-256, ES256. Kept in memory only.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::error::SealError;
use super::jws;

/// A key pair. The private key cannot be read.
pub struct ProofKey {
    pair: EcdsaKeyPair,
    jwk: Value,
}

impl ProofKey {
    /// Generates a key pair.
    ///
    /// # Errors
    /// [`SealError::Failed`] when the random source fails.
    pub fn generate() -> Result<Self, SealError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| SealError::Failed)?;
        // An uncompressed point (SEC 1 §2.3.3): 4, then both coordinates of 32 bytes.
        let (x, y) = pair
            .public_key()
            .as_ref()
            .get(1..)
            .and_then(|point| point.split_at_checked(32))
            .ok_or(SealError::Failed)?;
        let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": coordinate(x), "y": coordinate(y) });
        Ok(Self { pair, jwk })
    }

    /// Signs the claims of a proof (RFC 9449 §4.2); the header contains the public key.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn sign_proof(&self, claims: &Value) -> Result<SecretString, SealError> {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk });
        jws::sign(&header, claims, |message| {
            let signature = self.pair.sign(&SystemRandom::new(), message);
            Ok(signature.map_err(|_| SealError::Failed)?.as_ref().to_vec())
        })
    }
}

impl std::fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofKey")
    }
}
