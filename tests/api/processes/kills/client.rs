//! A client that writes continuously to a service that is killed repeatedly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::answer::Answer;
use crate::support::world::INTEGRATIONS;

/// The state of a service as its clients see it.
#[derive(Clone)]
pub struct Life {
    pub number: u32,
    pub base: String,
    /// No more kills: the clients finish.
    pub over: bool,
}

/// A client that writes continuously, with the outcomes of its writes.
#[derive(Clone)]
pub struct Client {
    pub life: watch::Receiver<Life>,
    pub used: u32,
    pub http: reqwest::Client,
    pub token: String,
    /// Acknowledged writes.
    pub acknowledged: Arc<AtomicU64>,
    /// Writes that were interrupted after the connection was established.
    pub cut: Arc<AtomicU64>,
}

impl Client {
    pub fn goes_on(&self) -> bool {
        !self.life.borrow().over
    }

    /// Sends a request once; `None` if the service was killed before it responded.
    pub async fn try_send(
        &mut self,
        method: &Method,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Option<Answer> {
        let life = self.life.borrow_and_update().clone();
        self.used = life.number;
        let url = format!("{}{path}", life.base);
        let mut ask = self.http.request(method.clone(), url).bearer_auth(&self.token);
        if !body.is_null() {
            ask = ask.json(body);
        }
        if let Some(key) = key {
            ask = ask.header("idempotency-key", key);
        }
        let read = async {
            let response = ask.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>(Answer { status, headers, text: response.text().await? })
        };
        match read.await {
            Ok(answer) => {
                let writes = method != Method::GET && !path.ends_with("/check");
                if writes && answer.status.is_success() {
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                Some(answer)
            }
            Err(error) => {
                if !error.is_connect() {
                    self.cut.fetch_add(1, Ordering::SeqCst);
                }
                None
            }
        }
    }

    /// Waits until the killed service is started again.
    pub async fn next_life(&mut self) {
        let used = self.used;
        self.life.wait_for(|life| life.number > used).await.expect("the test goes on");
    }

    /// Retries until there is a response, however often the service is killed.
    pub async fn send(
        &mut self,
        method: &Method,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Answer {
        loop {
            if let Some(answer) = self.try_send(method, path, body, key).await {
                return answer;
            }
            self.next_life().await;
        }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(&Method::GET, path, &Value::Null, None).await
    }

    /// Creates an integration and returns its path.
    pub async fn create(&mut self, host: &str) -> String {
        let body = json!({ "okta_domain": host });
        let answer = self.send(&Method::POST, INTEGRATIONS, &body, None).await;
        format!("{INTEGRATIONS}/{}", created_id(&answer))
    }
}

/// Returns the ID of the integration created by this request or an earlier one without a response.
pub fn created_id(answer: &Answer) -> String {
    let (field, answer) =
        (if answer.status == 201 { "id" } else { "integration_id" }, answer.json());
    answer[field].as_str().unwrap_or_else(|| panic!("no {field}: {answer}")).to_owned()
}

/// A value that is written repeatedly: the last acknowledged value, and the values sent since without a
/// response, which may be stored or not.
pub struct Written {
    pub version: i64,
    pub value: Value,
    pub unanswered: Vec<Value>,
}

impl Written {
    pub fn new(version: i64, value: Value) -> Self {
        Self { version, value, unanswered: Vec::new() }
    }

    /// Records an acknowledged write, which is newer than all earlier ones.
    #[track_caller]
    pub fn acknowledged(&mut self, version: i64, value: &Value) {
        let most = self.version + 1 + i64::try_from(self.unanswered.len()).expect("few");
        assert!(
            (self.version + 1..=most).contains(&version),
            "after version {} came {version}",
            self.version
        );
        *self = Self::new(version, value.clone());
    }

    /// Checks that the stored value is the last acknowledged one or one without a response.
    #[track_caller]
    pub fn found(&self, version: i64, value: &Value) {
        let most = self.version + i64::try_from(self.unanswered.len()).expect("few");
        assert!(
            (self.version..=most).contains(&version),
            "version {} was acknowledged, {version} is there",
            self.version
        );
        assert!(
            self.value == *value || self.unanswered.contains(value),
            "{} was acknowledged, {value} is there",
            self.value
        );
        if version == self.version {
            assert_eq!(self.value, *value, "changed without its version");
        }
    }
}
