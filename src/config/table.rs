//! The table of settings with their defaults and descriptions, used by the reader and by
//! `check-config --list`.

/// One setting. `name` is its environment variable; in the configuration file (TOML) the name is in
/// lower case and without `ODT_`.
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
        "TOML file with these settings, in lower case and without ODT_; environment variables override it",
    ),
    setting("ODT_LISTEN", Some("127.0.0.1:8080"), "address and port of the API"),
    setting(
        "ODT_METRICS_LISTEN",
        Some("127.0.0.1:9090"),
        "address and port of /metrics, separate from the API; `off` disables it",
    ),
    setting(
        "ODT_PUBLIC_URL",
        None,
        "URL at which callers and Okta reach the API, for the OpenAPI document and event hook URLs",
    ),
    setting(
        "ODT_CORS_ORIGINS",
        None,
        "allowed CORS origins of front ends, comma separated, such as https://mdm.example.com",
    ),
    setting("ODT_WORKERS", Some("0"), "HTTP worker threads; 0 means one per core"),
    setting(
        "ODT_MAX_CONNECTIONS",
        Some("1000"),
        "maximum concurrent connections to the API, 1 to 1000000; each needs a file descriptor, more wait to be accepted",
    ),
    setting(
        "ODT_SHUTDOWN_GRACE_SECONDS",
        Some("20"),
        "time for requests in flight to finish after SIGTERM",
    ),
    secret(
        "ODT_DATABASE_URL",
        "PostgreSQL as the service's role: postgres://user:password@host/database",
    ),
    secret(
        "ODT_MIGRATIONS_DATABASE_URL",
        "PostgreSQL as the role that owns the tables; only `migrate` needs it",
    ),
    setting("ODT_DATABASE_CONNECTIONS", Some("4"), "size of the connection pool, 1 to 64"),
    setting(
        "ODT_DATABASE_POOLER",
        Some("none"),
        "`transaction` behind PgBouncer in transaction mode, otherwise `none`",
    ),
    secret(
        "ODT_KEYRING",
        "key-encryption keys, `key_id:base64 of 32 bytes`, one per line or comma separated; the first one encrypts, all of them decrypt",
    ),
    setting(
        "ODT_JWT_JWKS_URL",
        None,
        "JWKS URL of the token issuer; cannot be combined with ODT_JWT_SHARED_SECRET",
    ),
    secret(
        "ODT_JWT_SHARED_SECRET",
        "shared secret of HS256 tokens, at least 32 bytes; cannot be combined with ODT_JWT_JWKS_URL",
    ),
    setting("ODT_JWT_ISSUER", None, "required `iss` claim of tokens"),
    setting("ODT_JWT_AUDIENCE", Some("okta-device-trust"), "required `aud` claim of tokens"),
    setting("ODT_JWT_TENANT_CLAIM", Some("tenant_id"), "name of the claim that holds the tenant"),
    setting(
        "ODT_JWT_SCOPE_CLAIM",
        None,
        "additional claim with scopes besides `scope` and `scp`, such as `roles` for app-only tokens of Entra ID",
    ),
    setting(
        "ODT_JWT_MAX_LIFETIME_SECONDS",
        Some("off"),
        "maximum lifetime of tokens in seconds, 60 to 31536000; `off` for no limit",
    ),
    setting(
        "ODT_OKTA_SUFFIXES",
        Some("okta.com,oktapreview.com,okta-emea.com,okta-gov.com,okta.mil"),
        "domain suffixes of Okta orgs, comma separated",
    ),
    setting(
        "ODT_OKTA_EXTRA_ROOT_CA",
        None,
        "development only: PEM file of root certificates, trusted for the overridden hosts only",
    ),
    setting(
        "ODT_OKTA_HOST_OVERRIDES",
        None,
        "development only: host=address:port, comma separated; connects there instead of resolving the host",
    ),
    secret(
        "ODT_EGRESS_PROXY",
        "HTTP proxy for all outgoing requests; HTTP_PROXY and similar variables are ignored",
    ),
    setting("ODT_OKTA_TIMEOUT_SECONDS", Some("10"), "timeout of one request to Okta, 1 to 60"),
    setting(
        "ODT_MDM_NAME",
        Some("Your MDM"),
        "device management provider that the admin enters in Okta",
    ),
    setting("ODT_ENROLLMENT_LINK", None, "MDM enrollment link that the admin enters in Okta"),
    setting(
        "ODT_OKTA_APP_NAME",
        Some("Device Trust"),
        "name of the API service integration in Okta's catalogue",
    ),
    setting("ODT_LIBRARY_ITEM_URL", None, "link to the MDM page on which Okta Verify is deployed"),
    setting(
        "ODT_OKTA_INSTALL_LINK",
        Some("https://{sub}-admin.{suffix}/"),
        "link to install the API service integration; {sub} and {suffix} are replaced",
    ),
    setting(
        "ODT_SYNC_WORKERS",
        Some("4"),
        "background jobs that this replica runs concurrently, 0 to 64; 0 leaves them to other replicas",
    ),
    setting(
        "ODT_SYNC_LEASE_SECONDS",
        Some("30"),
        "lease of a background job, 1 to 600: after this another replica takes over the job of a replica that died; set it to at least three times ODT_OKTA_TIMEOUT_SECONDS",
    ),
    setting(
        "ODT_SYNC_SWEEP_EVERY_SECONDS",
        Some("300"),
        "interval between the starts of two complete sweeps of an org's devices, 1 to 86400",
    ),
    setting(
        "ODT_SYNC_READ_EVERY_SECONDS",
        Some("60"),
        "interval between two incremental reads of changed devices, 1 to 86400",
    ),
    setting(
        "ODT_SYNC_PENDING_EVERY_SECONDS",
        Some("300"),
        "interval between two reads of a device that waits for a sign-in, 1 to 86400",
    ),
    setting(
        "ODT_RECHECK_EVERY_SECONDS",
        Some("3600"),
        "interval between two checks of an integration's credentials and prerequisites, 1 to 604800",
    ),
    setting(
        "ODT_ATTEMPTS_PER_MINUTE",
        Some("10"),
        "rate limit of connects and checks of one integration, per minute and replica, 1 to 10000",
    ),
    setting(
        "ODT_TRUST_FRESH_FOR",
        Some("900"),
        "seconds after which data from Okta is marked stale, 1 to 86400",
    ),
    setting(
        "ODT_TRUST_UNKNOWN_AFTER",
        Some("86400"),
        "seconds after which data from Okta is too old for a verdict, 1 to 604800; not less than ODT_TRUST_FRESH_FOR",
    ),
    setting(
        "ODT_TRUST_REQUIRE_INVENTORY",
        Some("true"),
        "`true`: only devices that the MDM has reported can be trusted; `false`: others can be, too",
    ),
    setting(
        "ODT_TRUST_USER_POLICY",
        Some("any_user"),
        "which of a device's users must be `MANAGED` in Okta: `any_user` or `all_users`",
    ),
    setting(
        "ODT_TRUST_IOS_SINGLE_INSTALL",
        Some("true"),
        "`true`: an iPhone with two records in use at once is not trusted, because its secret may have been copied; `false`: it can be",
    ),
    setting(
        "ODT_TRUST_LAST_SEEN_WITHIN",
        Some("off"),
        "seconds within which a device must have checked in with the MDM, 3600 to 31536000; `off` for no limit",
    ),
    setting(
        "ODT_LOG",
        Some("info"),
        "log filter in the syntax of tracing's EnvFilter; third-party targets never log below info",
    ),
    setting("ODT_LOG_FORMAT", Some("json"), "log format: `json` or `text`"),
];
