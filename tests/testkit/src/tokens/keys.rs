//! Signing keys: generated, stored in a file, exported as a JWK.
//!
//! A private key leaves this module only into its own file.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2048 bits.
    Rs256,
    /// The curve P-256.
    Es256,
}

impl KeyKind {
    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
        }
    }
}

#[derive(Clone)]
pub(super) struct Key {
    pub kid: String,
    pub kind: KeyKind,
    pub encoding: EncodingKey,
    pub public_pem: String,
    private_pem: String,
}

impl Key {
    pub fn generate(kind: KeyKind) -> Self {
        let pair = match kind {
            KeyKind::Rs256 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            KeyKind::Es256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        };
        Self::of(&pair.expect("the crypto library can make a key"), kind)
    }

    /// Parses a private key; `None` if it is not of a supported kind.
    pub fn from_pem(pem: &str) -> Option<Self> {
        let pair = KeyPair::from_pem(pem).ok()?;
        let kind = if pair.is_compatible(&PKCS_ECDSA_P256_SHA256) {
            KeyKind::Es256
        } else if pair.is_compatible(&PKCS_RSA_SHA256) {
            KeyKind::Rs256
        } else {
            return None;
        };
        Some(Self::of(&pair, kind))
    }

    pub fn to_pem(&self) -> &str {
        &self.private_pem
    }

    fn of(pair: &KeyPair, kind: KeyKind) -> Self {
        let private_pem = pair.serialize_pem();
        let encoding = match kind {
            KeyKind::Rs256 => EncodingKey::from_rsa_pem(private_pem.as_bytes()),
            KeyKind::Es256 => EncodingKey::from_ec_pem(private_pem.as_bytes()),
        }
        .expect("a key that was just written can be read");
        // Derived from the public key, so that a key loaded from its file keeps its `kid`.
        let kid = Uuid::new_v5(&Uuid::NAMESPACE_OID, pair.public_key_raw()).simple().to_string();
        Self { kid, kind, encoding, public_pem: pair.public_key_pem(), private_pem }
    }

    pub fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.encoding, self.kind.algorithm())
            .expect("an RSA or P-256 key has a JWK");
        let mut jwk = json!(jwk);
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(format!("{:?}", self.kind.algorithm()));
        jwk
    }
}
