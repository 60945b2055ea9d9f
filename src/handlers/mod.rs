//! HTTP handlers: each extracts the caller and the input, makes one service call, and renders the
//! result.

pub mod devices;
pub mod event_hooks;
pub mod events;
pub mod health;
pub mod http;
pub mod integrations;
pub mod mirror;
pub mod platforms;
pub mod trust_status;

use actix_web::HttpResponse;
use actix_web::http::header::{ETAG, HeaderValue};
use serde::Serialize;

use crate::auth::Authenticator;
use crate::model::{IntegrationRecord, Page, pages::encode_cursor, pages::encode_text_cursor};
use crate::service::Service;

/// The state shared by all handlers.
pub struct State {
    pub service: Service,
    pub authenticator: Authenticator,
    /// Checks that PostgreSQL answers.
    pub database_probe: http::probe::Probe,
    /// Bounds the memory of large request bodies.
    pub large_bodies: http::large_bodies::LargeBodies,
    /// Hosts whose address is overridden by configuration; shown by the readiness probe.
    pub overridden_hosts: Vec<String>,
}

/// One page of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PageResponse<T> {
    pub items: Vec<T>,
    /// Send this as `cursor` to get the next page; `null` on the last page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> From<Page<T>> for PageResponse<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next_cursor: page.next.map(encode_cursor) }
    }
}

impl<T> From<Page<T, String>> for PageResponse<T> {
    fn from(page: Page<T, String>) -> Self {
        let next_cursor = page.next.as_deref().map(encode_text_cursor);
        Self { items: page.items, next_cursor }
    }
}

/// Adds the version of the integration as `ETag`.
fn with_etag(mut response: HttpResponse, record: &IntegrationRecord) -> HttpResponse {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", record.integration.version)) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}
