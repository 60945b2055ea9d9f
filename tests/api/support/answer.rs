//! Requests to the service and its responses.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::world::World;

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn etag(&self) -> &str {
        self.header("etag")
    }

    /// Returns the body after checking the expected status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// Returns the problem document after checking its status and code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{}", self.text);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.len() > 10),
            "{}",
            self.text
        );
        problem
    }
}

/// A request builder.
pub struct Ask<'a> {
    pub world: &'a World,
    pub builder: reqwest::RequestBuilder,
}

impl Ask<'_> {
    pub fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    pub fn body(mut self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.header("content-type", content_type).body(body);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub fn token(mut self, token: &str) -> Self {
        self.builder = self.builder.bearer_auth(token);
        self
    }

    pub fn scopes(self, scopes: &[&str]) -> Self {
        let token = self.world.token_of(&self.world.tenant, scopes);
        self.token(&token)
    }

    pub fn admin(self) -> Self {
        self.scopes(&["odt:read", "odt:write"])
    }

    pub async fn send(self) -> Answer {
        let response = self.builder.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body") }
    }
}

/// Returns the item of a report.
#[track_caller]
pub fn item<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let items = report["items"].as_array().expect("items");
    items
        .iter()
        .find(|item| item["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind} in {report}"))
}
