//! A service whose responses, logs and metrics are recorded and searched at the end.

use okta_device_trust::crypto::ClientKey;
use reqwest::Method;
use serde_json::{Value, json};

use super::SECRET;
use crate::support::answer::Answer;
use crate::support::process::Process;
use crate::support::world::{INTEGRATIONS, World};

/// All recorded output of the service.
pub struct Watched {
    pub world: World,
    pub token: String,
    pub heard: Vec<(String, String)>,
    pub requests: u32,
}

impl Watched {
    /// Sends a request and records the response. `echo`: a value that only this response may contain.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, String)>,
        echo: Option<&str>,
    ) -> Answer {
        let mut ask = self.world.ask(method.clone(), path);
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            ask = ask.token(&self.token);
        }
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        if let Some((content_type, body)) = body {
            ask = ask.body(content_type, body);
        }
        let answer = ask.send().await;
        self.requests += 1;
        let mut heard = format!("{} {:?} {}", answer.status, answer.headers, answer.text);
        if let Some(echo) = echo {
            heard = heard.replace(echo, "(echo)");
        }
        self.heard.push((format!("answer {} to {method} {path}", self.requests), heard));
        answer
    }

    pub async fn json(&mut self, method: Method, path: &str, body: &Value) -> Answer {
        let body = (!body.is_null()).then(|| ("application/json", body.to_string()));
        self.ask(method, path, &[], body, None).await
    }

    pub async fn integration(&mut self) -> String {
        // The pasted text may contain a secret by mistake.
        let pasted = format!("https://bird.okta.com/login?token={SECRET}#{SECRET}");
        let created =
            self.json(Method::POST, INTEGRATIONS, &json!({ "okta_domain": pasted })).await;
        format!("{INTEGRATIONS}/{}", created.expect(201)["id"].as_str().expect("id"))
    }

    /// Removes the moduli of public keys from the output: long random words that are not secret.
    pub fn drop_public_keys(&mut self, keys: &[ClientKey]) {
        for (_, text) in &mut self.heard {
            for key in keys {
                *text = text.replace(key.jwk().n.as_str(), "(public)");
            }
        }
    }

    /// Reads every resource.
    pub async fn read_everything(&mut self, path: &str) {
        for below in [
            "",
            "/setup",
            "/prerequisites",
            "/events?limit=200",
            "/sync",
            "/okta-devices",
            "/event-hook",
        ] {
            self.json(Method::GET, &format!("{path}{below}"), &Value::Null).await.expect(200);
        }
        self.json(Method::GET, INTEGRATIONS, &Value::Null).await.expect(200);
        self.json(Method::GET, "/openapi.json", &Value::Null).await.expect(200);
        self.json(Method::GET, "/health/ready", &Value::Null).await.expect(200);
    }

    /// Records the process's output and the metrics.
    pub async fn listen_to(&mut self, service: &Process, what: &str) {
        let metrics = self.world.http.get(&service.metrics).send().await.expect("metrics");
        let metrics = metrics.text().await.expect("text");
        assert!(metrics.contains("odt_http_request_duration_seconds"), "{metrics}");
        self.heard.push((format!("metrics of {what}"), metrics));
        let said = service.said();
        assert!(said.contains("\"DEBUG\""), "the log is not at trace: {said}");
        self.heard.push((format!("log of {what}"), said));
    }
}
