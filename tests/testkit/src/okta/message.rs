//! A request and its answer, free of any web framework, so that the simulated org is plain functions.
//!
//! Reads nothing from the network and writes nothing to it; [`front`](super::front) does.

use serde_json::Value;

/// What the org sees of a request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub method: String,
    /// In lower case, without a port.
    pub host: String,
    pub path: String,
    /// As it was sent, still encoded.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The name that the client asked for in the TLS handshake.
    pub tls_name: Option<String>,
    pub http_version: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// `name=value` pairs, decoded.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        pairs(self.query.as_bytes())
    }

    pub fn is_form(&self) -> bool {
        self.header("content-type")
            .is_some_and(|value| media_type(value) == "application/x-www-form-urlencoded")
    }

    /// The form's parameters, decoded; empty if the body is no form.
    pub fn form(&self) -> Vec<(String, String)> {
        if self.is_form() { pairs(&self.body) } else { Vec::new() }
    }

    /// Without an `Accept` everything is welcome.
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

/// `Text/HTML; charset=utf-8` is `text/html`.
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
    fn json_is_admitted_by_name_by_range_and_by_silence() {
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
