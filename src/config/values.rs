//! The parsed settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// `None` disables the metrics listener.
    pub metrics_listen: Option<SocketAddr>,
    /// URL at which callers and Okta reach the API.
    pub public_url: Option<Url>,
    pub cors_origins: Vec<String>,
    pub workers: usize,
    /// Maximum concurrent connections of all workers.
    pub max_connections: usize,
    pub shutdown_grace: Duration,
    pub database: DatabaseConfig,
    /// Lines of the keyring, active key first.
    pub keyring: SecretString,
    pub auth: AuthConfig,
    pub okta: OktaConfig,
    pub wizard: WizardConfig,
    pub sync: SyncConfig,
    pub trust: TrustConfig,
    pub log: LogConfig,
}

/// The connection to PostgreSQL.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    pub url: SecretString,
    pub connections: u32,
    pub transaction_pooler: bool,
}

/// Which tokens are accepted.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    pub keys: AuthKeys,
    pub issuer: String,
    pub audience: String,
    pub tenant_claim: String,
    /// An additional claim with scopes, besides `scope` and `scp`.
    pub scope_claim: Option<String>,
    /// Maximum lifetime of tokens; `None` for no limit.
    pub max_lifetime: Option<Duration>,
}

/// Where the keys that verify tokens come from.
#[derive(Debug, Clone)]
pub enum AuthKeys {
    Jwks(Url),
    SharedSecret(SecretString),
}

/// How to connect to Okta.
#[derive(Debug, Clone)]
pub struct OktaConfig {
    pub suffixes: Vec<String>,
    pub extra_root_ca_pem: Option<Vec<u8>>,
    pub host_overrides: BTreeMap<String, SocketAddr>,
    pub proxy: Option<ProxyAddress>,
    pub request_timeout: Duration,
}

/// The URL of a proxy. `Debug` shows only its host, because the URL may contain a password.
#[derive(Clone)]
pub struct ProxyAddress(pub Url);

impl std::fmt::Debug for ProxyAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ProxyAddress").field(&self.0.host_str()).finish()
    }
}

/// Names and links for the setup wizard.
#[derive(Debug, Clone)]
pub struct WizardConfig {
    pub mdm_name: String,
    pub enrollment_link: Option<Url>,
    pub okta_app_name: String,
    pub library_item_url: Option<Url>,
    /// Link to install the API service integration; `{sub}` and `{suffix}` are replaced.
    pub install_link_template: String,
}

/// How background jobs mirror and re-check orgs.
#[derive(Debug, Clone)]
pub struct SyncConfig {
    /// Jobs that this replica runs concurrently; 0 runs none.
    pub workers: usize,
    /// How long a replica owns a job without renewing its lease.
    pub lease: Duration,
    /// Interval between the starts of two complete sweeps.
    pub sweep_every: Duration,
    /// Interval between two incremental reads.
    pub read_every: Duration,
    /// Interval between two reads of a device that waits for a sign-in.
    pub pending_every: Duration,
    /// Interval between two checks of the credentials and prerequisites.
    pub recheck_every: Duration,
    /// Rate limit of connects and checks of one integration, per minute and replica.
    pub attempts_per_minute: u32,
}

/// The policy of trust verdicts.
#[derive(Debug, Clone, Copy)]
pub struct TrustConfig {
    /// Facts older than this are stale.
    pub fresh_for: Duration,
    /// Facts older than this are too old for a verdict.
    pub unknown_after: Duration,
    /// Whether only devices that the MDM has reported can be trusted.
    pub require_inventory: bool,
    pub user_policy: UserPolicy,
    /// Whether an iPhone with two records in use at once is refused.
    pub ios_single_install: bool,
    /// How recently a device must have checked in with the MDM; `None` for no limit.
    pub last_seen_within: Option<Duration>,
}

/// Which of a device's users must be managed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserPolicy {
    Any,
    All,
}

/// Log filter and format.
#[derive(Debug, Clone)]
pub struct LogConfig {
    pub filter: String,
    pub json: bool,
}
