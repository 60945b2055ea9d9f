//! Requests and responses without a web framework, so that the simulated org consists of plain functions.
//!
//! [`front`](super::front) does the I/O.

use serde_json::Value;

/// A request to the org.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub method: String,
    /// In lower case, without a port.
    pub host: String,
    pub path: String,
    /// As sent, still encoded.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The name in the TLS handshake.
    pub tls_name: Option<String>,
    pub http_version: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Returns the decoded `name=value` pairs.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        pairs(self.query.as_bytes())
    }

    pub fn is_form(&self) -> bool {
        self.header("content-type")
            .is_some_and(|value| media_type(value) == "application/x-www-form-urlencoded")
    }

    /// Returns the decoded form parameters; empty if the body is not a form.
    pub fn form(&self) -> Vec<(String, String)> {
        if self.is_form() { pairs(&self.body) } else { Vec::new() }
    }

    /// Returns whether the client accepts JSON; also true without `Accept`.
    pub fn admits_json(&self) -> bool {
        let mut wanted = self.headers.iter().filter(|(name, _)| name == "accept").peekable();
        wanted.peek().is_none()
            || wanted.flat_map(|(_, value)| value.split(',')).any(|range| {
                let refused = range.split(';').skip(1).any(|parameter| {
                    let mut parts = parameter.splitn(2, '=').map(str::trim);
                    parts.next() == Some("q")
                        && parts.next().is_some_and(|q| q.parse() == Ok(0.0_f32))
                });
                !refused
                    && matches!(
                        media_type(range).as_str(),
                        "*/*" | "application/*" | "application/json"
                    )
            })
    }
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

/// Normalizes `Text/HTML; charset=utf-8` to `text/html`.
fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

#[derive(Debug, Clone)]
pub(super) enum Body {
    Empty,
    Json(Value),
    Text { content_type: &'static str, text: String },
    Bytes { content_type: String, bytes: Vec<u8> },
}

impl Reply {
    pub fn json(status: u16, value: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(value) }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    pub fn html(status: u16, text: impl Into<String>) -> Self {
        let body = Body::Text { content_type: "text/html; charset=utf-8", text: text.into() };
        Self { status, headers: Vec::new(), body }
    }

    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let body = Body::Text { content_type: "text/plain", text: text.into() };
        Self { status, headers: Vec::new(), body }
    }

    pub fn bytes_of(status: u16, content_type: String, bytes: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body: Body::Bytes { content_type, bytes } }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_string(), value.into()));
        self
    }

    pub fn bytes(&self) -> (Option<&str>, Vec<u8>) {
        match &self.body {
            Body::Empty => (None, Vec::new()),
            Body::Json(value) => (Some("application/json"), value.to_string().into_bytes()),
            Body::Text { content_type, text } => (Some(content_type), text.clone().into_bytes()),
            Body::Bytes { content_type, bytes } => (Some(content_type), bytes.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(accept: &[&str]) -> Request {
        Request {
            method: "GET".into(),
            host: String::new(),
            path: String::new(),
            query: String::new(),
            headers: accept.iter().map(|value| ("accept".to_string(), value.to_string())).collect(),
            body: Vec::new(),
            tls_name: None,
            http_version: String::new(),
        }
    }

    #[test]
    fn json_is_accepted_by_name_by_range_and_by_default() {
        for good in [
            &[][..],
            &["*/*"],
            &["application/json"],
            &["text/html, application/*;q=0.2"],
            &["text/html", "application/json"],
        ] {
            assert!(accepting(good).admits_json(), "{good:?}");
        }
        for bad in [&["text/html"][..], &["application/json;q=0"], &["application/xml, text/*"]] {
            assert!(!accepting(bad).admits_json(), "{bad:?}");
        }
    }
}
