//! The usable keys of a JWKS, by `kid` and algorithm.

use std::collections::HashMap;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

/// A public key with the one algorithm that it may be used with.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    pub(super) decoding: DecodingKey,
    pub(super) algorithm: Algorithm,
}

/// The keys of one `kid` by algorithm.
type Keys = HashMap<Algorithm, VerifyingKey>;

/// The keys that an issuer publishes for signatures.
#[derive(Default)]
pub(super) struct VerifyingKeys {
    /// Keys by `kid`. Some issuers publish a key once for each algorithm with the same `kid`.
    named: HashMap<String, Keys>,
    /// The only key without a `kid`; `None` if there are several, because a token would be ambiguous.
    unnamed: Option<Keys>,
}

impl VerifyingKeys {
    /// Collects the usable keys of a JWKS. Keys of other types or for other uses are ignored.
    pub(super) fn new(set: &JwkSet) -> Self {
        let mut keys = Self::default();
        let mut unnamed = Vec::new();
        for (kid, key) in set.keys.iter().filter_map(usable_key) {
            match kid {
                Some(kid) => {
                    keys.named.entry(kid).or_default().insert(key.algorithm, key);
                }
                None => unnamed.push(key),
            }
        }
        if let [key] = unnamed.as_slice() {
            keys.unnamed = Some(Keys::from([(key.algorithm, key.clone())]));
        }
        keys
    }

    /// Returns the keys for tokens with this `kid`, or without one.
    pub(super) fn named(&self, kid: Option<&str>) -> Option<&Keys> {
        kid.map_or(self.unnamed.as_ref(), |kid| self.named.get(kid))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.unnamed.is_none()
    }
}

/// Returns the key and its `kid` if it is for signatures and its algorithm is supported.
fn usable_key(jwk: &Jwk) -> Option<(Option<String>, VerifyingKey)> {
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
        // A symmetric key in a public document is not secret.
        _ => return None,
    };
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    Some((jwk.common.key_id.clone(), VerifyingKey { decoding, algorithm }))
}

fn is_rsa(algorithm: Algorithm) -> bool {
    use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
}
