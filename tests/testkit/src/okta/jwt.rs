//! Reads the JWTs that clients sign: assertions and DPoP proofs.
//!
//! Checks signatures and formats; the callers check the claims.

use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

/// A proof with the key in its header.
pub(super) struct Proof {
    pub claims: Value,
    /// RFC 7638, SHA-256.
    pub thumbprint: String,
}

/// Returns the claims of an assertion signed by one of the keys; `None` for any other text.
pub(super) fn read_assertion(token: &str, keys: &[Value]) -> Option<Value> {
    let header = decode_header(token).ok()?;
    let by_kid =
        |key: &&Value| header.kid.is_none() || key["kid"].as_str() == header.kid.as_deref();
    let key = keys.iter().find(by_kid)?;
    let key: Jwk = serde_json::from_value(key.clone()).ok()?;
    verify(token, &key, header.alg)
}

/// Returns a DPoP proof (RFC 9449 §4.2) signed by the key in its header; `None` for any other text.
pub(super) fn read_proof(token: &str) -> Option<Proof> {
    let header = decode_header(token).ok()?;
    if header.typ.as_deref() != Some("dpop+jwt") {
        return None;
    }
    let key = header.jwk?;
    let claims = verify(token, &key, header.alg)?;
    let thumbprint = key.thumbprint(ThumbprintHash::SHA256).ok()?;
    Some(Proof { claims, thumbprint })
}

fn verify(token: &str, key: &Jwk, algorithm: Algorithm) -> Option<Value> {
    let is_asymmetric =
        !matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
    let key = DecodingKey::from_jwk(key).ok().filter(|_| is_asymmetric)?;
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    Some(decode::<Value>(token, &key, &validation).ok()?.claims)
}
