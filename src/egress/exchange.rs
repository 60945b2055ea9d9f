//! Requests and responses.

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use super::EgressError;

/// Maximum size of a response body, unless the request sets another: 1 MiB.
pub const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

/// A request. No `Debug`: headers contain credentials.
#[derive(Clone)]
pub struct EgressRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) body_limit: usize,
}

impl EgressRequest {
    /// Creates a `GET` request that accepts JSON.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url, Vec::new())
    }

    /// Creates a `POST` request with a form body that accepts JSON.
    #[must_use]
    pub fn post_form(url: Url, pairs: &[(&str, &str)]) -> Self {
        let form =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        Self::new(Method::POST, url, form.into_bytes()).header(CONTENT_TYPE, form_type)
    }

    fn new(method: Method, url: Url, body: Vec<u8>) -> Self {
        let headers =
            HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        Self { method, url, headers, body, body_limit: DEFAULT_BODY_LIMIT }
    }

    /// Sets a header and replaces an earlier one of the same name. Mark secrets as sensitive.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Returns the path of the URL.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path()
    }

    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Sets the maximum size of the response body.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }
}

/// A response of any status. No `Debug`: bodies contain tokens.
pub struct EgressResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl EgressResponse {
    /// Reads the body in chunks and stops as soon as it exceeds `limit`.
    pub(super) async fn read(
        mut response: reqwest::Response,
        limit: usize,
    ) -> Result<Self, EgressError> {
        let too_large = || EgressError::BodyTooLarge { limit };
        // No need to read a body whose announced length is too large.
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(EgressError::from_body)? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self { status: response.status(), headers: response.headers().clone(), body })
    }
}
