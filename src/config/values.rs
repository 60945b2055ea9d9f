//! The settings once read, as plain values.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// `None` switches the metrics listener off.
    pub metrics_listen: Option<SocketAddr>,
    /// Where callers reach the API, for the links in answers.
    pub public_url: Option<Url>,
    pub cors_origins: Vec<String>,
    pub workers: usize,
    pub shutdown_grace: Duration,
    pub database: DatabaseConfig,
    /// The lines of the keyring, active key first.
    pub keyring: SecretString,
    pub auth: AuthConfig,
    pub okta: OktaConfig,
    pub wizard: WizardConfig,
    pub sync: SyncConfig,
    pub trust: TrustConfig,
    pub log: LogConfig,
}

/// PostgreSQL.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    pub url: SecretString,
    pub connections: u32,
    pub transaction_pooler: bool,
}

/// Whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    pub keys: AuthKeys,
    pub issuer: String,
    pub audience: String,
    pub tenant_claim: String,
    /// The claim that scopes are read from as well, beside `scope` and `scp`.
    pub scope_claim: Option<String>,
    /// Tokens that are valid for longer are refused; `None` for no limit.
    pub max_lifetime: Option<Duration>,
}

/// Where the keys of the tokens come from; one of the two, never both.
#[derive(Debug, Clone)]
pub enum AuthKeys {
    Jwks(Url),
    SharedSecret(SecretString),
}

/// How Okta is reached.
#[derive(Debug, Clone)]
pub struct OktaConfig {
    pub suffixes: Vec<String>,
    pub extra_root_ca_pem: Option<Vec<u8>>,
    pub host_overrides: BTreeMap<String, SocketAddr>,
    pub proxy: Option<ProxyAddress>,
    pub request_timeout: Duration,
}

/// The address of a proxy. It may hold a password, so it does not show itself.
#[derive(Clone)]
pub struct ProxyAddress(pub Url);

impl std::fmt::Debug for ProxyAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ProxyAddress").field(&self.0.host_str()).finish()
    }
}

/// Texts and links that an admin must carry to Okta.
#[derive(Debug, Clone)]
pub struct WizardConfig {
    pub mdm_name: String,
    pub enrollment_link: Option<Url>,
    pub okta_app_name: String,
    pub library_item_url: Option<Url>,
    /// Where the API service integration is installed; `{sub}` and `{suffix}` are filled in.
    pub install_link_template: String,
}

/// How orgs are mirrored and looked at again.
#[derive(Debug, Clone)]
pub struct SyncConfig {
    /// Jobs that this replica works on at once; none at 0.
    pub workers: usize,
    /// How long a job stays with a replica that says nothing more.
    pub lease: Duration,
    /// From the start of one complete sweep to that of the next.
    pub sweep_every: Duration,
    /// Between two reads of what has changed.
    pub read_every: Duration,
    /// Between two reads of a device that waits for a sign-in.
    pub pending_every: Duration,
    /// Between two checks of the credentials and prerequisites.
    pub recheck_every: Duration,
    /// Connects and checks that callers may have of one integration in a minute, on each replica.
    pub attempts_per_minute: u32,
}

/// How a verdict is come by.
#[derive(Debug, Clone, Copy)]
pub struct TrustConfig {
    /// Facts older than this are called stale.
    pub fresh_for: Duration,
    /// Facts older than this decide nothing any more.
    pub unknown_after: Duration,
    /// Whether a device that the MDM has not reported can be trusted at all.
    pub require_inventory: bool,
    pub user_policy: UserPolicy,
    /// Two records of an iPhone in use at once are two phones.
    pub ios_single_install: bool,
    /// The MDM must have seen a device within this time.
    pub last_seen_within: Option<Duration>,
}

/// Which of a device's users have to be managed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserPolicy {
    Any,
    All,
}

/// The log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    pub filter: String,
    pub json: bool,
}
