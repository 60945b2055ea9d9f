//! An event hook of an integration, and Okta's calls.

use reqwest::Method;
use serde_json::json;
use testkit::okta::{EventHook, HookFailure};

use crate::support::answer::Answer;
use crate::support::world::World;

/// A hook of a connected integration, configured in Okta.
pub struct Hooked {
    /// Of the integration.
    pub path: String,
    /// Below the service.
    pub hook_path: String,
    pub secret: String,
    pub okta: EventHook,
}

impl Hooked {
    pub async fn new(world: &World) -> Self {
        let path = world.connected().await;
        Self::of(world, path).await
    }

    pub async fn of(world: &World, path: String) -> Self {
        let made = world.put(&format!("{path}/event-hook"), &json!({})).await.expect(201);
        let hook_path = made["hook_path"].as_str().expect("path").to_owned();
        let secret = made["secret"].as_str().expect("secret").to_owned();
        let okta = world.acme.event_hook(format!("{}{hook_path}", world.base), &secret);
        Self { path, hook_path, secret, okta }
    }
}

pub fn status(outcome: Result<(), HookFailure>) -> u16 {
    match outcome {
        Ok(()) => 204,
        Err(HookFailure::Refused(status) | HookFailure::NotVerified { status, .. }) => status,
        Err(HookFailure::NoAnswer(error)) => panic!("no answer: {error}"),
    }
}

pub fn devices(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("guo{n:06}")).collect()
}

pub async fn deliver(okta: &EventHook, devices: &[String]) {
    for some in devices.chunks(100) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        okta.deliver("device.lifecycle.suspend", &some).await.expect("taken");
    }
}

pub const NOTHING: &str = r#"{"data":{"events":[]}}"#;

impl World {
    pub async fn post_hook(&self, path: &str, secret: Option<&str>, body: &str) -> Answer {
        let mut ask = self.ask(Method::POST, path).body("application/json", body.to_owned());
        if let Some(secret) = secret {
            ask = ask.header("authorization", secret);
        }
        ask.send().await
    }

    pub async fn verify_hook(&self, path: &str, secret: &str, challenge: &str) -> Answer {
        let ask = self.ask(Method::GET, path).header("authorization", secret);
        ask.header("x-okta-verification-challenge", challenge).send().await
    }
}
