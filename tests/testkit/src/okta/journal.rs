//! The requests to an org, for tests to examine.
//!
//! It contains no secrets: of an `Authorization` it stores the scheme and, for Basic, the username.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::message::Request;

/// The maximum number of entries. A simulated org may run for days in a development stack.
const MAX_ENTRIES: usize = 20_000;

#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub number: u64,
    pub at: DateTime<Utc>,
    pub method: String,
    pub host: String,
    /// The name in the TLS handshake.
    pub tls_name: Option<String>,
    pub http_version: String,
    pub path: String,
    /// As sent, still encoded.
    pub query: String,
    pub headers: BTreeMap<String, String>,
    /// The decoded parameters of a form; secrets are removed.
    pub form: Vec<(String, String)>,
    /// The status of the response; `None` if none was sent yet or the connection was closed.
    pub status: Option<u16>,
    /// The faults that affected the request.
    pub faults: Vec<String>,
}

impl Entry {
    /// Returns the first value of a form parameter.
    pub fn form_value(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Returns the first decoded value of a query parameter.
    pub fn query_value(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// A cheap handle; clones share the entries.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    entries: VecDeque<Entry>,
}

impl Journal {
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.iter().cloned().collect()
    }

    /// Removes and returns the entries.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.lock().entries).into()
    }

    pub fn clear(&self) {
        self.lock().entries.clear();
    }

    /// Counts the requests with this path.
    pub fn count(&self, path: &str) -> usize {
        self.lock().entries.iter().filter(|entry| entry.path == path).count()
    }

    /// Records a request; the status follows by [`record_status`](Self::record_status).
    pub(super) fn record(&self, request: &Request, faults: Vec<String>) -> u64 {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        if state.entries.len() == MAX_ENTRIES {
            state.entries.pop_front();
        }
        state.entries.push_back(Entry {
            number,
            at: Utc::now(),
            method: request.method.clone(),
            host: request.host.clone(),
            tls_name: request.tls_name.clone(),
            http_version: request.http_version.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: redact_headers(request),
            form: redact_form(request),
            status: None,
            faults,
        });
        number
    }

    pub(super) fn record_status(&self, number: u64, status: u16) {
        let mut state = self.lock();
        if let Some(entry) = state.entries.iter_mut().rev().find(|entry| entry.number == number) {
            entry.status = Some(status);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

fn redact_headers(request: &Request) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in &request.headers {
        let value = match name.as_str() {
            "authorization" => redact_authorization(value),
            "cookie" | "dpop" => "(withheld)".to_string(),
            _ => value.clone(),
        };
        headers
            .entry(name.clone())
            .and_modify(|before: &mut String| *before = format!("{before}, {value}"))
            .or_insert(value);
    }
    headers
}

fn redact_authorization(value: &str) -> String {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest.trim()).unwrap_or_default();
        let decoded = String::from_utf8_lossy(&decoded);
        return format!("{scheme} {}", decoded.split(':').next().unwrap_or_default());
    }
    scheme.to_string()
}

fn redact_form(request: &Request) -> Vec<(String, String)> {
    let secret = |name: &str| {
        matches!(name, "client_secret" | "client_assertion" | "password" | "refresh_token")
    };
    request
        .form()
        .into_iter()
        .map(
            |(name, value)| {
                if secret(&name) { (name, "(withheld)".to_string()) } else { (name, value) }
            },
        )
        .collect()
}
