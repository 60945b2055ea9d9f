//! The service's settings, put together as an operator's environment and read by the same code.
//!
//! What the caller has set wins, but for what the stack must own. Of the two development inputs of
//! the outgoing gate both sides count: theirs are added to ours.

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

/// The stack's own parts, with the names that may not come from outside.
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
    // That hosts are overridden is no news here, and it would stand at the top of every start.
    ("ODT_LOG", "warn,okta_device_trust::startup=error"),
    ("ODT_LOG_FORMAT", "text"),
    ("ODT_SHUTDOWN_GRACE_SECONDS", "3"),
    // Everything sooner than in production: whoever tries it out does not want to wait for minutes.
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
const OF_THE_TESTKIT: &str = "ODT_POSTGRES_BIN";

pub struct Parts<'a> {
    pub folder: &'a Folder,
    pub urls: &'a Urls,
    pub okta: &'a SimulatedOkta,
    pub jwks: &'a JwksServer,
}

pub struct Settings {
    pub environment: Environment,
    /// What turned out otherwise than one might expect.
    pub notes: Vec<String>,
}

/// Of the kept stack.
pub fn with_the_callers(parts: &Parts<'_>, theirs: &Environment) -> Result<Settings, Failure> {
    let mut ours = defaults();
    let mut notes = Vec::new();
    let foreign = |name: &&&str| !env_file::NAMES.contains(name) && **name != OF_THE_TESTKIT;
    for setting in SETTINGS {
        let Some(value) = theirs.get(setting.name) else { continue };
        if OWNED.contains(&setting.name) {
            notes.push(format!("{} is passed over: this stack has its own.", setting.name));
        } else {
            ours.set(setting.name, value);
        }
    }
    // A misspelt name is handed on, for the service to complain about.
    for name in theirs.unknown_names().iter().filter(foreign) {
        ours.set(name, "");
    }
    own(&mut ours, parts)?;
    add_okta(&mut ours, parts, theirs)?;
    notes.extend(take_free_ports(&mut ours));
    Ok(Settings { environment: ours, notes })
}

/// Of a stack that stands for itself: nothing of the caller's but the wish for a log.
pub fn alone(parts: &Parts<'_>, theirs: &Environment) -> Result<Settings, Failure> {
    let mut ours = defaults();
    for name in ["ODT_LOG", "ODT_LOG_FORMAT"] {
        if let Some(value) = theirs.get(name) {
            ours.set(name, value);
        }
    }
    ours.set("ODT_LISTEN", "127.0.0.1:0");
    ours.set("ODT_METRICS_LISTEN", "127.0.0.1:0");
    own(&mut ours, parts)?;
    add_okta(&mut ours, parts, &Environment::default())?;
    Ok(Settings { environment: ours, notes: Vec::new() })
}

fn defaults() -> Environment {
    DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn own(ours: &mut Environment, parts: &Parts<'_>) -> Result<(), Failure> {
    ours.set("ODT_DATABASE_URL", &*parts.urls.service);
    ours.set("ODT_MIGRATIONS_DATABASE_URL", &*parts.urls.migrations);
    ours.set("ODT_KEYRING", parts.folder.keep_secret("keyring", new_keyring)?);
    ours.set("ODT_JWT_JWKS_URL", parts.jwks.url());
    ours.set("ODT_JWT_ISSUER", tokens::ISSUER);
    ours.set("ODT_JWT_AUDIENCE", tokens::AUDIENCE);
    Ok(())
}

fn new_keyring() -> String {
    // Two random UUIDs: 244 random bits, enough for a key that seals simulated secrets.
    let key = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    format!("dev-1:{}", STANDARD.encode(key))
}

/// The simulated org, and behind it whatever orgs the caller has put into the environment.
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

/// Both lists of `host=address:port`; for a host in both, the one that was added counts.
fn merged(own: &str, added: &str) -> String {
    let host = |pair: &str| pair.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
    let taken: Vec<String> = added.split(',').map(host).collect();
    let own = own.split(',').filter(|pair| !taken.contains(&host(pair)));
    own.chain([added]).filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(",")
}

fn take_free_ports(ours: &mut Environment) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, what) in [("ODT_LISTEN", "the API"), ("ODT_METRICS_LISTEN", "the metrics")] {
        // What is no address (`off`, a typing error) is the service's to judge.
        let Some(wanted) = ours.get(name).and_then(|text| text.trim().parse().ok()) else {
            continue;
        };
        let (address, note) = ports::free(wanted, what);
        ours.set(name, address.to_string());
        notes.extend(note);
    }
    notes
}
