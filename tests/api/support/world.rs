//! The world of a test: a database, a simulated Okta and the service on a free port.

use std::sync::LazyLock;

use okta_device_trust::config::Environment;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{Org, SimulatedOkta};
use testkit::tokens::{Claims, JwksServer, TokenIssuer};
use uuid::Uuid;

use crate::support::answer::{Answer, Ask};
use crate::support::builder::Builder;
use crate::support::postgres::POSTGRES;

pub const INTEGRATIONS: &str = "/integrations/okta-device-trust";

pub const EVERY_SCOPE: [&str; 5] =
    ["odt:read", "odt:write", "odt:deploy", "odt:inventory", "trust:read"];

pub const ISSUER: &str = "https://mdm.example.com";

pub const AUDIENCE: &str = "okta-device-trust";

pub const KEYRING: &str = "test-key:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

pub static ISSUER_KEYS: LazyLock<(TokenIssuer, JwksServer)> = LazyLock::new(|| {
    let issuer = TokenIssuer::new(ISSUER, AUDIENCE);
    let jwks = JwksServer::start(&issuer).expect("JWKS server");
    (issuer, jwks)
});

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
    pub(super) _folder: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            drop(handle.stop(false));
        }
        // Otherwise the databases of all tests add up to gigabytes. Only a database of this world has a name.
        // Not `lock`: the test itself may hold the server until after this world.
        if !self.database.is_empty()
            && let Ok(postgres) = POSTGRES.try_lock()
        {
            let _ = postgres.drop_database(&self.database);
        }
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

    /// Creates an integration for `acme.okta.com` without credentials. Returns its path.
    pub async fn integration(&self) -> String {
        let created =
            self.post(INTEGRATIONS, &json!({ "okta_domain": self.acme.host() })).await.expect(201);
        format!("{INTEGRATIONS}/{}", created["id"].as_str().expect("id"))
    }

    /// Creates an integration for `acme.okta.com` with credentials. Returns its path.
    pub async fn connected(&self) -> String {
        let path = self.integration().await;
        self.put(&format!("{path}/credentials"), &self.credentials()).await.expect(201);
        path
    }

    pub fn credentials(&self) -> Value {
        json!({ "client_id": self.acme.client_id(), "client_secret": self.acme.client_secret() })
    }

    /// Returns the metrics.
    pub async fn metrics(&self) -> String {
        let base = self.metrics.as_deref().expect("metrics are on");
        let page = self.http.get(format!("{base}/metrics")).send().await.expect("an answer");
        page.text().await.expect("a body")
    }
}
