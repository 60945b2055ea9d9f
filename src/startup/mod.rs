//! Builds the application from its layers and starts the servers. Only `main` and tests import this.

mod listener;
mod timed_stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::dev::{Server, ServerHandle};
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, IF_MATCH};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use crate::auth::Authenticator;
use crate::config::{Config, ConfigError, Draft, Environment, OktaConfig};
use crate::crypto::{KeyWrap, Keyring, KeyringError};
use crate::egress::{Egress, EgressSettings, EgressSetupError, MAX_LOOKUPS};
use crate::handlers::http::large_bodies::LargeBodies;
use crate::handlers::http::probe::Probe;
use crate::handlers::{State, health, http::middleware};
use crate::model::integrations::okta_domain::{OktaDomainError, OktaSuffixes};
use crate::okta::{OktaClient, OktaSettings};
use crate::routes;
use crate::service::Service;
use crate::store::{PoolSettings, RoleError, Store, StoreError};
use crate::telemetry::{self, metrics};

use listener::Listener;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the keyring cannot be read")]
    Keyring(#[from] KeyringError),
    #[error("the HTTP egress client cannot be built")]
    Egress(#[from] EgressSetupError),
    #[error("ODT_OKTA_SUFFIXES is not a list of domain suffixes")]
    Suffixes(#[from] OktaDomainError),
    #[error("the database role must not be used by the service")]
    Role(#[source] RoleError),
    #[error("the database role cannot be checked: check ODT_DATABASE_URL")]
    Database(#[source] StoreError),
    #[error(
        "the schema lacks the migrations {0:?}, or this role cannot see them: run `okta-device-trust migrate`, and make the role a member of odt_app"
    )]
    PendingMigrations(Vec<String>),
    #[error(
        "secrets are encrypted with the keys {0:?}, which are not in the keyring: put them back after the active key, run `okta-device-trust rotate-keys`, then remove them"
    )]
    MissingKeys(Vec<String>),
    #[error("the keyring does not match the stored secrets")]
    WrongKey(#[source] StoreError),
    #[error("the database cannot be read")]
    Store(#[source] StoreError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

/// Reads the configuration and checks it as `serve` does, but makes no connection.
///
/// # Errors
/// [`ConfigError`] lists all problems.
pub fn load_config(environment: &Environment) -> Result<Config, ConfigError> {
    let draft = Draft::read(environment);
    let problems = check(&draft);
    draft.finish(problems)
}

/// Checks settings with the modules that use them: `config` is the lowest layer and cannot import them.
fn check(draft: &Draft) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(Err(error)) = draft.keyring.as_ref().map(Keyring::parse) {
        problems.push(format!("ODT_KEYRING cannot be used: {error}"));
    }
    // An empty list has already been reported as unreadable.
    if !draft.okta.suffixes.is_empty()
        && let Err(error) = OktaSuffixes::new(&draft.okta.suffixes)
    {
        problems.push(format!("ODT_OKTA_SUFFIXES cannot be used: {error}"));
    }
    problems.extend(check_egress(&draft.okta));
    if let Some(Err(error)) = draft.log.as_ref().map(|log| telemetry::check_filter(&log.filter)) {
        problems.push(format!("ODT_LOG cannot be used: {error}"));
    }
    problems
}

fn check_egress(okta: &OktaConfig) -> Vec<String> {
    use EgressSetupError as E;
    install_crypto();
    let name = |error: &E| match error {
        E::ExtraRootUnreadable => "ODT_OKTA_EXTRA_ROOT_CA cannot be used",
        E::OverrideHostInvalid { .. } | E::OverrideWithoutPort { .. } => {
            "ODT_OKTA_HOST_OVERRIDES cannot be used"
        }
        E::ProxyInvalid { .. } => "ODT_EGRESS_PROXY cannot be used",
        E::NoTrustRoots { .. } | E::Client { .. } => "outgoing requests cannot be made",
    };
    let problems = Egress::problems(&egress_settings(okta));
    problems.iter().map(|error| format!("{}: {error}", name(error))).collect()
}

/// Installs the crypto backend of the process. A second call does nothing.
fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// A server that is bound but not running yet.
pub struct Application {
    server: Server,
    metrics_server: Option<Server>,
    service: Service,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
}

impl Application {
    /// Binds the addresses; port 0 picks a free port. Waits up to 30 s for the database. Refuses a
    /// database role that could bypass row-level security, a schema with pending migrations, and a
    /// keyring that lacks a key in use.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn build(config: &Config) -> Result<Self, StartError> {
        install_crypto();
        let egress = Egress::new(egress_settings(&config.okta))?;
        let store = open_store(config)?;
        let suffixes = OktaSuffixes::new(&config.okta.suffixes)?;
        if config.metrics_listen.is_some() {
            // Without the listener no recorder is installed, so nothing is recorded.
            metrics::handle();
        }
        report_overrides(&egress);
        ensure_role_is_safe(&store).await?;
        refuse_pending_migrations(&store).await?;
        refuse_missing_or_wrong_keys(&store).await?;

        let okta_settings = OktaSettings { suffixes, ..OktaSettings::default() };
        let okta = OktaClient::new(egress.clone(), okta_settings);
        let authenticator = Authenticator::new(&config.auth, &egress);
        // Starts to fetch the issuer's keys before the first request needs them.
        authenticator.is_ready();
        let (wizard, sync) = (config.wizard.clone(), config.sync.clone());
        let public_url = config.public_url.clone();
        let service = Service::new(store, okta, wizard, sync, config.trust, public_url);
        let state = web::Data::new(State {
            service: service.clone(),
            authenticator,
            database_probe: Probe::default(),
            large_bodies: LargeBodies::default(),
            overridden_hosts: egress.overrides().map(str::to_owned).collect(),
        });
        let (server, address) = api_server(config, state)?;
        let (metrics_server, metrics_address) = metrics_server(config)?;
        Ok(Self { server, metrics_server, service, address, metrics_address })
    }

    /// Returns the bound address of the API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the bound address of the metrics listener, if it is enabled.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Returns a handle that stops the server.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until the handle stops the server or the listener fails.
    ///
    /// # Errors
    /// The listener's I/O error.
    pub async fn run(self) -> std::io::Result<()> {
        let metrics_handle = self.metrics_server.as_ref().map(Server::handle);
        let upkeep = self.metrics_server.map(|metrics_server| {
            tokio::spawn(metrics_server);
            tokio::spawn(metrics::run_upkeep())
        });
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let work = tokio::spawn(async move { self.service.run_worker(stopped).await });
        let ended = self.server.await;
        // Running jobs are released, so that other replicas need not wait for their leases to expire.
        let _ = stop.send(true);
        let _ = tokio::time::timeout(JOB_SHUTDOWN_TIMEOUT, work).await;
        if let Some(upkeep) = upkeep {
            upkeep.abort();
        }
        if let Some(handle) = metrics_handle {
            handle.stop(false).await;
        }
        ended
    }
}

/// How long shutdown waits for running jobs.
const JOB_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

fn egress_settings(okta: &OktaConfig) -> EgressSettings {
    EgressSettings {
        extra_root_ca_pem: okta.extra_root_ca_pem.clone(),
        host_overrides: okta.host_overrides.clone(),
        proxy: okta.proxy.as_ref().map(|proxy| proxy.0.clone()),
        request_timeout: okta.request_timeout,
        ..EgressSettings::default()
    }
}

/// Creates the store from the configuration. It connects at first use.
///
/// # Errors
/// [`KeyringError`].
pub fn open_store(config: &Config) -> Result<Store, KeyringError> {
    let keys: Arc<dyn KeyWrap> = Arc::new(Keyring::parse(&config.keyring)?);
    let settings = PoolSettings {
        url: config.database.url.clone(),
        connections: config.database.connections,
        transaction_pooler: config.database.transaction_pooler,
    };
    Ok(Store::new(&settings, keys))
}

fn report_overrides(egress: &Egress) {
    let hosts: Vec<&str> = egress.overrides().collect();
    metrics::record_overrides(hosts.len());
    if !hosts.is_empty() {
        tracing::warn!(
            hosts = hosts.join(" "),
            "hosts are overridden; do this in development and tests only"
        );
    }
}

/// How long start-up waits for an unavailable database.
const DATABASE_START_TIMEOUT: Duration = Duration::from_secs(30);

/// Checks the database role and waits for an unavailable database: a replica that starts during a
/// restart of `PostgreSQL` must neither exit nor serve before the check. An unsafe role or a refused
/// login fails at once.
async fn ensure_role_is_safe(store: &Store) -> Result<(), StartError> {
    let deadline = tokio::time::Instant::now() + DATABASE_START_TIMEOUT;
    loop {
        match store.ensure_role_is_safe().await {
            Ok(()) => return Ok(()),
            Err(RoleError::Store(error))
                if matches!(error, StoreError::Unavailable(_))
                    && !error.is_refused_login()
                    && tokio::time::Instant::now() < deadline =>
            {
                tracing::warn!(
                    error = telemetry::chain_of(&error),
                    "postgresql is not available: waiting for it before serving"
                );
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(RoleError::Store(error)) => return Err(StartError::Database(error)),
            Err(error) => return Err(StartError::Role(error)),
        }
    }
}

async fn refuse_pending_migrations(store: &Store) -> Result<(), StartError> {
    let pending = store.list_pending_migrations().await.map_err(StartError::Store)?;
    if pending.is_empty() { Ok(()) } else { Err(StartError::PendingMigrations(pending)) }
}

/// Refuses to start without a key that secrets are encrypted with, or with a different key under its id.
/// Otherwise the first request that needs the key would fail.
async fn refuse_missing_or_wrong_keys(store: &Store) -> Result<(), StartError> {
    let missing = store.list_missing_keys().await.map_err(StartError::Store)?;
    if !missing.is_empty() {
        return Err(StartError::MissingKeys(missing));
    }
    store.check_keys().await.map_err(|error| match error {
        StoreError::Unavailable(_) => StartError::Store(error),
        wrong => StartError::WrongKey(wrong),
    })
}

fn api_server(
    config: &Config,
    state: web::Data<State>,
) -> Result<(Server, SocketAddr), StartError> {
    let address = config.listen;
    let failed = |source| StartError::Listen { address, source };
    let mut document = routes::document();
    if let Some(url) = &config.public_url {
        document.servers =
            Some(vec![utoipa::openapi::Server::new(url.as_str().trim_end_matches('/'))]);
    }
    let origins = config.cors_origins.clone();
    let listener = Listener {
        address,
        workers: workers(config),
        max_connections: config.max_connections,
        blocking_threads: blocking_threads(config),
        shutdown_grace: config.shutdown_grace,
    };
    let bound = listener.bind(move || {
        App::new()
            .app_data(state.clone())
            .wrap(cors(&origins))
            .wrap(from_fn(middleware::observe))
            .configure(|services| routes::configure(services, &document))
    });
    bound.map_err(failed)
}

fn workers(config: &Config) -> usize {
    match config.workers {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get),
        number => number,
    }
}

/// Returns the blocking threads of each worker: enough for the database even if all DNS lookups are
/// slow and run on one worker.
fn blocking_threads(config: &Config) -> usize {
    MAX_LOOKUPS + config.database.connections as usize + SPARE_THREADS
}

/// For other blocking work, such as writing the log to a file.
const SPARE_THREADS: usize = 4;

/// Allows front ends of the configured origins; without any, all cross-origin requests are refused.
fn cors(origins: &[String]) -> Cors {
    let allowed = origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
    allowed
        .allowed_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([AUTHORIZATION, CONTENT_TYPE, IF_MATCH])
        .allowed_headers(["idempotency-key", "x-request-id"])
        .expose_headers(
            ["etag", "location", "retry-after", "x-request-id"].map(HeaderName::from_static),
        )
        .max_age(3600)
}

fn metrics_server(config: &Config) -> Result<(Option<Server>, Option<SocketAddr>), StartError> {
    let Some(address) = config.metrics_listen else { return Ok((None, None)) };
    let server = HttpServer::new(|| App::new().service(health::get_metrics))
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .bind(address)
        .map_err(|source| StartError::Listen { address, source })?;
    let bound = server.addrs().first().copied();
    Ok((Some(server.run()), bound))
}
