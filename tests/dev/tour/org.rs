//! The control API of the simulated org, with which the tour acts as the admin and the users in Okta.
//!
//! All changes are reverted at the end, because a developer may be using the same org.

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
    /// Saves the org's state and sets it to that of a well configured org.
    pub async fn start(http: Client, sim_url: &str) -> Result<Self, Failure> {
        let url = format!("{sim_url}/_sim/orgs/{ORG}");
        let state: Value = http.get(&url).send().await?.error_for_status()?.json().await?;
        let text = |pointer: &str| {
            state.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (scep_url, challenge_url) = (text("/scep/scep_url"), text("/scep/challenge_url"));
        let (before, host) = (state["knobs"].clone(), text("/host"));
        let org = Self { http, url, before, host, scep_url, challenge_url };
        let mut healthy = json!(Knobs::default());
        for name in ["client_id", "client_secrets", "custom_domains", "rate_limits"] {
            healthy[name] = org.before[name].clone();
        }
        for name in ["username", "password"] {
            healthy["scep"][name] = org.before["scep"][name].clone();
        }
        org.set_knobs(healthy).await.map_err(|broken| broken.what)?;
        Ok(org)
    }

    pub async fn set_knobs(&self, knobs: Value) -> Result<(), Broken> {
        self.http.patch(&self.url).json(&knobs).send().await?.error_for_status()?;
        Ok(())
    }

    pub async fn restore(&self) {
        let _ = self.set_knobs(self.before.clone()).await;
    }

    /// Returns the hosts where the org's users sign in.
    pub fn hosts(&self) -> Vec<&str> {
        let custom = self.before["custom_domains"].as_array().into_iter().flatten();
        std::iter::once(&*self.host).chain(custom.filter_map(Value::as_str)).collect()
    }

    pub fn client_id(&self) -> &str {
        self.before["client_id"].as_str().unwrap_or_default()
    }

    /// Returns the newest client secret.
    pub fn client_secret(&self) -> &str {
        let secrets = self.before["client_secrets"].as_array();
        secrets.and_then(|secrets| secrets.last()?.as_str()).unwrap_or_default()
    }

    /// Returns the values of the macOS platform that Okta's console shows.
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

    /// Returns the password from before the tour.
    pub fn scep_password(&self) -> &str {
        self.before["scep"]["password"].as_str().unwrap_or_default()
    }

    /// Resets the password, as the admin does in Okta's console, and returns the new one.
    pub async fn reset_scep_password(&self) -> Result<String, Broken> {
        let request = self.http.post(format!("{}/scep/reset-password", self.url));
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["password"].as_str().unwrap_or_default().to_owned())
    }

    /// Returns all challenges that the org has issued.
    pub async fn challenges(&self) -> Result<Vec<String>, Broken> {
        let request = self.http.get(format!("{}/scep/challenges", self.url));
        let minted: Vec<Value> = request.send().await?.error_for_status()?.json().await?;
        let value = |minted: &Value| Some(minted["challenge"].as_str()?.to_owned());
        Ok(minted.iter().filter_map(value).collect())
    }

    /// Consumes a challenge like Okta's CA. Returns false if the challenge is not valid or was used.
    pub async fn use_challenge(&self, challenge: &str) -> Result<bool, Broken> {
        let request = self.http.post(format!("{}/scep/consume-challenge", self.url));
        let answer = request.json(&json!({ "challenge": challenge })).send().await?;
        if answer.status().as_u16() == 409 {
            return Ok(false);
        }
        answer.error_for_status()?;
        Ok(true)
    }

    /// Starts or ends an outage of Okta.
    pub async fn set_outage(&self, is_out: bool) -> Result<(), Broken> {
        let fault = json!({ "kind": "status", "status": 503, "path": "/" });
        self.set_knobs(json!({ "faults": if is_out { json!([fault]) } else { json!([]) } })).await
    }

    /// Registers a Mac, as Okta Verify does, and returns its Okta id.
    pub async fn add_mac(&self, serial_number: &str, udid: &str) -> Result<String, Broken> {
        let mac = json!({
            "platform": "MACOS", "serial_number": serial_number, "udid": udid,
            "display_name": "Ada's Mac",
        });
        self.create("devices", &mac).await
    }

    /// Registers a device, as Okta Verify does, and returns its Okta id.
    pub async fn add_device(&self, device: &NewDevice) -> Result<String, Broken> {
        self.create("devices", &json!(device)).await
    }

    /// Creates a user and returns the id.
    pub async fn add_user(&self, login: &str) -> Result<String, Broken> {
        self.create("users", &json!({ "login": login })).await
    }

    async fn create(&self, what: &str, body: &Value) -> Result<String, Broken> {
        let request = self.http.post(format!("{}/{what}", self.url)).json(body);
        let created: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(created["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Adds the user's account in Okta Verify. The user is not managed yet.
    pub async fn enroll(&self, device: &str, user: &str) -> Result<(), Broken> {
        self.post(&format!("devices/{device}/users/{user}"), &json!({})).await
    }

    pub async fn sign_in_with_fastpass(&self, device: &str, user: &str) -> Result<(), Broken> {
        self.post(&format!("devices/{device}/users/{user}/sign-in"), &json!({})).await
    }

    /// Changes a device's status, as an admin does in Okta's console.
    pub async fn set_device_status(&self, device: &str, status: &str) -> Result<(), Broken> {
        self.post(&format!("devices/{device}/status"), &json!({ "status": status })).await
    }

    async fn post(&self, what: &str, body: &Value) -> Result<(), Broken> {
        let request = self.http.post(format!("{}/{what}", self.url)).json(body);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// Returns method and path of all requests to the org so far.
    pub async fn requests(&self) -> Result<Vec<String>, Broken> {
        let request = self.http.request(Method::GET, format!("{}/journal", self.url));
        let entries: Vec<Value> = request.send().await?.error_for_status()?.json().await?;
        let line = |entry: &Value| -> Option<String> {
            Some(format!("{} {}", entry["method"].as_str()?, entry["path"].as_str()?))
        };
        Ok(entries.iter().filter_map(line).collect())
    }
}
