//! The client, its settings, and the state that its clones share.

use std::sync::Arc;
use std::time::Duration;

use super::dpop::Proofs;
use super::rate_limit::BackOff;
use super::token_cache::TokenCache;
use super::{OktaError, OrgAddress};
use crate::egress::Egress;
use crate::model::integrations::okta_domain::OktaSuffixes;

/// The scopes that a connect and a check require.
pub const REQUIRED_SCOPES: [&str; 3] =
    ["okta.devices.manage", "okta.devices.read", "okta.authenticators.read"];

/// The scopes of tokens for reads. `okta.devices.manage` is requested only where it is needed.
pub const READ_SCOPES: [&str; 2] = ["okta.devices.read", "okta.authenticators.read"];

/// Settings of the client.
#[derive(Debug, Clone)]
pub struct OktaSettings {
    /// The domain suffixes of Okta orgs.
    pub suffixes: OktaSuffixes,
    pub required_scopes: Vec<String>,
    pub read_scopes: Vec<String>,
    /// How long before its expiry a token is replaced. Default 5 minutes.
    pub early_refresh: Duration,
    /// Maximum number of cached tokens. Default 10,000.
    pub cached_tokens: u64,
    /// Minimum age of a token that is replaced because it lacks a scope. Default 30 seconds.
    pub min_token_age_for_new_scopes: Duration,
}

impl Default for OktaSettings {
    fn default() -> Self {
        Self {
            suffixes: OktaSuffixes::default(),
            required_scopes: REQUIRED_SCOPES.map(str::to_owned).to_vec(),
            read_scopes: READ_SCOPES.map(str::to_owned).to_vec(),
            early_refresh: Duration::from_mins(5),
            cached_tokens: 10_000,
            min_token_age_for_new_scopes: Duration::from_secs(30),
        }
    }
}

/// A client of Okta's API. Cheap to clone; clones share tokens, back-off and connections.
#[derive(Clone)]
pub struct OktaClient {
    pub(super) shared: Arc<Shared>,
    pub(super) retries: bool,
}

pub(super) struct Shared {
    pub egress: Egress,
    pub settings: OktaSettings,
    pub back_off: BackOff,
    pub tokens: TokenCache,
    pub proofs: Proofs,
}

impl OktaClient {
    /// Creates a client. Makes no request.
    #[must_use]
    pub fn new(egress: Egress, settings: OktaSettings) -> Self {
        let tokens = TokenCache::new(settings.cached_tokens, settings.early_refresh);
        let (back_off, proofs) = (BackOff::default(), Proofs::default());
        let shared = Shared { egress, settings, back_off, tokens, proofs };
        Self { shared: Arc::new(shared), retries: true }
    }

    /// Returns a clone that does not retry, for connects, which make at most 4 requests.
    #[must_use]
    pub fn without_retries(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), retries: false }
    }

    /// Returns the domain suffixes of Okta orgs.
    #[must_use]
    pub fn suffixes(&self) -> &OktaSuffixes {
        &self.shared.settings.suffixes
    }

    /// Returns whether the host is under one of Okta's suffixes.
    pub(super) fn is_okta_host(&self, host: &str) -> bool {
        OrgAddress::parse(host, self.suffixes()).is_ok_and(|address| address.host() == host)
    }
}

/// Builds an https URL.
pub(super) fn https_url(host: &str, path: &str) -> Result<url::Url, OktaError> {
    url::Url::parse(&format!("https://{host}{path}"))
        .map_err(|_| OktaError::OrgNotFound { host: host.to_owned() })
}
