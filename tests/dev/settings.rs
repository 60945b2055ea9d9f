//! The service's settings, built as an environment and read by the service's own code.
//!
//! Variables of the caller override the defaults, except those that the stack must control. The
//! caller's extra root certificates and host overrides are added to the stack's.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use okta_device_trust::config::{Environment, SETTINGS};
use testkit::okta::SimulatedOkta;
use testkit::tokens::JwksServer;
use uuid::Uuid;

use crate::Failure;
use crate::database::Urls;
use crate::env_file;
use crate::folder::Folder;
use crate::{ports, tokens};

/// Settings that the caller cannot override.
const OWNED: [&str; 9] = [
    "ODT_CONFIG_FILE",
    "ODT_DATABASE_URL",
    "ODT_MIGRATIONS_DATABASE_URL",
    "ODT_KEYRING",
    "ODT_JWT_JWKS_URL",
    "ODT_JWT_SHARED_SECRET",
    "ODT_JWT_ISSUER",
    "ODT_JWT_AUDIENCE",
    "ODT_JWT_TENANT_CLAIM",
];

const DEFAULTS: [(&str, &str); 13] = [
    ("ODT_LISTEN", "127.0.0.1:8080"),
    ("ODT_METRICS_LISTEN", "127.0.0.1:9090"),
    // Hides the warning about host overrides, which are expected here.
    ("ODT_LOG", "warn,okta_device_trust::startup=error"),
    ("ODT_LOG_FORMAT", "text"),
    ("ODT_SHUTDOWN_GRACE_SECONDS", "3"),
    // Shorter intervals than in production, so that a developer need not wait for minutes.
    ("ODT_SYNC_SWEEP_EVERY_SECONDS", "3"),
    ("ODT_SYNC_READ_EVERY_SECONDS", "1"),
    ("ODT_SYNC_PENDING_EVERY_SECONDS", "1"),
    ("ODT_TRUST_FRESH_FOR", "10"),
    ("ODT_MDM_NAME", "Acme MDM"),
    ("ODT_ENROLLMENT_LINK", "https://mdm.acme.example/enroll"),
    ("ODT_OKTA_APP_NAME", "Acme MDM Device Trust"),
    ("ODT_LIBRARY_ITEM_URL", "https://mdm.acme.example/library/okta-verify"),
];

/// Read by the testkit, not by the service.
const TESTKIT_VARIABLE: &str = "ODT_POSTGRES_BIN";

pub struct Parts<'a> {
    pub folder: &'a Folder,
    pub urls: &'a Urls,
    pub okta: &'a SimulatedOkta,
    pub jwks: &'a JwksServer,
}

pub struct Settings {
    pub environment: Environment,
    /// Notes for the banner.
    pub notes: Vec<String>,
}

/// Returns the settings of a permanent stack: defaults, the caller's variables, the stack's own.
pub fn with_callers(parts: &Parts<'_>, theirs: &Environment) -> Result<Settings, Failure> {
    let mut ours = defaults();
    let mut notes = Vec::new();
    let foreign = |name: &&&str| !env_file::NAMES.contains(name) && **name != TESTKIT_VARIABLE;
    for setting in SETTINGS {
        let Some(value) = theirs.get(setting.name) else { continue };
        if OWNED.contains(&setting.name) {
            notes.push(format!("{} is ignored: this stack has its own.", setting.name));
        } else {
            ours.set(setting.name, value);
        }
    }
    // Misspelt names are passed on, so that the service reports them.
    for name in theirs.unknown_names().iter().filter(foreign) {
        ours.set(name, "");
    }
    set_owned(&mut ours, parts)?;
    add_okta(&mut ours, parts, theirs)?;
    notes.extend(take_free_ports(&mut ours));
    Ok(Settings { environment: ours, notes })
}

/// Returns the settings of a temporary stack: of the caller's variables only those of the log.
pub fn isolated(parts: &Parts<'_>, theirs: &Environment) -> Result<Settings, Failure> {
    let mut ours = defaults();
    for name in ["ODT_LOG", "ODT_LOG_FORMAT"] {
        if let Some(value) = theirs.get(name) {
            ours.set(name, value);
        }
    }
    ours.set("ODT_LISTEN", "127.0.0.1:0");
    ours.set("ODT_METRICS_LISTEN", "127.0.0.1:0");
    set_owned(&mut ours, parts)?;
    add_okta(&mut ours, parts, &Environment::default())?;
    Ok(Settings { environment: ours, notes: Vec::new() })
}

fn defaults() -> Environment {
    DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn set_owned(ours: &mut Environment, parts: &Parts<'_>) -> Result<(), Failure> {
    ours.set("ODT_DATABASE_URL", &*parts.urls.service);
    ours.set("ODT_MIGRATIONS_DATABASE_URL", &*parts.urls.migrations);
    ours.set("ODT_KEYRING", parts.folder.load_or_create_secret("keyring", new_keyring)?);
    ours.set("ODT_JWT_JWKS_URL", parts.jwks.url());
    ours.set("ODT_JWT_ISSUER", tokens::ISSUER);
    ours.set("ODT_JWT_AUDIENCE", tokens::AUDIENCE);
    Ok(())
}

fn new_keyring() -> String {
    // Two random UUIDs have 244 random bits, enough for a key that encrypts simulated secrets.
    let key = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    format!("dev-1:{}", STANDARD.encode(key))
}

/// Adds the root certificates and host overrides of the simulated org and of the caller's variables.
fn add_okta(
    ours: &mut Environment,
    parts: &Parts<'_>,
    theirs: &Environment,
) -> Result<(), Failure> {
    let mut roots = parts.okta.root_ca_pem().to_owned();
    if let Some(path) = theirs.get("ODT_OKTA_EXTRA_ROOT_CA").filter(|path| !path.is_empty()) {
        let pem = fs::read_to_string(path)
            .map_err(|error| format!("ODT_OKTA_EXTRA_ROOT_CA names {path}: {error}"))?;
        roots = format!("{}\n{pem}", roots.trim_end());
    }
    let file = parts.folder.file("extra-roots.pem");
    fs::write(&file, roots)?;
    ours.set("ODT_OKTA_EXTRA_ROOT_CA", file.to_string_lossy());
    let added = theirs.get("ODT_OKTA_HOST_OVERRIDES").unwrap_or_default();
    ours.set("ODT_OKTA_HOST_OVERRIDES", merged(&parts.okta.host_overrides(), added));
    Ok(())
}

/// Merges two lists of `host=address:port`; for a host in both, the entry of `added` wins.
fn merged(own: &str, added: &str) -> String {
    let host = |pair: &str| pair.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
    let taken: Vec<String> = added.split(',').map(host).collect();
    let own = own.split(',').filter(|pair| !taken.contains(&host(pair)));
    own.chain([added]).filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(",")
}

fn take_free_ports(ours: &mut Environment) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, what) in [("ODT_LISTEN", "the API"), ("ODT_METRICS_LISTEN", "the metrics")] {
        // Leave `off` and invalid values to the service.
        let Some(wanted) = ours.get(name).and_then(|text| text.trim().parse().ok()) else {
            continue;
        };
        let (address, note) = ports::free(wanted, what);
        ours.set(name, address.to_string());
        notes.extend(note);
    }
    notes
}
