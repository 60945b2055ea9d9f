//! The simulated org's control API: the tour plays the admin who switches things on and off in Okta.
//!
//! What it turns it turns back in the end: the org may be one that somebody works with.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::okta::Knobs;

use super::answer::Broken;
use crate::Failure;
use crate::stack::ORG;

pub struct ControlledOrg {
    http: Client,
    url: String,
    before: Value,
}

impl ControlledOrg {
    /// Takes the org over, in the state of a customer who has done everything right.
    pub async fn take(http: Client, sim_url: &str) -> Result<Self, Failure> {
        let url = format!("{sim_url}/_sim/orgs/{ORG}");
        let state: Value = http.get(&url).send().await?.error_for_status()?.json().await?;
        let org = Self { http, url, before: state["knobs"].clone() };
        let mut healthy = json!(Knobs::default());
        for kept in ["client_id", "client_secrets", "custom_domains"] {
            healthy[kept] = org.before[kept].clone();
        }
        org.turn(healthy).await.map_err(|broken| broken.what)?;
        Ok(org)
    }

    pub async fn turn(&self, knobs: Value) -> Result<(), Broken> {
        self.http.patch(&self.url).json(&knobs).send().await?.error_for_status()?;
        Ok(())
    }

    pub async fn give_back(&self) {
        let _ = self.turn(self.before.clone()).await;
    }

    pub fn client_id(&self) -> &str {
        self.before["client_id"].as_str().unwrap_or_default()
    }

    /// The newest of the client's secrets.
    pub fn client_secret(&self) -> &str {
        let secrets = self.before["client_secrets"].as_array();
        secrets.and_then(|secrets| secrets.last()?.as_str()).unwrap_or_default()
    }

    /// What was asked of the org so far: method and path of each request.
    pub async fn requests(&self) -> Result<Vec<String>, Broken> {
        let request = self.http.request(Method::GET, format!("{}/journal", self.url));
        let entries: Vec<Value> = request.send().await?.error_for_status()?.json().await?;
        let line = |entry: &Value| -> Option<String> {
            Some(format!("{} {}", entry["method"].as_str()?, entry["path"].as_str()?))
        };
        Ok(entries.iter().filter_map(line).collect())
    }
}
