//! A response of the service, and assertions on it. A failed assertion names the expected and the
//! actual value.

use std::fmt::Write;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::secrets::hide;

/// The media type of a configuration profile.
pub const PROFILE_TYPE: &str = "application/x-apple-aspen-config";

/// A failed step.
#[derive(Debug)]
pub struct Broken {
    pub what: String,
    /// The whole response, with secrets redacted.
    pub answer: Option<String>,
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self { what: crate::with_causes(&error), answer: None }
    }
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        Self { what: crate::with_causes(&error), answer: None }
    }
}

/// The result of a step, in a sentence.
pub type Outcome = Result<String, Broken>;

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null if the body is not JSON.
    pub json: Value,
}

impl Answer {
    /// Formats status and headers, unredacted.
    pub fn head(&self) -> String {
        let mut text = format!("HTTP {}\n", self.status);
        for (name, value) in &self.headers {
            let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        text
    }

    /// Formats status, headers and body, with secrets redacted.
    pub fn whole(&self) -> String {
        let mut json = self.json.clone();
        hide(&mut json);
        let pretty = serde_json::to_string_pretty(&json).ok().filter(|_| !json.is_null());
        let body = match pretty {
            Some(pretty) => pretty,
            None if self.header("content-type") == PROFILE_TYPE => {
                format!("(a profile of {} bytes)", self.text.len())
            }
            None => self.text.clone(),
        };
        format!("{}\n{body}", self.head())
    }

    pub fn broken(&self, what: impl Into<String>) -> Broken {
        Broken { what: what.into(), answer: Some(self.whole()) }
    }

    pub fn expect_status(&self, status: u16) -> Result<&Self, Broken> {
        if self.status == status {
            return Ok(self);
        }
        Err(self.broken(format!("expected status {status}, got {}", self.status)))
    }

    /// Asserts a problem document (RFC 9457) with this status and code.
    pub fn expect_problem(&self, status: u16, code: &str) -> Result<&Self, Broken> {
        self.expect_status(status)?.expect_header("content-type", "application/problem+json")?;
        self.expect("/code", code)?.expect("/status", status)?;
        for field in ["/title", "/detail", "/request_id"] {
            if self.text_at(field).is_empty() {
                return Err(self.broken(format!("the problem has no {field}")));
            }
        }
        Ok(self)
    }

    /// Asserts the value at a JSON pointer.
    pub fn expect(&self, pointer: &str, value: impl Into<Value>) -> Result<&Self, Broken> {
        let value = value.into();
        let found = self.json.pointer(pointer).unwrap_or(&Value::Null);
        if *found == value {
            return Ok(self);
        }
        Err(self.broken(format!("expected {value} at {pointer}, got {found}")))
    }

    pub fn expect_header(&self, name: &str, value: &str) -> Result<&Self, Broken> {
        let found = self.header(name);
        if found == value {
            return Ok(self);
        }
        Err(self.broken(format!("expected the header {name} to be {value:?}, got {found:?}")))
    }

    pub fn expect_that(&self, holds: bool, what: &str) -> Result<&Self, Broken> {
        if holds { Ok(self) } else { Err(self.broken(format!("assertion failed: {what}"))) }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn etag(&self) -> &str {
        self.header("etag")
    }

    /// Returns the text at a JSON pointer, or an empty one.
    pub fn text_at(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the list at a JSON pointer, or an empty one.
    pub fn list_at(&self, pointer: &str) -> &[Value] {
        self.json.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Returns the text at a JSON pointer, which must exist. The error message does not quote it.
    pub fn expect_secret(&self, pointer: &str) -> Result<&str, Broken> {
        match self.text_at(pointer) {
            "" => Err(self.broken(format!("{pointer} is missing"))),
            secret => Ok(secret),
        }
    }

    /// Returns the entry of a list whose `key` is `value`.
    pub fn entry(&self, list: &str, key: &str, value: &str) -> Result<&Value, Broken> {
        let found = self.list_at(list).iter().find(|entry| entry[key] == value);
        found.ok_or_else(|| self.broken(format!("no entry in {list} has the {key} {value:?}")))
    }
}
