//! Reads and checks each section of the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::reader::{ConfigError, Environment, Reader};
use super::values::{
    AuthConfig, AuthKeys, Config, DatabaseConfig, LogConfig, OktaConfig, ProxyAddress, SyncConfig,
    TrustConfig, UserPolicy, WizardConfig,
};

/// Settings that have been read but not accepted yet: the sections that other modules check, and the
/// problems found so far. This way one message lists missing and unusable settings together.
#[derive(Debug)]
pub struct Draft {
    pub keyring: Option<SecretString>,
    pub okta: OktaConfig,
    pub log: Option<LogConfig>,
    config: Option<Config>,
    problems: Vec<String>,
}

impl Draft {
    pub fn read(environment: &Environment) -> Self {
        let mut reader = Reader::new(environment);
        // Every section is read before any is required, so that one message lists all problems.
        let listen =
            reader.parsed("ODT_LISTEN", "an address and port, such as 127.0.0.1:8080", |t| {
                t.parse().ok()
            });
        let metrics_listen = metrics_listen(&mut reader);
        let public_url = url(&mut reader, "ODT_PUBLIC_URL");
        let cors_origins = cors_origins(&mut reader);
        let workers =
            reader.parsed("ODT_WORKERS", "a number from 0 to 256", |t| in_range(t, 0, 256));
        let max_connections =
            reader.parsed("ODT_MAX_CONNECTIONS", "a number from 1 to 1000000", |text| {
                in_range(text, 1, 1_000_000)
            });
        let grace = seconds(&mut reader, "ODT_SHUTDOWN_GRACE_SECONDS", 0, 600);
        let database = database(&mut reader);
        let keyring = reader.secret("ODT_KEYRING");
        let keyring = reader.required("ODT_KEYRING", keyring).map(SecretString::from);
        let auth = auth(&mut reader);
        let okta = okta(&mut reader);
        let wizard = wizard(&mut reader);
        let sync = sync(&mut reader);
        let trust = trust(&mut reader);
        let log = log(&mut reader);

        let config = (|| {
            Some(Config {
                listen: listen?,
                metrics_listen: metrics_listen?,
                public_url,
                cors_origins,
                workers: usize::try_from(workers?).ok()?,
                max_connections: usize::try_from(max_connections?).ok()?,
                shutdown_grace: grace?,
                database: database?,
                keyring: keyring.clone()?,
                auth: auth?,
                okta: okta.clone(),
                wizard: wizard?,
                sync: sync?,
                trust: trust?,
                log: log.clone()?,
            })
        })();
        Self { keyring, okta, log, config, problems: reader.into_problems() }
    }

    /// Returns the configuration if neither it nor the caller (`more`) has a problem.
    ///
    /// # Errors
    /// [`ConfigError`] lists all problems.
    pub fn finish(mut self, more: impl IntoIterator<Item = String>) -> Result<Config, ConfigError> {
        self.problems.extend(more);
        match self.config {
            Some(config) if self.problems.is_empty() => Ok(config),
            _ => Err(ConfigError { problems: self.problems }),
        }
    }
}

impl Config {
    /// Reads and checks the whole configuration.
    ///
    /// # Errors
    /// [`ConfigError`] lists all problems.
    pub fn load(environment: &Environment) -> Result<Self, ConfigError> {
        Draft::read(environment).finish([])
    }

    /// Reads the one setting that `migrate` needs.
    ///
    /// # Errors
    /// [`ConfigError`] when it is not set or cannot be read.
    pub fn load_migrations_url(environment: &Environment) -> Result<SecretString, ConfigError> {
        let mut reader = Reader::new(environment);
        let url = database_url(&mut reader, "ODT_MIGRATIONS_DATABASE_URL");
        reader.finish(url)
    }
}

#[expect(
    clippy::option_option,
    reason = "the outer one says whether it parsed, the inner one is `off`"
)]
fn metrics_listen(reader: &mut Reader<'_>) -> Option<Option<SocketAddr>> {
    reader.parsed("ODT_METRICS_LISTEN", "an address and port, or `off`", |text| {
        off_or(text, |address| address.parse().ok())
    })
}

fn cors_origins(reader: &mut Reader<'_>) -> Vec<String> {
    let parse = |text: &str| -> Option<Vec<String>> {
        text.split(',')
            .map(|origin| is_origin(origin.trim()).then(|| origin.trim().to_owned()))
            .collect()
    };
    let shape = "origins such as https://mdm.example.com, without a path, comma separated";
    reader.parsed("ODT_CORS_ORIGINS", shape, parse).unwrap_or_default()
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == text
    })
}

/// Requires a URL and refuses a `key=value` string: our timeouts are appended as query parameters,
/// and libpq's error messages for the other form quote the password.
fn database_url(reader: &mut Reader<'_>, name: &str) -> Option<SecretString> {
    let text = reader.secret(name);
    let text = reader.required(name, text)?;
    let is_url = Url::parse(&text)
        .is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"))
        && is_percent_encoded(&text);
    if !is_url {
        let shape = "must be postgres://user:password@host/database; percent-encode characters of the password other than letters and digits";
        reader.problem(name, shape);
        return None;
    }
    Some(SecretString::from(text))
}

fn database(reader: &mut Reader<'_>) -> Option<DatabaseConfig> {
    let url = database_url(reader, "ODT_DATABASE_URL");
    let connections =
        reader.parsed("ODT_DATABASE_CONNECTIONS", "a number from 1 to 64", |t| in_range(t, 1, 64));
    let transaction_pooler =
        reader.parsed("ODT_DATABASE_POOLER", "`transaction` or `none`", |text| match text {
            "transaction" => Some(true),
            "none" => Some(false),
            _ => None,
        });
    Some(DatabaseConfig {
        url: url?,
        connections: u32::try_from(connections?).ok()?,
        transaction_pooler: transaction_pooler?,
    })
}

fn auth(reader: &mut Reader<'_>) -> Option<AuthConfig> {
    let jwks = url(reader, "ODT_JWT_JWKS_URL");
    let shared = reader.secret("ODT_JWT_SHARED_SECRET");
    let keys = match (jwks, shared) {
        (Some(_), Some(_)) => {
            reader.problem("ODT_JWT_JWKS_URL", "and ODT_JWT_SHARED_SECRET cannot both be set");
            None
        }
        (Some(url), None) => Some(AuthKeys::Jwks(url)),
        (None, Some(secret)) if secret.len() >= 32 => Some(AuthKeys::SharedSecret(secret.into())),
        (None, Some(_)) => {
            reader.problem("ODT_JWT_SHARED_SECRET", "must have at least 32 bytes");
            None
        }
        (None, None) => {
            reader.problem("ODT_JWT_JWKS_URL", "or ODT_JWT_SHARED_SECRET must be set");
            None
        }
    };
    let issuer = reader.text("ODT_JWT_ISSUER");
    let issuer = reader.required("ODT_JWT_ISSUER", issuer);
    let audience = reader.text("ODT_JWT_AUDIENCE");
    let tenant_claim = reader.text("ODT_JWT_TENANT_CLAIM");
    let scope_claim = reader.text("ODT_JWT_SCOPE_CLAIM");
    let max_lifetime = reader.parsed(
        "ODT_JWT_MAX_LIFETIME_SECONDS",
        "`off` or a number of seconds from 60 to 31536000",
        |text| off_or(text, |text| in_range(text, 60, 31_536_000).map(Duration::from_secs)),
    );
    Some(AuthConfig {
        keys: keys?,
        issuer: issuer?,
        audience: audience?,
        tenant_claim: tenant_claim?,
        scope_claim,
        max_lifetime: max_lifetime?,
    })
}

/// A value that cannot be read is left empty: it has been reported, and the others can still be
/// checked.
fn okta(reader: &mut Reader<'_>) -> OktaConfig {
    let suffixes = reader.parsed(
        "ODT_OKTA_SUFFIXES",
        "host suffixes such as okta.com, comma separated",
        |text| {
            let suffixes: Vec<String> =
                text.split(',').map(|s| s.trim().to_ascii_lowercase()).collect();
            suffixes
                .iter()
                .all(|suffix| suffix.contains('.') && !suffix.starts_with('.'))
                .then_some(suffixes)
        },
    );
    let extra_root_ca_pem =
        reader.parsed("ODT_OKTA_EXTRA_ROOT_CA", "the path of a readable PEM file", |path| {
            std::fs::read(path)
                .ok()
                .filter(|pem| pem.windows(10).any(|window| window == b"-----BEGIN"))
        });
    let host_overrides = reader
        .parsed("ODT_OKTA_HOST_OVERRIDES", "host=address:port, comma separated", parse_overrides)
        .unwrap_or_default();
    let proxy = proxy(reader);
    let request_timeout = seconds(reader, "ODT_OKTA_TIMEOUT_SECONDS", 1, 60);
    OktaConfig {
        suffixes: suffixes.unwrap_or_default(),
        extra_root_ca_pem,
        host_overrides,
        proxy,
        request_timeout: request_timeout.unwrap_or(Duration::from_secs(10)),
    }
}

/// libpq refuses a `%` without two hexadecimal digits after it; the URL parser accepts it.
fn is_percent_encoded(text: &str) -> bool {
    let is_hex =
        |two: Option<&str>| two.is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
    text.split('%').skip(1).all(|rest| is_hex(rest.get(..2)))
}

/// Read as a secret because it may contain a user name and a password.
fn proxy(reader: &mut Reader<'_>) -> Option<ProxyAddress> {
    let text = reader.secret("ODT_EGRESS_PROXY")?;
    let parsed = Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    if parsed.is_none() {
        reader.problem("ODT_EGRESS_PROXY", "must be an http or https URL");
    }
    parsed.map(ProxyAddress)
}

fn parse_overrides(text: &str) -> Option<BTreeMap<String, SocketAddr>> {
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (host, address) = pair.split_once('=')?;
            Some((host.trim().to_ascii_lowercase(), address.trim().parse().ok()?))
        })
        .collect()
}

fn wizard(reader: &mut Reader<'_>) -> Option<WizardConfig> {
    let mdm_name = reader.text("ODT_MDM_NAME");
    let enrollment_link = url(reader, "ODT_ENROLLMENT_LINK");
    let okta_app_name = reader.text("ODT_OKTA_APP_NAME");
    let library_item_url = url(reader, "ODT_LIBRARY_ITEM_URL");
    let install_link_template = reader.parsed("ODT_OKTA_INSTALL_LINK", "an https link", |text| {
        text.starts_with("https://").then(|| text.to_owned())
    });
    Some(WizardConfig {
        mdm_name: mdm_name?,
        enrollment_link,
        okta_app_name: okta_app_name?,
        library_item_url,
        install_link_template: install_link_template?,
    })
}

fn sync(reader: &mut Reader<'_>) -> Option<SyncConfig> {
    const DAY: u64 = 86_400;
    let workers =
        reader.parsed("ODT_SYNC_WORKERS", "a number from 0 to 64", |t| in_range(t, 0, 64));
    let lease = seconds(reader, "ODT_SYNC_LEASE_SECONDS", 1, 600);
    let sweep_every = seconds(reader, "ODT_SYNC_SWEEP_EVERY_SECONDS", 1, DAY);
    let read_every = seconds(reader, "ODT_SYNC_READ_EVERY_SECONDS", 1, DAY);
    let pending_every = seconds(reader, "ODT_SYNC_PENDING_EVERY_SECONDS", 1, DAY);
    let recheck_every = seconds(reader, "ODT_RECHECK_EVERY_SECONDS", 1, 7 * DAY);
    let attempts_per_minute =
        reader.parsed("ODT_ATTEMPTS_PER_MINUTE", "a number from 1 to 10000", |text| {
            in_range(text, 1, 10_000)
        });
    Some(SyncConfig {
        workers: usize::try_from(workers?).ok()?,
        lease: lease?,
        sweep_every: sweep_every?,
        read_every: read_every?,
        pending_every: pending_every?,
        recheck_every: recheck_every?,
        attempts_per_minute: u32::try_from(attempts_per_minute?).ok()?,
    })
}

fn trust(reader: &mut Reader<'_>) -> Option<TrustConfig> {
    let fresh_for = seconds(reader, "ODT_TRUST_FRESH_FOR", 1, 86_400);
    let unknown_after = seconds(reader, "ODT_TRUST_UNKNOWN_AFTER", 1, 7 * 86_400);
    if unknown_after < fresh_for {
        reader.problem("ODT_TRUST_UNKNOWN_AFTER", "must not be less than ODT_TRUST_FRESH_FOR");
    }
    let require_inventory =
        reader.parsed("ODT_TRUST_REQUIRE_INVENTORY", "`true` or `false`", |t| t.parse().ok());
    let user_policy =
        reader.parsed("ODT_TRUST_USER_POLICY", "`any_user` or `all_users`", |text| match text {
            "any_user" => Some(UserPolicy::Any),
            "all_users" => Some(UserPolicy::All),
            _ => None,
        });
    let ios_single_install =
        reader.parsed("ODT_TRUST_IOS_SINGLE_INSTALL", "`true` or `false`", |t| t.parse().ok());
    let last_seen_within = reader.parsed(
        "ODT_TRUST_LAST_SEEN_WITHIN",
        "`off` or a number of seconds, 3600 to 31536000",
        |text| off_or(text, |text| in_range(text, 3_600, 31_536_000).map(Duration::from_secs)),
    );
    Some(TrustConfig {
        fresh_for: fresh_for?,
        unknown_after: unknown_after?,
        require_inventory: require_inventory?,
        user_policy: user_policy?,
        ios_single_install: ios_single_install?,
        last_seen_within: last_seen_within?,
    })
}

fn log(reader: &mut Reader<'_>) -> Option<LogConfig> {
    let filter = reader.text("ODT_LOG");
    let json = reader.parsed("ODT_LOG_FORMAT", "`json` or `text`", |text| match text {
        "json" => Some(true),
        "text" => Some(false),
        _ => None,
    });
    Some(LogConfig { filter: filter?, json: json? })
}

fn url(reader: &mut Reader<'_>, name: &str) -> Option<Url> {
    reader.parsed(name, "an http or https URL", |text| {
        Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
    })
}

/// Parses a value that can be `off`.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether it parsed, the inner one is `off`"
)]
fn off_or<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "off" { Some(None) } else { parse(text).map(Some) }
}

fn in_range(text: &str, min: u64, max: u64) -> Option<u64> {
    text.parse().ok().filter(|number| (min..=max).contains(number))
}

fn seconds(reader: &mut Reader<'_>, name: &str, min: u64, max: u64) -> Option<Duration> {
    let shape = format!("a number of seconds from {min} to {max}");
    reader.parsed(name, &shape, |text| in_range(text, min, max)).map(Duration::from_secs)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
