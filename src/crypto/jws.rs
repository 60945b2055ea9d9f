//! JSON Web Signatures in compact form (RFC 7515 §7.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::Value;

use super::error::SealError;

/// Signs `claims` under `header`. The result authenticates a client, so it is treated as a secret.
///
/// # Errors
/// Those of `sign`.
pub(super) fn sign(
    header: &Value,
    claims: &Value,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, SealError>,
) -> Result<SecretString, SealError> {
    let mut token = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(SecretString::from(token))
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}
