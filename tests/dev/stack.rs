//! Starts and stops the parts of the stack in the order of their dependencies.
//!
//! Each part stops when it is dropped, so a failed start stops the parts that are running.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::rt::task::JoinHandle;
use okta_device_trust::config::{Config, Environment};
use okta_device_trust::startup::{Application, StartError as ServiceError};
use okta_device_trust::telemetry;
use testkit::okta::{Options, OrgSetup, SimulatedOkta, StartError};
use testkit::postgres::Postgres;
use testkit::tokens::JwksServer;

use crate::Failure;
use crate::env_file::Facts;
use crate::folder::Folder;
use crate::settings::{self, Parts, Settings};
use crate::{database, http, ports, tokens};

/// The simulated org's name: `acme.okta.com`.
pub const ORG: &str = "acme";
const OKTA_PORT: u16 = 9443;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Keeps its data, uses well-known ports and the caller's settings.
    Permanent,
    /// Deletes its data at the end, uses free ports and default settings.
    Temporary,
}

pub struct Stack {
    pub facts: Facts,
    /// Notes for the banner.
    pub notes: Vec<String>,
    pub start_took: Duration,
    service: JoinHandle<io::Result<()>>,
    handle: ServerHandle,
    okta: SimulatedOkta,
    _jwks: JwksServer,
    postgres: Postgres,
}

impl Stack {
    pub async fn start(folder: &Folder, kind: Kind) -> Result<Self, Failure> {
        let started = Instant::now();
        let postgres = match kind {
            Kind::Permanent => Postgres::start_in(&folder.postgres())?,
            Kind::Temporary => Postgres::start_temporary()?,
        };
        let urls = database::prepare(&postgres, folder)?;
        database::migrate(&urls)?;
        let (okta, okta_note) = start_okta(folder, kind)?;
        let issuer = tokens::issuer(folder)?;
        let jwks = JwksServer::start(&issuer)?;
        let parts = Parts { folder, urls: &urls, okta: &okta, jwks: &jwks };
        let settings = settings_for(kind, &parts)?;
        let application = build(&settings.environment, kind).await?;
        let facts = Facts {
            url: base_url(application.address()),
            metrics_url: application.metrics_address().map(base_url),
            sim_url: okta.url(),
            sim_ca: folder.file("ca/root-ca.pem").to_string_lossy().into_owned(),
            sim_client_id: okta.org(ORG).map(|org| org.client_id()).unwrap_or_default(),
            sim_client_secret: okta.org(ORG).map(|org| org.client_secret()).unwrap_or_default(),
            tokens: tokens::for_every_caller(&issuer),
            database_url: urls.superuser,
            pid: std::process::id(),
        };
        let handle = application.handle();
        let service = actix_web::rt::spawn(application.run());
        http::wait_until_ready(&http::client(&facts.sim_ca)?, &facts.url).await?;
        let notes = okta_note.into_iter().chain(settings.notes).collect();
        let start_took = started.elapsed();
        Ok(Self { facts, notes, start_took, service, handle, okta, _jwks: jwks, postgres })
    }

    /// The folder of PostgreSQL's data. Outside of `.dev` if PostgreSQL's user cannot access that.
    pub fn data_dir(&self) -> &Path {
        self.postgres.data_dir()
    }

    /// Completes if the service ends by itself, which is an error.
    pub async fn service_ended(&mut self) -> Failure {
        match (&mut self.service).await {
            Ok(Err(error)) => error.into(),
            other => format!("the service ended unexpectedly: {other:?}").into(),
        }
    }

    /// Stops the service first, so that none of its requests fail.
    pub async fn stop(mut self) {
        self.handle.stop(true).await;
        if !self.service.is_finished() {
            let _ = self.service.await;
        }
        self.okta.stop();
        self.postgres.stop();
    }
}

fn settings_for(kind: Kind, parts: &Parts<'_>) -> Result<Settings, Failure> {
    let theirs = Environment::from_process();
    match kind {
        Kind::Permanent => settings::with_callers(parts, &theirs),
        Kind::Temporary => settings::isolated(parts, &theirs),
    }
}

async fn build(environment: &Environment, kind: Kind) -> Result<Application, Failure> {
    let config = Config::load(environment)?;
    telemetry::start_log(&config.log.filter, config.log.json).map_err(|error| error.to_string())?;
    match Application::build(&config).await {
        Ok(application) => Ok(application),
        // A migration that was edited after it ran leaves a schema that no migration corrects.
        Err(error @ ServiceError::Role(_)) if kind == Kind::Permanent => {
            let text = crate::with_causes(&error);
            Err(format!(
                "{text}\nIf the data is from another version of the code: `cargo dev --fresh` starts over."
            )
            .into())
        }
        Err(error) => Err(error.into()),
    }
}

fn start_okta(folder: &Folder, kind: Kind) -> Result<(SimulatedOkta, Option<String>), StartError> {
    let on = |port| Options { port, ca_dir: Some(folder.file("ca")), ..Options::default() };
    let (okta, note) = match kind {
        Kind::Temporary => (SimulatedOkta::start_blocking(on(0))?, None),
        Kind::Permanent => {
            let wanted = SocketAddr::from(([127, 0, 0, 1], OKTA_PORT));
            let (address, note) = ports::free(wanted, "the simulated org");
            (SimulatedOkta::start_blocking(on(address.port()))?, note)
        }
    };
    let org = okta.add_org(OrgSetup::new(ORG));
    // The short intervals of this stack cause many requests.
    org.change(|knobs| knobs.rate_limits.devices = DEVICES_PER_MINUTE);
    Ok((okta, note))
}

/// Rate limit of the simulated org's device endpoints. A small real org has 50 requests per minute.
const DEVICES_PER_MINUTE: u32 = 3000;

fn base_url(address: SocketAddr) -> String {
    format!("http://{}", ports::local_address(address))
}
