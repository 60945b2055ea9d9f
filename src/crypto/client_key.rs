//! The key pair that an OAuth client authenticates with (`private_key_jwt`, RFC 7523 §2.2): RSA with
//! 2048 bits, RS256.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::error::SealError;
use super::jws;
use crate::model::PublicJwk;

/// A key pair. `Debug` shows only the key id.
pub struct ClientKey {
    pair: KeyPair,
    jwk: PublicJwk,
}

impl ClientKey {
    /// Generates a key pair. Takes about 100 ms of CPU time.
    ///
    /// # Errors
    /// [`SealError::Failed`] when the random source fails.
    pub fn generate() -> Result<Self, SealError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| SealError::Failed)?;
        Ok(Self::from(pair))
    }

    /// Parses the format of [`ClientKey::private_key`].
    ///
    /// # Errors
    /// [`SealError::Malformed`].
    pub fn read(private_key: &SecretString) -> Result<Self, SealError> {
        let malformed = |_| SealError::Malformed;
        let der = STANDARD.decode(private_key.expose_secret()).map_err(malformed)?;
        let der = Zeroizing::new(der);
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| SealError::Malformed)?;
        Ok(Self::from(pair))
    }

    /// Returns the private key for storage (encrypted): PKCS#8 in base64.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn private_key(&self) -> Result<SecretString, SealError> {
        let der = self.pair.as_der().map_err(|_| SealError::Failed)?;
        Ok(SecretString::from(STANDARD.encode(der.as_ref())))
    }

    /// Returns the public key.
    pub fn jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    /// Signs `claims` as a JWT with the id of this key.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn sign(&self, claims: &Value) -> Result<SecretString, SealError> {
        let header = json!({ "typ": "JWT", "alg": self.jwk.alg, "kid": self.jwk.kid });
        jws::sign(&header, claims, |message| {
            let mut signature = vec![0; self.pair.public_modulus_len()];
            self.pair
                .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                .map_err(|_| SealError::Failed)?;
            Ok(signature)
        })
    }
}

impl From<KeyPair> for ClientKey {
    fn from(pair: KeyPair) -> Self {
        let public = pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let n = number(public.modulus().big_endian_without_leading_zero());
        let e = number(public.exponent().big_endian_without_leading_zero());
        let jwk = PublicJwk {
            kty: "RSA".to_owned(),
            r#use: "sig".to_owned(),
            alg: "RS256".to_owned(),
            kid: thumbprint(&e, &n),
            n,
            e,
        };
        Self { pair, jwk }
    }
}

/// Returns the JWK thumbprint (RFC 7638), so that the id depends only on the key.
fn thumbprint(e: &str, n: &str) -> String {
    let members = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientKey").field("kid", &self.jwk.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

    use super::*;

    fn verifies(jwk: &PublicJwk, token: &SecretString) -> bool {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["https://acme.okta.com/oauth2/v1/token"]);
        let key = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).unwrap();
        decode::<Value>(token.expose_secret(), &key, &validation).is_ok()
    }

    fn claims() -> Value {
        json!({ "aud": "https://acme.okta.com/oauth2/v1/token", "exp": 4_000_000_000_u64 })
    }

    #[test]
    fn parsed_key_signs_for_the_same_public_key() {
        let key = ClientKey::generate().unwrap();
        let read = ClientKey::read(&key.private_key().unwrap()).unwrap();
        assert_eq!(read.jwk(), key.jwk());
        assert!(verifies(key.jwk(), &read.sign(&claims()).unwrap()));
        let other = ClientKey::generate().unwrap();
        assert!(!verifies(key.jwk(), &other.sign(&claims()).unwrap()));
        assert_ne!(other.jwk().kid, key.jwk().kid);
    }

    #[test]
    fn public_key_has_2048_bits_and_its_thumbprint_as_id() {
        let jwk = ClientKey::generate().unwrap().jwk().clone();
        assert_eq!(URL_SAFE_NO_PAD.decode(&jwk.n).unwrap().len(), 256);
        assert_eq!((jwk.e.as_str(), jwk.alg.as_str(), jwk.kid.len()), ("AQAB", "RS256", 43));
        // The example of RFC 7638 §3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(thumbprint("AQAB", n), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn debug_hides_the_private_key_and_invalid_keys_are_errors() {
        let key = ClientKey::generate().unwrap();
        let private = key.private_key().unwrap();
        let printed = format!("{key:?} {private:?} {:?}", key.sign(&claims()).unwrap());
        assert!(!printed.contains(&private.expose_secret()[40..80]) && !printed.contains("eyJ"));
        for text in ["", "canary", "MIIEvQ=="] {
            assert!(matches!(ClientKey::read(&text.into()), Err(SealError::Malformed)));
        }
    }
}
