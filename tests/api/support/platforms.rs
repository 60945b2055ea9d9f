//! Configured platforms.

use serde_json::{Value, json};

use crate::support::world::World;

impl World {
    pub fn macos_settings(&self) -> Value {
        json!({
            "scep_url": self.acme.scep_url(),
            "challenge_url": self.acme.challenge_url(),
            "username": self.acme.scep_username(),
            "password": self.acme.scep_password(),
        })
    }

    /// An integration with credentials and both platforms; its path.
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
