//! Every setting with its default and its meaning: one table for the reader, `check-config --list`
//! and the README's words.

/// One setting, by the name that it has in the environment. In the configuration file (TOML) the
/// same name is written in lower case and without `ODT_`.
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub default: Option<&'static str>,
    /// May also be given as the path of a file in `<name>_FILE`.
    pub secret: bool,
    pub about: &'static str,
}

const fn setting(
    name: &'static str,
    default: Option<&'static str>,
    about: &'static str,
) -> Setting {
    Setting { name, default, secret: false, about }
}

const fn secret(name: &'static str, about: &'static str) -> Setting {
    Setting { name, default: None, secret: true, about }
}

pub static SETTINGS: &[Setting] = &[
    setting(
        "ODT_CONFIG_FILE",
        None,
        "TOML file with these settings in lower case, without ODT_; the environment wins",
    ),
    setting("ODT_LISTEN", Some("127.0.0.1:8080"), "address of the API"),
    setting(
        "ODT_METRICS_LISTEN",
        Some("127.0.0.1:9090"),
        "address of /metrics, apart from the API; `off` for none",
    ),
    setting(
        "ODT_PUBLIC_URL",
        None,
        "where callers reach the API, for the server entry of the OpenAPI document",
    ),
    setting(
        "ODT_CORS_ORIGINS",
        None,
        "origins of front ends, comma separated, such as https://mdm.example.com",
    ),
    setting("ODT_WORKERS", Some("0"), "HTTP worker threads; 0 is one per core"),
    setting(
        "ODT_SHUTDOWN_GRACE_SECONDS",
        Some("20"),
        "how long requests in flight may take after SIGTERM",
    ),
    secret(
        "ODT_DATABASE_URL",
        "PostgreSQL as the service's role: postgres://user:password@host/database",
    ),
    secret(
        "ODT_MIGRATIONS_DATABASE_URL",
        "PostgreSQL as the role that owns the tables; needed by `migrate` only",
    ),
    setting("ODT_DATABASE_CONNECTIONS", Some("4"), "connections of the pool, 1 to 64"),
    setting(
        "ODT_DATABASE_POOLER",
        Some("none"),
        "`transaction` behind PgBouncer in transaction mode, else `none`",
    ),
    secret(
        "ODT_KEYRING",
        "key-encryption keys, `key_id:base64 of 32 bytes`, one a line or comma separated; the first is active",
    ),
    setting("ODT_JWT_JWKS_URL", None, "JWKS of the token issuer; excludes ODT_JWT_SHARED_SECRET"),
    secret(
        "ODT_JWT_SHARED_SECRET",
        "secret of HS256 tokens, 32 bytes at least; excludes ODT_JWT_JWKS_URL",
    ),
    setting("ODT_JWT_ISSUER", None, "the `iss` that tokens must have"),
    setting("ODT_JWT_AUDIENCE", Some("okta-device-trust"), "the `aud` that tokens must have"),
    setting("ODT_JWT_TENANT_CLAIM", Some("tenant_id"), "the claim that names the tenant"),
    setting(
        "ODT_JWT_SCOPE_CLAIM",
        None,
        "claim that holds scopes beside `scope` and `scp`, such as `roles` for app-only tokens of Entra ID",
    ),
    setting(
        "ODT_JWT_MAX_LIFETIME_SECONDS",
        Some("off"),
        "tokens that are valid for longer are refused, 60 to 31536000; `off` for no limit",
    ),
    setting(
        "ODT_OKTA_SUFFIXES",
        Some("okta.com,oktapreview.com,okta-emea.com,okta-gov.com,okta.mil"),
        "suffixes of Okta's own org hosts",
    ),
    setting(
        "ODT_OKTA_EXTRA_ROOT_CA",
        None,
        "development: PEM file of roots that are trusted for the overridden hosts alone",
    ),
    setting(
        "ODT_OKTA_HOST_OVERRIDES",
        None,
        "development: host=address:port,… dialled in place of what DNS says",
    ),
    secret(
        "ODT_EGRESS_PROXY",
        "HTTP proxy for every outgoing call; proxy variables of the environment are ignored",
    ),
    setting("ODT_OKTA_TIMEOUT_SECONDS", Some("10"), "time-out of one request to Okta, 1 to 60"),
    setting(
        "ODT_MDM_NAME",
        Some("Your MDM"),
        "device management provider, as the admin enters it in Okta",
    ),
    setting(
        "ODT_ENROLLMENT_LINK",
        None,
        "the MDM's enrollment link, as the admin enters it in Okta",
    ),
    setting(
        "ODT_OKTA_APP_NAME",
        Some("Device Trust"),
        "name of the API service integration in Okta's catalogue",
    ),
    setting("ODT_LIBRARY_ITEM_URL", None, "where in the MDM Okta Verify is deployed"),
    setting(
        "ODT_OKTA_INSTALL_LINK",
        Some("https://{sub}-admin.{suffix}/"),
        "where the API service integration is installed; {sub} and {suffix} are filled in",
    ),
    setting(
        "ODT_SYNC_WORKERS",
        Some("4"),
        "jobs that this replica works on at once, 0 to 64; 0 leaves them to other replicas",
    ),
    setting(
        "ODT_SYNC_LEASE_SECONDS",
        Some("30"),
        "how long a job stays with a replica that says nothing more, 1 to 600; below three times ODT_OKTA_TIMEOUT_SECONDS slow answers are read for nothing",
    ),
    setting(
        "ODT_SYNC_SWEEP_EVERY_SECONDS",
        Some("300"),
        "from the start of one complete sweep of an org's devices to that of the next, 1 to 86400",
    ),
    setting(
        "ODT_SYNC_READ_EVERY_SECONDS",
        Some("60"),
        "between two reads of the devices that have changed, 1 to 86400",
    ),
    setting(
        "ODT_SYNC_PENDING_EVERY_SECONDS",
        Some("300"),
        "between two reads of a device that waits for a sign-in, 1 to 86400",
    ),
    setting(
        "ODT_RECHECK_EVERY_SECONDS",
        Some("3600"),
        "between two checks of an integration's credentials and prerequisites, 1 to 604800",
    ),
    setting(
        "ODT_ATTEMPTS_PER_MINUTE",
        Some("10"),
        "connects and checks of one integration that callers may ask for in a minute, on each replica, 1 to 10000",
    ),
    setting(
        "ODT_TRUST_FRESH_FOR",
        Some("900"),
        "seconds after which Okta's facts are called stale, 1 to 86400",
    ),
    setting(
        "ODT_TRUST_UNKNOWN_AFTER",
        Some("86400"),
        "seconds after which Okta's facts decide nothing any more, 1 to 604800; not below ODT_TRUST_FRESH_FOR",
    ),
    setting(
        "ODT_TRUST_REQUIRE_INVENTORY",
        Some("true"),
        "`true`: a device that the MDM has not reported is never trusted; else `false`",
    ),
    setting(
        "ODT_TRUST_USER_POLICY",
        Some("any_user"),
        "which of a device's users Okta has to call managed: `any_user` or `all_users`",
    ),
    setting(
        "ODT_TRUST_IOS_SINGLE_INSTALL",
        Some("true"),
        "`true`: an iPhone with two records in use at once is not trusted, as its secret may have been copied; else `false`",
    ),
    setting(
        "ODT_TRUST_LAST_SEEN_WITHIN",
        Some("off"),
        "seconds within which the MDM must have seen a device, 3600 to 31536000; `off` for no limit",
    ),
    setting(
        "ODT_LOG",
        Some("info"),
        "filter of the log, as of tracing's EnvFilter; other crates' targets stop at info",
    ),
    setting("ODT_LOG_FORMAT", Some("json"), "`json` or `text`"),
];
