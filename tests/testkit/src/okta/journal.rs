//! What was asked of an org, for tests to look at afterwards.
//!
//! Never holds a secret: of an `Authorization` it keeps the scheme and, for Basic, the user.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::message::Request;

/// A simulated org may run for days in a development stack: only the newest requests are kept.
const KEPT: usize = 20_000;

#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub number: u64,
    pub at: DateTime<Utc>,
    pub method: String,
    pub host: String,
    /// The name asked for in the TLS handshake.
    pub tls_name: Option<String>,
    pub http_version: String,
    pub path: String,
    /// As sent, still encoded.
    pub query: String,
    pub headers: BTreeMap<String, String>,
    /// The parameters of a form, decoded; secrets are withheld.
    pub form: Vec<(String, String)>,
    /// What was answered; `None` while no answer was sent, or when the connection was closed instead.
    pub status: Option<u16>,
    /// The faults that hit the request.
    pub faults: Vec<String>,
}

impl Entry {
    /// The first value of a form parameter.
    pub fn form_value(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// A cheap handle: a clone shows the same requests.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    next: u64,
    entries: VecDeque<Entry>,
}

impl Journal {
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.iter().cloned().collect()
    }

    /// The entries, which are then forgotten.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.lock().entries).into()
    }

    pub fn clear(&self) {
        self.lock().entries.clear();
    }

    /// How many requests had this path.
    pub fn count(&self, path: &str) -> usize {
        self.lock().entries.iter().filter(|entry| entry.path == path).count()
    }

    /// Notes a request as it comes in; the status follows by [`answered`](Self::answered).
    pub(super) fn note(&self, request: &Request, faults: Vec<String>) -> u64 {
        let mut kept = self.lock();
        let number = kept.next;
        kept.next += 1;
        if kept.entries.len() == KEPT {
            kept.entries.pop_front();
        }
        kept.entries.push_back(Entry {
            number,
            at: Utc::now(),
            method: request.method.clone(),
            host: request.host.clone(),
            tls_name: request.tls_name.clone(),
            http_version: request.http_version.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: harmless_headers(request),
            form: harmless_form(request),
            status: None,
            faults,
        });
        number
    }

    pub(super) fn answered(&self, number: u64, status: u16) {
        let mut kept = self.lock();
        if let Some(entry) = kept.entries.iter_mut().rev().find(|entry| entry.number == number) {
            entry.status = Some(status);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder panics")
    }
}

fn harmless_headers(request: &Request) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in &request.headers {
        let value = match name.as_str() {
            "authorization" => harmless_authorization(value),
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

fn harmless_authorization(value: &str) -> String {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest.trim()).unwrap_or_default();
        let decoded = String::from_utf8_lossy(&decoded);
        return format!("{scheme} {}", decoded.split(':').next().unwrap_or_default());
    }
    scheme.to_string()
}

fn harmless_form(request: &Request) -> Vec<(String, String)> {
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
