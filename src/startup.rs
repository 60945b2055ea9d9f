//! Puts the layers together and starts the server. Nothing imports this but `main` and the tests.

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
use crate::egress::{Egress, EgressSettings, EgressSetupError, MOST_LOOKUPS};
use crate::handlers::http::body::BODY_LIMIT;
use crate::handlers::http::probe::Probe;
use crate::handlers::{State, health, http::middleware};
use crate::model::integrations::okta_domain::{OktaDomainError, OktaSuffixes};
use crate::okta::{OktaClient, OktaSettings};
use crate::routes;
use crate::service::Service;
use crate::store::{PoolSettings, RoleError, Store, StoreError};
use crate::telemetry::{self, metrics};

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the keyring cannot be read")]
    Keyring(#[from] KeyringError),
    #[error("the outgoing gate cannot be built")]
    Egress(#[from] EgressSetupError),
    #[error("ODT_OKTA_SUFFIXES is not a list of domain suffixes")]
    Suffixes(#[from] OktaDomainError),
    #[error("the database role is not safe to run as")]
    Role(#[source] RoleError),
    #[error("the database cannot be asked what role this is: check ODT_DATABASE_URL")]
    Database(#[source] StoreError),
    #[error(
        "the schema lacks the migrations {0:?}, or does not show them to this role: run `okta-device-trust migrate` first, and make the role a member of odt_app"
    )]
    PendingMigrations(Vec<String>),
    #[error(
        "the keys {0:?} have sealed secrets and are not in the keyring: put them back behind the active one, run `okta-device-trust rotate-keys`, then drop them"
    )]
    MissingKeys(Vec<String>),
    #[error("the database cannot be read")]
    Store(#[source] StoreError),
    #[error("the address {address} cannot be listened on")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

/// Reads the configuration and judges it as a start would, short of asking the database or anybody
/// else: what passes here can be started with.
///
/// # Errors
/// [`ConfigError`] lists everything that is wrong, also what could not be started with.
pub fn load_config(environment: &Environment) -> Result<Config, ConfigError> {
    let draft = Draft::read(environment);
    let problems = check(&draft);
    draft.finish(problems)
}

/// Checks settings by the modules that they are for: `config` is the lowest layer and cannot import them.
fn check(draft: &Draft) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(Err(error)) = draft.keyring.as_ref().map(Keyring::parse) {
        problems.push(format!("ODT_KEYRING cannot be used: {error}"));
    }
    // None at all is what remains of a list that could not be read.
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
        E::NoTrustRoots { .. } | E::Client { .. } => "outgoing calls cannot be made",
    };
    let problems = Egress::problems(&egress_settings(okta));
    problems.iter().map(|error| format!("{}: {error}", name(error))).collect()
}

/// One crypto backend for the process; a second call finds the first one's and is fine.
fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// A server that is bound and not yet running.
pub struct Application {
    server: Server,
    metrics_server: Option<Server>,
    service: Service,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
}

impl Application {
    /// Binds the addresses; port 0 takes a free one. Refuses a database role that could bypass
    /// row-level security and a schema that is behind; waits a while for a database that is away.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn build(config: &Config) -> Result<Self, StartError> {
        install_crypto();
        let egress = Egress::new(egress_settings(&config.okta))?;
        let store = open_store(config)?;
        let suffixes = OktaSuffixes::new(&config.okta.suffixes)?;
        if config.metrics_listen.is_some() {
            // Without a listener there is no recorder, and so nothing is recorded at all.
            metrics::handle();
        }
        tell_of_overrides(&egress);
        refuse_unsafe_role(&store).await?;
        refuse_pending_migrations(&store).await?;
        refuse_missing_keys(&store).await?;

        let okta_settings = OktaSettings { suffixes, ..OktaSettings::default() };
        let okta = OktaClient::new(egress.clone(), okta_settings);
        let authenticator = Authenticator::new(&config.auth, &egress);
        // Begins to read the issuer's keys, so that they are there when the first caller comes.
        authenticator.is_ready();
        let (wizard, sync) = (config.wizard.clone(), config.sync.clone());
        let public_url = config.public_url.clone();
        let service = Service::new(store, okta, wizard, sync, config.trust, public_url);
        let state = web::Data::new(State {
            service: service.clone(),
            authenticator,
            database_probe: Probe::default(),
            overridden_hosts: egress.overrides().map(str::to_owned).collect(),
        });
        let (server, address) = api_server(config, state)?;
        let (metrics_server, metrics_address) = metrics_server(config)?;
        Ok(Self { server, metrics_server, service, address, metrics_address })
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the metrics listen.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Stops the server; gracefully lets requests in flight finish.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until the handle stops it, or a fault of the listener.
    ///
    /// # Errors
    /// What the operating system says of the listener.
    pub async fn run(self) -> std::io::Result<()> {
        let metrics_handle = self.metrics_server.as_ref().map(Server::handle);
        let upkeep = self.metrics_server.map(|metrics_server| {
            tokio::spawn(metrics_server);
            tokio::spawn(metrics::keep_up())
        });
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let work = tokio::spawn(async move { self.service.work(stopped).await });
        let ended = self.server.await;
        // What is at work gives its jobs back, so that another replica need not wait for the lease.
        let _ = stop.send(true);
        let _ = tokio::time::timeout(LAST_STEP, work).await;
        if let Some(upkeep) = upkeep {
            upkeep.abort();
        }
        if let Some(handle) = metrics_handle {
            handle.stop(false).await;
        }
        ended
    }
}

/// How long a job may take for the step that it is at when the service stops.
const LAST_STEP: Duration = Duration::from_secs(5);

fn egress_settings(okta: &OktaConfig) -> EgressSettings {
    EgressSettings {
        extra_root_ca_pem: okta.extra_root_ca_pem.clone(),
        host_overrides: okta.host_overrides.clone(),
        proxy: okta.proxy.as_ref().map(|proxy| proxy.0.clone()),
        request_timeout: okta.request_timeout,
        ..EgressSettings::default()
    }
}

/// The store, as the configuration describes it. Connects at first use.
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

fn tell_of_overrides(egress: &Egress) {
    let hosts: Vec<&str> = egress.overrides().collect();
    metrics::record_overrides(hosts.len());
    if !hosts.is_empty() {
        tracing::warn!(
            hosts = hosts.join(" "),
            "hosts are overridden: this is for development and tests only"
        );
    }
}

/// How long start-up waits for a database that is away, before it gives up.
const ROLE_PATIENCE: Duration = Duration::from_secs(30);

/// A role that is unsafe stops the start, and so does a login that the server refuses: neither gets
/// better by waiting. A database that is away delays it: a replica that starts while `PostgreSQL` is
/// being restarted must neither die nor serve before the role was judged.
async fn refuse_unsafe_role(store: &Store) -> Result<(), StartError> {
    let deadline = tokio::time::Instant::now() + ROLE_PATIENCE;
    loop {
        match store.refuse_unsafe_role().await {
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

/// A key that was dropped from the keyring while it still seals something is told of at the start,
/// and not by the first call that needs it.
async fn refuse_missing_keys(store: &Store) -> Result<(), StartError> {
    let missing = store.list_missing_keys().await.map_err(StartError::Store)?;
    if missing.is_empty() { Ok(()) } else { Err(StartError::MissingKeys(missing)) }
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
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(web::PayloadConfig::new(BODY_LIMIT))
            .wrap(cors(&origins))
            .wrap(from_fn(middleware::observe))
            .configure(|services| routes::configure(services, &document))
    })
    .workers(workers(config))
    .worker_max_blocking_threads(blocking_threads(config))
    .shutdown_timeout(config.shutdown_grace.as_secs())
    .disable_signals()
    .bind(address)
    .map_err(failed)?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    Ok((server.run(), bound))
}

fn workers(config: &Config) -> usize {
    match config.workers {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get),
        number => number,
    }
}

/// Enough of each worker's blocking threads that lookups of names, all of them slow and all on one
/// worker, leave those that the database needs.
fn blocking_threads(config: &Config) -> usize {
    MOST_LOOKUPS + config.database.connections as usize + SPARE_THREADS
}

/// For what else blocks now and then, such as a file of the log.
const SPARE_THREADS: usize = 4;

/// Front ends of the configured origins only; without any, browsers of other origins are refused.
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
