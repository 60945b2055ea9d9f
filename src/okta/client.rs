//! The client itself: what it is built from and what its clones share.

use std::sync::Arc;
use std::time::Duration;

use super::rate_limit::BackOff;
use super::token_cache::TokenCache;
use super::{OktaError, OrgAddress};
use crate::egress::Egress;
use crate::model::integrations::okta_domain::OktaSuffixes;

/// The scopes that are proved at connect (facts §3).
pub const REQUIRED_SCOPES: [&str; 3] =
    ["okta.devices.manage", "okta.devices.read", "okta.authenticators.read"];

/// The scopes that working calls ask for (contract §3).
pub const READ_SCOPES: [&str; 2] = ["okta.devices.read", "okta.authenticators.read"];

/// What the client is built from.
#[derive(Debug, Clone)]
pub struct OktaSettings {
    /// Under which suffixes hosts are Okta's.
    pub suffixes: OktaSuffixes,
    pub required_scopes: Vec<String>,
    pub read_scopes: Vec<String>,
    /// How long before its end a token is replaced. Default 5 minutes.
    pub early_refresh: Duration,
    /// The most tokens that are kept. Default 10,000.
    pub cached_tokens: u64,
    /// How old a token has to be to be replaced because it lacks a scope. Default 30 seconds.
    pub poor_token_age: Duration,
}

impl Default for OktaSettings {
    fn default() -> Self {
        Self {
            suffixes: OktaSuffixes::default(),
            required_scopes: REQUIRED_SCOPES.map(str::to_owned).to_vec(),
            read_scopes: READ_SCOPES.map(str::to_owned).to_vec(),
            early_refresh: Duration::from_mins(5),
            cached_tokens: 10_000,
            poor_token_age: Duration::from_secs(30),
        }
    }
}

/// The client. Cheap to clone; clones share tokens, back-off and connections.
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
}

impl OktaClient {
    /// A client on this gate. Asks nothing yet.
    #[must_use]
    pub fn new(egress: Egress, settings: OktaSettings) -> Self {
        let tokens = TokenCache::new(settings.cached_tokens, settings.early_refresh);
        let shared = Shared { egress, settings, back_off: BackOff::default(), tokens };
        Self { shared: Arc::new(shared), retries: true }
    }

    /// The same client, sharing all, that sends each request once: for connecting, which may take at
    /// most 4 requests (contract §2).
    #[must_use]
    pub fn without_retries(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), retries: false }
    }

    /// The suffixes under which hosts are Okta's.
    #[must_use]
    pub fn suffixes(&self) -> &OktaSuffixes {
        &self.shared.settings.suffixes
    }

    /// Whether the host is under one of Okta's suffixes.
    pub(super) fn is_oktas(&self, host: &str) -> bool {
        OrgAddress::parse(host, self.suffixes()).is_ok_and(|address| address.host() == host)
    }
}

/// An https address on this host.
pub(super) fn url_of(host: &str, path: &str) -> Result<url::Url, OktaError> {
    url::Url::parse(&format!("https://{host}{path}"))
        .map_err(|_| OktaError::OrgNotFound { host: host.to_owned() })
}
