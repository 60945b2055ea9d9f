//! Configured platforms and deployments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::world::World;

pub const MAC: &str = "C02ABC123DEF";

pub const MAC_UDID: &str = "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D";

pub fn mac() -> Value {
    json!({ "serial_number": MAC, "udid": MAC_UDID })
}

pub async fn deploy(world: &World, path: &str, body: &Value) -> Answer {
    world.ask(Method::POST, path).scopes(&["odt:deploy"]).json(body).send().await
}

pub fn plist_of(profile: &Value) -> plist::Value {
    let bytes = STANDARD.decode(profile["content"].as_str().expect("content")).expect("base64");
    plist::Value::from_reader_xml(bytes.as_slice()).expect("an XML property list")
}

pub fn payloads(profile: &plist::Value) -> Vec<plist::Dictionary> {
    let content = profile.as_dictionary().and_then(|root| root.get("PayloadContent"));
    let payloads = content.and_then(plist::Value::as_array).expect("PayloadContent");
    payloads.iter().map(|payload| payload.as_dictionary().expect("payload").clone()).collect()
}

pub fn text<'a>(dictionary: &'a plist::Dictionary, key: &str) -> &'a str {
    dictionary.get(key).and_then(plist::Value::as_string).unwrap_or_default()
}

impl World {
    pub fn macos_settings(&self) -> Value {
        json!({
            "scep_url": self.acme.scep_url(),
            "challenge_url": self.acme.challenge_url(),
            "username": self.acme.scep_username(),
            "password": self.acme.scep_password(),
        })
    }

    /// Creates an integration with credentials and both platforms. Returns its path.
    pub async fn configured(&self) -> String {
        let path = self.connected().await;
        self.patch(&path, &json!({ "selected_platforms": ["macos", "ios"] })).await.expect(200);
        self.put(&format!("{path}/platforms/macos"), &self.macos_settings()).await.expect(201);
        self.put(&format!("{path}/platforms/ios"), &json!({ "secret_key": "Tr1cky-Secret-Key" }))
            .await
            .expect(201);
        path
    }
}
