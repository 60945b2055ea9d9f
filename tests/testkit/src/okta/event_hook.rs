//! Okta as the caller of an event hook: it verifies the URL with a challenge, and delivers events with the
//! secret. It retries a delivery once.
//!
//! Unlike the other modules it is a client.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ids::random;
use super::org::Org;

/// How long Okta waits for a response.
const TIMEOUT: Duration = Duration::from_secs(3);

/// An event hook as an admin configures it in the Admin Console.
#[derive(Debug, Clone)]
pub struct EventHook {
    source: String,
    url: String,
    secret: String,
    client: reqwest::Client,
}

/// Why a call of the hook failed.
#[derive(Debug, thiserror::Error)]
pub enum HookFailure {
    #[error("the URL was not verified: it answered {status} {body}")]
    NotVerified { status: u16, body: String },
    #[error("the hook answered {0} twice")]
    Refused(u16),
    #[error("there was no response, twice")]
    NoAnswer(#[source] reqwest::Error),
}

impl Org {
    /// Creates a hook without calling it.
    pub fn event_hook(&self, url: impl Into<String>, secret: impl Into<String>) -> EventHook {
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
        EventHook {
            source: format!("{}/api/v1/eventHooks/who{}", self.url(), random(17)),
            url: url.into(),
            secret: secret.into(),
            client: client.build().expect("a valid client"),
        }
    }
}

impl EventHook {
    /// Sends a challenge to the URL, which it must return.
    pub async fn verify(&self) -> Result<(), HookFailure> {
        let challenge = random(40);
        let ask = || {
            let ask = self.client.get(&self.url).header("authorization", &self.secret);
            ask.header("x-okta-verification-challenge", &challenge)
        };
        let answer = twice(ask).await?;
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap_or_default();
        let told: Option<Value> = serde_json::from_str(&body).ok();
        match told.as_ref().and_then(|told| told["verification"].as_str()) {
            Some(told) if status == 200 && told == challenge => Ok(()),
            _ => Err(HookFailure::NotVerified { status, body }),
        }
    }

    /// Delivers events of one type, one for each device.
    pub async fn deliver(&self, kind: &str, devices: &[&str]) -> Result<(), HookFailure> {
        let events: Vec<Value> = devices.iter().map(|device| event(kind, device)).collect();
        self.deliver_body(&self.delivery(&events)).await
    }

    /// Delivers an arbitrary body.
    pub async fn deliver_body(&self, body: &Value) -> Result<(), HookFailure> {
        let ask = || self.client.post(&self.url).header("authorization", &self.secret).json(body);
        let status = twice(ask).await?.status();
        if status.is_success() { Ok(()) } else { Err(HookFailure::Refused(status.as_u16())) }
    }

    /// Returns the body that Okta sends for these events. Sending it again repeats the same delivery.
    pub fn delivery(&self, events: &[Value]) -> Value {
        json!({
            "eventType": "com.okta.event_hook",
            "eventTypeVersion": "1.0",
            "cloudEventsVersion": "0.1",
            "contentType": "application/json",
            "source": self.source,
            "eventId": Uuid::new_v4(),
            "eventTime": now(),
            "data": { "events": events },
        })
    }
}

/// Returns an event in the format of the System Log, of a user and a device.
pub fn event(kind: &str, device: &str) -> Value {
    json!({
        "uuid": Uuid::new_v4(),
        "published": now(),
        "eventType": kind,
        "version": "0",
        "severity": "INFO",
        "displayMessage": "Something happened to a device",
        "actor": { "id": format!("00u{}", random(17)), "type": "User", "alternateId": "ada@example.com" },
        "client": { "ipAddress": "203.0.113.7", "userAgent": { "rawUserAgent": "Okta Verify" } },
        "outcome": { "result": "SUCCESS" },
        "target": [
            { "id": format!("00u{}", random(17)), "type": "User", "alternateId": "ada@example.com" },
            { "id": device, "type": "Device", "alternateId": "unknown", "detailEntry": null },
        ],
        "transaction": { "type": "WEB", "id": random(27) },
        "debugContext": { "debugData": {} },
    })
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Calls the hook, and once more if the first call fails.
async fn twice(
    ask: impl Fn() -> reqwest::RequestBuilder,
) -> Result<reqwest::Response, HookFailure> {
    match ask().send().await {
        Ok(answer) if answer.status().is_success() => Ok(answer),
        _ => ask().send().await.map_err(HookFailure::NoAnswer),
    }
}
