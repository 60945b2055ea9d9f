//! Sends one request to one host: honours the back-off of what is asked there, learns from its 429s,
//! and tries a read once more when the line broke. Understands no body.

use std::time::{Duration, Instant};

use reqwest::header::AUTHORIZATION;
use url::Url;

use super::rate_limit::Bucket;
use super::{AccessToken, OktaClient, OktaError, OrgAddress, rate_limit};
use crate::egress::{EgressError, EgressRequest, EgressResponse, Policy};
use crate::telemetry::metrics;

/// What is safe to send a second time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Retry {
    /// A read: after any break of the line and after 502 and 503.
    Read,
    /// What leaves something behind, a token or a challenge: only when it cannot have been sent.
    Unsent,
}

impl OktaClient {
    /// A `GET` of the org's API with the token.
    pub(super) async fn get_api(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        url: Url,
    ) -> Result<EgressResponse, OktaError> {
        let request = EgressRequest::get(url).header(AUTHORIZATION, token.bearer()?);
        self.send(org.host(), request, Retry::Read).await
    }

    /// Sends the request to this host and no other, at most twice.
    pub(super) async fn send(
        &self,
        host: &str,
        request: EgressRequest,
        retry: Retry,
    ) -> Result<EgressResponse, OktaError> {
        self.send_within(&[host], host, request, retry).await
    }

    /// The same, to a host that stands in a stored URL and counts only if it is an allowed one.
    pub(super) async fn send_within(
        &self,
        allowed_hosts: &[&str],
        host: &str,
        request: EgressRequest,
        retry: Retry,
    ) -> Result<EgressResponse, OktaError> {
        let policy = Policy::Tenant { allowed_hosts };
        let first = self.send_once(policy, host, request.clone()).await?;
        if !(self.retries && retry.wants_another(&first)) {
            return Ok(first?);
        }
        tokio::time::sleep(pause(rate_limit::random_fraction())).await;
        Ok(self.send_once(policy, host, request).await??)
    }

    /// The outer error is a back-off that still holds, the inner one is of the line.
    async fn send_once(
        &self,
        policy: Policy<'_>,
        host: &str,
        request: EgressRequest,
    ) -> Result<Result<EgressResponse, EgressError>, OktaError> {
        let back_off = &self.shared.back_off;
        let bucket = Bucket::of(request.path());
        if let Some(retry_after) = back_off.remaining(host, bucket, Instant::now()) {
            return Err(OktaError::RateLimited { retry_after });
        }
        let answered = self.shared.egress.send(policy, request).await;
        metrics::record_okta_request(bucket.as_str(), outcome(&answered));
        if let Ok(answer) = &answered
            && answer.status.as_u16() == 429
        {
            let retry_after = rate_limit::wait(&answer.headers);
            // A host that is not Okta's could fill the table with names of its own making.
            if self.is_oktas(host) {
                back_off.learn(host, bucket, retry_after, Instant::now());
            }
            return Err(OktaError::RateLimited { retry_after });
        }
        Ok(answered)
    }
}

/// How a request ended, as a label.
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
    /// A time-out is not tried again: it has used up the caller's patience already.
    fn wants_another(self, answered: &Result<EgressResponse, EgressError>) -> bool {
        match (self, answered) {
            (_, Err(EgressError::Connect { .. }))
            | (Self::Read, Err(EgressError::Interrupted { .. })) => true,
            (Self::Read, Ok(answer)) => matches!(answer.status.as_u16(), 502 | 503),
            _ => false,
        }
    }
}

/// 200 to 600 ms.
fn pause(fraction: f64) -> Duration {
    Duration::from_millis(200) + Duration::from_millis(400).mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "the shape that wants_another takes")]
    fn status(code: u16) -> Result<EgressResponse, EgressError> {
        let status = StatusCode::from_u16(code).unwrap();
        Ok(EgressResponse { status, headers: HeaderMap::new(), body: Vec::new() })
    }

    #[test]
    fn a_read_is_tried_again_after_a_bad_gateway_and_a_token_request_is_not() {
        for code in [502, 503] {
            assert!(Retry::Read.wants_another(&status(code)));
            assert!(!Retry::Unsent.wants_another(&status(code)));
        }
        for code in [200, 400, 401, 404, 500, 504] {
            assert!(!Retry::Read.wants_another(&status(code)), "{code}");
        }
    }

    #[test]
    fn time_outs_and_refusals_by_policy_are_final() {
        let refused = Err(EgressError::SpecialPurposeAddress { host: "h".to_owned() });
        assert!(!Retry::Read.wants_another(&Err(EgressError::TimedOut)));
        assert!(!Retry::Read.wants_another(&refused));
    }
}
