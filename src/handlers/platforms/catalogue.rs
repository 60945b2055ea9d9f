//! `/platforms`: the platform catalogue.

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, get, web};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::handlers::State;
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::PlatformPath;
use crate::handlers::http::problem::Problem;
use crate::service::CataloguePlatform;

/// The platform catalogue.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CatalogueResponse {
    #[schema(value_type = Vec<CataloguePlatform>)]
    items: &'static [CataloguePlatform],
}

/// The catalogue changes only with a release of the service.
const CATALOGUE_CACHE_CONTROL: &str = "private, max-age=3600";

/// List the platform catalogue
///
/// Lists the platforms that can be configured, each with its form fields and with guides for Okta. The
/// catalogue is the same for all tenants.
#[utoipa::path(
    operation_id = "list_catalogue", tag = "Platforms",
    params(("If-None-Match" = Option<String>, Header, description = "The ETag of the cached response")),
    responses(
        (status = 200, description = "The platform catalogue", body = CatalogueResponse, headers(("ETag" = String))),
        (status = 304, description = "The cached response is still valid"),
    ),
    security(("bearer" = ["odt:read"])),
)]
#[get("/platforms")]
pub async fn list_catalogue(
    request: HttpRequest,
    state: web::Data<State>,
    caller: Verified,
) -> Result<HttpResponse, Problem> {
    let items = state.service.list_catalogue(&caller.0).await?;
    Ok(respond_cached(&request, &CatalogueResponse { items }))
}

/// Retrieve a platform of the catalogue
///
/// Retrieves the form fields of a platform, and the guides to add, rotate and delete it in Okta.
#[utoipa::path(
    operation_id = "get_catalogue_platform", tag = "Platforms",
    params(PlatformPath, ("If-None-Match" = Option<String>, Header, description = "The ETag of the cached response")),
    responses(
        (status = 200, description = "The platform", body = CataloguePlatform, headers(("ETag" = String))),
        (status = 304, description = "The cached response is still valid"),
    ),
    security(("bearer" = ["odt:read"])),
)]
#[get("/platforms/{platform}")]
pub async fn get_catalogue_platform(
    request: HttpRequest,
    state: web::Data<State>,
    caller: Verified,
    platform: PlatformPath,
) -> Result<HttpResponse, Problem> {
    let found = state.service.get_catalogue_platform(&caller.0, platform.0).await?;
    Ok(respond_cached(&request, found))
}

/// Returns the value with its ETag, or 304 if the caller's ETag matches.
fn respond_cached<T: Serialize>(request: &HttpRequest, value: &T) -> HttpResponse {
    let Ok(body) = serde_json::to_vec(value) else {
        return HttpResponse::InternalServerError().finish();
    };
    let hash = digest(&SHA256, &body);
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash));
    let sent = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_cached = sent.is_some_and(|list| {
        list.split(',').any(|candidate| candidate.trim().trim_start_matches("W/") == etag)
    });
    let mut answer = if is_cached { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, CATALOGUE_CACHE_CONTROL));
    if is_cached { answer.finish() } else { answer.content_type("application/json").body(body) }
}
