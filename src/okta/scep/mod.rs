//! Okta as a SCEP CA: fetches one-time challenges for devices and the CA certificate. The device enrols
//! itself.
//!
//! Both URLs are entered by the customer and are opaque. Requests go only to hosts that the caller allows.

mod ca_certificate;
mod challenge_page;
mod page_text;
#[cfg(test)]
mod tests;

use chrono::{DateTime, SubsecRound, Utc};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use secrecy::SecretString;
use url::Url;

pub use self::ca_certificate::CaCertificate;
use super::header_values::basic;
use super::transport::Retry;
use super::{OktaClient, OktaError, ScepEndpoint, answer};
use crate::egress::{EgressRequest, EgressResponse};

/// Maximum size of a challenge page or a CA response. Real ones have about 2 kB.
const BODY_LIMIT: usize = 256 * 1024;

/// The source of challenges. `Debug` does not show the password.
#[derive(Clone)]
pub struct ScepChallengeSource {
    pub challenge_url: Url,
    /// Must not contain a colon, which ends the user name in HTTP Basic.
    pub username: String,
    pub password: SecretString,
}

/// A challenge, which enrols one device once. `Debug` does not show it.
#[derive(Clone)]
pub struct ScepChallenge {
    pub value: SecretString,
    /// The time before the request, so never later than Okta's time of issue.
    pub issued_at: DateTime<Utc>,
}

impl std::fmt::Debug for ScepChallengeSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScepChallengeSource")
            .field("host", &self.challenge_url.host_str())
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ScepChallenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScepChallenge").field("issued_at", &self.issued_at).finish_non_exhaustive()
    }
}

impl OktaClient {
    /// Mints a challenge with one request, which includes the credentials from the start. Retried only if
    /// nothing was sent, because each request creates a challenge.
    ///
    /// # Errors
    /// `ScepCredentialsRefused`, `NetworkZoneBlocked`, `ScepWrongUrl`, `ChallengeCacheFull`,
    /// `ScepPermissionMissing`, `ScepChallengeMissing`, `Unreachable` or `RateLimited`.
    pub async fn fetch_scep_challenge(
        &self,
        allowed_hosts: &[&str],
        source: &ScepChallengeSource,
    ) -> Result<ScepChallenge, OktaError> {
        let request = get(&source.challenge_url)
            .header(AUTHORIZATION, basic(&source.username, &source.password)?);
        // Microseconds, like all other times in API responses.
        let issued_at = Utc::now().trunc_subsecs(6);
        let too_large = OktaError::ScepChallengeMissing { what: "the page is too large" };
        let answered = self
            .fetch(allowed_hosts, &source.challenge_url, request, Retry::Unsent)
            .await
            .map_err(|error| instead_of_too_large(error, too_large))?;
        let value = challenge_page::read(challenge_body(&answered)?)?;
        Ok(ScepChallenge { value, issued_at })
    }

    /// Fetches the CA certificate (`GetCACert`). Does not check its validity.
    ///
    /// # Errors
    /// `NetworkZoneBlocked`, `ScepWrongUrl`, `ScepCaUnreadable`, `Unreachable` or `RateLimited`.
    pub async fn fetch_ca_certificate(
        &self,
        allowed_hosts: &[&str],
        scep_url: &Url,
    ) -> Result<CaCertificate, OktaError> {
        let url = ca_certificate_url(scep_url);
        let too_large = OktaError::ScepCaUnreadable { what: "the response is too large" };
        let answered = self
            .fetch(allowed_hosts, &url, get(&url), Retry::Read)
            .await
            .map_err(|error| instead_of_too_large(error, too_large))?;
        ca_certificate::read(ca_body(&answered)?)
    }

    async fn fetch(
        &self,
        allowed_hosts: &[&str],
        url: &Url,
        request: EgressRequest,
        retry: Retry,
    ) -> Result<EgressResponse, OktaError> {
        self.send_within(allowed_hosts, url.host_str().unwrap_or_default(), request, retry).await
    }
}

/// Builds a `GET` request that accepts any content type, because servers mislabel pages and certificates.
fn get(url: &Url) -> EgressRequest {
    EgressRequest::get(url.clone())
        .header(ACCEPT, HeaderValue::from_static("*/*"))
        .body_limit(BODY_LIMIT)
}

/// Appends the operation to the query without changing the rest.
fn ca_certificate_url(scep_url: &Url) -> Url {
    let mut url = scep_url.clone();
    let query = match scep_url.query() {
        Some(query) if !query.is_empty() => format!("{query}&operation=GetCACert"),
        _ => "operation=GetCACert".to_owned(),
    };
    url.set_query(Some(&query));
    url.set_fragment(None);
    url
}

fn challenge_body(answer: &EgressResponse) -> Result<&[u8], OktaError> {
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(OktaError::ScepCredentialsRefused);
    }
    if answer.status == StatusCode::FORBIDDEN && answer.headers.contains_key(WWW_AUTHENTICATE) {
        return Err(OktaError::ScepCredentialsRefused);
    }
    body(answer, ScepEndpoint::ChallengeUrl)
}

fn ca_body(answer: &EgressResponse) -> Result<&[u8], OktaError> {
    body(answer, ScepEndpoint::ScepUrl)
}

/// Returns the body of a 200 response. Redirects are not followed, so they mean a wrong URL.
fn body(answer: &EgressResponse, endpoint: ScepEndpoint) -> Result<&[u8], OktaError> {
    if answer.status == StatusCode::OK {
        return Ok(&answer.body);
    }
    // Okta answers 403 on every path when a network zone blocks the caller. It says nothing about the
    // password.
    if answer.status == StatusCode::FORBIDDEN {
        return Err(OktaError::NetworkZoneBlocked);
    }
    let status = answer.status.as_u16();
    Err(answer::common_refusal(answer).unwrap_or(OktaError::ScepWrongUrl { endpoint, status }))
}

/// Replaces `BadAnswer`, which at this point means that the body is too large.
fn instead_of_too_large(error: OktaError, too_large: OktaError) -> OktaError {
    match error {
        OktaError::BadAnswer { .. } => too_large,
        other => other,
    }
}
