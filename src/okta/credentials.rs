//! The address of an org, client credentials and tokens. `Debug` shows no secret, and secrets are exposed
//! only to build a header.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};

use super::OktaError;
use super::dpop::{DPOP, proof};
use super::header_values::sensitive;
use crate::crypto::ProofKey;
use crate::egress::EgressRequest;
use crate::model::integrations::okta_domain::{OktaDomain, OktaDomainError, OktaSuffixes};
use crate::model::{ClientSecret, IntegrationId, StoredCredentials, TenantId};

/// The canonical host of an org. It is always under one of Okta's suffixes, so that credentials cannot be
/// sent to any other host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrgAddress(String);

impl OrgAddress {
    /// Parses a canonical host.
    ///
    /// # Errors
    /// `InvalidHost` if it is not under one of the suffixes; those of [`OktaDomain::parse`].
    pub fn parse(host: &str, suffixes: &OktaSuffixes) -> Result<Self, OktaDomainError> {
        let domain = OktaDomain::parse(host, suffixes)?;
        if domain.is_custom() {
            return Err(OktaDomainError::InvalidHost);
        }
        Ok(Self(domain.host().to_owned()))
    }

    /// Returns the host name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0
    }
}

/// The id of a client and its secret or private key.
#[derive(Clone)]
pub struct ClientCredentials {
    pub client_id: String,
    pub secret: ClientSecret,
}

impl From<StoredCredentials> for ClientCredentials {
    fn from(stored: StoredCredentials) -> Self {
        Self { client_id: stored.client_id, secret: stored.secret }
    }
}

impl std::fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// The key of a cached token. Tenants of the same org do not share tokens, and new credentials do not use
/// tokens of the previous ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenKey {
    pub tenant: TenantId,
    pub integration: IntegrationId,
    pub credentials_version: i64,
}

/// An opaque access token. Cheap to clone; never stored.
#[derive(Clone)]
pub struct AccessToken(Arc<Issued>);

struct Issued {
    value: SecretString,
    /// The key that the token is bound to; `None` for a bearer token.
    key: Option<Arc<ProofKey>>,
    granted: BTreeSet<String>,
    since: Instant,
    lifetime: Duration,
}

impl AccessToken {
    pub(super) fn new(
        value: SecretString,
        key: Option<Arc<ProofKey>>,
        granted: BTreeSet<String>,
        since: Instant,
        lifetime: Duration,
    ) -> Self {
        Self(Arc::new(Issued { value, key, granted, since, lifetime }))
    }

    /// Returns the granted scopes, which may be fewer than requested.
    #[must_use]
    pub fn granted(&self) -> &BTreeSet<String> {
        &self.0.granted
    }

    /// Returns whether the token is valid for `margin` longer. A margin above half of the lifetime counts
    /// as half.
    pub(super) fn is_good_at(&self, now: Instant, margin: Duration) -> bool {
        let useful = self.0.lifetime.saturating_sub(margin.min(self.0.lifetime / 2));
        now < self.0.since + useful
    }

    /// Returns the time since the token was requested.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.0.since)
    }

    /// Returns whether both are clones of the same token.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Adds the token to a request, with a proof if the token is bound to a key. Must be called for each
    /// attempt, because Okta accepts a proof once.
    pub(super) fn authorize(&self, request: EgressRequest) -> Result<EgressRequest, OktaError> {
        let scheme = if self.0.key.is_some() { "DPoP" } else { "Bearer" };
        let value = format!("{scheme} {}", self.0.value.expose_secret());
        let value = sensitive(&SecretString::from(value))?;
        let Some(key) = &self.0.key else { return Ok(request.header(AUTHORIZATION, value)) };
        let proof = proof(key, request.method(), request.url(), None, Some(&self.0.value))?;
        Ok(request.header(AUTHORIZATION, value).header(DPOP, proof))
    }
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken").field("granted", &self.0.granted).finish_non_exhaustive()
    }
}

/// The result of a token request with all required scopes.
#[derive(Debug, Clone)]
pub struct ProvedGrant {
    pub granted: BTreeSet<String>,
    /// Requested but not granted, in the requested order.
    pub missing: Vec<String>,
    pub token: AccessToken,
}

impl ProvedGrant {
    /// Checks that all scopes were granted.
    ///
    /// # Errors
    /// `MissingScopes` with all missing scopes.
    pub fn require_all(&self) -> Result<(), OktaError> {
        if self.missing.is_empty() {
            Ok(())
        } else {
            Err(OktaError::MissingScopes(self.missing.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::header_values::basic;
    use super::*;

    fn token(lifetime: u64) -> (AccessToken, Instant) {
        let now = Instant::now();
        let value = SecretString::from("canary-token");
        (AccessToken::new(value, None, BTreeSet::new(), now, Duration::from_secs(lifetime)), now)
    }

    #[test]
    fn a_token_is_refreshed_before_it_expires() {
        let (token, now) = token(3600);
        let margin = Duration::from_secs(300);
        assert!(token.is_good_at(now + Duration::from_secs(3299), margin));
        assert!(!token.is_good_at(now + Duration::from_secs(3300), margin));
        assert!(token.is_good_at(now + Duration::from_secs(3599), Duration::ZERO));
    }

    #[test]
    fn a_short_lived_token_is_used_for_half_of_its_lifetime() {
        let (token, now) = token(60);
        assert!(token.is_good_at(now + Duration::from_secs(29), Duration::from_secs(300)));
        assert!(!token.is_good_at(now + Duration::from_secs(30), Duration::from_secs(300)));
    }

    #[test]
    fn debug_output_contains_neither_secret_nor_token() {
        let (token, _) = token(60);
        let secret = SecretString::from("canary-secret");
        let credentials = ClientCredentials {
            client_id: "0oa1".to_owned(),
            secret: ClientSecret::Shared(secret.clone()),
        };
        let basic = basic("0oa1", &secret).unwrap();
        let printed = format!("{token:?} {credentials:?} {basic:?}");
        assert!(!printed.contains("canary") && !printed.contains("Basic"), "{printed}");
        assert_eq!(basic.as_bytes(), b"Basic MG9hMTpjYW5hcnktc2VjcmV0");
    }

    #[test]
    fn an_org_address_must_be_under_oktas_suffixes() {
        let suffixes = OktaSuffixes::default();
        assert!(OrgAddress::parse("acme.okta.com", &suffixes).is_ok());
        for host in ["login.acme.example", "acme.okta.com.evil.example", "evilokta.com"] {
            assert_eq!(OrgAddress::parse(host, &suffixes), Err(OktaDomainError::InvalidHost));
        }
    }
}
