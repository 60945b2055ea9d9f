//! Asks for access tokens (facts §3): once with all scopes to prove new credentials, and through the
//! cache for work. Keeps nothing on disk and sends credentials to canonical hosts only.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::header::AUTHORIZATION;
use secrecy::SecretString;
use serde::Deserialize;

use super::client::url_of;
use super::error::clean_name;
use super::transport::Retry;
use super::{
    AccessToken, ClientCredentials, OktaClient, OktaError, OrgAddress, ProvedGrant, TokenKey,
    answer,
};
use crate::egress::EgressRequest;
use crate::model::{IntegrationId, TenantId};

const TOKEN_PATH: &str = "/oauth2/v1/token";

/// The longest lifetime that is believed; Okta's is an hour.
const LONGEST_LIFETIME: Duration = Duration::from_hours(24);

/// The most scopes that are kept; a client is granted some ten.
const MOST_SCOPES: usize = 100;

/// The answer of the token endpoint (RFC 6749 §5.1). No `Debug`: it holds the token.
#[derive(Deserialize)]
struct OktaToken {
    token_type: String,
    expires_in: u64,
    access_token: String,
    /// Optional in the RFC, always sent by Okta; without it nothing would be proved.
    scope: String,
}

impl OktaClient {
    /// Asks for a token with all required scopes, past the cache, and compares what was granted:
    /// Okta may drop scopes silently.
    ///
    /// # Errors
    /// Okta's refusal. Scopes that are missing are not one: see [`ProvedGrant::require_all`].
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

    /// A token with the read scopes, from the cache while it is good; one request in flight per key.
    /// Near its end it is replaced, and still used if Okta cannot be asked just then.
    ///
    /// # Errors
    /// Okta's refusal. Granted scopes are not compared: look at [`AccessToken::granted`].
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

    /// Drops all tokens of the integration: after its credentials or the integration itself went.
    pub fn forget_tokens(&self, tenant: &TenantId, integration: IntegrationId) {
        self.shared.tokens.forget(tenant, integration);
    }

    /// Drops the integration's cached token if `grant` shows that a new one would have more scopes.
    pub async fn drop_poor_token(&self, key: &TokenKey, grant: &ProvedGrant) {
        let read = &self.shared.settings.read_scopes;
        let granted: Vec<&String> =
            read.iter().filter(|scope| grant.granted.contains(*scope)).collect();
        self.shared.tokens.drop_poor(key, &granted).await;
    }

    /// Runs a call with a token. If Okta says that the token is dead or lacks a scope, the call is run
    /// once more with a new one: the scope may have been granted since. A token that was issued only
    /// just now is not replaced for a scope that it lacks.
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
            Err(error) if self.is_stale(&token, &error) => {
                self.shared.tokens.drop_dead(key, &token).await;
                call(self.access_token(key, org, credentials).await?).await
            }
            outcome => outcome,
        }
    }

    /// Whether a new token may do better than this one, which Okta refused with `error`.
    fn is_stale(&self, token: &AccessToken, error: &OktaError) -> bool {
        match error {
            OktaError::TokenExpired => true,
            OktaError::InsufficientScope { .. } => {
                token.age(Instant::now()) >= self.shared.settings.poor_token_age
            }
            _ => false,
        }
    }

    async fn request_token(
        &self,
        org: &OrgAddress,
        credentials: &ClientCredentials,
        scopes: &[String],
    ) -> Result<AccessToken, OktaError> {
        let scope = scopes.join(" ");
        let form = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
        let request = EgressRequest::post_form(url_of(org.host(), TOKEN_PATH)?, &form)
            .header(AUTHORIZATION, credentials.basic()?);
        // The lifetime starts before the answer travels, so that a token never seems to live longer.
        let issued_at = Instant::now();
        let answered = self.send(org.host(), request, Retry::Unsent).await?;
        let body =
            answer::token(&answered).map_err(|error| error.without(&credentials.client_secret))?;
        read_token(body, issued_at)
    }
}

fn read_token(body: &[u8], issued_at: Instant) -> Result<AccessToken, OktaError> {
    // The parser's own message is left out: it may quote a piece of the body.
    let read: OktaToken = serde_json::from_slice(body)
        .map_err(|_| OktaError::bad_answer("a token answer without the fields of one"))?;
    if read.token_type.eq_ignore_ascii_case("dpop") {
        return Err(OktaError::DpopRequired);
    }
    if !read.token_type.eq_ignore_ascii_case("bearer") || read.access_token.is_empty() {
        return Err(OktaError::bad_answer("a token that is not a bearer token"));
    }
    let granted: BTreeSet<String> =
        read.scope.split_whitespace().take(MOST_SCOPES).map(clean_name).collect();
    let lifetime = Duration::from_secs(read.expires_in).min(LONGEST_LIFETIME);
    Ok(AccessToken::new(SecretString::from(read.access_token), granted, issued_at, lifetime))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<AccessToken, OktaError> {
        read_token(body.as_bytes(), Instant::now())
    }

    #[test]
    fn a_token_answer_gives_the_granted_scopes() {
        let token = read(r#"{"token_type":"Bearer","expires_in":3600,"access_token":"eyJ","scope":"a  b","x":1}"#).unwrap();
        assert_eq!(token.granted().iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(token.is_good_at(Instant::now() + Duration::from_mins(50), Duration::ZERO));
    }

    #[test]
    fn scopes_are_kept_short_and_printable_and_not_without_end() {
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
        assert_eq!(read(&body).unwrap().granted().len(), MOST_SCOPES);
    }

    #[test]
    fn a_lifetime_beyond_belief_is_cut() {
        let token = read(&format!(
            r#"{{"token_type":"bearer","expires_in":{},"access_token":"t","scope":""}}"#,
            u64::MAX
        ))
        .unwrap();
        assert!(!token.is_good_at(Instant::now() + LONGEST_LIFETIME, Duration::ZERO));
    }

    #[test]
    fn an_answer_that_is_no_token_is_refused_without_quoting_it() {
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
        let dpop = read(r#"{"token_type":"DPoP","expires_in":3600,"access_token":"t","scope":""}"#);
        assert!(matches!(dpop, Err(OktaError::DpopRequired)));
    }
}
