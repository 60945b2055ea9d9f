//! An answer of the service, and what the tour expects of it.
//!
//! Each expectation that is not met says in words what was to be there and what was found.

use std::fmt::Write;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::secrets::hide;

/// The media type of a configuration profile.
pub const PROFILE_TYPE: &str = "application/x-apple-aspen-config";

/// A step that did not do what it should.
#[derive(Debug)]
pub struct Broken {
    pub what: String,
    /// The whole answer, without secrets.
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

/// What came of a step, in a sentence.
pub type Outcome = Result<String, Broken>;

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null when the body is no JSON.
    pub json: Value,
}

impl Answer {
    /// Status and headers, as they came.
    pub fn head(&self) -> String {
        let mut text = format!("HTTP {}\n", self.status);
        for (name, value) in &self.headers {
            let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        text
    }

    /// Status, headers and body, without secrets.
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
        Err(self.broken(format!("status {status} was expected, {} came", self.status)))
    }

    /// A problem document (RFC 9457) with this status and code.
    pub fn expect_problem(&self, status: u16, code: &str) -> Result<&Self, Broken> {
        self.expect_status(status)?.expect_header("content-type", "application/problem+json")?;
        self.expect("/code", code)?.expect("/status", status)?;
        for field in ["/title", "/detail", "/request_id"] {
            if self.text_at(field).is_empty() {
                return Err(self.broken(format!("a problem without {field}")));
            }
        }
        Ok(self)
    }

    /// The value at a JSON pointer.
    pub fn expect(&self, pointer: &str, value: impl Into<Value>) -> Result<&Self, Broken> {
        let value = value.into();
        let found = self.json.pointer(pointer).unwrap_or(&Value::Null);
        if *found == value {
            return Ok(self);
        }
        Err(self.broken(format!("{pointer} was to be {value} and is {found}")))
    }

    pub fn expect_header(&self, name: &str, value: &str) -> Result<&Self, Broken> {
        let found = self.header(name);
        if found == value {
            return Ok(self);
        }
        Err(self.broken(format!("the header {name} was to be {value:?} and is {found:?}")))
    }

    pub fn expect_that(&self, holds: bool, what: &str) -> Result<&Self, Broken> {
        if holds { Ok(self) } else { Err(self.broken(format!("this does not hold: {what}"))) }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn etag(&self) -> &str {
        self.header("etag")
    }

    /// The text at a JSON pointer; empty if there is none.
    pub fn text_at(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The list at a JSON pointer; empty if there is none.
    pub fn list_at(&self, pointer: &str) -> &[Value] {
        self.json.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The text at a JSON pointer, which has to be there; what is said of it does not show it.
    pub fn expect_secret(&self, pointer: &str) -> Result<&str, Broken> {
        match self.text_at(pointer) {
            "" => Err(self.broken(format!("{pointer} is missing"))),
            secret => Ok(secret),
        }
    }

    /// The entry of a list whose `key` is `word`.
    pub fn entry(&self, list: &str, key: &str, word: &str) -> Result<&Value, Broken> {
        let found = self.list_at(list).iter().find(|entry| entry[key] == word);
        found.ok_or_else(|| self.broken(format!("nothing in {list} has the {key} {word:?}")))
    }
}
