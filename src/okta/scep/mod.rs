//! What Okta gives as a SCEP CA (facts §8): one-time challenges for devices, and the CA's own
//! certificate. Enrols nothing itself: that is the device's part.
//!
//! Both URLs come from the customer and are opaque; they are asked only at hosts that the caller
//! allows.

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
use super::credentials::basic;
use super::transport::Retry;
use super::{OktaClient, OktaError, ScepEndpoint, answer};
use crate::egress::{EgressRequest, EgressResponse};

/// The most bytes of a challenge page or of a CA's answer that are read. Real ones have some 2 kB.
const BODY_LIMIT: usize = 256 * 1024;

/// Where challenges come from. Its debug print shows no secret.
#[derive(Clone)]
pub struct ScepChallengeSource {
    pub challenge_url: Url,
    /// Without a colon, which HTTP Basic takes for its end.
    pub username: String,
    pub password: SecretString,
}

/// A challenge, which enrols one device once. Its debug print shows no secret.
#[derive(Clone)]
pub struct ScepChallenge {
    pub value: SecretString,
    /// When it was asked for, so never later than Okta's own time of issue.
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
    /// Mints one fresh challenge, with one request that carries the credentials from the start.
    /// Sent again only when it cannot have been sent: each fetch leaves a challenge behind.
    ///
    /// # Errors
    /// `ScepCredentialsRefused`, `NetworkZoneBlocked`, `ScepWrongUrl`, `ChallengeCacheFull`,
    /// `ScepPermissionMissing` or `ScepChallengeMissing`; `Unreachable` and `RateLimited` when there was no answer to judge.
    pub async fn fetch_scep_challenge(
        &self,
        allowed_hosts: &[&str],
        source: &ScepChallengeSource,
    ) -> Result<ScepChallenge, OktaError> {
        let request = get(&source.challenge_url)
            .header(AUTHORIZATION, basic(&source.username, &source.password)?);
        // To the microsecond, like every other time that is answered.
        let issued_at = Utc::now().trunc_subsecs(6);
        let too_large = OktaError::ScepChallengeMissing { what: "the page is too large" };
        let answered = self
            .fetch(allowed_hosts, &source.challenge_url, request, Retry::Unsent)
            .await
            .map_err(|error| instead_of_too_large(error, too_large))?;
        let value = challenge_page::read(challenge_body(&answered)?)?;
        Ok(ScepChallenge { value, issued_at })
    }

    /// Asks the CA for its certificate (`GetCACert`). An expired one is an answer like any other.
    ///
    /// # Errors
    /// `NetworkZoneBlocked`, `ScepWrongUrl` or `ScepCaUnreadable`; `Unreachable` and `RateLimited` when there was no answer
    /// to judge.
    pub async fn fetch_ca_certificate(
        &self,
        allowed_hosts: &[&str],
        scep_url: &Url,
    ) -> Result<CaCertificate, OktaError> {
        let url = ca_certificate_url(scep_url);
        let too_large = OktaError::ScepCaUnreadable { what: "the answer is too large" };
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

/// Whatever comes is welcome: servers mislabel both pages and certificates.
fn get(url: &Url) -> EgressRequest {
    EgressRequest::get(url.clone())
        .header(ACCEPT, HeaderValue::from_static("*/*"))
        .body_limit(BODY_LIMIT)
}

/// The operation joins what the query already says, byte for byte.
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

/// The body of a 200. Redirects are not followed, so they too mean that the URL is not the one.
fn body(answer: &EgressResponse, endpoint: ScepEndpoint) -> Result<&[u8], OktaError> {
    if answer.status == StatusCode::OK {
        return Ok(&answer.body);
    }
    // A blocked network zone answers so at every address of the org. Nothing is said of a password.
    if answer.status == StatusCode::FORBIDDEN {
        return Err(OktaError::NetworkZoneBlocked);
    }
    let status = answer.status.as_u16();
    Err(answer::common_refusal(answer).unwrap_or(OktaError::ScepWrongUrl { endpoint, status }))
}

/// Before there is a body to judge, `BadAnswer` means one thing: it is over the limit.
fn instead_of_too_large(error: OktaError, too_large: OktaError) -> OktaError {
    match error {
        OktaError::BadAnswer { .. } => too_large,
        other => other,
    }
}
