//! The simulated org's control API: the tour plays the admin who switches things on and off in Okta.
//!
//! What it turns it turns back in the end: the org may be one that somebody works with.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::okta::{Knobs, NewDevice};

use super::answer::Broken;
use crate::Failure;
use crate::stack::ORG;

pub struct ControlledOrg {
    http: Client,
    url: String,
    before: Value,
    host: String,
    scep_url: String,
    challenge_url: String,
}

impl ControlledOrg {
    /// Takes the org over, in the state of a customer who has done everything right.
    pub async fn take(http: Client, sim_url: &str) -> Result<Self, Failure> {
        let url = format!("{sim_url}/_sim/orgs/{ORG}");
        let state: Value = http.get(&url).send().await?.error_for_status()?.json().await?;
        let text = |pointer: &str| {
            state.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (scep_url, challenge_url) = (text("/scep/scep_url"), text("/scep/challenge_url"));
        let (before, host) = (state["knobs"].clone(), text("/host"));
        let org = Self { http, url, before, host, scep_url, challenge_url };
        let mut healthy = json!(Knobs::default());
        for kept in ["client_id", "client_secrets", "custom_domains", "rate_limits"] {
            healthy[kept] = org.before[kept].clone();
        }
        for kept in ["username", "password"] {
            healthy["scep"][kept] = org.before["scep"][kept].clone();
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

    /// The hosts where the org's users sign in.
    pub fn hosts(&self) -> Vec<&str> {
        let custom = self.before["custom_domains"].as_array().into_iter().flatten();
        std::iter::once(&*self.host).chain(custom.filter_map(Value::as_str)).collect()
    }

    pub fn client_id(&self) -> &str {
        self.before["client_id"].as_str().unwrap_or_default()
    }

    /// The newest of the client's secrets.
    pub fn client_secret(&self) -> &str {
        let secrets = self.before["client_secrets"].as_array();
        secrets.and_then(|secrets| secrets.last()?.as_str()).unwrap_or_default()
    }

    /// The values of the macOS platform, as Okta's console shows them.
    pub fn scep_values(&self) -> Value {
        json!({
            "scep_url": self.scep_url,
            "challenge_url": self.challenge_url,
            "username": self.before["scep"]["username"],
            "password": self.scep_password(),
        })
    }

    pub fn scep_url(&self) -> &str {
        &self.scep_url
    }

    /// The password as it was when the tour began.
    pub fn scep_password(&self) -> &str {
        self.before["scep"]["password"].as_str().unwrap_or_default()
    }

    /// What the admin does in Okta's console: from now on the new password counts and no other.
    pub async fn reset_scep_password(&self) -> Result<String, Broken> {
        let request = self.http.post(format!("{}/scep/reset-password", self.url));
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["password"].as_str().unwrap_or_default().to_owned())
    }

    /// Every challenge that the org has handed out.
    pub async fn challenges(&self) -> Result<Vec<String>, Broken> {
        let request = self.http.get(format!("{}/scep/challenges", self.url));
        let minted: Vec<Value> = request.send().await?.error_for_status()?.json().await?;
        let value = |minted: &Value| Some(minted["challenge"].as_str()?.to_owned());
        Ok(minted.iter().filter_map(value).collect())
    }

    /// What Okta's CA does with the challenge of a request for a certificate. False: it is not good,
    /// or no longer.
    pub async fn use_challenge(&self, challenge: &str) -> Result<bool, Broken> {
        let request = self.http.post(format!("{}/scep/consume-challenge", self.url));
        let answer = request.json(&json!({ "challenge": challenge })).send().await?;
        if answer.status().as_u16() == 409 {
            return Ok(false);
        }
        answer.error_for_status()?;
        Ok(true)
    }

    /// Okta is away, or back again.
    pub async fn set_outage(&self, is_away: bool) -> Result<(), Broken> {
        let fault = json!({ "kind": "status", "status": 503, "path": "/" });
        self.turn(json!({ "faults": if is_away { json!([fault]) } else { json!([]) } })).await
    }

    /// Okta Verify registers a Mac: its id in Okta.
    pub async fn add_mac(&self, serial_number: &str, udid: &str) -> Result<String, Broken> {
        let mac = json!({
            "platform": "MACOS", "serial_number": serial_number, "udid": udid,
            "display_name": "Ada's Mac",
        });
        self.make("devices", &mac).await
    }

    /// Okta Verify registers a device as it knows it: its id in Okta.
    pub async fn add_device(&self, device: &NewDevice) -> Result<String, Broken> {
        self.make("devices", &json!(device)).await
    }

    /// A user of the org: his id in Okta.
    pub async fn add_user(&self, login: &str) -> Result<String, Broken> {
        self.make("users", &json!({ "login": login })).await
    }

    async fn make(&self, what: &str, body: &Value) -> Result<String, Broken> {
        let request = self.http.post(format!("{}/{what}", self.url)).json(body);
        let made: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }

    /// The user adds an account in Okta Verify; he is not managed by that.
    pub async fn enroll(&self, device: &str, user: &str) -> Result<(), Broken> {
        self.happens(&format!("devices/{device}/users/{user}"), &json!({})).await
    }

    pub async fn sign_in_with_fastpass(&self, device: &str, user: &str) -> Result<(), Broken> {
        self.happens(&format!("devices/{device}/users/{user}/sign-in"), &json!({})).await
    }

    /// What an admin does in Okta's console, such as `SUSPENDED`.
    pub async fn set_device_status(&self, device: &str, status: &str) -> Result<(), Broken> {
        self.happens(&format!("devices/{device}/status"), &json!({ "status": status })).await
    }

    async fn happens(&self, what: &str, body: &Value) -> Result<(), Broken> {
        let request = self.http.post(format!("{}/{what}", self.url)).json(body);
        request.send().await?.error_for_status()?;
        Ok(())
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
