//! Reports of an MDM.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::world::World;

pub const MAC: &str = "C02ABC123DEF";

pub const UDID: &str = "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D";

pub const OTHER_UDID: &str = "00008030-001C45A83C98802E";

/// Returns a time for reports, in minutes; the first are hours ago.
pub fn at(minute: i64) -> String {
    let base: DateTime<Utc> = "2026-01-15T09:00:00Z".parse().expect("time");
    (base + TimeDelta::minutes(minute)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

pub fn enrolled(minute: i64) -> Value {
    json!({ "platform": "macos", "enrollment": { "state": "enrolled", "reported_at": at(minute) } })
}

pub fn with(mut report: Value, field: &str, value: Value) -> Value {
    report[field] = value;
    report
}

pub fn delivery(version: i64, minute: i64) -> Value {
    json!({ "config_version": version, "delivered_at": at(minute), "reported_at": at(minute) })
}

pub fn certificate(serial: &str, from: i64, minute: i64) -> Value {
    json!({ "serial_number": serial, "not_before": at(from), "not_after": at(from + 1_000), "reported_at": at(minute) })
}

pub fn id_of(path: &str) -> &str {
    path.rsplit('/').next().expect("id")
}

pub fn serials(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["serial_number"].as_str().expect("serial")).collect()
}

impl World {
    pub async fn ask_inventory(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let ask = self.ask(method, path).scopes(&["odt:inventory"]);
        match body {
            Some(body) => ask.json(body).send().await,
            None => ask.send().await,
        }
    }

    pub async fn report_device(&self, serial: &str, body: &Value) -> Answer {
        self.ask_inventory(Method::PUT, &format!("/devices/{serial}"), Some(body)).await
    }

    pub async fn read_device(&self, serial: &str) -> Answer {
        self.ask_inventory(Method::GET, &format!("/devices/{serial}"), None).await
    }

    pub async fn delete_device(&self, serial: &str, minute: i64) -> Value {
        let path = format!("/devices/{serial}?reported_at={}", at(minute));
        self.ask_inventory(Method::DELETE, &path, None).await.expect(200)
    }

    pub async fn report_batch(&self, devices: &[Value]) -> Answer {
        self.ask_inventory(Method::POST, "/devices/batch", Some(&json!({ "devices": devices })))
            .await
    }
}
