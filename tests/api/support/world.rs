//! The world of one test: a database of its own, an Okta world of its own, the service on a free port.

use std::sync::{LazyLock, Mutex};

use okta_device_trust::config::{Config, Environment};
use okta_device_trust::startup::Application;
use okta_device_trust::store::migrations::migrate;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use testkit::okta::{Options, Org, OrgSetup, SimulatedOkta};
use testkit::postgres::Postgres;
use testkit::tokens::{Claims, JwksServer, TokenIssuer};
use uuid::Uuid;

pub const INTEGRATIONS: &str = "/integrations/okta-device-trust";
pub const EVERY_SCOPE: [&str; 5] =
    ["odt:read", "odt:write", "odt:deploy", "odt:inventory", "trust:read"];
const ISSUER: &str = "https://mdm.example.com";
const AUDIENCE: &str = "okta-device-trust";
pub const TEMPLATE: &str = "template_odt";
/// What the service and the migrations log in with; the server is private to this process.
pub const PASSWORD: &str = "only-for-tests";
pub const KEYRING: &str = "test-key:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// One server for the process; each test clones its database from a migrated template.
pub static POSTGRES: LazyLock<Mutex<Postgres>> = LazyLock::new(|| {
    let postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    prepare(&postgres);
    Mutex::new(postgres)
});

/// Two roles as in production: one that owns the tables, one that works with them.
pub fn prepare(postgres: &Postgres) {
    let roles = format!(
        "CREATE ROLE odt_owner LOGIN CREATEROLE PASSWORD '{PASSWORD}';
         CREATE ROLE odt_app NOLOGIN;
         CREATE ROLE odt_service LOGIN PASSWORD '{PASSWORD}' IN ROLE odt_app;"
    );
    postgres.execute("postgres", &roles).expect("roles");
    postgres.create_database(TEMPLATE, None).expect("template");
    postgres.execute(TEMPLATE, "ALTER SCHEMA public OWNER TO odt_owner").expect("owner");
    let owner = postgres.url("odt_owner", PASSWORD, TEMPLATE);
    migrate(&SecretString::from(owner)).expect("migrations");
}

/// A migrated database on a server of the test's own: its name, and its URL as the service's role.
pub fn database_on(postgres: &Postgres) -> (String, String) {
    let name = format!("odt_{}", Uuid::now_v7().simple());
    postgres.create_database(&name, Some(TEMPLATE)).expect("database");
    let url = postgres.url("odt_service", PASSWORD, &name);
    (name, url)
}

pub static ISSUER_KEYS: LazyLock<(TokenIssuer, JwksServer)> = LazyLock::new(|| {
    let issuer = TokenIssuer::new(ISSUER, AUDIENCE);
    let jwks = JwksServer::start(&issuer).expect("JWKS server");
    (issuer, jwks)
});

/// Makes the world, with what a test wants otherwise.
pub struct Builder {
    settings: Vec<(String, String)>,
    orgs: Vec<OrgSetup>,
    other_hosts: Vec<String>,
    database: Option<String>,
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

    /// A host that is reached and is no Okta org.
    pub fn other_host(mut self, host: &str) -> Self {
        self.other_hosts.push(host.to_owned());
        self
    }

    /// PostgreSQL at this URL in place of the shared one.
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database = Some(url.into());
        self
    }

    /// Why the service does not start in this world, with all causes.
    pub async fn refusal(self) -> String {
        let okta = SimulatedOkta::start(Options::default()).await.expect("simulated Okta");
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
        let mut world = self.without_service().await;
        let config = Config::load(&world.environment).expect("configuration");
        let application = Application::build(&config).await.expect("the service starts");
        world.base = format!("http://{}", application.address());
        world.metrics = application.metrics_address().map(|address| format!("http://{address}"));
        world.handle = Some(application.handle());
        tokio::spawn(application.run());
        world
    }

    /// The world alone: the test starts the program itself and sets `base`.
    pub async fn without_service(self) -> World {
        let okta = SimulatedOkta::start(Options::default()).await.expect("simulated Okta");
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

/// The settings of a service in this world.
fn environment(
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
        // What a test counts of Okta's requests are its own; who tests the mirror switches it on.
        ("ODT_SYNC_WORKERS", "0"),
        // Tests ask in a second what people ask in an hour; who tests the limit sets it.
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

#[expect(clippy::disallowed_methods, reason = "the tests' own client, of the API")]
fn http() -> reqwest::Client {
    // Not longer than the server keeps an idle connection: one that both give up at once is nobody's fault.
    reqwest::Client::builder()
        .pool_idle_timeout(std::time::Duration::from_secs(2))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("client")
}

pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::now_v7().simple())
}

pub struct World {
    pub base: String,
    pub metrics: Option<String>,
    pub okta: SimulatedOkta,
    pub acme: Org,
    pub database: String,
    pub environment: Environment,
    pub handle: Option<actix_web::dev::ServerHandle>,
    pub http: reqwest::Client,
    pub tenant: String,
    _folder: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        // The server stops by itself when its runtime ends; the database would stay until the end.
        if let Some(handle) = &self.handle {
            drop(handle.stop(false));
        }
    }
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn etag(&self) -> &str {
        self.header("etag")
    }

    /// The answer as one that was expected to be a success.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The answer as a problem document of this status and code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{}", self.text);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.len() > 10),
            "{}",
            self.text
        );
        problem
    }
}

/// A request that is being put together.
pub struct Ask<'a> {
    world: &'a World,
    builder: reqwest::RequestBuilder,
}

impl Ask<'_> {
    pub fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    pub fn body(mut self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.header("content-type", content_type).body(body);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub fn token(mut self, token: &str) -> Self {
        self.builder = self.builder.bearer_auth(token);
        self
    }

    pub fn scopes(self, scopes: &[&str]) -> Self {
        let token = self.world.token_of(&self.world.tenant, scopes);
        self.token(&token)
    }

    pub fn admin(self) -> Self {
        self.scopes(&["odt:read", "odt:write"])
    }

    pub async fn send(self) -> Answer {
        let response = self.builder.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body") }
    }
}

impl World {
    pub async fn start() -> Self {
        Self::build().start().await
    }

    pub fn build() -> Builder {
        Builder { settings: Vec::new(), orgs: Vec::new(), other_hosts: Vec::new(), database: None }
    }

    #[expect(clippy::unused_self, reason = "reads as what the world's issuer does")]
    pub fn token_of(&self, tenant: &str, scopes: &[&str]) -> String {
        ISSUER_KEYS.0.sign(&Claims::new("admin@customer.example").tenant(tenant).scopes(scopes))
    }

    pub fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        Ask { world: self, builder: self.http.request(method, format!("{}{path}", self.base)) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).admin().send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path).admin().json(body).send().await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, path).admin().json(body).send().await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PATCH, path).admin().json(body).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path).admin().send().await
    }

    /// An integration for `acme.okta.com`, not connected yet; its path.
    pub async fn integration(&self) -> String {
        let created =
            self.post(INTEGRATIONS, &json!({ "okta_domain": self.acme.host() })).await.expect(201);
        format!("{INTEGRATIONS}/{}", created["id"].as_str().expect("id"))
    }

    /// An integration for `acme.okta.com` with credentials; its path.
    pub async fn connected(&self) -> String {
        let path = self.integration().await;
        self.put(&format!("{path}/credentials"), &self.credentials()).await.expect(201);
        path
    }

    pub fn credentials(&self) -> Value {
        json!({ "client_id": self.acme.client_id(), "client_secret": self.acme.client_secret() })
    }

    /// The page of metrics.
    pub async fn metrics(&self) -> String {
        let base = self.metrics.as_deref().expect("metrics are on");
        let page = self.http.get(format!("{base}/metrics")).send().await.expect("an answer");
        page.text().await.expect("a body")
    }

    /// What a superuser sees in this test's database.
    pub fn sql(&self, sql: &str) -> String {
        POSTGRES.lock().expect("postgres").execute(&self.database, sql).expect("SQL")
    }
}

/// The item of a report.
#[track_caller]
pub fn item<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let items = report["items"].as_array().expect("items");
    items
        .iter()
        .find(|item| item["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind} in {report}"))
}
