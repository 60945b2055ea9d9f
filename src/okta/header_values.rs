//! Header values that authenticate, which no debug print shows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

use super::OktaError;

/// HTTP Basic with this user and password, in UTF-8 (RFC 7617). Okta's ids and secrets need no form
/// encoding, and Okta documents none.
pub(super) fn basic(user: &str, password: &SecretString) -> Result<HeaderValue, OktaError> {
    let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
    let encoded = SecretString::from(STANDARD.encode(pair.expose_secret()));
    sensitive(&SecretString::from(format!("Basic {}", encoded.expose_secret())))
}

/// A header value that no debug print shows.
pub(super) fn sensitive(value: &SecretString) -> Result<HeaderValue, OktaError> {
    let mut header = HeaderValue::from_str(value.expose_secret())
        .map_err(|_| OktaError::bad_answer("a token that does not fit into a header"))?;
    header.set_sensitive(true);
    Ok(header)
}
