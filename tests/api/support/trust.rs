//! Trust status: facts inserted directly into the tables, queries, and assertions.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::inventory::id_of;
use crate::support::world::World;

pub fn managed() -> Value {
    json!([{
        "id": "00u1", "login": "ada@acme.example", "management_status": "MANAGED", "status": null,
        "created": null
    }])
}

#[track_caller]
pub fn expect_verdict(status: &Value, trust: &str, reason: &str) {
    assert_eq!(
        (&status["trust"], &status["reasons"][0]),
        (&json!(trust), &json!(reason)),
        "{status}"
    );
    // The reasons without an action have no remediation.
    let no_action = [
        "managed_and_active",
        "okta_budget_exhausted",
        "okta_record_not_seen",
        "management_status_unknown",
    ];
    if !no_action.contains(&reason) {
        assert_eq!(status["remediation"][0]["reason"], reason);
    }
}

impl World {
    /// Configures both platforms and marks the org as just swept. Returns the integration's ID.
    pub async fn swept_integration(&self) -> String {
        let path = self.configured().await;
        self.set_swept("0");
        id_of(&path).to_owned()
    }

    /// Inserts a trusted Mac.
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
