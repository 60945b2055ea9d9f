//! Requests access tokens: with all scopes to check credentials, and through the cache for reads. Tokens are
//! never stored, and credentials are sent to canonical hosts only.
//! Requests of clients that require DPoP carry proofs (RFC 9449).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;

use super::answer::TokenRefusal;
use super::client::https_url;
use super::client_authentication::token_request;
use super::dpop::{DPOP, proof};
use super::error::clean_name;
use super::transport::Retry;
use super::{
    AccessToken, ClientCredentials, OktaClient, OktaError, OrgAddress, ProvedGrant, TokenKey,
    answer,
};
use crate::crypto::ProofKey;
use crate::egress::EgressResponse;
use crate::model::{ClientSecret, IntegrationId, TenantId};

const TOKEN_PATH: &str = "/oauth2/v1/token";

/// Maximum lifetime of a token. Okta's tokens live for an hour.
const MAX_LIFETIME: Duration = Duration::from_hours(24);

/// At most one request without a proof, one without a nonce and one with it.
const MAX_TOKEN_REQUESTS: usize = 3;

/// A larger difference of the clocks is reported as the reason why Okta refused a signature. Okta refuses
/// proofs that are older than 5 minutes.
const MAX_CLOCK_SKEW_SECONDS: i64 = 60;

/// Maximum number of granted scopes; a client has about ten.
const MAX_SCOPES: usize = 100;

/// A response of the token endpoint (RFC 6749 §5.1). No `Debug`: it contains the token.
#[derive(Deserialize)]
struct OktaToken {
    token_type: String,
    expires_in: u64,
    access_token: String,
    /// Optional in the RFC, but Okta always sends it. Required here, because it proves the granted scopes.
    scope: String,
}

impl OktaClient {
    /// Requests a token with all required scopes, without the cache, and compares the granted scopes,
    /// because Okta may drop scopes silently.
    ///
    /// # Errors
    /// Okta's refusal. Missing scopes are no error here, see [`ProvedGrant::require_all`].
    pub async fn prove_credentials(
        &self,
        org: &OrgAddress,
        credentials: &ClientCredentials,
    ) -> Result<ProvedGrant, OktaError> {
        let asked = &self.shared.settings.required_scopes;
        let token = self.request_token(org, credentials, asked).await?;
        let granted = token.granted().clone();
        let missing = asked.iter().filter(|scope| !granted.contains(*scope)).cloned().collect();
        Ok(ProvedGrant { granted, missing, token })
    }

    /// Returns a token with the read scopes from the cache, or requests one. At most one request per key is
    /// in flight. A token is replaced before it expires, but still used if Okta is unavailable then.
    ///
    /// # Errors
    /// Okta's refusal. Granted scopes are not compared, see [`AccessToken::granted`].
    pub async fn access_token(
        &self,
        key: &TokenKey,
        org: &OrgAddress,
        credentials: &ClientCredentials,
    ) -> Result<AccessToken, OktaError> {
        let asked = &self.shared.settings.read_scopes;
        let request = || self.request_token(org, credentials, asked);
        self.shared.tokens.get_or_request(key, request).await
    }

    /// Removes all tokens of an integration from the cache, after its credentials or the integration were
    /// deleted.
    pub fn evict_tokens(&self, tenant: &TenantId, integration: IntegrationId) {
        self.shared.tokens.evict(tenant, integration);
    }

    /// Removes the cached token if `grant` shows that a new one would have more scopes.
    pub async fn evict_token_with_fewer_scopes(&self, key: &TokenKey, grant: &ProvedGrant) {
        let read = &self.shared.settings.read_scopes;
        let granted: Vec<&String> =
            read.iter().filter(|scope| grant.granted.contains(*scope)).collect();
        self.shared.tokens.evict_with_fewer_scopes(key, &granted).await;
    }

    /// Runs `call` with a token. If Okta rejects the token or it lacks a scope, runs it once more with a
    /// new one, because the scope may have been granted since. A new token is not replaced for a missing
    /// scope.
    ///
    /// # Errors
    /// Those of the call and of [`OktaClient::access_token`].
    pub async fn with_token<T, F>(
        &self,
        key: &TokenKey,
        org: &OrgAddress,
        credentials: &ClientCredentials,
        call: impl Fn(AccessToken) -> F,
    ) -> Result<T, OktaError>
    where
        F: Future<Output = Result<T, OktaError>>,
    {
        let token = self.access_token(key, org, credentials).await?;
        match call(token.clone()).await {
            Err(error) if self.is_worth_replacing(&token, &error) => {
                self.shared.tokens.remove_rejected(key, &token).await;
                call(self.access_token(key, org, credentials).await?).await
            }
            outcome => outcome,
        }
    }

    /// Returns whether a new token may succeed after Okta refused this one with `error`.
    fn is_worth_replacing(&self, token: &AccessToken, error: &OktaError) -> bool {
        match error {
            OktaError::TokenExpired => true,
            OktaError::InsufficientScope { .. } => {
                token.age(Instant::now()) >= self.shared.settings.min_token_age_for_new_scopes
            }
            _ => false,
        }
    }

    /// Requests a token. Adds a DPoP proof if Okta has required one from this client before, or does now.
    async fn request_token(
        &self,
        org: &OrgAddress,
        credentials: &ClientCredentials,
        scopes: &[String],
    ) -> Result<AccessToken, OktaError> {
        let (host, client_id) = (org.host(), credentials.client_id.as_str());
        let url = https_url(host, TOKEN_PATH)?;
        let proofs = &self.shared.proofs;
        let org_proofs = proofs.for_org(host)?;
        let mut with_proof = proofs.requires_proof(host, client_id);
        let mut nonce = org_proofs.nonce();
        for _ in 0..MAX_TOKEN_REQUESTS {
            let mut request = token_request(&url, credentials, &scopes.join(" "))?;
            if with_proof {
                let key = org_proofs.key();
                let proof = proof(&key, &Method::POST, &url, nonce.as_deref(), None)?;
                request = request.header(DPOP, proof);
            }
            // The lifetime is counted from before the request, so that it is never overestimated.
            let issued_at = Instant::now();
            let answered = self.send(host, request, Retry::Unsent).await?;
            org_proofs.save_nonce(&answered.headers);
            match answer::token(&answered) {
                Ok(body) => {
                    return read_token(body, with_proof.then(|| org_proofs.key()), issued_at);
                }
                Err(TokenRefusal::Final(refusal)) => {
                    return Err(explain(refusal, &credentials.secret, &answered));
                }
                Err(TokenRefusal::ProofRequired) => {
                    let newest = org_proofs.nonce();
                    if with_proof && nonce == newest {
                        let refusal = OktaError::bad_answer("the DPoP proof was refused");
                        return Err(explain_by_clock(refusal, &answered));
                    }
                    proofs.save_proof_required(host, client_id);
                    (with_proof, nonce) = (true, newest);
                }
            }
        }
        Err(OktaError::bad_answer("each DPoP nonce was refused for another one"))
    }
}

/// Converts a refusal to the error for the client's kind of credentials.
fn explain(refusal: OktaError, secret: &ClientSecret, answered: &EgressResponse) -> OktaError {
    match (refusal, secret) {
        (OktaError::InvalidClient { message }, ClientSecret::PrivateKey { .. }) => {
            explain_by_clock(OktaError::KeyRefused { message }, answered)
        }
        (refusal, ClientSecret::PrivateKey { .. }) => refusal,
        (refusal, ClientSecret::Shared(secret)) => refusal.without(secret),
    }
}

/// Returns `ClockSkew` instead of the refusal of a signature if the clocks differ, because a signed request
/// contains the time.
fn explain_by_clock(refusal: OktaError, answered: &EgressResponse) -> OktaError {
    match answer::clock_skew(answered) {
        Some(seconds) if seconds.abs() > MAX_CLOCK_SKEW_SECONDS => OktaError::ClockSkew { seconds },
        _ => refusal,
    }
}

/// Parses a token response. `key` is the key of the proof that was sent, to which a DPoP token is bound.
fn read_token(
    body: &[u8],
    key: Option<Arc<ProofKey>>,
    issued_at: Instant,
) -> Result<AccessToken, OktaError> {
    // The parser's message is dropped, because it may quote the body.
    let read: OktaToken = serde_json::from_slice(body)
        .map_err(|_| OktaError::bad_answer("the token response lacks required fields"))?;
    let is_bound = read.token_type.eq_ignore_ascii_case("dpop") && key.is_some();
    let is_bearer = read.token_type.eq_ignore_ascii_case("bearer");
    if !(is_bound || is_bearer) || read.access_token.is_empty() {
        return Err(OktaError::bad_answer("the token has an unexpected type"));
    }
    let granted: BTreeSet<String> =
        read.scope.split_whitespace().take(MAX_SCOPES).map(clean_name).collect();
    let lifetime = Duration::from_secs(read.expires_in).min(MAX_LIFETIME);
    let key = key.filter(|_| is_bound);
    Ok(AccessToken::new(SecretString::from(read.access_token), key, granted, issued_at, lifetime))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<AccessToken, OktaError> {
        read_token(body.as_bytes(), None, Instant::now())
    }

    #[test]
    fn granted_scopes_are_read() {
        let token = read(r#"{"token_type":"Bearer","expires_in":3600,"access_token":"eyJ","scope":"a  b","x":1}"#).unwrap();
        assert_eq!(token.granted().iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(token.is_good_at(Instant::now() + Duration::from_mins(50), Duration::ZERO));
    }

    #[test]
    fn scopes_are_sanitized_and_limited() {
        let scopes = format!("a\\u0000b {} {}", "x".repeat(500), "c d ".repeat(500));
        let body = format!(
            r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"t","scope":"{scopes}"}}"#
        );
        let token = read(&body).unwrap();
        assert_eq!(
            token.granted().iter().map(String::as_str).collect::<Vec<_>>(),
            ["ab", "c", "d", "x".repeat(64).as_str()]
        );
        let many = (0..500).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let body = format!(
            r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"t","scope":"{many}"}}"#
        );
        assert_eq!(read(&body).unwrap().granted().len(), MAX_SCOPES);
    }

    #[test]
    fn the_lifetime_is_capped() {
        let token = read(&format!(
            r#"{{"token_type":"bearer","expires_in":{},"access_token":"t","scope":""}}"#,
            u64::MAX
        ))
        .unwrap();
        assert!(!token.is_good_at(Instant::now() + MAX_LIFETIME, Duration::ZERO));
    }

    #[test]
    fn an_invalid_token_response_is_refused_without_quoting_it() {
        for body in [
            "",
            "<html>canary</html>",
            r#"{"access_token":"canary"}"#,
            r#"{"token_type":"Bearer","expires_in":3600,"access_token":"canary"}"#,
            r#"{"token_type":"Bearer","expires_in":"canary","access_token":"canary","scope":""}"#,
            r#"{"token_type":"Bearer","expires_in":3600,"access_token":"","scope":""}"#,
            r#"{"token_type":"N_A","expires_in":3600,"access_token":"canary","scope":""}"#,
        ] {
            let error = read(body).unwrap_err();
            assert!(matches!(error, OktaError::BadAnswer { .. }), "{body}");
            assert!(!format!("{error:?} {error}").contains("canary"));
        }
    }

    #[test]
    fn a_dpop_token_is_taken_only_for_a_proof_that_was_sent() {
        let body = r#"{"token_type":"DPoP","expires_in":3600,"access_token":"t","scope":""}"#;
        assert!(matches!(read(body), Err(OktaError::BadAnswer { .. })));
        let key = Arc::new(ProofKey::generate().unwrap());
        assert!(read_token(body.as_bytes(), Some(key), Instant::now()).is_ok());
    }
}
