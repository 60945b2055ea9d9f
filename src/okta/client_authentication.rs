//! How a client authenticates at the token endpoint: HTTP Basic with its secret (RFC 6749 §2.3.1), or an
//! assertion that its private key signs (RFC 7523 §2.2).

use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::header_values::basic;
use super::{ClientCredentials, OktaError};
use crate::crypto::ClientKey;
use crate::egress::EgressRequest;
use crate::model::ClientSecret;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Lifetime of an assertion. Okta accepts up to an hour.
const ASSERTION_LIFETIME_SECONDS: i64 = 300;

/// Builds a token request. Each attempt needs a new one, because Okta accepts an assertion once.
pub(super) fn token_request(
    url: &Url,
    credentials: &ClientCredentials,
    scopes: &str,
) -> Result<EgressRequest, OktaError> {
    let form = [("grant_type", "client_credentials"), ("scope", scopes)];
    match &credentials.secret {
        ClientSecret::Shared(secret) => {
            let authorization: HeaderValue = basic(&credentials.client_id, secret)?;
            let request = EgressRequest::post_form(url.clone(), &form);
            Ok(request.header(AUTHORIZATION, authorization))
        }
        ClientSecret::PrivateKey { private_key, .. } => {
            let assertion = assertion(&credentials.client_id, private_key, url, Utc::now())?;
            let [grant, scope] = form;
            let client_type = ("client_assertion_type", ASSERTION_TYPE);
            let client = ("client_assertion", assertion.expose_secret());
            Ok(EgressRequest::post_form(url.clone(), &[grant, scope, client_type, client]))
        }
    }
}

fn assertion(
    client_id: &str,
    private_key: &SecretString,
    audience: &Url,
    now: DateTime<Utc>,
) -> Result<SecretString, OktaError> {
    let now = now.timestamp();
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": audience.as_str(),
        "iat": now,
        "exp": now + ASSERTION_LIFETIME_SECONDS,
        "jti": Uuid::new_v4(),
    });
    Ok(ClientKey::read(private_key)?.sign(&claims)?)
}
