//! A plain HTTPS client with the simulated root and the hosts of one simulated Okta.

use std::sync::Arc;

use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, redirect};
use serde_json::Value;
use testkit::okta::{Options, Org, OrgSetup, SimulatedOkta};

pub struct World {
    pub okta: Arc<SimulatedOkta>,
    pub acme: Org,
}

pub async fn world() -> World {
    world_with(OrgSetup::new("acme")).await
}

pub async fn world_with(setup: OrgSetup) -> World {
    let okta = SimulatedOkta::start(Options::default()).await.unwrap();
    let acme = okta.add_org(setup);
    World { okta: Arc::new(okta), acme }
}

impl World {
    pub fn client(&self) -> Client {
        self.client_builder().build().unwrap()
    }

    pub fn http1_client(&self) -> Client {
        self.client_builder().http1_only().build().unwrap()
    }

    fn client_builder(&self) -> ClientBuilder {
        let root = Certificate::from_pem(self.okta.root_ca_pem().as_bytes()).unwrap();
        let mut client =
            Client::builder().tls_certs_only([root]).no_proxy().redirect(redirect::Policy::none());
        for pair in self.okta.host_overrides().split(',') {
            let (host, address) = pair.split_once('=').unwrap();
            client = client.resolve(host, address.parse().unwrap());
        }
        client
    }

    /// `path` on the org's own host.
    pub fn at(&self, path: &str) -> String {
        format!("{}:{}{path}", self.acme.url(), self.okta.address().port())
    }

    /// The request that Okta's documentation shows.
    pub fn token_request(&self, scope: &str) -> RequestBuilder {
        self.client()
            .post(self.at("/oauth2/v1/token"))
            .basic_auth(self.acme.client_id(), Some(self.acme.client_secret()))
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("grant_type=client_credentials&scope={}", scope.replace(' ', "+")))
    }

    pub async fn token(&self, scope: &str) -> String {
        let body: Value = self.token_request(scope).send().await.unwrap().json().await.unwrap();
        body["access_token"].as_str().expect("a token").to_string()
    }

    pub async fn get(&self, token: &str, path: &str) -> Response {
        self.client().get(self.at(path)).bearer_auth(token).send().await.unwrap()
    }
}

pub async fn json(response: Response) -> Value {
    response.json().await.unwrap()
}
