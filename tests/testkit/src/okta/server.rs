//! The simulated Okta server: one TLS listener for all orgs, on its own thread.
//!
//! It makes no outgoing requests.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::{App, HttpServer, web};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;

use super::certificates::{Authority, CertificatePicker};
use super::description::Description;
use super::front;
use super::journal::Journal;
use super::org::{Org, OrgSetup};
use super::scep::ScepBackend;
use super::world::World;
use crate::background::Background;

const ROOT_NAME: &str = "Simulated Okta root (for tests only)";
const LARGEST_BODY: usize = 1024 * 1024;

#[derive(Debug, Clone)]
pub struct Options {
    /// 0 selects a free port.
    pub port: u16,
    /// The address to listen on; in a container 0.0.0.0.
    pub listen: IpAddr,
    /// Stores the root CA here, so that the next run uses the same one.
    pub ca_dir: Option<PathBuf>,
    /// The `address:port` that clients use, if it differs from the one listened on (containers).
    pub advertise: Option<String>,
    /// Okta's own description: a request that it does not allow fails the test that holds this server.
    pub description: Option<Arc<Description>>,
    /// A real SCEP server behind every org.
    pub scep_backend: Option<ScepBackend>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ca_dir: None,
            advertise: None,
            description: None,
            scep_backend: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}; choose another port, or 0 for a free one")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot store the root CA in {folder}")]
    Authority {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot start the server")]
    Server(#[source] io::Error),
}

/// The server; it stops when dropped.
#[derive(Debug)]
pub struct SimulatedOkta {
    address: SocketAddr,
    advertised: String,
    root_ca_pem: String,
    world: Arc<World>,
    running: Background,
}

impl SimulatedOkta {
    /// Starts the server, from any runtime; it has its own.
    #[expect(
        clippy::unused_async,
        reason = "callers await it, so that it may one day wait for something"
    )]
    pub async fn start(options: Options) -> Result<Self, StartError> {
        Self::start_blocking(options)
    }

    /// Like [`start`](Self::start), for callers without a runtime. Takes a few milliseconds.
    pub fn start_blocking(options: Options) -> Result<Self, StartError> {
        let wanted = SocketAddr::new(options.listen, options.port);
        let cannot_listen = |source| StartError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let authority = Arc::new(match options.ca_dir {
            Some(folder) => Authority::load_or_create(&folder, ROOT_NAME)
                .map_err(|source| StartError::Authority { folder, source })?,
            None => Authority::new(ROOT_NAME),
        });
        let world = Arc::new(World::new(options.description, options.scep_backend));
        let tls = tls_config(CertificatePicker::new(Arc::clone(&authority), &world, address.ip()));
        let advertised = options.advertise.unwrap_or_else(|| dialled(address).to_string());
        let data = web::Data::from(Arc::clone(&world));
        let running = Background::start("simulated-okta", move || {
            let app = move || {
                App::new()
                    .app_data(data.clone())
                    .app_data(web::PayloadConfig::new(LARGEST_BODY))
                    .default_service(web::to(front::answer))
            };
            let server = HttpServer::new(app)
                .workers(2)
                .disable_signals()
                .shutdown_timeout(0)
                .on_connect(front::on_connect)
                .listen_rustls_0_23(listener, tls)?
                .run();
            Ok(server)
        })
        .map_err(StartError::Server)?;
        Ok(Self { address, advertised, root_ca_pem: authority.pem().to_string(), world, running })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `https://127.0.0.1:port`, where the first org responds.
    pub fn url(&self) -> String {
        format!("https://{}", dialled(self.address))
    }

    pub fn root_ca_pem(&self) -> &str {
        &self.root_ca_pem
    }

    /// Returns `acme.okta.com=127.0.0.1:9443,…` for every host, including custom domains and others.
    pub fn host_overrides(&self) -> String {
        let all: Vec<String> =
            self.world.hosts().iter().map(|host| self.override_for(host)).collect();
        all.join(",")
    }

    pub fn override_for(&self, host: &str) -> String {
        format!("{host}={}", self.advertised)
    }

    /// Adds an org. Replaces an existing one with the same host.
    pub fn add_org(&self, setup: OrgSetup) -> Org {
        self.world.add(setup)
    }

    /// Returns an org by its name (`acme`) or host.
    pub fn org(&self, name: &str) -> Option<Org> {
        self.world.by_name(name)
    }

    pub fn orgs(&self) -> Vec<Org> {
        self.world.orgs()
    }

    /// Adds a host with a valid certificate that is not an Okta org: it responds with 404 and a web page.
    pub fn add_other_host(&self, host: &str) {
        self.world.add_other_host(host);
    }

    /// Returns the requests to hosts without an org.
    pub fn unmatched_requests(&self) -> Journal {
        self.world.unmatched_requests.clone()
    }

    /// What was wrong with requests by Okta's description, which is then forgotten.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut *self.world.violations.lock().expect("no holder panics"))
    }

    /// Closes the listener and all connections.
    pub fn stop(&mut self) {
        self.running.stop();
    }
}

impl Drop for SimulatedOkta {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let violations = self.take_violations();
            assert!(violations.is_empty(), "not what Okta describes: {violations:#?}");
        }
    }
}

/// Returns the address to connect to for a listener on `address`.
fn dialled(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

fn tls_config(picker: CertificatePicker) -> ServerConfig {
    // An explicit provider, independent of an installed default.
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(picker))
}
