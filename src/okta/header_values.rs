//! Header values with secrets, which `Debug` does not show.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

use super::OktaError;

/// Builds an HTTP Basic header value in UTF-8 (RFC 7617). Okta documents no form encoding, and its ids and
/// secrets need none.
pub(super) fn basic(user: &str, password: &SecretString) -> Result<HeaderValue, OktaError> {
    let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
    let encoded = SecretString::from(STANDARD.encode(pair.expose_secret()));
    sensitive(&SecretString::from(format!("Basic {}", encoded.expose_secret())))
}

/// Builds a header value that `Debug` does not show.
pub(super) fn sensitive(value: &SecretString) -> Result<HeaderValue, OktaError> {
    let mut header = HeaderValue::from_str(value.expose_secret())
        .map_err(|_| OktaError::bad_answer("the token is not a valid header value"))?;
    header.set_sensitive(true);
    Ok(header)
}
