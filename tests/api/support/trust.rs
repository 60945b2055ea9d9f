//! Trust status: what is known of devices written straight into the tables, questions, and what is
//! asserted of answers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::world::World;

pub fn managed() -> Value {
    json!([{ "id": "00u1", "login": "ada@acme.example", "management_status": "MANAGED" }])
}

#[track_caller]
pub fn expect_verdict(status: &Value, trust: &str, reason: &str) {
    assert_eq!(
        (&status["trust"], &status["reasons"][0]),
        (&json!(trust), &json!(reason)),
        "{status}"
    );
    assert_eq!(status["remediation"][0]["reason"], reason);
}

impl World {
    /// A tenant with both platforms configured and an org that was just read; its integration.
    pub async fn swept_integration(&self) -> String {
        let path = self.configured().await;
        let id = path.rsplit('/').next().expect("id").to_owned();
        self.sql(&format!(
            "INSERT INTO okta_syncs (tenant_id, integration_id, swept_at) VALUES ('{}', '{id}', now()) \
             ON CONFLICT (tenant_id, integration_id) DO UPDATE SET swept_at = now()",
            self.tenant
        ));
        id
    }

    pub fn insert_device(&self, serial: &str, platform: &str) {
        let tenant = &self.tenant;
        self.sql(&format!(
            "INSERT INTO devices (tenant_id, serial_number, platform, enrollment_state, enrolled_at, \
                enrollment_reported_at, reported_at) \
             VALUES ('{tenant}', '{serial}', '{platform}', 'enrolled', now(), now(), now())"
        ));
    }

    pub fn insert_delivery(&self, integration: &str, serial: &str) {
        let tenant = &self.tenant;
        self.sql(&format!(
            "INSERT INTO device_deliveries (tenant_id, serial_number, integration_id, config_version, \
                delivered_at, reported_at) \
             VALUES ('{tenant}', '{serial}', '{integration}', 7, now(), now())"
        ));
    }

    pub fn insert_certificate(&self, integration: &str, serial: &str, days: i32) {
        let tenant = &self.tenant;
        self.sql(&format!(
            "INSERT INTO device_certificates VALUES ('{tenant}', '{serial}', '{integration}', 'c{days}', \
                now() - interval '400 days' + interval '{days} days', \
                now() + interval '{days} days' - interval '1 hour', now())"
        ));
    }

    pub fn insert_okta_device(
        &self,
        integration: &str,
        id: &str,
        serial: Option<&str>,
        users: &Value,
    ) {
        let tenant = &self.tenant;
        let serial = serial.map_or_else(|| "NULL".to_owned(), |serial| format!("'{serial}'"));
        let platform = if serial == "NULL" { "IOS" } else { "MACOS" };
        self.sql(&format!(
            "INSERT INTO okta_devices (tenant_id, integration_id, okta_device_id, platform, status, \
                serial_number, created_at, last_updated_at, users, users_known, any_managed, observed_at) \
             VALUES ('{tenant}', '{integration}', '{id}', '{platform}', 'ACTIVE', {serial}, \
                now() - interval '2 days', now(), '{users}', true, true, now() - interval '1 hour')"
        ));
    }

    /// A Mac that is trusted.
    pub fn insert_trusted_mac(&self, integration: &str, serial: &str) {
        self.insert_device(serial, "macos");
        self.insert_delivery(integration, serial);
        self.insert_certificate(integration, serial, 300);
        self.insert_okta_device(integration, &format!("guo{serial}"), Some(serial), &managed());
    }

    pub async fn ask_trust(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).scopes(&["trust:read"]).send().await
    }

    pub async fn trust_status(&self, serial: &str) -> Value {
        self.ask_trust(&format!("/trust-status/devices/{serial}")).await.expect(200)
    }

    pub async fn query_trust(&self, body: &Value) -> Answer {
        let ask = self.ask(Method::POST, "/trust-status/devices/query").scopes(&["trust:read"]);
        ask.json(body).send().await
    }
}
