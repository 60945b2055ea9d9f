//! Okta as the caller of an event hook: it verifies the address with a challenge, and delivers events
//! with the secret, once more when the answer is no success or does not come.
//!
//! Unlike everything else here it asks and does not answer.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ids::random;
use super::org::Org;

/// So long does Okta wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// An event hook as an admin has entered it in the console.
#[derive(Debug, Clone)]
pub struct EventHook {
    source: String,
    url: String,
    secret: String,
    client: reqwest::Client,
}

/// Why Okta gives up.
#[derive(Debug, thiserror::Error)]
pub enum HookFailure {
    #[error("the address was not verified: it answered {status} {body}")]
    NotVerified { status: u16, body: String },
    #[error("the hook answered {0} twice")]
    Refused(u16),
    #[error("no answer came, twice")]
    NoAnswer(#[source] reqwest::Error),
}

impl Org {
    /// Enters a hook; nothing is called yet.
    pub fn event_hook(&self, url: impl Into<String>, secret: impl Into<String>) -> EventHook {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        EventHook {
            source: format!("{}/api/v1/eventHooks/who{}", self.url(), random(17)),
            url: url.into(),
            secret: secret.into(),
            client: client.build().expect("a client without settings of its own"),
        }
    }
}

impl EventHook {
    /// Shows the address a challenge, which it has to give back.
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

    /// Delivers events of one type, an event for each of these devices.
    pub async fn deliver(&self, kind: &str, devices: &[&str]) -> Result<(), HookFailure> {
        let events: Vec<Value> = devices.iter().map(|device| event(kind, device)).collect();
        self.deliver_body(&self.delivery(&events)).await
    }

    /// Delivers this body, whatever it is.
    pub async fn deliver_body(&self, body: &Value) -> Result<(), HookFailure> {
        let ask = || self.client.post(&self.url).header("authorization", &self.secret).json(body);
        let status = twice(ask).await?.status();
        if status.is_success() { Ok(()) } else { Err(HookFailure::Refused(status.as_u16())) }
    }

    /// What Okta sends for these events; sent again, it is the same delivery.
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

/// An event as the System Log shows it, of a user and his device.
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

/// Okta asks once more when no success came.
async fn twice(
    ask: impl Fn() -> reqwest::RequestBuilder,
) -> Result<reqwest::Response, HookFailure> {
    match ask().send().await {
        Ok(answer) if answer.status().is_success() => Ok(answer),
        _ => ask().send().await.map_err(HookFailure::NoAnswer),
    }
}
