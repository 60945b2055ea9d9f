//! Builds a world with the settings and orgs of a test.

use std::sync::{Arc, LazyLock};

use okta_device_trust::config::{Config, Environment};
use okta_device_trust::startup::Application;
use testkit::okta::{Description, Options, OrgSetup, SimulatedOkta};

use crate::support::postgres::{POSTGRES, database_on};
use crate::support::world::{AUDIENCE, ISSUER, ISSUER_KEYS, KEYRING, World, unique};

/// Okta's own description of its API, where it is there.
static DESCRIPTION: LazyLock<Option<Arc<Description>>> = LazyLock::new(Description::from_env);

/// Builds a world.
pub struct Builder {
    pub settings: Vec<(String, String)>,
    pub orgs: Vec<OrgSetup>,
    pub other_hosts: Vec<String>,
    pub database: Option<String>,
}

/// Every request of the service is held against Okta's description.
fn described() -> Options {
    Options { description: DESCRIPTION.clone(), ..Options::default() }
}

impl Builder {
    pub fn setting(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    pub fn org(mut self, setup: OrgSetup) -> Self {
        self.orgs.push(setup);
        self
    }

    /// Adds a reachable host that is not an Okta org.
    pub fn other_host(mut self, host: &str) -> Self {
        self.other_hosts.push(host.to_owned());
        self
    }

    /// Uses PostgreSQL at this URL instead of the shared one.
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database = Some(url.into());
        self
    }

    /// Returns why the service does not start in this world, with all causes.
    pub async fn refusal(self) -> String {
        let okta = SimulatedOkta::start(described()).await.expect("simulated Okta");
        let folder = tempfile::tempdir().expect("folder");
        let url = self.database.expect("a database of the test's own");
        let environment = environment(&okta, &url, folder.path(), &self.settings);
        let config = Config::load(&environment).expect("configuration");
        let error = Application::build(&config).await.err().expect("the service starts");
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(source) = cause {
            text = format!("{text}: {source}");
            cause = source.source();
        }
        text
    }

    pub async fn start(self) -> World {
        self.without_service().await.serve().await
    }

    /// Builds the world without a service: the test starts the program and sets `base`.
    pub async fn without_service(self) -> World {
        let okta = SimulatedOkta::start(described()).await.expect("simulated Okta");
        let acme = okta.add_org(OrgSetup::new("acme"));
        for setup in self.orgs {
            okta.add_org(setup);
        }
        self.other_hosts.iter().for_each(|host| okta.add_other_host(host));
        let mut database = String::new();
        let url = self.database.unwrap_or_else(|| {
            let (name, url) = database_on(&POSTGRES.lock().expect("postgres"));
            database = name;
            url
        });
        let folder = tempfile::tempdir().expect("folder");
        let environment = environment(&okta, &url, folder.path(), &self.settings);
        World {
            base: String::new(),
            metrics: None,
            okta,
            acme,
            database,
            environment,
            handle: None,
            http: http(),
            tenant: unique("tenant"),
            _folder: folder,
        }
    }
}

impl World {
    /// Starts the service in this process, in a world built without one.
    pub async fn serve(mut self) -> Self {
        let config = Config::load(&self.environment).expect("configuration");
        let application = Application::build(&config).await.expect("the service starts");
        self.base = format!("http://{}", application.address());
        self.metrics = application.metrics_address().map(|address| format!("http://{address}"));
        self.handle = Some(application.handle());
        tokio::spawn(application.run());
        self
    }
}

/// Returns the settings of a service in this world.
pub fn environment(
    okta: &SimulatedOkta,
    database_url: &str,
    folder: &std::path::Path,
    extra: &[(String, String)],
) -> Environment {
    let root = folder.join("root.pem");
    std::fs::write(&root, okta.root_ca_pem()).expect("root CA");
    let mut environment = Environment::default();
    for (name, value) in [
        ("ODT_LISTEN", "127.0.0.1:0"),
        ("ODT_METRICS_LISTEN", "127.0.0.1:0"),
        ("ODT_WORKERS", "1"),
        // Off, so that tests count only their own requests to Okta; tests of the mirror turn it on.
        ("ODT_SYNC_WORKERS", "0"),
        // High, because tests send many requests per second; tests of the limit set it.
        ("ODT_ATTEMPTS_PER_MINUTE", "10000"),
        ("ODT_SHUTDOWN_GRACE_SECONDS", "5"),
        ("ODT_DATABASE_URL", database_url),
        ("ODT_KEYRING", KEYRING),
        ("ODT_JWT_ISSUER", ISSUER),
        ("ODT_JWT_AUDIENCE", AUDIENCE),
        ("ODT_OKTA_EXTRA_ROOT_CA", root.to_str().expect("path")),
        ("ODT_OKTA_HOST_OVERRIDES", &okta.host_overrides()),
    ] {
        environment.set(name, value);
    }
    if !extra
        .iter()
        .any(|(name, _)| name.starts_with("ODT_JWT_SHARED") || name.starts_with("ODT_JWT_JWKS"))
    {
        environment.set("ODT_JWT_JWKS_URL", ISSUER_KEYS.1.url());
    }
    for (name, value) in extra {
        environment.set(name, value.clone());
    }
    environment
}

#[expect(clippy::disallowed_methods, reason = "the client of the tests")]
pub fn http() -> reqwest::Client {
    // Shorter than the server's idle timeout, so that both do not close a connection at once.
    reqwest::Client::builder()
        .pool_idle_timeout(std::time::Duration::from_secs(2))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("client")
}
