//! Sends requests: respects the back-off, records 429s, and retries once where that is safe.

use std::time::{Duration, Instant};

use url::Url;

use super::rate_limit::Bucket;
use super::{AccessToken, OktaClient, OktaError, OrgAddress, rate_limit};
use crate::egress::{EgressError, EgressRequest, EgressResponse, Policy};
use crate::telemetry::metrics;

/// When a request may be retried.
#[derive(Debug, Clone, Copy)]
pub(super) enum Retry {
    /// A read: after a broken connection, 502 and 503.
    Read,
    /// A request with an effect, such as a new token or challenge: only if it was not sent.
    Unsent,
}

impl OktaClient {
    /// Sends a `GET` request to the org's API.
    pub(super) async fn get_api(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        url: Url,
    ) -> Result<EgressResponse, OktaError> {
        self.read_api(org, token, EgressRequest::get(url)).await
    }

    /// Sends a read request with the token to the org's API.
    pub(super) async fn read_api(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        request: EgressRequest,
    ) -> Result<EgressResponse, OktaError> {
        let host = org.host();
        let authorized = || token.authorize(request.clone());
        self.send_twice(&[host], host, authorized, Retry::Read).await
    }

    /// Sends a request to `host`, at most twice.
    pub(super) async fn send(
        &self,
        host: &str,
        request: EgressRequest,
        retry: Retry,
    ) -> Result<EgressResponse, OktaError> {
        self.send_within(&[host], host, request, retry).await
    }

    /// Sends a request to the host of a stored URL, which must be one of `allowed_hosts`.
    pub(super) async fn send_within(
        &self,
        allowed_hosts: &[&str],
        host: &str,
        request: EgressRequest,
        retry: Retry,
    ) -> Result<EgressResponse, OktaError> {
        self.send_twice(allowed_hosts, host, || Ok(request.clone()), retry).await
    }

    /// Sends a request, which `request` builds for each attempt.
    async fn send_twice(
        &self,
        allowed_hosts: &[&str],
        host: &str,
        request: impl Fn() -> Result<EgressRequest, OktaError>,
        retry: Retry,
    ) -> Result<EgressResponse, OktaError> {
        let policy = Policy::Tenant { allowed_hosts };
        let first = self.send_once(policy, host, request()?).await?;
        if !(self.retries && retry.applies_to(&first)) {
            return Ok(first?);
        }
        tokio::time::sleep(retry_delay(rate_limit::random_fraction())).await;
        Ok(self.send_once(policy, host, request()?).await??)
    }

    /// The outer error is a rate limit, the inner one is a failure of the connection.
    async fn send_once(
        &self,
        policy: Policy<'_>,
        host: &str,
        request: EgressRequest,
    ) -> Result<Result<EgressResponse, EgressError>, OktaError> {
        let back_off = &self.shared.back_off;
        let bucket = Bucket::from_path(request.path());
        if let Some(retry_after) = back_off.remaining(host, bucket, Instant::now()) {
            return Err(OktaError::RateLimited { retry_after });
        }
        let answered = self.shared.egress.send(policy, request).await;
        metrics::record_okta_request(bucket.as_str(), outcome(&answered));
        if let Ok(answer) = &answered
            && answer.status.as_u16() == 429
        {
            let retry_after = rate_limit::wait(&answer.headers);
            // Only for Okta's hosts: others could fill the table with arbitrary names.
            if self.is_okta_host(host) {
                back_off.record(host, bucket, retry_after, Instant::now());
            }
            return Err(OktaError::RateLimited { retry_after });
        }
        Ok(answered)
    }
}

/// Returns the outcome of a request as a label for metrics.
fn outcome(answered: &Result<EgressResponse, EgressError>) -> &'static str {
    match answered.as_ref().map(|answer| answer.status.as_u16()) {
        Ok(429) => "rate_limited",
        Ok(200..400) => "answered",
        Ok(400..500) => "refused",
        Ok(_) => "failed",
        Err(_) => "unreachable",
    }
}

impl Retry {
    /// Returns whether to retry. A timeout is not retried, because the caller has waited long enough.
    fn applies_to(self, answered: &Result<EgressResponse, EgressError>) -> bool {
        match (self, answered) {
            (_, Err(EgressError::Connect { .. }))
            | (Self::Read, Err(EgressError::Interrupted { .. })) => true,
            (Self::Read, Ok(answer)) => matches!(answer.status.as_u16(), 502 | 503),
            _ => false,
        }
    }
}

/// Returns 200 to 600 ms.
fn retry_delay(fraction: f64) -> Duration {
    Duration::from_millis(200) + Duration::from_millis(400).mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "the shape that applies_to takes")]
    fn status(code: u16) -> Result<EgressResponse, EgressError> {
        let status = StatusCode::from_u16(code).unwrap();
        Ok(EgressResponse { status, headers: HeaderMap::new(), body: Vec::new() })
    }

    #[test]
    fn reads_are_retried_after_502_and_503_and_token_requests_are_not() {
        for code in [502, 503] {
            assert!(Retry::Read.applies_to(&status(code)));
            assert!(!Retry::Unsent.applies_to(&status(code)));
        }
        for code in [200, 400, 401, 404, 500, 504] {
            assert!(!Retry::Read.applies_to(&status(code)), "{code}");
        }
    }

    #[test]
    fn timeouts_and_policy_refusals_are_not_retried() {
        let refused = Err(EgressError::SpecialPurposeAddress { host: "h".to_owned() });
        assert!(!Retry::Read.applies_to(&Err(EgressError::TimedOut)));
        assert!(!Retry::Read.applies_to(&refused));
    }
}
